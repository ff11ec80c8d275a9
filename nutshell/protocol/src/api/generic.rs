//! The Generic service's own methods.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

/// The five scripts of a Generic application.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Script {
    /// Run when a code version becomes active on a node, before any other script.
    Init,
    /// Run on the other nodes when nodes came or went.
    Notify,
    /// Run when the user starts the application.
    Run,
    /// Run when the user interrupts it.
    Interrupt,
    /// Run when the user removes its code.
    Cleanup,
}

impl Script {
    /// All five, in the order people list them.
    pub const ALL: [Self; 5] =
        [Self::Init, Self::Notify, Self::Run, Self::Interrupt, Self::Cleanup];

    /// The file's name in the archive.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Init => "init.sh",
            Self::Notify => "notify.sh",
            Self::Run => "run.sh",
            Self::Interrupt => "interrupt.sh",
            Self::Cleanup => "cleanup.sh",
        }
    }
}

/// What became of a script on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ScriptStatus {
    /// Not run since its code version became active there.
    NeverStarted,
    /// It runs.
    Running,
    /// It ended.
    Stopped {
        /// Its exit status; 128 + signal when a signal ended it.
        return_code: i32,
    },
}

impl fmt::Display for ScriptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverStarted => f.write_str("NEVER STARTED"),
            Self::Running => f.write_str("RUNNING"),
            Self::Stopped { return_code } => write!(f, "STOPPED (return code {return_code})"),
        }
    }
}

/// The scripts of one node.
pub type NodeScripts = BTreeMap<Script, ScriptStatus>;

/// Result of `get_script_status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ScriptStatuses {
    /// For each node its five scripts.
    pub nodes: BTreeMap<NodeId, NodeScripts>,
}

/// Parameters of the methods `run`, `interrupt` and `cleanup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptExecute {
    /// Handed to the script as its arguments.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// Parameters of the method `create_volume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumeAdd {
    /// Its name, unique in the application: letters, digits, `-` and `_`.
    pub name: String,
    /// What must fit on it, in MiB; clouds round up, most to GiB.
    pub size_mib: u64,
    /// The node that gets it.
    pub node: NodeId,
}

/// Parameters of the method `delete_volume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumeName {
    /// Which.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_read_as_the_guide_prints_them() {
        assert_eq!(ScriptStatus::NeverStarted.to_string(), "NEVER STARTED");
        assert_eq!(ScriptStatus::Stopped { return_code: 3 }.to_string(), "STOPPED (return code 3)");
    }

    #[test]
    fn maps_by_node_and_script_survive_the_wire() {
        let scripts = Script::ALL.map(|script| (script, ScriptStatus::NeverStarted));
        let statuses = ScriptStatuses { nodes: [(NodeId(2), scripts.into())].into() };
        let text = serde_json::to_string(&statuses).unwrap();
        assert_eq!(serde_json::from_str::<ScriptStatuses>(&text).unwrap(), statuses);
    }
}
