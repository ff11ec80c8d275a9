//! Rules of security groups.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::listing::{list as answer, one};
use crate::model::SecurityGroupRule;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::security::{Direction, EtherType, Filter};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Zulu, empty, json};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let visible = model.security_group_rules.iter().filter(|rule| caller.sees(rule.project_id));
    answer(&cx, "security_group_rules", visible.map(view))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let rule = model.security_group_rule(&cx.caller()?, cx.param("id"))?;
    Ok(one(&cx, "security_group_rule", view(rule)))
}

#[derive(Debug, Deserialize)]
struct Body {
    security_group_rule: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    security_group_id: String,
    direction: Direction,
    ethertype: Option<EtherType>,
    protocol: Option<Value>,
    port_range_min: Option<Value>,
    port_range_max: Option<Value>,
    remote_ip_prefix: Option<String>,
    remote_group_id: Option<String>,
    #[serde(default)]
    description: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.security_group_rule;
    let caller = cx.caller()?;
    let filter = filter(&wanted)?;
    let description = wanted.description.unwrap_or_default();
    let created = cx.cloud.change(|model, now| {
        if let Some(group) = filter.remote_group_id {
            model.security_group(&caller, &group.to_string())?;
        }
        let group = &wanted.security_group_id;
        Ok::<_, Error>(model.create_rule(&caller, group, filter, description, now)?)
    });
    let id = created.await?;
    let model = cx.cloud.read();
    let missing = || ModelError::not_found(Kind::SecurityGroupRule, id);
    let rule = model.security_group_rules.get(id).ok_or_else(missing)?;
    Ok(json(StatusCode::CREATED, &json!({"security_group_rule": view(rule)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let deleted = cx
        .cloud
        .change(|model, now| Ok::<_, Error>(model.delete_rule(&caller, cx.param("id"), now)?));
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn filter(wanted: &Wanted) -> Result<Filter, Fault> {
    let remote_group_id = wanted.remote_group_id.as_deref().map(|id| {
        id.parse().map_err(|_| Fault::bad_request(format!("'{id}' is not a valid UUID.")))
    });
    let protocol = match &wanted.protocol {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if name == "any" => None,
        Some(Value::String(name)) => Some(name.to_lowercase()),
        Some(number) => Some(number.to_string()),
    };
    Ok(Filter {
        direction: wanted.direction,
        ethertype: wanted.ethertype.unwrap_or(EtherType::IPv4),
        protocol,
        port_range_min: port("port_range_min", wanted.port_range_min.as_ref())?,
        port_range_max: port("port_range_max", wanted.port_range_max.as_ref())?,
        remote_ip_prefix: wanted.remote_ip_prefix.clone(),
        remote_group_id: remote_group_id.transpose()?,
    })
}

/// Ports are sent as numbers and as text.
fn port(name: &str, value: Option<&Value>) -> Result<Option<u16>, Fault> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    number.map(Some).ok_or_else(|| {
        Fault::bad_request(format!("Invalid input for {name}. Reason: it must be a port number."))
    })
}

/// A rule as Neutron shows it.
pub(super) fn view(rule: &SecurityGroupRule) -> Value {
    let filter = &rule.filter;
    json!({
        "id": rule.id,
        "tenant_id": rule.project_id,
        "project_id": rule.project_id,
        "security_group_id": rule.group_id,
        "ethertype": filter.ethertype,
        "direction": filter.direction,
        "protocol": filter.protocol,
        "port_range_min": filter.port_range_min,
        "port_range_max": filter.port_range_max,
        "remote_ip_prefix": filter.remote_ip_prefix,
        "remote_address_group_id": null,
        "normalized_cidr": filter.remote_ip_prefix,
        "remote_group_id": filter.remote_group_id,
        "belongs_to_default_sg": false,
        "description": rule.description,
        "tags": [],
        "created_at": Zulu(rule.created),
        "updated_at": Zulu(rule.created),
        "revision_number": 0,
    })
}
