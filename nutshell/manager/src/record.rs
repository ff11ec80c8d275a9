//! What the manager must not forget of a service: `<cache>/services/<id>.json`.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::NodeId;
use protocol::api::internal::ServiceReport;
use protocol::api::{Autoscaling, Node, NodeState, State};
use protocol::files::{self, Access};
use serde::{Deserialize, Serialize};
use services::ServiceError;

/// A service as it is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) service_type: String,
    /// Grows with every change of this record.
    pub(crate) revision: u64,
    pub(crate) state: State,
    pub(crate) reason: Option<String>,
    /// Where its first nodes come from.
    pub(crate) cloud: String,
    /// Oldest first.
    pub(crate) nodes: Vec<Node>,
    /// Grows whenever nodes come or go.
    pub(crate) membership: u64,
    /// What is asked of autoscaling; `None` while it is off.
    #[serde(default)]
    pub(crate) autoscaling: Option<Autoscaling>,
    /// The shares of the requests that it gave to nodes.
    #[serde(default)]
    pub(crate) weights: BTreeMap<NodeId, u32>,
    /// What is being done to the nodes while the state is ADAPTING.
    pub(crate) change: Option<Change>,
}

/// A change of the nodes that is not recorded in them yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// The director is asked for more.
    Adding,
    /// These are being given back.
    Removing(Vec<NodeId>),
}

impl Record {
    pub(crate) fn new(service_type: &str) -> Self {
        Self {
            service_type: service_type.to_owned(),
            revision: 1,
            state: State::Init,
            reason: None,
            cloud: protocol::api::DEFAULT_CLOUD.to_owned(),
            nodes: Vec::new(),
            membership: 0,
            autoscaling: None,
            weights: BTreeMap::new(),
            change: None,
        }
    }

    /// Another manager takes over from one that may have done more than is known here: whatever
    /// counts goes on beyond that. A service that was stopped since has no nodes.
    pub(crate) fn take_over(&mut self, stopped: bool) {
        /// More than any manager changes.
        const UNKNOWN: u64 = 1 << 32;
        self.revision += UNKNOWN;
        self.membership += UNKNOWN;
        if stopped {
            (self.nodes, self.change, self.reason) = (Vec::new(), None, None);
            if self.state != State::Init {
                self.state = State::Stopped;
            }
        }
    }

    pub(crate) fn report(&self) -> ServiceReport {
        ServiceReport { revision: self.revision, state: self.state, reason: self.reason.clone() }
    }

    /// Nodes came.
    pub(crate) fn add(&mut self, nodes: &[Node]) {
        self.nodes.extend_from_slice(nodes);
        self.nodes.sort_by_key(|node| node.id);
        self.membership += 1;
        self.change = None;
    }

    /// Nodes went.
    pub(crate) fn remove(&mut self, nodes: &[NodeId]) {
        let before = self.nodes.len();
        self.nodes.retain(|node| !nodes.contains(&node.id));
        self.weights.retain(|node, _| !nodes.contains(node));
        self.membership += u64::from(self.nodes.len() < before);
        self.change = None;
    }

    /// Nodes are lost, and stay the service's all the same. Says whether that is news.
    pub(crate) fn lose(&mut self, lost: &BTreeMap<NodeId, String>) -> bool {
        let is_news =
            |node: &&mut Node| lost.contains_key(&node.id) && node.state != NodeState::Lost;
        let mut news = false;
        for node in self.nodes.iter_mut().filter(is_news) {
            node.state = NodeState::Lost;
            news = true;
        }
        self.membership += u64::from(news);
        news
    }

    /// The nodes that can be asked for anything.
    pub(crate) fn present(&self) -> Vec<Node> {
        self.nodes.iter().filter(|node| node.state != NodeState::Lost).cloned().collect()
    }

    pub(crate) fn node_ids(&self) -> Vec<NodeId> {
        self.nodes.iter().map(|node| node.id).collect()
    }

    pub(crate) fn read(path: &Path) -> Result<Self, ServiceError> {
        std::fs::read(path)
            .and_then(|content| serde_json::from_slice(&content).map_err(std::io::Error::other))
            .map_err(ServiceError::file(path))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), ServiceError> {
        let content = serde_json::to_vec_pretty(self).expect("a record is plain data");
        files::write(path, &content, Access::Public).map_err(ServiceError::file(path))
    }
}
