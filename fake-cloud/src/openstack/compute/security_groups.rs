//! Security groups: which a server has, and the groups themselves as Nova's older API shows them.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, fields};
use crate::model::error::{Error as ModelError, Kind};
use crate::model::security::{Direction, EtherType, Filter};
use crate::model::{Model, SecurityGroup, SecurityGroupRule};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

/// The groups of a server.
pub(super) async fn of_server(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    let groups = server.security_groups.iter().filter_map(|id| model.security_groups.get(*id));
    let groups: Vec<_> = groups.map(|group| view(&model, group)).collect();
    Ok(ok(&json!({"security_groups": groups})))
}

#[derive(Debug, Deserialize)]
pub(super) struct Named {
    name: String,
}

/// Gives a server a group, or takes it away: an action.
pub(super) async fn change(cx: &Context, wanted: Named, add: bool) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    let change = |model: &mut Model, now| {
        if add {
            model.join_security_group(&caller, id, &wanted.name, now)
        } else {
            model.leave_security_group(&caller, id, &wanted.name, now)
        }
    };
    let missing = |error| match error {
        ModelError::NotFound { kind: Kind::SecurityGroup, .. } => {
            let (group, project) = (&wanted.name, caller.project_id);
            Error::from(Fault::not_found(if add {
                let project = project.map(|project| project.to_string()).unwrap_or_default();
                format!("Security group {group} not found for project {project}.")
            } else {
                format!("Security group {group} not associated with the instance {id}")
            }))
        }
        other => other.into(),
    };
    cx.cloud.change(|model, now| change(model, now).map_err(missing)).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let project = cx.project()?;
    let model = cx.cloud.read();
    let own = model.security_groups.iter().filter(|group| group.project_id == project);
    let groups: Vec<_> = own.map(|group| view(&model, group)).collect();
    Ok(ok(&json!({"security_groups": groups})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let group = model.security_group(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"security_group": view(&model, group)})))
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    description: Option<String>,
}

const FIELDS: &[fields::Field] = &[("name", 1), ("description", 1)];

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let body: Map<String, Value> = cx.json().await?;
    let wanted = fields::below("security_group", body)?;
    let wanted: Wanted = fields::read(&cx, "security_group", wanted, FIELDS)?;
    let (project, description) = (cx.project()?, wanted.description.unwrap_or_default());
    let made = cx.cloud.change(|model, now| {
        let id = model.create_security_group(project, &wanted.name, &description, now)?;
        Ok::<_, Error>(model.security_groups.get(id).map(|group| view(model, group)))
    });
    Ok(ok(&json!({"security_group": made.await?})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let body: Map<String, Value> = cx.json().await?;
    let wanted = fields::below("security_group", body)?;
    let wanted: Wanted = fields::read(&cx, "security_group", wanted, FIELDS)?;
    let caller = cx.caller()?;
    let changed = cx.cloud.change(|model, now| {
        let id = model.security_group(&caller, cx.param("id"))?.id;
        if let Some(mut group) = model.security_groups.get_mut(id) {
            group.name = wanted.name;
            group.standard.description = wanted.description.unwrap_or_default();
            group.standard.touch(now);
        }
        Ok::<_, Error>(model.security_groups.get(id).map(|group| view(model, group)))
    });
    Ok(ok(&json!({"security_group": changed.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, _| Ok::<_, Error>(model.delete_security_group(&caller, cx.param("id"))?))
        .await?;
    Ok(empty(StatusCode::ACCEPTED))
}

#[derive(Debug, Deserialize)]
struct RuleBody {
    security_group_rule: NewRule,
}

#[derive(Debug, Deserialize)]
struct NewRule {
    parent_group_id: String,
    ip_protocol: Option<String>,
    from_port: Option<Value>,
    to_port: Option<Value>,
    cidr: Option<String>,
    group_id: Option<String>,
}

pub(super) async fn create_rule(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let new = cx.json::<RuleBody>().await?.security_group_rule;
    let caller = cx.caller()?;
    let made = cx.cloud.change(|model, now| {
        let remote = new.group_id.as_deref().map(|id| model.security_group(&caller, id));
        let remote_group_id = remote.transpose()?.map(|group| group.id);
        let everyone = remote_group_id.is_none().then(|| "0.0.0.0/0".to_owned());
        let filter = Filter {
            direction: Direction::Ingress,
            ethertype: EtherType::IPv4,
            protocol: new.ip_protocol.as_ref().map(|name| name.to_lowercase()),
            port_range_min: port("from_port", new.from_port.as_ref())?,
            port_range_max: port("to_port", new.to_port.as_ref())?,
            remote_ip_prefix: new.cidr.clone().or(everyone),
            remote_group_id,
        };
        let id = model.create_rule(&caller, &new.parent_group_id, filter, String::new(), now)?;
        let rule = model.security_group_rules.get(id);
        Ok::<_, Error>(rule.map(|rule| rule_view(model, rule)))
    });
    Ok(ok(&json!({"security_group_rule": made.await?})))
}

pub(super) async fn delete_rule(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| Ok::<_, Error>(model.delete_rule(&caller, cx.param("id"), now)?))
        .await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// A port, or a type or code of ICMP, of which -1 means any.
fn port(name: &str, value: Option<&Value>) -> Result<Option<u16>, Fault> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_i64(),
    };
    match number {
        Some(-1) => Ok(None),
        number => number.and_then(|number| u16::try_from(number).ok()).map(Some).ok_or_else(|| {
            Fault::bad_request(format!("Invalid input for field/attribute {name}."))
        }),
    }
}

fn supported(cx: &Context) -> Result<(), Fault> {
    if cx.since(36) { Err(Fault::no_such_path()) } else { Ok(()) }
}

/// A group with its rules; those that let something out are unknown to the older API.
fn view(model: &Model, group: &SecurityGroup) -> Value {
    let rules = model.rules_of(group.id);
    let rules = rules.filter(|rule| rule.filter.direction == Direction::Ingress);
    json!({
        "id": group.id,
        "name": group.name,
        "description": group.standard.description,
        "tenant_id": group.project_id,
        "rules": rules.map(|rule| rule_view(model, rule)).collect::<Vec<_>>(),
    })
}

fn rule_view(model: &Model, rule: &SecurityGroupRule) -> Value {
    let filter = &rule.filter;
    let remote = filter.remote_group_id.and_then(|id| model.security_groups.get(id));
    let remote = remote.map(|group| json!({"name": group.name, "tenant_id": group.project_id}));
    let everyone = match filter.ethertype {
        EtherType::IPv4 => "0.0.0.0/0",
        EtherType::IPv6 => "::/0",
    };
    let cidr = filter.remote_ip_prefix.as_deref().unwrap_or(everyone);
    let range = if remote.is_some() { json!({}) } else { json!({"cidr": cidr}) };
    let any = filter.protocol.is_some().then_some(-1);
    json!({
        "id": rule.id,
        "parent_group_id": rule.group_id,
        "ip_protocol": filter.protocol,
        "from_port": filter.port_range_min.map(i32::from).or(any),
        "to_port": filter.port_range_max.map(i32::from).or(any),
        "group": remote.unwrap_or_else(|| json!({})),
        "ip_range": range,
    })
}
