//! EBS: volumes as EC2 writes them, one function a call, and what to do next about a volume that
//! changes hands.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::api::{Api, Call, Items, Page, Tag, tags_of};
use crate::patience::{self, VolumeRecord as _};
use crate::volumes::Progress;
use crate::{CloudError, Volume, VolumeState};

/// A volume as EC2 writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VolumeRecord {
    #[serde(rename = "volumeId")]
    pub(crate) id: String,
    /// In GiB.
    size: u64,
    status: String,
    #[serde(with = "time::serde::rfc3339")]
    create_time: OffsetDateTime,
    #[serde(default)]
    attachment_set: Items<Attachment>,
    #[serde(default)]
    tag_set: Items<Tag>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    instance_id: String,
    device: String,
    status: String,
}

impl VolumeRecord {
    fn attachment(&self) -> Option<&Attachment> {
        self.attachment_set.item.iter().find(|attachment| attachment.status != "detached")
    }

    pub(crate) fn has_tag(&self, key: &str, value: &str) -> bool {
        tags_of(&self.tag_set).get(key).is_some_and(|tag| tag == value)
    }
}

impl patience::VolumeRecord for VolumeRecord {
    fn state(&self) -> VolumeState {
        match self.status.as_str() {
            "creating" => VolumeState::Building,
            "available" => VolumeState::Available,
            "deleting" | "deleted" => VolumeState::Deleting,
            "error" => VolumeState::Failed,
            _ => VolumeState::InUse,
        }
    }

    fn server(&self) -> Option<&str> {
        self.attachment().map(|attachment| attachment.instance_id.as_str())
    }

    fn attached(&self, server: &str) -> Progress<String> {
        match (self.state(), self.attachment()) {
            (VolumeState::Failed, _) => Progress::Obstacle("it is broken"),
            (VolumeState::Deleting, _) => Progress::Obstacle("it is being deleted"),
            (VolumeState::Building, _) => Progress::Moving,
            (VolumeState::Available, _) => Progress::Untouched,
            (VolumeState::InUse, Some(there)) if there.status == "detaching" => Progress::Moving,
            (VolumeState::InUse, Some(there)) if there.instance_id != server => {
                Progress::Obstacle("another server has it")
            }
            (VolumeState::InUse, Some(there)) if there.status == "attached" => {
                Progress::Done(there.device.trim_start_matches("/dev/").to_owned())
            }
            (VolumeState::InUse, _) => Progress::Moving,
        }
    }

    fn detached(&self) -> Progress<()> {
        match (self.state(), self.attachment()) {
            (VolumeState::InUse, Some(there)) => match there.status.as_str() {
                "attached" => Progress::Untouched,
                "busy" => Progress::Obstacle("the server does not let go of it"),
                _ => Progress::Moving,
            },
            (VolumeState::InUse, None) => Progress::Moving,
            _ => Progress::Done(()),
        }
    }
}

impl From<VolumeRecord> for Volume {
    fn from(record: VolumeRecord) -> Self {
        Self {
            state: record.state(),
            server: record.server().map(str::to_owned),
            size_mib: record.size * 1024,
            tags: tags_of(&record.tag_set),
            id: record.id,
            created: record.create_time,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VolumePage {
    #[serde(default)]
    volume_set: Items<VolumeRecord>,
    #[serde(default)]
    next_token: Option<String>,
}

impl Page for VolumePage {
    type Item = VolumeRecord;

    fn into_parts(self) -> (Vec<VolumeRecord>, Option<String>) {
        (self.volume_set.item, self.next_token)
    }
}

/// Asks for a volume of so many GiB; returns its id at once.
pub(crate) async fn create(
    api: &Api,
    name: &str,
    size_gib: u64,
    zone: &str,
    tags: &BTreeMap<String, String>,
) -> Result<String, CloudError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Created {
        volume_id: String,
    }
    let call = Call::change("CreateVolume")
        .with("AvailabilityZone", zone)
        .with("Size", size_gib.to_string())
        .tags("volume", Some(name), tags);
    Ok(api.fetch::<Created>(call).await?.volume_id)
}

/// One volume; `None` when it does not exist.
pub(crate) async fn volume(api: &Api, id: &str) -> Result<Option<VolumeRecord>, CloudError> {
    let call = Call::repeatable("DescribeVolumes").with("VolumeId.1", id);
    match api.list::<VolumePage>(call).await {
        Err(CloudError::NotFound { .. }) => Ok(None),
        found => Ok(found?.into_iter().find(|volume| volume.status != "deleted")),
    }
}

/// The account's volumes with this value of this filter; asterisks in it fit anything.
pub(crate) async fn volumes(
    api: &Api,
    filter: &str,
    value: &str,
) -> Result<Vec<VolumeRecord>, CloudError> {
    let call =
        Call::repeatable("DescribeVolumes").filter(1, filter, value).with("MaxResults", "500");
    let mut volumes = api.list::<VolumePage>(call).await?;
    volumes.retain(|volume| volume.status != "deleted");
    Ok(volumes)
}

/// Asks for a volume to be deleted.
pub(crate) async fn delete(api: &Api, id: &str) -> Result<(), CloudError> {
    api.remove(Call::repeatable("DeleteVolume").with("VolumeId", id)).await
}

/// Asks for a volume to be given to a server, as this device.
pub(crate) async fn attach(
    api: &Api,
    id: &str,
    server: &str,
    device: &str,
) -> Result<(), CloudError> {
    let call = Call::change("AttachVolume")
        .with("VolumeId", id)
        .with("InstanceId", server)
        .with("Device", format!("/dev/{device}"));
    api.order(call).await
}

/// Asks for a volume to be taken from whatever server has it.
pub(crate) async fn detach(api: &Api, id: &str) -> Result<(), CloudError> {
    api.remove(Call::change("DetachVolume").with("VolumeId", id)).await
}

/// The first device that is free, of those that Amazon recommends.
pub(crate) fn free_device<'a>(taken: impl Iterator<Item = &'a str>) -> Option<String> {
    let taken: Vec<&str> = taken.collect();
    ('f'..='p').map(|letter| format!("sd{letter}")).find(|device| !taken.contains(&device.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: &str, attachment: Option<(&str, &str)>) -> VolumeRecord {
        let attachment = attachment.map_or(String::new(), |(server, status)| {
            format!(
                "<item><volumeId>vol-1</volumeId><instanceId>{server}</instanceId>\
                 <device>/dev/sdf</device><status>{status}</status></item>"
            )
        });
        quick_xml::de::from_str(&format!(
            "<item><volumeId>vol-1</volumeId><size>2</size><snapshotId/>\
             <status>{status}</status><createTime>2026-11-21T07:01:20.000Z</createTime>\
             <attachmentSet>{attachment}</attachmentSet>\
             <tagSet><item><key>Name</key><value>data</value></item>\
             <item><key>installation</key><value>a1</value></item></tagSet></item>"
        ))
        .unwrap()
    }

    #[test]
    fn a_volume_reads_as_the_contract_has_it() {
        let record = record("in-use", Some(("i-1", "attached")));
        assert_eq!(record.attached("i-1"), Progress::Done("sdf".to_owned()));
        let volume = Volume::from(record);
        assert_eq!((volume.size_mib, volume.state), (2048, VolumeState::InUse));
        assert_eq!(volume.server.as_deref(), Some("i-1"));
        assert_eq!(volume.tags, [("installation".to_owned(), "a1".to_owned())].into());
    }

    #[test]
    fn a_volume_changes_hands_one_step_at_a_time() {
        let attached = |status, there| record(status, there).attached("i-1");
        assert_eq!(attached("available", None), Progress::Untouched);
        assert_eq!(attached("in-use", Some(("i-1", "attaching"))), Progress::Moving);
        assert_eq!(attached("in-use", Some(("i-2", "detaching"))), Progress::Moving);
        assert!(matches!(attached("in-use", Some(("i-2", "attached"))), Progress::Obstacle(_)));
        assert!(matches!(attached("error", None), Progress::Obstacle(_)));
        let detached = |status, there| record(status, there).detached();
        assert_eq!(detached("in-use", Some(("i-1", "attached"))), Progress::Untouched);
        assert_eq!(detached("in-use", Some(("i-1", "detaching"))), Progress::Moving);
        assert!(matches!(detached("in-use", Some(("i-1", "busy"))), Progress::Obstacle(_)));
        assert_eq!(detached("available", None), Progress::Done(()));
    }

    #[test]
    fn the_next_device_is_one_that_nothing_has() {
        assert_eq!(free_device(["sda1"].into_iter()).as_deref(), Some("sdf"));
        assert_eq!(free_device(["sdg", "sdf"].into_iter()).as_deref(), Some("sdh"));
        let all: Vec<String> = ('f'..='p').map(|letter| format!("sd{letter}")).collect();
        assert_eq!(free_device(all.iter().map(String::as_str)), None);
    }
}
