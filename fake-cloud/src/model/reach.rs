//! Which subnets reach which others, and the outside, by routers: worked out for the network that
//! keeps the rest apart.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::address::Block;
use super::{HostRoute, Model, Router};

/// Where packets find a way, whatever security groups make of them there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Subnets whose servers reach each other: the same, or joined by a router.
    pub between: BTreeSet<(Block, Block)>,
    /// Subnets from which a router leads outside.
    pub outward: BTreeSet<Block>,
    /// Those of them whose servers are seen outside with their own addresses: their routers
    /// translate none.
    pub untranslated: BTreeSet<Block>,
    /// The addresses that routers have on subnets.
    pub routers: BTreeSet<Ipv4Addr>,
    /// Ways out of subnets that servers know, not routers.
    pub detours: BTreeSet<Detour>,
}

/// A way out of a subnet by a server there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Detour {
    /// The subnet.
    pub from: Block,
    /// Where it leads; no address of this cloud's.
    pub to: Block,
    /// The address of who knows on.
    pub by: Ipv4Addr,
}

impl Model {
    /// Which subnets reach which others now.
    pub(super) fn reach(&self) -> Reach {
        let own = self.subnets.iter().map(|subnet| (subnet.block, subnet.block));
        let mut reach = Reach { between: own.collect(), ..Reach::default() };
        let mut translated = BTreeSet::new();
        for router in self.routers.iter().filter(|router| router.admin_up) {
            let legs = self.legs(router);
            reach.routers.extend(legs.iter().map(|(address, _)| *address));
            for (_, from) in &legs {
                reach.between.extend(legs.iter().map(|(_, to)| (*from, *to)));
            }
            if let Some(gateway) = router.gateway {
                let blocks = legs.iter().map(|(_, block)| *block);
                if gateway.snat {
                    translated.extend(blocks.clone());
                }
                reach.outward.extend(blocks);
            }
        }
        reach.untranslated = reach.outward.difference(&translated).copied().collect();
        reach.detours = self.detours(&reach.routers).collect();
        reach
    }

    /// Ways of subnets that lead by none of these routers.
    fn detours(&self, routers: &BTreeSet<Ipv4Addr>) -> impl Iterator<Item = Detour> {
        let ways = self.subnets.iter().flat_map(|subnet| {
            let way =
                |it: &HostRoute| Detour { from: subnet.block, to: it.destination, by: it.nexthop };
            subnet.host_routes.iter().map(way).filter(|way| Some(way.by) != subnet.gateway)
        });
        ways.filter(|way| way.from.contains(way.by) && !routers.contains(&way.by))
            .filter(|way| self.carried.is_some_and(|own| !own.overlaps(way.to)))
    }

    /// A router's addresses towards servers, and their subnets.
    fn legs(&self, router: &Router) -> Vec<(Ipv4Addr, Block)> {
        let fixed = self.interfaces_of(router.id).flat_map(|port| &port.fixed_ips);
        let leg = fixed.filter_map(|it| Some((it.address, self.subnets.get(it.subnet_id)?.block)));
        leg.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{NOW, model};
    use crate::model::{InterfaceWanted, NewNetwork, NewRouter, NewSubnet};

    #[test]
    fn what_a_router_joins_reaches_each_other_and_what_has_a_way_out_gets_out() {
        let (mut model, caller) = model();
        let project_id = caller.project_id.unwrap();
        let built_in = model.subnets.iter().find(|it| it.configured.is_some()).unwrap().block;
        assert_eq!(model.reach().outward, BTreeSet::from([built_in]));

        let mut blocks = vec![];
        let mut subnets = vec![];
        for (third, name) in [(0, "front"), (1, "back")] {
            let wanted = NewNetwork {
                name: name.to_owned(),
                description: String::new(),
                project_id,
                external: false,
                shared: false,
                mtu: None,
            };
            let network_id = model.create_network(wanted, NOW).unwrap();
            let block = Block::around(Ipv4Addr::new(10, 9, third, 0), 24);
            let wanted = NewSubnet {
                name: String::new(),
                description: String::new(),
                project_id,
                network_id,
                block: Some(block),
                subnet_pool_id: None,
                prefix: None,
                gateway: None,
                pools: None,
                dhcp: true,
                nameservers: vec![],
                host_routes: vec![],
            };
            subnets.push(model.create_subnet(&caller, wanted, NOW).unwrap());
            blocks.push(block);
        }
        let (front, back) = (blocks[0], blocks[1]);
        let apart = model.reach();
        assert!(apart.between.contains(&(front, front)));
        assert!(!apart.between.contains(&(front, back)));
        assert!(!apart.outward.contains(&front), "no router leads out");

        let wanted = NewRouter {
            name: "between".to_owned(),
            description: String::new(),
            project_id,
            gateway: None,
        };
        let router = model.create_router(&caller, wanted, NOW).unwrap();
        for subnet in subnets {
            model
                .add_interface(&caller, &router.to_string(), InterfaceWanted::Subnet(subnet), NOW)
                .unwrap();
        }
        let joined = model.reach();
        assert!(joined.between.contains(&(front, back)) && joined.between.contains(&(back, front)));
        assert!(!joined.between.contains(&(front, built_in)));
        assert!(joined.routers.contains(&front.hosts().first));
        assert!(!joined.outward.contains(&front), "it has no gateway");

        model.routers.get_mut(router).unwrap().admin_up = false;
        assert_eq!(model.reach(), apart);
    }
}
