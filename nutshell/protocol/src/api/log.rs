//! Logs of managers and agents.

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

/// Which log, and how much of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// The node whose agent is asked; the manager's own log when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// One of the logs the node offers; its agent's log when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only the last so many lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
}

/// A log, or its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LogText {
    /// The text.
    pub log: String,
    /// Names of the logs that the same place offers.
    #[serde(default)]
    pub available: Vec<String>,
}
