//! Volumes as the manager sees them: made at the cloud, then brought to their place in the node.

use protocol::api::generic::{VolumeAdd, VolumeName};
use protocol::api::{Node, Volume};
use protocol::{ApiError, NodeId};
use serde_json::json;

use super::distribution;
use super::wire::MountedVolume;
use crate::manager_half::{Outcome, at};
use crate::{ManagerContext, ServiceError};

/// The node of the service with this id.
pub(super) fn node_of(context: &ManagerContext, id: NodeId) -> Result<&Node, ApiError> {
    context.nodes.iter().find(|node| node.id == id).ok_or_else(|| {
        let service = context.service;
        ApiError::not_found(format!("service {service} has no node {id}"))
            .hint(format!("`cps service list-nodes {service}` lists its nodes"))
    })
}

/// The volume of the service with this name.
pub(super) async fn find(context: &ManagerContext, name: &str) -> Result<Volume, ServiceError> {
    let found = context.volumes.list().await?.into_iter().find(|volume| volume.name == name);
    found.ok_or_else(|| {
        let service = context.service;
        ApiError::not_found(format!("service {service} has no volume `{name}`"))
            .hint(format!("`cps generic list-volumes {service}` lists its volumes"))
            .into()
    })
}

/// Makes a volume that its node can use, or leaves nothing.
pub(super) async fn create(
    context: &ManagerContext,
    add: VolumeAdd,
) -> Result<Outcome, ServiceError> {
    let node = node_of(context, add.node)?;
    let volume = context.volumes.create(add.node, &add.name, add.size_mib).await?;
    if let Err(error) = mount(context, node, &volume).await {
        if let Err(error) = context.volumes.delete(volume.id).await {
            let error = &error as &dyn std::error::Error;
            tracing::error!(volume = volume.name, error, "an unusable volume remains");
        }
        return Err(error);
    }
    let remark = distribution::settle(context).await?;
    Ok(Outcome { value: json!(volume), remark })
}

/// Takes a volume from its node, with all that is on it.
pub(super) async fn delete(
    context: &ManagerContext,
    name: VolumeName,
) -> Result<Outcome, ServiceError> {
    let volume = find(context, &name.name).await?;
    // A node that is gone has no hold on it.
    let node = node_of(context, volume.node).ok();
    if let Some(node) = node {
        let agent = context.agents.agent(node)?;
        let mounted = mounted(&volume);
        agent.command::<()>("unmount_volume", &mounted).await.map_err(at(node.id))?;
    }
    if let Err(error) = context.volumes.delete(volume.id).await {
        // It is as it was.
        if let Some(node) = node {
            mount(context, node, &volume).await?;
        }
        return Err(error);
    }
    let remark = distribution::settle(context).await?;
    Ok(Outcome { value: json!({}), remark })
}

async fn mount(context: &ManagerContext, node: &Node, volume: &Volume) -> Result<(), ServiceError> {
    let agent = context.agents.agent(node)?;
    agent.command("mount_volume", &mounted(volume)).await.map_err(at(node.id))
}

fn mounted(volume: &Volume) -> MountedVolume {
    MountedVolume { name: volume.name.clone(), device: volume.device.clone() }
}
