//! What is done with images besides changing them, and what this Glance does not do.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::Error;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn deactivate(cx: Context) -> Result<Response, Error> {
    activate(&cx, false).await
}

pub(super) async fn reactivate(cx: Context) -> Result<Response, Error> {
    activate(&cx, true).await
}

async fn activate(cx: &Context, active: bool) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let changed = cx.cloud.change(|model, now| {
        Ok::<_, Error>(model.activate_image(&caller, cx.param("id"), active, now)?)
    });
    changed.await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// The one place where content is kept.
pub(super) const STORE: &str = "local";

pub(super) async fn stores(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"stores": [{"id": STORE, "default": "true"}]})))
}

/// Nothing that is done with images takes its time elsewhere.
pub(super) async fn tasks(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"tasks": [], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"})))
}

pub(super) async fn image_tasks(cx: Context) -> Result<Response, Error> {
    cx.cloud.read().image(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"tasks": []})))
}
