//! VMs that run and are not heard of: others take their places.

use std::time::Duration;

use integration::Stack;
use protocol::ServiceId;
use protocol::api::{NodeState, NodesAdd, State};

/// Far longer than a VM may be silent and another takes to boot.
const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test]
async fn a_vm_that_is_cut_off_is_replaced() {
    let stack = Stack::up();
    let _ = stack.cps(&["service", "create", "helloworld"]).ok();
    let _ = stack.cps(&["service", "start", "1"]).ok();
    let director = stack.director().await.client;
    let id = ServiceId(1);
    let add = NodesAdd { nodes: [("node".to_owned(), 1)].into(), ..Default::default() };
    let service = director.service_add_nodes(id, &add).await.unwrap();
    let mut service = director.service_await(service, State::Running).await.unwrap();
    let before = director.service_nodes(id).await.unwrap().nodes;
    assert_eq!(before.len(), 2);

    let _ = stack.cloud(&["chaos", "cut-off", &before[0].server]).ok();
    let replaced = async {
        loop {
            let nodes = director.service_nodes(id).await.unwrap().nodes;
            let is_well = nodes.len() == 2
                && nodes.iter().all(|node| node.state == NodeState::Ready)
                && nodes.iter().all(|node| node.id != before[0].id);
            if is_well && service.state == State::Running {
                return nodes;
            }
            service = director.service_changed(id, service.revision).await.unwrap();
        }
    };
    let after = tokio::time::timeout(PATIENCE, replaced).await.expect("it is replaced in time");
    assert!(after.iter().any(|node| node.id == before[1].id), "the other one stays");
}
