//! Volumes that go back to a snapshot: the effects of the model's decisions.

use std::sync::Arc;

use futures::future::join_all;

use super::{Cloud, Failure, chain};
use crate::backends::BackendError;
use crate::control::{Passage, points};
use crate::model::{Caller, SnapshotId, VolumeId, VolumeState};

impl Cloud {
    /// Begins to give a volume the data of its latest snapshot again.
    pub(crate) async fn revert_volume(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        snapshot: &str,
    ) -> Result<(), Failure> {
        let (begun, written) =
            self.decide(|model, now| model.revert_volume(caller, id, snapshot, now));
        let (id, snapshot) = begun?;
        written.wait().await?;
        let cloud = Arc::clone(self);
        let work = self.spawn(async move { cloud.revert(id, snapshot).await });
        self.wait_a_little(vec![work]).await;
        Ok(())
    }

    /// Does again what was under way when the cloud went away.
    pub(super) async fn resume_reverting(&self) {
        let interrupted: Vec<_> = {
            let model = self.read();
            model.volumes.iter().filter_map(|it| Some((it.id, it.reverting_to?))).collect()
        };
        join_all(interrupted.into_iter().map(|(id, snapshot)| self.revert(id, snapshot))).await;
    }

    async fn revert(&self, id: VolumeId, snapshot: SnapshotId) {
        let reverted = match self.pass(&points::volume(VolumeState::Reverting), id.0).await {
            Passage::Abandoned => return,
            Passage::Free => self.replace(id, snapshot).await,
            Passage::Failed(reason) => Err(BackendError::Injected(reason)),
        };
        if self.going_down.is_cancelled() {
            return;
        }
        if let Err(error) = &reverted {
            tracing::warn!(volume = %id, error = chain(error), "failed to revert");
        }
        let state = if reverted.is_ok() { VolumeState::Available } else { VolumeState::Error };
        let ((), written) = self.decide(|model, now| model.settle_volume(id, Some(state), now));
        if let Err(error) = written.wait().await {
            tracing::error!(volume = %id, error = chain(&error), "the outcome is not recorded");
        }
    }

    async fn replace(&self, id: VolumeId, snapshot: SnapshotId) -> Result<(), BackendError> {
        let size = self.read().volumes.get(id).map_or(0, |volume| volume.size_gib);
        self.backend.volume_delete(id.into()).await?;
        self.backend.volume_create(id.into(), size, Some(snapshot.into())).await
    }
}
