//! The way to the volumes of one service's nodes: the director makes and keeps them.

use async_trait::async_trait;
use protocol::api::{Volume, VolumeCreate};
use protocol::{NodeId, ServiceId, VolumeId};
use services::ServiceError;
use services::manager_half::Volumes;

use crate::director::Director;

/// See the module.
pub(crate) struct ServiceVolumes {
    pub(crate) director: Director,
    pub(crate) service: ServiceId,
}

#[async_trait]
impl Volumes for ServiceVolumes {
    async fn list(&self) -> Result<Vec<Volume>, ServiceError> {
        let mut volumes = self.director.volumes().await?;
        volumes.retain(|volume| volume.service == self.service);
        Ok(volumes)
    }

    async fn create(
        &self,
        node: NodeId,
        name: &str,
        size_mib: u64,
    ) -> Result<Volume, ServiceError> {
        let create = VolumeCreate { service: self.service, node, name: name.to_owned(), size_mib };
        Ok(self.director.create_volume(&create).await?)
    }

    async fn delete(&self, id: VolumeId) -> Result<(), ServiceError> {
        Ok(self.director.delete_volume(id).await?)
    }
}
