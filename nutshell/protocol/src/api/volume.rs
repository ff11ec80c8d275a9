//! Volumes: disks of a service's nodes, which hold data that outlives processes and reboots.

use serde::{Deserialize, Serialize};

use crate::ids::{ApplicationId, NodeId, ServiceId, VolumeId};

/// Whether a volume can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VolumeState {
    /// Asked for; its node does not have it yet.
    Creating,
    /// Its node has it.
    Attached,
    /// It is being removed.
    Deleting,
    /// The cloud has lost it.
    Lost,
}

/// A volume of a node; it goes with the node, unless it is deleted before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Volume {
    /// Id in the installation.
    pub id: VolumeId,
    /// The application it belongs to.
    pub application: ApplicationId,
    /// The service it belongs to.
    pub service: ServiceId,
    /// The node that has it.
    pub node: NodeId,
    /// Its name, unique in the application.
    pub name: String,
    /// Its size as it was asked for, in MiB; the cloud may have made it larger.
    pub size_mib: u64,
    /// Whether it can be used.
    pub state: VolumeState,
    /// The cloud it comes from: its node's.
    pub cloud: String,
    /// Its id in that cloud; empty until the cloud gave one.
    pub volume: String,
    /// The device it is in its node, such as `vdb`, as the cloud names it; empty until it is attached.
    pub device: String,
    /// When it was asked for, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub created: time::OffsetDateTime,
}

/// Manager → director: a volume for a node. Answered when the node has it, or not at all: then
/// nothing is left of it.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VolumeCreate {
    /// The service it is for.
    pub service: ServiceId,
    /// The node, one of that service's.
    pub node: NodeId,
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// What must fit on it, in MiB; clouds round up, most to GiB.
    pub size_mib: u64,
}

/// A list of volumes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Volumes {
    /// The volumes, oldest first.
    pub volumes: Vec<Volume>,
}
