//! A manager's VM is lost, or stopped and made anew: the next manager goes on with everything.

use protocol::api::State;
use protocol::{ApiError, ErrorCode};
use serde_json::json;

use crate::world::{SERVICE, World};

const COUNTING: &[(&str, &str)] = &[
    ("init.sh", "echo init >>$HOME/order"),
    ("notify.sh", "echo notify >>$HOME/order"),
    ("run.sh", "sleep 1000"),
];

#[tokio::test]
async fn a_lost_manager_is_replaced_by_one_that_knows_the_same() {
    let mut world = World::running(COUNTING).await;
    world.add_nodes(1).await;
    world.command("run", json!({})).await.unwrap();
    let before = world.query("list_code").await.unwrap();
    world.director.forget_reports();
    world.replace_manager().await;
    world.reported(State::Running).await;
    assert_eq!(world.query("list_code").await.unwrap(), before);
    assert_eq!(world.nodes().len(), 2);
    for node in world.nodes() {
        let status = world.query("get_script_status").await.unwrap();
        assert_eq!(status["nodes"][node.id.to_string()]["run"], json!({ "state": "running" }));
    }
    // A change that the nodes have not heard of is told, whatever the lost manager counted.
    assert_eq!(world.add_nodes(1).await, None);
    let nodes = world.nodes();
    assert_eq!(world.file(&nodes[0], "root/order"), "init\nnotify\nnotify\n");
    assert_eq!(world.file(&nodes[1], "root/order"), "init\nnotify\n");
    assert_eq!(world.file(&nodes[2], "root/order"), "init\n");
    // And it is one manager like another.
    world.kill_manager().await;
    world.restart_manager().await;
    assert_eq!(world.query("list_code").await.unwrap(), before);
}

#[tokio::test]
async fn a_stopped_application_keeps_its_services_and_their_code() {
    let mut world = World::running(COUNTING).await;
    let before = world.query("list_code").await.unwrap();
    world.director.lose(world.nodes()[0].id);
    world.director.stop(SERVICE);
    world.director.forget_reports();
    world.replace_manager().await;
    let report = world.reported(State::Stopped).await;
    assert_eq!(report.reason, None);
    assert_eq!(world.query("list_code").await.unwrap(), before);
    world.director.run(SERVICE);
    world.startup().await;
    assert_eq!(world.file(&world.nodes()[0], "root/order"), "init\n");
}

#[tokio::test]
async fn what_the_director_does_not_keep_is_told() {
    let mut world = World::new("generic").await;
    world.director.backups.refuse(Some(ApiError::new(ErrorCode::TooLarge, "it is too much")));
    let refused = world.upload(COUNTING).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (ErrorCode::TooLarge, "it is too much"));
    world.director.backups.refuse(None);
    world.upload(COUNTING).await.unwrap();
    world.replace_manager().await;
    let list = world.query("list_code").await.unwrap();
    assert_eq!(list["code_versions"].as_array().unwrap().len(), 3);
}
