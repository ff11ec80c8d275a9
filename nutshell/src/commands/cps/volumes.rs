//! Volumes of a Generic service: create, list, delete.

use protocol::api::generic::{VolumeAdd, VolumeName};
use protocol::api::{Volume, Volumes};
use protocol::{NodeId, ServiceId};
use serde_json::{Value, json};

use super::{Caller, CpsError};
use crate::args::ServiceRef;
use crate::diagnostics::Exit;
use crate::printer::Table;

/// The service of that type which has what is meant: the one that is named, or, as in the original,
/// one of the application that is named.
async fn service_with(
    caller: &Caller<'_>,
    named: &ServiceRef,
    kind: &str,
    is_meant: impl AsyncFn(ServiceId) -> Result<bool, CpsError>,
) -> Result<ServiceId, CpsError> {
    let service = caller.service_of(named, kind).await;
    if let Ok(id) = service
        && is_meant(id).await?
    {
        return Ok(id);
    }
    let Ok(application) = named.to_string().parse();
    if let Ok(application) = caller.application(&application).await {
        for other in caller.client.service_list().await? {
            let belongs = other.application == application.id && other.service_type == kind;
            if belongs && is_meant(other.id).await? {
                return Ok(other.id);
            }
        }
    }
    // What the director says of the one that is named.
    service
}

/// The service that has the node.
pub(crate) async fn service_with_node(
    caller: &Caller<'_>,
    named: &ServiceRef,
    kind: &str,
    node: NodeId,
) -> Result<ServiceId, CpsError> {
    let has_node = async |id| {
        let nodes = caller.client.service_nodes(id).await?.nodes;
        Ok(nodes.iter().any(|known| known.id == node))
    };
    service_with(caller, named, kind, has_node).await
}

/// The service that has the volume.
pub(crate) async fn service_with_volume(
    caller: &Caller<'_>,
    named: &ServiceRef,
    kind: &str,
    name: &str,
) -> Result<ServiceId, CpsError> {
    let has_volume = async |id| {
        let volumes = caller.client.service_volumes(id).await?.volumes;
        Ok(volumes.iter().any(|known| known.name == name))
    };
    service_with(caller, named, kind, has_volume).await
}

/// Makes a volume for a node.
pub(crate) async fn create_volume(
    caller: &Caller<'_>,
    service: ServiceId,
    add: VolumeAdd,
) -> Result<Exit, CpsError> {
    let text = format!("Creating volume '{}' and attaching it to node '{}'...", add.name, add.node);
    let spinner = caller.printer.spinner(&text);
    let creating = caller.client.service_command::<Volume>(service, "create_volume", &add);
    let volume = spinner.watch(creating).await?;
    drop(spinner);
    caller.printer.answer(&volume, |volume| {
        format!("Volume '{}' is at /media/{} of node {}", volume.name, volume.name, volume.node)
    });
    Ok(Exit::Success)
}

/// Lists the volumes.
pub(crate) async fn list_volumes(
    caller: &Caller<'_>,
    service: ServiceId,
) -> Result<Exit, CpsError> {
    let volumes: Volumes = caller.client.service_query(service, "list_volumes", &json!({})).await?;
    caller.printer.list(&volumes.volumes, "No existing storage volumes.", table);
    Ok(Exit::Success)
}

fn table(volumes: &[Volume]) -> Table {
    let mut table = Table::new(["aid", "sid", "vol_name", "vol_size", "agent_id", "cloud"]);
    for volume in volumes {
        table.row([
            volume.application.to_string().into(),
            volume.service.to_string().into(),
            volume.name.clone().into(),
            volume.size_mib.to_string().into(),
            volume.node.to_string().into(),
            volume.cloud.clone().into(),
        ]);
    }
    table
}

/// Takes a volume from its node, with all that is on it.
pub(crate) async fn delete_volume(
    caller: &Caller<'_>,
    service: ServiceId,
    name: String,
) -> Result<Exit, CpsError> {
    let name = VolumeName { name };
    let spinner =
        caller.printer.spinner(&format!("Detaching volume '{}' and deleting it...", name.name));
    let deleting = caller.client.service_command::<Value>(service, "delete_volume", &name);
    spinner.watch(deleting).await?;
    drop(spinner);
    caller.printer.answer(&name, |name| format!("Volume '{}' deleted", name.name));
    Ok(Exit::Success)
}
