//! Servers and their addresses.

use cloud::{CloudError, NewServer, ServerState};

use fake_cloud::control::Supply;

use crate::for_every_driver;
use crate::world::{TAG, World, new_server, tags};

for_every_driver!(
    a_server_comes_with_its_addresses_and_goes_with_them,
    only_tagged_servers_are_listed,
    another_instance_type_can_be_asked_for,
    a_server_needs_a_tag,
    the_settings_are_found_good,
    types_come_smallest_first,
    the_memory_of_a_type_is_known,
    wrong_credentials_are_told_as_such;
    steered:
    an_empty_pool_leaves_nothing_behind,
    a_busy_cloud_is_asked_again,
);

async fn a_server_comes_with_its_addresses_and_goes_with_them(world: &World) {
    let made = world.server().await;
    assert_eq!((made.state, made.name.as_str()), (ServerState::Active, "manager"));
    assert!(made.private_ip.is_some() && made.public_ip.is_some(), "{made:?}");
    assert_eq!(made.tags, tags());
    let listed = world.cloud.servers(TAG.0, TAG.1).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, made.id);
    // A list may be a little behind.
    assert!(listed[0].public_ip.is_none() || listed[0].public_ip == made.public_ip, "{listed:?}");
    assert!(world.cloud.addresses_release_unused(TAG.0, TAG.1).await.unwrap().is_empty());
    world.cloud.server_delete(&made.id).await.unwrap();
    world.cloud.server_delete(&made.id).await.unwrap();
    assert!(world.cloud.servers(TAG.0, TAG.1).await.unwrap().is_empty());
    // Its address was given back: there is nothing left to release, and the pool is as full as before.
    assert!(world.cloud.addresses_release_unused(TAG.0, TAG.1).await.unwrap().is_empty());
    let again = world.server().await;
    assert!(again.public_ip.is_some());
}

async fn an_empty_pool_leaves_nothing_behind(world: &World) {
    world.fake().control().exhaust(&Supply::Pool("public".to_owned())).unwrap();
    let error = world.cloud.server_create(&new_server()).await.unwrap_err();
    assert!(matches!(error, CloudError::AddressesExhausted { .. }), "{error}");
    assert!(world.cloud.servers(TAG.0, TAG.1).await.unwrap().is_empty());
}

async fn only_tagged_servers_are_listed(world: &World) {
    let made = world.server().await;
    let other = [("installation".to_owned(), "a11".to_owned())].into();
    world.cloud.server_create(&NewServer { tags: other, ..new_server() }).await.unwrap();
    let listed = world.cloud.servers(TAG.0, TAG.1).await.unwrap();
    assert_eq!(listed.iter().map(|server| &server.id).collect::<Vec<_>>(), [&made.id]);
}

async fn another_instance_type_can_be_asked_for(world: &World) {
    let wanted = |name: &str| NewServer { instance_type: Some(name.into()), ..new_server() };
    world.cloud.server_create(&wanted("m1.tiny")).await.unwrap();
    let error = world.cloud.server_create(&wanted("m1.huge")).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("m1.huge"), "{error}");
}

async fn a_server_needs_a_tag(world: &World) {
    let untagged = NewServer { tags: [].into(), ..new_server() };
    let error = world.cloud.server_create(&untagged).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error}");
}

async fn the_settings_are_found_good(world: &World) {
    world.cloud.check().await.unwrap();
}

async fn types_come_smallest_first(world: &World) {
    let types = world.cloud.instance_types().await.unwrap();
    assert_eq!((types[0].name.as_str(), types[0].memory_mib), ("m1.tiny", 512));
    assert!(types.windows(2).all(|pair| pair[0].memory_mib <= pair[1].memory_mib));
}

async fn the_memory_of_a_type_is_known(world: &World) {
    assert_eq!(world.cloud.memory_mib("m1.tiny").await.unwrap(), 512);
    let error = world.cloud.memory_mib("m1.huge").await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("m1.huge"), "{error}");
}

async fn a_busy_cloud_is_asked_again(world: &World) {
    for api in ["compute:*", "ec2:*"] {
        world.answers(api, 429, Some(2));
    }
    assert!(world.cloud.servers(TAG.0, TAG.1).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_elastic_address_that_got_lost_on_its_way_is_found() {
    let world = World::ec2().await;
    for operation in ["ec2:AssociateAddress", "ec2:ReleaseAddress"] {
        world.answers(operation, 500, None);
    }
    let error = world.cloud.server_create(&new_server()).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    world.fake().control().clear().await;
    assert!(world.cloud.servers(TAG.0, TAG.1).await.unwrap().is_empty());
    assert!(world.cloud.addresses_release_unused(TAG.0, "a").await.unwrap().is_empty());
    assert_eq!(world.cloud.addresses_release_unused(TAG.0, TAG.1).await.unwrap().len(), 1);
    assert!(world.cloud.addresses_release_unused(TAG.0, TAG.1).await.unwrap().is_empty());
}

async fn wrong_credentials_are_told_as_such(world: &World) {
    let error = world.stranger.servers(TAG.0, TAG.1).await.unwrap_err();
    assert!(matches!(error, CloudError::Unauthorized { .. }), "{error}");
    assert_eq!(world.stranger.check().await.unwrap_err().len(), 1);
}
