//! From the first start to the removal, as a user goes through it.

use protocol::api::State;
use protocol::api::log::LogQuery;
use serde_json::json;

use crate::world::{SERVICE, World, refusal};

/// Tells the test, through a file, that it ran; what it waits for is another file's writer.
const RUN: &str = "echo run $1 on $MY_ROLE >>$HOME/said; echo to-out; echo to-err >&2; exit 5";

#[tokio::test]
async fn the_default_code_runs_on_the_master() {
    let world = World::new("generic").await;
    world.startup().await;
    let nodes = world.nodes();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0].role, "master");
    let written = world.file(&nodes[0], "root/generic.out");
    assert!(written.contains("Executing script init.sh"), "{written}");
    assert!(written.contains(&format!("My IP is {}", nodes[0].address().unwrap())), "{written}");
    let agents: serde_json::Value =
        serde_json::from_str(&world.file(&nodes[0], "var/cache/cpsagent/agents.json")).unwrap();
    assert_eq!(agents[0]["id"], json!(nodes[0].id.to_string()));
}

#[tokio::test]
async fn code_is_uploaded_enabled_and_run() {
    let world = World::new("generic").await;
    world.startup().await;
    let scripts =
        [("init.sh", "echo init >>$HOME/said"), ("run.sh", RUN), ("cleanup.sh", "rm $HOME/said")];
    let version = world.upload(&scripts).await.unwrap();
    let enabled = world.command("enable_code", json!({ "code_version": version })).await.unwrap();
    assert_eq!(enabled, json!({ "code_version": version }));
    world.reported(State::Running).await;
    let list = world.query("list_code").await.unwrap();
    assert_eq!(list["code_versions"][0]["id"], json!(version));
    assert_eq!(list["code_versions"][0]["current"], json!(true));
    assert_eq!(list["code_versions"][1]["filename"], json!("code-default.tar"));

    world.command("run", json!({ "parameters": ["fast"] })).await.unwrap();
    let node = &world.nodes()[0];
    let run = world.ended(node, "run").await;
    assert_eq!(run, json!({ "state": "stopped", "return_code": 5 }));
    assert_eq!(world.file(node, "root/said"), "init\nrun fast on master\n");

    let query = |name: Option<&str>| LogQuery {
        node: Some(node.id),
        name: name.map(str::to_owned),
        lines: Some(1),
    };
    for (name, expected) in [("agent.out", "to-out\n"), ("agent.err", "to-err\n")] {
        let text = world.client.get_service_logs(SERVICE, &query(Some(name))).await.unwrap();
        assert_eq!(text.log, expected);
        assert_eq!(text.available, ["agent.log", "agent.out", "agent.err"]);
    }
    for bad in ["../../etc/passwd", "generic.out", ""] {
        assert!(world.client.get_service_logs(SERVICE, &query(Some(bad))).await.is_err());
    }
    let own = world.client.get_service_logs(SERVICE, &LogQuery::default()).await.unwrap();
    assert!(own.log.contains("RUNNING") && own.log.contains("PROLOGUE: starting"), "{}", own.log);
}

#[tokio::test]
async fn stopping_gives_all_nodes_back_and_keeps_the_code() {
    let world = World::running(&[("init.sh", "true")]).await;
    world.add_nodes(1).await;
    assert_eq!(world.client.shutdown(SERVICE).await.unwrap().state, State::Epilogue);
    world.reported(State::Stopped).await;
    assert!(world.nodes().is_empty());
    assert_eq!(world.query("get_script_status").await.unwrap(), json!({ "nodes": {} }));
    assert_eq!(
        world.query("list_code").await.unwrap()["code_versions"].as_array().unwrap().len(),
        2
    );
    world.startup().await;
    assert_eq!(world.nodes().len(), 1);

    world.client.remove_service(SERVICE).await.unwrap();
    assert!(world.nodes().is_empty());
    let error = world.query("list_code").await.unwrap_err();
    assert_eq!(error.message, "there is no service 7");
    assert!(!world.root.join("var/cache/cpsmanager/code/7").exists());
    assert!(!world.root.join("var/cache/cpsmanager/services/7.json").exists());
    world.client.remove_service(SERVICE).await.unwrap();
}

#[tokio::test]
async fn helloworld_really_asks_every_node() {
    let world = World::new("helloworld").await;
    let refused = world.query("get_helloworld").await.unwrap_err();
    assert!(refused.message.starts_with("Service 7 is INIT: `get_helloworld` is possible only"));
    world.startup().await;
    world.add_nodes(1).await;
    let nodes = world.nodes();
    let said = world.query("get_helloworld").await.unwrap();
    let expected = format!(
        "Received helloworld from node {}\nReceived helloworld from node {}\n",
        nodes[0].id, nodes[1].id
    );
    assert_eq!(said, json!({ "helloworld": expected }));
}

#[tokio::test]
async fn removing_breaks_off_what_never_ends() {
    let world = World::new("generic").await;
    let version = world.upload(&[("init.sh", "sleep 1000")]).await.unwrap();
    world.command("enable_code", json!({ "code_version": version })).await.unwrap();
    let start = protocol::api::ServiceStart::default();
    world.client.startup(SERVICE, &start).await.unwrap();
    world.script_runs("init").await;
    let hint = refusal(world.client.shutdown(SERVICE).await.unwrap_err()).hint.unwrap();
    assert!(hint.ends_with("`cps generic interrupt 7` ends a script that hangs"), "{hint}");
    world.command("interrupt", json!({})).await.unwrap();
    let report = world.reported(State::Running).await;
    assert!(report.reason.unwrap().starts_with("init.sh ended with return code 143 on node"));
    let again = world.upload(&[("init.sh", "sleep 1000")]).await.unwrap();
    let enabling = world.command("enable_code", json!({ "code_version": again }));
    let removing = async {
        world.script_runs("init").await;
        world.client.remove_service(SERVICE).await.unwrap();
    };
    let (enabled, ()) = tokio::join!(enabling, removing);
    assert_eq!(enabled.unwrap_err().message, "Service 7 is being removed");
    assert!(world.nodes().is_empty());
}
