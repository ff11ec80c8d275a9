//! The addresses that floating IPs are taken from, many at once.

use std::net::Ipv4Addr;

use time::OffsetDateTime;

use super::{Network, NewSubnet, Subnet};
use crate::model::address::{AddressRange, Pool};
use crate::model::error::{Error, Kind};
use crate::model::{Caller, FloatingIp, Model, NetworkId, SubnetId};

impl Model {
    /// The external network with a name, or the one that is taken when none is named.
    pub fn floating_pool(&self, name: Option<&str>) -> Result<&Network, Error> {
        let mut pools = self.networks.iter().filter(|network| network.external);
        let named = |network: &&Network| name.is_none_or(|name| name == network.name);
        pools.find(named).ok_or_else(|| Error::not_found(Kind::Network, name.unwrap_or_default()))
    }

    /// All addresses that floating IPs are taken from, with those that are taken.
    pub fn floating_addresses(
        &self,
    ) -> impl Iterator<Item = (Ipv4Addr, &Network, Option<&FloatingIp>)> {
        self.external_subnets().flat_map(move |(network, subnet)| {
            let addresses = subnet.pools.iter().flat_map(|pool| {
                (pool.first.to_bits()..=pool.last.to_bits()).map(Ipv4Addr::from_bits)
            });
            addresses.map(move |address| {
                let taken = self.floating_ips_with(address).next();
                (address, network, taken)
            })
        })
    }

    fn external_subnets(&self) -> impl Iterator<Item = (&Network, &Subnet)> {
        let external = self.networks.iter().filter(|network| network.external);
        external.flat_map(|network| self.subnets_of(network.id).map(move |it| (network, it)))
    }

    /// Gives an external network more addresses to give.
    pub fn add_floating_addresses(
        &mut self,
        caller: &Caller,
        network: NetworkId,
        range: Pool,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let pools = self.external_subnets().flat_map(|(_, subnet)| &subnet.pools);
        if let Some(known) = pools.copied().find(|pool| pool.overlaps(&range)) {
            let address = known.first.max(range.first);
            return Err(Error::Conflict(format!("Floating IP {address} already exists.")));
        }
        let holds = |it: &&Subnet| it.may_hold(range.first) && it.may_hold(range.last);
        let held = self.subnets_of(network).find(holds).map(|subnet| subnet.id);
        if let Some(mut subnet) = held.and_then(|id| self.subnets.get_mut(id)) {
            let pools = match subnet.gateway {
                Some(gateway) => range.without(gateway),
                None => vec![range],
            };
            subnet.pools.extend(pools);
            subnet.standard.touch(now);
            return Ok(());
        }
        let missing = || Error::not_found(Kind::Network, network);
        let project_id = self.networks.get(network).ok_or_else(missing)?.project_id;
        // One address more on each side: a block gives neither its first nor its last.
        let (below, above) = (range.first.to_bits() - 1, range.last.to_bits() + 1);
        let around = AddressRange::between(Ipv4Addr::from_bits(below), Ipv4Addr::from_bits(above));
        let wanted = NewSubnet {
            name: format!("{}-{}", range.first, range.last),
            description: String::new(),
            project_id,
            network_id: network,
            block: around.map(|around| around.block()),
            subnet_pool_id: None,
            prefix: None,
            gateway: Some(None),
            pools: Some(vec![range]),
            dhcp: false,
            nameservers: Vec::new(),
            host_routes: Vec::new(),
        };
        self.create_subnet(caller, wanted, now).map(drop)
    }

    /// Takes addresses from those that there are to give; refused when somebody has one of them.
    pub fn remove_floating_addresses(
        &mut self,
        range: Pool,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        let used = self.floating_ips.iter().map(|ip| ip.address);
        if let Some(address) = used.filter(|address| range.contains(*address)).min() {
            return Err(Error::Conflict(format!("Floating IP {address} is in use.")));
        }
        let subnets: Vec<SubnetId> = self.external_subnets().map(|(_, it)| it.id).collect();
        for id in subnets {
            let Some(subnet) = self.subnets.get(id) else { continue };
            let left: Vec<Pool> = subnet.pools.iter().flat_map(|pool| pool.minus(range)).collect();
            if left != subnet.pools
                && let Some(mut subnet) = self.subnets.get_mut(id)
            {
                subnet.pools = left;
                subnet.standard.touch(now);
            }
        }
        Ok(())
    }
}
