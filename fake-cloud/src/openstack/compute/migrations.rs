//! Moving servers to other machines: there is one machine, so that nothing ever moves.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, fields};
use crate::model::Move;
use crate::model::error::Error as ModelError;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn list(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"migrations": []})))
}

pub(super) async fn of_server(cx: Context) -> Result<Response, Error> {
    cx.cloud.read().server(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"migrations": []})))
}

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    host: Option<String>,
}

/// The action `migrate`; who looks at the server's events learns that it found no host.
pub(super) async fn cold(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let arguments = if arguments.is_null() { Value::Object(Map::new()) } else { arguments };
    let wanted: Wanted = fields::read(cx, "migrate", arguments, &[("host", 56)])?;
    nowhere(cx, Move::Cold, wanted, "os-migrate-server:migrate").await
}

/// The action `os-migrateLive`. Until version 2.34 clients wait to hear that there is no host.
pub(super) async fn live(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let known = &[("host", 1), ("block_migration", 1), ("disk_over_commit", 1), ("force", 30)];
    let wanted: Wanted = fields::read(cx, "os-migrateLive", arguments, known)?;
    let answer = nowhere(cx, Move::Live, wanted, "os-migrate-server:migrate_live").await?;
    if cx.since(34) { Ok(answer) } else { Err(ModelError::NoHost.into()) }
}

/// The action `evacuate`.
pub(super) async fn evacuate(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let known = &[("host", 1), ("adminPass", 1), ("onSharedStorage", 1), ("force", 29)];
    let wanted: Wanted = fields::read(cx, "evacuate", arguments, known)?;
    nowhere(cx, Move::Evacuation, wanted, "os-evacuate").await?;
    Ok(empty(StatusCode::OK))
}

async fn nowhere(cx: &Context, how: Move, wanted: Wanted, policy: &str) -> Result<Response, Error> {
    let (caller, id) = (cx.caller()?, cx.param("id"));
    cx.cloud.read().server(&caller, id)?;
    if !caller.is_admin {
        let message = format!("Policy doesn't allow os_compute_api:{policy} to be performed.");
        return Err(Fault::forbidden(message).into());
    }
    let host = wanted.host.as_deref();
    cx.cloud
        .change(|model, now| {
            Ok::<_, Error>(model.move_nowhere(&caller, id, how, host, &cx.request_id, now)?)
        })
        .await?;
    Ok(empty(StatusCode::ACCEPTED))
}
