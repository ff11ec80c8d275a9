//! Server groups, and what they mean on a cloud of one machine.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

async fn create(client: &Client, group: Value) -> (u16, Value) {
    client.post("/compute/v2.1/os-server-groups", json!({"server_group": group})).await
}

async fn member(client: &Client, name: &str, group: &str) -> Value {
    let mut body = client.wanted(name, json!({})).await;
    body["os:scheduler_hints"] = json!({"group": group});
    let (status, answer) = client.post("/compute/v2.1/servers", body).await;
    assert_eq!(status, 202, "{answer}");
    client.server(answer["server"]["id"].as_str().unwrap()).await
}

#[tokio::test]
async fn the_shape_of_a_group_follows_the_version() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let (status, answer) = create(&ada, json!({"name": "g", "policy": "soft-affinity"})).await;
    assert_eq!(status, 200);
    let group = &answer["server_group"];
    let path = format!("/compute/v2.1/os-server-groups/{}", group["id"].as_str().unwrap());
    assert_eq!((&group["policy"], &group["rules"]), (&json!("soft-affinity"), &json!({})));
    ada.microversion = "2.15";
    let older = ada.get(&path).await["server_group"].take();
    assert_eq!((&older["policies"], &older["metadata"]), (&json!(["soft-affinity"]), &json!({})));
    assert_eq!(older.get("policy"), None);
    assert!(older.get("project_id").is_some());
    ada.microversion = "2.12";
    assert_eq!(ada.get(&path).await["server_group"].get("project_id"), None);
    let soft = json!({"name": "g", "policies": ["soft-affinity"]});
    assert_eq!(create(&ada, soft).await.0, 400, "not before version 2.15");
    assert_eq!(create(&ada, json!({"name": "g", "policies": ["affinity"]})).await.0, 200);
    let listed = ada.get("/compute/v2.1/os-server-groups").await;
    assert_eq!(listed["server_groups"].as_array().unwrap().len(), 2);
    let admin = stack.admin().await;
    assert_eq!(admin.get("/compute/v2.1/os-server-groups").await["server_groups"], json!([]));
    let all = admin.get("/compute/v2.1/os-server-groups?all_projects=True").await;
    assert_eq!(all["server_groups"].as_array().unwrap().len(), 2);
    assert_eq!(ada.delete(&path).await, 204);
    assert_eq!(ada.delete(&path).await, 404);
}

#[tokio::test]
async fn one_machine_is_enough_for_affinity_and_for_one_server_without() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    for (policy, rules, second) in [
        ("affinity", json!({}), "ACTIVE"),
        ("soft-anti-affinity", json!({}), "ACTIVE"),
        ("anti-affinity", json!({}), "ERROR"),
        ("anti-affinity", json!({"max_server_per_host": 2}), "ACTIVE"),
    ] {
        let wanted = json!({"name": "g", "policy": policy, "rules": rules});
        let (status, answer) = create(&ada, wanted).await;
        assert_eq!(status, 200, "{answer}");
        let id = answer["server_group"]["id"].as_str().unwrap();
        let first = member(&ada, "one", id).await;
        assert_eq!((&first["status"], &first["server_groups"]), (&json!("ACTIVE"), &json!([id])));
        assert_eq!(first["scheduler_hints"], json!({"group": id}));
        let server = member(&ada, "two", id).await;
        assert_eq!(server["status"], second, "{policy}");
        if second == "ERROR" {
            let message = server["fault"]["message"].as_str().unwrap();
            assert!(message.starts_with("No valid host was found."), "{message}");
        }
        let group = ada.get(&format!("/compute/v2.1/os-server-groups/{id}")).await;
        assert_eq!(group["server_group"]["members"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn groups_and_their_members_have_quotas() {
    let stack = Stack::start_with(|settings| {
        settings.quotas.server_groups = 1;
        settings.quotas.server_group_members = 1;
    })
    .await;
    let ada = stack.ada().await;
    let wanted = json!({"name": "g", "policy": "affinity"});
    let group = create(&ada, wanted.clone()).await.1["server_group"]["id"].take();
    let (status, answer) = create(&ada, wanted).await;
    let message = "Quota exceeded, too many server groups.";
    assert_eq!((status, answer["forbidden"]["message"].as_str()), (403, Some(message)));
    member(&ada, "one", group.as_str().unwrap()).await;
    let mut body = ada.wanted("two", json!({})).await;
    body["os:scheduler_hints"] = json!({"group": group});
    let (status, answer) = ada.post("/compute/v2.1/servers", body.clone()).await;
    let message = "Quota exceeded, too many servers in group";
    assert_eq!((status, answer["forbidden"]["message"].as_str()), (403, Some(message)));
    body["os:scheduler_hints"] = json!({"group": uuid::Uuid::nil()});
    assert_eq!(ada.post("/compute/v2.1/servers", body).await.0, 400);
    let limits = ada.get("/compute/v2.1/limits").await["limits"]["absolute"].take();
    assert_eq!(
        (&limits["maxServerGroups"], &limits["totalServerGroupsUsed"]),
        (&json!(1), &json!(1))
    );
    for (wrong, message) in [
        (json!({"name": "g", "policy": "together"}), "`together`"),
        (json!({"name": "g"}), "policy"),
        (json!({"name": "g", "policy": "affinity", "rules": {"max_server_per_host": 2}}), "rules"),
        (json!({"name": "g", "policies": ["affinity"]}), "'policies' was unexpected"),
    ] {
        let (status, answer) = create(&ada, wrong.clone()).await;
        assert_eq!(status, 400, "{wrong}");
        let told = answer["badRequest"]["message"].as_str().unwrap();
        assert!(told.contains(message), "{told}");
    }
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/os-server-groups/none").await, 404);
}
