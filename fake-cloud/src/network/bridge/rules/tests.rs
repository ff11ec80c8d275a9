//! The text of the rules, and that `nft` takes it whatever the groups are.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::thread::UnshareFlags;
use uuid::Uuid;

use super::*;
use crate::backends::process::sys;
use crate::model::firewall::GuardedPort;
use crate::network::bridge::nft;

fn plan() -> Plan {
    Plan {
        bridge: "br200".to_owned(),
        fixed: "10.200.0.0/16".parse().unwrap(),
        gateway: Ipv4Addr::new(10, 200, 0, 1),
        public: "192.168.56.0/25".parse().unwrap(),
        here: Ipv4Addr::new(192, 168, 56, 1),
        router: Ipv4Addr::new(192, 168, 56, 2),
        outside: true,
        enforce: true,
        leg: "fc-0".to_owned(),
        table: "fake-cloud-0".to_owned(),
    }
}

fn group(number: u128) -> SecurityGroupId {
    SecurityGroupId(Uuid::from_u128(number))
}

fn address(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 200, 0, last)
}

#[test]
fn a_rule_is_written_for_its_group_and_a_port_leads_there() {
    let ssh = Allow {
        traffic: Traffic::Ports(6, 22..=22),
        remote: Remote::Block(Ipv4Addr::new(192, 0, 2, 0), 24),
    };
    let own = Allow { traffic: Traffic::Any, remote: Remote::Group(group(7)) };
    let stranger = Allow { traffic: Traffic::Any, remote: Remote::Group(group(8)) };
    let guarded = Group {
        members: BTreeSet::from([address(5)]),
        ingress: vec![ssh, own, stranger],
        egress: vec![Allow { traffic: Traffic::Icmp(8, Some(0)), remote: Remote::Anyone }],
    };
    let port = GuardedPort { mac: "fa:16:3e:00:00:05".to_owned(), groups: Some(vec![group(7)]) };
    let firewall = Firewall {
        groups: BTreeMap::from([(group(7), guarded)]),
        ports: BTreeMap::from([(address(5), port)]),
    };
    let text = guard(&plan(), &firewall);
    let seven = "00000000000000000000000000000007";
    let chain = format!(
        "chain in_{seven} {{\nmeta l4proto 6 th dport 22-22 ip saddr 192.0.2.0/24 accept\n\
         ct status & dnat == 0 ip saddr @members_{seven} accept\n}}\n"
    );
    assert!(text.contains(&chain), "{text}");
    assert!(text.contains(&format!("chain out_{seven} {{\nicmp type 8 icmp code 0 accept\n}}")));
    assert!(text.contains("10.200.0.5 : jump in_ports_0"), "{text}");
    assert!(text.contains("\"s0ac80005\" . fa:16:3e:00:00:05 . 10.200.0.5"), "{text}");
}

#[test]
fn two_floating_addresses_of_one_server_are_no_contradiction() {
    let one = Ipv4Addr::new(192, 168, 56, 10);
    let two = Ipv4Addr::new(192, 168, 56, 11);
    let text = floating(&plan(), &BTreeMap::from([(one, address(5)), (two, address(5))]));
    assert_eq!(text.matches("10.200.0.5 : 192.168.56.").count(), 1, "{text}");
}

fn any_allow() -> impl Strategy<Value = Allow> {
    let traffic = prop_oneof![
        Just(Traffic::Any),
        any::<u8>().prop_map(Traffic::Protocol),
        (prop::sample::select(vec![6u8, 17, 132]), any::<u16>(), any::<u16>())
            .prop_map(|(protocol, a, b)| Traffic::Ports(protocol, a.min(b)..=a.max(b))),
        (any::<u8>(), prop::option::of(any::<u8>())).prop_map(|(a, b)| Traffic::Icmp(a, b)),
    ];
    let remote = prop_oneof![
        Just(Remote::Anyone),
        (any::<u32>(), 1u8..=32).prop_map(|(a, b)| Remote::Block(Ipv4Addr::from_bits(a), b)),
        (0u128..4).prop_map(|number| Remote::Group(group(number))),
    ];
    (traffic, remote).prop_map(|(traffic, remote)| Allow { traffic, remote })
}

fn any_firewall() -> impl Strategy<Value = Firewall> {
    let allows = || prop::collection::vec(any_allow(), 0..5);
    let groups = prop::collection::vec((allows(), allows()), 3);
    let ports = prop::collection::btree_map(2u8..9, prop::collection::vec(0u128..3, 0..4), 0..5);
    (groups, ports).prop_map(|(groups, ports)| {
        let mut firewall = Firewall::default();
        for (number, (ingress, egress)) in (0..).zip(groups) {
            let members = ports.iter().filter(|(_, groups)| groups.contains(&number));
            let members = members.map(|(last, _)| address(*last)).collect();
            firewall.groups.insert(group(number), Group { members, ingress, egress });
        }
        for (last, groups) in ports {
            // One in so many has its port security switched off.
            let groups = (last != 8).then(|| groups.into_iter().map(group).collect());
            let mac = format!("fa:16:3e:00:00:{last:02x}");
            firewall.ports.insert(address(last), GuardedPort { mac, groups });
        }
        firewall
    })
}

#[test]
fn nft_takes_the_rules_whatever_the_groups_are() {
    // A thread with a network of its own.
    let inside = std::thread::spawn(|| {
        if let Err(error) = sys::unshare(UnshareFlags::NEWNET) {
            println!("skipped: this machine makes no network namespace for us: {error}");
            return;
        }
        let apply = |text: String| nft::apply(&text).map_err(|error| format!("{error} in\n{text}"));
        apply(masquerade("fake-cloud-0", &plan())).unwrap();
        apply(remove("fake-cloud-0")).unwrap();
        for outside in [true, false] {
            for enforce in [true, false] {
                let plan = Plan { outside, enforce, ..plan() };
                apply(guard(&plan, &Firewall::default())).unwrap();
                apply(floating(&plan, &BTreeMap::new())).unwrap();
            }
        }
        let mut runner = TestRunner::new(Config { cases: 32, ..Config::default() });
        let accepted = runner.run(&any_firewall(), |firewall| {
            let associations = firewall
                .ports
                .keys()
                .map(|fixed| (Ipv4Addr::from_bits(fixed.to_bits() + 0x1000_0000), *fixed));
            let associations = associations.collect();
            for text in [guard(&plan(), &firewall), floating(&plan(), &associations)] {
                prop_assert_eq!(apply(text), Ok(()));
            }
            Ok(())
        });
        accepted.unwrap();
    });
    inside.join().unwrap();
}
