//! The descriptor: which machine this is, and which hardware it wants. OVF 1.0 (DMTF DSP0243), in the
//! way VirtualBox writes it itself.

mod read;

use askama::Template;

pub use self::read::{Descriptor, DiskEntry, FileEntry, Item, ResourceType};

/// The format of the disk, as descriptors name it.
pub const STREAM_OPTIMIZED: &str =
    "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized";

/// A virtual machine to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name in VirtualBox, until its owner gives another.
    pub name: String,
    /// The software in it.
    pub product: Product,
    /// What its owner reads at the import.
    pub annotation: String,
    /// How many processors it has.
    pub processors: u32,
    /// Its memory in MiB.
    pub memory_mib: u64,
    /// What its network adapters are connected to, in their order.
    pub networks: Vec<Network>,
}

/// The software in a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// Who made it.
    pub vendor: String,
    /// Which version.
    pub version: String,
}

/// What a network adapter is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// The world outside, through the host's own address.
    Nat,
    /// The host and nobody else.
    HostOnly,
}

impl Network {
    /// The name by which VirtualBox knows what is meant.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nat => "NAT",
            Self::HostOnly => "HostOnly",
        }
    }

    /// What it is for.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Nat => "The world outside, through the host",
            Self::HostOnly => "The host only: pages, commands and floating addresses",
        }
    }
}

/// The disk as it stands in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// The name of its file.
    pub file_name: String,
    /// The size of the file.
    pub file_bytes: u64,
    /// How much the machine sees.
    pub capacity_bytes: u64,
}

#[derive(Template)]
#[template(path = "machine.ovf")]
struct Page<'a> {
    machine: &'a Machine,
    disk: &'a Disk,
    disk_format: &'static str,
}

/// The text of a machine's descriptor.
#[must_use]
pub fn render(machine: &Machine, disk: &Disk) -> String {
    let page = Page { machine, disk, disk_format: STREAM_OPTIMIZED };
    page.render().expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            name: "A & B <1>".to_owned(),
            product: Product {
                name: "Nutshell".to_owned(),
                vendor: "its \"makers\"".to_owned(),
                version: "1.0".to_owned(),
            },
            annotation: "Log in as stack".to_owned(),
            processors: 2,
            memory_mib: 3072,
            networks: vec![Network::Nat, Network::HostOnly],
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let disk = Disk { file_name: "d.vmdk".to_owned(), file_bytes: 5, capacity_bytes: 1 << 30 };
        let descriptor = Descriptor::read(&render(&machine(), &disk)).unwrap();
        assert_eq!(descriptor.version.as_deref(), Some("1.0"));
        assert_eq!(descriptor.files()[0].href, "d.vmdk");
        assert_eq!(descriptor.files()[0].size, Some(5));
        assert_eq!(descriptor.disks()[0].capacity.as_deref(), Some("1073741824"));
        assert_eq!(descriptor.networks(), ["NAT", "HostOnly"]);
        let system = descriptor.system().unwrap();
        assert_eq!(system.name.as_deref(), Some("A & B <1>"));
        let of = |kind| descriptor.items(kind).collect::<Vec<_>>();
        assert_eq!(of(ResourceType::Processor)[0].quantity, Some(2));
        assert_eq!(of(ResourceType::Memory)[0].quantity, Some(3072));
        assert_eq!(of(ResourceType::Disk)[0].host_resource.as_deref(), Some("/disk/disk1"));
        assert_eq!(of(ResourceType::Ethernet).len(), 2);
    }

    #[test]
    fn numbers_of_hardware_are_given_once() {
        let disk = Disk { file_name: "d.vmdk".to_owned(), file_bytes: 5, capacity_bytes: 9 };
        let descriptor = Descriptor::read(&render(&machine(), &disk)).unwrap();
        let mut numbers: Vec<_> = descriptor.all_items().iter().map(|it| &it.instance).collect();
        let given = numbers.len();
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), given);
    }
}
