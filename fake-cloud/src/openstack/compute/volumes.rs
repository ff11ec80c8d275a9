//! The volumes of servers, and Cinder's volumes as Nova's older API shows them.

use std::collections::BTreeMap;

use axum::response::Response;
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Error;
use crate::model::{AttachWanted, Attachment, Model, NewVolume, Orphans, Volume, VolumeId, ZONE};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{Micros, empty, ok, with_header};
use crate::openstack::volume::size;

pub(super) async fn attachments(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let server = model.server(&cx.caller()?, cx.param("id"))?;
    let views: Vec<Value> =
        model.volumes_of(server.id).map(|(volume, it)| attached(&cx, volume.id, it)).collect();
    Ok(ok(&json!({"volumeAttachments": views})))
}

pub(super) async fn attachment(cx: Context) -> Result<Response, Error> {
    let model = cx.cloud.read();
    let (volume, it) = model.attachment(&cx.caller()?, cx.param("id"), cx.param("volume"))?;
    Ok(ok(&json!({"volumeAttachment": attached(&cx, volume.id, it)})))
}

#[derive(Debug, Deserialize)]
struct AttachBody {
    #[serde(rename = "volumeAttachment")]
    attachment: AttachTo,
}

#[derive(Debug, Deserialize)]
struct AttachTo {
    #[serde(rename = "volumeId")]
    volume: String,
    device: Option<String>,
    tag: Option<String>,
    #[serde(default)]
    delete_on_termination: bool,
}

pub(super) async fn attach(mut cx: Context) -> Result<Response, Error> {
    let body = cx.json::<AttachBody>().await?.attachment;
    let wanted = AttachWanted {
        device: body.device,
        tag: body.tag.filter(|_| cx.since(49)),
        delete_on_termination: body.delete_on_termination && cx.since(79),
        request_id: cx.request_id.clone(),
    };
    let attached =
        cx.cloud.attach_volume(&cx.caller()?, cx.param("id"), &body.volume, wanted).await?;
    let (volume, it) = attached;
    let mut view = basics(&cx, volume, &it);
    view["id"] = json!(volume);
    Ok(ok(&json!({"volumeAttachment": view})))
}

#[derive(Debug, Deserialize)]
struct UpdateBody {
    #[serde(rename = "volumeAttachment")]
    attachment: Update,
}

#[derive(Debug, Deserialize)]
struct Update {
    #[serde(rename = "volumeId")]
    volume: String,
    id: Option<String>,
    #[serde(rename = "serverId")]
    server: Option<String>,
    device: Option<String>,
    delete_on_termination: Option<bool>,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let body = cx.json::<UpdateBody>().await?.attachment;
    let (caller, server, volume) = (cx.caller()?, cx.param("id"), cx.param("volume"));
    if !cx.since(85) || body.volume != volume {
        // To put another volume in its place is for Cinder alone, when it moves one.
        if !caller.is_admin {
            return Err(Fault::forbidden(
                "Policy doesn't allow os_compute_api:os-volumes-attachments:swap to be performed.",
            )
            .into());
        }
        return Err(Fault::named(
            StatusCode::CONFLICT,
            "Conflict",
            format!("volume {volume} is not migrating; this API should only be called by Cinder"),
        )
        .into());
    }
    let device = {
        let model = cx.cloud.read();
        format!("/dev/{}", model.attachment(&caller, server, volume)?.1.device)
    };
    for (field, sent, actual) in [
        ("id", &body.id, volume),
        ("serverId", &body.server, server),
        ("device", &body.device, device.as_str()),
    ] {
        if sent.as_ref().is_some_and(|sent| sent != actual) {
            return Err(Fault::bad_request(format!("The {field} property is not mutable")).into());
        }
    }
    if let Some(delete) = body.delete_on_termination {
        cx.cloud
            .change(|model, _| {
                let set = model.set_delete_on_termination(&caller, server, volume, delete);
                Ok::<_, Error>(set?)
            })
            .await?;
    }
    Ok(empty(StatusCode::ACCEPTED))
}

pub(super) async fn detach(cx: Context) -> Result<Response, Error> {
    let (server, volume) = (cx.param("id"), cx.param("volume"));
    cx.cloud.detach_volume(&cx.caller()?, server, volume, &cx.request_id).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

fn basics(cx: &Context, volume: VolumeId, it: &Attachment) -> Value {
    let mut view = json!({
        "volumeId": volume,
        "serverId": it.server_id,
        "device": format!("/dev/{}", it.device),
    });
    if cx.since(70) {
        view["tag"] = json!(it.tag);
    }
    if cx.since(79) {
        view["delete_on_termination"] = json!(it.delete_on_termination);
    }
    view
}

/// An attachment that is there: its ids tell more than those of one that is being made.
fn attached(cx: &Context, volume: VolumeId, it: &Attachment) -> Value {
    let mut view = basics(cx, volume, it);
    if cx.since(89) {
        view["attachment_id"] = json!(it.id);
        view["bdm_uuid"] = json!(it.mapping_id);
    } else {
        view["id"] = json!(volume);
    }
    view
}

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let project = cx.project()?;
    let model = cx.cloud.read();
    let own = model.volumes.iter().filter(|volume| volume.project_id == project);
    Ok(ok(&json!({"volumes": own.map(|volume| view(&model, volume)).collect::<Vec<_>>()})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let model = cx.cloud.read();
    let volume = model.volume(&cx.caller()?, cx.param("id"))?;
    Ok(ok(&json!({"volume": view(&model, volume)})))
}

#[derive(Debug, Deserialize)]
struct CreateBody {
    volume: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    size: Option<Value>,
    display_name: Option<String>,
    display_description: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    snapshot_id: Option<String>,
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    let wanted = cx.json::<CreateBody>().await?.volume;
    let new = NewVolume {
        name: wanted.display_name,
        description: wanted.display_description,
        size_gib: size(wanted.size)?,
        metadata: wanted.metadata.unwrap_or_default(),
        snapshot: wanted.snapshot_id,
        ..NewVolume::default()
    };
    let volume = cx.cloud.create_volume(&cx.caller()?, cx.project()?, new).await?;
    let location = format!("{}/compute/v2.1/os-volumes/{}", cx.cloud.api_url, volume.id);
    let answer = ok(&json!({"volume": view(&cx.cloud.read(), &volume)}));
    Ok(with_header(answer, header::LOCATION, &location))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    supported(&cx)?;
    cx.cloud.delete_volume(&cx.caller()?, cx.param("id"), Orphans::Refuse).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

fn supported(cx: &Context) -> Result<(), Fault> {
    if cx.since(36) { Err(Fault::no_such_path()) } else { Ok(()) }
}

fn view(model: &Model, volume: &Volume) -> Value {
    let attachment = volume.attachment.as_ref().map_or_else(
        || json!({}),
        |it| {
            json!({
                "id": volume.id,
                "volumeId": volume.id,
                "serverId": it.server_id,
                "device": format!("/dev/{}", it.device),
            })
        },
    );
    json!({
        "id": volume.id,
        "status": volume.state.name(),
        "size": volume.size_gib,
        "availabilityZone": ZONE,
        "createdAt": Micros(volume.created),
        "attachments": [attachment],
        "displayName": volume.name,
        "displayDescription": volume.description,
        "volumeType": model.type_of(volume).map(|kind| &kind.name),
        "snapshotId": volume.snapshot_id,
        "metadata": volume.metadata,
    })
}
