//! How busy the nodes of a service and its manager are.

use futures::TryStreamExt;
use protocol::ServiceId;
use protocol::api::usage::{ServiceUsage, UsageHistory};
use serde_json::json;

use super::{Caller, CpsError};
use crate::diagnostics::Exit;
use crate::printer::Table;

/// Prints the latest measurement of each VM; as JSON, the last hour.
pub(crate) async fn get_usage(caller: &Caller<'_>, service: ServiceId) -> Result<Exit, CpsError> {
    let usage: ServiceUsage = caller.client.service_query(service, "get_usage", &json!({})).await?;
    caller.printer.answer(&usage, |usage| table(usage).render());
    Ok(Exit::Success)
}

/// Prints the same as Prometheus reads it.
pub(crate) async fn get_metrics(caller: &Caller<'_>, service: ServiceId) -> Result<Exit, CpsError> {
    let metrics = caller.client.service_download(service, "get_metrics", &json!({})).await?;
    let content: Vec<_> = metrics
        .content
        .try_collect()
        .await
        .map_err(CpsError::file("receive", "get_metrics".as_ref()))?;
    caller.printer.data_bytes(&content.concat());
    Ok(Exit::Success)
}

fn table(usage: &ServiceUsage) -> Table {
    let mut table =
        Table::new(["node", "cpu %", "memory MiB", "disk MiB", "received MiB", "sent MiB"]);
    let nodes = usage.nodes.iter().map(|(node, history)| (node.to_string(), history));
    for (name, history) in std::iter::once(("manager".to_owned(), &usage.manager)).chain(nodes) {
        if let Some(row) = row(name, history) {
            table.row(row.map(Into::into));
        }
    }
    table
}

fn row(name: String, history: &UsageHistory) -> Option<[String; 6]> {
    let usage = history.samples.last()?;
    let of = |used: u64, total: u64| format!("{} of {}", used >> 20, total >> 20);
    Some([
        name,
        format!("{:.0}", usage.cpu_percent),
        of(usage.memory_used, usage.memory_total),
        of(usage.disk_used, usage.disk_total),
        (usage.network_received >> 20).to_string(),
        (usage.network_sent >> 20).to_string(),
    ])
}
