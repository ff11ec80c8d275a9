//! Whether a descriptor's hardware makes a machine.

use std::collections::BTreeSet;

use super::Problem;
use crate::ovf::{Descriptor, DiskEntry, ResourceType};

pub(super) fn problems(descriptor: &Descriptor) -> Vec<Problem> {
    let Some(system) = descriptor.system() else { return vec![Problem::Machines] };
    let mut problems = vec![];
    if system.operating_system.as_ref().is_none_or(|it| it.os_type.is_none()) {
        problems.push(Problem::OperatingSystem);
    }
    for (kind, name) in [(ResourceType::Processor, "processor"), (ResourceType::Memory, "memory")] {
        if descriptor.items(kind).filter_map(|it| it.quantity).sum::<u64>() == 0 {
            problems.push(Problem::Lacks(name));
        }
    }
    let mut drives = descriptor.items(ResourceType::Disk).peekable();
    if drives.peek().is_none() {
        problems.push(Problem::Lacks("disk"));
    }
    for drive in drives {
        let shown = drive.host_resource.as_deref().unwrap_or_default();
        let is_disk = shown
            .strip_prefix("ovf:")
            .unwrap_or(shown)
            .strip_prefix("/disk/")
            .is_some_and(|id| descriptor.disks().iter().any(|disk| disk.id == id));
        if !is_disk {
            problems.push(Problem::DriveOfNothing(shown.to_owned()));
        }
    }
    for adapter in descriptor.items(ResourceType::Ethernet) {
        let network = adapter.connection.as_deref().unwrap_or_default();
        if !descriptor.networks().contains(&network) {
            problems.push(Problem::Network(network.to_owned()));
        }
    }
    let mut numbers = BTreeSet::new();
    for item in descriptor.all_items() {
        if !numbers.insert(&item.instance) {
            problems.push(Problem::Number(item.instance.clone()));
        }
    }
    problems
}

/// How much a machine sees of a disk, by its descriptor: in bytes, or in units such as `byte * 2^30`.
pub(super) fn capacity_bytes(disk: &DiskEntry) -> Option<u64> {
    let number: u64 = disk.capacity.as_ref()?.trim().parse().ok()?;
    let unit = disk.capacity_unit.as_deref().unwrap_or("byte");
    let factor = match unit.split_once('*') {
        None => 1,
        Some((_, power)) => {
            1_u64.checked_shl(power.trim().strip_prefix("2^")?.trim().parse().ok()?)?
        }
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_are_in_bytes_or_in_their_unit() {
        let disk = |capacity: &str, unit: Option<&str>| {
            capacity_bytes(&DiskEntry {
                id: "d".to_owned(),
                file: None,
                capacity: Some(capacity.to_owned()),
                capacity_unit: unit.map(str::to_owned),
                format: None,
            })
        };
        assert_eq!(disk("1048576", None), Some(1 << 20));
        assert_eq!(disk("8", Some("byte * 2^30")), Some(8 << 30));
        assert_eq!(disk("8", Some("byte * 2^99")), None);
        assert_eq!(disk("${size}", None), None);
    }
}
