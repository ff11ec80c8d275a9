//! What the router lets pass and translates, as tables for `nft`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use sha2::{Digest as _, Sha256};

use super::{HOST_SIDE, METADATA, Plan, port_name};
use crate::model::SecurityGroupId;
use crate::model::firewall::{Besides, Firewall};
use crate::network::netfilter::groups::{self, KNOWN};
use crate::network::netfilter::table::Table;

/// A server speaks with its own addresses or not at all.
pub(super) fn anti_spoofing(firewall: &Firewall) -> Table {
    let own = firewall
        .ports
        .iter()
        .map(|(address, port)| format!("\"{}\" . {} . {address}", port_name(port.first), port.mac));
    let mut table = Table::new("bridge anti_spoofing");
    table.set("own", "typeof meta iifname . ether saddr . ip saddr", own);
    let mut rules = vec![
        "iifname . arp saddr ether . arp saddr ip @own accept".to_owned(),
        "ether type ip iifname . ether saddr . ip saddr @own accept".to_owned(),
    ];
    for Besides { first, mac, addresses, .. } in &firewall.besides {
        let port = format!("iifname \"{}\"", port_name(*first));
        rules.push(format!("{port} arp saddr ether {mac} arp saddr ip {addresses} accept"));
        rules.push(format!("{port} ether saddr {mac} ip saddr {addresses} accept"));
    }
    let hook = "type filter hook prerouting priority -300; policy drop";
    table.base_chain("from_servers", hook, rules);
    table
}

/// Which ports may send what, and what may reach them.
pub(super) fn guard(plan: &Plan, firewall: &Firewall) -> Table {
    let Plan { bridge, fixed, public, .. } = plan;
    let mut table = Table::new("ip guard");
    if plan.enforce {
        groups::add(&mut table, firewall.groups.keys().copied(), firewall);
        add_ports(&mut table, firewall);
    }
    let reach = &firewall.reach;
    let pairs = reach.between.iter().map(|(from, to)| format!("{from} . {to}"));
    table.set("reachable", "type ipv4_addr . ipv4_addr; flags interval", pairs);
    table.set("outward", "type ipv4_addr; flags interval", &reach.outward);
    table.set("untranslated", "type ipv4_addr; flags interval", &reach.untranslated);
    let (from_port, to_port) = match plan.enforce {
        true => (
            ["ip saddr vmap @from_port", "jump out_besides"].as_slice(),
            ["ip daddr vmap @to_port", "jump in_besides"].as_slice(),
        ),
        false => (["accept"].as_slice(), ["accept"].as_slice()),
    };
    let texts = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>();
    let mut egress = vec![
        format!("ip saddr @untranslated meta mark set {UNTRANSLATED}"),
        // No router leads there. By a floating IP one comes to others from outside. Addresses that
        // are not of this cloud are behind a server that leads there.
        format!(
            "iifname {bridge} oifname {bridge} ct status & dnat == 0 ip saddr {fixed} \
             ip daddr {fixed} ip saddr . ip daddr != @reachable drop"
        ),
        format!(
            "iifname {bridge} oifname {bridge} ct status & dnat != 0 ct direction original \
             ip saddr != @outward drop"
        ),
        format!(
            "iifname {bridge} oifname {HOST_SIDE} ct direction original ip saddr != @outward drop"
        ),
        KNOWN.to_owned(),
    ];
    if !plan.outside {
        egress.push(format!("oifname {HOST_SIDE} ip daddr != {public} drop"));
    }
    egress.push(format!("iifname != {bridge} accept"));
    egress.extend(texts(from_port));
    let mut ingress = vec![KNOWN.to_owned(), format!("oifname != {bridge} accept")];
    ingress.extend(texts(to_port));
    let router = [
        KNOWN.to_owned(),
        "icmp type echo-request accept".to_owned(),
        format!("iifname {bridge} ip daddr {METADATA} tcp dport 80 accept"),
    ];
    // What leaves a chain by `accept` goes on to the chain with the next higher priority.
    table.base_chain("egress", "type filter hook forward priority 0; policy drop", egress);
    table.base_chain("ingress", "type filter hook forward priority 1; policy drop", ingress);
    let hook = "type filter hook input priority 0; policy drop";
    table.base_chain("router", hook, router.to_vec());
    table
}

/// For each direction a map from addresses to chains.
fn add_ports(table: &mut Table, firewall: &Firewall) {
    for (direction, map) in [("in", "to_port"), ("out", "from_port")] {
        let mut elements = vec![];
        for (address, port) in &firewall.ports {
            // What is refused there is not to pass as somebody else's.
            let chain = chain_of(table, direction, port.groups.as_deref());
            elements.push((address, format!("goto {chain}")));
        }
        table.map(map, "type ipv4_addr : verdict", elements);
        add_besides(table, direction, firewall);
    }
}

/// Leads addresses that are no port's own to the chain of all the groups of those that may use them.
fn add_besides(table: &mut Table, direction: &str, firewall: &Firewall) {
    // The smallest blocks first: they say more.
    let mut shared: BTreeMap<_, Option<BTreeSet<_>>> = BTreeMap::new();
    for Besides { addresses, groups, .. } in &firewall.besides {
        let place = (Reverse(addresses.prefix), *addresses);
        let all = shared.entry(place).or_insert_with(|| Some(BTreeSet::new()));
        match (all.as_mut(), groups) {
            (Some(all), Some(groups)) => all.extend(groups.iter().copied()),
            _ => *all = None,
        }
    }
    let address = if direction == "in" { "ip daddr" } else { "ip saddr" };
    let mut rules = vec![];
    for ((_, addresses), groups) in shared {
        let groups: Option<Vec<_>> = groups.map(|groups| groups.into_iter().collect());
        let chain = chain_of(table, direction, groups.as_deref());
        rules.push(format!("{address} {addresses} goto {chain}"));
    }
    table.chain(format!("{direction}_besides"), rules);
}

/// The chain of what these groups guard; ports that are guarded by the same groups share one.
fn chain_of(table: &mut Table, direction: &str, groups: Option<&[SecurityGroupId]>) -> String {
    let (chain, rules) = match groups {
        None => (format!("{direction}_ports_unguarded"), vec!["accept".to_owned()]),
        Some(groups) => {
            let jumps = groups.iter().map(|id| format!("jump {direction}_{}", groups::name(*id)));
            (format!("{direction}_ports_{}", digest(groups)), jumps.collect())
        }
    };
    table.chain(chain.clone(), rules);
    chain
}

/// The mark of a packet that keeps its sender's address.
const UNTRANSLATED: u32 = 1;

/// Names a combination of groups.
fn digest(groups: &[SecurityGroupId]) -> String {
    let mut digest = Sha256::new();
    for group in groups {
        digest.update(group.0.as_bytes());
    }
    format!("{:x}", digest.finalize())[..32].to_owned()
}

/// Where floating addresses lead, and as whom servers are seen outside.
pub(super) fn floating(plan: &Plan, associations: &BTreeMap<Ipv4Addr, Ipv4Addr>) -> Table {
    let Plan { fixed, router, .. } = plan;
    let to_floating: BTreeMap<_, _> =
        associations.iter().map(|(floating, fixed)| (*fixed, *floating)).collect();
    let mut table = Table::new("ip floating");
    table.map("to_fixed", "type ipv4_addr : ipv4_addr", associations);
    table.map("to_floating", "type ipv4_addr : ipv4_addr", &to_floating);
    let marks = associations.keys().map(|floating| (floating, mark_text(*floating)));
    table.map("marks_to", "type ipv4_addr : mark", marks);
    let marks = to_floating.iter().map(|(fixed, floating)| (fixed, mark_text(*floating)));
    table.map("marks_from", "type ipv4_addr : mark", marks);
    let to_servers =
        ["ct mark set ip daddr map @marks_to", "dnat to ip daddr map @to_fixed"].map(str::to_owned);
    let hook = "type nat hook prerouting priority -100";
    table.base_chain("to_servers", hook, to_servers.to_vec());
    let from_servers = [
        format!("ip saddr != {fixed} return"),
        format!("oifname != {HOST_SIDE} ct status & dnat == 0 return"),
        "ct mark 0 ct mark set ip saddr map @marks_from".to_owned(),
        "snat to ip saddr map @to_floating".to_owned(),
        format!("meta mark {UNTRANSLATED} return"),
        format!("snat to {router}"),
    ];
    let hook = "type nat hook postrouting priority 100";
    table.base_chain("from_servers", hook, from_servers.to_vec());
    table
}

/// Names the floating address that a connection takes its way through.
pub(super) fn mark(floating: Ipv4Addr) -> u32 {
    floating.to_bits()
}

/// As `nft` lists it.
fn mark_text(floating: Ipv4Addr) -> String {
    format!("{:#010x}", mark(floating))
}

/// On the host: what leaves for elsewhere bears the host's own address there.
pub(super) fn masquerade(name: &str, plan: &Plan) -> String {
    let Plan { public, .. } = plan;
    let mut table = Table::new(&format!("ip {name}"));
    let rule = format!("ip saddr {public} ip daddr != {public} masquerade");
    table.base_chain("to_elsewhere", "type nat hook postrouting priority 100", vec![rule]);
    table.anew()
}

/// Takes a table away, whether it is there or not.
pub(super) fn remove(table: &str) -> String {
    format!("table ip {table}\ndelete table ip {table}\n")
}

#[cfg(test)]
mod tests;
