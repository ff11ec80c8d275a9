//! Types of volumes.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Error, project};
use crate::model::{ProjectId, VolumeType, VolumeTypeChanges, VolumeTypeId};
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{html_empty, json, ok};

pub(super) async fn list(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let caller = cx.caller()?;
    // Administrators may ask for the private ones alone or for all.
    let public = match cx.query("is_public").map(str::to_lowercase).as_deref() {
        Some("none") if caller.is_admin => None,
        Some("false" | "0") if caller.is_admin => Some(false),
        _ if caller.is_admin => Some(true),
        _ => None,
    };
    let model = cx.cloud.read();
    let chosen = |it: &&VolumeType| {
        it.usable_by(&caller) && public.is_none_or(|public| it.private_to.is_none() == public)
    };
    // The default is the oldest and comes last, as all lists of Cinder begin with the newest.
    let types: Vec<_> = model.volume_types.iter().rev().filter(chosen).map(view).collect();
    Ok(ok(&json!({"volume_types": types})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let model = cx.cloud.read();
    let id = match cx.param("id") {
        "default" => VolumeTypeId::DEFAULT.to_string(),
        id => id.to_owned(),
    };
    Ok(ok(&json!({"volume_type": view(model.volume_type(&cx.caller()?, &id, false)?)})))
}

#[derive(Debug, Deserialize)]
struct Body {
    volume_type: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    name: Option<String>,
    description: Option<String>,
    is_public: Option<bool>,
    #[serde(rename = "os-volume-type-access:is_public")]
    access: Option<bool>,
    extra_specs: Option<BTreeMap<String, String>>,
}

fn read(wanted: Wanted) -> Result<VolumeTypeChanges, Fault> {
    let bad = |name: &&String| name.trim().is_empty() || name.len() > 255;
    if wanted.name.as_ref().is_some_and(|name| bad(&name)) {
        return Err(Fault::bad_request("Volume type name can not be empty."));
    }
    Ok(VolumeTypeChanges {
        name: wanted.name,
        description: wanted.description,
        public: wanted.access.or(wanted.is_public),
        extra_specs: wanted.extra_specs,
    })
}

pub(super) async fn create(mut cx: Context) -> Result<Response, Error> {
    project(&cx)?;
    let mut wanted = read(cx.json::<Body>().await?.volume_type)?;
    let missing = || Fault::bad_request("Volume type name can not be empty.");
    let name = wanted.name.take().ok_or_else(missing)?;
    let created = cx.cloud.change(|model, now| {
        let id = model.create_volume_type(name, wanted, now)?;
        Ok::<_, Error>(model.volume_types.get(id).map(view))
    });
    Ok(ok(&json!({"volume_type": created.await?})))
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let id = known(&cx)?;
    let wanted = read(cx.json::<Body>().await?.volume_type)?;
    let changed = cx.cloud.change(|model, _| {
        model.change_volume_type(id, wanted)?;
        Ok::<_, Error>(model.volume_types.get(id).map(view))
    });
    Ok(ok(&json!({"volume_type": changed.await?})))
}

pub(super) async fn delete(cx: Context) -> Result<Response, Error> {
    let id = known(&cx)?;
    cx.cloud.change(|model, _| Ok::<_, Error>(model.delete_volume_type(id)?)).await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

pub(super) async fn extra_specs(cx: Context) -> Result<Response, Error> {
    Ok(ok(&json!({"extra_specs": specs(&cx, known(&cx)?)})))
}

pub(super) async fn extra_spec(cx: Context) -> Result<Response, Error> {
    let (key, specs) = (cx.param("key"), specs(&cx, known(&cx)?));
    match specs.get(key) {
        Some(value) => Ok(ok(&json!({key: value}))),
        None => Err(no_spec(&cx).into()),
    }
}

#[derive(Debug, Deserialize)]
struct Specs {
    extra_specs: BTreeMap<String, String>,
}

pub(super) async fn set_extra_specs(mut cx: Context) -> Result<Response, Error> {
    let id = known(&cx)?;
    let wanted = cx.json::<Specs>().await?.extra_specs;
    let mut merged = specs(&cx, id);
    merged.extend(wanted.clone());
    set(&cx, id, merged).await?;
    Ok(ok(&json!({"extra_specs": wanted})))
}

pub(super) async fn set_extra_spec(mut cx: Context) -> Result<Response, Error> {
    let id = known(&cx)?;
    let wanted: BTreeMap<String, String> = cx.json().await?;
    if wanted.len() != 1 || !wanted.contains_key(cx.param("key")) {
        return Err(Fault::bad_request("Request body and URI mismatch").into());
    }
    let mut merged = specs(&cx, id);
    merged.extend(wanted.clone());
    set(&cx, id, merged).await?;
    Ok(ok(&wanted))
}

pub(super) async fn delete_extra_spec(cx: Context) -> Result<Response, Error> {
    let id = known(&cx)?;
    let mut left = specs(&cx, id);
    left.remove(cx.param("key")).ok_or_else(|| no_spec(&cx))?;
    set(&cx, id, left).await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

async fn set(
    cx: &Context,
    id: VolumeTypeId,
    extra_specs: BTreeMap<String, String>,
) -> Result<(), Error> {
    let changes =
        VolumeTypeChanges { extra_specs: Some(extra_specs), ..VolumeTypeChanges::default() };
    cx.cloud.change(|model, _| Ok::<_, Error>(model.change_volume_type(id, changes)?)).await
}

fn specs(cx: &Context, id: VolumeTypeId) -> BTreeMap<String, String> {
    let model = cx.cloud.read();
    model.volume_types.get(id).map(|it| it.extra_specs.clone()).unwrap_or_default()
}

fn no_spec(cx: &Context) -> Fault {
    Fault::not_found(format!(
        "Volume Type {} has no extra specs with key {}.",
        cx.param("id"),
        cx.param("key")
    ))
}

/// The projects that may use a private type.
pub(super) async fn access(cx: Context) -> Result<Response, Error> {
    let id = known(&cx)?;
    let model = cx.cloud.read();
    let projects = model.volume_types.get(id).and_then(|it| it.private_to.clone());
    let missing = || Fault::not_found("Access list not available for public volume types.");
    let view = |project| json!({"volume_type_id": id, "project_id": project});
    let all: Vec<_> = projects.ok_or_else(missing)?.into_iter().map(view).collect();
    Ok(ok(&json!({"volume_type_access": all})))
}

#[derive(Debug, Deserialize)]
enum Action {
    #[serde(rename = "addProjectAccess")]
    Add(Target),
    #[serde(rename = "removeProjectAccess")]
    Remove(Target),
}

#[derive(Debug, Deserialize)]
struct Target {
    project: ProjectId,
}

pub(super) async fn act(mut cx: Context) -> Result<Response, Error> {
    let id = known(&cx)?;
    let (target, allow) = match cx.json::<Action>().await? {
        Action::Add(target) => (target, true),
        Action::Remove(target) => (target, false),
    };
    cx.cloud
        .change(|model, _| Ok::<_, Error>(model.change_type_access(id, target.project, allow)?))
        .await?;
    Ok(html_empty(StatusCode::ACCEPTED))
}

/// No type encrypts its volumes.
pub(super) async fn encryption(cx: Context) -> Result<Response, Error> {
    known(&cx)?;
    Ok(json(StatusCode::OK, &json!({})))
}

/// The type that the path names.
fn known(cx: &Context) -> Result<VolumeTypeId, Error> {
    project(cx)?;
    let model = cx.cloud.read();
    Ok(model.volume_type(&cx.caller()?, cx.param("id"), false)?.id)
}

fn view(kind: &VolumeType) -> Value {
    json!({
        "id": kind.id,
        "name": kind.name,
        "is_public": kind.private_to.is_none(),
        "description": kind.description,
        "extra_specs": kind.extra_specs,
        "qos_specs_id": null,
        "os-volume-type-access:is_public": kind.private_to.is_none(),
    })
}
