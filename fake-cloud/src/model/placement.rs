//! What servers take of the machine they are on, as a scheduler counts it.

use std::ops::Add;

use super::life::State;
use super::{Model, Server};

/// An amount of what a machine has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Virtual processors.
    pub vcpus: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Space on disk in GiB.
    pub disk_gib: u64,
}

impl Add for Resources {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            vcpus: self.vcpus + other.vcpus,
            memory_mib: self.memory_mib + other.memory_mib,
            disk_gib: self.disk_gib + other.disk_gib,
        }
    }
}

impl Server {
    /// What it takes of its machine: nothing when it has no place there. A server that boots from a
    /// volume has no root disk of its own.
    pub fn resources(&self) -> Resources {
        if self.state == State::Shelved {
            return Resources::default();
        }
        let flavor = &self.flavor;
        let root = if self.volume_backed { 0 } else { flavor.disk_gib };
        Resources {
            vcpus: flavor.vcpus.into(),
            memory_mib: flavor.ram_mib,
            disk_gib: root + flavor.ephemeral_gib + flavor.swap_mib.div_ceil(1024),
        }
    }
}

impl Model {
    /// What all servers together take.
    pub fn resources_used(&self) -> Resources {
        self.servers.iter().map(Server::resources).fold(Resources::default(), Add::add)
    }
}
