//! The calls of [`volume`] become what the contract promises.

use async_trait::async_trait;

use super::{OpenStack, volume};
use crate::fault::check_tags;
use crate::patience::{
    VolumeRecord as _, in_time, undo_volume, until_attached, until_available, until_deleted,
    until_detached, volume_failed,
};
use crate::volumes::whole_gib;
use crate::{CloudError, NewVolume, Volume, VolumeState, Volumes};

#[async_trait]
impl Volumes for OpenStack {
    async fn volume_create(&self, new: &NewVolume) -> Result<Volume, CloudError> {
        check_tags("volume", &new.name, &new.tags)?;
        let size = whole_gib(new.size_mib);
        let id = volume::create(&self.session, &new.name, size, &new.tags).await?;
        let what = format!("volume {} to be ready", new.name);
        let deleted = || volume_failed(&new.name, "somebody deleted it while it was being made");
        let look = async || {
            let found = volume::volume(&self.session, &id).await?;
            found.map(Some).ok_or_else(deleted)
        };
        let made = in_time(self.patience(), what, until_available(&new.name, look)).await;
        if made.is_err() {
            undo_volume(&self.name, &id, volume::delete(&self.session, &id)).await;
        }
        made
    }

    async fn volume_attach(&self, id: &str, server: &str) -> Result<String, CloudError> {
        let look = || volume::volume(&self.session, id);
        let ask = volume::attach(&self.session, id, server);
        let attached = until_attached(id, server, look, ask);
        in_time(self.patience(), format!("volume {id} to be attached"), attached).await
    }

    async fn volume_detach(&self, id: &str) -> Result<(), CloudError> {
        let look = || volume::volume(&self.session, id);
        let ask = async |server: String| volume::detach(&self.session, id, &server).await;
        let detached = until_detached(id, look, ask);
        in_time(self.patience(), format!("volume {id} to be detached"), detached).await
    }

    async fn volume_delete(&self, id: &str) -> Result<(), CloudError> {
        let Some(record) = volume::volume(&self.session, id).await? else { return Ok(()) };
        if record.state() != VolumeState::Deleting {
            volume::delete(&self.session, id).await?;
        }
        let deleted = until_deleted(id, || volume::volume(&self.session, id));
        in_time(self.patience(), format!("volume {id} to be gone"), deleted).await
    }

    async fn volumes(&self, key: &str, value: &str) -> Result<Vec<Volume>, CloudError> {
        let mut volumes = volume::volumes(&self.session).await?;
        volumes.retain(|volume| volume.metadata.get(key).is_some_and(|tag| tag == value));
        Ok(volumes.into_iter().map(Volume::from).collect())
    }
}
