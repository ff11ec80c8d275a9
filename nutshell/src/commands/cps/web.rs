//! What the groups of web hosting services have in common: where the application is, and how the
//! nodes fare.

use protocol::ServiceId;
use protocol::api::web::{DaemonStatus, Deployment, NodeStatuses};
use serde_json::json;

use super::{Caller, CpsError};
use crate::diagnostics::Exit;

/// Prints what each node does, and how its programs fare.
pub(crate) async fn get_daemon_status(
    caller: &Caller<'_>,
    service: ServiceId,
) -> Result<Exit, CpsError> {
    let statuses: NodeStatuses =
        caller.client.service_query(service, "get_daemon_status", &json!({})).await?;
    caller.printer.answer(&statuses, describe_nodes);
    Ok(Exit::Success)
}

/// The code version at work; then `settings`, if there are any; then the addresses.
pub(crate) fn describe(deployment: &Deployment, settings: &str) -> String {
    let version = deployment.code_version.as_ref().map(|version| version.id.as_str());
    let mut text = format!("codeVersionId: {}{settings}", version.unwrap_or("none"));
    for url in &deployment.urls {
        text.push_str(&format!("\nurl: {url}/"));
    }
    text
}

fn describe_nodes(statuses: &NodeStatuses) -> String {
    if statuses.nodes.is_empty() {
        return "No existing nodes.".to_owned();
    }
    let nodes = statuses.nodes.iter().map(|(node, status)| {
        let daemons: String = status.daemons.iter().map(describe_daemon).collect();
        format!("node {node}: {}{daemons}", status.roles.join(", "))
    });
    nodes.collect::<Vec<_>>().join("\n")
}

fn describe_daemon(daemon: &DaemonStatus) -> String {
    let state = if daemon.running { "running" } else { "not running" };
    let restarts = match (daemon.restarts, daemon.last_exit) {
        (0, _) => String::new(),
        (times, None) => format!(", restarted {times} times"),
        (times, Some(status)) => format!(", restarted {times} times, last after exit {status}"),
    };
    format!("\n  {}: {state}{restarts}", daemon.name)
}

#[cfg(test)]
mod tests {
    use protocol::NodeId;
    use protocol::api::web::NodeStatus;

    use super::*;

    #[test]
    fn nodes_are_printed_with_their_roles_and_programs() {
        let daemon = |restarts, last_exit| DaemonStatus {
            name: "proxy".to_owned(),
            running: true,
            restarts,
            last_exit,
        };
        let roles = vec!["proxy".to_owned(), "web".to_owned()];
        let status = NodeStatus { roles, daemons: vec![daemon(0, None), daemon(2, Some(137))] };
        let statuses = NodeStatuses { nodes: [(NodeId(4), status)].into() };
        assert_eq!(
            describe_nodes(&statuses),
            "node 4: proxy, web\n  proxy: running\n  proxy: running, restarted 2 times, last after exit 137"
        );
    }
}
