//! Which node of a web hosting service does what. Decisions only.
//!
//! A node's role says what it is for alone. What no node is for, the *host* does beside its own: the
//! first proxy. So the first VM of a service does everything, the first node of another role takes
//! that role off it, and the host has it back when the last such node goes.

use std::collections::BTreeMap;

use protocol::api::{Node, NodeCounts, Role};
use protocol::{ApiError, NodeId};
use serde::{Deserialize, Serialize};

/// The entry: balances requests over the others.
pub(crate) const PROXY: &str = "proxy";
/// Serves static files.
pub(crate) const WEB: &str = "web";
/// Runs the user's programs.
pub(crate) const BACKEND: &str = "backend";

/// The roles for the catalogue: a service begins with its host.
pub(crate) fn roles() -> Vec<Role> {
    let role = |name: &str, initial| Role { name: name.to_owned(), initial };
    vec![role(BACKEND, 0), role(WEB, 0), role(PROXY, 1)]
}

/// What one node does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Duties {
    pub(crate) proxy: bool,
    pub(crate) web: bool,
    pub(crate) backend: bool,
}

/// What each node does. Whenever there are nodes, somebody does each of the three.
pub(crate) fn layout(nodes: &[Node]) -> BTreeMap<NodeId, Duties> {
    let mut layout: BTreeMap<NodeId, Duties> = nodes
        .iter()
        .map(|node| {
            let is = |role| node.role == role;
            let duties = Duties { proxy: is(PROXY), web: is(WEB), backend: is(BACKEND) };
            (node.id, duties)
        })
        .collect();
    let any = |duty: fn(&Duties) -> bool| layout.values().any(duty);
    let (proxy, web, backend) = (any(|d| d.proxy), any(|d| d.web), any(|d| d.backend));
    // Should the cloud have lost every proxy, the oldest node stands in.
    let host = layout.iter().find(|(_, duties)| duties.proxy).or(layout.iter().next());
    if let Some(host) = host.map(|(id, _)| *id)
        && let Some(duties) = layout.get_mut(&host)
    {
        duties.proxy |= !proxy;
        duties.web |= !web;
        duties.backend |= !backend;
    }
    layout
}

/// Whether users may bring a service from so many nodes of each role to so many.
pub(crate) fn check_scale(before: &NodeCounts, after: &NodeCounts) -> Result<(), ApiError> {
    let count = |counts: &NodeCounts, role: &str| counts.get(role).copied().unwrap_or_default();
    let too_few = |role| ApiError::invalid(format!("Not enough '{role}' nodes will be left"));
    if count(after, PROXY) == 0 {
        return Err(too_few(PROXY));
    }
    // The host of several proxies would be busier than the others.
    let missing = [WEB, BACKEND].into_iter().find(|role| count(after, role) == 0);
    match missing.filter(|_| count(after, PROXY) > 1) {
        Some(role) if count(before, role) > 0 => Err(too_few(role)),
        Some(_) => Err(ApiError::invalid(
            "Cannot add more proxy servers without at least one stand-alone 'web' node and one \
             stand-alone 'backend' node",
        )
        .hint("add these first, or in the same command")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(nodes: &[(i64, &str)]) -> Vec<String> {
        let nodes: Vec<Node> = nodes.iter().map(|(id, role)| Node::example(*id, role)).collect();
        let words = |duties: &Duties| {
            let words = [(duties.proxy, PROXY), (duties.backend, BACKEND), (duties.web, WEB)];
            words.into_iter().filter(|(does, _)| *does).map(|(_, word)| word).collect::<String>()
        };
        layout(&nodes).values().map(words).collect()
    }

    #[test]
    fn the_first_vm_does_what_no_other_node_is_for() {
        assert_eq!(shown(&[(1, PROXY)]), ["proxybackendweb"]);
        assert_eq!(shown(&[(1, PROXY), (2, BACKEND)]), ["proxyweb", "backend"]);
        assert_eq!(shown(&[(1, PROXY), (2, BACKEND), (3, BACKEND)])[0], "proxyweb");
        assert_eq!(shown(&[(1, PROXY), (2, WEB)]), ["proxybackend", "web"]);
        assert_eq!(
            shown(&[(1, PROXY), (2, WEB), (3, BACKEND), (4, PROXY)]),
            ["proxy", "web", "backend", "proxy"]
        );
        assert_eq!(shown(&[(3, WEB), (4, WEB)]), ["proxybackendweb", "web"], "the proxy is lost");
    }

    fn counts(proxy: u32, web: u32, backend: u32) -> NodeCounts {
        [(PROXY, proxy), (WEB, web), (BACKEND, backend)]
            .map(|(role, count)| (role.to_owned(), count))
            .into()
    }

    #[test]
    fn one_proxy_stays_and_several_need_the_others_beside_them() {
        let check = |before, after| check_scale(&before, &after).map_err(|error| error.message);
        assert_eq!(check(counts(1, 0, 0), counts(1, 0, 2)), Ok(()));
        assert_eq!(check(counts(1, 0, 0), counts(2, 1, 1)), Ok(()));
        let refused = check(counts(1, 0, 1), counts(2, 0, 1)).unwrap_err();
        assert!(refused.starts_with("Cannot add more proxy servers without"), "{refused}");
        let left = |role| Err(format!("Not enough '{role}' nodes will be left"));
        assert_eq!(check(counts(1, 1, 1), counts(0, 1, 1)), left(PROXY));
        assert_eq!(check(counts(2, 1, 1), counts(2, 0, 1)), left(WEB));
        assert_eq!(check(counts(2, 1, 1), counts(2, 1, 0)), left(BACKEND));
        assert_eq!(check(counts(1, 1, 1), counts(1, 0, 0)), Ok(()));
    }

    fn any_nodes() -> impl Strategy<Value = Vec<Node>> {
        let role = prop_oneof![Just(PROXY), Just(WEB), Just(BACKEND)];
        prop::collection::vec(role, 1..20).prop_map(|roles| {
            roles.into_iter().zip(1..).map(|(role, id)| Node::example(id, role)).collect()
        })
    }

    proptest! {
        #[test]
        fn every_role_is_served_no_node_is_idle_and_nobody_loses_its_own(nodes in any_nodes()) {
            let layout = layout(&nodes);
            for duty in [|d: &Duties| d.proxy, |d: &Duties| d.web, |d: &Duties| d.backend] {
                prop_assert!(layout.values().any(duty));
            }
            for node in &nodes {
                let duties = layout[&node.id];
                let own = match node.role.as_str() {
                    PROXY => duties.proxy,
                    WEB => duties.web,
                    _ => duties.backend,
                };
                prop_assert!(own);
            }
        }

        #[test]
        fn more_nodes_only_take_work_off_others(nodes in any_nodes(), split in 0_usize..20) {
            let few = layout(&nodes[..split.clamp(1, nodes.len())]);
            let many = layout(&nodes);
            let mut proxies = nodes.iter().filter(|node| node.role == PROXY);
            // Where no proxy was left, the first new one takes over as the host.
            prop_assume!(proxies.next().is_some_and(|first| few.contains_key(&first.id)));
            for (id, duties) in few {
                prop_assert!(duties.proxy == many[&id].proxy);
                prop_assert!(duties.web || !many[&id].web);
                prop_assert!(duties.backend || !many[&id].backend);
            }
        }

        #[test]
        fn the_order_of_the_nodes_does_not_matter(nodes in any_nodes()) {
            let mut reversed = nodes.clone();
            reversed.reverse();
            prop_assert_eq!(layout(&nodes), layout(&reversed));
        }
    }
}
