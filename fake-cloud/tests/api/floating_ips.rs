//! Floating IPs, in Neutron's words and in Nova's older ones.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Stack;

#[tokio::test]
async fn a_floating_ip_leads_to_a_port_and_away() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let server = ada.create_server("vm").await;
    let port = ada.port_of(&server).await;
    let floating = ada.create_floating_ip().await;
    assert_eq!(floating["floating_ip_address"], "127.0.1.10");
    assert_eq!(floating["status"], "DOWN");
    let path = format!("/network/v2.0/floatingips/{}", floating["id"].as_str().unwrap());

    let (status, led) = ada.put(&path, json!({"floatingip": {"port_id": port}})).await;
    assert_eq!(status, 200);
    assert_eq!(led["floatingip"]["fixed_ip_address"], "127.0.16.2");
    assert_eq!(led["floatingip"]["port_details"]["device_id"], server);
    let addresses = ada.server(&server).await["addresses"]["private"].take();
    assert_eq!(addresses[1]["addr"], "127.0.1.10");
    assert_eq!(addresses[1]["OS-EXT-IPS:type"], "floating");

    let second = ada.create_floating_ip().await;
    let other = format!("/network/v2.0/floatingips/{}", second["id"].as_str().unwrap());
    let (status, answer) = ada.put(&other, json!({"floatingip": {"port_id": port}})).await;
    assert_eq!(status, 409, "one floating IP a port: {answer}");

    let described = json!({"floatingip": {"description": "mine"}});
    let (_, answer) = ada.put(&path, described).await;
    assert_eq!(answer["floatingip"]["port_id"], port, "a description moves nothing");
    let (_, answer) = ada.put(&path, json!({"floatingip": {"port_id": null}})).await;
    assert_eq!(answer["floatingip"]["port_id"], Value::Null);
    assert_eq!(ada.delete(&path).await, 204);
    let (status, answer) = ada.refusal(Method::GET, &path).await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (404, &json!("FloatingIPNotFound")));
}

#[tokio::test]
async fn a_floating_ip_outlives_its_server() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let server = ada.create_server("vm").await;
    let port = ada.port_of(&server).await;
    let network = ada.network("public").await;
    let body = json!({"floatingip": {"floating_network_id": network, "port_id": port}});
    assert_eq!(ada.post("/network/v2.0/floatingips", body).await.0, 201);
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{server}")).await, 204);
    let list = ada.get("/network/v2.0/floatingips").await;
    assert_eq!(list["floatingips"][0]["port_id"], Value::Null);
}

#[tokio::test]
async fn an_empty_pool_says_so() {
    let range = "127.0.1.10-127.0.1.11".parse().unwrap();
    let stack = Stack::start_with(|settings| settings.floating_range = range).await;
    let ada = stack.ada().await;
    ada.create_floating_ip().await;
    let second = ada.create_floating_ip().await;
    let network = ada.network("public").await;
    let body = json!({"floatingip": {"floating_network_id": network}});
    let (status, answer) = ada.post("/network/v2.0/floatingips", body.clone()).await;
    assert_eq!(status, 409);
    assert_eq!(answer["NeutronError"]["type"], "IpAddressGenerationFailure");
    let message = format!("No more IP addresses available on network {network}.");
    assert_eq!(answer["NeutronError"]["message"], message);
    let id = second["id"].as_str().unwrap();
    assert_eq!(ada.delete(&format!("/network/v2.0/floatingips/{id}")).await, 204);
    assert_eq!(ada.post("/network/v2.0/floatingips", body).await.0, 201, "given back");
}

#[tokio::test]
async fn the_quota_is_a_limit() {
    let stack = Stack::start_with(|settings| settings.quotas.floating_ips = 1).await;
    let ada = stack.ada().await;
    ada.create_floating_ip().await;
    let network = ada.network("public").await;
    let body = json!({"floatingip": {"floating_network_id": network}});
    let (status, answer) = ada.post("/network/v2.0/floatingips", body).await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (409, &json!("OverQuota")));
    let message = "Quota exceeded for resources: ['floatingip'].";
    assert_eq!(answer["NeutronError"]["message"], message);
}

#[tokio::test]
async fn the_older_api_does_the_same() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    ada.microversion = "2.1";
    let server = ada.create_server("vm").await;
    let pools = ada.get("/compute/v2.1/os-floating-ip-pools").await;
    assert_eq!(pools, json!({"floating_ip_pools": [{"name": "public"}]}));
    let (status, made) = ada.post("/compute/v2.1/os-floating-ips", json!({"pool": "public"})).await;
    assert_eq!((status, &made["floating_ip"]["ip"]), (200, &json!("127.0.1.10")));
    let address = json!({"address": "127.0.1.10"});
    assert_eq!(ada.act(&server, json!({"addFloatingIp": address})).await.0, 202);
    let path =
        format!("/compute/v2.1/os-floating-ips/{}", made["floating_ip"]["id"].as_str().unwrap());
    let shown = ada.get(&path).await["floating_ip"].take();
    assert_eq!(shown["instance_id"], server);
    assert_eq!(shown["fixed_ip"], "127.0.16.2");
    assert_eq!(ada.act(&server, json!({"removeFloatingIp": address})).await.0, 202);
    assert_eq!(ada.act(&server, json!({"removeFloatingIp": address})).await.0, 409);
    let unknown = json!({"addFloatingIp": {"address": "127.0.1.99"}});
    assert_eq!(ada.act(&server, unknown).await.0, 404);
    assert_eq!(ada.delete(&path).await, 202);
    assert_eq!(ada.post("/compute/v2.1/os-floating-ips", json!({"pool": "x"})).await.0, 404);
}
