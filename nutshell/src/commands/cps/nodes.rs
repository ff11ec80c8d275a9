//! The nodes of a service: listing, adding, removing, their logs.

use protocol::api::log::LogQuery;
use protocol::api::{Node, NodeCounts, NodesAdd, NodesRemove, Service};
use protocol::{NodeId, ServiceId};

use super::{Caller, CpsError};
use crate::args::{
    AgentLog, NodePlace, NodesArgument, RequestedNodes, ServiceRef, requested_nodes,
};
use crate::diagnostics::Exit;

/// `master: node 3 with IP address 127.56.1.11`
pub(crate) fn node_line(node: &Node) -> String {
    let address = node.address().map_or_else(|| "N/A".to_owned(), |ip| ip.to_string());
    format!("{}: node {} with IP address {address}", node.role, node.id)
}

/// Lists the nodes of a service.
pub(crate) async fn list_nodes(caller: &Caller<'_>, service: ServiceId) -> Result<Exit, CpsError> {
    let nodes = caller.client.service_nodes(service).await?.nodes;
    caller.printer.lines(&nodes, "No existing nodes.", node_line);
    Ok(Exit::Success)
}

/// Users type what they like, and the director refuses it: the sum must not break before.
fn total(counts: &NodeCounts) -> u64 {
    counts.values().copied().map(u64::from).sum()
}

/// What a command asks for; which roles there are is known by the type of the service.
async fn requested(
    caller: &Caller<'_>,
    id: ServiceId,
    nodes: &NodesArgument,
) -> Result<RequestedNodes, CpsError> {
    let service_type = caller.client.service_view(id).await?.service_type;
    let types = caller.client.service_type_list().await?;
    let roles = types.into_iter().find(|kind| kind.name == service_type).map(|kind| kind.roles);
    Ok(requested_nodes(&nodes.counts, nodes.count, &roles.unwrap_or_default())?)
}

/// Adds nodes and waits for them.
pub(crate) async fn add_nodes(
    caller: &Caller<'_>,
    nodes: &NodesArgument,
    NodePlace { cloud, instance_type }: NodePlace,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(&nodes.service.service).await?;
    let RequestedNodes { counts, cloud: named } = requested(caller, id, nodes).await?;
    let add = NodesAdd { nodes: counts, cloud: cloud.or(named), instance_type };
    let total = total(&add.nodes);
    let line = format!("Starting {total} new nodes for service {id}...");
    let before = u64::from(caller.client.service_view(id).await?.nodes);
    let begin = caller.client.service_add_nodes(id, &add);
    let all_there = |service: &Service| u64::from(service.nodes) >= before + total;
    caller.watch_service(&line, begin, all_there).await
}

/// Removes nodes and waits until they are gone.
pub(crate) async fn remove_nodes(
    caller: &Caller<'_>,
    nodes: &NodesArgument,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(&nodes.service.service).await?;
    let remove = NodesRemove { nodes: requested(caller, id, nodes).await?.counts };
    let total = total(&remove.nodes);
    let line = format!("Removing {total} nodes for service {id}...");
    let before = u64::from(caller.client.service_view(id).await?.nodes);
    let begin = caller.client.service_remove_nodes(id, &remove);
    let all_gone = |service: &Service| u64::from(service.nodes) + total <= before;
    caller.watch_service(&line, begin, all_gone).await
}

/// Lists the logs that a node offers.
pub(crate) async fn list_agent_logs(
    caller: &Caller<'_>,
    service: &ServiceRef,
    node: NodeId,
) -> Result<Exit, CpsError> {
    let id = caller.service_id(service).await?;
    let query = LogQuery { node: Some(node), lines: Some(0), ..LogQuery::default() };
    let log = caller.client.service_logs(id, &query).await?;
    caller.printer.lines(&log.available, "No existing logs.", String::clone);
    Ok(Exit::Success)
}

/// Prints a log of a node.
pub(crate) async fn get_agent_log(caller: &Caller<'_>, wanted: AgentLog) -> Result<Exit, CpsError> {
    let AgentLog { service, node, file, lines } = wanted;
    let id = caller.service_id(&service.service).await?;
    let query = LogQuery { node: Some(node), name: file, lines };
    caller.printer.log(&caller.client.service_logs(id, &query).await?);
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_counts_are_too_large_to_add() {
        let counts = ["web", "backend"].map(|role| (role.to_owned(), u32::MAX));
        assert_eq!(total(&counts.into()), 2 * u64::from(u32::MAX));
    }
}
