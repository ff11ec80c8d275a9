//! Routers: what leads from networks of servers to each other and to external ones.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{HostRoute, StandardAttributes};
use crate::model::error::{Broken, Error, Kind};
use crate::model::quota::{self, Demand};
use crate::model::table::record;
use crate::model::{
    Caller, Device, FixedIp, Model, NetworkId, NewPort, Port, PortId, ProjectId, RouterId,
    SubnetId, WantedIp,
};

/// What leads from networks of servers to each other and to an external one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Router {
    /// Its id.
    pub id: RouterId,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Whether it is meant to work.
    pub admin_up: bool,
    /// Its way to the outside.
    pub gateway: Option<Gateway>,
    /// Its ways to elsewhere.
    pub routes: Vec<HostRoute>,
    /// Where it was asked to be.
    pub zone_hints: Vec<String>,
    /// Whether the settings ask for it.
    pub built_in: bool,
    /// Whether it was made as an internet gateway of EC2.
    #[serde(default)]
    pub internet_gateway: bool,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

/// A router's way to the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gateway {
    /// The external network.
    pub network_id: NetworkId,
    /// The port there.
    pub port_id: PortId,
    /// Whether servers without a floating IP get out, under the router's own address.
    pub snat: bool,
}

/// What is wanted of a router's way to the outside.
#[derive(Debug, Clone)]
pub struct GatewayWanted {
    /// The external network.
    pub network_id: NetworkId,
    /// The router's addresses there, one of any subnet when not given.
    pub fixed_ips: Option<Vec<WantedIp>>,
    /// Whether servers without a floating IP get out.
    pub snat: bool,
}

/// What is wanted of a new router.
#[derive(Debug, Clone)]
pub struct NewRouter {
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// Its way to the outside.
    pub gateway: Option<GatewayWanted>,
}

/// What a router is plugged into, or pulled out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceWanted {
    /// A subnet, at its gateway's address.
    Subnet(SubnetId),
    /// A port.
    Port(PortId),
}

impl Model {
    /// A router that the caller may see, and change.
    pub fn router(&self, caller: &Caller, id: &str) -> Result<&Router, Error> {
        let found = id.parse().ok().and_then(|id| self.routers.get(id));
        found
            .filter(|router| caller.sees(router.project_id))
            .ok_or_else(|| Error::not_found(Kind::Router, id))
    }

    /// The ports by which a router reaches servers.
    pub fn interfaces_of(&self, router: RouterId) -> impl Iterator<Item = &Port> {
        self.ports.at(self.ports.index().routers.of(router))
    }

    /// The router that leads from an external network to a subnet.
    pub fn router_between(&self, external: NetworkId, subnet: SubnetId) -> Option<RouterId> {
        let leads_out =
            |router: &&Router| router.gateway.is_some_and(|gateway| gateway.network_id == external);
        let mut outward = self.routers.iter().filter(leads_out).map(|router| router.id);
        outward.find(|router| self.interfaces_of(*router).any(|it| it.is_on(subnet)))
    }

    /// Makes a router.
    pub fn create_router(
        &mut self,
        caller: &Caller,
        wanted: NewRouter,
        now: OffsetDateTime,
    ) -> Result<RouterId, Error> {
        let project_id = wanted.project_id;
        let used = self.routers.iter().filter(|router| router.project_id == project_id);
        let used = used.count() as u64;
        let limit = self.quotas(project_id).routers;
        quota::check(&[Demand { resource: "router", used, requested: 1, limit }])?;
        let id = RouterId::random();
        let gateway = match wanted.gateway {
            Some(gateway) => Some(self.make_gateway(caller, id, gateway, now)?),
            None => None,
        };
        let mut standard = StandardAttributes::new(&wanted.description, now);
        standard.revision = 1;
        self.routers.insert(Router {
            id,
            name: wanted.name,
            project_id,
            admin_up: true,
            gateway,
            routes: Vec::new(),
            zone_hints: Vec::new(),
            built_in: false,
            internet_gateway: false,
            tags: BTreeMap::new(),
            standard,
        });
        Ok(id)
    }

    /// Gives a router another way to the outside, or none.
    pub fn set_gateway(
        &mut self,
        caller: &Caller,
        id: RouterId,
        wanted: Option<GatewayWanted>,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let before = self.routers.get(id).and_then(|router| router.gateway);
        let same = |wanted: &GatewayWanted, before: &Gateway| {
            wanted.network_id == before.network_id && wanted.fixed_ips.is_none()
        };
        let gateway = match (wanted, before) {
            (Some(wanted), Some(before)) if same(&wanted, &before) => {
                Some(Gateway { snat: wanted.snat, ..before })
            }
            (wanted, before) => {
                let stays = wanted.as_ref().map(|wanted| wanted.network_id);
                let left = before.filter(|before| stays != Some(before.network_id));
                if let Some(left) = left {
                    self.check_unused(id, left.network_id)?;
                }
                let gateway = match wanted {
                    Some(wanted) => Some(self.make_gateway(caller, id, wanted, now)?),
                    None => None,
                };
                if let Some(before) = before {
                    self.ports.remove(before.port_id);
                }
                gateway
            }
        };
        if let Some(mut router) = self.routers.get_mut(id) {
            router.gateway = gateway;
        }
        Ok(())
    }

    /// Refuses to cut floating IPs off their network.
    fn check_unused(&self, router: RouterId, external: NetworkId) -> Result<(), Error> {
        let mut led = self.floating_ips.iter();
        if !led.any(|ip| ip.router_id == Some(router) && ip.network_id == external) {
            return Ok(());
        }
        Err(Broken::conflict(
            "RouterExternalGatewayInUseByFloatingIp",
            format!(
                "Gateway cannot be updated for router {router}, since a gateway to external \
                 network {external} is required by one or more floating IPs."
            ),
        ))
    }

    fn make_gateway(
        &mut self,
        caller: &Caller,
        router: RouterId,
        wanted: GatewayWanted,
        now: OffsetDateTime,
    ) -> Result<Gateway, Error> {
        let network = self.network(caller, &wanted.network_id.to_string())?;
        let (network_id, owner) = (network.id, network.project_id);
        if !network.external {
            let message = format!("Network {network_id} is not an external network");
            return Err(bad_request(&message));
        }
        let port = NewPort {
            fixed_ips: wanted.fixed_ips,
            device: Device::RouterGateway(router),
            ..NewPort::on(network_id, owner)
        };
        let port_id = self.create_port(port, now)?;
        Ok(Gateway { network_id, port_id, snat: wanted.snat })
    }

    /// Plugs a router into a subnet or a port.
    pub fn add_interface(
        &mut self,
        caller: &Caller,
        id: &str,
        wanted: InterfaceWanted,
        now: OffsetDateTime,
    ) -> Result<PortId, Error> {
        let router = self.router(caller, id)?;
        let (router, project) = (router.id, router.project_id);
        let port_id = match wanted {
            InterfaceWanted::Subnet(subnet) => {
                let subnet = self.subnet(caller, &subnet.to_string())?;
                let address = subnet.gateway.ok_or_else(|| {
                    bad_request("Subnet for router interface must have a gateway IP")
                })?;
                let (subnet_id, network_id) = (subnet.id, subnet.network_id);
                self.check_apart(router, subnet_id)?;
                let wanted = WantedIp { subnet_id: Some(subnet_id), address: Some(address) };
                let port = NewPort {
                    fixed_ips: Some(vec![wanted]),
                    device: Device::RouterInterface(router),
                    ..NewPort::on(network_id, project)
                };
                self.create_port(port, now)?
            }
            InterfaceWanted::Port(port) => {
                let port = self.port(caller, &port.to_string())?;
                if port.device != Device::Nothing {
                    return Err(Broken::conflict(
                        "PortInUse",
                        format!(
                            "Unable to complete operation on port {} for network {}. Port already \
                             has an attached device {}.",
                            port.id,
                            port.network_id,
                            port.device.described().0
                        ),
                    ));
                }
                let (port_id, fixed) = (port.id, port.fixed_ips.clone());
                match fixed.as_slice() {
                    [] => return Err(bad_request("Router port must have at least one fixed IP")),
                    [one] => self.check_apart(router, one.subnet_id)?,
                    _ => {
                        let message = "Cannot have multiple IPv4 subnets on router port";
                        return Err(bad_request(message));
                    }
                }
                if let Some(mut port) = self.ports.get_mut(port_id) {
                    port.device = Device::RouterInterface(router);
                    port.standard.touch(now);
                }
                port_id
            }
        };
        self.touch_router(router, now);
        Ok(port_id)
    }

    /// A router has a subnet once, and no two that it could not tell apart.
    fn check_apart(&self, router: RouterId, subnet: SubnetId) -> Result<(), Error> {
        let Some(wanted) = self.subnets.get(subnet) else { return Ok(()) };
        let others = self.interfaces_of(router).flat_map(|port| &port.fixed_ips);
        for other in others.filter_map(|fixed| self.subnets.get(fixed.subnet_id)) {
            if other.id == subnet {
                let message = format!("Router already has a port on subnet {subnet}");
                return Err(bad_request(&message));
            }
            if other.block.overlaps(wanted.block) {
                return Err(bad_request(&format!(
                    "Cidr {} of subnet {subnet} overlaps with cidr {} of subnet {}",
                    wanted.block, other.block, other.id
                )));
            }
        }
        Ok(())
    }

    /// Pulls a router out of a subnet or a port. Gives the port, which is gone.
    pub fn remove_interface(
        &mut self,
        caller: &Caller,
        id: &str,
        wanted: InterfaceWanted,
        now: OffsetDateTime,
    ) -> Result<Port, Error> {
        let router = self.router(caller, id)?.id;
        let mut interfaces = self.interfaces_of(router);
        let (port, missing) = match wanted {
            InterfaceWanted::Subnet(subnet) => (
                interfaces.find(|port| port.is_on(subnet)),
                Broken::missing(
                    "RouterInterfaceNotFoundForSubnet",
                    format!("Router {router} has no interface on subnet {subnet}"),
                ),
            ),
            InterfaceWanted::Port(port) => (
                interfaces.find(|known| known.id == port),
                Broken::missing(
                    "RouterInterfaceNotFound",
                    format!("Router {router} does not have an interface with id {port}"),
                ),
            ),
        };
        let port = port.ok_or(missing)?.clone();
        drop(interfaces);
        if let Some(fixed) = self.needed_by_floating(router, &port) {
            return Err(Broken::conflict(
                "RouterInterfaceInUseByFloatingIP",
                format!(
                    "Router interface for subnet {} on router {router} cannot be deleted, as it \
                     is required by one or more floating IPs.",
                    fixed.subnet_id
                ),
            ));
        }
        self.ports.remove(port.id);
        self.touch_router(router, now);
        Ok(port)
    }

    /// The address of an interface by which a floating IP is led.
    fn needed_by_floating<'a>(&self, router: RouterId, port: &'a Port) -> Option<&'a FixedIp> {
        let mut led = self.floating_ips.iter().filter(|ip| ip.router_id == Some(router));
        led.find_map(|ip| {
            let target = self.ports.get(ip.port_id?)?;
            port.fixed_ips.iter().find(|fixed| target.is_on(fixed.subnet_id))
        })
    }

    /// Removes a router that is plugged into nothing.
    pub fn delete_router(&mut self, caller: &Caller, id: &str) -> Result<(), Error> {
        let router = self.router(caller, id)?;
        let (id, gateway) = (router.id, router.gateway);
        if self.interfaces_of(id).next().is_some() {
            let message = format!("Router {id} still has ports");
            return Err(Broken::conflict("RouterInUse", message));
        }
        if let Some(gateway) = gateway {
            self.ports.remove(gateway.port_id);
        }
        self.routers.remove(id);
        Ok(())
    }

    /// The addresses of a router outside.
    pub fn gateway_addresses(&self, gateway: &Gateway) -> Vec<(SubnetId, Ipv4Addr)> {
        let port = self.ports.get(gateway.port_id);
        let fixed = port.map(|port| port.fixed_ips.as_slice()).unwrap_or_default();
        fixed.iter().map(|fixed| (fixed.subnet_id, fixed.address)).collect()
    }

    fn touch_router(&mut self, router: RouterId, now: OffsetDateTime) {
        if let Some(mut router) = self.routers.get_mut(router) {
            router.standard.touch(now);
        }
    }
}

fn bad_request(message: &str) -> Error {
    Broken::invalid("BadRequest", format!("Bad router request: {message}."))
}

record!(Router, RouterId, "router");
