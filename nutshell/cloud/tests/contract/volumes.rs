//! Volumes.

use cloud::{CloudError, NewVolume, VolumeState};

use crate::for_every_driver;
use crate::world::{TAG, World, new_volume};

for_every_driver!(
    a_volume_is_made_attached_detached_and_deleted,
    what_is_done_already_is_not_done_again,
    a_volume_of_another_server_is_not_taken_away,
    a_server_that_goes_lets_go_of_its_volumes,
    a_volume_needs_a_tag;
    steered:
    a_volume_that_the_cloud_cannot_make_leaves_nothing_behind,
    a_server_that_does_not_let_go_keeps_its_volume,
);

async fn a_volume_is_made_attached_detached_and_deleted(world: &World) {
    let server = world.server().await;
    let made = world.cloud.volume_create(&new_volume(&server)).await.unwrap();
    assert_eq!((made.state, made.size_mib), (VolumeState::Available, 2048));
    let device = world.cloud.volume_attach(&made.id, &server.id).await.unwrap();
    assert!(!device.is_empty() && !device.contains('/'), "{device}");
    let listed = world.cloud.volumes(TAG.0, TAG.1).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].state, &listed[0].server), (VolumeState::InUse, &Some(server.id)));
    assert_eq!(listed[0].tags["node"], "7");
    assert!(world.cloud.volumes(TAG.0, "a").await.unwrap().is_empty());
    world.cloud.volume_detach(&made.id).await.unwrap();
    assert_eq!(world.cloud.volumes(TAG.0, TAG.1).await.unwrap()[0].server, None);
    world.cloud.volume_delete(&made.id).await.unwrap();
    assert!(world.cloud.volumes(TAG.0, TAG.1).await.unwrap().is_empty());
}

async fn what_is_done_already_is_not_done_again(world: &World) {
    let server = world.server().await;
    let volume = world.cloud.volume_create(&new_volume(&server)).await.unwrap();
    let first = world.cloud.volume_attach(&volume.id, &server.id).await.unwrap();
    assert_eq!(world.cloud.volume_attach(&volume.id, &server.id).await.unwrap(), first);
    for _ in 0..2 {
        world.cloud.volume_detach(&volume.id).await.unwrap();
    }
    for _ in 0..2 {
        world.cloud.volume_delete(&volume.id).await.unwrap();
    }
    world.cloud.volume_detach(&volume.id).await.unwrap();
}

async fn a_volume_of_another_server_is_not_taken_away(world: &World) {
    let (one, two) = (world.server().await, world.server().await);
    let volume = world.cloud.volume_create(&new_volume(&one)).await.unwrap();
    world.cloud.volume_attach(&volume.id, &one.id).await.unwrap();
    let error = world.cloud.volume_attach(&volume.id, &two.id).await.unwrap_err();
    assert!(matches!(error, CloudError::Conflict { .. }), "{error}");
    assert_eq!(world.cloud.volumes(TAG.0, TAG.1).await.unwrap()[0].server, Some(one.id));
}

async fn a_server_that_goes_lets_go_of_its_volumes(world: &World) {
    let server = world.server().await;
    let volume = world.cloud.volume_create(&new_volume(&server)).await.unwrap();
    world.cloud.volume_attach(&volume.id, &server.id).await.unwrap();
    world.cloud.server_delete(&server.id).await.unwrap();
    world.cloud.volume_detach(&volume.id).await.unwrap();
    world.cloud.volume_delete(&volume.id).await.unwrap();
    assert!(world.cloud.volumes(TAG.0, TAG.1).await.unwrap().is_empty());
}

async fn a_volume_that_the_cloud_cannot_make_leaves_nothing_behind(world: &World) {
    let server = world.server().await;
    world.fails("volume.creating");
    let error = world.cloud.volume_create(&new_volume(&server)).await.unwrap_err();
    assert!(matches!(error, CloudError::VolumeFailed { .. }), "{error}");
    assert!(world.cloud.volumes(TAG.0, TAG.1).await.unwrap().is_empty());
}

async fn a_server_that_does_not_let_go_keeps_its_volume(world: &World) {
    let server = world.server().await;
    let volume = world.cloud.volume_create(&new_volume(&server)).await.unwrap();
    world.cloud.volume_attach(&volume.id, &server.id).await.unwrap();
    world.fails("volume.detaching");
    let error = world.cloud.volume_detach(&volume.id).await.unwrap_err();
    assert!(matches!(error, CloudError::Conflict { .. }), "{error}");
    assert_eq!(world.cloud.volumes(TAG.0, TAG.1).await.unwrap()[0].server, Some(server.id));
    world.fake().control().clear().await;
    world.cloud.volume_detach(&volume.id).await.unwrap();
}

async fn a_volume_needs_a_tag(world: &World) {
    let server = world.server().await;
    let untagged = NewVolume { tags: [].into(), ..new_volume(&server) };
    let error = world.cloud.volume_create(&untagged).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error}");
}
