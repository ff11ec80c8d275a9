//! How long a driver waits for its cloud, what it looks at meanwhile, and what it does with what came of
//! a wait in vain.
//!
//! A driver looks by a closure of its own, so each says itself what it means that there is nothing to see.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::volumes::{Progress, conflict};
use crate::{Cloud, CloudError, Volume, VolumeState, pauses};

/// How long the removal of what a failed creation made may hold up the answer.
const UNDO: Duration = Duration::from_secs(30);

/// Does the work, and gives it up when it takes too long.
pub(crate) async fn in_time<T>(
    waited: Duration,
    what: String,
    work: impl Future<Output = Result<T, CloudError>>,
) -> Result<T, CloudError> {
    timeout(waited, work).await.unwrap_or_else(|_| Err(CloudError::Timeout { what, waited }))
}

/// Waits until there is nothing to see any more.
pub(crate) async fn until_gone<T, F>(look: impl Fn() -> F) -> Result<(), CloudError>
where
    F: Future<Output = Result<Option<T>, CloudError>>,
{
    let mut pauses = pauses::growing();
    while look().await?.is_some() {
        sleep(pauses.next().unwrap_or_default()).await;
    }
    Ok(())
}

/// Removes the server that a failed creation made. The failure itself is what the caller must hear of.
pub(crate) async fn undo_server(cloud: &dyn Cloud, id: &str) {
    match timeout(UNDO, cloud.server_delete(id)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(
            cloud = cloud.name(),
            server = id,
            error = &error as &dyn std::error::Error,
            "a half-made server is left behind"
        ),
        Err(_) => {
            tracing::warn!(cloud = cloud.name(), server = id, "a half-made server is slow to go");
        }
    }
}

/// Removes the volume that a failed creation made, by this call.
pub(crate) async fn undo_volume(
    cloud: &str,
    id: &str,
    delete: impl Future<Output = Result<(), CloudError>>,
) {
    if let Err(error) = delete.await {
        tracing::warn!(
            cloud,
            volume = id,
            error = &error as &dyn std::error::Error,
            "a half-made volume is left behind"
        );
    }
}

/// A volume as one of the APIs writes it.
pub(crate) trait VolumeRecord: Into<Volume> {
    /// Whether it is there to be used.
    fn state(&self) -> VolumeState;

    /// The server that has it.
    fn server(&self) -> Option<&str>;

    /// How far the volume is on its way to `server`; done, it has a device there.
    fn attached(&self, server: &str) -> Progress<String>;

    /// How far the volume is on its way from whatever server has it.
    fn detached(&self) -> Progress<()>;
}

/// Waits until the volume can be attached. One that does not show is waited for.
pub(crate) async fn until_available<R: VolumeRecord, F>(
    name: &str,
    look: impl Fn() -> F,
) -> Result<Volume, CloudError>
where
    F: Future<Output = Result<Option<R>, CloudError>>,
{
    let failed = |fault| Err(volume_failed(name, fault));
    let mut pauses = pauses::growing();
    loop {
        if let Some(record) = look().await? {
            match record.state() {
                VolumeState::Available => return Ok(record.into()),
                VolumeState::Building => {}
                VolumeState::Failed => return failed("the cloud could not make it"),
                VolumeState::InUse => return failed("somebody attached it elsewhere"),
                VolumeState::Deleting => return failed("somebody is deleting it"),
            }
        }
        sleep(pauses.next().unwrap_or_default()).await;
    }
}

/// Waits until the server has the volume, and asks for it when nobody has; returns the device.
pub(crate) async fn until_attached<R: VolumeRecord, F>(
    id: &str,
    server: &str,
    look: impl Fn() -> F,
    ask: impl Future<Output = Result<(), CloudError>>,
) -> Result<String, CloudError>
where
    F: Future<Output = Result<Option<R>, CloudError>>,
{
    let mut ask = Some(ask);
    let mut pauses = pauses::growing();
    loop {
        let Some(record) = look().await? else {
            return Err(CloudError::NotFound { what: format!("volume {id}") });
        };
        match record.attached(server) {
            Progress::Done(device) => return Ok(device),
            Progress::Obstacle(reason) => return Err(conflict(id, reason)),
            Progress::Untouched => match ask.take() {
                Some(ask) => ask.await?,
                None => return Err(conflict(id, "the server does not take it")),
            },
            Progress::Moving => sleep(pauses.next().unwrap_or_default()).await,
        }
    }
}

/// Waits until no server has the volume, and asks the one that has for it.
pub(crate) async fn until_detached<R: VolumeRecord, F, A>(
    id: &str,
    look: impl Fn() -> F,
    ask: impl FnOnce(String) -> A,
) -> Result<(), CloudError>
where
    F: Future<Output = Result<Option<R>, CloudError>>,
    A: Future<Output = Result<(), CloudError>>,
{
    let mut ask = Some(ask);
    let mut pauses = pauses::growing();
    while let Some(record) = look().await? {
        match record.detached() {
            Progress::Done(()) => return Ok(()),
            Progress::Obstacle(reason) => return Err(conflict(id, reason)),
            Progress::Untouched => match ask.take().zip(record.server()) {
                Some((ask, server)) => ask(server.to_owned()).await?,
                None => return Err(conflict(id, "the server does not let go of it")),
            },
            Progress::Moving => sleep(pauses.next().unwrap_or_default()).await,
        }
    }
    Ok(())
}

/// Waits until the volume is gone; one that broke on its way never will be.
pub(crate) async fn until_deleted<R: VolumeRecord, F>(
    id: &str,
    look: impl Fn() -> F,
) -> Result<(), CloudError>
where
    F: Future<Output = Result<Option<R>, CloudError>>,
{
    until_gone(async || match look().await? {
        Some(record) if record.state() == VolumeState::Failed => {
            Err(volume_failed(id, "the cloud could not delete it"))
        }
        other => Ok(other),
    })
    .await
}

/// The volume is not and will not be what was asked for.
pub(crate) fn volume_failed(name: &str, fault: &str) -> CloudError {
    CloudError::VolumeFailed { name: name.to_owned(), fault: fault.to_owned() }
}
