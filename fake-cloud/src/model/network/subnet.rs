//! Subnets: the addresses of a network.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{StandardAttributes, not_owner};
use crate::model::address::{Block, Pool};
use crate::model::error::{Broken, Error, Kind};
use crate::model::quota::{self, Demand};
use crate::model::table::{Changing, record};
use crate::model::{
    Caller, Device, Model, NetworkId, ProjectId, SubnetId, SubnetOptions, SubnetPoolId,
};

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
    /// The block its addresses are from.
    pub block: Block,
    /// What it gives out by itself.
    pub pools: Vec<Pool>,
    /// The address of the router that leads elsewhere.
    pub gateway: Option<Ipv4Addr>,
    /// Whether servers are told their addresses.
    pub dhcp: bool,
    /// Whom servers ask for names.
    pub nameservers: Vec<String>,
    /// The ways to elsewhere that servers are told of.
    pub host_routes: Vec<HostRoute>,
    /// The pool its block is from.
    pub subnet_pool_id: Option<SubnetPoolId>,
    /// What the settings gave it to give out, if they did; what users have made of it since is
    /// left alone.
    #[serde(default)]
    pub configured: Option<Pool>,
    /// What is set of it in EC2.
    #[serde(default)]
    pub options: SubnetOptions,
    /// Names and values that its owner gave it.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// What all things of networks have.
    pub standard: StandardAttributes,
}

/// A way to elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRoute {
    /// Where it leads.
    pub destination: Block,
    /// The router that knows on.
    pub nexthop: Ipv4Addr,
}

/// What is wanted of a new subnet.
#[derive(Debug, Clone)]
pub struct NewSubnet {
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// Whose it is.
    pub project_id: ProjectId,
    /// The network it belongs to.
    pub network_id: NetworkId,
    /// Its block; one from a pool when not given.
    pub block: Option<Block>,
    /// The pool its block is from, the default one when neither is given.
    pub subnet_pool_id: Option<SubnetPoolId>,
    /// The size of the block that is taken from a pool.
    pub prefix: Option<u8>,
    /// The gateway, the block's first address when not given.
    pub gateway: Option<Option<Ipv4Addr>>,
    /// What it gives out, everything but the gateway when not given.
    pub pools: Option<Vec<Pool>>,
    /// Whether servers are told their addresses.
    pub dhcp: bool,
    /// Whom servers ask for names.
    pub nameservers: Vec<String>,
    /// The ways to elsewhere that servers are told of.
    pub host_routes: Vec<HostRoute>,
}

/// What is to be different of a subnet.
#[derive(Debug, Clone, Default)]
pub struct SubnetChanges {
    /// The gateway.
    pub gateway: Option<Option<Ipv4Addr>>,
    /// What it gives out.
    pub pools: Option<Vec<Pool>>,
}

impl Subnet {
    /// Whether an address can be one of a port's.
    pub fn may_hold(&self, address: Ipv4Addr) -> bool {
        self.block.hosts().contains(address)
    }
}

impl Model {
    /// The subnets of a network, the oldest first.
    pub fn subnets_of(&self, network: NetworkId) -> impl Iterator<Item = &Subnet> {
        self.subnets.iter().filter(move |subnet| subnet.network_id == network)
    }

    /// A subnet of a network that the caller may see.
    pub fn subnet(&self, caller: &Caller, id: &str) -> Result<&Subnet, Error> {
        let found = id.parse().ok().and_then(|id| self.subnets.get(id));
        found
            .filter(|subnet| self.sees_subnet(caller, subnet))
            .ok_or_else(|| Error::not_found(Kind::Subnet, id))
    }

    /// How many addresses a subnet has left to give.
    pub fn free_addresses(&self, subnet: &Subnet) -> u64 {
        self.supply(subnet.network_id, None).count(&subnet.pools)
    }

    /// Whether the caller may see a subnet: their own, and those of networks they see.
    pub fn sees_subnet(&self, caller: &Caller, subnet: &Subnet) -> bool {
        let network = self.networks.get(subnet.network_id);
        caller.sees(subnet.project_id) || network.is_some_and(|network| network.visible_to(caller))
    }

    /// A subnet that the caller may change.
    pub fn subnet_to_change(
        &mut self,
        caller: &Caller,
        id: &str,
    ) -> Result<Changing<'_, Subnet>, Error> {
        let subnet = self.subnet(caller, id)?;
        if !caller.sees(subnet.project_id) {
            return Err(not_owner("subnet"));
        }
        let id = subnet.id;
        self.subnets.get_mut(id).ok_or_else(|| Error::not_found(Kind::Subnet, id))
    }

    /// Adds a block of addresses to a network.
    pub fn create_subnet(
        &mut self,
        caller: &Caller,
        wanted: NewSubnet,
        now: OffsetDateTime,
    ) -> Result<SubnetId, Error> {
        let network_id = wanted.network_id;
        let network = self.network(caller, &network_id.to_string())?;
        if !caller.sees(network.project_id) {
            return Err(Error::Forbidden(
                "(rule:create_subnet and rule:create_subnet:network_id) is disallowed by policy"
                    .to_owned(),
            ));
        }
        let project_id = wanted.project_id;
        let used = self.subnets.iter().filter(|subnet| subnet.project_id == project_id);
        let used = used.count() as u64;
        let limit = self.quotas(project_id).subnets;
        quota::check(&[Demand { resource: "subnet", used, requested: 1, limit }])?;
        let (block, subnet_pool_id) = match (wanted.block, wanted.subnet_pool_id) {
            (Some(block), None) => (block, None),
            (block, pool) => {
                let (block, pool) = self.take_block(caller, pool, block, wanted.prefix)?;
                (block, Some(pool))
            }
        };
        self.check_block(network_id, block, wanted.dhcp)?;
        let gateway = match wanted.gateway {
            Some(gateway) => check_gateway(block, gateway)?,
            None => Some(block.hosts().first),
        };
        let pools = match wanted.pools {
            Some(pools) => check_pools(block, gateway, pools)?,
            None => match gateway {
                Some(gateway) => block.hosts().without(gateway),
                None => vec![block.hosts()],
            },
        };
        let id = SubnetId::random();
        self.subnets.insert(Subnet {
            id,
            name: wanted.name,
            network_id,
            project_id,
            block,
            pools,
            gateway,
            dhcp: wanted.dhcp,
            nameservers: wanted.nameservers,
            host_routes: wanted.host_routes,
            subnet_pool_id,
            configured: None,
            options: SubnetOptions::default(),
            tags: BTreeMap::new(),
            standard: StandardAttributes::new(&wanted.description, now),
        });
        if let Some(mut network) = self.networks.get_mut(network_id) {
            network.standard.touch(now);
        }
        Ok(id)
    }

    /// Refuses a block that the network cannot have.
    fn check_block(&self, network: NetworkId, block: Block, dhcp: bool) -> Result<(), Error> {
        if block.prefix == 0 {
            return Err(invalid("0 is not allowed as CIDR prefix length"));
        }
        if dhcp && block.prefix > 30 {
            return Err(invalid(
                "Subnet has a prefix length that is incompatible with DHCP service enabled",
            ));
        }
        if dhcp && block.network.is_multicast() {
            return Err(invalid("Multicast IP subnet is not supported if enable_dhcp is True"));
        }
        if dhcp && self.carried.is_none() && block.network.is_loopback() {
            return Err(invalid("Loopback IP subnet is not supported if enable_dhcp is True"));
        }
        if self.subnets_of(network).any(|subnet| subnet.block.overlaps(block)) {
            return Err(invalid(&format!(
                "Requested subnet with cidr: {block} for network: {network} overlaps with \
                 another subnet"
            )));
        }
        match self.carried {
            None => Ok(()),
            Some(carried) => self.check_carried(carried, block),
        }
    }

    /// Where all addresses are this machine's own, there are only so many of them, and each is
    /// there once.
    fn check_carried(&self, carried: Block, block: Block) -> Result<(), Error> {
        if !carried.covers(block) || block.overlaps(Block::around(carried.network, 24)) {
            return Err(invalid(&format!(
                "Cidr {block} cannot answer on this machine: every address of this cloud is from \
                 {carried} (without its first 256). Leave the cidr out, or use the default \
                 subnet pool, to be given a part of it"
            )));
        }
        match self.subnets.iter().find(|subnet| subnet.block.overlaps(block)) {
            None => Ok(()),
            Some(other) => Err(invalid(&format!(
                "Cidr {block} overlaps with {} of network {}: on this machine, networks share \
                 one set of addresses",
                other.block, other.network_id
            ))),
        }
    }

    /// Whether a block could be taken from a pool now.
    pub(super) fn is_free_block(&self, pool: SubnetPoolId, block: Block) -> bool {
        let everywhere = self.carried.is_some();
        !self.subnets.iter().any(|subnet| {
            (everywhere || subnet.subnet_pool_id == Some(pool)) && subnet.block.overlaps(block)
        })
    }

    /// Changes what a subnet gives out and which way leads out of it.
    pub fn change_subnet(
        &mut self,
        caller: &Caller,
        id: &str,
        changes: SubnetChanges,
    ) -> Result<(), Error> {
        let subnet = self.subnet_to_change(caller, id)?.clone();
        let gateway = match changes.gateway {
            None => subnet.gateway,
            Some(gateway) => check_gateway(subnet.block, gateway)?,
        };
        let moved = subnet.gateway.filter(|before| gateway != Some(*before));
        if let Some(before) = moved {
            let router = |port: &&super::Port| {
                matches!(port.device, Device::RouterInterface(_))
                    && port.is_on(subnet.id)
                    && port.address() == Some(before)
            };
            if let Some(port) = self.ports_with(before).find(router) {
                return Err(Broken::conflict(
                    "GatewayIpInUse",
                    format!(
                        "Current gateway ip {before} already in use by port {}. Unable to update.",
                        port.id
                    ),
                ));
            }
        }
        let pools = changes.pools.unwrap_or(subnet.pools);
        let pools = check_pools(subnet.block, gateway, pools)?;
        if let Some(mut subnet) = self.subnets.get_mut(subnet.id) {
            subnet.gateway = gateway;
            subnet.pools = pools;
        }
        Ok(())
    }

    /// Removes a subnet that no port has an address of.
    pub fn delete_subnet(&mut self, caller: &Caller, id: &str) -> Result<(), Error> {
        let id = self.subnet_to_change(caller, id)?.id;
        let port = self.ports.at(self.ports.index().subnets.of(id)).next();
        let port = port.map(|port| port.id.to_string());
        let block = self.subnets.get(id).map(|subnet| subnet.block);
        let held = |address| block.is_some_and(|block| block.contains(address));
        let floating = || self.floating_ips.iter().find(|ip| held(ip.address));
        let used = port.or_else(|| {
            let network = self.subnets.get(id)?.network_id;
            floating().filter(|ip| ip.network_id == network).map(|ip| ip.id.to_string())
        });
        if let Some(used) = used {
            return Err(Broken::conflict(
                "SubnetInUse",
                format!(
                    "Unable to complete operation on subnet {id}: One or more ports have an IP \
                     allocation from this subnet. Port: {used}."
                ),
            ));
        }
        self.subnets.remove(id);
        Ok(())
    }
}

fn check_gateway(block: Block, gateway: Option<Ipv4Addr>) -> Result<Option<Ipv4Addr>, Error> {
    // A gateway outside the block is allowed, as Neutron has it; its ends are not.
    match gateway.filter(|it| block.contains(*it) && !block.hosts().contains(*it)) {
        None => Ok(gateway),
        Some(_) => Err(invalid("Gateway is not valid on subnet")),
    }
}

/// Pools must be real, inside, apart from each other and from the gateway.
fn check_pools(
    block: Block,
    gateway: Option<Ipv4Addr>,
    mut pools: Vec<Pool>,
) -> Result<Vec<Pool>, Error> {
    pools.sort_by_key(|pool| pool.first);
    for pool in &pools {
        if pool.first > pool.last {
            let message = format!("The allocation pool {pool} is not valid.");
            return Err(Broken::invalid("InvalidAllocationPool", message));
        }
        let hosts = block.hosts();
        if !hosts.contains(pool.first) || !hosts.contains(pool.last) {
            return Err(Broken::invalid(
                "OutOfBoundsAllocationPool",
                format!("The allocation pool {pool} spans beyond the subnet cidr {block}."),
            ));
        }
        if let Some(gateway) = gateway.filter(|gateway| pool.contains(*gateway)) {
            return Err(Broken::conflict(
                "GatewayConflictWithAllocationPools",
                format!("Gateway ip {gateway} conflicts with allocation pool {pool}."),
            ));
        }
    }
    match pools.iter().zip(pools.iter().skip(1)).find(|(one, next)| one.overlaps(next)) {
        None => Ok(pools),
        Some((one, next)) => Err(Broken::conflict(
            "OverlappingAllocationPools",
            format!("Found overlapping allocation pools: {one} {next} for subnet {block}."),
        )),
    }
}

fn invalid(message: &str) -> Error {
    Broken::invalid("InvalidInput", format!("Invalid input for operation: {message}."))
}

record!(Subnet, SubnetId, "subnet");

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(first: &str, last: &str) -> Pool {
        Pool { first: first.parse().unwrap(), last: last.parse().unwrap() }
    }

    #[test]
    fn pools_lie_inside_and_apart() {
        let block: Block = "10.0.0.0/24".parse().unwrap();
        let gateway = Some(Ipv4Addr::new(10, 0, 0, 1));
        let rule = |pools: &[Pool]| match check_pools(block, gateway, pools.to_vec()) {
            Ok(pools) => format!("{} pools", pools.len()),
            Err(Error::Broken(broken)) => broken.rule.to_owned(),
            Err(other) => panic!("{other}"),
        };
        let good = pool("10.0.0.10", "10.0.0.20");
        assert_eq!(rule(&[good, pool("10.0.0.2", "10.0.0.9")]), "2 pools");
        assert_eq!(rule(&[pool("10.0.0.9", "10.0.0.2")]), "InvalidAllocationPool");
        assert_eq!(rule(&[pool("10.0.0.9", "10.0.1.2")]), "OutOfBoundsAllocationPool");
        assert_eq!(rule(&[pool("10.0.0.9", "10.0.0.255")]), "OutOfBoundsAllocationPool");
        assert_eq!(rule(&[pool("10.0.0.1", "10.0.0.2")]), "GatewayConflictWithAllocationPools");
        assert_eq!(rule(&[good, pool("10.0.0.20", "10.0.0.30")]), "OverlappingAllocationPools");
    }

    #[test]
    fn a_gateway_is_no_end_of_the_block() {
        let block: Block = "10.0.0.0/24".parse().unwrap();
        let check = |text: &str| check_gateway(block, Some(text.parse().unwrap())).is_ok();
        assert!(check("10.0.0.254") && check("192.168.0.1"));
        assert!(!check("10.0.0.0") && !check("10.0.0.255"));
    }
}
