//! Clouds, as far as users see them.

use serde::{Deserialize, Serialize};

/// Whether a cloud can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CloudState {
    /// It answers, and takes the director's credentials.
    Ready,
    /// It does not; the reason says how.
    Failing,
}

/// A cloud that VMs can come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Cloud {
    /// Its name in the settings.
    pub name: String,
    /// Which driver it has: `openstack`, `ec2`.
    pub kind: String,
    /// Whether it is meant when nobody names one.
    pub default: bool,
    /// Whether it can be used, asked just now.
    pub state: CloudState,
    /// Why it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The kinds of VM it offers, smallest first.
    pub instance_types: Vec<InstanceType>,
}

/// A kind of VM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct InstanceType {
    /// Its name.
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Root disk, in GiB; 0 where that is chosen with the image.
    pub disk_gib: u64,
    /// Price of one hour, where the settings of the director or the cloud state one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_hour: Option<f64>,
    /// Whether services grow by it when they scale themselves.
    pub autoscaling: bool,
}
