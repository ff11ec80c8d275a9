//! Servers that exist in the API only: for tests of API clients, and for machines that may not
//! run anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;

use super::{Backend, BackendError, ServerSpec, VolumeMount};

/// The backend that runs nothing.
#[derive(Debug, Default)]
pub struct Inert {
    /// The servers that have a disk, and whether they are on.
    servers: Mutex<BTreeMap<Uuid, bool>>,
    volumes: Mutex<BTreeSet<Uuid>>,
}

impl Inert {
    fn servers(&self) -> MutexGuard<'_, BTreeMap<Uuid, bool>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Backend for Inert {
    async fn start(&self, server: &ServerSpec) -> Result<(), BackendError> {
        self.servers().insert(server.id, true);
        Ok(())
    }

    async fn stop(&self, id: Uuid) -> Result<(), BackendError> {
        if let Some(on) = self.servers().get_mut(&id) {
            *on = false;
        }
        Ok(())
    }

    async fn runs(&self, id: Uuid) -> bool {
        self.servers().get(&id).is_some_and(|on| *on)
    }

    fn boots_directories(&self) -> bool {
        false
    }

    fn reads_hosts(&self) -> bool {
        false
    }

    async fn delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.servers().remove(&id);
        Ok(())
    }

    async fn reset(&self, id: Uuid) -> Result<(), BackendError> {
        self.delete(id).await
    }

    /// Of a root directory with nothing in it.
    async fn capture(&self, _: &ServerSpec, archive: &Path, _: u64) -> Result<(), BackendError> {
        std::fs::write(archive, [0; 1024]).map_err(BackendError::step("write an archive"))
    }

    async fn pause(&self, _: Uuid, _: bool) -> Result<(), BackendError> {
        Ok(())
    }

    async fn console(&self, _: Uuid, _: Option<usize>) -> Result<String, BackendError> {
        Ok(String::new())
    }

    async fn disks(&self) -> Result<Vec<Uuid>, BackendError> {
        Ok(self.servers().keys().copied().collect())
    }

    async fn volume_extend(&self, _: Uuid, _: u64) -> Result<(), BackendError> {
        Ok(())
    }

    async fn volume_create(&self, id: Uuid, _: u64, _: Option<Uuid>) -> Result<(), BackendError> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        Ok(())
    }

    async fn volume_delete(&self, id: Uuid) -> Result<(), BackendError> {
        self.volumes.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        Ok(())
    }

    async fn volumes(&self) -> Result<Vec<Uuid>, BackendError> {
        Ok(self.volumes.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect())
    }

    fn boots_from_volumes(&self) -> bool {
        true
    }

    async fn volume_attach(&self, _: Uuid, _: &VolumeMount) -> Result<(), BackendError> {
        Ok(())
    }

    async fn volume_detach(&self, _: Uuid, _: &VolumeMount) -> Result<(), BackendError> {
        Ok(())
    }

    async fn power_off(&self) {}
}
