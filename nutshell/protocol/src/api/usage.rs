//! What managers and agents measure of their VMs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::NodeId;

/// Seconds between two measurements.
pub const INTERVAL_SECONDS: u64 = 15;
/// How many measurements are kept: an hour of them.
pub const KEPT: usize = 240;

/// The media type of `get_metrics`, as Prometheus expects it.
pub const METRICS_TYPE: &str = "text/plain; version=0.0.4";

/// One measurement, as the VM's kernel tells it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Usage {
    /// When, RFC 3339.
    #[serde(with = "time::serde::rfc3339")]
    #[schemars(with = "String")]
    pub at: time::OffsetDateTime,
    /// How busy all processors together were since the last measurement, from 0 to 100.
    pub cpu_percent: f64,
    /// Bytes of memory in use.
    pub memory_used: u64,
    /// Bytes of memory there are.
    pub memory_total: u64,
    /// Bytes in use on the file system of `/`.
    pub disk_used: u64,
    /// Bytes that it can hold.
    pub disk_total: u64,
    /// Bytes received over all networks but the VM's own since it booted.
    pub network_received: u64,
    /// Bytes sent, likewise.
    pub network_sent: u64,
}

/// The last measurements of one VM, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct UsageHistory {
    /// At most an hour of them; fewer in a new VM.
    pub samples: Vec<Usage>,
}

/// Result of `get_usage`, which every type of service has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ServiceUsage {
    /// The manager's own VM.
    pub manager: UsageHistory,
    /// Its nodes; one that does not answer now is missing.
    pub nodes: BTreeMap<NodeId, UsageHistory>,
}
