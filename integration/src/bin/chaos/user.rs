//! The user: asks for things, and remembers what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use integration::archive;
use protocol::api::code::{CodeUpload, CodeUploaded, CodeVersionName};
use protocol::api::generic::ScriptExecute;
use protocol::api::{
    Application, ApplicationCreate, NodesAdd, NodesRemove, Service, ServiceCreate, ServiceStart,
    State,
};
use protocol::client::DirectorClient;
use protocol::{ApplicationId, ClientError, ServiceId};
use serde_json::Value;
use tokio::time::timeout;

use crate::oracle::{Expectation, Told, effect};
use crate::plan::Action;

/// How long the user waits for what was accepted.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the user knows.
#[derive(Debug, Default)]
pub(crate) struct User {
    pub(crate) services: BTreeMap<ServiceId, Known>,
    pub(crate) applications: Vec<ApplicationId>,
    /// Services that may have been made, for all the user knows.
    pub(crate) maybe_services: usize,
    /// What was accepted, refused, and never answered.
    pub(crate) told: [u32; 3],
}

/// A service that the user made.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) application: ApplicationId,
    pub(crate) expected: Expectation,
}

fn told<T>(result: &Result<T, ClientError>) -> Told {
    match result {
        Ok(_) => Told::Accepted,
        Err(error) => match error.api() {
            Some(error) if !error.code.is_passing() => Told::Refused,
            _ => Told::Nothing,
        },
    }
}

impl User {
    /// Asks for one thing; waits for what becomes of it when asked to.
    pub(crate) async fn act(&mut self, client: &DirectorClient, action: Action, patient: bool) {
        let told = match action {
            Action::CreateApplication => {
                let answer = client.application_create(&ApplicationCreate::default()).await;
                if let Ok(application) = &answer {
                    self.applications.push(application.id);
                }
                told(&answer)
            }
            Action::CreateService(which) => self.create_service(client, which, patient).await,
            Action::StartApplication(which) => {
                let Some(id) = pick(&self.applications, which) else { return };
                let answer = client.application_start(id, None).await;
                settle(client, answer.as_ref().ok(), patient).await;
                told(&answer)
            }
            Action::StopApplication(which) => {
                let Some(id) = pick(&self.applications, which) else { return };
                let answer = client.application_stop(id).await;
                settle(client, answer.as_ref().ok(), patient).await;
                self.application_after(id, told(&answer), effect::stop)
            }
            Action::DeleteApplication(which) => {
                let Some(id) = pick(&self.applications, which) else { return };
                let told = told(&client.application_delete(id).await);
                if told == Told::Accepted {
                    self.applications.retain(|known| *known != id);
                }
                self.application_after(id, told, effect::delete)
            }
            Action::StartService(_)
            | Action::StopService(_)
            | Action::DeleteService(_)
            | Action::AddNodes(..)
            | Action::RemoveNodes(..)
            | Action::Upload(_)
            | Action::Run(_)
            | Action::Interrupt(_) => {
                let Some(told) = self.change_service(client, action, patient).await else { return };
                told
            }
        };
        self.told[told as usize] += 1;
    }

    async fn create_service(
        &mut self,
        client: &DirectorClient,
        which: usize,
        patient: bool,
    ) -> Told {
        let application = pick(&self.applications, which);
        let create = ServiceCreate {
            service_type: "generic".to_owned(),
            application,
            name: None,
            cloud: None,
        };
        let answer = client.service_create(&create).await;
        let told = told(&answer);
        match &answer {
            Ok(created) => {
                let application = created.application.id;
                if !self.applications.contains(&application) {
                    self.applications.push(application);
                }
                let known = Known { application, expected: Expectation::new() };
                self.services.insert(created.service.id, known);
                settle(client, Some(&created.application), patient).await;
            }
            Err(_) if told == Told::Nothing => self.maybe_services += 1,
            Err(_) => {}
        }
        told
    }

    async fn change_service(
        &mut self,
        client: &DirectorClient,
        action: Action,
        patient: bool,
    ) -> Option<Told> {
        use Action::{AddNodes, DeleteService, Interrupt, RemoveNodes, Run};
        use Action::{StartService, StopService, Upload};
        let (StartService(which)
        | StopService(which)
        | DeleteService(which)
        | AddNodes(which, _)
        | RemoveNodes(which, _)
        | Upload(which)
        | Run(which)
        | Interrupt(which)) = action
        else {
            return None;
        };
        let living = self.services.iter().filter(|(_, known)| !known.expected.is_gone());
        let living: Vec<ServiceId> = living.map(|(id, _)| *id).collect();
        let id = pick(&living, which)?;
        let count = |nodes| [("count".to_owned(), nodes)].into();
        let answer = match action {
            StartService(_) => client.service_start(id, &ServiceStart::default()).await,
            StopService(_) => client.service_stop(id).await,
            AddNodes(_, nodes) => {
                client.service_add_nodes(id, &NodesAdd { nodes: count(nodes), cloud: None }).await
            }
            RemoveNodes(_, nodes) => {
                client.service_remove_nodes(id, &NodesRemove { nodes: count(nodes) }).await
            }
            DeleteService(_) => {
                let told = told(&client.service_delete(id).await);
                self.services.get_mut(&id)?.expected.after(told, effect::delete);
                return Some(told);
            }
            _ => return Some(told(&use_service(client, id, action).await)),
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

    fn application_after(
        &mut self,
        id: ApplicationId,
        told: Told,
        effect: impl Fn(crate::oracle::Outcome) -> crate::oracle::Outcome,
    ) -> Told {
        for known in self.services.values_mut().filter(|known| known.application == id) {
            known.expected.after(told, &effect);
        }
        told
    }
}

/// What leaves the service as it is.
async fn use_service(
    client: &DirectorClient,
    id: ServiceId,
    action: Action,
) -> Result<Value, ClientError> {
    match action {
        Action::Upload(_) => {
            let content = archive::tar_gz(&[("run.sh", "#!/bin/sh\necho it runs\n")]);
            let upload = CodeUpload {
                filename: "code.tar.gz".to_owned(),
                description: String::new(),
                strip: false,
            };
            let uploaded: CodeUploaded =
                client.service_upload(id, "upload_code", &upload, content.into()).await?;
            let name = CodeVersionName { code_version: uploaded.code_version };
            client.service_command(id, "enable_code", &name).await
        }
        Action::Run(_) => client.service_command(id, "run", &ScriptExecute::default()).await,
        _ => client.service_command(id, "interrupt", &ScriptExecute::default()).await,
    }
}

/// Waits until nothing is under way in the application.
async fn settle(client: &DirectorClient, application: Option<&Application>, patient: bool) {
    if let (Some(application), true) = (application, patient) {
        let stable = |application: &Application| {
            application.state.is_stable() && application.state != State::Init
        };
        let stable = client.application_await(application.clone(), stable);
        let _ = timeout(PATIENCE, stable).await;
    }
}

fn pick<T: Copy>(from: &[T], which: usize) -> Option<T> {
    from.get(which.checked_rem(from.len())?).copied()
}
