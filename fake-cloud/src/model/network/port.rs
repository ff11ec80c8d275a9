//! Ports: places on a network, with addresses, where something may be plugged in.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::used::PortIndex;
use super::{AddressPair, StandardAttributes, Subnet};
use crate::model::error::{Broken, Error, Kind};
use crate::model::quota::{self, Demand};
use crate::model::table::record;
use crate::model::{
    Caller, FloatingIpId, Model, NetworkId, PortId, ProjectId, RouterId, SecurityGroupId, Server,
    ServerId, SubnetId,
};

/// A place on a network, with addresses, where something may be plugged in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Port {
    /// Its id.
    pub id: PortId,
    /// Its name, mostly empty.
    pub name: String,
    /// The network it is on.
    pub network_id: NetworkId,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its hardware address.
    pub mac: String,
    /// Its addresses; the first is the one that it is known by.
    pub fixed_ips: Vec<FixedIp>,
    /// What is plugged in.
    pub device: Device,
    /// Whether it goes when the server that is plugged in does.
    pub goes_with_server: bool,
    /// The security groups that guard it.
    pub security_groups: Vec<SecurityGroupId>,
    /// Whether it is guarded at all.
    pub port_security: bool,
    /// Whether it is meant to work.
    pub admin_up: bool,
    /// Addresses that may be used there besides its own.
    pub allowed_pairs: Vec<AddressPair>,
    /// Whether EC2 says that traffic there is checked for the port's own address: shown, and no
    /// more.
    #[serde(default = "checked")]
    pub source_dest_check: bool,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

/// An address of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedIp {
    /// The subnet it is from.
    pub subnet_id: SubnetId,
    /// The address.
    pub address: Ipv4Addr,
}

/// What is plugged into a port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device {
    /// Nothing.
    #[default]
    Nothing,
    /// A server.
    Server(ServerId),
    /// A router, towards the network's servers.
    RouterInterface(RouterId),
    /// A router, towards the outside.
    RouterGateway(RouterId),
    /// Something that this cloud does not know.
    Other {
        /// What its owner calls it.
        id: String,
        /// What its owner says it is.
        owner: String,
    },
}

/// An address that is wanted for a port: of this subnet, this one, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WantedIp {
    /// The subnet it is from.
    pub subnet_id: Option<SubnetId>,
    /// The address.
    pub address: Option<Ipv4Addr>,
}

/// What is wanted of a new port.
#[derive(Debug, Clone)]
pub struct NewPort {
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// The network it is on.
    pub network_id: NetworkId,
    /// Its hardware address, made up when not given.
    pub mac: Option<String>,
    /// Its addresses; one from any subnet when not given.
    pub fixed_ips: Option<Vec<WantedIp>>,
    /// What is plugged in.
    pub device: Device,
    /// The security groups that guard it.
    pub security_groups: Vec<SecurityGroupId>,
}

impl WantedIp {
    /// This address, if any, of whatever subnet it is in.
    pub fn at(address: Option<Ipv4Addr>) -> Self {
        Self { subnet_id: None, address }
    }
}

impl NewPort {
    /// One without special wishes.
    pub fn on(network_id: NetworkId, project_id: ProjectId) -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            project_id,
            network_id,
            mac: None,
            fixed_ips: None,
            device: Device::Nothing,
            security_groups: Vec::new(),
        }
    }
}

impl Port {
    /// The address it is known by.
    pub fn address(&self) -> Option<Ipv4Addr> {
        self.fixed_ips.first().map(|fixed| fixed.address)
    }

    /// The server that is plugged in.
    pub fn server_id(&self) -> Option<ServerId> {
        match self.device {
            Device::Server(id) => Some(id),
            Device::Nothing
            | Device::RouterInterface(_)
            | Device::RouterGateway(_)
            | Device::Other { .. } => None,
        }
    }

    /// Whether it has an address of a subnet.
    pub fn is_on(&self, subnet: SubnetId) -> bool {
        self.fixed_ips.iter().any(|fixed| fixed.subnet_id == subnet)
    }
}

impl Device {
    /// Its id and its kind, as the API writes them.
    pub fn described(&self) -> (String, &str) {
        match self {
            Self::Nothing => (String::new(), ""),
            Self::Server(id) => (id.to_string(), "compute:nova"),
            Self::RouterInterface(id) => (id.to_string(), "network:router_interface"),
            Self::RouterGateway(id) => (id.to_string(), "network:router_gateway"),
            Self::Other { id, owner } => (id.clone(), owner),
        }
    }
}

impl Model {
    /// Whether the caller may see a port: their own, and all on a network of theirs.
    pub fn sees_port(&self, caller: &Caller, port: &Port) -> bool {
        let owner = self.networks.get(port.network_id).map(|network| network.project_id);
        caller.sees(port.project_id) || owner.is_some_and(|owner| caller.sees(owner))
    }

    /// A port that the caller may see.
    pub fn port(&self, caller: &Caller, id: &str) -> Result<&Port, Error> {
        let found = id.parse().ok().and_then(|id| self.ports.get(id));
        found
            .filter(|port| self.sees_port(caller, port))
            .ok_or_else(|| Error::not_found(Kind::Port, id))
    }

    /// The ports of a server, in the order in which they were plugged in.
    pub fn ports_of(&self, server: &Server) -> impl Iterator<Item = &Port> {
        server.ports.iter().filter_map(|port| self.ports.get(*port))
    }

    /// The port that a server is known by: its first with an address.
    pub fn primary_port(&self, server: &Server) -> Option<&Port> {
        self.ports_of(server).find(|port| port.address().is_some())
    }

    /// Makes a port with addresses of its own.
    pub fn create_port(&mut self, wanted: NewPort, now: OffsetDateTime) -> Result<PortId, Error> {
        let (project_id, network_id) = (wanted.project_id, wanted.network_id);
        self.check_ports(project_id, 1)?;
        let fixed_ips = self.choose_fixed_ips(network_id, wanted.fixed_ips.as_deref(), None)?;
        let id = PortId::random();
        let mac = match wanted.mac {
            Some(mac) => self.check_mac(network_id, &mac, None)?,
            None => self.free_mac(id),
        };
        let network = self.networks.get(network_id);
        let mut standard = StandardAttributes::new(&wanted.description, now);
        standard.revision = 1;
        self.ports.insert(Port {
            id,
            name: wanted.name,
            network_id,
            project_id,
            mac,
            fixed_ips,
            device: wanted.device,
            goes_with_server: false,
            security_groups: wanted.security_groups,
            port_security: network.is_none_or(|network| network.port_security),
            admin_up: true,
            allowed_pairs: Vec::new(),
            source_dest_check: true,
            tags: BTreeMap::new(),
            standard,
        });
        Ok(id)
    }

    /// Refuses more ports than the project's quota allows.
    pub(in crate::model) fn check_ports(
        &self,
        project: ProjectId,
        requested: u64,
    ) -> Result<(), Error> {
        let used = self.ports.index().projects.of(project);
        let limit = self.quotas(project).ports;
        quota::check(&[Demand { resource: "port", used, requested, limit }])
    }

    /// The addresses that a port of a network would get. Those of the port that is to be changed
    /// are free for it.
    pub fn choose_fixed_ips(
        &self,
        network: NetworkId,
        wanted: Option<&[WantedIp]>,
        except: Option<PortId>,
    ) -> Result<Vec<FixedIp>, Error> {
        self.check_pool(network)?;
        let subnets: Vec<&Subnet> = self.subnets_of(network).collect();
        let mut chosen: Vec<FixedIp> = Vec::new();
        let mut supply = self.supply(network, except);
        let any = WantedIp::default();
        let wanted = match wanted {
            Some(wanted) => wanted,
            None if subnets.is_empty() => return Ok(chosen),
            None => std::slice::from_ref(&any),
        };
        for wanted in wanted {
            let subnet = self.subnet_for(network, &subnets, wanted)?;
            let from: &[&Subnet] = match &subnet {
                Some(subnet) => std::slice::from_ref(subnet),
                None => &subnets,
            };
            let fixed = match (wanted.address, subnet) {
                (Some(address), Some(subnet)) if !supply.has(address) => {
                    return Err(Broken::conflict(
                        "IpAddressAlreadyAllocated",
                        format!("IP address {address} already allocated in subnet {}", subnet.id),
                    ));
                }
                (Some(address), Some(subnet)) => FixedIp { subnet_id: subnet.id, address },
                _ => from
                    .iter()
                    .find_map(|subnet| {
                        let address = supply.lowest(&subnet.pools)?;
                        Some(FixedIp { subnet_id: subnet.id, address })
                    })
                    .ok_or(Error::NoAddress(network))?,
            };
            supply.choose(fixed.address);
            chosen.push(fixed);
        }
        Ok(chosen)
    }

    /// The subnet that a wish for an address means; none when any will do.
    fn subnet_for<'a>(
        &self,
        network: NetworkId,
        subnets: &[&'a Subnet],
        wanted: &WantedIp,
    ) -> Result<Option<&'a Subnet>, Error> {
        if subnets.is_empty() {
            return Err(invalid("IP allocation requires subnets for network"));
        }
        match (wanted.subnet_id, wanted.address) {
            (Some(id), address) => {
                let subnet =
                    subnets.iter().find(|subnet| subnet.id == id).ok_or_else(|| {
                        match self.subnets.get(id) {
                            None => Error::not_found(Kind::Subnet, id),
                            Some(_) => invalid(&format!(
                                "Failed to create port on network {network}, because fixed_ips \
                             included invalid subnet {id}"
                            )),
                        }
                    })?;
                match address.filter(|address| !subnet.may_hold(*address)) {
                    None => Ok(Some(subnet)),
                    Some(address) => Err(Broken::invalid(
                        "InvalidIpForSubnet",
                        format!("IP address {address} is not a valid IP for the specified subnet."),
                    )),
                }
            }
            (None, Some(address)) => {
                let subnet = subnets.iter().find(|subnet| subnet.may_hold(address));
                let missing = || {
                    Broken::invalid(
                        "InvalidIpForNetwork",
                        format!(
                            "IP address {address} is not a valid IP for any of the subnets on \
                             the specified network."
                        ),
                    )
                };
                subnet.map(|subnet| Some(*subnet)).ok_or_else(missing)
            }
            (None, None) => Ok(None),
        }
    }

    /// The ports with an address, one in each network at most.
    pub fn ports_with(&self, address: Ipv4Addr) -> impl Iterator<Item = &Port> {
        self.ports.at(self.ports.index().addresses.holders(address))
    }

    /// Removes a port; floating IPs that led to it lead nowhere. Gives their addresses.
    pub fn delete_port(&mut self, id: PortId, now: OffsetDateTime) -> Vec<Ipv4Addr> {
        let server = self.ports.remove(id).and_then(|port| port.server_id());
        if let Some(mut server) = server.and_then(|server| self.servers.get_mut(server)) {
            server.ports.retain(|port| *port != id);
        }
        let leading: Vec<FloatingIpId> = self.floating_ips_of(id).map(|ip| ip.id).collect();
        leading
            .into_iter()
            .filter_map(|id| {
                let mut floating = self.floating_ips.get_mut(id)?;
                floating.lead_nowhere(now);
                let (address, goes_with_port) = (floating.address, floating.goes_with_port);
                drop(floating);
                if goes_with_port {
                    self.floating_ips.remove(id);
                }
                Some(address)
            })
            .collect()
    }

    /// Pulls a server out of ports: those that were made for it go too. Gives
    /// the floating addresses that lead nowhere from now on.
    pub(in crate::model) fn unplug(
        &mut self,
        ports: &[PortId],
        now: OffsetDateTime,
    ) -> Vec<Ipv4Addr> {
        let mut unrouted = Vec::new();
        for id in ports {
            if self.ports.get(*id).is_some_and(|port| port.goes_with_server) {
                unrouted.extend(self.delete_port(*id, now));
            } else if let Some(mut port) = self.ports.get_mut(*id) {
                port.device = Device::Nothing;
                port.standard.touch(now);
            }
        }
        unrouted
    }

    /// A hardware address as it is kept; refused when another port of the network has it.
    pub fn check_mac(
        &self,
        network: NetworkId,
        mac: &str,
        except: Option<PortId>,
    ) -> Result<String, Error> {
        let mac = normal_mac(mac).ok_or_else(|| {
            Error::Invalid(format!(
                "Invalid input for mac_address. Reason: '{mac}' is not a valid MAC address."
            ))
        })?;
        let same = self.ports.at(self.ports.index().macs.of(mac.clone()));
        let mut others = same.filter(|port| Some(port.id) != except);
        if others.any(|port| port.network_id == network) {
            return Err(Broken::conflict(
                "MacAddressInUse",
                format!(
                    "Unable to complete operation for network {network}. The mac address {mac} \
                     is in use."
                ),
            ));
        }
        Ok(mac)
    }

    /// A hardware address in OpenStack's own block that no port has.
    fn free_mac(&self, id: PortId) -> String {
        let mut seed = id.0;
        loop {
            let [a, b, c, ..] = seed.into_bytes();
            let mac = format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}");
            if !self.ports.index().macs.has(mac.clone()) {
                return mac;
            }
            seed = Uuid::new_v4();
        }
    }
}

/// What was recorded before this could be said is checked.
fn checked() -> bool {
    true
}

/// A hardware address in small letters and with colons, if it is one that a port can have.
pub(super) fn normal_mac(text: &str) -> Option<String> {
    let bytes: Vec<&str> = text.split([':', '-']).collect();
    let valid = bytes.len() == 6
        && text != "00:00:00:00:00:00"
        && bytes.iter().all(|b| b.len() == 2 && b.bytes().all(|c| c.is_ascii_hexdigit()));
    valid.then(|| bytes.join(":").to_lowercase())
}

fn invalid(message: &str) -> Error {
    Broken::invalid("InvalidInput", format!("Invalid input for operation: {message}."))
}

record!(Port, PortId, "port", PortIndex);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_are_written_in_one_way() {
        assert_eq!(normal_mac("FA-16-3E-00-00-01").as_deref(), Some("fa:16:3e:00:00:01"));
        for text in ["", "fa:16:3e", "fa:16:3e:00:00:0g", "00:00:00:00:00:00", "1:2:3:4:5:6"] {
            assert_eq!(normal_mac(text), None, "{text}");
        }
    }
}
