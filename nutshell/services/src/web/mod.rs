//! What the web hosting services share: roles and who holds them, daemons under supervision, code
//! versions side by side in a node, and changes that no request notices. A service itself is what
//! its `Hosting` decides and its `Runtime` does.
//!
//! A change of the nodes, the code or the settings goes through three steps on all nodes, each
//! complete before the next: what is new is *prepared* beside what is old; the proxies are *routed*
//! to it; what nobody is routed to any more is *retired* when its last request is done.

pub(crate) mod account;
pub(crate) mod agent_half;
pub mod autoscaling;
pub(crate) mod daemons;
pub(crate) mod default_code;
pub(crate) mod layout;
pub(crate) mod manager_half;
pub(crate) mod nginx;
pub(crate) mod node;
pub(crate) mod ports;
pub(crate) mod redis;
pub(crate) mod requests;
pub(crate) mod rollout;
pub(crate) mod versions;
pub(crate) mod wire;
