//! The calls of [`volume`] become what the contract promises.

use async_trait::async_trait;

use super::{Ec2, instance, volume};
use crate::fault::check_tags;
use crate::patience::{
    in_time, undo_volume, until_attached, until_available, until_deleted, until_detached,
};
use crate::volumes::{conflict, whole_gib};
use crate::{CloudError, NewVolume, Volume, Volumes};

impl Ec2 {
    /// EC2 wants to be told the device. One at a time: the next one sees which are taken.
    async fn volume_ask_attach(&self, id: &str, server: &str) -> Result<(), CloudError> {
        let _turn = self.devices.lock().await;
        let Some(instance) = instance::instance(&self.api, server).await? else {
            return Err(CloudError::NotFound { what: format!("server {server}") });
        };
        let device = volume::free_device(instance.devices())
            .ok_or_else(|| conflict(id, "the server has no room for another volume"))?;
        volume::attach(&self.api, id, server, &device).await
    }
}

#[async_trait]
impl Volumes for Ec2 {
    async fn volume_create(&self, new: &NewVolume) -> Result<Volume, CloudError> {
        check_tags("volume", &new.name, &new.tags)?;
        let Some(instance) = instance::instance(&self.api, &new.server).await? else {
            return Err(CloudError::NotFound { what: format!("server {}", new.server) });
        };
        let size = whole_gib(new.size_mib);
        let id = volume::create(&self.api, &new.name, size, instance.zone(), &new.tags).await?;
        let what = format!("volume {} to be ready", new.name);
        // A new volume may take a moment to show.
        let ready = until_available(&new.name, || volume::volume(&self.api, &id));
        let made = in_time(self.patience(), what, ready).await;
        if made.is_err() {
            undo_volume(&self.name, &id, volume::delete(&self.api, &id)).await;
        }
        made
    }

    async fn volume_attach(&self, id: &str, server: &str) -> Result<String, CloudError> {
        let look = || volume::volume(&self.api, id);
        let attached = until_attached(id, server, look, self.volume_ask_attach(id, server));
        in_time(self.patience(), format!("volume {id} to be attached"), attached).await
    }

    async fn volume_detach(&self, id: &str) -> Result<(), CloudError> {
        let look = || volume::volume(&self.api, id);
        let detached = until_detached(id, look, |_| volume::detach(&self.api, id));
        in_time(self.patience(), format!("volume {id} to be detached"), detached).await
    }

    async fn volume_delete(&self, id: &str) -> Result<(), CloudError> {
        volume::delete(&self.api, id).await?;
        let deleted = until_deleted(id, || volume::volume(&self.api, id));
        in_time(self.patience(), format!("volume {id} to be gone"), deleted).await
    }

    async fn volumes(&self, key: &str, value: &str) -> Result<Vec<Volume>, CloudError> {
        let mut volumes = volume::volumes(&self.api, &format!("tag:{key}"), value).await?;
        volumes.retain(|volume| volume.has_tag(key, value));
        Ok(volumes.into_iter().map(Volume::from).collect())
    }
}
