//! What this Cinder speaks, and what it has to offer.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Error, project};
use crate::model::ZONE;
use crate::openstack::errors::Fault;
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{json, ok};

/// The one type of volumes.
pub(in crate::openstack) const TYPE: &str = "__DEFAULT__";

/// Its id.
pub(super) const TYPE_ID: &str = "54a0457d-c3bd-4dcf-bfff-3e3dc9f24cab";

pub(super) async fn versions(cx: Context) -> Result<Response, Error> {
    Ok(json(StatusCode::MULTIPLE_CHOICES, &document(&cx)))
}

pub(super) async fn version(cx: Context) -> Result<Response, Error> {
    Ok(ok(&document(&cx)))
}

fn document(cx: &Context) -> Value {
    json!({"versions": [{
        "id": "v3.0",
        "status": "CURRENT",
        "version": format!("3.{}", Microversion::VOLUME_MAX.0),
        "min_version": format!("3.{}", Microversion::VOLUME_MIN.0),
        "updated": "2023-08-31T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/"},
            {"rel": "self", "href": format!("{}/volume/v3/", cx.cloud.api_url)}
        ],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.volume+json;version=3"
        }]
    }]})
}

pub(super) async fn extensions(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    Ok(ok(&json!({"extensions": []})))
}

pub(super) async fn zones(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    Ok(ok(&json!({"availabilityZoneInfo": [
        {"zoneName": ZONE, "zoneState": {"available": true}}
    ]})))
}

pub(super) async fn types(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    Ok(ok(&json!({"volume_types": [type_view()]})))
}

pub(super) async fn volume_type(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let id = cx.param("id");
    if [TYPE_ID, "default"].contains(&id) {
        return Ok(ok(&json!({"volume_type": type_view()})));
    }
    Err(Fault::not_found(format!("Volume type {id} could not be found.")).into())
}

fn type_view() -> Value {
    json!({
        "id": TYPE_ID,
        "name": TYPE,
        "is_public": true,
        "description": "Default Volume Type",
        "extra_specs": {},
        "qos_specs_id": null,
        "os-volume-type-access:is_public": true,
    })
}
