//! What servers take, one by one and together: they are the consumers.

use std::ops::Add;

use axum::response::Response;
use serde_json::{Value, json};

use super::host::Host;
use super::resources::{allocated, amounts};
use super::{Error, needs};
use crate::model::{Resources, Server};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

/// How Nova calls what its servers are.
const INSTANCE: &str = "INSTANCE";

/// Who is unknown takes nothing.
pub(super) async fn allocations(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let server = cx.param("consumer").parse().ok().and_then(|id| model.servers.get(id));
    let taken = server.map(|server| (server, allocated(server.resources())));
    let Some((server, resources)) = taken.filter(|(_, taken)| !taken.is_empty()) else {
        return Ok(ok(&json!({"allocations": {}})));
    };
    let allocation = json!({"resources": resources, "generation": model.revision});
    let mut answer = json!({"allocations": {Host::id().to_string(): allocation}});
    if cx.since(12) {
        answer["project_id"] = json!(server.project_id);
        answer["user_id"] = json!(server.user_id);
    }
    if cx.since(28) {
        answer["consumer_generation"] = json!(1);
    }
    if cx.since(38) {
        answer["consumer_type"] = json!(INSTANCE);
    }
    Ok(ok(&answer))
}

/// What a project takes, or one of its users.
pub(super) async fn usages(cx: Context) -> Result<Response, Error> {
    needs(&cx, 9)?;
    let Some(project) = cx.query("project_id") else {
        let message = "Invalid query string parameters: 'project_id' is a required property";
        return Err(Fault::bad_request(message).into());
    };
    let caller = cx.caller()?;
    let own = caller.project_id.is_some_and(|own| project.parse() == Ok(own));
    if !own && !caller.is_admin {
        let message = "Policy does not allow placement:usages to be performed.";
        return Err(Fault::forbidden(message).into());
    }
    let model = cx.cloud.read();
    let counted = |server: &&Server| {
        project.parse() == Ok(server.project_id)
            && cx.query("user_id").is_none_or(|user| user.parse() == Ok(server.user_id))
            && server.resources() != Resources::default()
    };
    let servers: Vec<&Server> = model.servers.iter().filter(counted).collect();
    let sum = servers.iter().map(|server| server.resources()).fold(Resources::default(), Add::add);
    if !cx.since(38) {
        let usages = if servers.is_empty() { json!({}) } else { json!(amounts(sum)) };
        return Ok(ok(&json!({"usages": usages})));
    }
    let kind = cx.query("consumer_type").unwrap_or(INSTANCE);
    if servers.is_empty() || ![INSTANCE, "all"].contains(&kind) {
        return Ok(ok(&json!({"usages": {}})));
    }
    let mut usage = amounts(sum);
    usage.insert("consumer_count".to_owned(), json!(servers.len()));
    Ok(ok(&json!({"usages": {kind: Value::Object(usage)}})))
}
