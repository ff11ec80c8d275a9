//! VMs that the cloud loses.

use std::time::Duration;

use integration::Stack;
use protocol::ServiceId;
use protocol::api::{Node, NodeState, State};
use protocol::client::DirectorClient;

const SERVICE: ServiceId = ServiceId(1);
/// Far longer than it takes to notice a loss and to boot another VM.
const PATIENCE: Duration = Duration::from_secs(90);

/// The nodes of the first service.
pub(crate) async fn nodes(director: &DirectorClient) -> Vec<Node> {
    director.service_nodes(SERVICE).await.unwrap().nodes
}

/// Has a server die, and waits until another one has taken its place.
pub(crate) async fn lose(stack: &Stack, director: &DirectorClient, lost: &Node) {
    let before = nodes(director).await.len();
    let _ = stack.cloud(&["chaos", "kill", &lost.server]).ok();
    let replaced = async {
        let mut service = director.service_changed(SERVICE, 0).await.unwrap();
        loop {
            let nodes = nodes(director).await;
            let is_well = nodes.len() == before
                && nodes.iter().all(|node| node.state == NodeState::Ready && node.id != lost.id);
            if is_well && service.state == State::Running {
                return;
            }
            service = director.service_changed(SERVICE, service.revision).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, replaced).await.expect("it is replaced in time");
}
