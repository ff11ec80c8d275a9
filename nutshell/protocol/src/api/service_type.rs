//! What kinds of service there are, and what can be asked of each.

use serde::{Deserialize, Serialize};

/// A kind of service, as the catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ServiceType {
    /// The word users type.
    pub name: String,
    /// The name people read.
    pub title: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// The roles of its nodes, the default one first.
    pub roles: Vec<Role>,
    /// The ports of its nodes that anyone may reach; the others, only nodes of the same application.
    pub ports: Vec<PortRange>,
    /// What can be asked of it beyond what every service can.
    pub methods: Vec<MethodSummary>,
}

/// Ports that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PortRange {
    /// Which ports are meant.
    pub transport: Transport,
    /// The lowest of them.
    pub first: u16,
    /// The highest of them.
    pub last: u16,
}

impl PortRange {
    /// Ports of TCP.
    #[must_use]
    pub const fn tcp(first: u16, last: u16) -> Self {
        Self { transport: Transport::Tcp, first, last }
    }

    /// Ports of UDP.
    #[must_use]
    pub const fn udp(first: u16, last: u16) -> Self {
        Self { transport: Transport::Udp, first, last }
    }
}

/// A transport protocol that has ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A role that nodes of a service can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Role {
    /// The word for it.
    pub name: String,
    /// How many nodes of it a freshly started service has.
    pub initial: u32,
}

/// A method that one kind of service has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MethodSummary {
    /// Its name, the last part of the URL.
    pub name: String,
    /// How it is called.
    pub kind: MethodKind,
    /// What it does, in a sentence.
    pub description: String,
}

/// How a method is called: `/v1/services/{service}/methods/{method}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MethodKind {
    /// `GET`, parameters in the query, JSON out.
    Query,
    /// `POST`, a JSON object in, JSON out.
    Command,
    /// `POST`, parameters in the query, a file in as the body, JSON out.
    Upload,
    /// `GET`, parameters in the query, a file out with its name in `Content-Disposition`.
    Download,
}
