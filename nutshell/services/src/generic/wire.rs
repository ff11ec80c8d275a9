//! What the two halves say to each other.

use std::net::Ipv4Addr;

use protocol::api::generic::Script;
use protocol::{ApiError, CodeVersionId};
use serde::{Deserialize, Serialize};

/// `configure`: who the node is, and who else is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Configuration {
    pub(super) ip: Ipv4Addr,
    pub(super) role: String,
    pub(super) master_ip: Ipv4Addr,
    /// Grows whenever nodes come or go.
    pub(super) membership: u64,
    pub(super) agents: Vec<AgentEntry>,
}

/// One line of `agents.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AgentEntry {
    pub(super) id: String,
    pub(super) ip: Ipv4Addr,
    pub(super) role: String,
    /// The names of its volumes, each at `/media/<name>` there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<String>,
}

/// `mount_volume` and `unmount_volume`: which volume of the node is meant.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MountedVolume {
    pub(super) name: String,
    /// The device it is, as the cloud says; `sdb`.
    pub(super) device: String,
}

/// The answer to `configure`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Configured {
    /// The version whose code is unpacked there.
    pub(super) code_version: Option<CodeVersionId>,
}

/// `install_code` and `initialise`: which version is meant.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) code_version: CodeVersionId,
}

/// `notify`: which change of the nodes is meant.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Membership {
    pub(super) membership: u64,
}

/// The answer to `initialise` and `notify`, given when the script has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    /// `None` when there was nothing to run.
    pub(super) return_code: Option<i32>,
}

/// `execute`: one of the scripts that users start.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Execute {
    pub(super) script: Script,
    pub(super) parameters: Vec<String>,
    /// Only scripts of this version are meant.
    pub(super) code_version: Option<CodeVersionId>,
}

/// The refusal of what cannot be done beside running scripts.
pub(super) fn scripts_are_running() -> ApiError {
    ApiError::conflict(
        "Scripts are still running inside at least one agent. \
         Please wait for them to finish execution or call 'interrupt' first.",
    )
}

/// The refusal to run a script that the code does not have.
pub(super) fn has_no(version: &CodeVersionId, script: Script) -> ApiError {
    let script = script.file_name();
    ApiError::conflict(format!("{version} has no {script}"))
        .hint(format!("enable code with a {script}"))
}

/// The refusal to interrupt nothing.
pub(super) fn nothing_to_interrupt() -> ApiError {
    ApiError::conflict("No scripts are currently running inside agents. Nothing to interrupt.")
}
