//! The contract of an agent half: what a service does inside one of its nodes.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use protocol::NodeId;
use serde_json::Value;

use crate::ServiceError;
use crate::manager_half::{Content, no_such_method};

/// What one service means to an agent. It is made by taking up what an earlier agent left.
#[async_trait]
pub trait AgentHalf: Send + Sync {
    /// A method that changes nothing.
    async fn query(&self, method: &str, _parameters: Value) -> Result<Value, ServiceError> {
        Err(no_such_method(method))
    }

    /// A method that does something. The call may be repeated when its answer was lost.
    async fn command(&self, method: &str, _parameters: Value) -> Result<Value, ServiceError> {
        Err(no_such_method(method))
    }

    /// A method that takes a file.
    async fn upload(
        &self,
        method: &str,
        _parameters: Value,
        _content: Content,
    ) -> Result<Value, ServiceError> {
        Err(no_such_method(method))
    }

    /// What it does every few seconds, before its logs are kept from growing.
    fn tend(&self) {}

    /// The logs it keeps beside the agent's own: the names users know, and the files.
    fn logs(&self) -> Vec<(&'static str, PathBuf)> {
        Vec::new()
    }
}

/// All that an agent half can know and reach.
#[derive(Debug, Clone)]
pub struct AgentContext {
    /// The node it runs in.
    pub node: NodeId,
    /// How much memory its instance type has, in MiB, if the cloud says so.
    pub memory_mib: Option<u64>,
    root: PathBuf,
}

impl AgentContext {
    /// The context in a node whose files begin at `root`.
    #[must_use]
    pub fn new(node: NodeId, root: &Path) -> Self {
        Self { node, memory_mib: None, root: root.to_owned() }
    }

    /// Where the half keeps what must survive the agent: `/var/cache/cpsagent`.
    #[must_use]
    pub fn cache(&self) -> PathBuf {
        self.root.join("var/cache/cpsagent")
    }

    /// Where the node's files begin: `/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The home of the user's programs: `/root`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root.join("root")
    }
}
