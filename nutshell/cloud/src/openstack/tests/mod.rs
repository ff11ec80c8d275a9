//! The driver's sequences, played against a recorded cloud.

mod recorded;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::json;

use self::recorded::{Behaviour, Recorded};
use super::{OpenStack, Settings};
use crate::{Cloud, CloudError, NewServer, ServerState};

const TAG: (&str, &str) = ("installation", "a1");

async fn cloud(behaviour: Behaviour) -> (Recorded, OpenStack) {
    cloud_with(behaviour, |_| {}).await
}

async fn cloud_with(behaviour: Behaviour, change: impl Fn(&mut Settings)) -> (Recorded, OpenStack) {
    let recorded = Recorded::start(behaviour).await;
    let mut settings = recorded.settings();
    change(&mut settings);
    let cloud = OpenStack::new("default", settings).unwrap();
    (recorded, cloud)
}

fn new_server() -> NewServer {
    NewServer {
        name: "manager".into(),
        instance_type: None,
        user_data: b"#!/bin/sh\nexit 0\n".to_vec(),
        security_groups: vec![],
        tags: BTreeMap::from([(TAG.0.into(), TAG.1.into()), ("node".into(), "7".into())]),
    }
}

fn address(id: &str, port: Option<&str>, description: &str) -> serde_json::Value {
    json!({"id": id, "floating_ip_address": "203.0.113.9", "port_id": port,
           "description": description, "status": "DOWN"})
}

#[tokio::test]
async fn a_server_comes_with_its_address() {
    let (recorded, cloud) = cloud(Behaviour { looks_in_build: 3, ..Behaviour::default() }).await;
    let server = cloud.server_create(&new_server()).await.unwrap();
    assert_eq!(server.state, ServerState::Active);
    assert_eq!(server.private_ip, Some(Ipv4Addr::new(10, 20, 0, 140)));
    assert_eq!(server.public_ip, Some(Ipv4Addr::new(203, 0, 113, 226)));
    assert_eq!(server.tags, new_server().tags);
    let recorded = recorded.behaviour();
    assert_eq!(
        recorded.asked["server"],
        json!({"name": "manager", "imageRef": "cbfc221b", "flavorRef": "f1",
               "networks": [{"uuid": "4d4f3a71"}], "user_data": "IyEvYmluL3NoCmV4aXQgMAo=",
               "metadata": {"installation": "a1", "node": "7"}})
    );
    let address = &recorded.addresses["address-1"];
    assert_eq!(address["port_id"], "port-of-server-1");
    assert_eq!(address["floating_network_id"], "55b68d56");
    assert_eq!(address["description"], "installation=a1; node=7");
}

#[tokio::test]
async fn names_are_looked_up_once() {
    let (recorded, cloud) = cloud(Behaviour::default()).await;
    cloud.server_create(&new_server()).await.unwrap();
    recorded.behaviour().log.clear();
    cloud.server_create(&new_server()).await.unwrap();
    assert_eq!(
        recorded.behaviour().log,
        [
            "POST /compute/v2.1/servers",
            "GET /compute/v2.1/servers/server-2",
            "GET /network/v2.0/ports",
            "POST /network/v2.0/floatingips",
        ]
    );
}

#[tokio::test]
async fn another_instance_type_can_be_asked_for() {
    let (recorded, cloud) = cloud(Behaviour::default()).await;
    let wanted = |name: &str| NewServer { instance_type: Some(name.into()), ..new_server() };
    cloud.server_create(&wanted("m1.small")).await.unwrap();
    assert_eq!(recorded.behaviour().asked["server"]["flavorRef"], "f2");
    let error = cloud.server_create(&wanted("m1.huge")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "not found in the cloud: flavor 'm1.huge', there are m1.small, m1.tiny"
    );
}

#[tokio::test]
async fn without_a_pool_a_server_has_no_public_address() {
    let (recorded, cloud) =
        cloud_with(Behaviour::default(), |settings| settings.floating_pool = None).await;
    let server = cloud.server_create(&new_server()).await.unwrap();
    assert_eq!(server.public_ip, None);
    assert!(recorded.behaviour().addresses.is_empty());
}

#[tokio::test]
async fn an_empty_pool_leaves_no_server_behind() {
    let (recorded, cloud) = cloud(Behaviour { pool_is_empty: true, ..Behaviour::default() }).await;
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert!(matches!(&error, CloudError::AddressesExhausted { pool } if pool == "public"));
    assert!(recorded.behaviour().servers.is_empty());
    assert_eq!(recorded.behaviour().asked["server"]["name"], "manager");
}

#[tokio::test]
async fn a_used_up_quota_is_told_in_the_clouds_words() {
    let behaviour = Behaviour { instance_quota_is_used_up: true, ..Behaviour::default() };
    let (_recorded, cloud) = cloud(behaviour).await;
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert!(matches!(&error, CloudError::Quota { message } if message.contains("10 of 10")));
}

#[tokio::test]
async fn a_failed_server_tells_its_fault_and_goes() {
    let fault = "No valid host was found. There are not enough hosts available.";
    let behaviour =
        Behaviour { fault: Some(fault.into()), looks_in_build: 1, ..Behaviour::default() };
    let (recorded, cloud) = cloud(behaviour).await;
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("server manager failed: {fault}"));
    assert!(recorded.behaviour().servers.is_empty());
}

#[tokio::test]
async fn a_server_that_never_comes_is_given_up_and_removed() {
    let behaviour = Behaviour { looks_in_build: usize::MAX, ..Behaviour::default() };
    let (recorded, cloud) =
        cloud_with(behaviour, |settings| settings.server_timeout_seconds = 0).await;
    let error = cloud.server_create(&new_server()).await.unwrap_err();
    assert_eq!(error.to_string(), "gave up waiting for server manager to be ready after 0 s");
    assert!(recorded.behaviour().servers.is_empty());
}

#[tokio::test]
async fn an_abandoned_creation_leaves_only_what_its_tags_find() {
    let behaviour = Behaviour { looks_in_build: usize::MAX, ..Behaviour::default() };
    let (recorded, cloud) = cloud(behaviour).await;
    let wanted = new_server();
    tokio::select! {
        result = cloud.server_create(&wanted) => panic!("cannot be ready: {result:?}"),
        () = recorded.server_made() => {}
    }
    let left = cloud.servers(TAG.0, TAG.1).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].state, ServerState::Building);
    cloud.server_delete(&left[0].id).await.unwrap();
    assert_eq!(cloud.servers(TAG.0, TAG.1).await.unwrap(), []);
}

#[tokio::test]
async fn a_server_needs_a_tag() {
    let (recorded, cloud) = cloud(Behaviour::default()).await;
    let untagged = NewServer { tags: BTreeMap::new(), ..new_server() };
    let error = cloud.server_create(&untagged).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }));
    assert!(recorded.behaviour().log.is_empty());
}

#[tokio::test]
async fn deleting_releases_our_address_only_and_may_be_repeated() {
    let (recorded, cloud) = cloud(Behaviour::default()).await;
    let server = cloud.server_create(&new_server()).await.unwrap();
    let by_hand = address("by-hand", Some("port-of-server-1"), "my own");
    recorded.behaviour().addresses.insert("by-hand".into(), by_hand);
    cloud.server_delete(&server.id).await.unwrap();
    cloud.server_delete(&server.id).await.unwrap();
    let recorded = recorded.behaviour();
    assert!(recorded.servers.is_empty());
    assert_eq!(recorded.addresses.keys().collect::<Vec<_>>(), ["by-hand"]);
    let position = |request: &str| recorded.log.iter().position(|entry| entry == request).unwrap();
    assert!(
        position("DELETE /network/v2.0/floatingips/address-1")
            < position("DELETE /compute/v2.1/servers/server-1")
    );
}

#[tokio::test]
async fn only_unused_addresses_of_ours_are_released() {
    let addresses = [
        address("lost", None, "installation=a1; node=1"),
        address("used", Some("p"), "installation=a1; node=2"),
        address("theirs", None, "installation=b2; node=1"),
        address("nobodys", None, ""),
    ];
    let addresses = addresses.map(|address| (address["id"].as_str().unwrap().to_owned(), address));
    let (recorded, cloud) =
        cloud(Behaviour { addresses: addresses.into(), ..Behaviour::default() }).await;
    let released = cloud.addresses_release_unused(TAG.0, TAG.1).await.unwrap();
    assert_eq!(released, [Ipv4Addr::new(203, 0, 113, 9)]);
    let kept: Vec<_> = recorded.behaviour().addresses.keys().cloned().collect();
    assert_eq!(kept, ["nobodys", "theirs", "used"]);
}

#[tokio::test]
async fn only_servers_with_the_tag_are_listed_from_all_pages() {
    let (_recorded, cloud) = cloud(Behaviour { pages: true, ..Behaviour::default() }).await;
    for tag in ["a1", "b2", "a1"] {
        let tags = BTreeMap::from([(TAG.0.to_owned(), tag.to_owned())]);
        cloud.server_create(&NewServer { tags, ..new_server() }).await.unwrap();
    }
    let ids = |servers: Vec<crate::Server>| -> Vec<String> {
        servers.into_iter().map(|server| server.id).collect()
    };
    assert_eq!(ids(cloud.servers(TAG.0, "a1").await.unwrap()), ["server-1", "server-3"]);
    assert_eq!(ids(cloud.servers(TAG.0, "a").await.unwrap()), Vec::<String>::new());
}

#[tokio::test]
async fn calls_at_the_same_time_log_in_once_and_a_dead_token_is_replaced() {
    let (recorded, cloud) = cloud(Behaviour::default()).await;
    let (one, two, three) =
        tokio::join!(cloud.instance_types(), cloud.servers("a", "b"), cloud.console("x"));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(recorded.behaviour().logins, 1);
    // From now on the cloud takes only a token that it has not given yet.
    recorded.behaviour().logins = 5;
    assert_eq!(cloud.console("x").await.unwrap(), "FAKE CONSOLE OUTPUT\nANOTHER\nLAST LINE");
    assert_eq!(recorded.behaviour().logins, 6);
}

#[tokio::test]
async fn a_cloud_that_takes_no_token_is_asked_twice_only() {
    let (recorded, cloud) = cloud(Behaviour { refuses_tokens: true, ..Behaviour::default() }).await;
    let error = cloud.servers("a", "b").await.unwrap_err();
    assert!(matches!(error, CloudError::Unauthorized { .. }));
    assert_eq!(recorded.behaviour().logins, 2);
}

#[tokio::test]
async fn check_is_content_with_good_settings() {
    let (_recorded, cloud) = cloud(Behaviour::default()).await;
    cloud.check().await.unwrap();
}

#[tokio::test]
async fn check_tells_all_problems() {
    let (_recorded, cloud) = cloud_with(Behaviour::default(), |settings| {
        settings.image = "debian".into();
        settings.flavor = "m1.huge".into();
        settings.network = Some("office".into());
        settings.floating_pool = Some("private".into());
        settings.security_groups = vec!["default".into(), "web".into()];
        settings.key_name = Some("laptop".into());
    })
    .await;
    let problems = cloud.check().await.unwrap_err();
    let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "not found in the cloud: image 'debian', there are cirros",
            "not found in the cloud: flavor 'm1.huge', there are m1.small, m1.tiny",
            "not found in the cloud: network 'office', there are private, public",
            "not found in the cloud: floating pool (an external network) 'private', there are public",
            "not found in the cloud: security group 'web'",
            "not found in the cloud: key pair 'laptop'",
        ]
    );
}

#[tokio::test]
async fn check_stops_at_a_wrong_password() {
    let (_recorded, cloud) =
        cloud_with(Behaviour::default(), |settings| settings.password = "open".into()).await;
    let problems = cloud.check().await.unwrap_err();
    assert!(matches!(problems.as_slice(), [CloudError::Unauthorized { .. }]), "{problems:?}");
}

#[tokio::test]
async fn instance_types_come_smallest_first_and_with_prices_where_known() {
    let prices = |types: Vec<crate::InstanceType>| -> Vec<(String, Option<f64>)> {
        types.into_iter().map(|kind| (kind.name, kind.price_per_hour)).collect()
    };
    let tiny_and_small = |price| vec![("m1.tiny".to_owned(), price), ("m1.small".to_owned(), None)];
    let (_recorded, new) = cloud(Behaviour::default()).await;
    assert_eq!(prices(new.instance_types().await.unwrap()), tiny_and_small(Some(0.25)));
    let (_recorded, old) = cloud(Behaviour { is_old: true, ..Behaviour::default() }).await;
    assert_eq!(prices(old.instance_types().await.unwrap()), tiny_and_small(None));
}

#[tokio::test]
async fn the_memory_of_a_flavor_is_found_by_its_name_and_by_its_id() {
    let (_recorded, cloud) = cloud_with(Behaviour::default(), |settings| {
        settings.flavor = "f2".into();
    })
    .await;
    assert_eq!(cloud.memory_mib(cloud.usual_instance_type()).await.unwrap(), 2048);
    for (wanted, memory_mib) in [("m1.small", 2048), ("f1", 512), ("m1.tiny", 512)] {
        assert_eq!(cloud.memory_mib(wanted).await.unwrap(), memory_mib, "{wanted}");
    }
}
