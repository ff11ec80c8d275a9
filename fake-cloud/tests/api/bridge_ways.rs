//! What networks, subnets, routers and ports say of ways and addresses, as servers on a bridge see it.

use std::io::Write as _;
use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::bridge::{alone, stack};
use crate::bridge_networks::isolated_network;
use crate::client::Client;
use crate::console;
use crate::puppet::{PORT, Puppet};
use crate::security_groups::{default_group, fixed_address, open};

/// Far longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The port of a server.
async fn port_of(client: &Client, server: &str) -> String {
    let ports = client.get(&format!("/network/v2.0/ports?device_id={server}")).await;
    ports["ports"][0]["id"].as_str().unwrap().to_owned()
}

async fn change(client: &Client, kind: &str, id: &str, what: Value) {
    let (status, answer) =
        client.put(&format!("/network/v2.0/{kind}s/{id}"), json!({kind: what})).await;
    assert_eq!(status, 200, "{answer}");
}

/// Tells the next who calls by which address they come.
fn tell_one(host: IpAddr) -> TcpListener {
    let listener = TcpListener::bind((host, PORT)).unwrap();
    let next = listener.try_clone().unwrap();
    std::thread::spawn(move || {
        let (mut caller, address) = next.accept().unwrap();
        write!(caller, "you are {}", address.ip()).unwrap();
    });
    listener
}

#[test]
fn a_server_has_the_packet_size_and_the_ways_that_it_is_told_of() {
    alone(async || {
        let (stack, _) = stack(56).await;
        let admin = stack.admin().await;
        let networks = admin.get("/network/v2.0/networks?name=private").await;
        assert_eq!(networks["networks"][0]["mtu"], 1500);
        let (network, subnet) = isolated_network(&admin, "small").await;
        change(&admin, "network", &network, json!({"mtu": 1400})).await;
        let path = format!("/network/v2.0/networks/{network}");
        let (status, answer) = admin.put(&path, json!({"network": {"mtu": 9000}})).await;
        assert_eq!((status, &answer["NeutronError"]["type"]), (400, &json!("InvalidInput")));
        let gateway = admin.get(&format!("/network/v2.0/subnets/{subnet}")).await;
        let neighbour: std::net::Ipv4Addr =
            gateway["subnet"]["gateway_ip"].as_str().unwrap().parse().unwrap();
        let neighbour = std::net::Ipv4Addr::from_bits(neighbour.to_bits() + 99);
        let ways = json!([
            {"destination": "203.0.113.0/24", "nexthop": neighbour},
            {"destination": "198.51.100.0/24", "nexthop": "192.0.2.1"},
        ]);
        change(&admin, "subnet", &subnet, json!({"host_routes": ways})).await;
        let script = "#!/bin/sh
            echo mtu $(cat /sys/class/net/eth0/mtu)
            echo ways $(ip -4 route show root 192.0.0.0/2 scope global | cut -d' ' -f1-3) end\n";
        let wanted = json!({
            "networks": [{"uuid": network}], "user_data": STANDARD.encode(script)
        });
        let server = admin.create_server_with("vm", wanted).await;
        let console = stack.cloud.control().follow_console(&server, None).await.unwrap();
        let console = console::shows(console, " end\n", PATIENCE).await;
        let expected = format!("mtu 1400\nways 203.0.113.0/24 via {neighbour} end\n");
        assert!(console.contains(&expected), "{console}");
    });
}

#[test]
fn a_router_that_translates_nobody_shows_servers_as_they_are() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let admin = stack.admin().await;
        let mut server = Puppet::start(&admin, host, "vm", json!({})).await;
        let listener = tell_one(host);
        assert_eq!(server.connect(&host.to_string(), PORT).await, "you are 192.168.56.2");
        drop(listener);

        let routers = admin.get("/network/v2.0/routers").await;
        let router = routers["routers"][0]["id"].as_str().unwrap();
        let mut gateway = routers["routers"][0]["external_gateway_info"].clone();
        gateway = json!({"network_id": gateway["network_id"], "enable_snat": false});
        change(&admin, "router", router, json!({"external_gateway_info": gateway})).await;
        let _listener = tell_one(host);
        let own = fixed_address(&admin, &server.id).await;
        assert_eq!(server.connect(&host.to_string(), PORT).await, format!("you are {own}"));
    });
}

#[test]
fn a_port_speaks_with_the_addresses_that_it_is_allowed() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let admin = stack.admin().await;
        let (mut one, mut two) = tokio::join!(
            Puppet::start(&admin, host, "one", json!({})),
            Puppet::start(&admin, host, "two", json!({})),
        );
        let two_at = fixed_address(&admin, &two.id).await;
        let (shared, here) = ("10.56.0.77", "you are 10.56.0.77");
        assert_ne!(one.connect_as_in_vain(shared, &two_at, PORT).await, here);
        let port = port_of(&admin, &one.id).await;
        let pair = json!({"allowed_address_pairs": [{"ip_address": shared}]});
        change(&admin, "port", &port, pair).await;
        assert_eq!(one.connect_as(shared, &two_at, PORT).await, here);
        assert_eq!(two.connect(shared, PORT).await, format!("you are {two_at}"), "and back");
        let none = json!({"allowed_address_pairs": []});
        change(&admin, "port", &port, none).await;
        assert_ne!(one.connect_as_in_vain(shared, &two_at, PORT).await, here);

        let unguarded = json!({"port_security_enabled": false, "security_groups": []});
        change(&admin, "port", &port, unguarded).await;
        let lost = one.connect_as_in_vain(shared, &two_at, PORT).await;
        assert_eq!(lost, "TimeoutError", "it gets out, and is nobody's member");
        let wrong = json!({"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.0/33"}]}});
        assert_eq!(admin.put(&format!("/network/v2.0/ports/{port}"), wrong).await.0, 400);
    });
}

#[test]
fn a_way_of_a_subnet_leads_by_a_server() {
    alone(async || {
        let (stack, host) = stack(56).await;
        let admin = stack.admin().await;
        open(&admin, &default_group(&admin).await, json!({})).await;
        let mut gate = Puppet::start(&admin, host, "gate", json!({})).await;
        let gate_at = fixed_address(&admin, &gate.id).await;
        let port = port_of(&admin, &gate.id).await;
        let behind = json!({"allowed_address_pairs": [{"ip_address": "203.0.113.0/24"}]});
        change(&admin, "port", &port, behind).await;
        let subnets = admin.get("/network/v2.0/subnets").await;
        let has_servers = |it: &&Value| it["cidr"] == "10.56.0.0/20";
        let subnet = subnets["subnets"].as_array().unwrap().iter().find(has_servers).unwrap();
        let way = json!({"destination": "203.0.113.0/24", "nexthop": gate_at});
        let subnet = subnet["id"].as_str().unwrap();
        change(&admin, "subnet", subnet, json!({"host_routes": [way]})).await;

        let mut one = Puppet::start(&admin, host, "one", json!({})).await;
        let one_at = fixed_address(&admin, &one.id).await;
        let there = "203.0.113.9";
        assert_eq!(gate.connect_as(there, &one_at, PORT).await, format!("you are {there}"));
        assert_eq!(one.connect(there, PORT).await, format!("you are {one_at}"));
        change(&admin, "subnet", subnet, json!({"host_routes": []})).await;
        assert_eq!(one.connect_in_vain(there, PORT).await, "TimeoutError", "the way is gone");
    });
}
