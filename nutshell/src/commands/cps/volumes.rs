//! Volumes of a Generic service: create, list, delete.

use protocol::ServiceId;
use protocol::api::generic::{VolumeAdd, VolumeName};
use protocol::api::{Volume, Volumes};
use serde_json::{Value, json};

use super::{Caller, CpsError};
use crate::diagnostics::Exit;
use crate::printer::Table;

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
