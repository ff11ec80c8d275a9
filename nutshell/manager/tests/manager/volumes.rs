//! Volumes of a service's nodes: made, used, taken away.

use protocol::ErrorCode;
use serde_json::json;

use crate::world::World;

const WAITING: &[(&str, &str)] = &[("run.sh", "sleep 1000"), ("interrupt.sh", "true")];

#[tokio::test]
async fn a_volume_is_at_its_place_in_one_node_until_it_is_deleted() {
    let world = World::running(&[("init.sh", "true")]).await;
    world.add_nodes(1).await;
    let nodes = world.nodes();
    let add = json!({ "name": "data", "size_mib": 1500, "node": nodes[1].id });
    let made = world.command("create_volume", add.clone()).await.unwrap();
    assert_eq!((&made["name"], &made["size_mib"]), (&json!("data"), &json!(1500)));
    let place = world.director.root(nodes[1].id).join("media/data");
    std::fs::write(place.join("file"), "kept").unwrap();
    for node in &nodes {
        let agents = world.file(node, "var/cache/cpsagent/agents.json");
        let agents: serde_json::Value = serde_json::from_str(&agents).unwrap();
        assert_eq!(agents[1]["volumes"], json!(["data"]), "{agents}");
        assert_eq!(agents[0].get("volumes"), None);
    }
    let list = world.query("list_volumes").await.unwrap();
    assert_eq!(list["volumes"][0]["node"], json!(nodes[1].id));
    let twice = world.command("create_volume", add).await.unwrap_err();
    assert_eq!(twice.message, "the name is taken");

    world.command("delete_volume", json!({ "name": "data" })).await.unwrap();
    assert!(!place.exists());
    assert_eq!(world.query("list_volumes").await.unwrap(), json!({ "volumes": [] }));
    let gone = world.command("delete_volume", json!({ "name": "data" })).await.unwrap_err();
    assert_eq!(gone.message, "service 7 has no volume `data`");
}

#[tokio::test]
async fn no_volume_comes_or_goes_while_scripts_run() {
    let world = World::running(WAITING).await;
    let node = world.nodes()[0].id;
    let add = |name: &str| json!({ "name": name, "size_mib": 1, "node": node });
    world.command("create_volume", add("one")).await.unwrap();
    world.command("run", json!({})).await.unwrap();
    for (method, given) in
        [("create_volume", add("two")), ("delete_volume", json!({ "name": "one" }))]
    {
        let refused = world.command(method, given).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Conflict);
        assert!(refused.message.starts_with("Scripts are still running"), "{}", refused.message);
    }
    let elsewhere = json!({ "name": "two", "size_mib": 1, "node": 99 });
    let refused = world.command("create_volume", elsewhere).await.unwrap_err();
    assert_eq!(refused.message, "service 7 has no node 99");
    let list = world.query("list_volumes").await.unwrap();
    assert_eq!(list["volumes"].as_array().unwrap().len(), 1);
}
