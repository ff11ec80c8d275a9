//! The actions that give a server another disk or another size.

use std::collections::BTreeMap;

use axum::response::Response;
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use super::create::{check_name, password, reference};
use super::fields::{self, Field};
use super::servers::{double_option, view};
use super::views::Depth;
use crate::model::Rebuild;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json, with_header};

const REBUILD: &[Field] = &[
    ("imageRef", 1),
    ("name", 1),
    ("metadata", 1),
    ("adminPass", 1),
    ("preserve_ephemeral", 1),
    ("OS-DCF:diskConfig", 1),
    ("accessIPv4", 1),
    ("accessIPv6", 1),
    ("description", 19),
    ("key_name", 54),
    ("user_data", 57),
    ("trusted_image_certificates", 63),
    ("hostname", 90),
];

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(rename = "imageRef")]
    image: String,
    name: Option<String>,
    hostname: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    #[serde(rename = "adminPass")]
    password: Option<String>,
    #[serde(default, with = "double_option")]
    description: Option<Option<String>>,
    #[serde(default, with = "double_option")]
    key_name: Option<Option<String>>,
    #[serde(default, with = "double_option")]
    user_data: Option<Option<String>>,
}

pub(super) async fn rebuild(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let wanted: Wanted = fields::read(cx, "rebuild", arguments, REBUILD)?;
    let rebuild = Rebuild {
        image: wanted.image,
        reimage: cx.since(93),
        name: wanted.name.as_deref().map(check_name).transpose()?,
        hostname: wanted.hostname,
        description: wanted.description,
        metadata: wanted.metadata,
        key_name: wanted.key_name,
        user_data: wanted.user_data,
    };
    let (caller, id) = (cx.caller()?, cx.param("id"));
    cx.cloud
        .begin(|model, now| model.rebuild_server(&caller, id, rebuild, &cx.request_id, now))
        .await?;

    let model = cx.cloud.read();
    let server = model.server(&caller, id)?;
    let mut answer = view(cx, &model, &caller, server, Depth::Changed);
    if cx.since(54) {
        answer["key_name"] = json!(server.key.as_ref().map(|(name, _)| name));
    }
    if cx.since(57) {
        answer["user_data"] = json!(server.user_data);
    }
    answer["adminPass"] = json!(wanted.password.unwrap_or_else(password));
    let location = format!("{}/compute/v2.1/servers/{id}", cx.cloud.api_url);
    let answer = json(StatusCode::ACCEPTED, &json!({"server": answer}));
    Ok(with_header(answer, header::LOCATION, &location))
}

#[derive(Debug, Deserialize)]
struct NewFlavor {
    #[serde(rename = "flavorRef")]
    flavor: Value,
}

pub(super) async fn resize(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let known = &[("flavorRef", 1), ("OS-DCF:diskConfig", 1)];
    let flavor = reference(&fields::read::<NewFlavor>(cx, "resize", arguments, known)?.flavor)?;
    let (caller, id) = (cx.caller()?, cx.param("id"));
    cx.cloud
        .begin(|model, now| model.resize_server(&caller, id, &flavor, &cx.request_id, now))
        .await?;
    Ok(empty(StatusCode::ACCEPTED))
}
