//! `POST /volumes/{id}/action`.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value};

use super::volumes::size;
use super::{Error, project};
use crate::openstack::errors::Fault;
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json_type};

/// Since this version a volume can grow while a server has it.
const EXTENDS_ATTACHED: Microversion = Microversion(42);

pub(super) async fn act(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let body: Map<String, Value> = cx.json().await?;
    let mut actions = body.into_iter();
    let (Some((name, mut arguments)), None) = (actions.next(), actions.next()) else {
        return Err(Fault::bad_request("There must be exactly one action in the request.").into());
    };
    if name != "os-extend" {
        return Err(Fault::bad_request(format!("There is no such action: {name}")).into());
    }
    let wanted = size(arguments.get_mut("new_size").map(Value::take))?;
    let wanted = wanted.ok_or_else(|| {
        Fault::bad_request("Invalid input for field/attribute os-extend: new_size is required.")
    })?;
    let (caller, attached_too) = (cx.caller()?, cx.version >= EXTENDS_ATTACHED);
    cx.cloud.extend_volume(&caller, cx.param("id"), wanted, attached_too).await?;
    Ok(json_type(empty(StatusCode::ACCEPTED)))
}
