//! Which subnets reach which others, and the outside, by routers: worked out for the network that
//! keeps the rest apart.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::address::Block;
use super::{Model, Router};

/// Where packets find a way, whatever security groups make of them there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Subnets whose servers reach each other: the same, or joined by a router.
    pub between: BTreeSet<(Block, Block)>,
    /// Subnets from which a router leads outside.
    pub outward: BTreeSet<Block>,
    /// The addresses that routers have on subnets.
    pub routers: BTreeSet<Ipv4Addr>,
}

impl Model {
    /// Which subnets reach which others now.
    pub(super) fn reach(&self) -> Reach {
        let own = self.subnets.iter().map(|subnet| (subnet.block, subnet.block));
        let mut reach = Reach { between: own.collect(), ..Reach::default() };
        for router in self.routers.iter().filter(|router| router.admin_up) {
            let legs = self.legs(router);
            reach.routers.extend(legs.iter().map(|(address, _)| *address));
            for (_, from) in &legs {
                reach.between.extend(legs.iter().map(|(_, to)| (*from, *to)));
            }
            if router.gateway.is_some() {
                reach.outward.extend(legs.iter().map(|(_, block)| *block));
            }
        }
        reach
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
