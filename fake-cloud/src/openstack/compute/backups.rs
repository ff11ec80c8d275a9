//! The action `createBackup`: an image of a server's disk in place of the oldest of its kind.

use std::collections::BTreeMap;

use axum::response::Response;
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, fields};
use crate::model::{Image, ImageId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, json as answer, with_header};

const FIELDS: &[fields::Field] =
    &[("name", 1), ("backup_type", 1), ("rotation", 1), ("metadata", 1)];

#[derive(Debug, Deserialize)]
struct Wanted {
    name: String,
    backup_type: String,
    rotation: Value,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

pub(super) async fn create(cx: &Context, arguments: Value) -> Result<Response, Error> {
    let wanted: Wanted = fields::read(cx, "createBackup", arguments, FIELDS)?;
    let rotation: usize = wanted.rotation.to_string().trim_matches('"').parse().map_err(|_| {
        Fault::bad_request(format!(
            "Invalid input for field/attribute rotation. Value: {}.",
            wanted.rotation
        ))
    })?;
    let (caller, server) = (cx.caller()?, cx.param("id"));
    let mut properties = wanted.metadata;
    properties.insert("image_type".to_owned(), "backup".to_owned());
    properties.insert("backup_type".to_owned(), wanted.backup_type.clone());
    let id = cx.cloud.create_image(&caller, server, wanted.name, properties).await?;
    for old in outdated(cx, server, &wanted.backup_type, rotation) {
        // Who protects a backup keeps it.
        let gone = cx.cloud.change(|model, _| {
            Ok::<_, Error>(model.delete_image(&caller, &old.to_string()).is_ok())
        });
        if gone.await? {
            cx.cloud.delete_image_content(old).await;
            cx.cloud.drop_image_trees().await;
        }
    }
    if rotation == 0 {
        return Ok(empty(StatusCode::ACCEPTED));
    }
    if cx.since(45) {
        return Ok(answer(StatusCode::ACCEPTED, &json!({"image_id": id})));
    }
    let location = format!("{}/compute/v2.1/images/{id}", cx.cloud.api_url);
    Ok(with_header(empty(StatusCode::ACCEPTED), header::LOCATION, &location))
}

/// The backups of a server and a kind that are too many, the oldest first.
fn outdated(cx: &Context, server: &str, kind: &str, keep: usize) -> Vec<ImageId> {
    let model = cx.cloud.read();
    let is = |image: &Image, name: &str, value: &str| {
        image.properties.get(name).is_some_and(|known| known == value)
    };
    let backups = model.images.iter().filter(|image| {
        is(image, "instance_uuid", server)
            && is(image, "image_type", "backup")
            && is(image, "backup_type", kind)
    });
    let backups: Vec<_> = backups.map(|image| image.id).collect();
    backups[..backups.len().saturating_sub(keep)].to_vec()
}
