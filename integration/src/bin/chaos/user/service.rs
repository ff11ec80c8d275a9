//! What the user does to one service.

use protocol::api::generic::{ScriptExecute, VolumeAdd, VolumeName};
use protocol::api::{NodesAdd, NodesRemove, Service, ServiceStart, State};
use protocol::client::DirectorClient;
use protocol::{ClientError, ServiceId};
use serde_json::Value;
use tokio::time::timeout;

use super::{PATIENCE, User, pick, told};
use crate::oracle::{Told, effect};
use crate::plan::Action;

impl User {
    pub(super) async fn change_service(
        &mut self,
        client: &DirectorClient,
        action: Action,
        which: usize,
        patient: bool,
    ) -> Option<Told> {
        use Action::{AddNodes, DeleteService, RemoveNodes, RenameService};
        use Action::{StartService, StopService};
        let id = self.service(which)?;
        let count = |nodes| [("count".to_owned(), nodes)].into();
        let answer = match action {
            StartService(_) => client.service_start(id, &ServiceStart::default()).await,
            StopService(_) => client.service_stop(id).await,
            AddNodes(_, nodes) => {
                client
                    .service_add_nodes(id, &NodesAdd { nodes: count(nodes), ..Default::default() })
                    .await
            }
            RemoveNodes(_, nodes) => {
                client.service_remove_nodes(id, &NodesRemove { nodes: count(nodes) }).await
            }
            DeleteService(_) => {
                let told = told(&client.service_delete(id).await);
                self.services.get_mut(&id)?.expected.after(told, effect::delete);
                return Some(told);
            }
            RenameService(_) => {
                let name = format!("renamed {}", self.told.iter().sum::<u32>());
                let told = told(&client.service_rename(id, &name).await);
                self.services.get_mut(&id)?.name.after(told, |_| name.clone());
                return Some(told);
            }
            _ => return Some(told(&use_service(client, id, action).await?)),
        };
        let told = told(&answer);
        let expected = &mut self.services.get_mut(&id)?.expected;
        let became = match (answer, patient) {
            // Whatever goes wrong meanwhile is what this is about.
            (Ok(service), true) => {
                let stable = timeout(PATIENCE, client.service_await_stable(service)).await;
                stable.ok().and_then(Result::ok)
            }
            _ => None,
        };
        match (action, &became) {
            (StartService(_), _) => expected.after(told, effect::start),
            (StopService(_), _) => expected.after(told, effect::stop),
            (AddNodes(_, nodes), Some(_)) => expected.after(told, effect::add(nodes)),
            // A failure is told where the next success is.
            (AddNodes(_, nodes), None) => {
                let unseen = if told == Told::Accepted { Told::Nothing } else { told };
                expected.after(unseen, effect::add(nodes));
            }
            (RemoveNodes(_, nodes), _) => expected.after(told, effect::remove(nodes)),
            _ => {}
        }
        if let Some(Service { state: State::Running, nodes, reason: Some(_), .. }) = became {
            expected.seen(nodes);
        }
        Some(told)
    }
}

/// What leaves the service as it is; nothing when there is nothing to do it with.
async fn use_service(
    client: &DirectorClient,
    id: ServiceId,
    action: Action,
) -> Option<Result<Value, ClientError>> {
    let (method, parameters) = match action {
        Action::CreateVolume(which) => {
            let nodes = client.service_nodes(id).await.ok()?.nodes;
            let nodes: Vec<_> = nodes.iter().map(|node| node.id).collect();
            let add =
                VolumeAdd { name: format!("v{which}"), size_mib: 1, node: pick(&nodes, which)? };
            ("create_volume", serde_json::to_value(add))
        }
        Action::DeleteVolume(which) => {
            let volumes = client.service_volumes(id).await.ok()?.volumes;
            let volume = volumes.get(which.checked_rem(volumes.len())?)?;
            ("delete_volume", serde_json::to_value(VolumeName { name: volume.name.clone() }))
        }
        Action::Run(_) => ("run", serde_json::to_value(ScriptExecute::default())),
        _ => ("interrupt", serde_json::to_value(ScriptExecute::default())),
    };
    let parameters = parameters.expect("plain data is always JSON");
    Some(client.service_command(id, method, &parameters).await)
}
