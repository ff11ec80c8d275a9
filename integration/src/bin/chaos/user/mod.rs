//! The user: asks for things, and remembers what came of it.

mod code;
mod deployment;
mod service;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use integration::developer::Developer;
use protocol::api::{Application, ApplicationCreate, ServiceCreate, State};
use protocol::client::DirectorClient;
use protocol::{ApplicationId, ClientError, CodeVersionId, OperationId, ServiceId};
use tokio::time::timeout;

use crate::oracle::{Expectation, Outcome, Possible, Told, effect};
use crate::plan::Action;

/// How long the user waits for what was accepted.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the user knows.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) services: BTreeMap<ServiceId, KnownService>,
    pub(crate) applications: BTreeMap<ApplicationId, KnownApplication>,
    /// Deployments that may go on, with the nodes that each asks for.
    deployments: BTreeMap<OperationId, u32>,
    /// Services that may have been made, for all the user knows.
    pub(crate) maybe_services: usize,
    /// What was accepted, refused, and never answered.
    pub(crate) told: [u32; 3],
    developer: Developer,
}

/// A service that the user made.
#[derive(Debug)]
pub(crate) struct KnownService {
    pub(crate) application: ApplicationId,
    pub(crate) expected: Expectation,
    pub(crate) name: Possible<String>,
    /// Code that was uploaded and must be there.
    pub(crate) uploaded: BTreeSet<CodeVersionId>,
}

impl KnownService {
    fn new(service: &protocol::api::Service, outcome: Outcome) -> Self {
        Self {
            application: service.application,
            expected: Expectation::only(outcome),
            name: Possible::only(service.name.clone()),
            uploaded: BTreeSet::new(),
        }
    }
}

/// An application that the user made.
#[derive(Debug)]
pub(crate) struct KnownApplication {
    pub(crate) name: Possible<String>,
    /// Whether the user's key may be used there.
    pub(crate) key: Possible<bool>,
    /// Code that was pushed and must be there.
    pub(crate) pushed: BTreeSet<CodeVersionId>,
}

impl KnownApplication {
    fn new(application: &Application) -> Self {
        Self {
            name: Possible::only(application.name.clone()),
            key: Possible::only(false),
            pushed: BTreeSet::new(),
        }
    }
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
    /// A user who has nothing yet, and a directory for work of their own.
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            services: BTreeMap::new(),
            applications: BTreeMap::new(),
            deployments: BTreeMap::new(),
            maybe_services: 0,
            told: [0; 3],
            developer: Developer::new(directory),
        }
    }

    /// Asks for one thing; waits for what becomes of it when asked to.
    pub(crate) async fn act(&mut self, client: &DirectorClient, action: Action, patient: bool) {
        let told = match action {
            Action::CreateApplication => {
                let answer = client.application_create(&ApplicationCreate::default()).await;
                if let Ok(application) = &answer {
                    self.applications.insert(application.id, KnownApplication::new(application));
                }
                Some(told(&answer))
            }
            Action::CreateService(which) => Some(self.create_service(client, which, patient).await),
            Action::Deploy(nodes) => Some(self.deploy(client, nodes, patient).await),
            Action::StartApplication(which)
            | Action::StopApplication(which)
            | Action::DeleteApplication(which)
            | Action::RenameApplication(which) => {
                self.change_application(client, action, which, patient).await
            }
            Action::StartService(which)
            | Action::StopService(which)
            | Action::DeleteService(which)
            | Action::RenameService(which)
            | Action::AddNodes(which, _)
            | Action::RemoveNodes(which, _)
            | Action::CreateVolume(which)
            | Action::DeleteVolume(which)
            | Action::Run(which)
            | Action::Interrupt(which) => self.change_service(client, action, which, patient).await,
            Action::Upload(which)
            | Action::UploadKey(which)
            | Action::DeleteKey(which)
            | Action::Push(which) => self.change_code(client, action, which).await,
        };
        if let Some(told) = told {
            self.told[told as usize] += 1;
        }
    }

    async fn create_service(
        &mut self,
        client: &DirectorClient,
        which: usize,
        patient: bool,
    ) -> Told {
        let create = ServiceCreate {
            service_type: "generic".to_owned(),
            application: self.application(which),
            name: None,
            cloud: None,
        };
        let answer = client.service_create(&create).await;
        let told = told(&answer);
        match &answer {
            Ok(created) => {
                let application = &created.application;
                let known = || KnownApplication::new(application);
                self.applications.entry(application.id).or_insert_with(known);
                let service = &created.service;
                self.services.insert(service.id, KnownService::new(service, Outcome::New));
                settle(client, Some(application), patient).await;
            }
            Err(_) if told == Told::Nothing => self.maybe_services += 1,
            Err(_) => {}
        }
        told
    }

    async fn change_application(
        &mut self,
        client: &DirectorClient,
        action: Action,
        which: usize,
        patient: bool,
    ) -> Option<Told> {
        let id = self.application(which)?;
        Some(match action {
            Action::StartApplication(_) => {
                let answer = client.application_start(id, None).await;
                settle(client, answer.as_ref().ok(), patient).await;
                told(&answer)
            }
            Action::StopApplication(_) => {
                let answer = client.application_stop(id).await;
                settle(client, answer.as_ref().ok(), patient).await;
                self.application_after(id, told(&answer), effect::stop)
            }
            Action::RenameApplication(_) => {
                let name = format!("renamed {}", self.told.iter().sum::<u32>());
                let told = told(&client.application_rename(id, &name).await);
                self.applications.get_mut(&id)?.name.after(told, |_| name.clone());
                told
            }
            _ => {
                let told = told(&client.application_delete(id).await);
                if told == Told::Accepted {
                    self.applications.remove(&id);
                }
                self.application_after(id, told, effect::delete)
            }
        })
    }

    fn application_after(
        &mut self,
        id: ApplicationId,
        told: Told,
        effect: impl Fn(Outcome) -> Outcome,
    ) -> Told {
        for known in self.services.values_mut().filter(|known| known.application == id) {
            known.expected.after(told, &effect);
        }
        told
    }

    fn application(&self, which: usize) -> Option<ApplicationId> {
        let ids: Vec<ApplicationId> = self.applications.keys().copied().collect();
        pick(&ids, which)
    }

    /// One of the services that are there for all the user knows.
    fn service(&self, which: usize) -> Option<ServiceId> {
        let living = self.services.iter().filter(|(_, known)| !known.expected.is_gone());
        let living: Vec<ServiceId> = living.map(|(id, _)| *id).collect();
        pick(&living, which)
    }

    /// Deletes everything.
    pub(crate) async fn leave(&mut self, client: &DirectorClient) -> Result<(), ClientError> {
        for application in client.application_list().await? {
            client.application_delete(application.id).await?;
        }
        for known in self.services.values_mut() {
            known.expected.after(Told::Accepted, effect::delete);
        }
        self.maybe_services = 0;
        Ok(())
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
