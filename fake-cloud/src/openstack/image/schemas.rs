//! The schemas that Glance's own client asks for to know what an image has.

use axum::response::Response;
use serde_json::{Value, json};

use super::Error;
use crate::openstack::request::Context;
use crate::openstack::response::ok;

pub(super) async fn image(_: Context) -> Result<Response, Error> {
    Ok(ok(&schema()))
}

pub(super) async fn images(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": schema()},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    })))
}

pub(super) async fn member(_: Context) -> Result<Response, Error> {
    Ok(ok(&member_schema()))
}

pub(super) async fn members(_: Context) -> Result<Response, Error> {
    Ok(ok(&json!({
        "name": "members",
        "properties": {
            "members": {"type": "array", "items": member_schema()},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "describedby", "href": "{schema}"}],
    })))
}

fn member_schema() -> Value {
    json!({
        "name": "member",
        "properties": {
            "member_id": {"type": "string"},
            "image_id": {"type": "string"},
            "status": {"type": "string", "enum": ["pending", "accepted", "rejected"]},
            "created_at": {"type": "string"},
            "updated_at": {"type": "string"},
            "schema": {"type": "string", "readOnly": true},
        },
    })
}

fn schema() -> Value {
    let text = || json!({"type": ["null", "string"]});
    let fixed = || json!({"type": ["null", "string"], "readOnly": true});
    let count = || json!({"type": ["null", "integer"], "readOnly": true});
    json!({
        "name": "image",
        "properties": {
            "id": {"type": "string", "description": "An identifier for the image"},
            "name": {"type": ["null", "string"], "maxLength": 255},
            "status": {"type": "string", "readOnly": true, "enum": [
                "queued", "saving", "active", "deactivated"
            ]},
            "visibility": {
                "type": "string", "enum": ["community", "public", "private", "shared"]
            },
            "protected": {"type": "boolean"},
            "os_hidden": {"type": "boolean"},
            "checksum": fixed(),
            "os_hash_algo": fixed(),
            "os_hash_value": fixed(),
            "owner": text(),
            "size": count(),
            "virtual_size": count(),
            "container_format": text(),
            "disk_format": text(),
            "created_at": {"type": "string", "readOnly": true},
            "updated_at": {"type": "string", "readOnly": true},
            "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}},
            "min_ram": {"type": "integer"},
            "min_disk": {"type": "integer"},
            "self": {"type": "string", "readOnly": true},
            "file": {"type": "string", "readOnly": true},
            "schema": {"type": "string", "readOnly": true},
        },
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    })
}
