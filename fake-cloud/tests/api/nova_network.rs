//! What Nova's older API shows of other services, and the security groups of servers.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::Stack;

#[tokio::test]
async fn security_groups_are_made_and_given_to_servers() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    ada.microversion = "2.1";
    let groups = "/compute/v2.1/os-security-groups";
    let wanted = json!({"security_group": {"name": "web", "description": "in"}});
    let (status, answer) = ada.post(groups, wanted).await;
    assert_eq!(status, 200, "{answer}");
    let group = answer["security_group"]["id"].as_str().unwrap();
    assert_eq!(answer["security_group"]["rules"], json!([]), "what goes out is not shown");
    let rule = json!({"security_group_rule": {
        "parent_group_id": group, "ip_protocol": "tcp", "from_port": 80, "to_port": "80",
        "cidr": "10.0.0.0/8",
    }});
    let rules = "/compute/v2.1/os-security-group-rules";
    let (status, answer) = ada.post(rules, rule).await;
    assert_eq!(status, 200, "{answer}");
    let rule = &answer["security_group_rule"];
    assert_eq!(
        (&rule["from_port"], &rule["ip_range"]),
        (&json!(80), &json!({"cidr": "10.0.0.0/8"}))
    );
    let shown = ada.get(&format!("{groups}/{group}")).await;
    assert_eq!(shown["security_group"]["rules"], json!([rule]));
    let port = ada.port_of(&id).await;
    let port = format!("/network/v2.0/ports/{port}");

    assert_eq!(ada.act(&id, json!({"addSecurityGroup": {"name": "web"}})).await.0, 202);
    let guarded = ada.get(&port).await["port"]["security_groups"].take();
    assert!(guarded.as_array().unwrap().contains(&json!(group)), "{guarded}");
    let names = ada.server(&id).await["security_groups"].take();
    assert_eq!(names, json!([{"name": "default"}, {"name": "web"}]));
    assert_eq!(ada.delete(&format!("{groups}/{group}")).await, 409, "a port has it");
    let of_server = ada.get(&format!("/compute/v2.1/servers/{id}/os-security-groups")).await;
    assert_eq!(of_server["security_groups"][1]["rules"], json!([rule]));
    let remove = json!({"removeSecurityGroup": {"name": "web"}});
    assert_eq!(ada.act(&id, remove.clone()).await.0, 202);
    let (status, answer) = ada.act(&id, remove).await;
    let message = format!("Security group web not associated with the instance {id}");
    assert_eq!((status, answer["itemNotFound"]["message"].as_str()), (404, Some(message.as_str())));
    assert_eq!(ada.act(&id, json!({"addSecurityGroup": {"name": "none"}})).await.0, 404);

    let rule = format!("{rules}/{}", rule["id"].as_str().unwrap());
    assert_eq!(ada.delete(&rule).await, 202);
    assert_eq!(ada.delete(&rule).await, 404);
    assert_eq!(ada.delete(&format!("{groups}/{group}")).await, 202);
    assert_eq!(ada.get(groups).await["security_groups"].as_array().unwrap().len(), 1);
    ada.microversion = "2.36";
    assert_eq!(ada.status(Method::GET, groups).await, 404);
}

#[tokio::test]
async fn snapshots_are_shown_as_in_older_times() {
    let stack = Stack::start().await;
    let mut ada = stack.ada().await;
    ada.microversion = "2.35";
    let wanted = json!({"volume": {"size": 1, "display_name": "v"}});
    let volume = ada.post("/compute/v2.1/os-volumes", wanted).await.1["volume"]["id"].take();
    let path = "/compute/v2.1/os-snapshots";
    let wanted = json!({"snapshot": {"volume_id": volume, "display_name": "s"}});
    let (status, answer) = ada.post(path, wanted).await;
    assert_eq!((status, &answer["snapshot"]["volumeId"]), (200, &volume));
    let one = format!("{path}/{}", answer["snapshot"]["id"].as_str().unwrap());
    assert_eq!(ada.get(&one).await["snapshot"]["status"], "available");
    assert_eq!(ada.delete(&one).await, 202);
    assert_eq!(ada.get(path).await, json!({"snapshots": []}));
    ada.microversion = "2.36";
    assert_eq!(ada.status(Method::GET, path).await, 404);
}

#[tokio::test]
async fn the_pool_of_floating_ips_is_made_larger_and_smaller() {
    let range = "127.0.1.10-127.0.1.10".parse().unwrap();
    let stack = Stack::start_with(|settings| settings.floating_range = range).await;
    let (mut ada, mut admin) = (stack.ada().await, stack.admin().await);
    (ada.microversion, admin.microversion) = ("2.1", "2.1");
    let (bulk, ips) = ("/compute/v2.1/os-floating-ips-bulk", "/compute/v2.1/os-floating-ips");
    let create = |range: &str| json!({"floating_ips_bulk_create": {"ip_range": range}});
    assert_eq!(ada.post(ips, json!({"pool": "public"})).await.0, 200);
    assert_eq!(ada.post(ips, json!(null)).await.0, 404, "there was one");
    assert_eq!(ada.post(bulk, create("127.0.2.0/30")).await.0, 403);
    let (status, answer) = admin.post(bulk, create("127.0.2.0/30")).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["floating_ips_bulk_create"]["pool"], "public");
    assert_eq!(admin.post(bulk, create("127.0.2.2")).await.0, 409, "it is there");
    assert_eq!(admin.post(bulk, create("127.0.2.0/31")).await.0, 400);
    let address = ada.post(ips, json!(null)).await.1["floating_ip"]["ip"].take();
    assert_eq!(address, "127.0.2.1");
    let list = admin.get(bulk).await["floating_ip_info"].take();
    let shown: Vec<_> = list.as_array().unwrap().iter().map(|it| &it["address"]).collect();
    assert_eq!(shown, ["127.0.1.10", "127.0.2.1", "127.0.2.2"]);
    assert_eq!(
        (&list[2]["project_id"], &list[1]["project_id"]),
        (&Value::Null, &list[0]["project_id"])
    );

    let delete = format!("{bulk}/delete");
    let (status, answer) = admin.put(&delete, json!({"ip_range": "127.0.2.0/30"})).await;
    let message = "Floating IP 127.0.2.1 is in use.";
    assert_eq!((status, answer["conflictingRequest"]["message"].as_str()), (409, Some(message)));
    assert_eq!(admin.put(&delete, json!({"ip_range": "127.0.2.2"})).await.0, 200);
    assert_eq!(ada.post(ips, json!(null)).await.0, 404, "and is not to be had any more");
    assert_eq!(admin.post(bulk, create("127.0.2.2")).await.0, 200);
    assert_eq!(ada.post(ips, json!(null)).await.0, 200);
    ada.microversion = "2.36";
    admin.microversion = "2.36";
    assert_eq!(admin.status(Method::GET, bulk).await, 404);
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/os-tenant-networks").await, 404);
    ada.microversion = "2.1";
    let networks = ada.get("/compute/v2.1/os-tenant-networks").await["networks"].take();
    let labels: Vec<_> = networks.as_array().unwrap().iter().map(|it| &it["label"]).collect();
    assert_eq!(labels, ["private", "public"]);
}

#[tokio::test]
async fn a_larger_pool_is_still_there_after_a_restart() {
    let stack = Stack::start().await;
    let mut admin = stack.admin().await;
    admin.microversion = "2.1";
    let bulk = "/compute/v2.1/os-floating-ips-bulk";
    let body = json!({"floating_ips_bulk_create": {"ip_range": "127.0.1.5", "pool": "public"}});
    assert_eq!(admin.post(bulk, body).await.0, 200);
    let stack = stack.restart().await;
    let mut admin = stack.admin().await;
    admin.microversion = "2.1";
    let list = admin.get(bulk).await["floating_ip_info"].take();
    assert!(list.as_array().unwrap().iter().any(|it| it["address"] == "127.0.1.5"));
}

#[tokio::test]
async fn the_administrator_sees_that_nothing_moves() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    for (path, expected) in
        [("os-migrations", json!({"migrations": []})), ("os-aggregates", json!({"aggregates": []}))]
    {
        let path = format!("/compute/v2.1/{path}");
        assert_eq!(admin.get(&path).await, expected);
        assert_eq!(ada.status(Method::GET, &path).await, 403);
    }
    let class =
        admin.get("/compute/v2.1/os-quota-class-sets/default").await["quota_class_set"].take();
    assert_eq!((&class["id"], &class["server_groups"]), (&json!("default"), &json!(10)));
    let project = admin.get("/v3/projects?name=engines").await["projects"][0]["id"].take();
    let path = format!("/compute/v2.1/os-quota-sets/{}", project.as_str().unwrap());
    admin.put(&path, json!({"quota_set": {"cores": 1}})).await;
    assert_eq!(admin.delete(&path).await, 202);
    let cores = admin.get(&path).await["quota_set"]["cores"].take();
    assert_eq!(cores, class["cores"]);
    assert_ne!(cores, Value::Null);
}
