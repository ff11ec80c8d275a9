//! Volumes: a manager asks for them, for nodes of its own services.

use protocol::api::{Node, NodeState, Volume, VolumeCreate, VolumeState};
use protocol::{ServiceId, UserId, VolumeId};

use super::vm::Vm;
use super::{App, Error, Result};
use crate::db;
use crate::operations::volume_create::VolumeCreation;
use crate::operations::volume_delete::VolumeDeletion;

/// The largest volume, in MiB: a PiB. Clouds have limits of their own.
const LARGEST: u64 = 1 << 30;

/// The longest name, in characters.
const LONGEST_NAME: usize = 64;

impl App {
    /// The volumes of the user's service.
    pub(crate) async fn service_volumes(&self, user: UserId, id: ServiceId) -> Result<Vec<Volume>> {
        let mut connection = self.db.read().await?;
        super::service::service_of(&mut connection, user, id).await?;
        Ok(db::volume::list_of_service(&mut connection, id).await?)
    }

    /// The volumes of the application's services.
    pub(crate) async fn vm_volumes(&self, vm: &Vm) -> Result<Vec<Volume>> {
        let mut connection = self.db.read().await?;
        Ok(db::volume::list_of_application(&mut connection, vm.node.application).await?)
    }

    /// A volume for a node of the application, attached to it; or nothing at all. The work goes on
    /// when the manager no longer listens; it finds the volume in the list.
    pub(crate) async fn vm_volume_create(&self, vm: &Vm, create: VolumeCreate) -> Result<Volume> {
        check(&create.name, create.size_mib)?;
        let mut tx = self.db.write().await?;
        let application = vm.node.application;
        let nodes = db::node::list_of_application(&mut tx, application).await?;
        let node = nodes
            .iter()
            .find(|node| node.id == create.node && node.service == Some(create.service))
            .ok_or_else(|| Error::not_found("node", create.node))?;
        check_node(node)?;
        let volumes = db::volume::list_of_application(&mut tx, application).await?;
        if volumes.iter().any(|other| other.name == create.name) {
            return Err(Error::VolumeNameTaken(create.name));
        }
        let now = self.now();
        let begun =
            VolumeCreation::begin(&mut tx, node, &create.name, create.size_mib, now).await?;
        tx.commit().await?;
        let id = begun.parameters().volume;
        let operation = begun.run(self);
        self.publish_service(create.service).await;
        self.operation_await(operation).await?;
        let found = db::volume::view(&mut *self.db.read().await?, id).await?;
        found.map(|record| record.volume).ok_or(Error::Cancelled)
    }

    /// Removes a volume of the application; one that is gone is gone. A node that still uses it
    /// keeps it, and so does the caller.
    pub(crate) async fn vm_volume_delete(&self, vm: &Vm, id: VolumeId) -> Result<()> {
        let found = db::volume::view(&mut *self.db.read().await?, id).await?;
        let Some(record) = found.filter(|found| found.volume.application == vm.node.application)
        else {
            return Ok(());
        };
        let volume = record.volume;
        if volume.state == VolumeState::Attached {
            // First, and by itself: from then on nothing stands in the way of the removal.
            let failed = |source| Error::Cloud { cloud: volume.cloud.clone(), source };
            self.cloud(&volume.cloud)?.volume_detach(&volume.volume).await.map_err(failed)?;
        }
        let mut tx = self.db.write().await?;
        let begun = VolumeDeletion::begin(&mut tx, &volume, self.now()).await?;
        tx.commit().await?;
        let operation = begun.run(self);
        self.publish_service(volume.service).await;
        self.operation_await(operation).await
    }
}

/// Whether there can be a volume of that name and size.
pub(crate) fn check(name: &str, size_mib: u64) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(allowed) {
        return Err(Error::Invalid(format!(
            "`{name}` is no name for a volume: at most {LONGEST_NAME} letters, digits, - and _"
        )));
    }
    if (1..=LARGEST).contains(&size_mib) {
        return Ok(());
    }
    Err(Error::Invalid(format!("the size of a volume must be between 1 and {LARGEST} MiB")))
}

/// Only a node at work can be given a volume.
fn check_node(node: &Node) -> Result<()> {
    match node.state {
        NodeState::Ready => Ok(()),
        NodeState::Starting | NodeState::Stopping | NodeState::Lost => {
            Err(Error::Invalid(format!("node {} is not at work", node.id)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_has_a_plain_name_and_a_size() {
        for (name, size, good) in [
            ("data_1-a", 1, true),
            ("data", LARGEST, true),
            ("data", 0, false),
            ("data", LARGEST + 1, false),
            ("", 1, false),
            ("../data", 1, false),
            ("a b", 1, false),
            ("ä", 1, false),
        ] {
            assert_eq!(check(name, size).is_ok(), good, "{name} {size}");
        }
        assert!(check(&"x".repeat(65), 1).is_err());
    }
}
