//! Tests of what security groups let pass, some for any rules whatsoever.

use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;
use crate::model::{Caller, NewPort, ProjectId, TokenId, UserId};
use crate::settings::{Listen, Settings};

const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// A cloud with a few groups (the first is the default one) and a port for each list of groups.
#[derive(Debug)]
struct World {
    model: Model,
    caller: Caller,
    groups: Vec<SecurityGroupId>,
    addresses: Vec<Ipv4Addr>,
}

impl World {
    fn new(groups: usize, ports: &[Vec<usize>]) -> Self {
        let listen = Listen::Address("127.5.0.1:0".parse().unwrap());
        let mut model = Model::default();
        model.seed(&Settings::loopback("".into(), listen, "secret"), NOW);
        let project_id: ProjectId = model.user_named("admin").unwrap().grants[0].0;
        let caller = Caller {
            user_id: UserId::random(),
            project_id: Some(project_id),
            is_admin: true,
            token_id: TokenId::random(),
        };
        let mut ids = vec![model.find_security_group(project_id, "default").unwrap().id];
        for number in 1..groups {
            ids.push(
                model.create_security_group(project_id, &format!("g{number}"), "", NOW).unwrap(),
            );
        }
        let network_id = model.private_network().unwrap().id;
        let mut addresses = vec![];
        for groups in ports {
            let port = NewPort {
                security_groups: groups.iter().map(|group| ids[*group]).collect(),
                ..NewPort::on(network_id, project_id)
            };
            let id = model.create_port(port, NOW).unwrap();
            addresses.push(model.ports.get(id).unwrap().address().unwrap());
        }
        Self { model, caller, groups: ids, addresses }
    }

    fn rule(&mut self, group: usize, filter: Filter) {
        let group = self.groups[group].to_string();
        // The same rule twice is refused, which changes nothing.
        let _ = self.model.create_rule(&self.caller, &group, filter, String::new(), NOW);
    }
}

fn ingress(protocol: Option<&str>, ports: Option<(u16, u16)>, block: Option<&str>) -> Filter {
    Filter {
        direction: Direction::Ingress,
        ethertype: EtherType::IPv4,
        protocol: protocol.map(str::to_owned),
        port_range_min: ports.map(|ports| ports.0),
        port_range_max: ports.map(|ports| ports.1),
        remote_ip_prefix: block.map(str::to_owned),
        remote_group_id: None,
    }
}

#[test]
fn members_of_the_default_group_reach_each_other_and_nobody_else_reaches_them() {
    let world = World::new(2, &[vec![0], vec![0], vec![1]]);
    let firewall = world.model.firewall();
    let [one, two, other] = world.addresses[..] else { panic!("three ports") };
    assert!(firewall.admits(one, Peer::Direct(two), TCP, 22));
    assert!(!firewall.admits(one, Peer::Translated(two), TCP, 22), "by a floating IP");
    assert!(!firewall.admits(one, Peer::Direct(other), TCP, 22));
    assert!(!firewall.admits(one, Peer::Direct(OUTSIDE), TCP, 22));
    assert!(firewall.lets_out(one, OUTSIDE, TCP, 443));
}

#[test]
fn ports_and_blocks_of_rules_count() {
    let mut world = World::new(2, &[vec![1]]);
    world.rule(1, ingress(Some("tcp"), Some((80, 90)), None));
    world.rule(1, ingress(Some("17"), None, Some("198.51.100.0/24")));
    let server = world.addresses[0];
    let firewall = world.model.firewall();
    for (peer, protocol, port, expected) in [
        ([203, 0, 113, 1], TCP, 79, false),
        ([203, 0, 113, 1], TCP, 80, true),
        ([203, 0, 113, 1], TCP, 90, true),
        ([203, 0, 113, 1], TCP, 91, false),
        ([203, 0, 113, 1], UDP, 80, false),
        ([198, 51, 100, 9], UDP, 5353, true),
        ([198, 51, 101, 9], UDP, 5353, false),
    ] {
        let admitted = firewall.admits(server, Peer::Direct(peer.into()), protocol, port);
        assert_eq!(admitted, expected, "{peer:?} {protocol} {port}");
    }
}

#[test]
fn nothing_passes_where_no_group_guards_or_no_port_is() {
    let world = World::new(1, &[vec![], vec![0]]);
    let firewall = world.model.firewall();
    let (bare, guarded) = (world.addresses[0], world.addresses[1]);
    assert!(!firewall.admits(bare, Peer::Direct(guarded), TCP, 80));
    assert!(!firewall.lets_out(bare, guarded, TCP, 80));
    assert!(!firewall.lets_out(OUTSIDE, guarded, TCP, 80));
}

#[test]
fn everything_passes_where_port_security_is_off_and_routers_are_no_servers() {
    let mut world = World::new(1, &[vec![], vec![0]]);
    let open = world.addresses[0];
    let id = world.model.ports.iter().find(|port| port.address() == Some(open)).unwrap().id;
    world.model.ports.get_mut(id).unwrap().port_security = false;
    let firewall = world.model.firewall();
    assert!(firewall.admits(open, Peer::Direct(OUTSIDE), TCP, 80));
    assert!(firewall.lets_out(open, OUTSIDE, TCP, 80));
    assert_eq!(firewall.ports.len(), 2, "without those of the router");
}

#[test]
fn rules_that_make_no_sense_let_nothing_pass() {
    for filter in [
        ingress(Some("carrier pigeon"), None, None),
        ingress(Some("icmp"), Some((999, 0)), None),
        ingress(None, None, Some("not a block")),
        ingress(None, None, Some("10.0.0.0/99")),
        Filter { ethertype: EtherType::IPv6, ..ingress(None, None, None) },
    ] {
        assert_eq!(allow(&filter), None, "{filter:?}");
    }
}

#[test]
fn kinds_of_icmp_are_told_apart() {
    let of = |ports| allow(&ingress(Some("icmp"), ports, None)).unwrap().traffic;
    assert_eq!(of(None), Traffic::Protocol(ICMP));
    assert_eq!(of(Some((8, 0))), Traffic::Icmp(8, Some(0)));
}

/// A rule of any kind: which group it is of, what it lets pass, and of which group if of one.
fn any_rule() -> impl Strategy<Value = (usize, Filter, Option<usize>)> {
    let protocol = prop::option::of(prop::sample::select(vec!["tcp", "udp", "6", "icmp", "sctp"]));
    let ports = prop::option::of((1u16..200, 0u16..100));
    let block = prop::option::of(prop::sample::select(vec![
        "0.0.0.0/0",
        "198.51.100.0/24",
        "127.5.16.2/32",
        "127.5.16.2/31",
    ]));
    let ways = (any::<bool>(), any::<bool>(), prop::option::of(0usize..3));
    (0usize..3, protocol, ports, block, ways).prop_map(|(group, protocol, ports, block, ways)| {
        let (outwards, is_v6, remote) = ways;
        let ports = ports.filter(|_| protocol.is_some()).map(|(min, more)| (min, min + more));
        let mut filter = ingress(protocol, ports, block.filter(|_| remote.is_none()));
        if outwards {
            filter.direction = Direction::Egress;
        }
        if is_v6 {
            filter.ethertype = EtherType::IPv6;
        }
        (group, filter, remote)
    })
}

fn any_world() -> impl Strategy<Value = World> {
    let ports = prop::collection::vec(prop::collection::vec(0usize..3, 0..3), 2..5);
    (ports, prop::collection::vec(any_rule(), 0..12)).prop_map(|(ports, rules)| {
        let mut world = World::new(3, &ports);
        for (group, mut filter, remote) in rules {
            filter.remote_group_id = remote.map(|remote| world.groups[remote]);
            world.rule(group, filter);
        }
        world
    })
}

/// Whether TCP to a port comes in, straight from the records of the model.
fn by_the_book(world: &World, server: Ipv4Addr, peer: Ipv4Addr, port: u16) -> bool {
    let groups_of = |address: Ipv4Addr| {
        let ports = world.model.ports.iter().filter(move |port| port.address() == Some(address));
        ports.flat_map(|port| port.security_groups.clone()).collect::<Vec<_>>()
    };
    world.model.security_group_rules.iter().any(|rule| {
        let filter = &rule.filter;
        let within = |block: &String| match block.as_str() {
            "0.0.0.0/0" => true,
            "198.51.100.0/24" => peer.octets()[..3] == [198, 51, 100],
            "127.5.16.2/32" => peer == Ipv4Addr::new(127, 5, 16, 2),
            _ => matches!(peer.octets(), [127, 5, 16, 2 | 3]),
        };
        groups_of(server).contains(&rule.group_id)
            && filter.direction == Direction::Ingress
            && filter.ethertype == EtherType::IPv4
            && filter.protocol.as_deref().is_none_or(|it| matches!(it, "tcp" | "6"))
            && filter.port_range_min.is_none_or(|min| min <= port)
            && filter.port_range_max.is_none_or(|max| port <= max)
            && filter.remote_ip_prefix.as_ref().is_none_or(within)
            && filter.remote_group_id.is_none_or(|group| groups_of(peer).contains(&group))
    })
}

proptest! {
    #[test]
    fn the_firewall_says_what_the_records_say(world in any_world(), port in 1u16..300) {
        let firewall = world.model.firewall();
        for server in &world.addresses {
            for peer in world.addresses.iter().chain([&OUTSIDE]) {
                let admitted = firewall.admits(*server, Peer::Direct(*peer), TCP, port);
                prop_assert_eq!(admitted, by_the_book(&world, *server, *peer, port));
            }
        }
    }

    #[test]
    fn another_rule_never_shuts_anything_out(
        mut world in any_world(),
        (group, filter, _) in any_rule(),
        port in 1u16..300,
    ) {
        let before = world.model.firewall();
        world.rule(group, filter);
        let after = world.model.firewall();
        for server in &world.addresses {
            for peer in world.addresses.iter().chain([&OUTSIDE]) {
                for peer in [Peer::Direct(*peer), Peer::Translated(*peer)] {
                    prop_assert!(
                        !before.admits(*server, peer, TCP, port)
                            || after.admits(*server, peer, TCP, port)
                    );
                }
            }
        }
    }

    #[test]
    fn a_floating_ip_opens_no_door_that_is_closed_without(
        world in any_world(),
        port in 1u16..300,
    ) {
        let firewall = world.model.firewall();
        for server in &world.addresses {
            for peer in &world.addresses {
                prop_assert!(
                    !firewall.admits(*server, Peer::Translated(*peer), TCP, port)
                        || firewall.admits(*server, Peer::Direct(*peer), TCP, port)
                );
            }
        }
    }
}
