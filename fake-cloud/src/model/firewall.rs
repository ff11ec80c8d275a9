//! What the security groups let pass, worked out for the network that enforces it.
//!
//! The rules are those of the real clouds: nothing passes that no rule lets pass, in either
//! direction; what belongs to a connection that passed once is not asked again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::address::Block;
use super::reach::Reach;
use super::security::{Direction, EtherType, Filter};
use super::{Device, Model, Port, SecurityGroupId};

/// Number of the transport protocol TCP.
pub const TCP: u8 = 6;
/// Number of the transport protocol UDP.
pub const UDP: u8 = 17;
const ICMP: u8 = 1;

/// What may pass to and from every port of the cloud.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firewall {
    /// The security groups that have members or guard a port.
    pub groups: BTreeMap<SecurityGroupId, Group>,
    /// The ports, by their fixed addresses.
    pub ports: BTreeMap<Ipv4Addr, GuardedPort>,
    /// What ports may use besides.
    pub besides: Vec<Besides>,
    /// Between which of them there is a way at all, where networks are kept apart.
    pub reach: Reach,
}

/// A security group as the network sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The fixed addresses of the ports it guards.
    pub members: BTreeSet<Ipv4Addr>,
    /// What may come in.
    pub ingress: Vec<Allow>,
    /// What may go out.
    pub egress: Vec<Allow>,
}

/// A port as the network sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardedPort {
    /// Its first address.
    pub first: Ipv4Addr,
    /// Its hardware address.
    pub mac: String,
    /// The groups that guard it; everything passes where port security is switched off.
    pub groups: Option<Vec<SecurityGroupId>>,
}

/// Addresses that a port may use besides its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Besides {
    /// The first of the port's own.
    pub first: Ipv4Addr,
    /// The hardware address that it uses with them.
    pub mac: String,
    /// The addresses.
    pub addresses: Block,
    /// The groups that guard them; everything passes where port security is switched off.
    pub groups: Option<Vec<SecurityGroupId>>,
}

/// Traffic that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// Which traffic.
    pub traffic: Traffic,
    /// From or to where.
    pub remote: Remote,
}

/// A kind of traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traffic {
    /// All of it.
    Any,
    /// Everything of a transport protocol, by its number.
    Protocol(u8),
    /// To some ports of a protocol that has ports.
    Ports(u8, RangeInclusive<u16>),
    /// ICMP of a type, and of a code if one is given.
    Icmp(u8, Option<u8>),
}

/// The other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote {
    /// Whoever it is.
    Anyone,
    /// Whoever has an address that begins with as many bits of this one.
    Block(Ipv4Addr, u8),
    /// A member of a group, by its fixed address.
    Group(SecurityGroupId),
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// It has this address.
    Direct(Ipv4Addr),
    /// It has this address, but takes the way through a floating IP, where it is nobody's member:
    /// in a real cloud its own address is translated on that way too.
    Translated(Ipv4Addr),
}

impl Model {
    /// What may pass to and from every port.
    pub fn firewall(&self) -> Firewall {
        let besides = self.ports.iter().flat_map(besides).collect();
        let mut firewall = Firewall { reach: self.reach(), besides, ..Firewall::default() };
        for Besides { addresses, groups, .. } in &firewall.besides {
            for group in groups.iter().flatten().filter(|_| addresses.prefix == 32) {
                firewall.groups.entry(*group).or_default().members.insert(addresses.network);
            }
        }
        for port in self.ports.iter() {
            if matches!(port.device, Device::RouterInterface(_) | Device::RouterGateway(_)) {
                continue;
            }
            let Some(first) = port.address() else { continue };
            let only_this = Block { network: first, prefix: 32 };
            if port.device == Device::Nothing
                && firewall.besides.iter().any(|it| it.addresses == only_this)
            {
                // It keeps an address for the ports that share it, and guards nothing.
                continue;
            }
            let guarded = GuardedPort {
                first,
                mac: port.mac.clone(),
                groups: port.port_security.then(|| port.security_groups.clone()),
            };
            for address in port.fixed_ips.iter().map(|fixed| fixed.address) {
                for group in guarded.groups.iter().flatten() {
                    firewall.groups.entry(*group).or_default().members.insert(address);
                }
                firewall.ports.insert(address, guarded.clone());
            }
        }
        for rule in self.security_group_rules.iter() {
            let Some(group) = firewall.groups.get_mut(&rule.group_id) else { continue };
            let Some(allow) = allow(&rule.filter) else { continue };
            match rule.filter.direction {
                Direction::Ingress => group.ingress.push(allow),
                Direction::Egress => group.egress.push(allow),
            }
        }
        firewall
    }
}

/// What a port may use besides its own addresses: anything where nobody looks.
fn besides(port: &Port) -> Vec<Besides> {
    let Some(first) = port.address() else { return vec![] };
    let of = |mac, addresses, groups| Besides { first, mac, addresses, groups };
    if !port.port_security {
        let all = Block { network: Ipv4Addr::UNSPECIFIED, prefix: 0 };
        return vec![of(port.mac.clone(), all, None)];
    }
    let pairs = port.allowed_pairs.iter().filter_map(|pair| {
        let mac = pair.hardware_address(port)?;
        Some(of(mac, pair.block()?, Some(port.security_groups.clone())))
    });
    pairs.collect()
}

/// What a rule lets pass of IPv4, the only internet protocol of our networks.
fn allow(filter: &Filter) -> Option<Allow> {
    if filter.ethertype == EtherType::IPv6 {
        return None;
    }
    let protocol = match filter.protocol.as_deref() {
        None | Some("any" | "0") => None,
        Some(name) => Some(protocol_number(name)?),
    };
    let traffic = match (protocol, filter.port_range_min, filter.port_range_max) {
        (None, _, _) => Traffic::Any,
        (Some(ICMP), Some(kind), code) => {
            let code = code.map(u8::try_from).transpose().ok()?;
            Traffic::Icmp(u8::try_from(kind).ok()?, code)
        }
        (Some(protocol), None, None) => Traffic::Protocol(protocol),
        (Some(protocol), min, max) => {
            Traffic::Ports(protocol, min.unwrap_or(0)..=max.unwrap_or(u16::MAX))
        }
    };
    let remote = match (&filter.remote_ip_prefix, filter.remote_group_id) {
        (Some(block), _) => parse_block(block)?,
        (None, Some(group)) => Remote::Group(group),
        (None, None) => Remote::Anyone,
    };
    Some(Allow { traffic, remote })
}

/// The number of a transport protocol that Neutron knows by name, or that is given as a number.
fn protocol_number(name: &str) -> Option<u8> {
    Some(match name {
        "icmp" => ICMP,
        "igmp" => 2,
        "ipip" => 4,
        "tcp" => TCP,
        "egp" => 8,
        "udp" => UDP,
        "dccp" => 33,
        "ipv6-encap" => 41,
        "rsvp" => 46,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "ospf" => 89,
        "vrrp" => 112,
        "pgm" => 113,
        "sctp" => 132,
        "udplite" => 136,
        number => return number.parse().ok(),
    })
}

fn parse_block(text: &str) -> Option<Remote> {
    let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
    match (address.parse().ok()?, prefix.parse().ok()?) {
        (_, 0) => Some(Remote::Anyone),
        (address, prefix @ 1..=32) => Some(Remote::Block(address, prefix)),
        _ => None,
    }
}

impl Firewall {
    /// Whether the server with a fixed address may be reached by a peer at this port.
    pub fn admits(&self, server: Ipv4Addr, peer: Peer, protocol: u8, port: u16) -> bool {
        self.allows(server, |group| &group.ingress, peer, protocol, port)
    }

    /// Whether the server with a fixed address may reach a peer at this port of the peer.
    pub fn lets_out(&self, server: Ipv4Addr, peer: Ipv4Addr, protocol: u8, port: u16) -> bool {
        self.allows(server, |group| &group.egress, Peer::Direct(peer), protocol, port)
    }

    fn allows(
        &self,
        server: Ipv4Addr,
        rules: impl Fn(&Group) -> &Vec<Allow>,
        peer: Peer,
        protocol: u8,
        port: u16,
    ) -> bool {
        let Some(GuardedPort { groups, .. }) = self.ports.get(&server) else { return false };
        let Some(groups) = groups else { return true };
        groups.iter().filter_map(|group| self.groups.get(group)).flat_map(rules).any(|allow| {
            allow.traffic.contains(protocol, port) && self.is_meant(allow.remote, peer)
        })
    }

    fn is_meant(&self, remote: Remote, peer: Peer) -> bool {
        match (remote, peer) {
            (Remote::Anyone, _) => true,
            (Remote::Block(network, prefix), Peer::Direct(address) | Peer::Translated(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.leading_zeros() >= u32::from(prefix)
            }
            (Remote::Group(group), Peer::Direct(address)) => {
                self.groups.get(&group).is_some_and(|group| group.members.contains(&address))
            }
            (Remote::Group(_), Peer::Translated(_)) => false,
        }
    }
}

impl Traffic {
    fn contains(&self, protocol: u8, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::Protocol(number) => *number == protocol,
            Self::Ports(number, ports) => *number == protocol && ports.contains(&port),
            Self::Icmp(..) => false,
        }
    }
}

#[cfg(test)]
mod tests;
