//! Consoles of servers: the log of what they print. Nobody can look at a screen, for there is none.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Error;
use super::fields;
use crate::cloud::Failure;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

#[derive(Debug, Deserialize)]
pub(super) struct Output {
    length: Option<Value>,
}

pub(super) async fn output(cx: &Context, Output { length }: Output) -> Result<Response, Error> {
    let id = cx.cloud.read().server(&cx.caller()?, cx.param("id"))?.id;
    let lines = match &length {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.parse().ok()),
        Some(number) => Some(number.as_i64()),
    };
    // -1 asks for everything.
    let lines = match lines {
        None | Some(Some(-1)) => None,
        Some(lines) => {
            Some(lines.and_then(|lines| usize::try_from(lines).ok()).ok_or_else(|| {
                Fault::bad_request("Length in request body must be an integer value")
            })?)
        }
    };
    let output = cx.cloud.backend.console(id.0, lines).await.map_err(Failure::from)?;
    Ok(ok(&json!({"output": output})))
}

/// The password that an agent in the server has told: there is none that would.
pub(super) async fn password(cx: Context) -> Result<Response, Error> {
    cx.cloud.read().server(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"password": ""})))
}

pub(super) async fn forget_password(cx: Context) -> Result<Response, Error> {
    cx.cloud.read().server(&cx.caller()?, cx.param("id"))?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[derive(Debug, Deserialize)]
pub(super) struct Screen {
    #[serde(rename = "type")]
    kind: String,
}

/// What Nova answers where no server has a console of the kind.
pub(super) fn unavailable(cx: &Context, screen: &Screen) -> Result<Response, Error> {
    cx.cloud.read().server(&cx.caller()?, cx.param("id"))?;
    Err(Fault::bad_request(format!("Unavailable console type {}.", screen.kind)).into())
}

/// The newer way to ask for one, since version 2.6.
pub(super) async fn remote(mut cx: Context) -> Result<Response, Error> {
    if !cx.since(6) {
        return Err(Fault::no_such_path().into());
    }
    let body: Map<String, Value> = cx.json().await?;
    let wanted = fields::below("remote_console", body)?;
    let known = &[("protocol", 6), ("type", 6)];
    unavailable(&cx, &fields::read(&cx, "remote_console", wanted, known)?)
}
