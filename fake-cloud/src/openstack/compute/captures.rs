//! The action `createImage`: an image of a server's disk.

use std::collections::BTreeMap;

use axum::response::Response;
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, fields};
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json as answer, with_header};

const FIELDS: &[fields::Field] = &[("name", 1), ("metadata", 1)];

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

pub(super) async fn create_image(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let Wanted { name, metadata } = fields::read(cx, "createImage", arguments, FIELDS)?;
    let id = cx.cloud.create_image(&cx.caller()?, cx.param("id"), name, metadata).await?;
    if cx.since(45) {
        return Ok(answer(StatusCode::ACCEPTED, &json!({"image_id": id})));
    }
    let location = format!("{}/compute/v2.1/images/{id}", cx.cloud.api_url);
    Ok(with_header(empty(StatusCode::ACCEPTED), header::LOCATION, &location))
}
