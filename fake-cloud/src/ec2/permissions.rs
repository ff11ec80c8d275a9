//! Permissions: rules of security groups, of which EC2 writes several as one.

use std::net::IpAddr;

use super::errors::Fault;
use super::ids::{Kind, account};
use super::operation::Call;
use super::params::Params;
use super::security_groups;
use super::tags::tag_set;
use super::xml::Xml;
use crate::model::security::{Direction, EtherType, Filter};
use crate::model::{Model, SecurityGroupId, SecurityGroupRule};

/// What every rule without a block of addresses means.
const ANYWHERE: (&str, &str) = ("0.0.0.0/0", "::/0");

/// The rules that a request speaks of, each with its description.
pub(super) fn read(
    call: &Call,
    model: &Model,
    direction: Direction,
) -> Result<Vec<(Filter, String)>, Fault> {
    let params = &call.params;
    let mut rules = Vec::new();
    for permission in params.list("IpPermissions") {
        let before = rules.len();
        for (list, name) in [("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")] {
            for range in permission.list(list) {
                let block = range.required(name)?;
                let rule = filter(direction, permission, Some(block))?;
                rules.push((rule, range.text("Description").unwrap_or_default().to_owned()));
            }
        }
        for peer in permission.list("Groups") {
            let group = match (peer.text("GroupId"), peer.text("GroupName")) {
                (Some(id), _) => security_groups::by_id(call, model, id)?,
                (None, Some(name)) => security_groups::by_name(call, model, name)?,
                (None, None) => return Err(Fault::missing_parameter("GroupId")),
            };
            let mut rule = filter(direction, permission, None)?;
            rule.remote_group_id = Some(group.id);
            rules.push((rule, peer.text("Description").unwrap_or_default().to_owned()));
        }
        if rules.len() == before {
            return Err(Fault::missing_parameter("IpRanges"));
        }
    }
    // The older form: one rule in the request itself.
    if let Some(block) = params.text("CidrIp") {
        rules.push((filter(direction, params, Some(block))?, String::new()));
    } else if let Some(name) = params.text("SourceSecurityGroupName") {
        let group = security_groups::by_name(call, model, name)?.id;
        let mut rule = filter(direction, params, None)?;
        rule.remote_group_id = Some(group);
        rules.push((rule, String::new()));
    }
    Ok(rules)
}

/// One rule as a request says it that names one rule.
pub(super) fn read_one(
    call: &Call,
    model: &Model,
    direction: Direction,
    params: &Params,
) -> Result<Filter, Fault> {
    let block = params.text("CidrIpv4").or_else(|| params.text("CidrIpv6"));
    let mut rule = filter(direction, params, block)?;
    match (block, params.text("ReferencedGroupId")) {
        (None, Some(id)) => {
            rule.remote_group_id = Some(security_groups::by_id(call, model, id)?.id);
        }
        (Some(_), None) => {}
        _ => return Err(Fault::missing_parameter("CidrIpv4")),
    }
    Ok(rule)
}

/// The rule of a group that lets the same pass.
pub(super) fn find<'a>(
    model: &'a Model,
    group: SecurityGroupId,
    wanted: &Filter,
) -> Result<&'a SecurityGroupRule, Fault> {
    let missing = "The specified rule does not exist in this security group.";
    let found = model.rules_of(group).find(|rule| same(&rule.filter, wanted));
    found.ok_or_else(|| Fault::new("InvalidPermission.NotFound", missing))
}

fn filter(direction: Direction, params: &Params, block: Option<&str>) -> Result<Filter, Fault> {
    let protocol = match params.required("IpProtocol").or_else(|missing| {
        // Of a group, everything may be let in without saying so.
        if block.is_none() { Ok("-1") } else { Err(missing) }
    })? {
        "-1" | "all" => None,
        "6" => Some("tcp"),
        "17" => Some("udp"),
        "1" => Some("icmp"),
        known @ ("tcp" | "udp" | "icmp" | "icmpv6") => Some(known),
        other if other.parse::<u8>().is_ok() => Some(other),
        other => {
            return Err(Fault::invalid_value(format!("Invalid value '{other}' for IP protocol.")));
        }
    };
    let port = |name| {
        let invalid = |number| Fault::invalid_value(format!("Invalid port: {number}"));
        match params.number(name)? {
            None | Some(-1) => Ok(None),
            Some(number) => u16::try_from(number).map(Some).map_err(|_| invalid(number)),
        }
    };
    // What lets every protocol pass has no ports, whatever is said.
    let (min, max) =
        if protocol.is_none() { (None, None) } else { (port("FromPort")?, port("ToPort")?) };
    if matches!(protocol, Some("tcp" | "udp")) && (min.is_none() || max.is_none()) {
        return Err(Fault::invalid_value(
            "Invalid value for portRange. Must specify both from and to ports with TCP/UDP.",
        ));
    }
    Ok(Filter {
        direction,
        ethertype: block.map_or(Ok(EtherType::IPv4), ethertype)?,
        protocol: protocol.map(str::to_owned),
        port_range_min: min,
        port_range_max: max,
        remote_ip_prefix: block.map(str::to_owned),
        remote_group_id: None,
    })
}

/// Which internet protocol a block of addresses is of.
fn ethertype(block: &str) -> Result<EtherType, Fault> {
    let read = || {
        let (address, prefix) = block.split_once('/')?;
        let prefix: u8 = prefix.parse().ok()?;
        match address.parse().ok()? {
            IpAddr::V4(_) if prefix <= 32 => Some(EtherType::IPv4),
            IpAddr::V6(_) if prefix <= 128 => Some(EtherType::IPv6),
            _ => None,
        }
    };
    let malformed = || Fault::invalid_value(format!("CIDR block {block} is malformed"));
    read().ok_or_else(malformed)
}

/// Whether two rules let the same pass: none is the same as every address.
pub(super) fn same(one: &Filter, other: &Filter) -> bool {
    let written = |filter: &Filter| {
        let mut filter = filter.clone();
        filter.remote_ip_prefix = block(&filter).map(str::to_owned);
        filter
    };
    written(one) == written(other)
}

/// From or to where a rule lets pass; nothing when that is a group.
fn block(filter: &Filter) -> Option<&str> {
    match (&filter.remote_group_id, &filter.remote_ip_prefix, filter.ethertype) {
        (Some(_), ..) => None,
        (None, Some(block), _) => Some(block),
        (None, None, EtherType::IPv4) => Some(ANYWHERE.0),
        (None, None, EtherType::IPv6) => Some(ANYWHERE.1),
    }
}

/// EC2's word for a protocol, and its ports.
fn traffic(filter: &Filter) -> (&str, Option<i32>, Option<i32>) {
    let Some(protocol) = &filter.protocol else { return ("-1", None, None) };
    let port = |port: Option<u16>, all| Some(port.map_or(all, i32::from));
    let (first, last) = match protocol.as_str() {
        "tcp" | "udp" => (0, 65_535),
        _ => (-1, -1),
    };
    (protocol, port(filter.port_range_min, first), port(filter.port_range_max, last))
}

/// The permissions of a group in one direction: what differs in its peers only is one.
pub(super) fn permissions(xml: &mut Xml, model: &Model, name: &str, rules: &[&SecurityGroupRule]) {
    let mut together: Vec<Vec<&SecurityGroupRule>> = Vec::new();
    for rule in rules {
        let same = together.iter_mut().find(|known| {
            known.first().is_some_and(|known| traffic(&known.filter) == traffic(&rule.filter))
        });
        match same {
            Some(known) => known.push(rule),
            None => together.push(vec![rule]),
        }
    }
    xml.list(name, together, |xml, rules| {
        let Some(first) = rules.first() else { return };
        let (protocol, min, max) = traffic(&first.filter);
        xml.text("ipProtocol", protocol);
        xml.optional("fromPort", min);
        xml.optional("toPort", max);
        let groups = rules.iter().filter_map(|rule| {
            // Rules for both internet protocols name a group twice; EC2 names it once.
            let group = model.security_groups.get(rule.filter.remote_group_id?)?;
            (rule.filter.ethertype == EtherType::IPv4).then_some((group, rule))
        });
        xml.list("groups", groups, |xml, (group, rule)| {
            xml.text("userId", account(group.project_id));
            xml.text("groupId", Kind::SecurityGroup.id(group.id));
            describe(xml, rule);
        });
        let of = |wanted: EtherType| {
            rules
                .iter()
                .filter(move |rule| rule.filter.ethertype == wanted)
                .filter_map(|rule| Some((block(&rule.filter)?, rule)))
        };
        xml.list("ipRanges", of(EtherType::IPv4), |xml, (block, rule)| {
            xml.text("cidrIp", block);
            describe(xml, rule);
        });
        xml.list("ipv6Ranges", of(EtherType::IPv6), |xml, (block, rule)| {
            xml.text("cidrIpv6", block);
            describe(xml, rule);
        });
        xml.list("prefixListIds", [(); 0], |_, ()| {});
    });
}

/// One rule by itself.
pub(super) fn rule(xml: &mut Xml, rule: &SecurityGroupRule) {
    let (protocol, min, max) = traffic(&rule.filter);
    xml.text("securityGroupRuleId", Kind::Rule.id(rule.id));
    xml.text("groupId", Kind::SecurityGroup.id(rule.group_id));
    xml.text("groupOwnerId", account(rule.project_id));
    xml.text("isEgress", rule.filter.direction == Direction::Egress);
    xml.text("ipProtocol", protocol);
    xml.text("fromPort", min.unwrap_or(-1));
    xml.text("toPort", max.unwrap_or(-1));
    match rule.filter.ethertype {
        EtherType::IPv4 => xml.optional("cidrIpv4", block(&rule.filter)),
        EtherType::IPv6 => xml.optional("cidrIpv6", block(&rule.filter)),
    }
    if let Some(group) = rule.filter.remote_group_id {
        xml.within("referencedGroupInfo", |xml| {
            xml.text("groupId", Kind::SecurityGroup.id(group));
            xml.text("userId", account(rule.project_id));
        });
    }
    describe(xml, rule);
    tag_set(xml, &rule.tags);
}

/// A rule that is no more.
pub(super) fn revoked(xml: &mut Xml, gone: &SecurityGroupRule) {
    rule(xml, gone);
    let group = gone.filter.remote_group_id;
    xml.optional("referencedGroupId", group.map(|group| Kind::SecurityGroup.id(group)));
}

/// What the rules of a group have for the name of a filter, as in `ip-permission.cidr`.
pub(super) fn values(model: &Model, group: SecurityGroupId, name: &str) -> Vec<String> {
    let (direction, name) = match name.strip_prefix("egress.") {
        Some(name) => (Direction::Egress, name),
        None => (Direction::Ingress, name),
    };
    let rules = model.rules_of(group).filter(|rule| rule.filter.direction == direction);
    let value = |rule: &SecurityGroupRule| {
        let (protocol, min, max) = traffic(&rule.filter);
        match name.strip_prefix("ip-permission.")? {
            "cidr" => block(&rule.filter).map(str::to_owned),
            "from-port" => min.map(|port| port.to_string()),
            "to-port" => max.map(|port| port.to_string()),
            "group-id" => Some(Kind::SecurityGroup.id(rule.filter.remote_group_id?).to_string()),
            _ => Some(protocol.to_owned()),
        }
    };
    rules.filter_map(value).collect()
}

fn describe(xml: &mut Xml, rule: &SecurityGroupRule) {
    xml.optional("description", Some(&rule.standard.description).filter(|text| !text.is_empty()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingress(query: &str, block: Option<&str>) -> Result<Filter, Fault> {
        filter(Direction::Ingress, &Params::of(crate::query::parse(query)), block)
    }

    #[test]
    fn everything_is_written_in_two_ways() {
        let one = ingress("IpProtocol=-1&FromPort=0&ToPort=0", Some("0.0.0.0/0")).unwrap();
        let other = Filter { remote_ip_prefix: None, ..one.clone() };
        assert!(same(&one, &other));
        let narrower = ingress("IpProtocol=-1", Some("10.0.0.0/8")).unwrap();
        assert!(!same(&one, &narrower));
        assert_eq!(traffic(&one), ("-1", None, None));
    }

    #[test]
    fn what_no_packet_can_match_is_refused() {
        for (query, block) in [
            ("IpProtocol=tcp&FromPort=22", "0.0.0.0/0"),
            ("IpProtocol=tcp&FromPort=22&ToPort=70000", "0.0.0.0/0"),
            ("IpProtocol=carrier-pigeon", "0.0.0.0/0"),
            ("IpProtocol=tcp&FromPort=22&ToPort=22", "0.0.0.0"),
            ("IpProtocol=tcp&FromPort=22&ToPort=22", "0.0.0.0/33"),
        ] {
            let fault = ingress(query, Some(block)).unwrap_err();
            assert_eq!(fault.code, "InvalidParameterValue", "{query} {block}");
        }
        assert!(ingress("FromPort=22", Some("0.0.0.0/0")).is_err(), "a protocol is needed");
    }

    #[test]
    fn ping_has_types_for_ports() {
        let ping = ingress("IpProtocol=icmp&FromPort=-1&ToPort=-1", Some("::/0")).unwrap();
        assert_eq!(traffic(&ping), ("icmp", Some(-1), Some(-1)));
        assert_eq!(ping.ethertype, EtherType::IPv6);
    }
}
