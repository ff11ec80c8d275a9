//! What the router lets pass and translates, as text for `nft`. Each text replaces one table as a
//! whole, in one step.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::net::Ipv4Addr;

use super::{HOST_SIDE, METADATA, Plan, port_name};
use crate::model::SecurityGroupId;
use crate::model::firewall::{Allow, Firewall, Group, Remote, Traffic};

/// Which ports may send what, and what may reach them.
pub(super) fn guard(plan: &Plan, firewall: &Firewall) -> String {
    render(|text| {
        write_anti_spoofing(text, firewall)?;
        write_guard(text, plan, firewall)
    })
}

/// A server speaks with its own addresses or not at all.
fn write_anti_spoofing(text: &mut String, firewall: &Firewall) -> fmt::Result {
    let own = firewall
        .ports
        .iter()
        .map(|(address, port)| format!("\"{}\" . {} . {address}", port_name(*address), port.mac));
    replace(text, "bridge anti_spoofing", |text| {
        writeln!(text, "set own {{ typeof meta iifname . ether saddr . ip saddr")?;
        write_elements(text, own)?;
        writeln!(
            text,
            "}}
chain from_servers {{
type filter hook prerouting priority -300; policy drop;
iifname . arp saddr ether . arp saddr ip @own accept
ether type ip iifname . ether saddr . ip saddr @own accept
}}"
        )
    })
}

fn write_guard(text: &mut String, plan: &Plan, firewall: &Firewall) -> fmt::Result {
    let Plan { bridge, public, .. } = plan;
    replace(text, "ip guard", |text| {
        if plan.enforce {
            for (id, group) in &firewall.groups {
                write_group(text, *id, group, firewall)?;
            }
            write_ports(text, firewall)?;
        }
        // What leaves a chain by `accept` goes on to the chain with the next higher priority.
        let known = "ct state vmap { established : accept, related : accept, invalid : drop }";
        let (from_port, to_port) = match plan.enforce {
            true => ("ip saddr vmap @from_port", "ip daddr vmap @to_port"),
            false => ("accept", "accept"),
        };
        let outside = match plan.outside {
            true => String::new(),
            false => format!("oifname {HOST_SIDE} ip daddr != {public} drop\n"),
        };
        writeln!(
            text,
            "chain egress {{
type filter hook forward priority 0; policy drop;
{known}
{outside}iifname != {bridge} accept
{from_port}
}}
chain ingress {{
type filter hook forward priority 1; policy drop;
{known}
oifname != {bridge} accept
{to_port}
}}
chain router {{
type filter hook input priority 0; policy drop;
{known}
icmp type echo-request accept
iifname {bridge} ip daddr {METADATA} tcp dport 80 accept
}}"
        )
    })
}

/// For each direction a map from addresses to chains. Ports that are guarded by the same groups
/// share a chain.
fn write_ports(text: &mut String, firewall: &Firewall) -> fmt::Result {
    let mut combinations = BTreeMap::new();
    for port in firewall.ports.values() {
        let number = combinations.len();
        combinations.entry(port.groups.as_deref()).or_insert(number);
    }
    for (direction, map) in [("in", "to_port"), ("out", "from_port")] {
        for (groups, number) in &combinations {
            writeln!(text, "chain {direction}_ports_{number} {{")?;
            match groups {
                None => writeln!(text, "accept")?,
                Some(groups) => {
                    for group in *groups {
                        writeln!(text, "jump {direction}_{}", name(*group))?;
                    }
                }
            }
            writeln!(text, "}}")?;
        }
        writeln!(text, "map {map} {{ type ipv4_addr : verdict")?;
        let elements = firewall.ports.iter().map(|(address, port)| {
            let number = combinations[&port.groups.as_deref()];
            format!("{address} : jump {direction}_ports_{number}")
        });
        write_elements(text, elements)?;
        writeln!(text, "}}")?;
    }
    Ok(())
}

fn write_group(
    text: &mut String,
    id: SecurityGroupId,
    group: &Group,
    firewall: &Firewall,
) -> fmt::Result {
    let name = name(id);
    writeln!(text, "set members_{name} {{ type ipv4_addr")?;
    write_elements(text, group.members.iter())?;
    writeln!(text, "}}")?;
    for (direction, address, rules) in
        [("in", "ip saddr", &group.ingress), ("out", "ip daddr", &group.egress)]
    {
        writeln!(text, "chain {direction}_{name} {{")?;
        for Allow { traffic, remote } in rules {
            let remote = match remote {
                Remote::Anyone => String::new(),
                Remote::Block(network, prefix) => format!("{address} {network}/{prefix} "),
                // Who comes by a floating IP is nobody's member. A group without members has no
                // set, and lets nobody pass.
                Remote::Group(group) if firewall.groups.contains_key(group) => {
                    format!("ct status & dnat == 0 {address} @members_{} ", self::name(*group))
                }
                Remote::Group(_) => continue,
            };
            writeln!(text, "{}{remote}accept", Condition(traffic))?;
        }
        writeln!(text, "}}")?;
    }
    Ok(())
}

/// Where floating addresses lead, and as whom servers are seen outside.
pub(super) fn floating(plan: &Plan, associations: &BTreeMap<Ipv4Addr, Ipv4Addr>) -> String {
    let Plan { fixed, router, .. } = plan;
    render(|text| {
        replace(text, "ip floating", |text| {
            let mark = |(address, floating): (&Ipv4Addr, &Ipv4Addr)| {
                format!("{address} : {}", mark(*floating))
            };
            let pair = |(from, to): (&Ipv4Addr, &Ipv4Addr)| format!("{from} : {to}");
            let to_fixed = associations;
            let to_floating: BTreeMap<_, _> =
                associations.iter().map(|(floating, fixed)| (*fixed, *floating)).collect();
            writeln!(text, "map to_fixed {{ type ipv4_addr : ipv4_addr")?;
            write_elements(text, to_fixed.iter().map(pair))?;
            writeln!(text, "}}\nmap to_floating {{ type ipv4_addr : ipv4_addr")?;
            write_elements(text, to_floating.iter().map(pair))?;
            writeln!(text, "}}\nmap marks_to {{ type ipv4_addr : mark")?;
            write_elements(text, to_fixed.keys().map(|floating| mark((floating, floating))))?;
            writeln!(text, "}}\nmap marks_from {{ type ipv4_addr : mark")?;
            write_elements(text, to_floating.iter().map(mark))?;
            writeln!(
                text,
                "}}
chain to_servers {{
type nat hook prerouting priority -100;
ct mark set ip daddr map @marks_to
dnat to ip daddr map @to_fixed
}}
chain from_servers {{
type nat hook postrouting priority 100;
ip saddr != {fixed} return
oifname != {HOST_SIDE} ct status & dnat == 0 return
ct mark 0 ct mark set ip saddr map @marks_from
snat to ip saddr map @to_floating
snat to {router}
}}"
            )
        })
    })
}

/// Names the floating address that a connection takes its way through.
pub(super) fn mark(floating: Ipv4Addr) -> u32 {
    floating.to_bits()
}

/// On the host: what leaves for elsewhere bears the host's own address there.
pub(super) fn masquerade(table: &str, plan: &Plan) -> String {
    let Plan { public, .. } = plan;
    render(|text| {
        replace(text, &format!("ip {table}"), |text| {
            writeln!(
                text,
                "chain to_elsewhere {{
type nat hook postrouting priority 100;
ip saddr {public} ip daddr != {public} masquerade
}}"
            )
        })
    })
}

/// Takes a table away, whether it is there or not.
pub(super) fn remove(table: &str) -> String {
    format!("table ip {table}\ndelete table ip {table}\n")
}

fn replace(
    text: &mut String,
    table: &str,
    content: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    writeln!(text, "table {table}\ndelete table {table}\ntable {table} {{")?;
    content(text)?;
    writeln!(text, "}}")
}

fn render(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    write(&mut text).expect("writing to a string does not fail");
    text
}

/// Nothing at all for an empty list, which `nft` does not accept.
fn write_elements(
    text: &mut String,
    elements: impl Iterator<Item = impl fmt::Display>,
) -> fmt::Result {
    let mut separator = "; elements = { ";
    let mut any = false;
    for element in elements {
        write!(text, "{separator}{element}")?;
        (separator, any) = (", ", true);
    }
    writeln!(text, "{}", if any { " }" } else { "" })
}

fn name(group: SecurityGroupId) -> String {
    group.0.simple().to_string()
}

/// The condition of a rule on the kind of traffic, with a space after it if there is any.
struct Condition<'a>(&'a Traffic);

impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Traffic::Any => Ok(()),
            Traffic::Protocol(number) => write!(f, "meta l4proto {number} "),
            Traffic::Ports(number, ports) => {
                // All protocols that have ports have them at the same place.
                write!(f, "meta l4proto {number} th dport {}-{} ", ports.start(), ports.end())
            }
            Traffic::Icmp(kind, code) => {
                write!(f, "icmp type {kind} ")?;
                code.map_or(Ok(()), |code| write!(f, "icmp code {code} "))
            }
        }
    }
}

#[cfg(test)]
mod tests;
