//! Which nodes are to come or go. Decisions only.

use protocol::api::{Node, NodeCounts, NodeState, ServiceType};
use protocol::{ApiError, NodeId};
use services::ManagerHalf;

/// The most nodes of one request, as at the director.
const MOST: u64 = 500;
/// Stands for the default role of a service.
const DEFAULT_ROLE: &str = "count";

/// The roles of a freshly started service's nodes.
pub(crate) fn initial_roles(service_type: &ServiceType) -> Vec<String> {
    let copies =
        |role: &protocol::api::Role| std::iter::repeat_n(role.name.clone(), role.initial as usize);
    service_type.roles.iter().flat_map(copies).collect()
}

/// The roles of the nodes to add, one entry a node.
pub(crate) fn roles_to_add(
    service_type: &ServiceType,
    half: &dyn ManagerHalf,
    nodes: &[Node],
    counts: &NodeCounts,
) -> Result<Vec<String>, ApiError> {
    let before = by_role(nodes);
    let mut after = before.clone();
    let mut roles = Vec::new();
    for (role, count) in positive(service_type, counts)? {
        half.may_add(&role)?;
        *after.entry(role.clone()).or_default() += count;
        roles.extend(std::iter::repeat_n(role, count as usize));
    }
    half.check_scale(&before, &after)?;
    Ok(roles)
}

/// How many nodes of each role there are.
fn by_role(nodes: &[Node]) -> NodeCounts {
    let mut counts = NodeCounts::new();
    for node in nodes {
        *counts.entry(node.role.clone()).or_default() += 1;
    }
    counts
}

/// The nodes to remove: of each role those that are lost, then the newest. One node always remains.
pub(crate) fn nodes_to_remove(
    service_type: &ServiceType,
    half: &dyn ManagerHalf,
    nodes: &[Node],
    counts: &NodeCounts,
) -> Result<Vec<NodeId>, ApiError> {
    let before = by_role(nodes);
    let mut after = before.clone();
    let mut removed: Vec<NodeId> = Vec::new();
    for (role, count) in positive(service_type, counts)? {
        half.may_remove(&role)?;
        let mut candidates: Vec<&Node> = nodes.iter().filter(|node| node.role == role).collect();
        candidates.sort_unstable_by_key(|node| (node.state == NodeState::Lost, node.id));
        let spare = nodes.len().saturating_sub(removed.len() + 1);
        let removable = candidates.len().min(spare);
        if count as usize > removable {
            let possible = match removable {
                0 => "none can be removed".to_owned(),
                some => format!("only {some} can be removed"),
            };
            return Err(ApiError::invalid(format!(
                "Requesting to delete {count} {role} nodes while {possible}"
            )));
        }
        removed.extend(candidates.into_iter().rev().take(count as usize).map(|node| node.id));
        after.entry(role).and_modify(|left| *left -= count);
    }
    half.check_scale(&before, &after)?;
    Ok(removed)
}

/// The roles with a count above zero; their names are the service's own.
fn positive(
    service_type: &ServiceType,
    counts: &NodeCounts,
) -> Result<Vec<(String, u32)>, ApiError> {
    let total: u64 = counts.values().map(|count| u64::from(*count)).sum();
    let mut positive: Vec<(String, u32)> = Vec::new();
    for (role, count) in counts {
        let role = if role == DEFAULT_ROLE {
            &service_type.roles[0].name
        } else if service_type.roles.iter().any(|known| known.name == *role) {
            role
        } else {
            let name = &service_type.name;
            return Err(ApiError::invalid(format!(
                "Wrong node type '{role}' for service type '{name}'."
            )));
        };
        // From here on no sum is too large for its type.
        if total > MOST {
            return Err(ApiError::invalid(format!("Invalid number of nodes {total}"))
                .hint(format!("at most {MOST} at once")));
        }
        if *count == 0 {
            continue;
        }
        match positive.iter_mut().find(|(known, _)| known == role) {
            Some((_, sum)) => *sum += count,
            None => positive.push((role.clone(), *count)),
        }
    }
    if positive.is_empty() {
        return Err(ApiError::invalid("Need a positive value for at least one role"));
    }
    Ok(positive)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn generic() -> (&'static ServiceType, Arc<dyn ManagerHalf>) {
        (services::service_type("generic").unwrap(), services::manager_half("generic").unwrap())
    }

    fn counts(counts: &[(&str, u32)]) -> NodeCounts {
        counts.iter().map(|(role, count)| ((*role).to_owned(), *count)).collect()
    }

    fn add(given: &[(&str, u32)]) -> Result<Vec<String>, String> {
        let (service_type, half) = generic();
        roles_to_add(service_type, &*half, &[], &counts(given)).map_err(|error| error.message)
    }

    fn remove(nodes: &[Node], given: &[(&str, u32)]) -> Result<Vec<NodeId>, String> {
        let (service_type, half) = generic();
        nodes_to_remove(service_type, &*half, nodes, &counts(given)).map_err(|error| error.message)
    }

    #[test]
    fn a_generic_service_begins_with_its_master() {
        assert_eq!(initial_roles(generic().0), ["master"]);
    }

    #[test]
    fn nodes_are_added_by_role_or_by_count() {
        assert_eq!(add(&[("count", 2)]).unwrap(), ["node", "node"]);
        assert_eq!(add(&[("node", 1), ("count", 1)]).unwrap(), ["node", "node"]);
        assert!(add(&[("master", 1)]).unwrap_err().starts_with("There is exactly one master"));
        for nothing in [&[][..], &[("node", 0)]] {
            let refusal = add(nothing).unwrap_err();
            assert_eq!(refusal, "Need a positive value for at least one role");
        }
        assert_eq!(
            add(&[("backend", 1)]).unwrap_err(),
            "Wrong node type 'backend' for service type 'generic'."
        );
        assert_eq!(
            add(&[("node", 4_000_000_000)]).unwrap_err(),
            "Invalid number of nodes 4000000000"
        );
        assert_eq!(add(&[("node", 499), ("count", 1)]).unwrap().len(), 500);
        assert_eq!(add(&[("node", 500), ("count", 1)]).unwrap_err(), "Invalid number of nodes 501");
        assert_eq!(
            add(&[("node", u32::MAX), ("count", u32::MAX)]).unwrap_err(),
            "Invalid number of nodes 8589934590"
        );
    }

    #[test]
    fn the_newest_nodes_go_first_and_the_master_never() {
        let nodes = [
            Node::example(1, "master"),
            Node::example(2, "node"),
            Node::example(5, "node"),
            Node::example(4, "node"),
        ];
        assert_eq!(remove(&nodes, &[("count", 2)]).unwrap(), [NodeId(5), NodeId(4)]);
        assert_eq!(remove(&nodes, &[("node", 3)]).unwrap().len(), 3);
        let mut lost = nodes.clone();
        lost[1].state = NodeState::Lost;
        assert_eq!(remove(&lost, &[("count", 2)]).unwrap(), [NodeId(2), NodeId(5)]);
        assert_eq!(
            remove(&nodes, &[("node", 4)]).unwrap_err(),
            "Requesting to delete 4 node nodes while only 3 can be removed"
        );
        assert_eq!(
            remove(&nodes[..1], &[("node", 1)]).unwrap_err(),
            "Requesting to delete 1 node nodes while none can be removed"
        );
        assert_eq!(remove(&nodes, &[("master", 1)]).unwrap_err(), "Cannot remove the master node.");
    }

    #[test]
    fn one_node_of_a_service_always_remains() {
        let service_type = services::service_type("helloworld").unwrap();
        let half = services::manager_half("helloworld").unwrap();
        let nodes = [Node::example(1, "node"), Node::example(2, "node")];
        let remove =
            |count| nodes_to_remove(service_type, &*half, &nodes, &counts(&[("count", count)]));
        assert_eq!(remove(1).unwrap(), [NodeId(2)]);
        assert!(remove(2).unwrap_err().message.ends_with("while only 1 can be removed"));
    }
}
