//! Nodes come and go, and each is told once.

use protocol::api::internal::NodesReplace;
use protocol::api::{NodesAdd, NodesRemove, ServiceStart, State};
use protocol::{ApiError, ErrorCode};

use crate::world::{SERVICE, World, refusal};

const COUNTING: &[(&str, &str)] = &[
    ("init.sh", "echo init >>$HOME/order"),
    ("notify.sh", "echo notify $(grep -o '\"id\"' $AGENTS_FILE | wc -l) >>$HOME/order"),
];

#[tokio::test]
async fn old_nodes_are_notified_once_and_new_ones_initialised_once() {
    let world = World::running(COUNTING).await;
    assert_eq!(world.add_nodes(2).await, None);
    let nodes = world.nodes();
    assert_eq!(
        nodes.iter().map(|node| node.role.as_str()).collect::<Vec<_>>(),
        ["master", "node", "node"]
    );
    assert_eq!(world.file(&nodes[0], "root/order"), "init\nnotify 3\n");
    assert_eq!(world.file(&nodes[1], "root/order"), "init\n");
    assert_eq!(world.file(&nodes[2], "root/order"), "init\n");

    assert_eq!(world.remove_nodes(1).await, None);
    assert_eq!(world.nodes().len(), 2);
    assert_eq!(world.nodes()[1].id, nodes[1].id, "the newest goes first");
    assert_eq!(world.file(&nodes[0], "root/order"), "init\nnotify 3\nnotify 2\n");
    assert_eq!(world.file(&nodes[1], "root/order"), "init\nnotify 2\n");
}

#[tokio::test]
async fn a_node_in_place_of_a_lost_one_is_initialised_and_the_others_are_told() {
    let world = World::running(COUNTING).await;
    assert_eq!(world.add_nodes(1).await, None);
    let before = world.nodes();
    world.director.lose(before[1].id);
    let replace =
        |last| NodesReplace { nodes: vec![before[1].id], last, ..NodesReplace::default() };
    world.director.refuse(Some(ApiError::new(ErrorCode::CloudFailed, "the pool is empty")));
    world.director.forget_reports();
    world.client.replace_nodes(SERVICE, &replace(false)).await.unwrap();
    let reason = world.reported(State::Running).await.reason.unwrap();
    assert_eq!(reason, format!("lost node {}, not replaced: the pool is empty", before[1].id));

    world.director.refuse(None);
    world.director.forget_reports();
    world.client.replace_nodes(SERVICE, &replace(true)).await.unwrap();
    assert_eq!(world.reported(State::Running).await.reason, None);
    let after = world.nodes();
    assert_eq!((after.len(), after[0].id), (2, before[0].id));
    assert_ne!(after[1].id, before[1].id);
    assert_eq!(after[1].role, "node");
    assert_eq!(world.file(&after[1], "root/order"), "init\n");
    assert_eq!(world.file(&after[0], "root/order"), "init\nnotify 2\nnotify 2\n");
}

#[tokio::test]
async fn a_service_goes_on_without_a_lost_node_that_is_left_to_its_user() {
    let world = World::running(COUNTING).await;
    assert_eq!(world.add_nodes(2).await, None);
    let [master, lost, kept] = world.nodes().try_into().unwrap();
    world.director.lose(lost.id);
    let told = "it is not replaced: it has volumes".to_owned();
    let left = NodesReplace { left: [(lost.id, told.clone())].into(), ..NodesReplace::default() };
    world.director.forget_reports();
    world.client.replace_nodes(SERVICE, &left).await.unwrap();
    assert_eq!(world.reported(State::Running).await.reason, Some(told));
    let order = "init\nnotify 3\nnotify 2\n";
    assert_eq!(world.file(&master, "root/order"), order, "told of two nodes");
    let again = world.client.replace_nodes(SERVICE, &left).await.unwrap();
    assert_eq!(again.state, State::Running, "nothing to do");

    let statuses = world.query("get_script_status").await.unwrap();
    let answered: Vec<&String> = statuses["nodes"].as_object().unwrap().keys().collect();
    assert_eq!(answered, [&master.id.to_string(), &kept.id.to_string()]);
    assert_eq!(world.remove_nodes(1).await, None);
    let ids: Vec<_> = world.nodes().iter().map(|node| node.id).collect();
    assert_eq!(ids, [master.id, kept.id], "the lost one goes first");
}

#[tokio::test]
async fn ten_new_nodes_are_all_initialised_before_anybody_is_notified() {
    let shared = tempfile::tempdir().unwrap();
    let order = shared.path().join("order");
    let script = |name: &str| format!("echo {name} >>{}", order.display());
    let (init, notify) = (script("init"), script("notify"));
    let world = World::running(&[("init.sh", &init), ("notify.sh", &notify)]).await;
    assert_eq!(world.add_nodes(10).await, None);
    let told = std::fs::read_to_string(&order).unwrap();
    assert_eq!(told, format!("{}notify\n", "init\n".repeat(11)));
    assert_eq!(world.remove_nodes(9).await, None);
    let told = std::fs::read_to_string(&order).unwrap();
    assert_eq!(told, format!("{}{}", "init\n".repeat(11), "notify\n".repeat(3)));
}

#[tokio::test]
async fn a_cloud_that_refuses_leaves_the_service_as_it_was() {
    let world = World::running(COUNTING).await;
    world.director.refuse(Some(ApiError::new(ErrorCode::CloudFailed, "the pool is empty")));
    let reason = world.add_nodes(1).await.unwrap();
    assert_eq!(reason, "no nodes were added: the pool is empty");
    assert_eq!(world.nodes().len(), 1);
    assert_eq!(world.file(&world.nodes()[0], "root/order"), "init\n");
    world.director.refuse(None);
    assert_eq!(world.add_nodes(1).await, None);
    assert_eq!(world.nodes().len(), 2);
}

#[tokio::test]
async fn a_start_that_fails_is_an_error_that_can_be_left() {
    let world = World::new("generic").await;
    world.director.refuse(Some(ApiError::new(ErrorCode::CloudFailed, "the pool is empty")));
    world.client.startup(SERVICE, &ServiceStart::default()).await.unwrap();
    let report = world.reported(State::Error).await;
    assert_eq!(report.reason.as_deref(), Some("the pool is empty"));
    world.client.shutdown(SERVICE).await.unwrap();
    world.reported(State::Stopped).await;
    world.director.refuse(None);
    world.startup().await;
}

#[tokio::test]
async fn impossible_counts_are_refused_before_anything_happens() {
    let world = World::running(COUNTING).await;
    let add = async |role: &str, count| {
        let add = NodesAdd { nodes: [(role.to_owned(), count)].into(), ..Default::default() };
        refusal(world.client.add_nodes(SERVICE, &add).await.unwrap_err()).message
    };
    assert!(add("master", 1).await.starts_with("There is exactly one master"));
    assert_eq!(add("node", 0).await, "Need a positive value for at least one role");
    assert!(add("backend", 1).await.starts_with("Wrong node type 'backend'"));
    let remove = async |role: &str, count| {
        let remove = NodesRemove { nodes: [(role.to_owned(), count)].into() };
        refusal(world.client.remove_nodes(SERVICE, &remove).await.unwrap_err()).message
    };
    assert_eq!(remove("master", 1).await, "Cannot remove the master node.");
    assert_eq!(
        remove("count", 1).await,
        "Requesting to delete 1 node nodes while none can be removed"
    );
    assert_eq!(world.director.reports(SERVICE).pop().unwrap().state, State::Running);
}
