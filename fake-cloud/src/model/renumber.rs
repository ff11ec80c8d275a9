//! Addresses move with their cloud: one that starts at another block of addresses, as a fork of
//! another does, takes all that were given there.

use std::net::Ipv4Addr;

use time::OffsetDateTime;

use super::Model;
use super::address::{Block, Pool};
use super::network::HostRoute;
use crate::settings::Settings;

/// How many leading bits all addresses of one cloud share.
const PREFIX: u8 = 16;

/// Where addresses of one block are in another: at the same place.
#[derive(Debug, Clone, Copy)]
struct Move {
    from: Block,
    to: Block,
}

impl Model {
    /// Moves everything that lies in the block of the private network before to the one of the
    /// settings. What lies elsewhere stays.
    pub(super) fn renumber(&mut self, settings: &Settings, now: OffsetDateTime) {
        let private = self.networks.iter().find(|it| it.built_in && !it.external);
        let subnet = private.and_then(|network| self.subnets_of(network.id).next());
        let Some(before) = subnet.map(|subnet| subnet.block.network) else { return };
        let from = Block::around(before, PREFIX);
        let to = Block::around(settings.fixed_range.network, PREFIX);
        if from != to {
            self.move_all(Move { from, to }, now);
        }
    }

    fn move_all(&mut self, to: Move, now: OffsetDateTime) {
        for id in self.subnets.iter().map(|subnet| subnet.id).collect::<Vec<_>>() {
            let Some(mut subnet) = self.subnets.get_mut(id) else { continue };
            subnet.block = to.block(subnet.block);
            subnet.pools = subnet.pools.iter().map(|pool| to.pool(*pool)).collect();
            subnet.gateway = subnet.gateway.map(|address| to.address(address));
            subnet.host_routes = to.routes(&subnet.host_routes);
        }
        for id in self.subnet_pools.iter().map(|pool| pool.id).collect::<Vec<_>>() {
            let Some(mut pool) = self.subnet_pools.get_mut(id) else { continue };
            pool.prefixes = pool.prefixes.iter().map(|block| to.block(*block)).collect();
        }
        for id in self.networks.iter().map(|network| network.id).collect::<Vec<_>>() {
            let Some(mut network) = self.networks.get_mut(id) else { continue };
            let Some(vpc) = network.vpc.as_mut() else { continue };
            vpc.block = to.block(vpc.block);
        }
        for id in self.route_tables.iter().map(|table| table.id).collect::<Vec<_>>() {
            let Some(mut table) = self.route_tables.get_mut(id) else { continue };
            for route in &mut table.routes {
                route.destination = to.block(route.destination);
            }
        }
        for id in self.routers.iter().map(|router| router.id).collect::<Vec<_>>() {
            let Some(mut router) = self.routers.get_mut(id) else { continue };
            router.routes = to.routes(&router.routes);
        }
        for id in self.ports.iter().map(|port| port.id).collect::<Vec<_>>() {
            let Some(mut port) = self.ports.get_mut(id) else { continue };
            for fixed in &mut port.fixed_ips {
                fixed.address = to.address(fixed.address);
            }
            port.standard.touch(now);
        }
        for id in self.floating_ips.iter().map(|ip| ip.id).collect::<Vec<_>>() {
            let Some(mut floating) = self.floating_ips.get_mut(id) else { continue };
            floating.address = to.address(floating.address);
            floating.fixed_address = floating.fixed_address.map(|address| to.address(address));
            floating.standard.touch(now);
        }
    }
}

impl Move {
    fn address(self, address: Ipv4Addr) -> Ipv4Addr {
        if self.from.contains(address) { self.to.at(address) } else { address }
    }

    fn block(self, block: Block) -> Block {
        if !self.from.covers(block) {
            return block;
        }
        Block { network: self.address(block.network), prefix: block.prefix }
    }

    fn pool(self, pool: Pool) -> Pool {
        Pool { first: self.address(pool.first), last: self.address(pool.last) }
    }

    fn routes(self, routes: &[HostRoute]) -> Vec<HostRoute> {
        let moved = |route: &HostRoute| HostRoute {
            destination: self.block(route.destination),
            nexthop: self.address(route.nexthop),
        };
        routes.iter().map(moved).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_block_keeps_its_place_and_the_rest_stays() {
        let block =
            |text: &str| text.parse::<crate::model::address::AddressRange>().unwrap().block();
        let to = Move { from: block("127.5.0.0/16"), to: block("127.9.0.0/16") };
        let moved = |text: &str| to.address(text.parse().unwrap()).to_string();
        assert_eq!(moved("127.5.16.2"), "127.9.16.2");
        assert_eq!(moved("127.6.16.2"), "127.6.16.2");
        assert_eq!(to.block(block("127.5.16.0/20")), block("127.9.16.0/20"));
        assert_eq!(to.block(block("10.0.0.0/8")), block("10.0.0.0/8"));
    }
}
