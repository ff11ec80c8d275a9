//! Nova beside servers themselves: metadata, tags, flavors, key pairs, quotas, hosts.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Stack;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK2lbJHdHRC9x7SSRsg8ETEWjNKgxVaGekc9/N0TFJ2q";

#[tokio::test]
async fn metadata_is_merged_replaced_and_removed() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server_with("vm", json!({"metadata": {"a": "b"}})).await;
    let path = format!("/compute/v2.1/servers/{id}/metadata");
    let (_, merged) = ada.post(&path, json!({"metadata": {"x": "y"}})).await;
    assert_eq!(merged, json!({"metadata": {"a": "b", "x": "y"}}));
    let one = format!("{path}/x");
    assert_eq!(ada.get(&one).await, json!({"meta": {"x": "y"}}));
    assert_eq!(ada.put(&one, json!({"meta": {"x": "z"}})).await.0, 200);
    assert_eq!(ada.put(&one, json!({"meta": {"other": "z"}})).await.0, 400);
    assert_eq!(ada.delete(&one).await, 204);
    assert_eq!(ada.delete(&one).await, 404);
    assert_eq!(ada.put(&path, json!({"metadata": {"only": "this"}})).await.0, 200);
    assert_eq!(ada.get(&path).await, json!({"metadata": {"only": "this"}}));
}

#[tokio::test]
async fn tags_came_with_version_2_26() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let path = format!("/compute/v2.1/servers/{id}/tags");
    let one = format!("{path}/blue");
    assert_eq!(ada.put(&path, json!({"tags": ["red", "green", "red"]})).await.0, 200);
    assert_eq!(ada.status(Method::PUT, &one).await, 201);
    assert_eq!(ada.status(Method::PUT, &one).await, 204);
    assert_eq!(ada.get(&path).await, json!({"tags": ["green", "red", "blue"]}));
    let listed = ada.get("/compute/v2.1/servers?tags=red,blue").await;
    assert_eq!(listed["servers"].as_array().unwrap().len(), 1);
    let listed = ada.get("/compute/v2.1/servers?not-tags=red").await;
    assert_eq!(listed["servers"], json!([]));
    assert_eq!(ada.delete(&one).await, 204);
    assert_eq!(ada.status(Method::GET, &one).await, 404);
    assert_eq!(ada.put(&path, json!({"tags": ["a,b"]})).await.0, 400);
    assert_eq!(ada.delete(&path).await, 204);
    assert_eq!(ada.get(&path).await, json!({"tags": []}));
    ada.microversion = "2.25";
    assert_eq!(ada.status(Method::GET, &path).await, 404);
}

#[tokio::test]
async fn flavors_have_a_price_and_a_shape_by_version() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let flavors = ada.get("/compute/v2.1/flavors/detail?is_public=None").await;
    let tiny = &flavors["flavors"][0];
    assert_eq!(
        (&tiny["name"], &tiny["ram"], &tiny["vcpus"]),
        (&json!("m1.tiny"), &json!(512), &json!(1))
    );
    assert_eq!(tiny["extra_specs"], json!({"price:per_hour": "0.01"}));
    assert_eq!(tiny["swap"], 0);
    let large = ada.get("/compute/v2.1/flavors?minRam=8192&limit=1").await;
    assert_eq!(large["flavors"][0]["name"], "m1.large");
    let (status, answer) = ada.refusal(Method::GET, "/compute/v2.1/flavors/m1.tiny").await;
    assert_eq!(status, 404);
    assert_eq!(answer["itemNotFound"]["message"], "Flavor m1.tiny could not be found.");
    ada.microversion = "2.1";
    let old = ada.get("/compute/v2.1/flavors/detail").await["flavors"][0].take();
    assert_eq!((old.get("extra_specs"), &old["swap"]), (None, &json!("")));
}

#[tokio::test]
async fn key_pairs_are_kept_by_user_and_open_servers() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let body = json!({"keypair": {"name": "k1", "public_key": KEY}});
    let (status, answer) = ada.post("/compute/v2.1/os-keypairs", body.clone()).await;
    assert_eq!(status, 201);
    assert_eq!(answer["keypair"]["fingerprint"], "38:1a:90:49:38:2e:11:2c:56:51:b9:fb:29:42:35:08");
    assert_eq!(ada.post("/compute/v2.1/os-keypairs", body).await.0, 409);
    for wrong in [
        json!({"name": "k2", "public_key": "not a key"}),
        json!({"name": "k2"}),
        json!({"name": "k2", "public_key": null}),
        json!({"name": "k/2", "public_key": KEY}),
    ] {
        let (status, answer) =
            ada.post("/compute/v2.1/os-keypairs", json!({"keypair": wrong})).await;
        assert_eq!(status, 400, "{answer}");
    }
    let id = ada.create_server_with("vm", json!({"key_name": "k1"})).await;
    assert_eq!(ada.server(&id).await["key_name"], "k1");
    let admin = stack.admin().await;
    assert_eq!(admin.status(Method::GET, "/compute/v2.1/os-keypairs/k1").await, 404);
    assert_eq!(ada.delete("/compute/v2.1/os-keypairs/k1").await, 204);
    assert_eq!(ada.get("/compute/v2.1/os-keypairs").await, json!({"keypairs": []}));
}

#[tokio::test]
async fn a_key_pair_may_be_made_until_version_2_92() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    ada.microversion = "2.1";
    let path = "/compute/v2.1/os-keypairs";
    let (status, answer) = ada.post(path, json!({"keypair": {"name": "made"}})).await;
    assert_eq!(status, 200, "{answer}");
    let made = &answer["keypair"];
    assert!(made["private_key"].as_str().unwrap().starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert!(made["public_key"].as_str().unwrap().starts_with("ssh-rsa "));
    assert_eq!(made.get("type"), None);
    let shown = ada.get(&format!("{path}/made")).await["keypair"].take();
    assert_eq!((shown.get("private_key"), &shown["public_key"]), (None, &made["public_key"]));
    let user = json!({"keypair": {"name": "x", "public_key": KEY, "user_id": made["user_id"]}});
    assert_eq!(ada.post(path, user).await.0, 400, "not before version 2.10");
}

#[tokio::test]
async fn the_administrator_sees_the_key_pairs_of_others() {
    let stack = Stack::start().await;
    let (mut ada, admin) = (stack.ada().await, stack.admin().await);
    let path = "/compute/v2.1/os-keypairs";
    let mut user = Value::Null;
    for name in ["c", "a", "b"] {
        let key = json!({"keypair": {"name": name, "public_key": KEY, "type": "ssh"}});
        user = ada.post(path, key).await.1["keypair"]["user_id"].take();
    }
    let names = |list: &Value| -> Vec<String> {
        let keys = list["keypairs"].as_array().unwrap().iter();
        keys.map(|key| key["keypair"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let page = ada.get(&format!("{path}?limit=2")).await;
    assert_eq!(names(&page), ["a", "b"]);
    let next = page["keypairs_links"][0]["href"].as_str().unwrap();
    let next = next.split_once("/os-keypairs").unwrap().1;
    assert_eq!(names(&ada.get(&format!("{path}{next}")).await), ["c"]);
    let answer = ada.refusal(Method::GET, &format!("{path}?marker=z")).await;
    assert_eq!(answer.1["badRequest"]["message"], "Marker z could not be found.");

    let user = user.as_str().unwrap();
    assert_eq!(names(&admin.get(path).await), [""; 0]);
    assert_eq!(names(&admin.get(&format!("{path}?user_id={user}")).await).len(), 3);
    assert_eq!(admin.get(&format!("{path}/a?user_id={user}")).await["keypair"]["user_id"], user);
    let given = json!({"keypair": {"name": "given", "public_key": KEY, "user_id": user}});
    assert_eq!(admin.post(path, given).await.0, 201);
    assert_eq!(admin.delete(&format!("{path}/given?user_id={user}")).await, 204);
    let mine = uuid::Uuid::nil().simple().to_string();
    assert_eq!(ada.status(Method::GET, &format!("{path}?user_id={mine}")).await, 403);
    ada.microversion = "2.9";
    assert_eq!(names(&ada.get(&format!("{path}?limit=1&user_id={mine}")).await).len(), 3);
}

#[tokio::test]
async fn quotas_are_set_by_the_administrator() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let projects = admin.get("/v3/projects?name=engines").await;
    let project = projects["projects"][0]["id"].as_str().unwrap();
    let path = format!("/compute/v2.1/os-quota-sets/{project}");
    let (status, answer) = admin.put(&path, json!({"quota_set": {"cores": 3, "ram": -1}})).await;
    assert_eq!(status, 200, "{answer}");
    let set = ada.get(&path).await["quota_set"].take();
    assert_eq!((&set["cores"], &set["ram"], &set["id"]), (&json!(3), &json!(-1), &json!(project)));
    let body = ada.wanted("vm", json!({"min_count": 4})).await;
    assert_eq!(ada.post("/compute/v2.1/servers", body).await.0, 403);
    assert_eq!(admin.put(&path, json!({"quota_set": {"cores": "many"}})).await.0, 400);
    ada.create_server("vm").await;
    let detail = ada.get(&format!("{path}/detail")).await;
    assert_eq!(detail["quota_set"]["cores"], json!({"limit": 3, "in_use": 1, "reserved": 0}));
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/os-quota-sets/nobody").await, 400);
}

#[tokio::test]
async fn the_old_api_ends_with_version_2_36() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let paths =
        ["os-floating-ip-pools", "os-floating-ips", "os-networks", "images", "images/detail"];
    for path in paths {
        let path = format!("/compute/v2.1/{path}");
        assert_eq!(ada.status(Method::GET, &path).await, 404, "{path}");
    }
    ada.microversion = "2.1";
    for path in paths {
        let path = format!("/compute/v2.1/{path}");
        assert_eq!(ada.status(Method::GET, &path).await, 200, "{path}");
    }
}

#[tokio::test]
async fn the_console_of_a_server_that_never_spoke_is_empty() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    for length in
        [json!({}), json!({"length": null}), json!({"length": "20"}), json!({"length": -1})]
    {
        let (status, answer) = ada.act(&id, json!({"os-getConsoleOutput": length})).await;
        assert_eq!((status, answer), (200, json!({"output": ""})));
    }
    let wrong = json!({"os-getConsoleOutput": {"length": "all"}});
    assert_eq!(ada.act(&id, wrong).await.0, 400);
}

#[tokio::test]
async fn the_one_host_is_shown_to_the_administrator() {
    let stack = Stack::start().await;
    let mut admin = stack.admin().await;
    let zones = admin.get("/compute/v2.1/os-availability-zone/detail").await;
    assert_eq!(zones["availabilityZoneInfo"][1]["zoneName"], "nova");
    let hypervisors = admin.get("/compute/v2.1/os-hypervisors/detail").await;
    assert_eq!(hypervisors["hypervisors"][0]["state"], "up");
    assert_eq!(hypervisors["hypervisors"][0]["uptime"], Value::Null);
    let id = admin.create_server("vm").await;
    let path = format!("/compute/v2.1/servers/{id}/diagnostics");
    let diagnostics = admin.get(&path).await;
    assert_eq!((&diagnostics["state"], &diagnostics["num_nics"]), (&json!("running"), &json!(1)));
    assert_eq!(diagnostics["memory_details"]["maximum"], 512);
    admin.act(&id, json!({"os-stop": null})).await;
    assert_eq!(admin.status(Method::GET, &path).await, 409);
    assert_eq!(admin.delete(&format!("/compute/v2.1/servers/{id}")).await, 204);
    admin.microversion = "2.1";
    let hypervisors = admin.get("/compute/v2.1/os-hypervisors/detail").await;
    assert_eq!(hypervisors["hypervisors"][0]["id"], 1);
    assert_eq!(hypervisors["hypervisors"][0]["running_vms"], 0);
}
