//! What projects let others use: networks, by policies; and images that are imported.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

const POLICIES: &str = "/network/v2.0/rbac-policies";

async fn policy(client: &Client, network: &Value, target: &str) -> (u16, Value) {
    let body = json!({"rbac_policy": {"object_type": "network", "object_id": network,
        "action": "access_as_shared", "target_tenant": target}});
    client.post(POLICIES, body).await
}

#[tokio::test]
async fn a_network_is_shared_with_one_project() {
    let stack = Stack::start().await;
    let (admin, ada) = (stack.admin().await, stack.ada().await);
    let projects = admin.get("/v3/projects?name=engines").await;
    let engines = projects["projects"][0]["id"].as_str().unwrap();
    let (_, made) = admin.post("/network/v2.0/networks", json!({"network": {"name": "n"}})).await;
    let network = &made["network"]["id"];
    let path = format!("/network/v2.0/networks/{}", network.as_str().unwrap());
    assert_eq!(ada.refusal(Method::GET, &path).await.0, 404);
    assert_eq!(policy(&ada, network, engines).await.0, 404, "it is not hers");
    let (status, shared) = policy(&admin, network, engines).await;
    assert_eq!(status, 201, "{shared}");
    assert_eq!(policy(&admin, network, engines).await.0, 409);
    assert_eq!(ada.get(&path).await["network"]["shared"], false);

    let subnet = json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": "10.7.0.0/24"}});
    assert_eq!(admin.post("/network/v2.0/subnets", subnet).await.0, 201);
    let port = json!({"port": {"network_id": network}});
    let (status, port) = ada.post("/network/v2.0/ports", port).await;
    assert_eq!(status, 201, "{port}");
    let own = format!("{POLICIES}/{}", shared["rbac_policy"]["id"].as_str().unwrap());
    let (status, answer) = admin.refusal(Method::DELETE, &own).await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (409, &json!("RbacPolicyInUse")));
    let port = port["port"]["id"].as_str().unwrap();
    assert_eq!(ada.delete(&format!("/network/v2.0/ports/{port}")).await, 204);
    assert_eq!(admin.delete(&own).await, 204);
    assert_eq!(ada.refusal(Method::GET, &path).await.0, 404);

    let (_, everyone) = policy(&admin, network, "*").await;
    assert_eq!(everyone["rbac_policy"]["target_project"], "*");
    assert_eq!(ada.get(&path).await["network"]["shared"], true);
    let listed = admin.get(&format!("{POLICIES}?object_id={}", network.as_str().unwrap())).await;
    assert_eq!(listed["rbac_policies"].as_array().unwrap().len(), 1);
    assert_eq!(ada.get(POLICIES).await["rbac_policies"], json!([]));
}

#[tokio::test]
async fn an_image_is_staged_and_imported() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let body = json!({"name": "i", "container_format": "bare", "disk_format": "raw"});
    let (_, image) = ada.post("/image/v2/images", body).await;
    let own = format!("/image/v2/images/{}", image["id"].as_str().unwrap());
    let import = |method: &str| json!({"method": {"name": method, "uri": "http://127.0.0.1/x"}});
    let path = format!("{own}/import");
    assert_eq!(ada.post(&path, import("glance-direct")).await.0, 409, "nothing is staged");
    assert_eq!(ada.post(&path, import("web-download")).await.0, 400);
    let staged = ada.request(Method::PUT, &format!("{own}/stage")).body("content");
    assert_eq!(staged.send().await.unwrap().status(), 204);
    let image = ada.get(&own).await;
    assert_eq!((&image["status"], &image["size"]), (&json!("uploading"), &Value::Null));
    assert_eq!(ada.status(Method::GET, &format!("{own}/file")).await, 204, "none of it is seen");
    let (status, _) = ada.post(&path, import("glance-direct")).await;
    assert_eq!(status, 202);
    let image = ada.get(&own).await;
    assert_eq!((&image["status"], &image["size"]), (&json!("active"), &json!(7)));
    let methods = ada.get("/image/v2/info/import").await;
    assert_eq!(methods["import-methods"]["value"], json!(["glance-direct"]));
    assert_eq!(ada.get("/image/v2/metadefs/namespaces").await["namespaces"], json!([]));
}
