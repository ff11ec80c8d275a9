//! The calls of [`volume`] become what the contract promises.

use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use super::{OpenStack, volume};
use crate::fault::check_tags;
use crate::pauses;
use crate::volumes::{Progress, conflict, whole_gib};
use crate::{CloudError, NewVolume, Volume, VolumeState, Volumes};

impl OpenStack {
    async fn until_available(&self, id: &str, name: &str) -> Result<Volume, CloudError> {
        let failed = |fault: &str| CloudError::VolumeFailed {
            name: name.to_owned(),
            fault: fault.to_owned(),
        };
        let mut pauses = pauses::growing();
        loop {
            let Some(record) = volume::volume(&self.session, id).await? else {
                return Err(failed("somebody deleted it while it was being made"));
            };
            match record.state() {
                VolumeState::Available => return Ok(record.into()),
                VolumeState::Building => {}
                VolumeState::Failed => return Err(failed("the cloud could not make it")),
                VolumeState::InUse => return Err(failed("somebody attached it elsewhere")),
                VolumeState::Deleting => return Err(failed("somebody is deleting it")),
            }
            sleep(pauses.next().unwrap_or_default()).await;
        }
    }

    /// Removes what a failed creation made. The failure itself is what the caller must hear of.
    async fn volume_undo(&self, id: &str) {
        if let Err(error) = volume::delete(&self.session, id).await {
            tracing::warn!(
                cloud = self.name,
                volume = id,
                error = &error as &dyn std::error::Error,
                "a half-made volume is left behind"
            );
        }
    }

    async fn until_attached(&self, id: &str, server: &str) -> Result<String, CloudError> {
        let mut asked = false;
        let mut pauses = pauses::growing();
        loop {
            let Some(record) = volume::volume(&self.session, id).await? else {
                return Err(CloudError::NotFound { what: format!("volume {id}") });
            };
            match record.attached(server) {
                Progress::Done(device) => return Ok(device),
                Progress::Obstacle(reason) => return Err(conflict(id, reason)),
                Progress::Untouched if asked => {
                    return Err(conflict(id, "the server does not take it"));
                }
                Progress::Untouched => {
                    volume::attach(&self.session, id, server).await?;
                    asked = true;
                }
                Progress::Moving => sleep(pauses.next().unwrap_or_default()).await,
            }
        }
    }

    async fn until_detached(&self, id: &str) -> Result<(), CloudError> {
        let mut asked = false;
        let mut pauses = pauses::growing();
        while let Some(record) = volume::volume(&self.session, id).await? {
            match (record.detached(), record.server()) {
                (Progress::Done(()), _) => return Ok(()),
                (Progress::Obstacle(reason), _) => return Err(conflict(id, reason)),
                (Progress::Untouched, Some(server)) if !asked => {
                    volume::detach(&self.session, id, server).await?;
                    asked = true;
                }
                (Progress::Untouched, _) => {
                    return Err(conflict(id, "the server does not let go of it"));
                }
                (Progress::Moving, _) => sleep(pauses.next().unwrap_or_default()).await,
            }
        }
        Ok(())
    }

    async fn in_time<T>(
        &self,
        what: String,
        work: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, CloudError> {
        let waited = self.server_timeout();
        timeout(waited, work).await.unwrap_or_else(|_| Err(CloudError::Timeout { what, waited }))
    }

    async fn volume_until_gone(&self, id: &str) -> Result<(), CloudError> {
        let mut pauses = pauses::growing();
        while let Some(record) = volume::volume(&self.session, id).await? {
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
impl Volumes for OpenStack {
    async fn volume_create(&self, new: &NewVolume) -> Result<Volume, CloudError> {
        check_tags("volume", &new.name, &new.tags)?;
        let size = whole_gib(new.size_mib);
        let id = volume::create(&self.session, &new.name, size, &new.tags).await?;
        let what = format!("volume {} to be ready", new.name);
        let made = self.in_time(what, self.until_available(&id, &new.name)).await;
        if made.is_err() {
            self.volume_undo(&id).await;
        }
        made
    }

    async fn volume_attach(&self, id: &str, server: &str) -> Result<String, CloudError> {
        let attach = self.until_attached(id, server);
        self.in_time(format!("volume {id} to be attached"), attach).await
    }

    async fn volume_detach(&self, id: &str) -> Result<(), CloudError> {
        self.in_time(format!("volume {id} to be detached"), self.until_detached(id)).await
    }

    async fn volume_delete(&self, id: &str) -> Result<(), CloudError> {
        let Some(record) = volume::volume(&self.session, id).await? else { return Ok(()) };
        if record.state() != VolumeState::Deleting {
            volume::delete(&self.session, id).await?;
        }
        self.in_time(format!("volume {id} to be gone"), self.volume_until_gone(id)).await
    }

    async fn volumes(&self, key: &str, value: &str) -> Result<Vec<Volume>, CloudError> {
        let mut volumes = volume::volumes(&self.session).await?;
        volumes.retain(|volume| volume.metadata.get(key).is_some_and(|tag| tag == value));
        Ok(volumes.into_iter().map(Volume::from).collect())
    }
}
