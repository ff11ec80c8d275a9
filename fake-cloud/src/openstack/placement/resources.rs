//! Amounts of resources under the names of their classes.

use serde_json::{Map, Value, json};

use crate::model::Resources;

/// The classes of what the machine has.
pub(super) const COUNTED: [&str; 3] = ["VCPU", "MEMORY_MB", "DISK_GB"];

/// All classes that Placement knows from the start.
pub(super) const STANDARD: [&str; 20] = [
    "VCPU",
    "MEMORY_MB",
    "DISK_GB",
    "PCI_DEVICE",
    "SRIOV_NET_VF",
    "NUMA_SOCKET",
    "NUMA_CORE",
    "NUMA_THREAD",
    "NUMA_MEMORY_MB",
    "IPV4_ADDRESS",
    "VGPU",
    "VGPU_DISPLAY_HEAD",
    "NET_BW_EGR_KILOBIT_PER_SEC",
    "NET_BW_IGR_KILOBIT_PER_SEC",
    "PCPU",
    "MEM_ENCRYPTION_CONTEXT",
    "FPGA",
    "PGPU",
    "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
    "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
];

/// How much there is of a class.
pub(super) fn amount(of: Resources, class: &str) -> u64 {
    match class {
        "VCPU" => of.vcpus,
        "MEMORY_MB" => of.memory_mib,
        "DISK_GB" => of.disk_gib,
        _ => 0,
    }
}

/// All amounts, by class.
pub(super) fn amounts(of: Resources) -> Map<String, Value> {
    COUNTED.iter().map(|class| ((*class).to_owned(), json!(amount(of, class)))).collect()
}

/// The amounts that are more than nothing, as allocations name them.
pub(super) fn allocated(of: Resources) -> Map<String, Value> {
    let mut amounts = amounts(of);
    amounts.retain(|_, amount| *amount != 0);
    amounts
}
