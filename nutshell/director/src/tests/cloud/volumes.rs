//! The volumes of the cloud in memory.

use async_trait::async_trait;
use cloud::{CloudError, NewVolume, Volume, VolumeState, Volumes};
use time::OffsetDateTime;

use super::TestCloud;

impl TestCloud {
    /// All volumes there are.
    pub(crate) fn volumes(&self) -> Vec<Volume> {
        self.state().volumes.values().cloned().collect()
    }

    /// Nothing in any server lets go of its volumes, from now on.
    pub(crate) fn volumes_busy(&self, busy: bool) {
        self.state().volumes_busy = busy;
    }

    /// Takes a volume from its server, or away altogether, as somebody at the cloud's console does.
    pub(crate) fn volume_tear(&self, id: &str, altogether: bool) {
        let mut state = self.state();
        if altogether {
            state.volumes.remove(id);
        } else if let Some(volume) = state.volumes.get_mut(id) {
            (volume.state, volume.server) = (VolumeState::Available, None);
        }
    }

    /// A volume that no director asked for.
    pub(crate) fn volume_stray(&self, tags: &[(&str, &str)]) -> String {
        let tags = tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        self.volume_insert(1, tags).id
    }

    fn volume_insert(
        &self,
        size_mib: u64,
        tags: std::collections::BTreeMap<String, String>,
    ) -> Volume {
        let mut state = self.state();
        state.created += 1;
        let id = format!("volume-{}", state.created);
        let (server, created) = (None, OffsetDateTime::now_utc());
        let volume = Volume {
            id: id.clone(),
            size_mib,
            state: VolumeState::Available,
            server,
            tags,
            created,
        };
        state.volumes.insert(id, volume.clone());
        volume
    }
}

#[async_trait]
impl Volumes for TestCloud {
    async fn volume_create(&self, new: &NewVolume) -> Result<Volume, CloudError> {
        self.reachable()?;
        let size_mib = new.size_mib.next_multiple_of(1024);
        Ok(self.volume_insert(size_mib, new.tags.clone()))
    }

    async fn volume_attach(&self, id: &str, server: &str) -> Result<String, CloudError> {
        self.reachable()?;
        let mut state = self.state();
        if !state.servers.contains_key(server) {
            return Err(CloudError::NotFound { what: format!("server {server}") });
        }
        let missing = || CloudError::NotFound { what: format!("volume {id}") };
        let volume = state.volumes.get_mut(id).ok_or_else(missing)?;
        volume.state = VolumeState::InUse;
        volume.server = Some(server.to_owned());
        Ok("vdb".to_owned())
    }

    async fn volume_detach(&self, id: &str) -> Result<(), CloudError> {
        self.reachable()?;
        let mut state = self.state();
        let busy = state.volumes_busy;
        let Some(volume) = state.volumes.get_mut(id) else { return Ok(()) };
        if busy && volume.server.is_some() {
            let message = format!("volume {id}: the server does not let go of it");
            return Err(CloudError::Conflict { message });
        }
        (volume.state, volume.server) = (VolumeState::Available, None);
        Ok(())
    }

    async fn volume_delete(&self, id: &str) -> Result<(), CloudError> {
        self.reachable()?;
        self.state().volumes.remove(id);
        Ok(())
    }

    async fn volumes(&self, key: &str, value: &str) -> Result<Vec<Volume>, CloudError> {
        self.reachable()?;
        let mut volumes = TestCloud::volumes(self);
        volumes.retain(|volume| volume.tags.get(key).map(String::as_str) == Some(value));
        Ok(volumes)
    }
}
