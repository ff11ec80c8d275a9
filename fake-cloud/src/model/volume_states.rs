//! What is said of the states of volumes from outside, and volumes that go back to a snapshot.

use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::{Caller, Model, SnapshotId, VolumeId, VolumeState};

impl Model {
    /// Says what a volume is, whatever it was, and whether a server has it.
    pub fn reset_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        state: Option<VolumeState>,
        attached: Option<bool>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let volume = self.volume(caller, id)?;
        let (id, held) = (volume.id, volume.attachment.is_some());
        let state = state.unwrap_or(volume.state);
        match (state, attached) {
            (VolumeState::InUse, _) if !held => {
                return Err(Error::Invalid(format!("Invalid volume: no server has volume {id}.")));
            }
            (_, Some(true)) if !held => {
                return Err(Error::Invalid(format!("Invalid volume: no server has volume {id}.")));
            }
            (VolumeState::InUse, Some(false)) => {
                self.set_volume(id, VolumeState::Available, now);
            }
            (state, _) => self.set_volume(id, state, now),
        }
        let offers: Vec<_> =
            self.transfers.iter().filter(|it| it.volume_id == id).map(|it| it.id).collect();
        for offer in offers {
            self.transfers.remove(offer);
        }
        Ok(())
    }

    /// As [`Model::reset_volume`], for a snapshot.
    pub fn reset_snapshot(
        &mut self,
        caller: &Caller,
        id: &str,
        state: VolumeState,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        if state == VolumeState::InUse {
            return Err(Error::Invalid("Invalid snapshot: no server has a snapshot.".to_owned()));
        }
        let mut snapshot = self.snapshot_mut(caller, id)?;
        snapshot.state = state;
        snapshot.updated = Some(now);
        Ok(())
    }

    /// Begins to give a volume the data of its latest snapshot again.
    pub fn revert_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        snapshot: &str,
        now: OffsetDateTime,
    ) -> Result<(VolumeId, SnapshotId), Error> {
        let volume = self.volume(caller, id)?;
        let id = volume.id;
        let snapshot = self.snapshot(caller, snapshot)?;
        let latest = self.snapshots.iter().rfind(|it| it.volume_id == id).map(|it| it.id);
        if latest != Some(snapshot.id) {
            return Err(Error::Invalid(format!(
                "Invalid volume: Specified snapshot_id {} is not the latest one of volume {id}.",
                snapshot.id
            )));
        }
        if snapshot.size_gib != volume.size_gib {
            return Err(Error::Invalid(format!(
                "Invalid volume: volume {id} was extended after snapshot {} was made.",
                snapshot.id
            )));
        }
        for (what, state) in [("Volume", volume.state), ("Snapshot", snapshot.state)] {
            if state != VolumeState::Available {
                let state = state.name();
                return Err(Error::Invalid(format!(
                    "Invalid volume: {what} must be available to revert, but is {state}."
                )));
            }
        }
        let snapshot = snapshot.id;
        self.set_volume(id, VolumeState::Reverting, now);
        let missing = || Error::not_found(Kind::Volume, id);
        self.volumes.get_mut(id).ok_or_else(missing)?.reverting_to = Some(snapshot);
        Ok((id, snapshot))
    }
}
