//! Which servers a list shows, in which order; and what servers have used.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Stack};

async fn names(client: &Client, query: &str) -> Vec<String> {
    let list = client.get(&format!("/compute/v2.1/servers{query}")).await;
    let servers = list["servers"].as_array().unwrap().iter();
    servers.map(|server| server["name"].as_str().unwrap().to_owned()).collect()
}

fn zulu(stack: &Stack) -> String {
    use fake_cloud::clock::Clock as _;
    let format =
        time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    stack.clock.now().format(&format).unwrap()
}

#[tokio::test]
async fn changes_since_a_time_tell_of_servers_that_are_gone() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    ada.create_server("old").await;
    stack.clock.advance(Duration::from_secs(60));
    let time = zulu(&stack);
    let gone = ada.create_server("gone").await;
    ada.create_server("new").await;
    stack.clock.advance(Duration::from_secs(60));
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{gone}")).await, 204);
    assert_eq!(names(&ada, "").await, ["new", "old"]);
    let since = format!("/detail?changes-since={time}");
    assert_eq!(names(&ada, &since).await, ["new", "gone"]);
    let list = ada.get(&format!("/compute/v2.1/servers{since}")).await;
    let shown = &list["servers"][1];
    assert_eq!(
        (&shown["status"], &shown["OS-EXT-STS:vm_state"]),
        (&json!("DELETED"), &json!("deleted"))
    );
    assert!(shown["OS-SRV-USG:terminated_at"].is_string());
    assert_eq!(names(&ada, &format!("?changes-before={time}")).await, ["old"]);
    assert_eq!(names(&admin, "?all_tenants=1&deleted=True").await, ["gone"]);
    assert_eq!(names(&admin, "?all_tenants=1&status=DELETED").await, ["gone"]);
    assert_eq!(names(&ada, "?deleted=True").await, ["new", "old"], "for the administrator only");
    assert_eq!(ada.status(Method::GET, "/compute/v2.1/servers?status=DELETED").await, 403);
    for wrong in
        ["changes-since=today", "status=HAPPY", "sort_key=color", "sort_dir=up", "limit=-1"]
    {
        let path = format!("/compute/v2.1/servers?{wrong}");
        assert_eq!(ada.status(Method::GET, &path).await, 400, "{wrong}");
    }
}

#[tokio::test]
async fn servers_are_found_by_what_they_are() {
    let stack = Stack::start().await;
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let web = ada.create_server_with("web", json!({"tags": ["a", "b"]})).await;
    ada.create_server_with("db", json!({"tags": ["c"], "description": "data"})).await;
    let small = ada.flavor("m1.small").await;
    ada.create_server_with("app", json!({"flavorRef": small})).await;
    ada.act(&web, json!({"lock": null})).await;
    for (query, expected) in [
        ("locked=true", vec!["web"]),
        ("locked=false", vec!["app", "db"]),
        ("vm_state=active", vec!["app", "db", "web"]),
        ("status=PAUSED", vec![]),
        ("tags-any=a,c", vec!["db", "web"]),
        ("not-tags-any=a,c", vec!["app"]),
        ("description=dat", vec!["db"]),
        ("availability_zone=nova", vec!["app", "db", "web"]),
        ("availability_zone=nowhere", vec![]),
    ] {
        assert_eq!(names(&ada, &format!("?{query}")).await, expected, "{query}");
    }
    assert_eq!(names(&ada, &format!("?flavor={small}")).await, ["app"]);
    assert_eq!(names(&admin, "?all_tenants=1&host=fake-cloud").await.len(), 3);
    assert_eq!(names(&admin, "?all_tenants=1&host=other").await.len(), 0);
    assert_eq!(
        names(&ada, "?sort_key=display_description&sort_key=display_name&sort_dir=asc").await,
        ["app", "web", "db"],
    );
}

#[tokio::test]
async fn usage_is_the_time_that_servers_were_there() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let start = zulu(&stack);
    let start = start.trim_end_matches('Z');
    let id = ada.create_server("gone").await;
    stack.clock.advance(Duration::from_secs(3599));
    assert_eq!(ada.delete(&format!("/compute/v2.1/servers/{id}")).await, 204);
    ada.create_server("here").await;
    stack.clock.advance(Duration::from_secs(1800));
    let end = zulu(&stack);
    let end = end.trim_end_matches('Z');
    // The tokens of an hour ago are good no more.
    let (ada, admin) = (stack.ada().await, stack.admin().await);
    let path = format!("/compute/v2.1/os-simple-tenant-usage?start={start}&end={end}&detailed=1");
    let usages = admin.get(&path).await["tenant_usages"].take();
    assert_eq!(usages.as_array().unwrap().len(), 1);
    let hours = usages[0]["total_hours"].as_f64().unwrap();
    assert!((1.49..1.51).contains(&hours), "{hours}");
    assert_eq!(usages[0]["total_memory_mb_usage"].as_f64().unwrap(), hours * 512.0);
    let servers = usages[0]["server_usages"].as_array().unwrap();
    let shown: Vec<_> = servers.iter().map(|it| (&it["name"], &it["state"])).collect();
    assert_eq!(shown, [(&json!("gone"), &json!("terminated")), (&json!("here"), &json!("active"))]);
    let project = usages[0]["tenant_id"].as_str().unwrap();
    let path = format!("/compute/v2.1/os-simple-tenant-usage/{project}?start={start}&end={end}");
    assert_eq!(ada.get(&path).await["tenant_usage"]["total_hours"], usages[0]["total_hours"]);
    let other = format!("/compute/v2.1/os-simple-tenant-usage/{}", uuid::Uuid::nil());
    assert_eq!(ada.status(Method::GET, &other).await, 403);
    assert_eq!(admin.get(&other).await, json!({"tenant_usage": {}}));
    let wrong = format!("/compute/v2.1/os-simple-tenant-usage?start={end}&end={start}");
    assert_eq!(admin.status(Method::GET, &wrong).await, 400);
}

#[tokio::test]
async fn what_was_done_to_a_server_is_told_one_by_one() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let id = ada.create_server("vm").await;
    let path = format!("/compute/v2.1/servers/{id}/os-instance-actions");
    let all = ada.get(&path).await["instanceActions"].take();
    let request = all[0]["request_id"].as_str().unwrap();
    let one = ada.get(&format!("{path}/{request}")).await["instanceAction"].take();
    assert_eq!((&one["action"], &one["message"]), (&json!("create"), &Value::Null));
    assert_eq!(one["events"][0]["event"], "compute__do_build_and_run_instance");
    assert_eq!(one["events"][0]["result"], "Success");
    assert_eq!(ada.status(Method::GET, &format!("{path}/req-none")).await, 404);
}
