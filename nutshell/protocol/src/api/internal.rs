//! What managers and the director, managers and agents say to each other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::node::Node;
use super::service::State;
use crate::ids::{NodeId, ServiceId};

/// Manager → director: VMs for a service. Answered when their agents are ready, or not at all:
/// either every node is there or none is left.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodesCreate {
    /// The service they are for.
    pub service: ServiceId,
    /// One role a node.
    pub roles: Vec<String>,
    /// The cloud they come from.
    pub cloud: String,
    /// What kind of VM they are; the cloud's usual one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
}

/// A list of nodes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Nodes {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// Manager → director: these VMs are no longer needed.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodesDelete {
    /// Which.
    pub nodes: Vec<NodeId>,
}

/// Director → manager: the cloud lost VMs of a service.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodesReplace {
    /// Others should take the places of these.
    pub nodes: Vec<NodeId>,
    /// These are left to their user, who is told this; the service goes on without them.
    #[serde(default)]
    pub left: BTreeMap<NodeId, String>,
    /// Whether it is asked for the last time: a service that then has no node left has failed.
    pub last: bool,
}

/// Manager → director: a service came into another state. Also a manager's answer to a request for
/// a change; the two may overtake each other.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ServiceReport {
    /// Grows with every change of the service: of two reports the one with the greater is newer.
    pub revision: u64,
    /// The state it is in now.
    pub state: State,
    /// Why, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Director → manager: a service to look after, as long as it is there.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ServiceAdd {
    /// Its id.
    pub service: ServiceId,
    /// Its type.
    pub service_type: String,
}

/// Manager → director: which services should be there.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ServicesWanted {
    /// All services of the application.
    pub services: Vec<ServiceAdd>,
    /// Those of them that have no nodes, whatever their manager remembers of an earlier time.
    #[serde(default)]
    pub stopped: Vec<ServiceId>,
}

/// Director → manager, manager → agent: are you there?
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ProcessStatus {
    /// The executable's version.
    pub version: String,
}
