//! How much storage a project may have, and how much it has.

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, project};
use crate::model::ProjectId;
use crate::model::error::{Error as ModelError, Kind};
use crate::model::quota::Quotas;
use crate::openstack::errors::Fault;
use crate::openstack::request::Context;
use crate::openstack::response::{empty, ok};

pub(super) async fn limits(cx: Context) -> Result<Response, Error> {
    let project = project(&cx)?;
    let model = cx.cloud.read();
    let quotas = model.quotas(project);
    let (volumes, snapshots, gigabytes) = model.storage_used(project);
    Ok(ok(&json!({"limits": {"rate": [], "absolute": {
        "maxTotalVolumes": quotas.volumes,
        "maxTotalSnapshots": quotas.snapshots,
        "maxTotalVolumeGigabytes": quotas.gigabytes,
        "maxTotalBackups": 0,
        "maxTotalBackupGigabytes": 0,
        "totalVolumesUsed": volumes,
        "totalGigabytesUsed": gigabytes,
        "totalSnapshotsUsed": snapshots,
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }}})))
}

pub(super) async fn show(cx: Context) -> Result<Response, Error> {
    let target = target(&cx)?;
    let model = cx.cloud.read();
    let mut set = view(&model.quotas(target));
    if cx.query("usage").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        let (volumes, snapshots, gigabytes) = model.storage_used(target);
        for (name, limit) in &mut set {
            let in_use = match name.as_str() {
                "volumes" => volumes,
                "snapshots" => snapshots,
                "gigabytes" => gigabytes,
                _ => 0,
            };
            *limit =
                json!({"limit": limit.take(), "in_use": in_use, "reserved": 0, "allocated": 0});
        }
    }
    set.insert("id".to_owned(), json!(target));
    Ok(ok(&json!({"quota_set": set})))
}

pub(super) async fn defaults(cx: Context) -> Result<Response, Error> {
    let target = target(&cx)?;
    let mut set = view(&cx.cloud.read().default_quotas);
    set.insert("id".to_owned(), json!(target));
    Ok(ok(&json!({"quota_set": set})))
}

#[derive(Debug, Deserialize)]
struct Body {
    quota_set: Map<String, Value>,
}

pub(super) async fn update(mut cx: Context) -> Result<Response, Error> {
    let wanted = cx.json::<Body>().await?.quota_set;
    let target = target(&cx)?;
    let quotas = cx.cloud.change(|model, _| {
        let mut quotas = model.quotas(target);
        for (name, value) in &wanted {
            let place = match name.as_str() {
                "volumes" => &mut quotas.volumes,
                "snapshots" => &mut quotas.snapshots,
                "gigabytes" => &mut quotas.gigabytes,
                _ => continue,
            };
            *place = limit(name, value)?;
        }
        let missing = || ModelError::not_found(Kind::Project, target);
        model.projects.get_mut(target).ok_or_else(missing)?.quotas = Some(quotas);
        Ok::<_, Error>(quotas)
    });
    Ok(ok(&json!({"quota_set": view(&quotas.await?)})))
}

/// Forgets what was set: the quotas of all projects hold for this one again.
pub(super) async fn reset(cx: Context) -> Result<Response, Error> {
    let target = target(&cx)?;
    cx.cloud
        .change(|model, _| {
            let defaults = model.default_quotas;
            if let Some(mut project) = model.projects.get_mut(target)
                && let Some(quotas) = &mut project.quotas
            {
                quotas.volumes = defaults.volumes;
                quotas.snapshots = defaults.snapshots;
                quotas.gigabytes = defaults.gigabytes;
            }
            Ok::<_, Error>(())
        })
        .await?;
    Ok(empty(StatusCode::OK))
}

fn limit(name: &str, value: &Value) -> Result<i64, Fault> {
    let limit = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    };
    limit.filter(|limit| *limit >= -1).ok_or_else(|| {
        Fault::bad_request(format!("Invalid input for field/attribute {name}. Value: {value}."))
    })
}

/// The project whose quotas are asked for: one's own, or any for the administrator.
fn target(cx: &Context) -> Result<ProjectId, Error> {
    project(cx)?;
    let (caller, text) = (cx.caller()?, cx.param("target"));
    let id: Option<ProjectId> = text.parse().ok();
    match id.filter(|id| cx.cloud.read().projects.get(*id).is_some()) {
        Some(id) if caller.sees(id) => Ok(id),
        Some(_) => Err(Fault::forbidden(
            "Policy doesn't allow volume_extension:quotas:show to be performed.",
        )
        .into()),
        None => Err(ModelError::not_found(Kind::Project, text).into()),
    }
}

fn view(quotas: &Quotas) -> Map<String, Value> {
    let set = json!({
        "volumes": quotas.volumes,
        "per_volume_gigabytes": -1,
        "snapshots": quotas.snapshots,
        "gigabytes": quotas.gigabytes,
        "backups": 0,
        "backup_gigabytes": 0,
        "volumes___DEFAULT__": -1,
        "gigabytes___DEFAULT__": -1,
        "snapshots___DEFAULT__": -1,
        "groups": 0,
    });
    match set {
        Value::Object(set) => set,
        _ => Map::new(),
    }
}
