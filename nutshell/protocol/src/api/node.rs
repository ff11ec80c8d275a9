//! Nodes: the VMs of a service, and managers' own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::ids::{ApplicationId, NodeId, ServiceId};

/// How many nodes of each role.
pub type NodeCounts = BTreeMap<String, u32>;

/// Whether a VM does its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// Asked for; the manager or agent in it has not reported yet.
    Starting,
    /// Its manager or agent has reported.
    Ready,
    /// It is being removed.
    Stopping,
    /// The cloud has lost it.
    Lost,
}

/// A VM of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Node {
    /// Id in the installation.
    pub id: NodeId,
    /// The application it works for.
    pub application: ApplicationId,
    /// The service it works for; `None` for the application's manager.
    pub service: Option<ServiceId>,
    /// Its role in the service; `manager` for a manager.
    pub role: String,
    /// The cloud it comes from.
    pub cloud: String,
    /// What kind of VM it is there.
    pub instance_type: String,
    /// Its id in that cloud; empty until the cloud gave one.
    pub server: String,
    /// Whether it does its work.
    pub state: NodeState,
    /// The address others reach it at.
    #[schemars(with = "Option<String>")]
    pub public_ip: Option<Ipv4Addr>,
    /// The address it has itself.
    #[schemars(with = "Option<String>")]
    pub private_ip: Option<Ipv4Addr>,
    /// When it was asked for, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub created: time::OffsetDateTime,
}

impl Node {
    /// The address to call it at: the public one where it has one.
    #[must_use]
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.public_ip.or(self.private_ip)
    }

    /// The address for a node of the same application to call it at, which is on this cloud: its own
    /// one if it is there too. Security groups let nodes of one application reach each other by that.
    #[must_use]
    pub fn address_from(&self, cloud: &str) -> Option<Ipv4Addr> {
        self.private_ip.filter(|_| self.cloud == cloud).or(self.address())
    }

    /// A node at work without addresses, in the first service of the first application, as tests of
    /// decisions need them.
    #[doc(hidden)]
    #[must_use]
    pub fn example(id: i64, role: &str) -> Self {
        Self {
            id: NodeId(id),
            application: ApplicationId(1),
            service: Some(ServiceId(1)),
            role: role.to_owned(),
            cloud: "default".to_owned(),
            instance_type: "small".to_owned(),
            server: "s".to_owned(),
            state: NodeState::Ready,
            public_ip: None,
            private_ip: None,
            created: time::OffsetDateTime::UNIX_EPOCH,
        }
    }
}
