//! The one machine as its administrator sees it: aggregates, services, hypervisors, and servers
//! that are to go elsewhere.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

const AGGREGATES: &str = "/compute/v2.1/os-aggregates";
const HOST: &str = "fake-cloud";

async fn act(client: &Client, aggregate: &Value, action: Value) -> (u16, Value) {
    client.post(&format!("{AGGREGATES}/{}/action", aggregate["id"]), action).await
}

#[tokio::test]
async fn an_aggregate_is_a_zone() {
    let stack = Stack::start().await;
    let (admin, ada) = (stack.admin().await, stack.ada().await);
    let body = json!({"aggregate": {"name": "east", "availability_zone": "east-1"}});
    let (status, made) = admin.post(AGGREGATES, body.clone()).await;
    assert_eq!((status, &made["aggregate"]["availability_zone"]), (200, &json!("east-1")));
    let (status, again) = admin.post(AGGREGATES, body).await;
    let message = "Aggregate east already exists.";
    assert_eq!((status, &again["conflictingRequest"]["message"]), (409, &json!(message)));
    let aggregate = &made["aggregate"];

    let (status, answer) = act(&admin, aggregate, json!({"add_host": {"host": HOST}})).await;
    assert_eq!((status, &answer["aggregate"]["hosts"]), (200, &json!([HOST])));
    let (status, _) = act(&admin, aggregate, json!({"add_host": {"host": "other"}})).await;
    assert_eq!(status, 404);
    let set = json!({"set_metadata": {"metadata": {"ssd": "true", "gone": null}}});
    let (_, answer) = act(&admin, aggregate, set).await;
    let expected = json!({"availability_zone": "east-1", "ssd": "true"});
    assert_eq!(answer["aggregate"]["metadata"], expected);

    let zones = ada.get("/compute/v2.1/os-availability-zone").await;
    assert_eq!(zones["availabilityZoneInfo"][0]["zoneName"], "east-1");
    let server = ada.create_server_with("web", json!({"availability_zone": "east-1"})).await;
    assert_eq!(ada.server(&server).await["OS-EXT-AZ:availability_zone"], "east-1");
    let elsewhere = ada.wanted("db", json!({"availability_zone": "nova"})).await;
    assert_eq!(ada.post("/compute/v2.1/servers", elsewhere).await.0, 400);

    let own = format!("{AGGREGATES}/{}", aggregate["id"]);
    let (status, answer) = admin.put(&own, json!({"aggregate": {"name": "west"}})).await;
    assert_eq!((status, &answer["aggregate"]["name"]), (200, &json!("west")));
    assert_eq!(admin.delete(&own).await, 400, "the host is in it");
    assert_eq!(act(&admin, aggregate, json!({"remove_host": {"host": HOST}})).await.0, 200);
    assert_eq!(admin.delete(&own).await, 200);
    assert_eq!(admin.refusal(Method::GET, &own).await.0, 404);
}

#[tokio::test]
async fn a_disabled_service_takes_no_new_servers() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    let services = admin.get("/compute/v2.1/os-services?binary=nova-compute").await;
    let own =
        format!("/compute/v2.1/os-services/{}", services["services"][0]["id"].as_str().unwrap());
    let body = json!({"status": "disabled", "disabled_reason": "maintenance"});
    let (status, answer) = admin.put(&own, body).await;
    assert_eq!((status, &answer["service"]["disabled_reason"]), (200, &json!("maintenance")));
    let hypervisor = admin.get("/compute/v2.1/os-hypervisors/detail").await;
    let hypervisor = &hypervisor["hypervisors"][0];
    assert_eq!(hypervisor["status"], "disabled");
    assert_eq!(hypervisor["service"]["disabled_reason"], "maintenance");
    let server = admin.create_server("late").await;
    let server = admin.server(&server).await;
    assert_eq!(server["status"], "ERROR");
    assert!(server["fault"]["message"].as_str().unwrap().starts_with("No valid host"));

    let stack = stack.restart().await;
    let admin = stack.admin().await;
    let listed = admin.get("/compute/v2.1/os-services").await;
    assert_eq!(listed["services"][2]["status"], "disabled");
    assert_eq!(admin.put(&own, json!({"status": "enabled"})).await.0, 200);
    let server = admin.create_server("early").await;
    assert_eq!(admin.server(&server).await["status"], "ACTIVE");
    assert_eq!(admin.put(&own, json!({"status": "asleep"})).await.0, 400);

    let old = admin.at_version("2.1");
    let body = json!({"host": HOST, "binary": "nova-compute"});
    let (status, answer) = old.put("/compute/v2.1/os-services/disable", body).await;
    assert_eq!((status, &answer["service"]["status"]), (200, &json!("disabled")));
}

#[tokio::test]
async fn the_machine_is_told_in_the_old_words_too() {
    let stack = Stack::start().await;
    let admin = stack.admin().await;
    admin.create_server("web").await;
    let old = admin.at_version("2.1");
    let statistics = old.get("/compute/v2.1/os-hypervisors/statistics").await;
    assert_eq!(statistics["hypervisor_statistics"]["running_vms"], 1);
    let shown = old.get("/compute/v2.1/os-hypervisors/1").await;
    assert_eq!(shown["hypervisor"]["memory_mb_used"], 512);
    let servers = old.get("/compute/v2.1/os-hypervisors/fake/servers").await;
    assert_eq!(servers["hypervisors"][0]["servers"].as_array().unwrap().len(), 1);
    let host = old.get("/compute/v2.1/os-hosts/fake-cloud").await;
    assert_eq!(host["host"][1]["resource"]["cpu"], 1);
    let extension = old.get("/compute/v2.1/extensions/os-aggregates").await;
    assert_eq!(extension["extension"]["name"], "Aggregates");
    for path in
        ["os-hypervisors/7", "os-hypervisors/other/search", "os-hosts/other", "extensions/x"]
    {
        assert_eq!(old.refusal(Method::GET, &format!("/compute/v2.1/{path}")).await.0, 404);
    }
    assert_eq!(admin.refusal(Method::GET, "/compute/v2.1/os-hosts").await.0, 404);
}

#[tokio::test]
async fn a_server_has_nowhere_else_to_go() {
    let stack = Stack::start().await;
    let (admin, ada) = (stack.admin().await, stack.ada().await);
    let server = ada.create_server("web").await;
    assert_eq!(ada.act(&server, json!({"migrate": null})).await.0, 403);
    assert_eq!(admin.act(&server, json!({"migrate": null})).await.0, 202);
    let path = format!("/compute/v2.1/servers/{server}/os-instance-actions");
    let actions = ada.get(&path).await;
    let latest = &actions["instanceActions"][0];
    assert_eq!((&latest["action"], &latest["message"]), (&json!("migrate"), &json!("Error")));
    assert_eq!(ada.server(&server).await["status"], "ACTIVE");
    for action in [
        json!({"migrate": {"host": HOST}}),
        json!({"os-migrateLive": {"host": "other", "block_migration": "auto"}}),
        json!({"evacuate": {}}),
    ] {
        assert_eq!(admin.act(&server, action.clone()).await.0, 400, "{action}");
    }
    let (status, answer) = ada.act(&server, json!({"rescue": null})).await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(ada.act(&server, json!({"unrescue": null})).await.0, 409);
    let old = admin.at_version("2.1");
    let live = json!({"os-migrateLive": {"host": null, "block_migration": false,
        "disk_over_commit": false}});
    let (status, answer) = old.act(&server, live).await;
    assert_eq!(status, 400);
    assert!(answer["badRequest"]["message"].as_str().unwrap().starts_with("No valid host"));
    assert_eq!(ada.act(&server, json!({"suspend": null})).await.0, 202);
    assert_eq!(admin.act(&server, json!({"migrate": null})).await.0, 409);
}

#[tokio::test]
async fn volumes_that_come_and_go_are_among_the_events() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let server = ada.create_server("web").await;
    let (body, old) = (json!({"volume": {"size": 1}}), ada.at_version("2.1"));
    let (_, volume) = old.post("/compute/v2.1/os-volumes", body).await;
    let volume = volume["volume"]["id"].as_str().unwrap();
    let path = format!("/compute/v2.1/servers/{server}/os-volume_attachments");
    let body = json!({"volumeAttachment": {"volumeId": volume}});
    assert_eq!(ada.post(&path, body).await.0, 200);
    assert_eq!(ada.delete(&format!("{path}/{volume}")).await, 202);
    let actions = ada.get(&format!("/compute/v2.1/servers/{server}/os-instance-actions")).await;
    let actions: Vec<_> =
        actions["instanceActions"].as_array().unwrap().iter().map(|it| &it["action"]).collect();
    assert_eq!(actions, ["detach_volume", "attach_volume", "create"]);
}
