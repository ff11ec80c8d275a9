//! Server groups: which servers are to be together on a machine, and which not.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use super::create::check_name;
use super::fields;
use crate::model::{Model, Policy, ServerGroup};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let (caller, project) = (cx.caller()?, cx.project()?);
    // Others get their own, whatever they ask for.
    let all = caller.is_admin && cx.query("all_projects").is_some();
    let offset: usize = cx.parsed_query("offset")?.unwrap_or(0);
    let limit: usize = cx.parsed_query("limit")?.filter(|limit| *limit > 0).unwrap_or(1000);
    let model = cx.cloud.read();
    let groups = model.server_groups.iter().filter(|group| all || group.project_id == project);
    let groups: Vec<Value> =
        groups.skip(offset).take(limit).map(|group| view(&cx, &model, group)).collect();
    Ok(ok(&json!({"server_groups": groups})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let group = model.server_group(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"server_group": view(&cx, &model, group)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, _| Ok::<_, Error>(model.delete_server_group(&caller, cx.param("id"))?))
        .await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    policies: Option<Vec<Policy>>,
    policy: Option<Policy>,
    rules: Option<Rules>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    max_server_per_host: Option<Value>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let body: Map<String, Value> = cx.json().await?;
    let known: &[fields::Field] = if cx.since(64) {
        &[("name", 1), ("policy", 64), ("rules", 64)]
    } else {
        &[("name", 1), ("policies", 1)]
    };
    let wanted = fields::below("server_group", body)?;
    let wanted: Wanted = fields::read(&cx, "server_group", wanted, known)?;
    let policy = wanted.policy.or(match wanted.policies.as_deref() {
        Some([only]) => Some(*only),
        Some(_) | None => None,
    });
    let soft = matches!(policy, Some(Policy::SoftAffinity | Policy::SoftAntiAffinity));
    let policy = policy.filter(|_| !soft || cx.since(15)).ok_or_else(|| {
        let name = if cx.since(64) { "policy" } else { "policies" };
        Fault::bad_request(format!("Invalid input for field/attribute {name}."))
    })?;
    let most = wanted.rules.and_then(|rules| rules.max_server_per_host);
    let most = most.as_ref().map(positive).transpose()?;
    if most.is_some() && policy != Policy::AntiAffinity {
        return Err(Fault::bad_request("Only anti-affinity policy supports rules.").into());
    }
    let (caller, project, name) = (cx.caller()?, cx.project()?, check_name(&wanted.name)?);
    let group = cx.cloud.change(|model, now| {
        Ok::<_, Error>(model.create_server_group(&caller, project, name, policy, most, now)?)
    });
    let group = group.await?;
    Ok(ok(&json!({"server_group": view(&cx, &cx.cloud.read(), &group)})))
}

fn positive(value: &Value) -> Result<u32, Fault> {
    let number = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    number.filter(|number| *number > 0).ok_or_else(|| {
        Fault::bad_request(format!(
            "Invalid input for field/attribute max_server_per_host. Value: {value}."
        ))
    })
}

fn view(cx: &Context, model: &Model, group: &ServerGroup) -> Value {
    let members: Vec<_> = model.group_members(group.id).map(|server| server.id).collect();
    let mut view = json!({"id": group.id, "name": group.name, "members": members});
    if cx.since(64) {
        view["policy"] = json!(group.policy);
        view["rules"] = match group.max_per_host {
            Some(most) => json!({"max_server_per_host": most}),
            None => json!({}),
        };
    } else {
        view["policies"] = json!([group.policy]);
        view["metadata"] = json!({});
    }
    if cx.since(13) {
        view["project_id"] = json!(group.project_id);
        view["user_id"] = json!(group.user_id);
    }
    view
}
