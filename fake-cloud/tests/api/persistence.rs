//! A cloud that goes down, in whatever way, comes back with everything.

use fake_cloud::{FakeCloud, StartError};
use serde_json::json;

use crate::client::{Stack, settings};

#[tokio::test]
async fn everything_comes_back() {
    let stack = Stack::start().await;
    let ada = stack.ada().await;
    let running = ada.create_server_with("running", json!({"metadata": {"a": "b"}})).await;
    let stopped = ada.create_server("stopped").await;
    ada.act(&stopped, json!({"os-stop": null})).await;
    let port = ada.port_of(&running).await;
    let floating = ada.create_floating_ip().await;
    let path = format!("/network/v2.0/floatingips/{}", floating["id"].as_str().unwrap());
    ada.put(&path, json!({"floatingip": {"port_id": port}})).await;
    let before = ada.server(&running).await;
    let token = ada.token.clone();

    let stack = stack.restart().await;
    let ada = stack.with_token(&token);
    let after = ada.server(&running).await;
    assert_eq!(after["addresses"], before["addresses"]);
    assert_eq!(after["metadata"], before["metadata"]);
    assert_eq!(after["image"]["id"], before["image"]["id"], "images keep their ids");
    assert_eq!(after["OS-EXT-STS:vm_state"], "active");
    assert_eq!(ada.server(&stopped).await["status"], "SHUTOFF");
    assert_eq!(ada.get(&path).await["floatingip"]["port_id"], port);
    stack.ada().await;
}

#[tokio::test]
async fn a_changed_password_holds_after_a_restart() {
    let stack = Stack::start().await;
    let Stack { cloud, clock, dir, .. } = stack;
    cloud.shutdown().await;
    let mut changed = settings(dir.path(), &clock);
    changed.users[0].password = "difference".to_owned();
    let cloud = FakeCloud::start(changed).await.unwrap();
    let stack = Stack::of(cloud, clock, dir);
    assert_eq!(stack.ask_token("ada", "lovelace", None).await.status(), 401);
    assert_eq!(stack.ask_token("ada", "difference", None).await.status(), 201);
}

#[tokio::test]
async fn one_state_directory_is_for_one_cloud() {
    let stack = Stack::start().await;
    let refused = FakeCloud::start(settings(stack.dir.path(), &stack.clock)).await.unwrap_err();
    assert!(matches!(refused, StartError::InUse { .. }), "{refused}");
}

#[tokio::test]
async fn a_taken_address_is_told() {
    let taken = Stack::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path(), &taken.clock);
    settings.listen = fake_cloud::settings::Listen::Address(taken.cloud.address());
    let refused = FakeCloud::start(settings).await.unwrap_err();
    assert!(refused.to_string().contains(&taken.cloud.address().to_string()), "{refused}");
}
