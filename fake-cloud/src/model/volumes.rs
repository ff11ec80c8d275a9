//! What may become of volumes and snapshots: every decision, without carrying any of it out.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use uuid::Uuid;

use super::error::{Error, Kind};
use super::quota::{self, Demand};
use super::table::Changing;
use super::{
    Caller, Model, Modification, NewVolume, Orphans, Performance, ProjectId, Snapshot, SnapshotId,
    Volume, VolumeId, VolumeState, VolumeTypeId,
};

/// What a removal is to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The volume.
    pub volume: VolumeId,
    /// Its snapshots, to be removed before it.
    pub snapshots: Vec<SnapshotId>,
}

impl Model {
    /// A volume that the caller may see.
    pub fn volume(&self, caller: &Caller, id: &str) -> Result<&Volume, Error> {
        let found = id.parse().ok().and_then(|id| self.volumes.get(id));
        found
            .filter(|volume| caller.sees(volume.project_id))
            .ok_or_else(|| Error::not_found(Kind::Volume, id))
    }

    /// A volume that the caller may see, to be changed.
    pub fn volume_mut(&mut self, caller: &Caller, id: &str) -> Result<Changing<'_, Volume>, Error> {
        let id = self.volume(caller, id)?.id;
        self.volumes.get_mut(id).ok_or_else(|| Error::not_found(Kind::Volume, id))
    }

    /// A snapshot that the caller may see.
    pub fn snapshot(&self, caller: &Caller, id: &str) -> Result<&Snapshot, Error> {
        let found = id.parse().ok().and_then(|id| self.snapshots.get(id));
        found
            .filter(|snapshot| caller.sees(snapshot.project_id))
            .ok_or_else(|| Error::not_found(Kind::Snapshot, id))
    }

    /// A snapshot that the caller may see, to be changed.
    pub fn snapshot_mut(
        &mut self,
        caller: &Caller,
        id: &str,
    ) -> Result<Changing<'_, Snapshot>, Error> {
        let id = self.snapshot(caller, id)?.id;
        self.snapshots.get_mut(id).ok_or_else(|| Error::not_found(Kind::Snapshot, id))
    }

    /// How many volumes, snapshots and GiB of both a project has.
    pub fn storage_used(&self, project: ProjectId) -> (u64, u64, u64) {
        let (volumes, snapshots) = (self.volumes.index(), self.snapshots.index());
        let size = volumes.sizes.of(project) + snapshots.sizes.of(project);
        (volumes.projects.of(project), snapshots.projects.of(project), size)
    }

    pub(super) fn check_storage(
        &self,
        project: ProjectId,
        kind: &'static str,
        count: u64,
        size_gib: u64,
    ) -> Result<(), Error> {
        let quotas = self.quotas(project);
        let (volumes, snapshots, used) = self.storage_used(project);
        let (in_use, limit) = match kind {
            "snapshots" => (snapshots, quotas.snapshots),
            _ => (volumes, quotas.volumes),
        };
        quota::check(&[Demand { resource: kind, used: in_use, requested: count, limit }])?;
        let size =
            Demand { resource: "gigabytes", used, requested: size_gib, limit: quotas.gigabytes };
        quota::check(&[size])
    }

    /// The volume that a request has made already; refused when it was another request.
    pub fn volume_made_before(
        &self,
        project: ProjectId,
        wanted: &NewVolume,
    ) -> Result<Option<&Volume>, Error> {
        let Some(wanted) = &wanted.client_token else { return Ok(None) };
        let request = (project, wanted.token.clone());
        let made = self.volumes.at(self.volumes.index().requests.of(request)).next();
        if made.is_some_and(|volume| volume.client_token.as_ref() != Some(wanted)) {
            return Err(Error::OtherRequest(wanted.token.clone()));
        }
        Ok(made)
    }

    /// Records a new volume, whose data is to be made.
    pub fn create_volume(
        &mut self,
        caller: &Caller,
        project_id: ProjectId,
        wanted: NewVolume,
        now: OffsetDateTime,
    ) -> Result<Volume, Error> {
        let volume = self.new_volume(caller, project_id, wanted, now)?;
        self.check_storage(project_id, "volumes", 1, volume.size_gib)?;
        self.volumes.insert(volume.clone());
        Ok(volume)
    }

    /// The record of a new volume, within the quota or not.
    pub(super) fn new_volume(
        &self,
        caller: &Caller,
        project_id: ProjectId,
        wanted: NewVolume,
        now: OffsetDateTime,
    ) -> Result<Volume, Error> {
        let snapshot = wanted.snapshot.map(|id| self.snapshot_to_use(caller, &id)).transpose()?;
        let source = wanted.source.map(|id| self.volume(caller, &id)).transpose()?;
        let image = wanted.image.map(|id| self.active_image(caller, &id)).transpose()?;
        let from = match (snapshot, source) {
            _ if [snapshot.is_some(), source.is_some(), image.is_some()]
                .map(u8::from)
                .iter()
                .sum::<u8>()
                > 1 =>
            {
                return Err(Error::Invalid(
                    "Invalid input received: a volume has one source only.".to_owned(),
                ));
            }
            (Some(snapshot), _) => {
                available("snapshot", snapshot.state, &snapshot.id)?;
                Some(snapshot.size_gib)
            }
            (None, Some(volume)) if volume.state == VolumeState::InUse => Some(volume.size_gib),
            (None, Some(volume)) => {
                available("volume", volume.state, &volume.id)?;
                Some(volume.size_gib)
            }
            (None, None) => None,
        };
        let min_disk = image.map_or(0, |image| image.min_disk);
        let image_id = image.map(|image| image.id);
        let image_id = image_id.or(snapshot.and_then(|it| it.image_id));
        let image_id = image_id.or(source.and_then(|it| it.image_id));
        let kind = wanted.kind.map(|kind| self.volume_type(caller, &kind, true)).transpose()?;
        // A copy is of its source's type unless another is wanted.
        let kind = kind.map(|it| it.id).or(source.map(|it| it.type_id));
        let kind = kind.unwrap_or(VolumeTypeId::DEFAULT);
        let (snapshot_id, source_id) = (snapshot.map(|it| it.id), source.map(|it| it.id));
        let size_gib = wanted.size_gib.or(from).filter(|size| *size > 0).ok_or_else(|| {
            Error::Invalid(
                "Invalid input received: Volume size must be an integer and greater than 0."
                    .to_owned(),
            )
        })?;
        if from.is_some_and(|from| size_gib < from) {
            return Err(Error::Invalid(format!(
                "Invalid input received: Volume size {size_gib}GB cannot be smaller than original \
                 size {}GB. They must be >= original size.",
                from.unwrap_or_default()
            )));
        }
        if size_gib < min_disk {
            return Err(Error::Invalid(format!(
                "Invalid input received: Volume size {size_gib}GB cannot be smaller than the image \
                 minDisk size {min_disk}GB."
            )));
        }
        Ok(Volume {
            id: VolumeId::random(),
            project_id,
            user_id: caller.user_id,
            name: wanted.name,
            description: wanted.description,
            size_gib,
            metadata: wanted.metadata,
            snapshot_id,
            source_id,
            image_id,
            type_id: kind,
            bootable: None,
            image_metadata: BTreeMap::new(),
            reverting_to: None,
            state: VolumeState::Creating,
            attachment: None,
            client_token: wanted.client_token,
            performance: wanted.performance,
            modification: None,
            created: now,
            updated: None,
        })
    }

    /// Records a new snapshot, whose data is to be copied. `forced` allows one of a volume that a
    /// server has: then it is a copy of files that may change meanwhile.
    pub fn create_snapshot(
        &mut self,
        caller: &Caller,
        volume: &str,
        wanted: NewVolume,
        forced: bool,
        now: OffsetDateTime,
    ) -> Result<Snapshot, Error> {
        let volume = self.volume(caller, volume)?;
        if !(forced && volume.state == VolumeState::InUse) {
            available("volume", volume.state, &volume.id)?;
        }
        self.check_storage(volume.project_id, "snapshots", 1, volume.size_gib)?;
        let snapshot = Snapshot {
            id: SnapshotId::random(),
            project_id: volume.project_id,
            user_id: caller.user_id,
            volume_id: volume.id,
            name: wanted.name,
            description: wanted.description,
            size_gib: volume.size_gib,
            image_id: volume.image_id,
            metadata: wanted.metadata,
            state: VolumeState::Creating,
            created: now,
            updated: None,
        };
        self.snapshots.insert(snapshot.clone());
        Ok(snapshot)
    }

    /// Makes a volume larger.
    pub fn extend_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        size_gib: u64,
        attached_too: bool,
        now: OffsetDateTime,
    ) -> Result<VolumeId, Error> {
        let volume = self.volume(caller, id)?;
        let allowed = volume.state == VolumeState::Available
            || attached_too && volume.state == VolumeState::InUse;
        if !allowed {
            return Err(Error::Invalid(format!(
                "Invalid volume: Volume {} status must be 'available' to extend, currently {}.",
                volume.id,
                volume.state.name()
            )));
        }
        if size_gib <= volume.size_gib {
            return Err(Error::Invalid(format!(
                "Invalid input received: New size for extend must be greater than current size. \
                 (current: {}, extended: {size_gib}).",
                volume.size_gib
            )));
        }
        self.check_storage(volume.project_id, "volumes", 0, size_gib - volume.size_gib)?;
        let mut volume = self.volume_mut(caller, id)?;
        volume.size_gib = size_gib;
        volume.updated = Some(now);
        Ok(volume.id)
    }

    /// Changes what is said of a volume's speed, and its size when it is to grow.
    pub fn modify_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        size_gib: u64,
        performance: Performance,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let volume = self.volume(caller, id)?;
        let before = Modification {
            size_gib: volume.size_gib,
            performance: volume.performance.clone(),
            at: now,
        };
        if size_gib != volume.size_gib {
            self.extend_volume(caller, id, size_gib, true, now)?;
        }
        let mut volume = self.volume_mut(caller, id)?;
        volume.performance = performance;
        volume.modification = Some(before);
        Ok(())
    }

    /// Begins to remove a volume.
    pub fn delete_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        orphans: Orphans,
        now: OffsetDateTime,
    ) -> Result<Removal, Error> {
        let volume = self.volume(caller, id)?;
        let id = volume.id;
        let snapshots: Vec<_> = self.snapshots.at(self.snapshots.index().volumes.of(id)).collect();
        let idle = matches!(volume.state, VolumeState::Available | VolumeState::Error)
            && (snapshots.is_empty() || orphans != Orphans::Refuse)
            && snapshots.iter().all(|it| it.state != VolumeState::Creating)
            && !self.is_being_copied(id.0);
        if !idle {
            return Err(Error::Invalid(
                "Invalid volume: Volume status must be available or error or error_restoring or \
                 error_extending or error_managing and must not be migrating, attached, belong to \
                 a group, have snapshots, awaiting a transfer, or be disassociated from snapshots \
                 after volume transfer."
                    .to_owned(),
            ));
        }
        let doomed = snapshots.iter().filter(|_| orphans == Orphans::Remove);
        let snapshots: Vec<_> = doomed.map(|snapshot| snapshot.id).collect();
        for snapshot in &snapshots {
            self.set_snapshot(*snapshot, VolumeState::Deleting, now);
        }
        self.set_volume(id, VolumeState::Deleting, now);
        Ok(Removal { volume: id, snapshots })
    }

    /// Begins to remove a snapshot.
    pub fn delete_snapshot(
        &mut self,
        caller: &Caller,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<SnapshotId, Error> {
        let snapshot = self.snapshot(caller, id)?;
        let id = snapshot.id;
        let idle = matches!(snapshot.state, VolumeState::Available | VolumeState::Error);
        if !idle || self.is_being_copied(id.0) {
            return Err(Error::Invalid(
                "Invalid snapshot: Snapshot status must be available or error and it must not be \
                 part of a group, nor have dependent volumes."
                    .to_owned(),
            ));
        }
        self.set_snapshot(id, VolumeState::Deleting, now);
        Ok(id)
    }

    /// Whether a volume is just being made from this volume or snapshot.
    fn is_being_copied(&self, source: Uuid) -> bool {
        self.volumes.index().copies.has(source)
    }

    /// Records what has become of a volume. One without data is gone; one that was made for a
    /// server is the server's.
    pub fn settle_volume(&mut self, id: VolumeId, state: Option<VolumeState>, now: OffsetDateTime) {
        let Some(state) = state else { return drop(self.volumes.remove(id)) };
        let attached = self.volumes.get(id).is_some_and(|volume| volume.attachment.is_some());
        match state {
            VolumeState::Available if attached => self.set_volume(id, VolumeState::InUse, now),
            state => self.set_volume(id, state, now),
        }
    }

    /// As [`Model::settle_volume`], for a snapshot.
    pub fn settle_snapshot(
        &mut self,
        id: SnapshotId,
        state: Option<VolumeState>,
        now: OffsetDateTime,
    ) {
        match state {
            None => drop(self.snapshots.remove(id)),
            Some(state) => self.set_snapshot(id, state, now),
        }
    }

    /// Settles what was under way when the cloud went away. No server runs now, and each shows
    /// what it has when it starts.
    pub fn resume_volumes(&mut self, now: OffsetDateTime) {
        let settled = |volume: &Volume| match volume.state {
            VolumeState::Attaching => Some((volume.id, VolumeState::InUse)),
            VolumeState::Detaching => Some((volume.id, VolumeState::Available)),
            _ => None,
        };
        let interrupted: Vec<_> = self.volumes.iter().filter_map(settled).collect();
        for (id, state) in interrupted {
            self.set_volume(id, state, now);
        }
    }

    pub(super) fn set_volume(&mut self, id: VolumeId, state: VolumeState, now: OffsetDateTime) {
        let Some(mut volume) = self.volumes.get_mut(id) else { return };
        volume.state = state;
        volume.updated = Some(now);
        if state != VolumeState::Reverting {
            volume.reverting_to = None;
        }
        let held =
            matches!(state, VolumeState::Attaching | VolumeState::InUse | VolumeState::Detaching);
        if !held {
            volume.attachment = None;
        }
    }

    fn set_snapshot(&mut self, id: SnapshotId, state: VolumeState, now: OffsetDateTime) {
        if let Some(mut snapshot) = self.snapshots.get_mut(id) {
            snapshot.state = state;
            snapshot.updated = Some(now);
        }
    }
}

/// What a new volume's data is a copy of.
pub(crate) fn data_source(volume: &Volume) -> Option<Uuid> {
    volume.snapshot_id.map(Uuid::from).or_else(|| volume.source_id.map(Uuid::from))
}

fn available(kind: &str, state: VolumeState, id: &dyn std::fmt::Display) -> Result<(), Error> {
    if state == VolumeState::Available {
        return Ok(());
    }
    let upper = if kind == "volume" { "Volume" } else { "Snapshot" };
    Err(Error::Invalid(format!(
        "Invalid {kind}: {upper} {id} status must be available, but current status is: {}.",
        state.name()
    )))
}
