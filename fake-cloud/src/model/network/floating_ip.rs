//! Floating IPs: addresses of an external network that lead to ports.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::used::FloatingIpIndex;
use super::{FixedIp, StandardAttributes, WantedIp};
use crate::model::error::{Broken, Error, Kind};
use crate::model::quota::{self, Demand};
use crate::model::table::record;
use crate::model::{
    Caller, Device, FloatingIpId, Model, NetworkId, PortId, ProjectId, RouterId, SubnetId,
};

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
    /// The address of the port it leads to.
    pub fixed_address: Option<Ipv4Addr>,
    /// The router by which it gets there.
    pub router_id: Option<RouterId>,
    /// Whether it is the public address of an instance of EC2: nobody has asked for it by itself,
    /// and it goes when the port does.
    #[serde(default)]
    pub goes_with_port: bool,
    /// Names and values that its owner gave it.
    pub tags: BTreeMap<String, String>,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

/// Where a floating IP is to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The port.
    pub port_id: PortId,
    /// Which of the port's addresses, when it has several.
    pub fixed_address: Option<Ipv4Addr>,
}

/// What is wanted of a new floating IP.
#[derive(Debug, Clone)]
pub struct NewFloatingIp {
    /// Whose it is.
    pub project_id: ProjectId,
    /// The external network it is from.
    pub network_id: NetworkId,
    /// The subnet of that network it is from, any when not given.
    pub subnet_id: Option<SubnetId>,
    /// The address, the lowest free one when not given.
    pub address: Option<Ipv4Addr>,
    /// Where it leads from the beginning.
    pub target: Option<Target>,
    /// Whether it goes when the port does that it leads to.
    pub goes_with_port: bool,
    /// What its owner says of it.
    pub description: String,
}

impl NewFloatingIp {
    /// Any address of an external network, leading nowhere yet.
    pub fn from_pool(network_id: NetworkId, project_id: ProjectId) -> Self {
        Self {
            project_id,
            network_id,
            subnet_id: None,
            address: None,
            target: None,
            goes_with_port: false,
            description: String::new(),
        }
    }
}

impl From<PortId> for Target {
    fn from(port_id: PortId) -> Self {
        Self { port_id, fixed_address: None }
    }
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
        let mut found = wanted.into_iter().flat_map(|it| self.floating_ips_with(it));
        found
            .find(|ip| caller.sees(ip.project_id))
            .ok_or_else(|| Error::not_found(Kind::FloatingIp, address))
    }

    /// The floating IPs that lead to a port.
    pub fn floating_ips_of(&self, port: PortId) -> impl Iterator<Item = &FloatingIp> {
        self.floating_ips.at(self.floating_ips.index().ports.of(port))
    }

    /// The floating IPs with an address, one in each external network at most.
    pub fn floating_ips_with(&self, address: Ipv4Addr) -> impl Iterator<Item = &FloatingIp> {
        self.floating_ips.at(self.floating_ips.index().addresses.holders(address))
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
            return Err(bad_request(&format!(
                "Network {network_id} is not a valid external network"
            )));
        }
        let used = self.floating_ips_used(wanted.project_id);
        let limit = self.quotas(wanted.project_id).floating_ips;
        let requested = u64::from(!wanted.goes_with_port);
        quota::check(&[Demand { resource: "floatingip", used, requested, limit }])?;
        if self.subnets_of(network_id).next().is_none() {
            return Err(bad_request(&format!(
                "Network {network_id} does not contain any IPv4 subnet"
            )));
        }
        let place = WantedIp { subnet_id: wanted.subnet_id, address: wanted.address };
        let chosen = self.choose_fixed_ips(network_id, Some(&[place]), None)?;
        let address = chosen.first().ok_or(Error::NoAddress(network_id))?.address;
        let led = match wanted.target {
            Some(target) => Some(self.lead(network_id, target, None)?),
            None => None,
        };
        let id = FloatingIpId::random();
        self.floating_ips.insert(FloatingIp {
            id,
            project_id: wanted.project_id,
            network_id,
            address,
            port_id: wanted.target.map(|target| target.port_id),
            fixed_address: led.map(|(fixed, _)| fixed.address),
            router_id: led.map(|(_, router)| router),
            goes_with_port: wanted.goes_with_port,
            tags: BTreeMap::new(),
            standard: StandardAttributes::new(&wanted.description, now),
        });
        Ok(id)
    }

    /// Leads a floating IP to a port, or nowhere.
    pub fn associate(
        &mut self,
        id: FloatingIpId,
        target: Option<Target>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let missing = || Error::not_found(Kind::FloatingIp, id);
        let network = self.floating_ips.get(id).ok_or_else(missing)?.network_id;
        let led = match target {
            Some(target) => Some((target, self.lead(network, target, Some(id))?)),
            None => None,
        };
        let mut floating = self.floating_ips.get_mut(id).ok_or_else(missing)?;
        match led {
            None => floating.lead_nowhere(now),
            Some((target, (fixed, router))) => {
                floating.port_id = Some(target.port_id);
                floating.fixed_address = Some(fixed.address);
                floating.router_id = Some(router);
                floating.standard.touch(now);
            }
        }
        Ok(())
    }

    /// Where a floating IP leads: its own address and the fixed one.
    pub fn route_of(&self, id: FloatingIpId) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let floating = self.floating_ips.get(id)?;
        Some((floating.address, floating.fixed_address?))
    }

    /// The address of a port that a floating IP of a network can lead to, and the router by which
    /// it gets there. An address has one floating IP of a network at most.
    fn lead(
        &self,
        external: NetworkId,
        target: Target,
        except: Option<FloatingIpId>,
    ) -> Result<(FixedIp, RouterId), Error> {
        let id = target.port_id;
        let port = self.ports.get(id).ok_or_else(|| Error::not_found(Kind::Port, id))?;
        if matches!(port.device, Device::RouterInterface(_) | Device::RouterGateway(_)) {
            return Err(bad_request(&format!("Port {id} is unable to be assigned a floating IP")));
        }
        let fixed = match (target.fixed_address, port.fixed_ips.as_slice()) {
            (Some(address), all) => {
                all.iter().find(|fixed| fixed.address == address).copied().ok_or_else(|| {
                    bad_request(&format!("Port {id} does not have fixed ip {address}"))
                })?
            }
            (None, [only]) => *only,
            (None, []) => {
                return Err(bad_request(&format!(
                    "Cannot add floating IP to port {id} that has no fixed IPv4 addresses"
                )));
            }
            (None, _) => {
                return Err(bad_request(&format!(
                    "Port {id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 \
                     address when assigning a floating IP"
                )));
            }
        };
        let router = self.router_between(external, fixed.subnet_id).ok_or_else(|| {
            Broken::missing(
                "ExternalGatewayForFloatingIPNotFound",
                format!(
                    "External network {external} is not reachable from subnet {}.  Therefore, \
                     cannot associate Port {id} with a Floating IP.",
                    fixed.subnet_id
                ),
            )
        })?;
        let mut others = self.floating_ips_of(id).filter(|ip| Some(ip.id) != except);
        let known =
            others.find(|ip| ip.fixed_address == Some(fixed.address) && ip.network_id == external);
        match known {
            None => Ok((fixed, router)),
            Some(other) => Err(Broken::conflict(
                "FloatingIPPortAlreadyAssociated",
                format!(
                    "Cannot associate floating IP {} ({}) with port {id} using fixed IP {}, as \
                     that fixed IP already has a floating IP on external network {external}.",
                    other.address, other.id, fixed.address
                ),
            )),
        }
    }
}

impl FloatingIp {
    /// Where it leads.
    pub fn target(&self) -> Option<Target> {
        Some(Target { port_id: self.port_id?, fixed_address: self.fixed_address })
    }

    /// Takes it away from its port.
    pub(super) fn lead_nowhere(&mut self, now: OffsetDateTime) {
        self.port_id = None;
        self.fixed_address = None;
        self.router_id = None;
        self.standard.touch(now);
    }
}

fn bad_request(message: &str) -> Error {
    Broken::invalid("BadRequest", format!("Bad floatingip request: {message}."))
}

record!(FloatingIp, FloatingIpId, "floating_ip", FloatingIpIndex);
