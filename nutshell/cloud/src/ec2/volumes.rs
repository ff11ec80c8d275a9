//! The calls of [`volume`] become what the contract promises.

use async_trait::async_trait;
use tokio::time::sleep;

use super::{Ec2, instance, volume};
use crate::fault::check_tags;
use crate::volumes::{Progress, conflict, whole_gib};
use crate::{CloudError, NewVolume, Volume, VolumeState, Volumes, pauses};

impl Ec2 {
    async fn volume_until_available(&self, id: &str, name: &str) -> Result<Volume, CloudError> {
        let failed = |fault: &str| CloudError::VolumeFailed {
            name: name.to_owned(),
            fault: fault.to_owned(),
        };
        let mut pauses = pauses::growing();
        loop {
            // A new volume may take a moment to show.
            if let Some(record) = volume::volume(&self.api, id).await? {
                match record.state() {
                    VolumeState::Available => return Ok(record.into()),
                    VolumeState::Building => {}
                    VolumeState::Failed => return Err(failed("the cloud could not make it")),
                    VolumeState::InUse => return Err(failed("somebody attached it elsewhere")),
                    VolumeState::Deleting => return Err(failed("somebody is deleting it")),
                }
            }
            sleep(pauses.next().unwrap_or_default()).await;
        }
    }

    async fn volume_until_attached(&self, id: &str, server: &str) -> Result<String, CloudError> {
        let mut asked = false;
        let mut pauses = pauses::growing();
        loop {
            let Some(record) = volume::volume(&self.api, id).await? else {
                return Err(CloudError::NotFound { what: format!("volume {id}") });
            };
            match record.attached(server) {
                Progress::Done(device) => return Ok(device),
                Progress::Obstacle(reason) => return Err(conflict(id, reason)),
                Progress::Untouched if asked => {
                    return Err(conflict(id, "the server does not take it"));
                }
                Progress::Untouched => {
                    self.volume_ask_attach(id, server).await?;
                    asked = true;
                }
                Progress::Moving => sleep(pauses.next().unwrap_or_default()).await,
            }
        }
    }

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

    async fn volume_until_detached(&self, id: &str) -> Result<(), CloudError> {
        let mut asked = false;
        let mut pauses = pauses::growing();
        while let Some(record) = volume::volume(&self.api, id).await? {
            match record.detached() {
                Progress::Done(()) => return Ok(()),
                Progress::Obstacle(reason) => return Err(conflict(id, reason)),
                Progress::Untouched if asked => {
                    return Err(conflict(id, "the server does not let go of it"));
                }
                Progress::Untouched => {
                    volume::detach(&self.api, id).await?;
                    asked = true;
                }
                Progress::Moving => sleep(pauses.next().unwrap_or_default()).await,
            }
        }
        Ok(())
    }

    async fn volume_until_gone(&self, id: &str) -> Result<(), CloudError> {
        let mut pauses = pauses::growing();
        while let Some(record) = volume::volume(&self.api, id).await? {
            if record.state() == VolumeState::Failed {
                let fault = "the cloud could not delete it".to_owned();
                return Err(CloudError::VolumeFailed { name: id.to_owned(), fault });
            }
            sleep(pauses.next().unwrap_or_default()).await;
        }
        Ok(())
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
        let made = self.in_time(what, self.volume_until_available(&id, &new.name)).await;
        if made.is_err()
            && let Err(error) = volume::delete(&self.api, &id).await
        {
            tracing::warn!(
                cloud = self.name,
                volume = id,
                error = &error as &dyn std::error::Error,
                "a half-made volume is left behind"
            );
        }
        made
    }

    async fn volume_attach(&self, id: &str, server: &str) -> Result<String, CloudError> {
        let attach = self.volume_until_attached(id, server);
        self.in_time(format!("volume {id} to be attached"), attach).await
    }

    async fn volume_detach(&self, id: &str) -> Result<(), CloudError> {
        let detach = self.volume_until_detached(id);
        self.in_time(format!("volume {id} to be detached"), detach).await
    }

    async fn volume_delete(&self, id: &str) -> Result<(), CloudError> {
        volume::delete(&self.api, id).await?;
        self.in_time(format!("volume {id} to be gone"), self.volume_until_gone(id)).await
    }

    async fn volumes(&self, key: &str, value: &str) -> Result<Vec<Volume>, CloudError> {
        let mut volumes = volume::volumes(&self.api, &format!("tag:{key}"), value).await?;
        volumes.retain(|volume| volume.has_tag(key, value));
        Ok(volumes.into_iter().map(Volume::from).collect())
    }
}
