//! The text of the rules, and that `nft` takes it whatever the groups are.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::thread::UnshareFlags;
use uuid::Uuid;

use super::*;
use crate::backends::process::sys;
use crate::model::address::Block;
use crate::model::firewall::{Allow, Group, GuardedPort, Remote, Traffic};
use crate::model::reach::Reach;
use crate::network::netfilter::nft;

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
    let port = GuardedPort {
        first: address(5),
        mac: "fa:16:3e:00:00:05".to_owned(),
        groups: Some(vec![group(7)]),
    };
    let firewall = Firewall {
        groups: BTreeMap::from([(group(7), guarded)]),
        ports: BTreeMap::from([(address(5), port)]),
        ..Firewall::default()
    };
    let text = guard(&plan(), &firewall).anew() + &anti_spoofing(&firewall).anew();
    let seven = "00000000000000000000000000000007";
    let combination = digest(&[group(7)]);
    for expected in [
        format!("in_{seven} meta l4proto 6 th dport 22-22 ip saddr 192.0.2.0/24 accept\n"),
        format!("in_{seven} ct status & dnat == 0 ip saddr @members_{seven} accept\n"),
        format!("out_{seven} icmp type 8 icmp code 0 accept\n"),
        format!("in_ports_{combination} jump in_{seven}\n"),
        format!("10.200.0.5 : goto in_ports_{combination}"),
        "\"s0ac80005\" . fa:16:3e:00:00:05 . 10.200.0.5".to_owned(),
    ] {
        assert!(text.contains(&expected), "{expected} in\n{text}");
    }
    assert!(!text.contains(&groups::name(group(8))), "who has no members lets nobody in");
}

#[test]
fn two_floating_addresses_of_one_server_are_no_contradiction() {
    let one = Ipv4Addr::new(192, 168, 56, 10);
    let two = Ipv4Addr::new(192, 168, 56, 11);
    let text = floating(&plan(), &BTreeMap::from([(one, address(5)), (two, address(5))])).anew();
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
    let between = prop::collection::btree_set((any_subnet(), any_subnet()), 0..5);
    let outward = prop::collection::btree_set(any_subnet(), 0..3);
    let besides = prop::collection::vec(any_besides(), 0..4);
    (groups, ports, between, outward, besides).prop_map(
        |(groups, ports, between, outward, besides)| {
            let untranslated = outward.iter().take(1).copied().collect();
            let reach = Reach { between, outward, untranslated, ..Reach::default() };
            let mut firewall = Firewall { reach, besides, ..Firewall::default() };
            for (number, (ingress, egress)) in (0..).zip(groups) {
                let members = ports.iter().filter(|(_, groups)| groups.contains(&number));
                let members = members.map(|(last, _)| address(*last)).collect();
                firewall.groups.insert(group(number), Group { members, ingress, egress });
            }
            for (last, groups) in ports {
                // One in so many has its port security switched off.
                let groups = (last != 8).then(|| groups.into_iter().map(group).collect());
                let mac = format!("fa:16:3e:00:00:{last:02x}");
                let first = address(last);
                firewall.ports.insert(first, GuardedPort { first, mac, groups });
            }
            firewall
        },
    )
}

fn any_besides() -> impl Strategy<Value = Besides> {
    let groups = prop::option::of(prop::collection::vec((0u128..3).prop_map(group), 0..3));
    (2u8..9, any::<u32>(), prop::sample::select(vec![0u8, 8, 24, 32]), groups).prop_map(
        |(last, network, prefix, groups)| Besides {
            first: address(last),
            mac: format!("fa:16:3e:00:00:{last:02x}"),
            addresses: Block::around(Ipv4Addr::from_bits(network), prefix),
            groups,
        },
    )
}

fn any_subnet() -> impl Strategy<Value = Block> {
    (0u8..4).prop_map(|third| Block::around(Ipv4Addr::new(10, 200, 16 * third, 0), 20))
}

/// All tables that follow from a firewall.
fn tables(firewall: &Firewall) -> [Table; 3] {
    let associations = firewall
        .ports
        .keys()
        .map(|fixed| (Ipv4Addr::from_bits(fixed.to_bits() + 0x1000_0000), *fixed));
    let floating = floating(&plan(), &associations.collect());
    [anti_spoofing(firewall), guard(&plan(), firewall), floating]
}

#[test]
fn nft_takes_the_rules_whatever_the_groups_are_and_changes_lead_where_a_new_start_does() {
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
                apply(guard(&plan, &Firewall::default()).anew()).unwrap();
            }
        }
        let first = tables(&Firewall::default());
        apply(first.each_ref().map(Table::anew).concat()).unwrap();
        let last = RefCell::new(first.to_vec());
        let mut runner = TestRunner::new(Config { cases: 32, ..Config::default() });
        let accepted = runner.run(&any_firewall(), |firewall| {
            let after = tables(&firewall);
            let before = last.replace(after.to_vec());
            let changes = after.iter().zip(&before).map(|(new, old)| new.after(old)).collect();
            prop_assert_eq!(apply(changes), Ok(()));
            let changed = listed();
            prop_assert_eq!(apply(after.each_ref().map(Table::anew).concat()), Ok(()));
            prop_assert_eq!(changed, listed());
            Ok(())
        });
        accepted.unwrap();
    });
    inside.join().unwrap();
}

/// All rules of this thread's network, in an order that does not tell when they were made.
fn listed() -> Vec<String> {
    let output = std::process::Command::new("nft").args(["--json", "list", "ruleset"]).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut listed: Vec<_> = json["nftables"].as_array().unwrap().iter().map(normal).collect();
    listed.sort();
    listed
}

/// Without numbers that the kernel gives, and with the elements of sets in one order.
fn normal(object: &serde_json::Value) -> String {
    let mut object = object.clone();
    for inner in object.as_object_mut().unwrap().values_mut() {
        let inner = inner.as_object_mut().unwrap();
        inner.remove("handle");
        if let Some(elements) = inner.get_mut("elem").and_then(serde_json::Value::as_array_mut) {
            elements.sort_by_key(ToString::to_string);
        }
    }
    object.to_string()
}
