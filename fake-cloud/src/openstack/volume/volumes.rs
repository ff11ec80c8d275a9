//! Volumes.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, listing, project};
use crate::model::{HOST, Model, NewVolume, Orphans, Volume, ZONE};
use crate::openstack::errors::Fault;
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, html_empty, json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    let brief =
        |view: Value| json!({"id": view["id"], "links": view["links"], "name": view["name"]});
    page(&cx, "volumes", brief)
}

pub(super) async fn detail(cx: Context) -> Result<Response, Error> {
    page(&cx, "volumes/detail", |view| view)
}

fn page(cx: &Context, path: &str, shorten: impl Fn(Value) -> Value) -> Result<Response, Error> {
    let scope = listing::scope(cx)?;
    let model = cx.cloud.read();
    let visible =
        model.volumes.iter().filter(|volume| scope.is_none_or(|own| volume.project_id == own));
    listing::answer(cx, "volumes", path, visible.map(|volume| full(cx, &model, volume)), shorten)
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let model = cx.cloud.read();
    let volume = model.volume(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"volume": full(&cx, &model, volume)})))
}

#[derive(Debug, Deserialize)]
struct Body<T> {
    volume: T,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    size: Option<Value>,
    name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    display_description: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    snapshot_id: Option<String>,
    source_volid: Option<String>,
    volume_type: Option<String>,
    availability_zone: Option<String>,
    #[serde(rename = "imageRef")]
    image: Option<String>,
    backup_id: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    let project = project(&cx)?;
    let wanted = read(cx.json::<Body<Wanted>>().await?.volume)?;
    let volume = cx.cloud.create_volume(&cx.caller()?, project, wanted).await?;
    Ok(json(StatusCode::ACCEPTED, &json!({"volume": view(&cx, &cx.cloud.read(), &volume)})))
}

fn read(wanted: Wanted) -> Result<NewVolume, Fault> {
    let invalid = |text: String| Err(Fault::bad_request(text));
    if let Some(zone) = wanted.availability_zone.filter(|zone| zone != ZONE) {
        return invalid(format!("Invalid input received: Availability zone '{zone}' is invalid."));
    }
    if wanted.backup_id.is_some() {
        return invalid("Invalid input received: this cloud has no backups.".to_owned());
    }
    Ok(NewVolume {
        name: wanted.name.or(wanted.display_name),
        description: wanted.description.or(wanted.display_description),
        size_gib: size(wanted.size)?,
        metadata: wanted.metadata.unwrap_or_default(),
        snapshot: wanted.snapshot_id,
        source: wanted.source_volid,
        image: wanted.image,
        kind: wanted.volume_type.filter(|kind| !kind.is_empty()),
        ..NewVolume::default()
    })
}

/// A size may be written as a number or as a text.
pub(in crate::openstack) fn size(value: Option<Value>) -> Result<Option<u64>, Fault> {
    let number = match &value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
    };
    // More than any machine has, and far from where sums overflow.
    let number = number.filter(|size| (1..=1 << 31).contains(size));
    number.map(Some).ok_or_else(|| {
        Fault::bad_request(format!(
            "Invalid input for field/attribute size. Value: {}. It must be an integer greater \
             than 0.",
            value.unwrap_or_default()
        ))
    })
}

/// What can be changed of a volume or a snapshot; an absent field stays as it is.
#[derive(Debug, Deserialize)]
pub(super) struct Changes {
    pub(super) name: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) display_description: Option<String>,
    pub(super) metadata: Option<BTreeMap<String, String>>,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let changes = cx.json::<Body<Changes>>().await?.volume;
    let caller = cx.caller()?;
    let changed = cx.cloud.change(|model, now| {
        let mut volume = model.volume_mut(&caller, cx.param("id"))?;
        volume.name = changes.name.or(changes.display_name).or(volume.name.take());
        let description = changes.description.or(changes.display_description);
        volume.description = description.or(volume.description.take());
        volume.metadata = changes.metadata.unwrap_or_else(|| std::mem::take(&mut volume.metadata));
        volume.updated = Some(now);
        Ok::<_, Error>(volume.clone())
    });
    let volume = changed.await?;
    Ok(ok(&json!({"volume": view(&cx, &cx.cloud.read(), &volume)})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let cascade = cx.query("cascade").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let orphans = if cascade { Orphans::Remove } else { Orphans::Refuse };
    cx.cloud.delete_volume(&cx.caller()?, cx.param("id"), orphans).await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

/// A volume as an answer to its creation or change shows it.
fn view(cx: &Context, model: &Model, volume: &Volume) -> Value {
    let attachment = |it: &crate::model::Attachment| {
        json!({
            "id": volume.id,
            "attachment_id": it.id,
            "volume_id": volume.id,
            "server_id": it.server_id,
            "host_name": HOST,
            "device": format!("/dev/{}", it.device),
            "attached_at": Micros(it.attached),
        })
    };
    let link = |version: &str| {
        format!("{}/volume/{version}{}/volumes/{}", cx.cloud.api_url, volume.project_id, volume.id)
    };
    let mut view = json!({
        "id": volume.id,
        "status": volume.state.name(),
        "size": volume.size_gib,
        "availability_zone": ZONE,
        "created_at": Micros(volume.created),
        "updated_at": volume.updated.map(Micros),
        "name": volume.name,
        "description": volume.description,
        "volume_type": model.type_of(volume).map(|kind| &kind.name),
        "snapshot_id": volume.snapshot_id,
        "source_volid": volume.source_id,
        "metadata": volume.metadata,
        "links": [
            {"rel": "self", "href": link("v3/")},
            {"rel": "bookmark", "href": link("")}
        ],
        "user_id": volume.user_id,
        "bootable": volume.bootable.unwrap_or(volume.image_id.is_some()).to_string(),
        "encrypted": false,
        "replication_status": null,
        "consistencygroup_id": null,
        "multiattach": false,
        "attachments": volume.attachment.iter().map(attachment).collect::<Vec<_>>(),
        "migration_status": null,
    });
    for (since, field, value) in [
        (13, "group_id", Value::Null),
        (21, "provider_id", Value::Null),
        (48, "shared_targets", json!(false)),
        (48, "service_uuid", Value::Null),
        (61, "cluster_name", Value::Null),
        (63, "volume_type_id", json!(volume.type_id)),
        (65, "consumes_quota", json!(true)),
    ] {
        if cx.version >= Microversion(since) {
            view[field] = value;
        }
    }
    view
}

/// A volume with all that may be shown.
fn full(cx: &Context, model: &Model, volume: &Volume) -> Value {
    let mut view = view(cx, model, volume);
    view["os-vol-tenant-attr:tenant_id"] = json!(volume.project_id);
    let image = volume.image_id.map(|id| ("image_id".to_owned(), id.to_string()));
    let metadata: BTreeMap<_, _> = volume.image_metadata.clone().into_iter().chain(image).collect();
    if !metadata.is_empty() {
        view["volume_image_metadata"] = json!(metadata);
    }
    if cx.caller.is_some_and(|caller| caller.is_admin) {
        view["os-vol-mig-status-attr:migstat"] = Value::Null;
        view["os-vol-mig-status-attr:name_id"] = Value::Null;
        view["os-vol-host-attr:host"] = json!(HOST);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_and_positive() {
        let size = |value: Value| size(Some(value)).ok();
        assert_eq!(size(json!(1)), Some(Some(1)));
        assert_eq!(size(json!("20")), Some(Some(20)));
        assert_eq!(size(Value::Null), Some(None));
        for bad in [json!(0), json!(-1), json!(1.5), json!("x"), json!(u64::MAX), json!([])] {
            assert_eq!(size(bad.clone()), None, "{bad}");
        }
    }
}
