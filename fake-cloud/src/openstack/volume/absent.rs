//! What this Cinder does not have: lists of it are empty, and nothing of it can be made.

use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::{Error, project};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

/// The empty list that the path names: `/v3/{project}/backups/detail`.
pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let path = cx.route.path.trim_end_matches("/detail");
    let name = path.rsplit('/').next().unwrap_or_default().replace('-', "_");
    Ok(ok(&json!({name: []})))
}

pub(super) async fn backup(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let id = cx.param("id");
    Err(Fault::not_found(format!("Backup {id} could not be found.")).into())
}

/// What Cinder answers where nobody runs its service for backups.
pub(super) async fn create_backup(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let message = "Service cinder-backup could not be found.";
    Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, message).into())
}
