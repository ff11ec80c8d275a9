//! Servers: made, changed, listed and removed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

#[tokio::test]
async fn a_server_is_active_at_the_first_look() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let network = ada.network("private").await;
    let body = ada.wanted("web_1", json!({
        "networks": [{"uuid": network}], "user_data": "IyEvYmluL3NoCg==", "metadata": {"a": "b"},
        "block_device_mapping_v2": [{
            "uuid": ada.image().await, "boot_index": 0, "source_type": "image",
            "destination_type": "local", "delete_on_termination": true
        }],
    })).await;
    let answer =
        ada.request(Method::POST, "/compute/v2.1/servers").json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let made = answer.json::<Value>().await.unwrap()["server"].take();
    let id = made["id"].as_str().unwrap();
    assert!(location.ends_with(&format!("/compute/v2.1/servers/{id}")));
    assert_eq!(made["security_groups"], json!([{"name": "default"}]));
    assert_eq!(made["adminPass"].as_str().unwrap().len(), 12);

    let server = ada.server(id).await;
    assert_eq!(server["status"], "ACTIVE");
    assert_eq!(server["OS-EXT-STS:vm_state"], "active");
    assert_eq!(server["OS-EXT-STS:power_state"], 1);
    assert_eq!(server["OS-EXT-STS:task_state"], Value::Null);
    assert_eq!(server["metadata"], json!({"a": "b"}));
    assert_eq!(server["OS-EXT-SRV-ATTR:hostname"], "web-1");
    let address = &server["addresses"]["private"][0];
    assert_eq!(address["addr"], "127.0.16.2");
    assert_eq!(address["OS-EXT-IPS:type"], "fixed");
    assert!(address["OS-EXT-IPS-MAC:mac_addr"].as_str().unwrap().starts_with("fa:16:3e:"));
}

#[tokio::test]
async fn the_shape_of_a_server_follows_the_version() {
    let stack = Stack::start().await;
    let mut admin = stack.admin().await;
    let id = admin.create_server("vm").await;
    let flavor = admin.flavor("m1.tiny").await;
    let has = |server: &Value, names: &[&str]| -> Vec<bool> {
        names.iter().map(|name| server.get(name).is_some()).collect()
    };
    let names = [
        "OS-EXT-SRV-ATTR:hostname",
        "locked",
        "host_status",
        "description",
        "tags",
        "trusted_image_certificates",
        "server_groups",
        "locked_reason",
        "pinned_availability_zone",
        "scheduler_hints",
    ];
    let since = [3, 9, 16, 19, 26, 63, 71, 73, 96, 100];
    for (version, minor) in [
        ("2.1", 1),
        ("2.3", 3),
        ("2.9", 9),
        ("2.16", 16),
        ("2.19", 19),
        ("2.26", 26),
        ("2.47", 47),
        ("2.63", 63),
        ("2.71", 71),
        ("2.73", 73),
        ("2.96", 96),
        ("2.100", 100),
    ] {
        admin.microversion = version;
        let server = admin.server(&id).await;
        assert_eq!(has(&server, &names), since.map(|since| minor >= since), "{version}");
        if minor >= 47 {
            assert_eq!(server["flavor"]["original_name"], "m1.tiny");
            assert_eq!(server["flavor"].get("id"), None);
        } else {
            assert_eq!(server["flavor"]["id"], flavor);
        }
    }
    let listed = admin.get("/compute/v2.1/servers/detail").await;
    assert_eq!(listed["servers"][0].get("server_groups"), None, "for one server only");
    let hidden = ["OS-EXT-SRV-ATTR:host", "OS-EXT-SRV-ATTR:user_data", "host_status"];
    let ada = stack.ada().await;
    let own = ada.create_server("own").await;
    assert_eq!(has(&ada.server(&own).await, &hidden), [false; 3], "for the administrator only");
}

#[tokio::test]
async fn answers_tell_the_version_they_have() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    ada.microversion = "2.42";
    let answer = ada.request(Method::GET, "/compute/v2.1/servers").send().await.unwrap();
    let headers = answer.headers();
    assert_eq!(headers["openstack-api-version"], "compute 2.42");
    assert_eq!(headers["x-openstack-nova-api-version"], "2.42");
    assert_eq!(headers["x-openstack-request-id"], headers["x-compute-request-id"]);
    let vary: Vec<_> = headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["OpenStack-API-Version", "X-OpenStack-Nova-API-Version"]);
    ada.microversion = "2.999";
    let (status, answer) = ada.refusal(Method::GET, "/compute/v2.1/servers").await;
    assert_eq!((status, &answer["computeFault"]["code"]), (406, &json!(406)));
}

async fn names(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/compute/v2.1/servers{query}")).await;
    let servers = list["servers"].as_array().unwrap().iter();
    servers.map(|server| server["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    for name in ["web-1", "web-2", "db"] {
        ada.create_server(name).await;
    }
    let other = stack.admin().await;
    other.create_server("other").await;
    assert_eq!(names(&ada, "").await, ["db", "web-2", "web-1"], "the newest first, own ones only");
    assert_eq!(names(&ada, "?name=web").await, ["web-2", "web-1"]);
    assert_eq!(names(&ada, "?name=%5Edb%24").await, ["db"]);
    assert_eq!(names(&ada, "?name=WEB").await, Vec::<String>::new());
    assert_eq!(names(&ada, "/detail?status=ACTIVE&deleted=False").await.len(), 3);
    assert_eq!(names(&ada, "?status=ERROR").await.len(), 0);
    assert_eq!(names(&ada, "?ip=127.0.16.3").await, ["web-2"]);
    assert_eq!(names(&ada, "?sort_key=display_name&sort_dir=asc").await, ["db", "web-1", "web-2"]);
    assert_eq!(names(&other, "?all_tenants=1").await.len(), 4);
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/servers?all_tenants=1").await, 403);

    let page = ada.get("/compute/v2.1/servers?limit=2").await;
    let next = page["servers_links"][0]["href"].as_str().unwrap();
    let next = next.split_once("/servers").unwrap().1;
    assert_eq!(names(&ada, next).await, ["web-1"]);
    assert_eq!(ada.get("/compute/v2.1/servers?limit=3").await.get("servers_links"), None);
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/servers?marker=nothing").await, 400);
}

#[tokio::test]
async fn names_are_no_ids() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    ada.create_server("vm").await;
    let (status, answer) = ada.refusal(Method::GET, "/compute/v2.1/servers/vm").await;
    assert_eq!(status, 404);
    let message = "Instance vm could not be found.";
    assert_eq!(answer, json!({"itemNotFound": {"code": 404, "message": message}}));
}

#[tokio::test]
async fn projects_do_not_see_each_others_servers() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let id = admin.create_server("vm").await;
    let path = format!("/compute/v2.1/servers/{id}");
    assert_eq!(ada.status(Method::GET, &path).await, 404);
    assert_eq!(ada.delete(&path).await, 404);
    assert_eq!(admin.server(&id).await["status"], "ACTIVE");
}

#[tokio::test]
async fn a_server_is_stopped_started_frozen_and_removed() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    for (action, status) in [
        (json!({"os-stop": null}), "SHUTOFF"),
        (json!({"os-start": null}), "ACTIVE"),
        (json!({"pause": null}), "PAUSED"),
        (json!({"unpause": null}), "ACTIVE"),
        (json!({"reboot": {"type": "SOFT"}}), "ACTIVE"),
        (json!({"reboot": {"type": "HARD"}}), "ACTIVE"),
    ] {
        assert_eq!(ada.act(&id, action.clone()).await.0, 202, "{action}");
        assert_eq!(ada.server(&id).await["status"], status, "{action}");
    }
    let events = ada.get(&format!("/compute/v2.1/servers/{id}/os-instance-actions")).await;
    let events: Vec<&str> = events["instanceActions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["action"].as_str().unwrap())
        .collect();
    assert_eq!(events, ["reboot", "reboot", "unpause", "pause", "start", "stop", "create"]);

    let path = format!("/compute/v2.1/servers/{id}");
    assert_eq!(ada.delete(&path).await, 204);
    assert_eq!(ada.status(Method::GET, &path).await, 404, "gone at the first look");
    assert_eq!(ada.get("/network/v2.0/ports").await["ports"], json!([]), "with its port");
}

#[tokio::test]
async fn what_does_not_fit_the_state_is_a_conflict() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let (status, answer) = ada.act(&id, json!({"os-start": null})).await;
    assert_eq!(status, 409);
    let message = format!("Cannot 'start' instance {id} while it is in vm_state active");
    assert_eq!(answer, json!({"conflictingRequest": {"code": 409, "message": message}}));
    assert_eq!(ada.act(&id, json!({"reboot": {"type": "WARM"}})).await.0, 400);
    assert_eq!(ada.act(&id, json!({"explode": null})).await.0, 400);
    assert_eq!(ada.act(&id, json!({})).await.0, 400);
}

#[tokio::test]
async fn mistakes_are_told_and_nothing_is_made() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let nil = uuid::Uuid::nil();
    for (more, message) in [
        (json!({"imageRef": nil}), "Can not find requested image"),
        (json!({"flavorRef": "m1.none"}), "Flavor m1.none could not be found."),
        (json!({"key_name": "none"}), "Invalid key_name provided."),
        (json!({"user_data": "not base64!"}), "valid base64"),
        (json!({"networks": [{"uuid": nil}]}), "could not be found"),
        (json!({"networks": "none"}), "at least one network"),
        (json!({"security_groups": [{"name": "none"}]}), "not found for project"),
        (json!({"name": " "}), "1 to 255"),
        (json!({"min_count": 3, "max_count": 2}), "min_count must be <= max_count"),
    ] {
        let body = ada.wanted("vm", more.clone()).await;
        let (status, answer) = ada.post("/compute/v2.1/servers", body).await;
        assert_eq!(status, 400, "{more}");
        let told = answer["badRequest"]["message"].as_str().unwrap();
        assert!(told.contains(message), "{told}");
    }
    let external = ada.network("public").await;
    let body = ada.wanted("vm", json!({"networks": [{"uuid": external}]})).await;
    assert_eq!(ada.post("/compute/v2.1/servers", body).await.0, 403);
    assert_eq!(ada.post("/compute/v2.1/servers", json!({"server": {}})).await.0, 400);
    assert_eq!(ada.get("/compute/v2.1/servers").await["servers"], json!([]));
    assert_eq!(ada.get("/network/v2.0/ports").await["ports"], json!([]));
}

#[tokio::test]
async fn what_a_version_does_not_know_is_refused() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    for (version, more, status) in [
        ("2.18", json!({"description": "x"}), 400),
        ("2.19", json!({"description": "x"}), 202),
        ("2.51", json!({"tags": ["x"]}), 400),
        ("2.52", json!({"tags": ["x"]}), 202),
        ("2.89", json!({"hostname": "x"}), 400),
        ("2.90", json!({"hostname": "x"}), 202),
        ("2.90", json!({"color": "x"}), 400),
        ("2.90", json!({"availability_zone": "nova"}), 202),
        ("2.90", json!({"availability_zone": "mars"}), 400),
    ] {
        ada.microversion = version;
        let body = ada.wanted("vm", more.clone()).await;
        let (code, answer) = ada.post("/compute/v2.1/servers", body).await;
        assert_eq!(code, status, "{version} {more}: {answer}");
    }
}

#[tokio::test]
async fn several_servers_are_made_at_once() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    ada.create_server_with("vm", json!({"min_count": 2, "max_count": 3})).await;
    assert_eq!(names(&ada, "").await, ["vm-3", "vm-2", "vm-1"]);
}

#[tokio::test]
async fn the_quota_is_a_limit_and_says_so() {
    let stack = Stack::start_with(|settings| settings.quotas.instances = 2).await;
    let ada = stack.ada().await;
    ada.create_server_with("vm", json!({"min_count": 1, "max_count": 5})).await;
    assert_eq!(names(&ada, "").await.len(), 2, "as many as fit");
    let body = ada.wanted("vm", json!({})).await;
    let (status, answer) = ada.post("/compute/v2.1/servers", body).await;
    let message = "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances";
    assert_eq!(status, 403);
    assert_eq!(answer, json!({"forbidden": {"code": 403, "message": message}}));
    let limits = ada.get("/compute/v2.1/limits").await;
    assert_eq!(limits["limits"]["absolute"]["totalInstancesUsed"], 2);
}

#[tokio::test]
async fn without_an_address_a_server_is_in_error() {
    let range = "127.0.16.2-127.0.16.2".parse().unwrap();
    let stack = Stack::start_with(|settings| settings.fixed_range = range).await;
    let ada = stack.ada().await;
    ada.create_server("first").await;
    let id = ada.create_server("second").await;
    let server = ada.server(&id).await;
    assert_eq!(server["status"], "ERROR");
    let message = server["fault"]["message"].as_str().unwrap();
    let (begin, end) = message.split_once(" aborted: ").unwrap();
    assert_eq!(begin, format!("Build of instance {id}"));
    assert!(end.starts_with("No fixed IP addresses available for network: "), "{message}");
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{id}")).await, 204);
    assert_eq!(names(&ada, "").await, ["first"]);
}

#[tokio::test]
async fn a_server_is_renamed_and_described() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("old").await;
    let path = format!("/compute/v2.1/servers/{id}");
    let change = json!({"server": {"name": "new", "description": "mine"}});
    let (status, answer) = ada.put(&path, change).await;
    assert_eq!((status, &answer["server"]["name"]), (200, &json!("new")));
    let (_, answer) = ada.put(&path, json!({"server": {"description": null}})).await;
    assert_eq!(answer["server"]["description"], Value::Null);
    assert_eq!(answer["server"]["name"], "new");
    assert_eq!(ada.put(&path, json!({"server": {"name": ""}})).await.0, 400);
}
