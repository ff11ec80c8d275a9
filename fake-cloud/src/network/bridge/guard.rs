//! What may pass the router.

use std::collections::BTreeSet;
use std::io;
use std::net::Ipv4Addr;

use super::netlink::{ANYWHERE, Netlink, Way};
use super::{Plan, rules};
use crate::model::firewall::Firewall;
use crate::model::reach::Detour;
use crate::network::namespace::Namespace;
use crate::network::netfilter::Tables;
use crate::network::netfilter::table::Table;

/// The rules that say what may pass, the addresses that the router has on subnets, and the ways that
/// servers know.
#[derive(Debug, Default)]
pub(super) struct Guard {
    tables: Tables,
    routers: BTreeSet<Ipv4Addr>,
    detours: BTreeSet<Detour>,
}

/// The tables that let pass what a firewall lets pass.
pub(super) fn tables(plan: &Plan, firewall: &Firewall) -> [Table; 2] {
    [rules::anti_spoofing(firewall), rules::guard(plan, firewall)]
}

impl Guard {
    /// Lets pass what the firewall lets pass and nothing else.
    pub(super) async fn follow(
        &mut self,
        firewall: &Firewall,
        plan: &Plan,
        router: &Namespace,
    ) -> io::Result<()> {
        self.tables.replace(router, tables(plan, firewall).to_vec()).await?;
        let mut routers = firewall.reach.routers.clone();
        // Always there.
        routers.remove(&plan.gateway);
        if routers != self.routers {
            let (before, after) = (self.routers.clone(), routers.clone());
            let bridge = plan.bridge.clone();
            router.run(move || move_routers(&bridge, &before, &after)).await?;
            self.routers = routers;
        }
        let detours = &firewall.reach.detours;
        if *detours != self.detours {
            let (before, after) = (self.detours.clone(), detours.clone());
            let bridge = plan.bridge.clone();
            router.run(move || move_detours(&bridge, &before, &after)).await?;
            self.detours = detours.clone();
        }
        Ok(())
    }
}

/// In the router: gives the bridge other addresses.
fn move_routers(
    bridge: &str,
    before: &BTreeSet<Ipv4Addr>,
    after: &BTreeSet<Ipv4Addr>,
) -> io::Result<()> {
    let netlink = Netlink::open()?;
    for gone in before.difference(after) {
        netlink.remove_address(bridge, *gone)?;
    }
    for new in after.difference(before) {
        netlink.add_address(bridge, *new, 32)?;
    }
    Ok(())
}

/// In the router, which all packets between servers pass: leads to other servers than before.
fn move_detours(
    bridge: &str,
    before: &BTreeSet<Detour>,
    after: &BTreeSet<Detour>,
) -> io::Result<()> {
    // A table for each server that knows a way. A table stays: without rules nobody looks at it.
    let table = |detour: &Detour| detour.by.to_bits();
    let netlink = Netlink::open()?;
    for gone in before.difference(after) {
        netlink.remove_rule(gone.from, gone.to, table(gone))?;
    }
    for new in after.difference(before) {
        let way = Way { interface: Some(bridge), table: table(new), ..Way::by(ANYWHERE, new.by) };
        match netlink.add_route(way) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result?,
        }
        netlink.add_rule(new.from, new.to, table(new))?;
    }
    Ok(())
}
