//! Volumes that change hands: their owner offers one and gets a key; who has the key takes it.

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::table::record;
use super::{Caller, Model, ProjectId, TransferId, VolumeId, VolumeState};

/// An offer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// The volume.
    pub volume_id: VolumeId,
    /// Who offers it.
    pub project_id: ProjectId,
    /// Its name; several may share one.
    pub name: Option<String>,
    /// Opens it.
    pub auth_key: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

impl Model {
    /// An offer of the caller's project.
    pub fn transfer(&self, caller: &Caller, id: &str) -> Result<&Transfer, Error> {
        let found = id.parse().ok().and_then(|id| self.transfers.get(id));
        found
            .filter(|transfer| caller.sees(transfer.project_id))
            .ok_or_else(|| Error::not_found(Kind::Transfer, id))
    }

    /// Offers a volume.
    pub fn create_transfer(
        &mut self,
        caller: &Caller,
        volume: &str,
        name: Option<String>,
        now: OffsetDateTime,
    ) -> Result<Transfer, Error> {
        let volume = self.volume(caller, volume)?;
        if volume.state != VolumeState::Available {
            return Err(Error::Invalid(format!(
                "Invalid volume: status must be available, but {} is {}.",
                volume.id,
                volume.state.name()
            )));
        }
        if self.snapshots.iter().any(|snapshot| snapshot.volume_id == volume.id) {
            return Err(Error::Invalid(
                "Invalid volume: a volume that has snapshots cannot be transferred.".to_owned(),
            ));
        }
        let transfer = Transfer {
            id: TransferId::random(),
            volume_id: volume.id,
            project_id: volume.project_id,
            name,
            auth_key: format!("{:016x}", rand::rng().random::<u64>()),
            created: now,
        };
        self.set_volume(transfer.volume_id, VolumeState::AwaitingTransfer, now);
        self.transfers.insert(transfer.clone());
        Ok(transfer)
    }

    /// Takes an offer back.
    pub fn delete_transfer(
        &mut self,
        caller: &Caller,
        id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let Transfer { id, volume_id, .. } = *self.transfer(caller, id)?;
        self.set_volume(volume_id, VolumeState::Available, now);
        self.transfers.remove(id);
        Ok(())
    }

    /// Takes the volume that is offered: it is the caller's project's from now on.
    pub fn accept_transfer(
        &mut self,
        caller: &Caller,
        project: ProjectId,
        id: &str,
        auth_key: &str,
        now: OffsetDateTime,
    ) -> Result<Transfer, Error> {
        // Who has the key sees it, whoever offers it.
        let found = id.parse().ok().and_then(|id| self.transfers.get(id));
        let transfer = found.ok_or_else(|| Error::not_found(Kind::Transfer, id))?.clone();
        if transfer.auth_key != auth_key {
            return Err(Error::Invalid(format!(
                "Invalid auth key: Attempt to transfer {id} with invalid auth key."
            )));
        }
        let missing = || Error::not_found(Kind::Volume, transfer.volume_id);
        let size = self.volumes.get(transfer.volume_id).ok_or_else(missing)?.size_gib;
        if transfer.project_id != project {
            self.check_storage(project, "volumes", 1, size)?;
        }
        if let Some(mut volume) = self.volumes.get_mut(transfer.volume_id) {
            volume.project_id = project;
            volume.user_id = caller.user_id;
        }
        self.set_volume(transfer.volume_id, VolumeState::Available, now);
        self.transfers.remove(transfer.id);
        Ok(transfer)
    }
}

record!(Transfer, TransferId, "volume_transfer");
