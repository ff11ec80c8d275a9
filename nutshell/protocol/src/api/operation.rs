//! Multi-step work of the director.

use serde::{Deserialize, Serialize};

use crate::ids::OperationId;

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// Its steps are being done.
    Running,
    /// All steps are done.
    Done,
    /// A step failed; what was done before is being undone.
    Unwinding,
    /// A step failed and nothing of the work is left.
    Failed,
}

/// A multi-step piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What it does, e.g. `application_start`.
    pub kind: String,
    /// Where it stands.
    pub state: OperationState,
    /// The step it is at, or failed at.
    pub step: String,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
