//! What was done to servers.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::model::{Event, HOST, Server};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    let events: Vec<_> = server.events.iter().rev().map(|event| view(&cx, server, event)).collect();
    Ok(ok(&json!({"instanceActions": events})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let model = cx.cloud.read();
    let server = model.server(&caller, cx.param("id"))?;
    let request = cx.param("request");
    let event = server.events.iter().rev().find(|event| event.request_id == request);
    let event = event.ok_or_else(|| Fault::not_found(format!("Action {request} not found")))?;
    let mut answer = view(&cx, server, event);
    let busy = server.task.is_some() && server.events.last() == Some(event);
    let result = match (&event.message, busy) {
        (Some(_), _) => json!("Error"),
        (None, true) => Value::Null,
        (None, false) => json!("Success"),
    };
    let mut part = json!({
        "event": part_name(&event.action),
        "start_time": Micros(event.started),
        "finish_time": if busy { Value::Null } else { json!(Micros(event.updated)) },
        "result": result,
    });
    if cx.since(51) || caller.is_admin {
        if caller.is_admin {
            part["traceback"] = Value::Null;
        }
        if cx.since(62) {
            let tenant = model.tenants.get(server.project_id);
            part["hostId"] = json!(tenant.map_or("", |tenant| &tenant.host_id));
            if caller.is_admin {
                part["host"] = json!(HOST);
            }
        }
        if cx.since(84) {
            part["details"] = json!(event.message);
        }
        answer["events"] = json!([part]);
    }
    Ok(ok(&json!({"instanceAction": answer})))
}

fn view(cx: &Context, server: &Server, event: &Event) -> Value {
    let mut view = json!({
        "action": event.action,
        "instance_uuid": server.id,
        "request_id": event.request_id,
        "user_id": event.user_id,
        "project_id": server.project_id,
        "start_time": Micros(event.started),
        "message": event.message.as_ref().map(|_| "Error"),
    });
    if cx.since(58) {
        view["updated_at"] = json!(Micros(event.updated));
    }
    view
}

/// What nova-compute calls its part of an action.
fn part_name(action: &str) -> String {
    match action {
        "create" => "compute__do_build_and_run_instance".to_owned(),
        "delete" => "compute_terminate_instance".to_owned(),
        "revertResize" => "compute_revert_resize".to_owned(),
        "confirmResize" => "compute_confirm_resize".to_owned(),
        other => format!("compute_{other}_instance"),
    }
}
