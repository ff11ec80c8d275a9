//! The addresses of networks that are in use: by whom, and which is free next.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use uuid::Uuid;

use super::{FloatingIp, Port};
use crate::model::address::Pool;
use crate::model::index::{Index, Places, Step, Totals};
use crate::model::runs::Runs;
use crate::model::{
    Device, Model, NetworkId, PortId, ProjectId, RouterId, SecurityGroupId, SubnetId,
};

/// Which addresses of each network records have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Held {
    holders: Places<(Ipv4Addr, NetworkId)>,
    runs: HashMap<NetworkId, Runs>,
}

impl Held {
    fn take(&mut self, step: Step, place: u64, network: NetworkId, address: Ipv4Addr) {
        let key = (address, network);
        self.holders.take(step, place, key);
        let runs = self.runs.entry(network).or_default();
        match step {
            Step::In => runs.insert(address),
            Step::Out if self.holders.has(key) => {}
            Step::Out => runs.remove(address),
        }
        if runs.is_empty() {
            self.runs.remove(&network);
        }
    }

    /// The places of the records that have an address, in whichever network.
    pub fn holders(&self, address: Ipv4Addr) -> impl Iterator<Item = u64> {
        let (first, last) = (NetworkId(Uuid::nil()), NetworkId(Uuid::max()));
        self.holders.between((address, first), (address, last))
    }
}

/// What is known of all ports together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PortIndex {
    /// How many each project has.
    pub projects: Totals<ProjectId>,
    /// Their addresses.
    pub addresses: Held,
    /// Them by hardware address.
    pub macs: Places<String>,
    /// Them by subnet.
    pub subnets: Places<SubnetId>,
    /// Them by the security groups that guard them.
    pub groups: Places<SecurityGroupId>,
    /// Those that are interfaces of routers, by router.
    pub routers: Places<RouterId>,
}

impl Index<Port> for PortIndex {
    fn take(&mut self, step: Step, place: u64, port: &Port) {
        self.projects.take(step, port.project_id, 1);
        for fixed in &port.fixed_ips {
            self.addresses.take(step, place, port.network_id, fixed.address);
            self.subnets.take(step, place, fixed.subnet_id);
        }
        self.macs.take(step, place, port.mac.clone());
        for group in &port.security_groups {
            self.groups.take(step, place, *group);
        }
        if let Device::RouterInterface(router) = port.device {
            self.routers.take(step, place, router);
        }
    }
}

/// What is known of all floating IPs together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FloatingIpIndex {
    /// How many each project has, without those that go with a port.
    pub projects: Totals<ProjectId>,
    /// Their addresses.
    pub addresses: Held,
    /// Them by the ports they lead to.
    pub ports: Places<PortId>,
}

impl Index<FloatingIp> for FloatingIpIndex {
    fn take(&mut self, step: Step, place: u64, floating: &FloatingIp) {
        if !floating.goes_with_port {
            self.projects.take(step, floating.project_id, 1);
        }
        self.addresses.take(step, place, floating.network_id, floating.address);
        if let Some(port) = floating.port_id {
            self.ports.take(step, place, port);
        }
    }
}

/// The addresses of a network as one sees them who wants more of them.
#[derive(Debug)]
pub(super) struct Supply<'a> {
    used: Vec<&'a Runs>,
    /// Those that are in use, but by the one who wants more.
    own: Vec<Ipv4Addr>,
    /// Those that are free, but for the ones wanted already.
    chosen: Vec<Ipv4Addr>,
}

impl Model {
    /// The addresses of a network; those of one port are free.
    pub(super) fn supply(&self, network: NetworkId, except: Option<PortId>) -> Supply<'_> {
        let port = except.and_then(|port| self.ports.get(port));
        let own = port.into_iter().flat_map(|port| &port.fixed_ips);
        let of_ports = self.ports.index().addresses.runs.get(&network);
        let of_floating_ips = self.floating_ips.index().addresses.runs.get(&network);
        Supply {
            used: of_ports.into_iter().chain(of_floating_ips).collect(),
            own: own.map(|fixed| fixed.address).collect(),
            chosen: Vec::new(),
        }
    }
}

impl Supply<'_> {
    /// Whether an address is there to be had.
    pub(super) fn has(&self, address: Ipv4Addr) -> bool {
        let used = self.used.iter().any(|runs| runs.contains(address));
        !self.chosen.contains(&address) && (!used || self.own.contains(&address))
    }

    /// Takes an address.
    pub(super) fn choose(&mut self, address: Ipv4Addr) {
        self.chosen.push(address);
    }

    /// The lowest address of the pools that is there to be had.
    pub(super) fn lowest(&self, pools: &[Pool]) -> Option<Ipv4Addr> {
        pools.iter().find_map(|pool| self.lowest_of(*pool))
    }

    fn lowest_of(&self, pool: Pool) -> Option<Ipv4Addr> {
        let own = self.own.iter().filter(|it| pool.contains(**it) && self.has(**it)).min();
        let mut free = pool.first;
        while !self.has(free) {
            let gap = self.used.iter().try_fold(free, |from, runs| runs.gap(from))?;
            // One that is chosen already is in no run.
            free =
                if gap == free { Ipv4Addr::from_bits(free.to_bits().checked_add(1)?) } else { gap };
        }
        let free = Some(free).filter(|free| pool.contains(*free));
        free.into_iter().chain(own.copied()).min()
    }

    /// How many addresses of the pools are there to be had.
    pub(super) fn count(&self, pools: &[Pool]) -> u64 {
        let free = |pool: &Pool| {
            let used: u64 = self.used.iter().map(|runs| runs.count(*pool)).sum();
            u64::from(pool.size()).saturating_sub(used)
        };
        pools.iter().map(free).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(255, 255, 255, last)
    }

    fn some() -> impl Strategy<Value = BTreeSet<u8>> {
        prop::collection::btree_set(any::<u8>(), 0..=255)
    }

    proptest! {
        #[test]
        fn what_is_given_is_the_lowest_that_is_free(
            used in prop::array::uniform2(some()),
            own in prop::collection::btree_set(any::<u8>(), 0..4),
            chosen in prop::collection::btree_set(any::<u8>(), 0..4),
            (first, last) in any::<(u8, u8)>().prop_map(|(a, b)| (a.min(b), a.max(b))),
        ) {
            let mut runs = [Runs::default(), Runs::default()];
            for (runs, used) in runs.iter_mut().zip(&used) {
                used.iter().for_each(|byte| runs.insert(address(*byte)));
            }
            let all = |bytes: &BTreeSet<u8>| bytes.iter().copied().map(address).collect();
            let supply =
                Supply { used: runs.iter().collect(), own: all(&own), chosen: all(&chosen) };
            let free = |byte: &u8| {
                let used = used.iter().any(|used| used.contains(byte));
                !chosen.contains(byte) && (!used || own.contains(byte))
            };
            let pool = Pool { first: address(first), last: address(last) };
            prop_assert_eq!(supply.lowest(&[pool]), (first..=last).find(free).map(address));
            prop_assert!((0..=255).all(|byte| supply.has(address(byte)) == free(&byte)));
        }
    }

    #[test]
    fn a_full_pool_has_nothing_to_give_and_the_next_one_helps_out() {
        let pool = |first, last| Pool { first: address(first), last: address(last) };
        let mut runs = Runs::default();
        (10..=20).for_each(|byte| runs.insert(address(byte)));
        let supply = Supply { used: vec![&runs], own: Vec::new(), chosen: vec![address(30)] };
        assert_eq!(supply.lowest(&[pool(10, 20)]), None);
        assert_eq!(supply.lowest(&[pool(10, 20), pool(30, 39)]), Some(address(31)));
        assert_eq!(supply.count(&[pool(5, 20), pool(30, 39)]), 15);
    }
}
