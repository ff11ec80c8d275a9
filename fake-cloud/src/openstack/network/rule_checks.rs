//! What Neutron refuses in a rule of a security group, in its own words.

use std::net::IpAddr;

use http::StatusCode;

use super::super::errors::Fault;
use crate::model::security::{EtherType, Filter};

/// The protocols that have a name, with their numbers.
const PROTOCOLS: [(&str, u8); 26] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
    ("any", 0),
];

/// The numbers of those that have ports.
const WITH_PORTS: [u8; 5] = [33, 132, 6, 17, 136];

/// The numbers of those that have types and codes instead.
const ICMP: [u8; 2] = [1, 58];

fn refused(kind: &'static str, message: impl Into<String>) -> Fault {
    Fault::named(StatusCode::BAD_REQUEST, kind, message)
}

/// A port that is none.
pub(super) fn no_port(value: impl std::fmt::Display) -> Fault {
    refused("SecurityGroupInvalidPortValue", format!("Invalid value for port {value}"))
}

/// Refuses a rule that Neutron would refuse.
pub(super) fn check(filter: &Filter) -> Result<(), Fault> {
    let protocol = filter.protocol.as_deref().map(number).transpose()?;
    check_range(filter, protocol)?;
    match (&filter.remote_ip_prefix, filter.remote_group_id) {
        (Some(_), Some(_)) => Err(refused(
            "SecurityGroupMultipleRemoteEntites",
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be \
             provided.",
        )),
        (Some(block), None) => check_block(block, filter.ethertype),
        (None, _) => Ok(()),
    }
}

fn number(protocol: &str) -> Result<u8, Fault> {
    let named = PROTOCOLS.iter().find(|(name, _)| *name == protocol).map(|(_, number)| *number);
    named.or_else(|| protocol.parse().ok()).ok_or_else(|| {
        let names = PROTOCOLS.iter().map(|(name, _)| name).filter(|name| **name != "any");
        let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
        refused(
            "SecurityGroupRuleInvalidProtocol",
            format!(
                "Security group rule protocol {protocol} not supported. Only protocol values \
                 (None, 'any', {}) and integer representations [0 to 255] are supported.",
                names.join(", ")
            ),
        )
    })
}

fn check_range(filter: &Filter, protocol: Option<u8>) -> Result<(), Fault> {
    let range = (filter.port_range_min, filter.port_range_max);
    match (protocol, range) {
        (_, (None, None)) => Ok(()),
        (None, _) => Err(refused(
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.",
        )),
        (Some(protocol), (min, max)) if WITH_PORTS.contains(&protocol) => match (min, max) {
            (Some(0), _) | (_, Some(0)) => Err(no_port(0)),
            (Some(min), Some(max)) if min <= max => Ok(()),
            _ => Err(refused(
                "SecurityGroupInvalidPortRange",
                "For TCP/UDP protocols, port_range_min must be <= port_range_max",
            )),
        },
        (Some(protocol), (kind, code)) if ICMP.contains(&protocol) => {
            for (value, field, attribute) in
                [(kind, "type", "port_range_min"), (code, "code", "port_range_max")]
            {
                if let Some(value) = value.filter(|value| *value > 255) {
                    return Err(refused(
                        "SecurityGroupInvalidIcmpValue",
                        format!(
                            "Invalid value for ICMP {field} ({attribute}) {value}. \
                             It must be 0 to 255."
                        ),
                    ));
                }
            }
            match (kind, code) {
                (None, Some(code)) => Err(refused(
                    "SecurityGroupMissingIcmpType",
                    format!(
                        "ICMP code (port-range-max) {code} is provided but ICMP type \
                         (port-range-min) is missing."
                    ),
                )),
                _ => Ok(()),
            }
        }
        (Some(protocol), _) => Err(refused(
            "SecurityGroupInvalidProtocolForPort",
            format!(
                "Ports cannot be specified for protocol {protocol}. Ports are only supported for \
                 DCCP, SCTP, TCP, UDP, UDPLITE."
            ),
        )),
    }
}

fn check_block(block: &str, ethertype: EtherType) -> Result<(), Fault> {
    let (address, prefix) = block.split_once('/').map_or((block, None), |(a, p)| (a, Some(p)));
    let address = address.parse::<IpAddr>().ok();
    let longest = if matches!(address, Some(IpAddr::V6(_))) { 128 } else { 32 };
    let prefix = prefix.map_or(Some(longest), |prefix| prefix.parse::<u8>().ok());
    let (Some(address), Some(0..=128)) = (address, prefix.filter(|prefix| *prefix <= longest))
    else {
        let message = format!("Invalid CIDR {block} given as IP prefix.");
        return Err(refused("InvalidCIDR", message));
    };
    match (address, ethertype) {
        (IpAddr::V4(_), EtherType::IPv4) | (IpAddr::V6(_), EtherType::IPv6) => Ok(()),
        (_, ethertype) => Err(refused(
            "SecurityGroupRuleParameterConflict",
            format!("Conflicting value ethertype {ethertype:?} for CIDR {block}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::security::Direction;

    fn rule(protocol: Option<&str>, min: Option<u16>, max: Option<u16>) -> Filter {
        Filter {
            direction: Direction::Ingress,
            ethertype: EtherType::IPv4,
            protocol: protocol.map(str::to_owned),
            port_range_min: min,
            port_range_max: max,
            remote_ip_prefix: None,
            remote_group_id: None,
        }
    }

    fn kind(filter: &Filter) -> String {
        check(filter).err().map(|fault| fault.kind.into_owned()).unwrap_or_default()
    }

    #[test]
    fn ports_are_for_protocols_that_have_them() {
        for (protocol, min, max, expected) in [
            (Some("tcp"), Some(80), Some(80), ""),
            (Some("6"), Some(1), Some(65_535), ""),
            (Some("icmp"), Some(8), None, ""),
            (None, None, None, ""),
            (Some("tcp"), Some(0), Some(0), "SecurityGroupInvalidPortValue"),
            (Some("udp"), Some(5), None, "SecurityGroupInvalidPortRange"),
            (Some("udp"), Some(5), Some(4), "SecurityGroupInvalidPortRange"),
            (None, Some(1), Some(2), "SecurityGroupProtocolRequiredWithPorts"),
            (Some("esp"), Some(1), Some(1), "SecurityGroupInvalidProtocolForPort"),
            (Some("icmp"), Some(300), None, "SecurityGroupInvalidIcmpValue"),
            (Some("icmp"), None, Some(1), "SecurityGroupMissingIcmpType"),
            (Some("tic"), None, None, "SecurityGroupRuleInvalidProtocol"),
            (Some("256"), None, None, "SecurityGroupRuleInvalidProtocol"),
        ] {
            assert_eq!(kind(&rule(protocol, min, max)), expected, "{protocol:?} {min:?} {max:?}");
        }
    }

    #[test]
    fn a_block_is_of_its_protocol() {
        for (block, expected) in [
            ("10.0.0.0/8", ""),
            ("10.0.0.1", ""),
            ("nowhere", "InvalidCIDR"),
            ("10.0.0.0/33", "InvalidCIDR"),
            ("::/0", "SecurityGroupRuleParameterConflict"),
        ] {
            let rule =
                Filter { remote_ip_prefix: Some(block.to_owned()), ..rule(None, None, None) };
            assert_eq!(kind(&rule), expected, "{block}");
        }
    }
}
