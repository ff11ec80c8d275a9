//! The documents by which clients find out what this Keystone speaks.

use axum::response::Response;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::Error;
use crate::openstack::request::Context;
use crate::openstack::response::{json, ok, with_header};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let document = json!({"versions": {"values": [version(&cx.cloud.api_url)]}});
    let response = json(StatusCode::MULTIPLE_CHOICES, &document);
    Ok(with_header(response, header::LOCATION, &format!("{}/v3/", cx.cloud.api_url)))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"version": version(&cx.cloud.api_url)})))
}

fn version(api_url: &str) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": format!("{api_url}/v3/")}],
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.identity-v3+json"
        }]
    })
}
