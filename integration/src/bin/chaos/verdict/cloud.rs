//! What the cloud must have.

use std::collections::BTreeSet;

use protocol::api::{Node, Volume, VolumeState};
use serde_json::Value;

use super::Looked;
use crate::cloud::CloudUser;

/// The cloud has what the nodes need, and nothing else.
pub(super) async fn same(
    cloud: &CloudUser,
    nodes: &[&Node],
    volumes: &[Volume],
    found: &mut Vec<String>,
) -> Looked<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let servers = cloud.servers().await?;
    let there: BTreeSet<String> = servers.iter().map(|server| text(&server["id"])).collect();
    let wanted: BTreeSet<String> = nodes.iter().map(|node| node.server.clone()).collect();
    if there != wanted {
        found.push(format!("the nodes have servers {wanted:?}, the cloud has {there:?}"));
    }
    let idle = servers.iter().filter(|server| server["status"] != "ACTIVE");
    found.extend(idle.map(|server| format!("server {} is {}", server["id"], server["status"])));
    let addresses = cloud.floating_ips().await?;
    let there: BTreeSet<String> =
        addresses.iter().map(|address| text(&address["floating_ip_address"])).collect();
    let wanted: BTreeSet<String> =
        nodes.iter().filter_map(|node| Some(node.public_ip?.to_string())).collect();
    if there != wanted {
        found.push(format!("the nodes have addresses {wanted:?}, the cloud gave {there:?}"));
    }
    let there: BTreeSet<String> =
        cloud.volumes().await?.iter().map(|volume| text(&volume["id"])).collect();
    let known = volumes.iter().filter(|volume| volume.state != VolumeState::Lost);
    let wanted: BTreeSet<String> = known.map(|volume| volume.volume.clone()).collect();
    if there != wanted {
        found.push(format!("the nodes have volumes {wanted:?}, the cloud has {there:?}"));
    }
    let changing = volumes
        .iter()
        .filter(|volume| matches!(volume.state, VolumeState::Creating | VolumeState::Deleting));
    found.extend(changing.map(|volume| format!("volume {} is {:?}", volume.name, volume.state)));
    if nodes.is_empty() {
        let left = cloud.security_groups().await?;
        found.extend(left.iter().map(|group| format!("security group {} is left", group["id"])));
    }
    Ok(())
}
