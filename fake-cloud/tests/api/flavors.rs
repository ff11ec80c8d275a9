//! Flavors that the administrator makes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Stack;

const PATH: &str = "/compute/v2.1/flavors";

#[tokio::test]
async fn a_flavor_is_made_used_and_removed() {
    let stack = Stack::start().await;
    let (ada, mut admin) = (stack.ada().await, stack.admin().await);
    let wanted = json!({"flavor": {
        "name": "big", "id": "42", "ram": 1024, "vcpus": "2", "disk": 3, "swap": 64,
        "OS-FLV-EXT-DATA:ephemeral": 1, "description": "for much",
    }});
    assert_eq!(ada.post(PATH, wanted.clone()).await.0, 403);
    let (status, answer) = admin.post(PATH, wanted.clone()).await;
    assert_eq!(status, 200, "{answer}");
    let made = &answer["flavor"];
    assert_eq!((&made["id"], &made["vcpus"], &made["swap"]), (&json!("42"), &json!(2), &json!(64)));
    assert_eq!(made["description"], "for much");
    let (status, answer) = admin.post(PATH, wanted).await;
    let message = "Flavor with name big already exists.";
    assert_eq!((status, answer["conflictingRequest"]["message"].as_str()), (409, Some(message)));
    let twin = json!({"flavor": {"name": "other", "id": "42", "ram": 1, "vcpus": 1, "disk": 0}});
    let message = "Flavor with ID 42 already exists.";
    assert_eq!(admin.post(PATH, twin).await.1["conflictingRequest"]["message"], message);

    let id = ada.create_server_with("vm", json!({"flavorRef": 42})).await;
    assert_eq!(ada.server(&id).await["flavor"]["original_name"], "big");
    assert_eq!(ada.get(&format!("{PATH}/42")).await["flavor"]["name"], "big");
    let change = json!({"flavor": {"description": null}});
    assert_eq!(
        admin.put(&format!("{PATH}/42"), change.clone()).await.1["flavor"]["description"],
        Value::Null
    );
    admin.microversion = "2.54";
    assert_eq!(admin.put(&format!("{PATH}/42"), change).await.0, 404);

    let specs = format!("{PATH}/42/os-extra_specs");
    let set = json!({"extra_specs": {"hw:a": "1", "hw:b": "2"}});
    assert_eq!(admin.post(&specs, set.clone()).await, (200, set));
    assert_eq!(admin.put(&format!("{specs}/hw:a"), json!({"hw:a": "3"})).await.0, 200);
    assert_eq!(admin.put(&format!("{specs}/hw:a"), json!({"hw:x": "3"})).await.0, 400);
    assert_eq!(ada.get(&specs).await, json!({"extra_specs": {"hw:a": "3", "hw:b": "2"}}));
    assert_eq!(admin.delete(&format!("{specs}/hw:a")).await, 200);
    assert_eq!(admin.delete(&format!("{specs}/hw:a")).await, 404);

    assert_eq!(admin.delete(&format!("{PATH}/42")).await, 202);
    assert_eq!(admin.delete(&format!("{PATH}/42")).await, 404);
    assert_eq!(ada.server(&id).await["flavor"]["vcpus"], 2, "its server keeps its size");
    let wrong = json!({"flavor": {"name": "none", "ram": 0, "vcpus": 1, "disk": 0}});
    assert_eq!(admin.post(PATH, wrong).await.0, 400);
}

#[tokio::test]
async fn a_private_flavor_is_for_those_who_are_told() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let project = admin.get("/v3/projects?name=engines").await["projects"][0]["id"].take();
    let wanted = json!({"flavor": {
        "name": "secret", "id": "s", "ram": 1, "vcpus": 1, "disk": 0,
        "os-flavor-access:is_public": false,
    }});
    assert_eq!(admin.post(PATH, wanted).await.0, 200);
    let one = format!("{PATH}/s");
    assert_eq!(ada.status(Method::GET, &one).await, 404);
    let names = async |query: &str| {
        let list = admin.get(&format!("{PATH}?is_public={query}")).await;
        list["flavors"].as_array().unwrap().len()
    };
    assert_eq!((names("None").await, names("True").await, names("False").await), (6, 5, 1));
    let tenant = json!({"tenant": project});
    let (status, answer) =
        admin.post(&format!("{one}/action"), json!({"addTenantAccess": tenant})).await;
    let access = json!({"flavor_access": [{"flavor_id": "s", "tenant_id": project}]});
    assert_eq!((status, &answer), (200, &access));
    assert_eq!(admin.get(&format!("{one}/os-flavor-access")).await, access);
    assert_eq!(
        admin.post(&format!("{one}/action"), json!({"addTenantAccess": tenant})).await.0,
        409
    );
    assert_eq!(ada.status(Method::GET, &one).await, 200);
    ada.create_server_with("vm", json!({"flavorRef": "s"})).await;
    let remove = json!({"removeTenantAccess": tenant});
    assert_eq!(admin.post(&format!("{one}/action"), remove.clone()).await.0, 200);
    assert_eq!(admin.post(&format!("{one}/action"), remove).await.0, 404);
    assert_eq!(ada.status(Method::GET, &one).await, 404);
    let public = admin.flavor("m1.tiny").await;
    let public = format!("{PATH}/{public}");
    assert_eq!(admin.status(Method::GET, &format!("{public}/os-flavor-access")).await, 404);
    assert_eq!(
        admin.post(&format!("{public}/action"), json!({"addTenantAccess": tenant})).await.0,
        409
    );
}
