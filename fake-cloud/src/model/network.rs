//! Networks, the ports servers are plugged into, and the floating IPs that lead to them.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::address::AddressRange;
use super::error::{Error, Kind};
use super::quota::{self, Demand};
use super::table::Record;
use super::{
    Caller, FloatingIpId, Model, NetworkId, PortId, ProjectId, SecurityGroupId, ServerId, SubnetId,
};

/// A network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Whether floating IPs come from it; servers are never plugged into such a network.
    pub external: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// The addresses of a network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// Its name.
    pub name: String,
    /// The network it belongs to.
    pub network_id: NetworkId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// What it gives out.
    pub range: AddressRange,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// A place on a network, with an address, where a server may be plugged in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Port {
    /// Its id.
    pub id: PortId,
    /// Its name, mostly empty.
    pub name: String,
    /// The network it is on.
    pub network_id: NetworkId,
    /// The subnet its address is from.
    pub subnet_id: SubnetId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its hardware address.
    pub mac: String,
    /// Its fixed address.
    pub address: Ipv4Addr,
    /// The server that is plugged in.
    pub server_id: Option<ServerId>,
    /// The security groups that guard it.
    pub security_groups: Vec<SecurityGroupId>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
}

/// What is wanted of a new port.
#[derive(Debug, Clone)]
pub struct NewPort {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// The network it is on.
    pub network_id: NetworkId,
    /// Its address, the lowest free one when not given.
    pub address: Option<Ipv4Addr>,
    /// The security groups that guard it.
    pub security_groups: Vec<SecurityGroupId>,
}

impl Model {
    /// A network that exists; all are shared by all projects.
    pub fn network(&self, id: &str) -> Result<&Network, Error> {
        let found = id.parse().ok().and_then(|id| self.networks.get(id));
        found.ok_or_else(|| Error::not_found(Kind::Network, id))
    }

    /// The network that servers are plugged into.
    pub fn private_network(&self) -> Option<&Network> {
        self.networks.iter().find(|network| !network.external)
    }

    /// The network that floating IPs come from.
    pub fn public_network(&self) -> Option<&Network> {
        self.networks.iter().find(|network| network.external)
    }

    /// The subnet of a network.
    pub fn subnet_of(&self, network: NetworkId) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.network_id == network)
    }

    /// A port that the caller may see.
    pub fn port(&self, caller: &Caller, id: &str) -> Result<&Port, Error> {
        let found = id.parse().ok().and_then(|id| self.ports.get(id));
        found
            .filter(|port| caller.sees(port.project_id))
            .ok_or_else(|| Error::not_found(Kind::Port, id))
    }

    /// Makes a port with an address of its own.
    pub fn create_port(&mut self, wanted: NewPort, now: OffsetDateTime) -> Result<PortId, Error> {
        let (project, network_id) = (wanted.project_id, wanted.network_id);
        self.check_ports(project, 1)?;
        let (subnet_id, address) = self.free_address(network_id, wanted.address)?;
        let id = PortId::random();
        self.ports.insert(Port {
            id,
            name: wanted.name,
            network_id,
            subnet_id,
            project_id: project,
            mac: mac(id.0),
            address,
            server_id: None,
            security_groups: wanted.security_groups,
            created: now,
            updated: now,
        });
        Ok(id)
    }

    /// Refuses more ports than the project's quota allows.
    pub(super) fn check_ports(&self, project: ProjectId, requested: u64) -> Result<(), Error> {
        let used = self.ports.iter().filter(|port| port.project_id == project).count() as u64;
        let limit = self.quotas(project).ports;
        quota::check(&[Demand { resource: "port", used, requested, limit }])
    }

    /// The address that a new port of a network would get.
    pub(super) fn free_address(
        &self,
        network: NetworkId,
        wanted: Option<Ipv4Addr>,
    ) -> Result<(SubnetId, Ipv4Addr), Error> {
        let subnet =
            self.subnet_of(network).ok_or_else(|| Error::not_found(Kind::Network, network))?;
        self.check_pool(network)?;
        let on_network = self.ports.iter().filter(|port| port.network_id == network);
        let taken = on_network.map(|port| port.address).collect();
        Ok((subnet.id, choose(subnet, &taken, wanted)?))
    }

    /// Removes a port; floating IPs that led to it lead nowhere. Gives their addresses.
    pub fn delete_port(&mut self, id: PortId, now: OffsetDateTime) -> Vec<Ipv4Addr> {
        self.ports.remove(id);
        let leading: Vec<FloatingIpId> = self.floating_ips_of(id).map(|ip| ip.id).collect();
        leading
            .into_iter()
            .filter_map(|floating| {
                let floating = self.floating_ips.get_mut(floating)?;
                floating.port_id = None;
                floating.touch(now);
                Some(floating.address)
            })
            .collect()
    }
}

impl Caller {
    /// Whether the caller may see what belongs to a project.
    pub fn sees(&self, project: ProjectId) -> bool {
        self.is_admin || self.project_id == Some(project)
    }
}

/// The wanted address when it is free and inside, otherwise the lowest free one.
pub(super) fn choose(
    subnet: &Subnet,
    taken: &HashSet<Ipv4Addr>,
    wanted: Option<Ipv4Addr>,
) -> Result<Ipv4Addr, Error> {
    match wanted {
        None => subnet.range.lowest_free(taken).ok_or(Error::NoAddress(subnet.network_id)),
        Some(address) if !subnet.range.contains(address) => Err(Error::Invalid(format!(
            "IP address {address} is not a valid IP for the specified subnet."
        ))),
        Some(address) if taken.contains(&address) => Err(Error::Conflict(format!(
            "IP address {address} already allocated in subnet {}",
            subnet.id
        ))),
        Some(address) => Ok(address),
    }
}

/// A hardware address in OpenStack's own block.
fn mac(seed: Uuid) -> String {
    let [a, b, c, ..] = seed.into_bytes();
    format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}")
}

impl Record for Network {
    const KIND: &'static str = "network";
    type Id = NetworkId;
    fn id(&self) -> NetworkId {
        self.id
    }
}

impl Record for Subnet {
    const KIND: &'static str = "subnet";
    type Id = SubnetId;
    fn id(&self) -> SubnetId {
        self.id
    }
}

impl Record for Port {
    const KIND: &'static str = "port";
    type Id = PortId;
    fn id(&self) -> PortId {
        self.id
    }
}
