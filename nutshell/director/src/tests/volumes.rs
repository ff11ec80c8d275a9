//! Volumes: made for nodes on their manager's wish, and gone with them.

use std::sync::Arc;

use protocol::api::internal::NodesDelete;
use protocol::api::{Node, VolumeCreate, VolumeState};
use protocol::client::VmClient;
use protocol::{ErrorCode, NodeId, ServiceId};

use super::World;
use super::cloud::Boot;
use super::vm;
use super::vms::{client, roles, silent_manager};
use super::world::refusal;
use crate::app::Error;
use crate::operations::Overseer;

/// The manager of an application with one service that has one node; the test speaks for it.
pub(super) async fn manager(world: &World) -> (VmClient, ServiceId, Node) {
    let (boot, service) = silent_manager(world, "test").await;
    let manager = client(&vm::join(&boot).await.unwrap());
    manager.ready().await.unwrap();
    world.cloud.boot(Boot::Ready);
    let node = manager.create_nodes(&roles(service, 1)).await.unwrap().nodes.remove(0);
    (manager, service, node)
}

pub(super) fn data(service: ServiceId, node: NodeId) -> VolumeCreate {
    VolumeCreate { service, node, name: "data".to_owned(), size_mib: 1500 }
}

#[tokio::test]
async fn a_volume_comes_to_its_node_and_is_shown_to_its_user() {
    let world = World::new().await;
    let (manager, service, node) = manager(&world).await;
    let volume = manager.create_volume(&data(service, node.id)).await.unwrap();
    assert_eq!((volume.state, volume.device.as_str()), (VolumeState::Attached, "vdb"));
    let made = world.cloud.volumes().remove(0);
    assert_eq!((&made.id, made.size_mib), (&volume.volume, 2048));
    assert_eq!(made.server, Some(node.server));
    let listed = manager.volumes().await.unwrap();
    assert_eq!(listed.volumes, std::slice::from_ref(&volume));
    let user = world.login("test").await;
    assert_eq!(user.service_volumes(service).await.unwrap(), listed);
    let again = manager.create_volume(&data(service, node.id)).await;
    assert_eq!(refusal(again).0, ErrorCode::Conflict);

    manager.delete_volume(volume.id).await.unwrap();
    manager.delete_volume(volume.id).await.unwrap();
    assert!(world.cloud.volumes().is_empty());
    assert!(manager.volumes().await.unwrap().volumes.is_empty());
}

#[tokio::test]
async fn a_volume_goes_with_its_node() {
    let world = World::new().await;
    let (manager, service, node) = manager(&world).await;
    manager.create_volume(&data(service, node.id)).await.unwrap();
    manager.delete_nodes(&NodesDelete { nodes: vec![node.id] }).await.unwrap();
    assert!(world.cloud.volumes().is_empty());
    assert!(manager.volumes().await.unwrap().volumes.is_empty());
}

#[tokio::test]
async fn volumes_go_with_their_application() {
    let world = World::new().await;
    let (manager, service, node) = manager(&world).await;
    manager.create_volume(&data(service, node.id)).await.unwrap();
    world.login("test").await.application_delete(node.application).await.unwrap();
    assert!(world.cloud.volumes().is_empty());
    world.assert_clean_slate_soon().await;
}

#[tokio::test]
async fn a_volume_that_is_used_stays_as_it_is() {
    let world = World::new().await;
    let (manager, service, node) = manager(&world).await;
    let volume = manager.create_volume(&data(service, node.id)).await.unwrap();
    world.cloud.volumes_busy(true);
    let (code, message) = refusal(manager.delete_volume(volume.id).await);
    assert_eq!(code, ErrorCode::CloudFailed);
    assert!(message.contains("does not let go of it"), "{message}");
    assert_eq!(manager.volumes().await.unwrap().volumes[0].state, VolumeState::Attached);
    world.cloud.volumes_busy(false);
    manager.delete_volume(volume.id).await.unwrap();
}

#[tokio::test]
async fn volumes_are_for_nodes_of_ones_own() {
    let world = World::new().await;
    let (one, service, node) = manager(&world).await;
    let volume = one.create_volume(&data(service, node.id)).await.unwrap();
    let (boot, others) = silent_manager(&world, "other").await;
    let other = client(&vm::join(&boot).await.unwrap());
    for wrong in [data(service, node.id), data(others, node.id), data(others, boot.node)] {
        assert_eq!(refusal(other.create_volume(&wrong).await).0, ErrorCode::NotFound);
    }
    other.delete_volume(volume.id).await.unwrap();
    assert!(other.volumes().await.unwrap().volumes.is_empty());
    assert_eq!(world.cloud.volumes().len(), 1, "it is not touched");
    let unnamed = VolumeCreate { name: "a/b".to_owned(), ..data(service, node.id) };
    assert_eq!(refusal(one.create_volume(&unnamed).await).0, ErrorCode::InvalidRequest);
}

/// A world whose director fails, once, after a step of making a volume; or does each step twice.
async fn overseen(failing: Option<&'static str>) -> World {
    let failed = std::sync::Mutex::new(false);
    let overseer = Overseer(Arc::new(move |of, at| {
        let mut failed = failed.lock().unwrap();
        match failing {
            _ if !of.starts_with("volume_") => Ok(0),
            None => Ok(1),
            Some(step) if at == step && !*failed => {
                *failed = true;
                Err(Error::Cancelled)
            }
            Some(_) => Ok(0),
        }
    }));
    World::with(|tuning| tuning.overseer = Some(overseer)).await
}

#[tokio::test]
async fn making_a_volume_survives_repetition_and_unwinds_from_every_step() {
    let world = overseen(None).await;
    let (manager_, service, node) = manager(&world).await;
    let volume = manager_.create_volume(&data(service, node.id)).await.unwrap();
    assert_eq!(world.cloud.volumes().len(), 1);
    manager_.delete_volume(volume.id).await.unwrap();
    assert!(world.cloud.volumes().is_empty());
    for step in ["volume_record", "volume_create", "volume_attach"] {
        let world = overseen(Some(step)).await;
        let (manager, service, node) = manager(&world).await;
        assert!(manager.create_volume(&data(service, node.id)).await.is_err(), "{step}");
        assert!(world.cloud.volumes().is_empty(), "{step}");
        assert!(manager.volumes().await.unwrap().volumes.is_empty(), "{step}");
        manager.create_volume(&data(service, node.id)).await.unwrap();
    }
    for step in ["volume_delete", "volume_forget"] {
        let world = overseen(Some(step)).await;
        let (manager, service, node) = manager(&world).await;
        let volume = manager.create_volume(&data(service, node.id)).await.unwrap();
        // Told when a step failed; the work goes on.
        let _ = manager.delete_volume(volume.id).await;
        world.app().reconcile_once().await;
        world.app().operations_given_up().await;
        assert!(world.cloud.volumes().is_empty(), "{step}");
        assert!(manager.volumes().await.unwrap().volumes.is_empty(), "{step}");
    }
}

#[tokio::test]
async fn the_reconciler_removes_orphans_and_gives_nodes_their_volumes_back() {
    let world = World::new().await;
    let (manager, service, node) = manager(&world).await;
    let volume = manager.create_volume(&data(service, node.id)).await.unwrap();
    let installation = world.tag();
    world.cloud.volume_stray(&[installation, ("volume", "4711")]);
    let kept = [
        world.cloud.volume_stray(&[("installation", "elsewhere"), ("volume", "4711")]),
        world.cloud.volume_stray(&[]),
        world.cloud.volume_stray(&[installation]),
    ];
    world.cloud.volume_tear(&volume.volume, false);
    world.app().reconcile_once().await;
    let left = world.cloud.volumes();
    assert_eq!(left.len(), 4, "{left:?}");
    assert!(kept.iter().all(|kept| left.iter().any(|volume| volume.id == *kept)));
    let own = left.iter().find(|left| left.id == volume.volume).unwrap();
    assert_eq!(own.server.as_deref(), Some(node.server.as_str()));

    world.cloud.volume_tear(&volume.volume, true);
    world.app().reconcile_once().await;
    assert_eq!(manager.volumes().await.unwrap().volumes[0].state, VolumeState::Lost);
    let shown = world.login("test").await.service_view(service).await.unwrap();
    assert_eq!(shown.reason.as_deref(), Some("the cloud lost volume data"));
    manager.delete_volume(volume.id).await.unwrap();
}
