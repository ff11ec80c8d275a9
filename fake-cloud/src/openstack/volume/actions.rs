//! `POST /volumes/{id}/action` and `POST /snapshots/{id}/action`.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::volumes::size;
use super::{Error, project};
use crate::model::{Orphans, VolumeState};
use crate::openstack::errors::Fault;
use crate::openstack::microversion::Microversion;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, html_empty, json_type, ok};

/// Since this version a volume can grow while a server has it.
const EXTENDS_ATTACHED: Microversion = Microversion(42);

pub(super) async fn act(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let (name, mut arguments) = one_action(&mut cx).await?;
    match name.as_str() {
        "os-extend" => {
            let wanted = size(arguments.get_mut("new_size").map(Value::take))?;
            let wanted = wanted.ok_or_else(|| {
                Fault::bad_request(
                    "Invalid input for field/attribute os-extend: new_size is required.",
                )
            })?;
            let (caller, attached_too) = (cx.caller()?, cx.version >= EXTENDS_ATTACHED);
            cx.cloud.extend_volume(&caller, cx.param("id"), wanted, attached_too).await?;
            Ok(json_type(empty(StatusCode::ACCEPTED)))
        }
        "os-reset_status" => reset_volume(&cx, read(&name, arguments)?).await,
        "os-force_delete" => {
            only_admin(&cx, "force_delete")?;
            let caller = cx.caller()?;
            cx.cloud.delete_volume(&caller, cx.param("id"), Orphans::Refuse).await?;
            Ok(html_empty(StatusCode::ACCEPTED))
        }
        "os-retype" => retype(&cx, read(&name, arguments)?).await,
        "os-set_bootable" => set_bootable(&cx, read(&name, arguments)?).await,
        "os-set_image_metadata" => set_image_metadata(&cx, read(&name, arguments)?).await,
        "os-unset_image_metadata" => unset_image_metadata(&cx, read(&name, arguments)?).await,
        "os-show_image_metadata" => {
            let model = cx.cloud.read();
            let volume = model.volume(&cx.caller()?, cx.param("id"))?;
            Ok(ok(&json!({"metadata": volume.image_metadata})))
        }
        "revert" if cx.since(40) => {
            let Revert { snapshot_id } = read(&name, arguments)?;
            cx.cloud.revert_volume(&cx.caller()?, cx.param("id"), &snapshot_id).await?;
            Ok(html_empty(StatusCode::ACCEPTED))
        }
        other => Err(Fault::bad_request(format!("There is no such action: {other}")).into()),
    }
}

pub(super) async fn act_on_snapshot(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let (name, arguments) = one_action(&mut cx).await?;
    match name.as_str() {
        "os-reset_status" => {
            only_admin(&cx, "snapshot_admin_actions:reset_status")?;
            let state = state(&read::<Reset>(&name, arguments)?.status.unwrap_or_default())?;
            let caller = cx.caller()?;
            let reset = cx.cloud.change(|model, now| {
                Ok::<_, Error>(model.reset_snapshot(&caller, cx.param("id"), state, now)?)
            });
            reset.await?;
            Ok(html_empty(StatusCode::ACCEPTED))
        }
        "os-force_delete" => {
            only_admin(&cx, "snapshot_admin_actions:force_delete")?;
            cx.cloud.delete_snapshot(&cx.caller()?, cx.param("id")).await?;
            Ok(html_empty(StatusCode::ACCEPTED))
        }
        other => Err(Fault::bad_request(format!("There is no such action: {other}")).into()),
    }
}

async fn one_action(cx: &mut Context) -> Result<(String, Value), Fault> {
    let body: Map<String, Value> = cx.json().await?;
    let mut actions = body.into_iter();
    match (actions.next(), actions.next()) {
        (Some(action), None) => Ok(action),
        _ => Err(Fault::bad_request("There must be exactly one action in the request.")),
    }
}

fn read<T: DeserializeOwned>(action: &str, arguments: Value) -> Result<T, Fault> {
    serde_json::from_value(arguments).map_err(|error| {
        Fault::bad_request(format!("Invalid input for field/attribute {action}. {error}."))
    })
}

fn only_admin(cx: &Context, what: &str) -> Result<(), Fault> {
    if cx.caller()?.is_admin {
        return Ok(());
    }
    let message = format!("Policy doesn't allow volume_extension:{what} to be performed.");
    Err(Fault::forbidden(message))
}

#[derive(Debug, Deserialize)]
struct Reset {
    status: Option<String>,
    attach_status: Option<String>,
    migration_status: Option<String>,
}

async fn reset_volume(cx: &Context, wanted: Reset) -> Result<Response, Error> {
    cx.cloud.read().volume(&cx.caller()?, cx.param("id"))?;
    only_admin(cx, "volume_admin_actions:reset_status")?;
    let none = |status: &&str| !matches!(*status, "none" | "");
    if let Some(status) = wanted.migration_status.as_deref().filter(none) {
        let message = format!("No volume of this cloud migrates: {status}.");
        return Err(Fault::bad_request(message).into());
    }
    let attached = match wanted.attach_status.as_deref() {
        None => None,
        Some("attached") => Some(true),
        Some("detached") => Some(false),
        Some(other) => return Err(no_such_status(other).into()),
    };
    let state = wanted.status.as_deref().map(state).transpose()?;
    if state.is_none() && attached.is_none() && wanted.migration_status.is_none() {
        let message = "Must specify 'status', 'attach_status', or 'migration_status' for update.";
        return Err(Fault::bad_request(message).into());
    }
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            Ok::<_, Error>(model.reset_volume(&caller, cx.param("id"), state, attached, now)?)
        })
        .await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

/// The states that can be told; those of work under way cannot, since nobody would do it.
fn state(name: &str) -> Result<VolumeState, Fault> {
    match name {
        "available" => Ok(VolumeState::Available),
        "in-use" => Ok(VolumeState::InUse),
        "error" => Ok(VolumeState::Error),
        other => Err(no_such_status(other)),
    }
}

fn no_such_status(name: &str) -> Fault {
    Fault::bad_request(format!(
        "Invalid input for field/attribute status. Value: {name}. '{name}' is not one of \
         ['available', 'in-use', 'error']"
    ))
}

#[derive(Debug, Deserialize)]
struct Retype {
    new_type: String,
}

async fn retype(cx: &Context, wanted: Retype) -> Result<Response, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            Ok::<_, Error>(model.retype_volume(&caller, cx.param("id"), &wanted.new_type, now)?)
        })
        .await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

#[derive(Debug, Deserialize)]
struct Bootable {
    bootable: bool,
}

/// Servers boot from a volume whose content came from an image, whatever is said of it here.
async fn set_bootable(cx: &Context, wanted: Bootable) -> Result<Response, Error> {
    let caller = cx.caller()?;
    cx.cloud
        .change(|model, now| {
            let mut volume = model.volume_mut(&caller, cx.param("id"))?;
            volume.bootable = Some(wanted.bootable);
            volume.updated = Some(now);
            Ok::<_, Error>(())
        })
        .await?;
    Ok(html_empty(StatusCode::OK))
}

#[derive(Debug, Deserialize)]
struct ImageMetadata {
    metadata: BTreeMap<String, String>,
}

async fn set_image_metadata(cx: &Context, wanted: ImageMetadata) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let set = cx.cloud.change(|model, _| {
        let mut volume = model.volume_mut(&caller, cx.param("id"))?;
        volume.image_metadata.extend(wanted.metadata);
        Ok::<_, Error>(volume.image_metadata.clone())
    });
    Ok(ok(&json!({"metadata": set.await?})))
}

#[derive(Debug, Deserialize)]
struct ImageKey {
    key: String,
}

async fn unset_image_metadata(cx: &Context, wanted: ImageKey) -> Result<Response, Error> {
    let caller = cx.caller()?;
    let unset = cx.cloud.change(|model, _| {
        let mut volume = model.volume_mut(&caller, cx.param("id"))?;
        let missing = || Fault::not_found("Metadata key not found.");
        volume.image_metadata.remove(&wanted.key).ok_or_else(missing)?;
        Ok::<_, Error>(())
    });
    unset.await?;
    Ok(html_empty(StatusCode::OK))
}

#[derive(Debug, Deserialize)]
struct Revert {
    snapshot_id: String,
}
