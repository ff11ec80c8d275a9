//! The contract of a manager half: what a service decides for all its nodes together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use protocol::api::code::AuthorizedKey;
use protocol::api::{Node, NodeCounts, State, Volume};
use protocol::client::AgentClient;
use protocol::{ApiError, NodeId, ServiceId, VolumeId};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ServiceError;
use crate::code::{CodeStore, Contents};
use crate::settings::Settings;
use crate::state::Request;

/// What one service means to its manager. A half keeps nothing itself: all it knows is in the
/// context, or with its agents.
#[async_trait]
pub trait ManagerHalf: Send + Sync {
    /// Makes what the service needs before its first start. Again, it changes nothing.
    async fn create(&self, _context: &ManagerContext) -> Result<(), ServiceError> {
        Ok(())
    }

    /// Brings every agent to what the context says. It is called when nodes came or went, after a
    /// restart, and again after failures: what is already so is left alone, and what is to happen
    /// once happens once.
    async fn settle(&self, context: &ManagerContext) -> Result<Remark, ServiceError>;

    /// Whether users may add nodes of this role.
    fn may_add(&self, _role: &str) -> Result<(), ApiError> {
        Ok(())
    }

    /// Whether users may remove nodes of this role.
    fn may_remove(&self, _role: &str) -> Result<(), ApiError> {
        Ok(())
    }

    /// Whether users may bring the service from so many nodes of each role to so many.
    fn check_scale(&self, _before: &NodeCounts, _after: &NodeCounts) -> Result<(), ApiError> {
        Ok(())
    }

    /// Takes all work off nodes that are about to go, or are lost: the nodes of the context are those
    /// that stay. Returns when nobody needs the others any more.
    async fn release(
        &self,
        _context: &ManagerContext,
        _leaving: &[Node],
    ) -> Result<(), ServiceError> {
        Ok(())
    }

    /// Whether these contents can be code of this service; `None` for a service that has no code.
    fn check_code(&self, _filename: &str, _contents: &Contents) -> Option<Result<(), ApiError>> {
        None
    }

    /// In which states a method of this service may be called.
    fn request(&self, method: &str) -> Request;

    /// The command, less the service's id, by which users end scripts that hang.
    fn remedy(&self) -> Option<&'static str> {
        None
    }

    /// Whether a method of kind [`Request::Change`] may begin now. Changes nothing.
    async fn check_change(
        &self,
        _context: &ManagerContext,
        _method: &str,
        _parameters: &Value,
    ) -> Result<(), ServiceError> {
        Ok(())
    }

    /// A method of kind `query`.
    async fn query(
        &self,
        _context: &ManagerContext,
        method: &str,
        _parameters: Value,
    ) -> Result<Value, ServiceError> {
        Err(no_such_method(method))
    }

    /// A method of kind `command`.
    async fn command(
        &self,
        _context: &ManagerContext,
        method: &str,
        _parameters: Value,
    ) -> Result<Outcome, ServiceError> {
        Err(no_such_method(method))
    }

    /// A method of kind `upload`.
    async fn upload(
        &self,
        _context: &ManagerContext,
        method: &str,
        _parameters: Value,
        _content: Content,
    ) -> Result<Value, ServiceError> {
        Err(no_such_method(method))
    }

    /// A method of kind `download`.
    async fn download(
        &self,
        _context: &ManagerContext,
        method: &str,
        _parameters: Value,
    ) -> Result<File, ServiceError> {
        Err(no_such_method(method))
    }
}

/// All that a manager half can know and reach.
#[derive(Clone)]
pub struct ManagerContext {
    /// The service.
    pub service: ServiceId,
    /// The state it is in.
    pub state: State,
    /// Its nodes, oldest first, but for those that are lost.
    pub nodes: Vec<Node>,
    /// How often its nodes have changed: grows whenever some come or go.
    pub membership: u64,
    /// The shares of the work that autoscaling gave to nodes, relative to each other.
    pub weights: BTreeMap<NodeId, u32>,
    /// Its code versions.
    pub code: Arc<CodeStore>,
    /// What it keeps beside that.
    pub settings: Arc<Settings>,
    /// The volumes of its nodes.
    pub volumes: Arc<dyn Volumes>,
    /// Where the application's code is pushed to.
    pub repository: Arc<dyn CodeRepository>,
    /// Its agents.
    pub agents: Arc<dyn AgentConnections>,
}

impl fmt::Debug for ManagerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagerContext").field("service", &self.service).finish_non_exhaustive()
    }
}

/// The way to the agents.
pub trait AgentConnections: Send + Sync {
    /// The client of the agent in this node.
    ///
    /// # Errors
    /// When the node has no address.
    fn agent(&self, node: &Node) -> Result<AgentClient, ServiceError>;

    /// How long to wait for an agent that cannot be reached: it may be on its way back.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// The volumes of one service's nodes. A volume goes with its node.
#[async_trait]
pub trait Volumes: Send + Sync {
    /// Those there are.
    ///
    /// # Errors
    /// When they cannot be learned.
    async fn list(&self) -> Result<Vec<Volume>, ServiceError>;

    /// Makes one and attaches it to a node, or leaves nothing.
    ///
    /// # Errors
    /// When the name is taken, or the cloud refuses.
    async fn create(&self, node: NodeId, name: &str, size_mib: u64)
    -> Result<Volume, ServiceError>;

    /// Detaches and deletes one; one that is gone is gone.
    ///
    /// # Errors
    /// When its node does not let go of it, or the cloud refuses.
    async fn delete(&self, id: VolumeId) -> Result<(), ServiceError>;
}

/// The git repository of the application; each push becomes a code version of every service that has
/// code.
#[async_trait]
pub trait CodeRepository: Send + Sync {
    /// Lets the holders of these public keys in, and says how many are new.
    ///
    /// # Errors
    /// When the text holds anything else, or there can be no repository.
    async fn add_keys(&self, text: &str) -> Result<usize, ServiceError>;

    /// The keys.
    fn keys(&self) -> Vec<AuthorizedKey>;

    /// Lets nobody in with this key any more.
    ///
    /// # Errors
    /// When there is no such key.
    async fn delete_key(&self, fingerprint: &str) -> Result<(), ServiceError>;

    /// What `git clone` takes, once there is a repository.
    fn address(&self) -> Option<String>;
}

/// Something the user should know although all went well enough.
pub type Remark = Option<String>;

/// What became of a command.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The answer.
    pub value: Value,
    /// Shown as the reason beside the service's state.
    pub remark: Remark,
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Self { value, remark: None }
    }
}

/// A file that is being received.
pub type Content = BoxStream<'static, std::io::Result<Bytes>>;

/// A file to send.
#[derive(Debug)]
pub struct File {
    /// Its name.
    pub filename: String,
    /// Its content.
    pub content: tokio::fs::File,
}

/// The parameters of a method in their own type.
///
/// # Errors
/// When a parameter is missing or not what it should be.
pub fn parameters<T: DeserializeOwned>(method: &str, parameters: Value) -> Result<T, ServiceError> {
    serde_json::from_value(parameters)
        .map_err(|error| ApiError::invalid(format!("{method}: {error}")).into())
}

/// The error for a method that a service lists but a half does not know, or that it does not list.
#[must_use]
pub fn no_such_method(method: &str) -> ServiceError {
    ApiError::not_found(format!("there is no method `{method}` of this kind")).into()
}

/// The node's id in an agent's failure, for `map_err`.
pub fn at(node: NodeId) -> impl Fn(protocol::ClientError) -> ServiceError {
    move |source| ServiceError::Agent { node, source }
}
