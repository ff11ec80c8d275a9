//! The manager is killed at any moment, and comes back.

use protocol::Identity;
use protocol::api::internal::ServicesWanted;
use protocol::api::{NodesAdd, ServiceStart, State};
use serde_json::json;

use crate::world::{SERVICE, World};

const COUNTING: &[(&str, &str)] = &[
    ("init.sh", "echo init >>$HOME/order"),
    ("notify.sh", "echo notify >>$HOME/order"),
    ("run.sh", "sleep 1000"),
];

#[tokio::test]
async fn a_running_service_is_taken_up_with_its_scripts() {
    let mut world = World::running(COUNTING).await;
    world.command("run", json!({})).await.unwrap();
    world.kill_manager().await;
    world.director.forget_reports();
    world.restart_manager().await;
    world.reported(State::Running).await;
    let node = world.nodes().remove(0);
    let status = world.query("get_script_status").await.unwrap();
    assert_eq!(status["nodes"][node.id.to_string()]["run"], json!({ "state": "running" }));
    world.command("interrupt", json!({})).await.unwrap();
    assert_eq!(world.ended(&node, "run").await["return_code"], json!(143));
    assert_eq!(world.file(&node, "root/order"), "init\n");
    assert_eq!(
        world.query("list_code").await.unwrap()["code_versions"].as_array().unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_start_that_was_interrupted_is_completed_with_init_run_once() {
    let mut world = World::new("generic").await;
    let scripts = &[("init.sh", "echo init >>$HOME/order; sleep 1000")];
    let version = world.upload(scripts).await.unwrap();
    world.command("enable_code", json!({ "code_version": version })).await.unwrap();
    world.client.startup(SERVICE, &ServiceStart::default()).await.unwrap();
    world.script_runs("init").await;
    world.kill_manager().await;
    world.director.forget_reports();
    world.restart_manager().await;
    world.reported(State::Prologue).await;
    let node = world.nodes().remove(0);
    world.command("interrupt", json!({})).await.unwrap();
    world.reported(State::Running).await;
    assert_eq!(world.file(&node, "root/order"), "init\n");
    assert_eq!(world.nodes().len(), 1);
}

#[tokio::test]
async fn nodes_that_were_never_recorded_are_given_back() {
    let mut world = World::running(COUNTING).await;
    world.kill_manager().await;
    // The director gave a node, and the manager was killed before it heard of it.
    let stray = world.director.vm(SERVICE, "generic", "node").await;
    let path = world.root.join("var/cache/cpsmanager/services/7.json");
    let mut record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["state"] = json!("ADAPTING");
    record["change"] = json!("adding");
    std::fs::write(&path, record.to_string()).unwrap();
    world.director.forget_reports();
    world.restart_manager().await;
    let report = world.reported(State::Running).await;
    assert_eq!(report.reason.as_deref(), Some("adding nodes was interrupted; none was added"));
    assert!(world.nodes().iter().all(|node| node.id != stray.id));
    assert_eq!(world.file(&world.nodes()[0], "root/order"), "init\n");
}

#[tokio::test]
async fn the_loss_of_a_node_is_told_and_notified() {
    let mut world = World::running(COUNTING).await;
    world.add_nodes(1).await;
    world.kill_manager().await;
    let lost = world.nodes()[1].id;
    world.director.lose(lost);
    world.director.forget_reports();
    world.restart_manager().await;
    let told = || {
        let report = world.director.reports(SERVICE).pop()?;
        (report.state == State::Running).then_some(report.reason?)
    };
    let reason = world.director.until("the loss of a node", told).await;
    assert_eq!(reason, format!("lost node {lost}"));
    assert_eq!(world.file(&world.nodes()[0], "root/order"), "init\nnotify\nnotify\n");
}

#[tokio::test]
async fn services_that_are_no_longer_wanted_are_removed() {
    let mut world = World::running(COUNTING).await;
    world.kill_manager().await;
    world.director.want(&ServicesWanted::default());
    world.restart_manager().await;
    assert!(world.nodes().is_empty());
    assert_eq!(world.query("list_code").await.unwrap_err().message, "there is no service 7");
}

#[tokio::test]
async fn adding_nodes_goes_on_after_the_caller_has_gone() {
    let world = World::running(COUNTING).await;
    world.director.forget_reports();
    let add = NodesAdd { nodes: [("node".to_owned(), 1)].into(), ..Default::default() };
    let impatient = world.client_of(Identity::Director);
    assert_eq!(impatient.add_nodes(SERVICE, &add).await.unwrap().state, State::Adapting);
    drop(impatient);
    assert_eq!(world.reported(State::Running).await.reason, None);
    assert_eq!(world.nodes().len(), 2);
}
