//! Servers are plugged into networks and pulled out.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Stack;

#[tokio::test]
async fn a_server_has_as_many_interfaces_as_it_is_given() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let path = format!("/compute/v2.1/servers/{id}/os-interface");
    let network = ada.network("private").await;
    let first = ada.get(&path).await["interfaceAttachments"][0].take();
    assert_eq!(first["tag"], Value::Null);

    let address = json!({"net_id": network, "fixed_ips": [{"ip_address": "127.0.16.77"}]});
    let (status, answer) = ada.post(&path, json!({"interfaceAttachment": address})).await;
    assert_eq!(status, 200, "{answer}");
    let second = &answer["interfaceAttachment"];
    assert_eq!(second["fixed_ips"][0]["ip_address"], "127.0.16.77");
    let shown = ada.server(&id).await["addresses"]["private"].take();
    assert_eq!(shown.as_array().unwrap().len(), 2);

    let port = json!({"port": {"network_id": network, "name": "mine"}});
    let port = ada.post("/network/v2.0/ports", port).await.1["port"]["id"].take();
    let by_port = json!({"interfaceAttachment": {"port_id": port}});
    assert_eq!(ada.post(&path, by_port.clone()).await.0, 200);
    assert_eq!(ada.post(&path, by_port).await.0, 409, "it is in use");
    assert_eq!(ada.post(&path, json!({})).await.0, 200, "there is one network only");
    assert_eq!(ada.get(&path).await["interfaceAttachments"].as_array().unwrap().len(), 4);

    let one = format!("{path}/{}", port.as_str().unwrap());
    assert_eq!(ada.get(&one).await["interfaceAttachment"]["port_id"], port);
    assert_eq!(ada.delete(&one).await, 202);
    assert_eq!(ada.delete(&one).await, 404);
    assert_eq!(ada.status(Method::GET, &one).await, 404);
    let left = format!("/network/v2.0/ports/{}", port.as_str().unwrap());
    assert_eq!(ada.get(&left).await["port"]["device_id"], "", "a port of one's own stays");
    let made = format!("{path}/{}", second["port_id"].as_str().unwrap());
    assert_eq!(ada.delete(&made).await, 202);
    let gone = format!("/network/v2.0/ports/{}", second["port_id"].as_str().unwrap());
    assert_eq!(ada.status(Method::GET, &gone).await, 404, "what was made for the server goes");

    let primary = format!("{path}/{}", first["port_id"].as_str().unwrap());
    assert_eq!(ada.delete(&primary).await, 409, "it answers there");
    ada.act(&id, json!({"os-stop": null})).await;
    assert_eq!(ada.delete(&primary).await, 202);
    let events = ada.get(&format!("/compute/v2.1/servers/{id}/os-instance-actions")).await;
    assert_eq!(events["instanceActions"][0]["action"], "detach_interface");
    ada.microversion = "2.69";
    assert_eq!(ada.get(&path).await["interfaceAttachments"][0].get("tag"), None);
}

#[tokio::test]
async fn what_cannot_be_plugged_in_is_refused() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let id = ada.create_server("vm").await;
    let path = format!("/compute/v2.1/servers/{id}/os-interface");
    let (nil, network) = (uuid::Uuid::nil(), ada.network("private").await);
    let taken = json!([{"ip_address": "127.0.16.2"}]);
    for (wanted, code) in [
        (json!({"net_id": nil}), 404),
        (json!({"port_id": nil}), 404),
        (json!({"net_id": network, "port_id": nil}), 400),
        (json!({"fixed_ips": taken}), 400),
        (json!({"net_id": network, "fixed_ips": taken}), 409),
        (json!({"network": network}), 400),
        (json!({"net_id": ada.network("public").await}), 403),
    ] {
        let (status, answer) = ada.post(&path, json!({"interfaceAttachment": wanted})).await;
        assert_eq!(status, code, "{wanted}: {answer}");
    }
    ada.act(&id, json!({"suspend": null})).await;
    let (status, answer) = ada.post(&path, json!({})).await;
    let message =
        format!("Cannot 'attach_interface' instance {id} while it is in vm_state suspended");
    assert_eq!(
        (status, answer["conflictingRequest"]["message"].as_str()),
        (409, Some(message.as_str()))
    );
    admin.act(&id, json!({"resume": null})).await;
    ada.act(&id, json!({"lock": null})).await;
    assert_eq!(ada.post(&path, json!({})).await.0, 409);
    assert_eq!(admin.post(&path, json!({"interfaceAttachment": {"net_id": network}})).await.0, 200);
}
