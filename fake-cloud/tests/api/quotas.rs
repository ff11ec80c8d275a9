//! Quotas as the three services tell and set them.

use fake_cloud::control::Supply;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

async fn project(client: &Client, name: &str) -> String {
    let projects = client.get(&format!("/v3/projects?name={name}")).await;
    projects["projects"][0]["id"].as_str().unwrap().to_owned()
}

async fn set(client: &Client, path: &str, body: Value) {
    let (status, answer) = client.put(path, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
}

#[tokio::test]
async fn a_shortage_is_not_written_down_by_who_sets_another_quota() {
    let stack = Stack::start().await;
    let (admin, control) = (stack.admin().await, stack.cloud.control());
    let (own, ada) = (project(&admin, "admin").await, project(&admin, "engines").await);
    let network = format!("/network/v2.0/quotas/{ada}");
    let nova = format!("/compute/v2.1/os-quota-sets/{ada}");
    let cinder = format!("/volume/v3/{own}/os-quota-sets/{ada}");
    let usual = (admin.get(&nova).await, admin.get(&network).await, admin.get(&cinder).await);

    for name in ["cores", "networks", "gigabytes"] {
        control.exhaust(&Supply::Quota(name.to_owned())).unwrap();
    }
    set(&admin, &nova, json!({"quota_set": {"instances": 7}})).await;
    set(&admin, &network, json!({"quota": {"port": "8", "rbac_policy": 3}})).await;
    set(&admin, &cinder, json!({"quota_set": {"volumes": 9}})).await;
    assert_eq!(admin.get(&nova).await["quota_set"]["cores"], 0);
    assert_eq!(admin.get(&network).await["quota"]["network"], 0);
    assert_eq!(admin.get(&cinder).await["quota_set"]["gigabytes"], 0);

    control.clear().await;
    let (mut expected_nova, mut expected_network, mut expected_cinder) = usual;
    expected_nova["quota_set"]["instances"] = json!(7);
    expected_network["quota"]["port"] = json!(8);
    expected_cinder["quota_set"]["volumes"] = json!(9);
    assert_eq!(admin.get(&nova).await, expected_nova);
    assert_eq!(admin.get(&network).await, expected_network);
    assert_eq!(admin.get(&cinder).await, expected_cinder);
}

#[tokio::test]
async fn each_service_resets_its_own_quotas() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let ada = project(&admin, "engines").await;
    let network = format!("/network/v2.0/quotas/{ada}");
    let nova = format!("/compute/v2.1/os-quota-sets/{ada}");
    assert_eq!(admin.get("/network/v2.0/quotas").await, json!({"quotas": []}));
    let (status, answer) = admin.refusal(Method::DELETE, &network).await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (404, &json!("TenantQuotaNotFound")));

    set(&admin, &nova, json!({"quota_set": {"instances": 7}})).await;
    set(&admin, &network, json!({"quota": {"port": 8}})).await;
    let listed = admin.get("/network/v2.0/quotas").await;
    assert_eq!(listed["quotas"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&listed["quotas"][0]["port"], &listed["quotas"][0]["project_id"]),
        (&json!(8), &json!(ada))
    );

    assert_eq!(admin.delete(&network).await, 204);
    assert_eq!(admin.get("/network/v2.0/quotas").await, json!({"quotas": []}));
    assert_eq!(admin.get(&nova).await["quota_set"]["instances"], 7);
    assert_eq!(admin.delete(&nova).await, 202);
    assert_eq!(admin.get(&nova).await["quota_set"]["instances"], 1000);
}

#[tokio::test]
async fn a_limit_that_is_none_changes_nothing() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let ada = project(&admin, "engines").await;
    let path = format!("/network/v2.0/quotas/{ada}");
    let before = admin.get(&path).await;
    let body = json!({"quota": {"port": 8, "network": -2}});
    let (status, answer) = admin.put(&path, body).await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (400, &json!("HTTPBadRequest")));
    assert_eq!(admin.get(&path).await, before);
}
