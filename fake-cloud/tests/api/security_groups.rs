//! Security groups that are enforced where all servers share this machine's network.

use std::time::Duration;

use fake_cloud::settings::BackendKind;
use serde_json::{Value, json};

use crate::client::{Client, Stack};
use crate::puppet::{PORT, Puppet, ask};

const LIMIT: Duration = Duration::from_secs(20);
const STAGE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 201, 7, 1));

/// A cloud with real servers, on addresses that no other test has.
async fn stack(enforce: bool) -> Stack {
    let [a, b, ..] = uuid::Uuid::new_v4().into_bytes();
    let (second, third) = (128 + a % 100, 16 + b % 200);
    Stack::start_with(|settings| {
        settings.backend = BackendKind::Process;
        settings.init_program = env!("CARGO_BIN_EXE_fake-cloud").into();
        settings.fixed_range = format!("127.{second}.{third}.0/24").parse().unwrap();
        let next = third + 1;
        settings.floating_range =
            format!("127.{second}.{next}.10-127.{second}.{next}.99").parse().unwrap();
        settings.enforce_security_groups = enforce;
    })
    .await
}

/// Lets TCP to the puppets' port into a group; gives the path of the rule.
pub(crate) async fn open(client: &Client, group: &str, more: Value) -> String {
    let mut rule = json!({
        "security_group_id": group, "direction": "ingress", "protocol": "tcp",
        "port_range_min": PORT, "port_range_max": PORT,
    });
    for (field, value) in more.as_object().unwrap() {
        rule[field] = value.clone();
    }
    let body = json!({"security_group_rule": rule});
    let (status, answer) = client.post("/network/v2.0/security-group-rules", body).await;
    assert_eq!(status, 201, "{answer}");
    let id = answer["security_group_rule"]["id"].as_str().unwrap();
    format!("/network/v2.0/security-group-rules/{id}")
}

pub(crate) async fn group(client: &Client, name: &str) -> String {
    let body = json!({"security_group": {"name": name}});
    let (status, answer) = client.post("/network/v2.0/security-groups", body).await;
    assert_eq!(status, 201, "{answer}");
    answer["security_group"]["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn default_group(client: &Client) -> String {
    let groups = client.get("/network/v2.0/security-groups?name=default").await;
    groups["security_groups"][0]["id"].as_str().unwrap().to_owned()
}

pub(crate) async fn lead(client: &Client, floating: &Value, server: &str) {
    let port = client.port_of(server).await;
    let path = format!("/network/v2.0/floatingips/{}", floating["id"].as_str().unwrap());
    let (status, answer) = client.put(&path, json!({"floatingip": {"port_id": port}})).await;
    assert_eq!(status, 200, "{answer}");
}

pub(crate) async fn fixed_address(client: &Client, server: &str) -> String {
    client.server(server).await["addresses"]["private"][0]["addr"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_floating_ip_lets_in_whom_the_groups_let_in() {
    let stack = stack(true).await;
    let ada = stack.ada().await;
    let server = Puppet::start(&ada, STAGE, "web", json!({})).await;
    let floating = ada.create_floating_ip().await;
    lead(&ada, &floating, &server.id).await;
    let address = floating["floating_ip_address"].as_str().unwrap();
    ask(address, LIMIT).await.expect_err("the default group lets nobody in from outside");

    let group = default_group(&ada).await;
    let rule = open(&ada, &group, json!({"remote_ip_prefix": "127.0.0.0/8"})).await;
    assert_eq!(ask(address, LIMIT).await.unwrap(), "you are 127.0.0.1");
    assert_eq!(ada.delete(&rule).await, 204);
    ask(address, LIMIT).await.expect_err("the rule is gone");
    open(&ada, &group, json!({"remote_ip_prefix": "10.0.0.0/8"})).await;
    ask(address, LIMIT).await.expect_err("the rule is for others");
}

#[tokio::test]
async fn servers_reach_those_whose_groups_let_them() {
    let stack = stack(true).await;
    let ada = stack.ada().await;
    let other_group = group(&ada, "other").await;
    let more = json!({"security_groups": [{"name": "other"}]});
    let (one, mut two) = tokio::join!(
        Puppet::start(&ada, STAGE, "one", json!({})),
        Puppet::start(&ada, STAGE, "two", json!({})),
    );
    let mut other = Puppet::start(&ada, STAGE, "other", more).await;
    let (address, port) = (fixed_address(&ada, &one.id).await, PORT);
    let two_is = format!("you are {}", fixed_address(&ada, &two.id).await);
    let other_is = format!("you are {}", fixed_address(&ada, &other.id).await);
    assert_eq!(two.connect(&address, port).await, two_is, "a member of the same group");
    assert_eq!(other.connect(&address, port).await, "TimeoutError");

    let group = default_group(&ada).await;
    let rule = open(&ada, &group, json!({"remote_group_id": other_group})).await;
    assert_eq!(other.connect(&address, port).await, other_is);
    assert_eq!(ada.delete(&rule).await, 204);
    assert_eq!(other.connect(&address, port).await, "TimeoutError");

    let floating = ada.create_floating_ip().await;
    lead(&ada, &floating, &one.id).await;
    let floating = floating["floating_ip_address"].as_str().unwrap();
    assert_ne!(two.connect(floating, port).await, two_is, "outside it is nobody's member");
}

#[tokio::test]
async fn without_enforcement_all_doors_are_open() {
    let stack = stack(false).await;
    let ada = stack.ada().await;
    let server = Puppet::start(&ada, STAGE, "web", json!({})).await;
    let floating = ada.create_floating_ip().await;
    lead(&ada, &floating, &server.id).await;
    let address = floating["floating_ip_address"].as_str().unwrap();
    assert_eq!(ask(address, LIMIT).await.unwrap(), "you are 127.0.0.1");
}
