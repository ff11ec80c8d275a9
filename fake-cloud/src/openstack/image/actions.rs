//! What is done with images besides changing them, and what this Glance does not do.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use crate::openstack::errors::Fault;
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

/// Content comes by upload only: there is no method of import.
pub(super) async fn import_methods(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"import-methods": {
        "description": "Import methods available.", "type": "array", "value": []
    }})))
}

pub(super) async fn import(mut cx: Context) -> Result<Response, Error> {
    cx.cloud.read().image(&cx.caller()?, cx.param("id"))?;
    let wanted: Value = cx.json().await?;
    let method = wanted["method"]["name"].as_str().unwrap_or_default();
    Err(Fault::bad_request(format!("Import method '{method}' is not enabled.")).into())
}

pub(super) async fn stage(cx: Context) -> Result<Response, Error> {
    cx.cloud.read().image(&cx.caller()?, cx.param("id"))?;
    Err(Fault::not_found("Image import is not supported at this site.").into())
}

/// There is one place where content is kept.
pub(super) async fn stores(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"stores": [{"id": "local", "default": "true"}]})))
}

/// Nothing that is done with images takes its time elsewhere.
pub(super) async fn tasks(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"tasks": [], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"})))
}

pub(super) async fn image_tasks(cx: Context) -> Result<Response, Error> {
    cx.cloud.read().image(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"tasks": []})))
}
