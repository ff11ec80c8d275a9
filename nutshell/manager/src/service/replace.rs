//! Nodes that the cloud lost: others take their places.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::api::internal::{NodesCreate, NodesReplace, ServiceReport};
use protocol::api::{Node, State};
use protocol::{ApiError, NodeId};
use services::manager_half::Remark;
use services::state::Request;

use super::work::join;
use super::{Service, reason};
use crate::record::{Change, Record};

impl Service {
    /// Makes a node in place of each that is lost, with its role and from its cloud, and goes on
    /// without those that are left to their user.
    pub(crate) async fn replace_nodes(
        self: &Arc<Self>,
        lost: NodesReplace,
    ) -> Result<ServiceReport, ApiError> {
        if lost.nodes.is_empty() && !self.record().lose(&lost.left) {
            return Ok(self.record().report());
        }
        let prepare = |record: &mut Record| {
            record.lose(&lost.left);
            if !lost.nodes.is_empty() {
                record.change = Some(Change::Adding);
            }
            Ok(())
        };
        let action = "replacing lost nodes";
        let (permit, report) = self.begin(Request::AddNodes, action, prepare).await?;
        let service = Arc::clone(self);
        self.work(permit, async move { service.replace(lost).await });
        Ok(report)
    }

    async fn replace(&self, lost: NodesReplace) -> (State, Remark) {
        let NodesReplace { nodes: lost, last, left: to_user } = lost;
        let nodes = self.record().present();
        let (gone, left): (Vec<Node>, Vec<Node>) =
            nodes.into_iter().partition(|node| lost.contains(&node.id));
        let ids: Vec<NodeId> = gone.iter().map(|node| node.id).collect();
        // Those that are left go on without them at once.
        if let Err(error) = self.release(&lost).await {
            tracing::warn!(service = %self.id, %error, "lost nodes are still counted on");
        }
        let replaced = async {
            for ((cloud, instance_type), roles) in wanted(&gone) {
                let (service, instance_type) = (self.id, Some(instance_type));
                self.create_nodes(NodesCreate { service, roles, cloud, instance_type }).await?;
            }
            if !lost.is_empty() {
                // Also those that the service does not know of: nobody else would.
                self.give_back(lost).await?;
            }
            self.half.settle(&self.context()).await
        };
        match replaced.await {
            Ok(remark) => {
                let told = to_user.into_values().map(Some).reduce(join).flatten();
                (State::Running, join(told, remark))
            }
            Err(error) => {
                let ids: Vec<String> = ids.iter().map(NodeId::to_string).collect();
                let text = format!("lost node {}, not replaced: {}", ids.join(", "), reason(error));
                // With a node left the service goes on; otherwise it may when this is tried again.
                let failed = last && left.is_empty();
                let state = if failed { State::Error } else { State::Running };
                (state, Some(text))
            }
        }
    }
}

/// The roles of what is to be made, by cloud and instance type.
fn wanted(gone: &[Node]) -> BTreeMap<(String, String), Vec<String>> {
    let mut wanted: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for node in gone {
        let kind = (node.cloud.clone(), node.instance_type.clone());
        wanted.entry(kind).or_default().push(node.role.clone());
    }
    wanted
}
