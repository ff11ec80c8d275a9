//! Decisions that need no privileges; the effects are tested from outside, with servers.

use super::*;

fn plan(identity: &str) -> Plan {
    let settings = Settings {
        bridge: "br200".to_owned(),
        fixed: "10.200.0.0/16".parse().unwrap(),
        gateway: Ipv4Addr::new(10, 200, 0, 1),
        public: "192.168.56.0/25".parse().unwrap(),
        outside: true,
        enforce: true,
    };
    Plan::new(settings, Path::new(identity))
}

#[test]
fn names_follow_from_the_identity_and_fit_an_interface() {
    let (one, other) = (plan("/srv/one"), plan("/srv/other"));
    assert_eq!(one.leg, plan("/srv/one").leg);
    assert_ne!(one.leg, other.leg);
    assert_ne!(one.table, other.table);
    assert!(one.leg.len() < 16 && port_name(Ipv4Addr::BROADCAST).len() < 16);
    assert_eq!(one.router, Ipv4Addr::new(192, 168, 56, 2));
}

#[test]
fn addresses_that_are_in_use_are_refused() {
    let block = |a, b, c, prefix| Block { network: Ipv4Addr::new(a, b, c, 0), prefix };
    let plan = plan("x");
    assert!(plan.check(&[block(192, 0, 2, 24), block(127, 0, 0, 8)]).is_ok());
    let error = plan.check(&[block(192, 168, 56, 24)]).unwrap_err().to_string();
    assert!(error.contains("a way to 192.168.56.0/24, which overlaps with 192.168.56.0/25"));
    let twice = Plan { public: plan.fixed, ..plan };
    assert!(twice.check(&[]).is_err(), "the cloud's own two blocks");
}
