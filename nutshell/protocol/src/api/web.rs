//! What the web hosting services have in common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::code::CodeVersion;
use crate::ids::NodeId;

/// Result of `get_configuration`, beside the service's own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Deployment {
    /// The code version at work.
    pub code_version: Option<CodeVersion>,
    /// Where users reach it, proxy by proxy: `http://127.56.1.10`. The first stays as long as the
    /// service runs.
    pub urls: Vec<String>,
}

/// What is known of a program that a node keeps running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DaemonStatus {
    /// What it is: `proxy`, `web`, `sessions`, `php-fpm-9000`.
    pub name: String,
    /// Whether it runs now.
    pub running: bool,
    /// How often it has ended by itself and was started again.
    pub restarts: u32,
    /// Its exit status the last time; 128 + signal when a signal ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<i32>,
}

/// What one node does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodeStatus {
    /// Its roles, those it has for want of another node too.
    pub roles: Vec<String>,
    /// Its programs.
    pub daemons: Vec<DaemonStatus>,
}

/// Result of `get_daemon_status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodeStatuses {
    /// Node by node.
    pub nodes: BTreeMap<NodeId, NodeStatus>,
}
