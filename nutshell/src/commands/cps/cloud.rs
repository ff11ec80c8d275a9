//! `cps cloud`.

use protocol::api::Node;

use super::{Caller, CpsError};
use crate::args::CloudCommand;
use crate::diagnostics::Exit;
use crate::printer::Table;

/// Runs one command of the group.
pub(crate) async fn run(caller: &Caller<'_>, command: CloudCommand) -> Result<Exit, CpsError> {
    match command {
        CloudCommand::List => list(caller).await,
        CloudCommand::ListResources => list_resources(caller).await,
    }
}

/// Lists the clouds.
pub(crate) async fn list(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let clouds = caller.client.cloud_list().await?;
    caller.printer.lines(&clouds, "No clouds.", String::clone);
    Ok(Exit::Success)
}

async fn list_resources(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let nodes = caller.client.node_list().await?.nodes;
    caller.printer.list(&nodes, "No existing resources.", table);
    Ok(Exit::Success)
}

fn table(nodes: &[Node]) -> Table {
    let mut table = Table::new(["rid", "app_id", "vmid", "ip", "role", "cloud"]);
    for node in nodes {
        table.row([
            node.id.0.into(),
            node.application.0.into(),
            node.server.clone().into(),
            node.address().map(|ip| ip.to_string()).unwrap_or_default().into(),
            node.role.clone().into(),
            node.cloud.clone().into(),
        ]);
    }
    table
}
