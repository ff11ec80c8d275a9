//! Neutron: networks, ports and security groups.

use reqwest::Method;
use serde_json::json;

use crate::client::Stack;

#[tokio::test]
async fn there_are_two_networks_and_lists_can_be_narrowed() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let (status, answer) = ada.refusal(Method::GET, "/network/v2.0/networks/private").await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (404, &json!("NetworkNotFound")));
    let external =
        ada.get("/network/v2.0/networks?router:external=True&fields=id&fields=name").await;
    let id = ada.network("public").await;
    assert_eq!(external, json!({"networks": [{"id": id, "name": "public"}]}));
    let subnets = ada.get(&format!("/network/v2.0/subnets?network_id={id}")).await;
    let pool = json!([{"start": "127.0.1.10", "end": "127.0.1.254"}]);
    assert_eq!(subnets["subnets"][0]["allocation_pools"], pool);
    let page = ada.get("/network/v2.0/networks?limit=1").await;
    assert_eq!(page["networks"].as_array().unwrap().len(), 1);
    let next = page["networks_links"][0]["href"].as_str().unwrap();
    let next = next.split_once("/network/v2.0").unwrap().1;
    let last = ada.get(&format!("/network/v2.0{next}")).await;
    assert_eq!(last["networks"][0]["name"], "public");
}

#[tokio::test]
async fn a_port_is_made_first_and_plugged_in_later() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let network = ada.network("private").await;
    let body = json!({"port": {
        "network_id": network, "name": "mine", "fixed_ips": [{"ip_address": "127.0.16.77"}]
    }});
    let (status, answer) = ada.post("/network/v2.0/ports", body.clone()).await;
    assert_eq!((status, &answer["port"]["status"]), (201, &json!("DOWN")));
    let port = answer["port"]["id"].as_str().unwrap();
    assert_eq!(ada.post("/network/v2.0/ports", body).await.0, 409, "the address is taken");
    let server = ada.create_server_with("vm", json!({"networks": [{"port": port}]})).await;
    let address = &ada.server(&server).await["addresses"]["private"][0]["addr"];
    assert_eq!(*address, "127.0.16.77");
    let interfaces = ada.get(&format!("/compute/v2.1/servers/{server}/os-interface")).await;
    assert_eq!(interfaces["interfaceAttachments"][0]["port_id"], port);
    let path = format!("/network/v2.0/ports/{port}");
    assert_eq!(ada.delete(&path).await, 409, "in use");
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{server}")).await, 204);
}

#[tokio::test]
async fn security_groups_and_their_rules_are_kept() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let (status, answer) =
        ada.post("/network/v2.0/security-groups", json!({"security_group": {"name": "web"}})).await;
    assert_eq!(status, 201);
    let group = &answer["security_group"];
    assert_eq!(group["security_group_rules"].as_array().unwrap().len(), 2, "all may go out");
    let rule = json!({"security_group_rule": {
        "security_group_id": group["id"], "direction": "ingress", "ethertype": "IPv4",
        "protocol": "tcp", "port_range_min": 22, "port_range_max": "22"
    }});
    let (status, made) = ada.post("/network/v2.0/security-group-rules", rule.clone()).await;
    assert_eq!((status, &made["security_group_rule"]["port_range_max"]), (201, &json!(22)));
    let (status, answer) = ada.post("/network/v2.0/security-group-rules", rule).await;
    assert_eq!(status, 409, "there already: {answer}");
    let no_protocol = json!({"security_group_rule": {
        "security_group_id": group["id"], "direction": "ingress", "port_range_min": 22
    }});
    assert_eq!(ada.post("/network/v2.0/security-group-rules", no_protocol).await.0, 400);

    let path = format!("/network/v2.0/security-groups/{}", group["id"].as_str().unwrap());
    let server = ada.create_server_with("vm", json!({"security_groups": [{"name": "web"}]})).await;
    assert_eq!(ada.server(&server).await["security_groups"], json!([{"name": "web"}]));
    assert_eq!(ada.delete(&path).await, 409, "in use");
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{server}")).await, 204);
    assert_eq!(ada.delete(&path).await, 204);
    let rule = made["security_group_rule"]["id"].as_str().unwrap();
    let rule = format!("/network/v2.0/security-group-rules/{rule}");
    assert_eq!(ada.status(Method::GET, &rule).await, 404, "gone with its group");
    let list = ada.get("/network/v2.0/security-groups").await;
    assert_eq!(list["security_groups"].as_array().unwrap().len(), 1);
    assert_eq!(list["security_groups"][0]["name"], "default");
}

#[tokio::test]
async fn quotas_are_told() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let projects = ada.get("/v3/projects").await;
    let path = format!("/network/v2.0/quotas/{}", projects["projects"][0]["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await["quota"]["floatingip"], 1000);
    assert_eq!(admin.put(&path, json!({"quota": {"floatingip": 7}})).await.0, 200);
    assert_eq!(ada.get(&path).await["quota"]["floatingip"], 7);
    ada.create_floating_ip().await;
    let details = ada.get(&format!("{path}/details.json")).await;
    assert_eq!(details["quota"]["floatingip"], json!({"limit": 7, "used": 1, "reserved": 0}));
}
