//! What this Cinder speaks, and what it has to offer.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Error, project};
use crate::model::ZONE;
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{json, ok};

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
