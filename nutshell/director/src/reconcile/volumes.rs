//! Volumes that no node has, and nodes whose volumes are gone or got loose.
//!
//! As with servers, the records are looked at before and after the cloud's volumes are listed: a
//! volume is an orphan only when it is unknown *after* the listing, and anything is wrong with a
//! recorded one only when the record was the same *before*.

use std::collections::HashMap;
use std::sync::Arc;

use cloud::{Cloud, Volume, VolumeState as CloudState};
use protocol::VolumeId;
use protocol::api::VolumeState;

use crate::app::{App, Error, Result};
use crate::db;
use crate::db::volume::VolumeRecord;
use crate::operations::TAG_INSTALLATION;
use crate::operations::volume::{self, TAG_VOLUME};

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Action {
    /// Nobody has this volume of the cloud.
    Delete(String),
    /// The cloud no longer has the volume.
    MarkLost(VolumeId),
    /// Its node should have it, and does not.
    Attach(VolumeId),
}

/// Compares the recorded volumes of a cloud with those it has, which all carry our tag.
fn plan(before: &[VolumeRecord], volumes: &[Volume], after: &[VolumeRecord]) -> Vec<Action> {
    let known: HashMap<String, &VolumeRecord> =
        after.iter().map(|record| (record.volume.id.to_string(), record)).collect();
    let orphans = volumes
        .iter()
        .filter(|volume| volume.state != CloudState::Deleting && is_orphan(volume, &known))
        .map(|volume| Action::Delete(volume.id.clone()));
    let wrong = before.iter().filter_map(|record| {
        let now = known.get(&record.volume.id.to_string())?;
        let settled = record.volume.state == VolumeState::Attached
            && now.volume == record.volume
            && !record.in_operation
            && !now.in_operation;
        amiss(record, volumes).filter(|_| settled)
    });
    orphans.chain(wrong).collect()
}

fn is_orphan(volume: &Volume, known: &HashMap<String, &VolumeRecord>) -> bool {
    // Ours by its tag, but not made by any director we know of.
    let Some(id) = volume.tags.get(TAG_VOLUME) else { return false };
    match known.get(id) {
        None => true,
        Some(record) => !record.in_operation && record.volume.volume != volume.id,
    }
}

fn amiss(record: &VolumeRecord, volumes: &[Volume]) -> Option<Action> {
    let id = record.volume.id;
    match volumes.iter().find(|volume| volume.id == record.volume.volume) {
        None => Some(Action::MarkLost(id)),
        Some(volume) => match volume.state {
            CloudState::Failed | CloudState::Deleting => Some(Action::MarkLost(id)),
            CloudState::Available => Some(Action::Attach(id)),
            CloudState::InUse | CloudState::Building => None,
        },
    }
}

impl App {
    /// Brings the volumes of a cloud together with what should be there.
    pub(super) async fn reconcile_volumes(&self, name: &str, cloud: &Arc<dyn Cloud>) -> Result<()> {
        let failed = |source| Error::Cloud { cloud: name.to_owned(), source };
        let before = db::volume::list_of_cloud(&mut *self.db.read().await?, name).await?;
        let volumes = cloud.volumes(TAG_INSTALLATION, &self.tag).await.map_err(failed)?;
        let after = db::volume::list_of_cloud(&mut *self.db.read().await?, name).await?;
        for action in plan(&before, &volumes, &after) {
            match action {
                Action::Delete(id) => {
                    tracing::warn!(cloud = name, volume = id, "deleting a volume that nobody has");
                    volume::remove(cloud.as_ref(), &id).await?;
                }
                Action::MarkLost(id) => self.volume_lost(id).await?,
                Action::Attach(id) => volume::attach(self, id).await?,
            }
        }
        Ok(())
    }

    /// Says where it shows that the cloud no longer has the volume.
    async fn volume_lost(&self, id: VolumeId) -> Result<()> {
        let mut tx = self.db.write().await?;
        let Some(record) = db::volume::view(&mut tx, id).await? else { return Ok(()) };
        if !db::volume::set_lost(&mut tx, id).await? {
            return Ok(());
        }
        let volume = record.volume;
        let reason = format!("the cloud lost volume {}", volume.name);
        db::service::set_reason(&mut tx, volume.service, &reason, self.now()).await?;
        tx.commit().await?;
        tracing::warn!(volume = %id, "the cloud lost a volume");
        self.publish_service(volume.service).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::{ApplicationId, NodeId, ServiceId};
    use time::OffsetDateTime;

    use super::*;

    fn record(id: i64, volume: &str, state: VolumeState, in_operation: bool) -> VolumeRecord {
        VolumeRecord {
            volume: protocol::api::Volume {
                id: VolumeId(id),
                application: ApplicationId(1),
                service: ServiceId(1),
                node: NodeId(2),
                name: "data".to_owned(),
                size_mib: 1024,
                state,
                cloud: "default".to_owned(),
                volume: volume.to_owned(),
                device: "vdb".to_owned(),
                created: OffsetDateTime::UNIX_EPOCH,
            },
            server: "s".to_owned(),
            attempted: true,
            in_operation,
        }
    }

    fn volume(id: &str, of: Option<&str>, state: CloudState) -> Volume {
        let tags: BTreeMap<_, _> =
            of.map(|of| (TAG_VOLUME.to_owned(), of.to_owned())).into_iter().collect();
        let created = OffsetDateTime::UNIX_EPOCH;
        Volume { id: id.to_owned(), size_mib: 1024, state, server: None, tags, created }
    }

    #[test]
    fn orphans_go_and_what_a_node_should_have_comes_back() {
        use CloudState::{Available, Deleting, InUse};
        use VolumeState::{Attached, Creating, Lost};
        let has = |state| vec![volume("a", Some("1"), state)];
        let whole = record(1, "a", Attached, false);
        let making = record(1, "", Creating, true);
        let busy = record(1, "a", Attached, true);
        let lost = record(1, "a", Lost, false);
        let delete = vec![Action::Delete("a".to_owned())];
        let cases = [
            ("all is well", vec![&whole], has(InUse), vec![&whole], vec![]),
            ("nobody's", vec![], has(InUse), vec![], delete),
            ("nobody's, going already", vec![], has(Deleting), vec![], vec![]),
            ("without a volume's tag", vec![], vec![volume("a", None, InUse)], vec![], vec![]),
            ("being made", vec![&making], has(Available), vec![&making], vec![]),
            ("made since we looked", vec![], has(Available), vec![&making], vec![]),
            ("gone", vec![&whole], vec![], vec![&whole], vec![Action::MarkLost(VolumeId(1))]),
            ("known to be gone", vec![&lost], vec![], vec![&lost], vec![]),
            (
                "loose",
                vec![&whole],
                has(Available),
                vec![&whole],
                vec![Action::Attach(VolumeId(1))],
            ),
            ("loose, being removed", vec![&whole], has(Available), vec![&busy], vec![]),
            ("removed since", vec![&whole], vec![], vec![], vec![]),
        ];
        for (case, before, volumes, after, expected) in cases {
            let owned = |records: Vec<&VolumeRecord>| -> Vec<VolumeRecord> {
                records.into_iter().cloned().collect()
            };
            assert_eq!(plan(&owned(before), &volumes, &owned(after)), expected, "{case}");
        }
    }
}
