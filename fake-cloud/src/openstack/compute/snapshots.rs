//! Cinder's snapshots as Nova's older API shows them; gone since version 2.36.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, fields};
use crate::model::{NewVolume, Snapshot};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, empty, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let project = cx.project()?;
    let model = cx.cloud.read();
    let own = model.snapshots.iter().filter(|snapshot| snapshot.project_id == project);
    Ok(ok(&json!({"snapshots": own.map(view).collect::<Vec<_>>()})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    Ok(ok(&json!({"snapshot": view(model.snapshot(&cx.caller()?, cx.param("id"))?)})))
}

#[derive(Debug, Deserialize)]
struct Wanted {
    volume_id: String,
    #[serde(default)]
    force: Value,
    display_name: Option<String>,
    display_description: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let body: Map<String, Value> = cx.json().await?;
    let known = &[("volume_id", 1), ("force", 1), ("display_name", 1), ("display_description", 1)];
    let wanted = fields::below("snapshot", body)?;
    let wanted: Wanted = fields::read(&cx, "snapshot", wanted, known)?;
    let forced = match &wanted.force {
        Value::Bool(yes) => *yes,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let new = NewVolume {
        name: wanted.display_name,
        description: wanted.display_description,
        ..NewVolume::default()
    };
    let made = cx.cloud.create_snapshot(&cx.caller()?, &wanted.volume_id, new, forced).await?;
    Ok(ok(&json!({"snapshot": view(&made)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    cx.cloud.delete_snapshot(&cx.caller()?, cx.param("id")).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

fn supported(cx: &Context) -> Result<(), Fault> {
    if cx.since(36) { Err(Fault::no_such_path()) } else { Ok(()) }
}

fn view(snapshot: &Snapshot) -> Value {
    json!({
        "id": snapshot.id,
        "volumeId": snapshot.volume_id,
        "status": snapshot.state.name(),
        "size": snapshot.size_gib,
        "createdAt": Micros(snapshot.created),
        "displayName": snapshot.name,
        "displayDescription": snapshot.description,
    })
}
