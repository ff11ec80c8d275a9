//! The documents by which clients find out what this Glance speaks.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use crate::openstack::request::Context;
use crate::openstack::response::{json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    Ok(json(StatusCode::MULTIPLE_CHOICES, &document(&cx)))
}

pub(super) async fn list_again(cx: Context) -> Result<Response, Error> {
    Ok(ok(&document(&cx)))
}

fn document(cx: &Context) -> Value {
    let own = format!("{}/image/v2/", cx.cloud.api_url);
    let version = |(id, status): (&str, &str)| json!({"id": id, "status": status, "links": [{"rel": "self", "href": own}]});
    let versions = [("v2.2", "CURRENT"), ("v2.1", "SUPPORTED"), ("v2.0", "SUPPORTED")];
    json!({"versions": versions.map(version)})
}
