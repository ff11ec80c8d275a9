//! Rules of security groups.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::attributes::{Attributes, one, with_standard};
use super::listing::list as answer;
use super::rule_checks;
use crate::model::address::Block;
use crate::model::security::{Direction, EtherType, Filter};
use crate::model::{Model, SecurityGroupRule};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::empty;

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

pub(super) async fn create(cx: Context) -> Result<Response, Error> {
    let make = |cx: &Context, model: &mut Model, mut wanted: Attributes, now| {
        let caller = cx.caller()?;
        wanted.project(cx)?;
        let group: String = wanted.required("security_group_id")?;
        let filter = filter(&mut wanted)?;
        let description = wanted.text("description")?.unwrap_or_default();
        wanted.finish()?;
        if let Some(group) = filter.remote_group_id {
            model.security_group(&caller, &group.to_string())?;
        }
        Ok::<_, Error>(model.create_rule(&caller, &group, filter, description, now)?)
    };
    let undo = |model: &mut Model, id| drop(model.security_group_rules.remove(id));
    let shown = |model: &Model, id| model.security_group_rules.get(id).map(view);
    let names = ("security_group_rule", "security_group_rules");
    super::attributes::create(cx, names, make, undo, shown).await
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let deleted = cx
        .cloud
        .change(|model, now| Ok::<_, Error>(model.delete_rule(&caller, cx.param("id"), now)?));
    deleted.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn filter(wanted: &mut Attributes) -> Result<Filter, Fault> {
    if wanted.text("remote_address_group_id")?.is_some() {
        return Err(Fault::bad_request(
            "Unrecognized attribute(s) 'remote_address_group_id'".to_owned(),
        ));
    }
    let remote_group_id = wanted.text("remote_group_id")?.map(|id| {
        id.parse().map_err(|_| Fault::bad_request(format!("'{id}' is not a valid UUID.")))
    });
    let protocol = match wanted.take::<Value>("protocol")? {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) if name == "any" => None,
        Some(Value::String(name)) => Some(name.to_lowercase()),
        Some(number) => Some(number.to_string()),
    };
    let ethertype = wanted.take::<Option<EtherType>>("ethertype")?.flatten();
    let mut filter = Filter {
        direction: wanted.required::<Direction>("direction")?,
        ethertype: ethertype.unwrap_or(EtherType::IPv4),
        protocol,
        port_range_min: port(wanted, "port_range_min")?,
        port_range_max: port(wanted, "port_range_max")?,
        remote_ip_prefix: wanted.text("remote_ip_prefix")?.filter(|prefix| !prefix.is_empty()),
        remote_group_id: remote_group_id.transpose()?,
    };
    rule_checks::check(&filter)?;
    if (filter.port_range_min, filter.port_range_max) == (Some(1), Some(u16::MAX)) {
        // All ports are none in particular.
        (filter.port_range_min, filter.port_range_max) = (None, None);
    }
    Ok(filter)
}

/// Ports are sent as numbers and as text.
fn port(wanted: &mut Attributes, name: &str) -> Result<Option<u16>, Fault> {
    let number = match wanted.take::<Value>(name)? {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    };
    number.parse().map(Some).map_err(|_| rule_checks::no_port(number))
}

/// A rule as Neutron shows it.
pub(super) fn view(rule: &SecurityGroupRule) -> Value {
    let filter = &rule.filter;
    let view = json!({
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
        "normalized_cidr": normalized(filter),
        "remote_group_id": filter.remote_group_id,
        "belongs_to_default_sg": false,
    });
    with_standard(view, &rule.standard)
}

/// The block of a rule without the bits that mean nothing.
fn normalized(filter: &Filter) -> Option<String> {
    let prefix = filter.remote_ip_prefix.as_ref()?;
    Some(prefix.parse::<Block>().map_or_else(|_| prefix.clone(), |block| block.to_string()))
}
