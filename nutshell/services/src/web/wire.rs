//! What the two halves of a web hosting service say to each other.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use protocol::CodeVersionId;
use serde::{Deserialize, Serialize};

use super::layout::Duties;
use super::redis::SessionStore;
use super::requests::Requests;

/// The answer to `list_versions`: what is unpacked in the node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Installed {
    pub(crate) code_versions: Vec<CodeVersionId>,
}

/// `install_code`: which version is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Install {
    pub(crate) code_version: CodeVersionId,
    /// Whether to take off the one directory that all of it lies in: `yes`, for it is in a query.
    pub(crate) strip: Option<String>,
}

/// `prepare`: what is to run in the node, beside what runs there already. `B` is what the service's
/// own backend is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Preparation<B> {
    /// The node's own address.
    pub(crate) listen: Ipv4Addr,
    pub(crate) web: bool,
    pub(crate) sessions: Option<SessionStore>,
    pub(crate) backend: Option<B>,
}

/// The answer to `prepare`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// Where the backend listens, if there is to be one.
    pub(crate) backend: Option<u16>,
}

/// `route`: what a proxy leads to from now on. Answered when nothing leads elsewhere any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Routes {
    pub(crate) listen: Ipv4Addr,
    pub(crate) code_version: CodeVersionId,
    pub(crate) webs: Vec<SocketAddrV4>,
    pub(crate) backends: Vec<SocketAddrV4>,
    /// The shares of the requests of these, in their order; none where all are alike.
    pub(crate) weights: Vec<u32>,
    /// The largest body of a request, in bytes.
    pub(crate) largest_body: u64,
}

/// `await_copies`: the first proxy waits until so many others have all sessions.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Copies {
    pub(crate) listen: Ipv4Addr,
    pub(crate) password: String,
    pub(crate) copies: usize,
}

/// `retire`: what goes on in the node; all else ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Retirement {
    pub(crate) duties: Duties,
    /// The version at work, where there is one to keep.
    pub(crate) code_version: Option<CodeVersionId>,
    /// Whether to answer only when the last request is done.
    pub(crate) wait: bool,
}

/// The answer to `get_access`: the port at which users reach the proxy.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) port: Option<u16>,
}

/// The answer to `get_counts`: what a node has done since its agent began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Another one after each start of the agent: then all counts began anew.
    pub(crate) run: String,
    /// The requests that its proxy led to backends, by the address at which it reaches them.
    pub(crate) requests: BTreeMap<Ipv4Addr, Requests>,
    /// For how long its programs kept a processor busy.
    pub(crate) busy_seconds: f64,
    /// How many processors it has.
    pub(crate) processors: u32,
}
