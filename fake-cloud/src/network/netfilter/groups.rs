//! Security groups as chains: `in_<group>` and `out_<group>` accept what the rules of a group let
//! pass, and come back otherwise.

use std::fmt;

use super::table::Table;
use crate::model::SecurityGroupId;
use crate::model::firewall::{Allow, Firewall, Remote, Traffic};

/// What belongs to a connection that passed once is not asked again.
pub(crate) const KNOWN: &str =
    "ct state vmap { established : accept, related : accept, invalid : drop }";

/// How a group is called in the names of its chains.
pub(crate) fn name(group: SecurityGroupId) -> String {
    group.0.simple().to_string()
}

/// Adds the chains of groups, and the sets of addresses that they refer to.
pub(crate) fn add(
    table: &mut Table,
    groups: impl Iterator<Item = SecurityGroupId>,
    firewall: &Firewall,
) {
    for id in groups {
        let group = firewall.groups.get(&id);
        let (ingress, egress) =
            group.map_or_else(Default::default, |it| (it.ingress.as_slice(), it.egress.as_slice()));
        for (direction, address, rules) in
            [("in", "ip saddr", ingress), ("out", "ip daddr", egress)]
        {
            let mut chain = vec![];
            for Allow { traffic, remote } in rules {
                let remote = match remote {
                    Remote::Anyone => String::new(),
                    Remote::Block(network, prefix) => format!("{address} {network}/{prefix} "),
                    Remote::Group(remote) => {
                        // One without members lets nobody pass.
                        let Some(group) = firewall.groups.get(remote) else { continue };
                        let set = format!("members_{}", name(*remote));
                        table.set(&set, "type ipv4_addr", &group.members);
                        // Who comes by a floating IP is nobody's member.
                        format!("ct status & dnat == 0 {address} @{set} ")
                    }
                };
                chain.push(format!("{}{remote}accept", Condition(traffic)));
            }
            table.chain(format!("{direction}_{}", name(id)), chain);
        }
    }
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
