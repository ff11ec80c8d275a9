//! Networks that are kept apart, joined by routers, and change under running servers.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::bridge::{IN_VAIN, LIMIT, alone, stack};
use crate::client::Client;
use crate::puppet::{PORT, Puppet, ask};
use crate::security_groups::{default_group, open};

/// A network that no router leads to; gives its id and its subnet's.
pub(crate) async fn isolated_network(client: &Client, name: &str) -> (String, String) {
    let (status, network) =
        client.post("/network/v2.0/networks", json!({"network": {"name": name}})).await;
    assert_eq!(status, 201, "{network}");
    let network = network["network"]["id"].as_str().unwrap().to_owned();
    let wanted = json!({"subnet": {"network_id": network, "ip_version": 4}});
    let (status, subnet) = client.post("/network/v2.0/subnets", wanted).await;
    assert_eq!(status, 201, "{subnet}");
    (network, subnet["subnet"]["id"].as_str().unwrap().to_owned())
}

/// Joins a subnet to the router that leads outside, or takes it away again.
async fn route(admin: &Client, verb: &str, subnet: &str) {
    let routers = admin.get("/network/v2.0/routers").await;
    let router = routers["routers"][0]["id"].as_str().unwrap();
    let path = format!("/network/v2.0/routers/{router}/{verb}_router_interface");
    let (status, answer) = admin.put(&path, json!({"subnet_id": subnet})).await;
    assert_eq!(status, 200, "{answer}");
}

/// The server's address on a network.
async fn address_on(client: &Client, server: &str, network: &str) -> String {
    client.server(server).await["addresses"][network][0]["addr"].as_str().unwrap().to_owned()
}

/// On the shared network, by which it is told what to do, and on others.
async fn puppet(client: &Client, host: IpAddr, name: &str, others: &[&str]) -> Puppet {
    let mut networks = vec![json!({"uuid": client.network("private").await})];
    networks.extend(others.iter().map(|network| json!({"uuid": network})));
    Puppet::start(client, host, name, json!({"networks": networks})).await
}

#[test]
fn servers_reach_those_of_their_networks_and_of_networks_that_a_router_joins() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let admin = stack.admin().await;
        let (front, front_subnet) = isolated_network(&admin, "front").await;
        let (back, back_subnet) = isolated_network(&admin, "back").await;
        let mut one = puppet(&admin, host, "one", &[&front]).await;
        let mut two = puppet(&admin, host, "two", &[&front, &back]).await;
        let one_front = address_on(&admin, &one.id, "front").await;
        let two_front = address_on(&admin, &two.id, "front").await;
        let two_back = address_on(&admin, &two.id, "back").await;
        assert_eq!(one.connect(&two_front, PORT).await, format!("you are {one_front}"));
        assert_eq!(two.connect(&one_front, PORT).await, format!("you are {two_front}"));
        assert_eq!(one.connect_in_vain(&two_back, PORT).await, "TimeoutError", "no router");

        // From its address on `private`, the only network with a router.
        route(&admin, "add", &back_subnet).await;
        let one_private = address_on(&admin, &one.id, "private").await;
        assert_eq!(one.connect(&two_back, PORT).await, format!("you are {one_private}"));
        route(&admin, "add", &front_subnet).await;
        route(&admin, "remove", &back_subnet).await;
        assert_eq!(one.connect_in_vain(&two_back, PORT).await, "TimeoutError");
    });
}

#[test]
fn a_floating_ip_leads_to_any_interface() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let admin = stack.admin().await;
        open(&admin, &default_group(&admin).await, json!({})).await;
        let (back, subnet) = isolated_network(&admin, "back").await;
        route(&admin, "add", &subnet).await;
        let server = puppet(&admin, host, "vm", &[&back]).await;
        let ports = admin.get(&format!("/network/v2.0/ports?network_id={back}")).await;
        let of_server = |port: &&Value| port["device_id"] == server.id.as_str();
        let port = ports["ports"].as_array().unwrap().iter().find(of_server).unwrap()["id"].clone();
        let floating = admin.create_floating_ip().await;
        let path = format!("/network/v2.0/floatingips/{}", floating["id"].as_str().unwrap());
        let (status, answer) = admin.put(&path, json!({"floatingip": {"port_id": port}})).await;
        assert_eq!(status, 200, "{answer}");
        let floating = floating["floating_ip_address"].as_str().unwrap();
        assert_eq!(ask(floating, LIMIT).await.unwrap(), format!("you are {host}"));
    });
}

#[test]
fn an_interface_comes_and_goes_while_the_server_runs() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let admin = stack.admin().await;
        open(&admin, &default_group(&admin).await, json!({})).await;
        let (back, _) = isolated_network(&admin, "back").await;
        let mut server = puppet(&admin, host, "vm", &[]).await;
        let path = format!("/compute/v2.1/servers/{}/os-interface", server.id);
        let wanted = json!({"interfaceAttachment": {"net_id": back}});
        let (status, answer) = admin.post(&path, wanted).await;
        assert_eq!(status, 200, "{answer}");
        let attached = &answer["interfaceAttachment"];
        let address = attached["fixed_ips"][0]["ip_address"].as_str().unwrap();
        assert_eq!(ask(address, LIMIT).await.unwrap(), format!("you are {host}"));
        assert_eq!(server.connect(address, PORT).await, format!("you are {address}"), "its own");

        let path = format!("{path}/{}", attached["port_id"].as_str().unwrap());
        assert_eq!(admin.delete(&path).await, 202);
        ask(address, IN_VAIN).await.expect_err("it is gone");
        assert_eq!(server.connect_in_vain(address, PORT).await, "TimeoutError");
    });
}

#[test]
fn a_server_that_is_cut_off_reaches_nobody_until_it_rejoins() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let ada = stack.ada().await;
        open(&ada, &default_group(&ada).await, json!({})).await;
        let (mut one, two) = tokio::join!(
            Puppet::start(&ada, host, "one", json!({})),
            Puppet::start(&ada, host, "two", json!({})),
        );
        let address = address_on(&ada, &two.id, "private").await;
        let control = stack.cloud.control();
        control.cut_off(&two.id).await.unwrap();
        ask(&address, IN_VAIN).await.expect_err("it is cut off");
        assert_eq!(one.connect_in_vain(&address, PORT).await, "TimeoutError");

        assert_eq!(ada.act(&two.id, json!({"reboot": {"type": "HARD"}})).await.0, 202);
        ask(&address, IN_VAIN).await.expect_err("it still is");
        control.rejoin(&two.id).await.unwrap();
        // It is there, and nothing listens: user-data runs once only.
        let error = ask(&address, LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    });
}
