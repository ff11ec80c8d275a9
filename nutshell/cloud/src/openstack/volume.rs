//! Cinder: volumes; and Nova, which attaches them. Records as they are written, one function a call,
//! and what to do next about a volume that changes hands.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::catalog::Service::{BlockStorage, Compute};
use super::session::{Call, Session};
use crate::patience::{self, VolumeRecord as _};
use crate::volumes::Progress;
use crate::{CloudError, Volume, VolumeState};

/// Volumes asked for at once; Cinder's own limit is the same unless configured.
const PAGE: &str = "1000";

/// A volume as Cinder writes it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VolumeRecord {
    pub(crate) id: String,
    status: String,
    /// In GiB.
    size: u64,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(default)]
    attachments: Vec<Attachment>,
    #[serde(deserialize_with = "cinder_time")]
    created_at: OffsetDateTime,
}

#[derive(Clone, Debug, Deserialize)]
struct Attachment {
    server_id: String,
    device: Option<String>,
}

impl patience::VolumeRecord for VolumeRecord {
    fn state(&self) -> VolumeState {
        match self.status.as_str() {
            "creating" | "downloading" => VolumeState::Building,
            "available" | "reserved" => VolumeState::Available,
            "deleting" | "managing" | "unmanaging" => VolumeState::Deleting,
            "error" | "error_deleting" | "error_restoring" | "error_extending"
            | "error_managing" => VolumeState::Failed,
            _ => VolumeState::InUse,
        }
    }

    fn server(&self) -> Option<&str> {
        self.attachments.first().map(|attachment| attachment.server_id.as_str())
    }

    fn attached(&self, server: &str) -> Progress<String> {
        let there = self.attachments.iter().find(|attachment| attachment.server_id == server);
        match (self.status.as_str(), there) {
            ("in-use", Some(Attachment { device: Some(device), .. })) => {
                Progress::Done(device.trim_start_matches("/dev/").to_owned())
            }
            ("in-use", Some(_)) => Progress::Moving,
            ("in-use", None) => Progress::Obstacle("another server has it"),
            ("available", _) => Progress::Untouched,
            _ if self.state() == VolumeState::Failed => Progress::Obstacle("it is broken"),
            _ if self.state() == VolumeState::Deleting => Progress::Obstacle("it is being deleted"),
            _ => Progress::Moving,
        }
    }

    fn detached(&self) -> Progress<()> {
        match self.status.as_str() {
            "in-use" => Progress::Untouched,
            "attaching" | "detaching" | "reserved" => Progress::Moving,
            _ => Progress::Done(()),
        }
    }
}

impl From<VolumeRecord> for Volume {
    fn from(record: VolumeRecord) -> Self {
        Self {
            state: record.state(),
            server: record.server().map(str::to_owned),
            id: record.id,
            size_mib: record.size * 1024,
            tags: record.metadata,
            created: record.created_at,
        }
    }
}

/// Cinder leaves the zone out: it is UTC.
fn cinder_time<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<OffsetDateTime, D::Error> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let text = String::deserialize(deserializer)?;
    let seconds = text.split(['.', 'Z', '+']).next().unwrap_or_default();
    time::PrimitiveDateTime::parse(seconds, &format)
        .map(time::PrimitiveDateTime::assume_utc)
        .map_err(serde::de::Error::custom)
}

#[derive(Deserialize)]
struct Body {
    volume: VolumeRecord,
}

/// Asks for a volume of so many GiB; returns its id at once.
pub(crate) async fn create(
    session: &Session,
    name: &str,
    size_gib: u64,
    tags: &BTreeMap<String, String>,
) -> Result<String, CloudError> {
    let body = json!({"volume": {"name": name, "size": size_gib, "metadata": tags}});
    let call = Call::post("create a volume", BlockStorage, &["volumes"], body);
    #[derive(Deserialize)]
    struct Created {
        volume: Id,
    }
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    Ok(session.fetch::<Created>(call).await?.volume.id)
}

/// One volume; `None` when it does not exist.
pub(crate) async fn volume(
    session: &Session,
    id: &str,
) -> Result<Option<VolumeRecord>, CloudError> {
    let call = Call::get("look at a volume", BlockStorage, &["volumes", id]);
    Ok(session.find::<Body>(call).await?.map(|body| body.volume))
}

/// All volumes of the project.
pub(crate) async fn volumes(session: &Session) -> Result<Vec<VolumeRecord>, CloudError> {
    let call = Call::get("list volumes", BlockStorage, &["volumes", "detail"]);
    session.list(call.query("limit", Some(PAGE)), "volumes").await
}

/// Asks for a volume to be deleted.
pub(crate) async fn delete(session: &Session, id: &str) -> Result<(), CloudError> {
    session.remove(Call::delete("delete a volume", BlockStorage, &["volumes", id])).await
}

/// Asks for a volume to be given to a server.
pub(crate) async fn attach(session: &Session, id: &str, server: &str) -> Result<(), CloudError> {
    let body = json!({"volumeAttachment": {"volumeId": id}});
    let path = ["servers", server, "os-volume_attachments"];
    let call = Call::post("attach a volume", Compute, &path, body);
    session.fetch::<Value>(call).await.map(|_| ())
}

/// Asks for a volume to be taken from a server.
pub(crate) async fn detach(session: &Session, id: &str, server: &str) -> Result<(), CloudError> {
    let path = ["servers", server, "os-volume_attachments", id];
    session.remove(Call::delete("detach a volume", Compute, &path)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: &str, attachments: Value) -> VolumeRecord {
        serde_json::from_value(json!({
            "id": "10aa9d3d", "name": "data", "status": status, "size": 2, "volume_type": "lvm",
            "metadata": {"installation": "a1"}, "bootable": "false", "encrypted": false,
            "created_at": "2026-11-21T07:01:20.000000", "attachments": attachments,
        }))
        .unwrap()
    }

    fn on(server: &str, device: Option<&str>) -> Value {
        json!([{"id": "10aa9d3d", "attachment_id": "9", "volume_id": "10aa9d3d",
                "server_id": server, "device": device, "attached_at": "2026-11-21T07:01:22.000000"}])
    }

    #[test]
    fn a_volume_reads_as_the_contract_has_it() {
        let volume = Volume::from(record("in-use", on("s1", Some("/dev/vdb"))));
        assert_eq!((volume.size_mib, volume.state), (2048, VolumeState::InUse));
        assert_eq!(volume.server.as_deref(), Some("s1"));
        assert_eq!(volume.created.unix_timestamp(), 1_795_244_480);
        assert_eq!(volume.tags["installation"], "a1");
    }

    #[test]
    fn an_attachment_is_done_when_the_server_has_the_device() {
        let attached = |status, attachments| record(status, attachments).attached("s1");
        assert_eq!(attached("available", json!([])), Progress::Untouched);
        assert_eq!(attached("reserved", json!([])), Progress::Moving);
        assert_eq!(attached("attaching", on("s1", None)), Progress::Moving);
        assert_eq!(attached("in-use", on("s1", None)), Progress::Moving);
        let done = attached("in-use", on("s1", Some("/dev/vdb")));
        assert_eq!(done, Progress::Done("vdb".to_owned()));
        assert!(matches!(attached("in-use", on("s2", Some("/dev/vdb"))), Progress::Obstacle(_)));
        assert!(matches!(attached("error", json!([])), Progress::Obstacle(_)));
        assert!(matches!(attached("deleting", json!([])), Progress::Obstacle(_)));
    }

    #[test]
    fn a_volume_is_free_when_no_server_is_getting_or_giving_it() {
        let detached = |status| record(status, json!([])).detached();
        assert_eq!(detached("in-use"), Progress::Untouched);
        assert_eq!(detached("detaching"), Progress::Moving);
        for status in ["available", "error", "deleting"] {
            assert_eq!(detached(status), Progress::Done(()), "{status}");
        }
    }
}
