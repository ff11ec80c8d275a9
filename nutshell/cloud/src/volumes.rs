//! What every cloud driver promises of volumes: disks that outlive the server they are attached to.

use std::collections::BTreeMap;

use async_trait::async_trait;
use time::OffsetDateTime;

use crate::CloudError;

/// The volumes of one account on one cloud.
///
/// As with servers, a volume carries the caller's tags from its first instant, so that whatever a
/// killed caller leaves behind is found by [`volumes`](Volumes::volumes).
#[async_trait]
pub trait Volumes {
    /// Makes a volume where a server can use it; returns when it can be attached.
    ///
    /// On failure what was made is removed again. When the caller is killed instead, or the future
    /// dropped, whatever exists carries the tags of `new`. Not idempotent: two calls, two volumes.
    async fn volume_create(&self, new: &NewVolume) -> Result<Volume, CloudError>;

    /// Attaches a volume to a server; returns the name of the device it has there (`vdb`) once the
    /// server can use it. Succeeds when it is attached there already; after a failure or a kill,
    /// call it again. A volume that another server has is a [`CloudError::Conflict`].
    async fn volume_attach(&self, id: &str, server: &str) -> Result<String, CloudError>;

    /// Takes a volume from whatever server has it, and returns when none has. Succeeds when none
    /// has it already, or it is gone; after a failure or a kill, call it again. A server that does
    /// not let go of it, because something there uses it, is a [`CloudError::Conflict`].
    async fn volume_detach(&self, id: &str) -> Result<(), CloudError>;

    /// Deletes a volume that no server has, with its data, and returns when it is gone. Succeeds
    /// when it is gone already; after a failure or a kill, call it again.
    async fn volume_delete(&self, id: &str) -> Result<(), CloudError>;

    /// All volumes whose tag `key` is exactly `value`, in whatever state.
    async fn volumes(&self, key: &str, value: &str) -> Result<Vec<Volume>, CloudError>;
}

/// A volume to be made.
#[derive(Clone, Debug)]
pub struct NewVolume {
    /// Its name; need not be unique.
    pub name: String,
    /// What must fit on it, in MiB; rounded up to what the cloud can make.
    pub size_mib: u64,
    /// The server it is for, which the cloud may have to make it near.
    pub server: String,
    /// Marks of ownership.
    pub tags: BTreeMap<String, String>,
}

/// A volume as the cloud describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// The cloud's own id.
    pub id: String,
    /// Its size as it was made, in MiB.
    pub size_mib: u64,
    /// Whether it is there to be used.
    pub state: VolumeState,
    /// The server that has it, if one has.
    pub server: Option<String>,
    /// The marks it was made with.
    pub tags: BTreeMap<String, String>,
    /// When it was asked for.
    pub created: OffsetDateTime,
}

/// Whether a volume can be used, as far as a platform cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeState {
    /// Being made; becomes `Available` or `Failed` by itself.
    Building,
    /// There, and no server has it.
    Available,
    /// A server has it, or is just getting it or giving it back.
    InUse,
    /// Going away.
    Deleting,
    /// Broken; only deleting it helps.
    Failed,
}

/// What an attach or a detach comes to, as far as the volume shows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress<T> {
    /// Nothing has happened yet.
    Untouched,
    /// Something is under way.
    Moving,
    /// It is done.
    Done(T),
    /// It will not be done by waiting.
    Obstacle(&'static str),
}

/// The present state of a volume does not allow it.
pub(crate) fn conflict(id: &str, reason: &str) -> CloudError {
    CloudError::Conflict { message: format!("volume {id}: {reason}") }
}

/// Clouds make volumes of whole GiB: the least number of them in which so many MiB fit.
pub(crate) fn whole_gib(size_mib: u64) -> u64 {
    size_mib.div_ceil(1024).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up() {
        for (mib, gib) in [(0, 1), (1, 1), (1024, 1), (1025, 2), (10_240, 10)] {
            assert_eq!(whole_gib(mib), gib, "{mib}");
        }
    }
}
