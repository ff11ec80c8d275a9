//! `cps cloud`.

use protocol::api::{Cloud, CloudState, Node};

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
    let clouds = caller.client.cloud_details().await?;
    caller.printer.list(&clouds, "No clouds.", clouds_table);
    for cloud in &clouds {
        if let Some(reason) = &cloud.reason {
            caller.printer.warn(reason.clone());
        }
    }
    Ok(Exit::Success)
}

fn clouds_table(clouds: &[Cloud]) -> Table {
    let mut table = Table::new(["cloud", "kind", "state", "instance types"]);
    for cloud in clouds {
        let state = match cloud.state {
            CloudState::Ready => "ready",
            CloudState::Failing => "failing",
        };
        let types: Vec<&str> = cloud.instance_types.iter().map(|one| one.name.as_str()).collect();
        table.row([
            cloud.name.clone().into(),
            cloud.kind.clone().into(),
            state.into(),
            shortened(&types).into(),
        ]);
    }
    table
}

/// The first of them, and how many more there are: some clouds have hundreds.
fn shortened(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let mut text = names[..names.len().min(SHOWN)].join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}

async fn list_resources(caller: &Caller<'_>) -> Result<Exit, CpsError> {
    let nodes = caller.client.node_list().await?.nodes;
    caller.printer.list(&nodes, "No existing resources", table);
    Ok(Exit::Success)
}

fn table(nodes: &[Node]) -> Table {
    let mut table = Table::new(["rid", "app_id", "vmid", "ip", "role", "cloud", "type"]);
    for node in nodes {
        table.row([
            node.id.0.into(),
            node.application.0.into(),
            node.server.clone().into(),
            node.address().map(|ip| ip.to_string()).unwrap_or_default().into(),
            node.role.clone().into(),
            node.cloud.clone().into(),
            node.instance_type.clone().into(),
        ]);
    }
    table
}
