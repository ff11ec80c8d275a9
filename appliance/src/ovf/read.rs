//! Reads descriptors: ours, and whatever else is called one.

use serde::Deserialize;

use crate::Error;

/// As much of a descriptor as counts. What is missing is absent here: [`crate::check`] says so.
#[derive(Debug, Clone, Deserialize)]
pub struct Descriptor {
    /// The version of the standard.
    #[serde(rename = "@version")]
    pub version: Option<String>,
    #[serde(rename = "References", default)]
    references: References,
    #[serde(rename = "DiskSection", default)]
    disk_section: DiskSection,
    #[serde(rename = "NetworkSection", default)]
    network_section: NetworkSection,
    #[serde(rename = "VirtualSystem", default)]
    systems: Vec<System>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct References {
    #[serde(rename = "File", default)]
    files: Vec<FileEntry>,
}

/// A file beside the descriptor.
#[derive(Debug, Clone, Deserialize)]
pub struct FileEntry {
    /// By which the descriptor speaks of it.
    #[serde(rename = "@id")]
    pub id: String,
    /// Its name.
    #[serde(rename = "@href")]
    pub href: String,
    /// Its size in bytes.
    #[serde(rename = "@size")]
    pub size: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct DiskSection {
    #[serde(rename = "Disk", default)]
    disks: Vec<DiskEntry>,
}

/// A disk.
#[derive(Debug, Clone, Deserialize)]
pub struct DiskEntry {
    /// By which the descriptor speaks of it.
    #[serde(rename = "@diskId")]
    pub id: String,
    /// The file that holds it.
    #[serde(rename = "@fileRef")]
    pub file: Option<String>,
    /// How much the machine sees: a number of units.
    #[serde(rename = "@capacity")]
    pub capacity: Option<String>,
    /// The unit; bytes when absent.
    #[serde(rename = "@capacityAllocationUnits")]
    pub capacity_unit: Option<String>,
    /// In which format, as an address.
    #[serde(rename = "@format")]
    pub format: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct NetworkSection {
    #[serde(rename = "Network", default)]
    networks: Vec<NetworkEntry>,
}

#[derive(Debug, Clone, Deserialize)]
struct NetworkEntry {
    #[serde(rename = "@name")]
    name: String,
}

/// A virtual machine.
#[derive(Debug, Clone, Deserialize)]
pub struct System {
    /// Its name.
    #[serde(rename = "Name")]
    pub name: Option<String>,
    /// The operating system in it.
    #[serde(rename = "OperatingSystemSection")]
    pub operating_system: Option<OperatingSystem>,
    #[serde(rename = "VirtualHardwareSection", default)]
    hardware: Hardware,
}

/// The operating system in a machine.
#[derive(Debug, Clone, Deserialize)]
pub struct OperatingSystem {
    /// The word by which VirtualBox knows it.
    #[serde(rename = "OSType")]
    pub os_type: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Hardware {
    #[serde(rename = "Item", default)]
    items: Vec<Item>,
}

/// A piece of hardware.
#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    /// Its number.
    #[serde(rename = "InstanceID")]
    pub instance: String,
    #[serde(rename = "ResourceType")]
    resource_type: String,
    /// How much of it.
    #[serde(rename = "VirtualQuantity")]
    pub quantity: Option<u64>,
    /// In which unit.
    #[serde(rename = "AllocationUnits")]
    pub unit: Option<String>,
    /// What of the host it shows, such as `/disk/disk1`.
    #[serde(rename = "HostResource")]
    pub host_resource: Option<String>,
    /// The network it is connected to.
    #[serde(rename = "Connection")]
    pub connection: Option<String>,
    /// The number of what it is part of.
    #[serde(rename = "Parent")]
    pub parent: Option<String>,
}

/// What a piece of hardware is, by the numbers of CIM's resource types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceType {
    /// A processor.
    Processor,
    /// Memory.
    Memory,
    /// A network adapter.
    Ethernet,
    /// A disk.
    Disk,
}

impl ResourceType {
    fn number(self) -> &'static str {
        match self {
            Self::Processor => "3",
            Self::Memory => "4",
            Self::Ethernet => "10",
            Self::Disk => "17",
        }
    }
}

impl Descriptor {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// When it is not XML, or lacks what everything else hangs on.
    pub fn read(text: &str) -> Result<Self, Error> {
        Ok(quick_xml::de::from_str(text)?)
    }

    /// The files beside the descriptor.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.references.files
    }

    /// The disks.
    #[must_use]
    pub fn disks(&self) -> &[DiskEntry] {
        &self.disk_section.disks
    }

    /// The names of the networks.
    #[must_use]
    pub fn networks(&self) -> Vec<&str> {
        self.network_section.networks.iter().map(|it| it.name.as_str()).collect()
    }

    /// The machine, if there is exactly one.
    #[must_use]
    pub fn system(&self) -> Option<&System> {
        match self.systems.as_slice() {
            [system] => Some(system),
            _ => None,
        }
    }

    /// The hardware of the machine.
    #[must_use]
    pub fn all_items(&self) -> &[Item] {
        self.system().map_or(&[], |system| &system.hardware.items)
    }

    /// The hardware of one kind.
    pub fn items(&self, kind: ResourceType) -> impl Iterator<Item = &Item> {
        self.all_items().iter().filter(move |it| it.resource_type == kind.number())
    }
}
