//! Snapshots of volumes.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::volumes::Changes;
use super::{Error, listing, project};
use crate::model::{NewVolume, Snapshot, VolumeState};
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, html_empty, json, ok};

/// Since this version a snapshot of a volume that a server has needs no force.
const NEEDS_NO_FORCE: Microversion = Microversion(66);

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let brief = |mut view: Value| {
        if let Value::Object(view) = &mut view {
            view.retain(|name, _| !name.starts_with("os-extended"));
        }
        view
    };
    page(&cx, "snapshots", brief)
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    page(&cx, "snapshots/detail", |view| view)
}

fn page(cx: &Context, path: &str, shorten: impl Fn(Value) -> Value) -> Result<Response, Error> {
    let scope = listing::scope(cx)?;
    let model = cx.cloud.read();
    let visible = model.snapshots.iter().filter(|it| scope.is_none_or(|own| it.project_id == own));
    listing::answer(cx, "snapshots", path, visible.map(|it| full(cx, it)), shorten)
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let model = cx.cloud.read();
    let snapshot = model.snapshot(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"snapshot": full(&cx, snapshot)})))
}

#[derive(Debug, Deserialize)]
struct Body<T> {
    snapshot: T,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    volume_id: String,
    name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    display_description: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    force: Value,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let wanted = cx.json::<Body<Wanted>>().await?.snapshot;
    let forced = match &wanted.force {
        Value::Bool(forced) => *forced,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let forced = forced || cx.version >= NEEDS_NO_FORCE;
    let new = NewVolume {
        name: wanted.name.or(wanted.display_name),
        description: wanted.description.or(wanted.display_description),
        metadata: wanted.metadata.unwrap_or_default(),
        ..NewVolume::default()
    };
    let snapshot = cx.cloud.create_snapshot(&cx.caller()?, &wanted.volume_id, new, forced).await?;
    Ok(json(StatusCode::ACCEPTED, &json!({"snapshot": view(&cx, &snapshot)})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let changes = cx.json::<Body<Changes>>().await?.snapshot;
    let caller = cx.caller()?;
    let changed = cx.cloud.change(|model, now| {
        let mut snapshot = model.snapshot_mut(&caller, cx.param("id"))?;
        snapshot.name = changes.name.or(changes.display_name).or(snapshot.name.take());
        let description = changes.description.or(changes.display_description);
        snapshot.description = description.or(snapshot.description.take());
        snapshot.updated = Some(now);
        Ok::<_, Error>(snapshot.clone())
    });
    let snapshot = changed.await?;
    Ok(ok(&json!({"snapshot": view(&cx, &snapshot)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    cx.cloud.delete_snapshot(&cx.caller()?, cx.param("id")).await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

/// A snapshot as an answer to its creation or change shows it.
fn view(cx: &Context, snapshot: &Snapshot) -> Value {
    let mut view = json!({
        "id": snapshot.id,
        "created_at": Micros(snapshot.created),
        "updated_at": snapshot.updated.map(Micros),
        "name": snapshot.name,
        "description": snapshot.description,
        "volume_id": snapshot.volume_id,
        "status": snapshot.state.name(),
        "size": snapshot.size_gib,
        "metadata": snapshot.metadata,
    });
    for (since, field, value) in [
        (14, "group_snapshot_id", Value::Null),
        (41, "user_id", json!(snapshot.user_id)),
        (65, "consumes_quota", json!(true)),
    ] {
        if cx.version >= Microversion(since) {
            view[field] = value;
        }
    }
    view
}

fn full(cx: &Context, snapshot: &Snapshot) -> Value {
    let mut view = view(cx, snapshot);
    let done = if snapshot.state == VolumeState::Creating { "0%" } else { "100%" };
    view["os-extended-snapshot-attributes:project_id"] = json!(snapshot.project_id);
    view["os-extended-snapshot-attributes:progress"] = json!(done);
    view
}
