//! The catalogue of metadata definitions, of which there are none.

use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::Error;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{json_bytes, ok};

pub(super) async fn namespaces(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({
        "namespaces": [],
        "first": "/v2/metadefs/namespaces",
        "schema": "/v2/schemas/metadefs/namespaces",
    })))
}

pub(super) async fn namespace(cx: Context) -> Result<Response, Error> {
    let name = cx.param("namespace");
    Err(Fault::not_found(format!("Metadata definition namespace not found: {name}")).into())
}

pub(super) async fn resource_types(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"resource_types": []})))
}

pub(super) async fn namespace_schema(_: Context) -> Result<Response, Error> {
    Ok(schema(include_bytes!("schemas/metadef_namespace.json")))
}

pub(super) async fn resource_type_schema(_: Context) -> Result<Response, Error> {
    Ok(schema(include_bytes!("schemas/metadef_resource_type.json")))
}

fn schema(text: &'static [u8]) -> Response {
    json_bytes(StatusCode::OK, Bytes::from_static(text))
}
