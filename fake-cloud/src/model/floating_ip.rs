//! Floating IPs: addresses of an external network that lead to ports.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::{Error, Kind};
use super::network::choose;
use super::quota::{self, Demand};
use super::table::Record;
use super::{Caller, FloatingIpId, Model, NetworkId, PortId, ProjectId};

/// An address of an external network that leads to a port.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FloatingIp {
    /// Its id.
    pub id: FloatingIpId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// The external network it is from.
    pub network_id: NetworkId,
    /// The address.
    pub address: Ipv4Addr,
    /// The port it leads to.
    pub port_id: Option<PortId>,
    /// What its owner says of it.
    pub description: String,
    /// How often it has changed.
    pub revision: u64,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
}

/// What is wanted of a new floating IP.
#[derive(Debug, Clone)]
pub struct NewFloatingIp {
    /// Whose it is.
    pub project_id: ProjectId,
    /// The external network it is from.
    pub network_id: NetworkId,
    /// The address, the lowest free one when not given.
    pub address: Option<Ipv4Addr>,
    /// The port it leads to from the beginning.
    pub port_id: Option<PortId>,
    /// What its owner says of it.
    pub description: String,
}

impl Model {
    /// A floating IP that the caller may see.
    pub fn floating_ip(&self, caller: &Caller, id: &str) -> Result<&FloatingIp, Error> {
        let found = id.parse().ok().and_then(|id| self.floating_ips.get(id));
        found
            .filter(|ip| caller.sees(ip.project_id))
            .ok_or_else(|| Error::not_found(Kind::FloatingIp, id))
    }

    /// The floating IP with this address among those the caller may see.
    pub fn floating_ip_at(&self, caller: &Caller, address: &str) -> Result<&FloatingIp, Error> {
        let wanted = address.parse().ok();
        self.floating_ips
            .iter()
            .find(|ip| Some(ip.address) == wanted && caller.sees(ip.project_id))
            .ok_or_else(|| Error::not_found(Kind::FloatingIp, address))
    }

    /// The floating IPs that lead to a port.
    pub fn floating_ips_of(&self, port: PortId) -> impl Iterator<Item = &FloatingIp> {
        self.floating_ips.iter().filter(move |ip| ip.port_id == Some(port))
    }

    /// Takes a floating IP from the pool for a project.
    pub fn create_floating_ip(
        &mut self,
        wanted: NewFloatingIp,
        now: OffsetDateTime,
    ) -> Result<FloatingIpId, Error> {
        let network_id = wanted.network_id;
        let network = self.networks.get(network_id);
        let network = network.ok_or_else(|| Error::not_found(Kind::Network, network_id))?;
        if !network.external {
            return Err(Error::Invalid(format!(
                "Bad floatingip request: Network {network_id} is not a valid external network."
            )));
        }
        let used = self.floating_ips_used(wanted.project_id);
        let limit = self.quotas(wanted.project_id).floating_ips;
        quota::check(&[Demand { resource: "floatingip", used, requested: 1, limit }])?;
        self.check_pool(network_id)?;
        let subnet = self.subnet_of(network_id).ok_or(Error::NoAddress(network_id))?;
        let taken = self.floating_ips.iter().map(|ip| ip.address).collect();
        let address = choose(subnet, &taken, wanted.address)?;
        if let Some(port) = wanted.port_id {
            self.port_for_floating(port, None)?;
        }
        let id = FloatingIpId::random();
        self.floating_ips.insert(FloatingIp {
            id,
            project_id: wanted.project_id,
            network_id,
            address,
            port_id: wanted.port_id,
            description: wanted.description,
            revision: 0,
            tags: BTreeMap::new(),
            created: now,
            updated: now,
        });
        Ok(id)
    }

    /// Leads a floating IP to a port, or nowhere.
    pub fn associate(
        &mut self,
        id: FloatingIpId,
        port: Option<PortId>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        if let Some(port) = port {
            self.port_for_floating(port, Some(id))?;
        }
        let floating =
            self.floating_ips.get_mut(id).ok_or_else(|| Error::not_found(Kind::FloatingIp, id))?;
        floating.port_id = port;
        floating.touch(now);
        Ok(())
    }

    /// Where a floating IP leads: its own address and the fixed one.
    pub fn route_of(&self, id: FloatingIpId) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let floating = self.floating_ips.get(id)?;
        Some((floating.address, self.ports.get(floating.port_id?)?.address))
    }

    /// Checks that a port can take the floating IP: a fixed address has one of them at most.
    fn port_for_floating(&self, id: PortId, except: Option<FloatingIpId>) -> Result<(), Error> {
        let port = self.ports.get(id).ok_or_else(|| Error::not_found(Kind::Port, id))?;
        match self.floating_ips_of(id).find(|ip| Some(ip.id) != except) {
            None => Ok(()),
            Some(other) => Err(Error::Conflict(format!(
                "Cannot associate floating IP with port {id} using fixed IP {}, as that fixed IP \
                 already has a floating IP on external network {}.",
                port.address, other.network_id
            ))),
        }
    }
}

impl FloatingIp {
    /// Notes a change.
    pub fn touch(&mut self, now: OffsetDateTime) {
        self.revision += 1;
        self.updated = now;
    }
}

impl Record for FloatingIp {
    const KIND: &'static str = "floating_ip";
    type Id = FloatingIpId;
    fn id(&self) -> FloatingIpId {
        self.id
    }
}
