//! Steps that several operations have: a node's volume comes and goes.

use std::collections::BTreeMap;

use cloud::{Cloud, NewVolume};
use protocol::api::{Node, VolumeState};
use protocol::{NodeId, ServiceId, VolumeId};

use super::server::{TAG_APPLICATION, TAG_INSTALLATION, TAG_NODE};
use crate::app::{App, Error, Result};
use crate::db;
use crate::db::volume::VolumeRecord;

/// Which volume it is.
pub(crate) const TAG_VOLUME: &str = "volume";

/// The volume that an operation works on; cancelled when it is to go.
async fn wanted(app: &App, id: VolumeId) -> Result<VolumeRecord> {
    let found = db::volume::view(&mut *app.db.read().await?, id).await?;
    found.filter(|record| record.volume.state != VolumeState::Deleting).ok_or(Error::Cancelled)
}

fn failed(cloud: &dyn Cloud) -> impl Fn(cloud::CloudError) -> Error {
    let cloud = cloud.name().to_owned();
    move |source| Error::Cloud { cloud: cloud.clone(), source }
}

/// Sees to it that the volume is there, and records it.
pub(super) async fn create(app: &App, id: VolumeId) -> Result<()> {
    let VolumeRecord { volume, server, attempted, .. } = wanted(app, id).await?;
    if !volume.volume.is_empty() {
        return Ok(());
    }
    let cloud = app.cloud(&volume.cloud)?.as_ref();
    if attempted {
        // Asked for once, and killed before the answer was recorded.
        delete_tagged(app, cloud, id).await?;
    }
    let mut tx = app.db.write().await?;
    db::volume::set_attempted(&mut tx, id).await?;
    tx.commit().await?;

    let new = NewVolume {
        name: format!("vol-{}", volume.name),
        size_mib: volume.size_mib,
        server,
        tags: BTreeMap::from([
            (TAG_INSTALLATION.to_owned(), app.tag.clone()),
            (TAG_APPLICATION.to_owned(), volume.application.to_string()),
            (TAG_NODE.to_owned(), volume.node.to_string()),
            (TAG_VOLUME.to_owned(), id.to_string()),
        ]),
    };
    let made = cloud.volume_create(&new).await.map_err(failed(cloud))?;
    let mut tx = app.db.write().await?;
    let wanted = db::volume::set_volume(&mut tx, id, &made.id).await?;
    tx.commit().await?;
    if !wanted {
        // Whoever removed it could not know of this one.
        cloud.volume_delete(&made.id).await.map_err(failed(cloud))?;
        return Err(Error::Cancelled);
    }
    Ok(())
}

/// Sees to it that its node has the volume.
pub(crate) async fn attach(app: &App, id: VolumeId) -> Result<()> {
    let VolumeRecord { volume, server, .. } = wanted(app, id).await?;
    let cloud = app.cloud(&volume.cloud)?.as_ref();
    let device = cloud.volume_attach(&volume.volume, &server).await.map_err(failed(cloud))?;
    let mut tx = app.db.write().await?;
    let wanted = db::volume::set_attached(&mut tx, id, &device).await?;
    db::service::touch(&mut tx, volume.service).await?;
    tx.commit().await?;
    app.publish_service(volume.service).await;
    if wanted { Ok(()) } else { Err(Error::Cancelled) }
}

/// Sees to it that nothing is left of the volume in the cloud.
pub(super) async fn delete(app: &App, id: VolumeId) -> Result<()> {
    let found = db::volume::view(&mut *app.db.read().await?, id).await?;
    let Some(VolumeRecord { volume, attempted, .. }) = found else { return Ok(()) };
    let cloud = app.cloud(&volume.cloud)?.as_ref();
    if !volume.volume.is_empty() {
        return remove(cloud, &volume.volume).await;
    }
    if attempted {
        return delete_tagged(app, cloud, id).await;
    }
    Ok(())
}

/// Sees to it that nothing is left in the cloud of the volumes of a node whose server is gone.
pub(super) async fn delete_of_node(app: &App, node: &Node) -> Result<()> {
    let volumes = db::volume::list_of_node(&mut *app.db.read().await?, node.id).await?;
    for volume in volumes {
        delete(app, volume.id).await?;
    }
    Ok(())
}

/// The volumes of a node that goes are no longer wanted.
pub(super) async fn refuse_of_node(app: &App, node: NodeId) -> Result<()> {
    let mut tx = app.db.write().await?;
    db::volume::set_deleting_with_node(&mut tx, node).await?;
    Ok(tx.commit().await?)
}

/// Deletes whatever volumes carry the volume's tag.
async fn delete_tagged(app: &App, cloud: &dyn Cloud, id: VolumeId) -> Result<()> {
    let own = cloud.volumes(TAG_INSTALLATION, &app.tag).await.map_err(failed(cloud))?;
    let wanted = id.to_string();
    for volume in own.iter().filter(|volume| volume.tags.get(TAG_VOLUME) == Some(&wanted)) {
        remove(cloud, &volume.id).await?;
    }
    Ok(())
}

/// Takes a volume from whatever server has it, and deletes it.
pub(crate) async fn remove(cloud: &dyn Cloud, volume: &str) -> Result<()> {
    cloud.volume_detach(volume).await.map_err(failed(cloud))?;
    cloud.volume_delete(volume).await.map_err(failed(cloud))
}

/// Removes the record of a volume that is gone.
pub(super) async fn forget(app: &App, id: VolumeId) -> Result<()> {
    let mut tx = app.db.write().await?;
    let Some(record) = db::volume::view(&mut tx, id).await? else { return Ok(()) };
    let service: ServiceId = record.volume.service;
    db::volume::delete(&mut tx, id).await?;
    db::service::touch(&mut tx, service).await?;
    tx.commit().await?;
    app.publish_service(service).await;
    Ok(())
}
