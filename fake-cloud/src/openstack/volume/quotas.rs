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
use crate::openstack::quotas::{self, Hidden, Names};
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
    let quotas = quotas::update::<Error>(&cx, target(&cx)?, OWN, &wanted).await?;
    Ok(ok(&json!({"quota_set": view(&quotas)})))
}

/// The quotas that are Cinder's business.
const OWN: &Names =
    &[("volumes", "volumes"), ("snapshots", "snapshots"), ("gigabytes", "gigabytes")];

pub(super) async fn reset(cx: Context) -> Result<Response, Error> {
    quotas::reset::<Error>(&cx, target(&cx)?, OWN).await?;
    Ok(empty(StatusCode::OK))
}

fn target(cx: &Context) -> Result<ProjectId, Error> {
    project(cx)?;
    let text = cx.param("target");
    quotas::visible_project(cx, text, |hidden| match hidden {
        Hidden::Unknown => Error::from(ModelError::not_found(Kind::Project, text)),
        Hidden::Forbidden => {
            let message = "Policy doesn't allow volume_extension:quotas:show to be performed.";
            Fault::forbidden(message).into()
        }
    })
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
