//! Calls to the applications' managers.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::api::internal::ServiceAdd;
use protocol::api::{Application, Node, State};
use protocol::client::ManagerClient;
use protocol::tls::{Holder, Trust};
use protocol::{ApplicationId, ClientError, Identity, MANAGER_PORT};
use tokio::sync::watch;

use super::{App, Error, Result, error};
use crate::db;

/// How long a manager may take to answer what it should answer at once.
pub(crate) const PROMPT: Duration = Duration::from_secs(30);
/// How long a manager may take for work of its services, users' scripts included.
pub(crate) const PATIENT: Duration = Duration::from_secs(3600);
/// How soon a manager that did not answer is asked again, should it not say itself that it listens.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The connections to managers, one for each application.
#[derive(Debug)]
pub(crate) struct Managers {
    trust: Trust,
    holder: Arc<Holder>,
    clients: Mutex<HashMap<ApplicationId, (Ipv4Addr, ManagerClient)>>,
    /// Changes whenever a manager says that it listens.
    returned: watch::Sender<()>,
}

impl Managers {
    pub(crate) fn new(trust: Trust, holder: Arc<Holder>) -> Self {
        Self { trust, holder, clients: Mutex::default(), returned: watch::Sender::new(()) }
    }

    /// The client of the application's manager; it believes that manager and nobody else.
    fn client(&self, application: ApplicationId, address: Ipv4Addr) -> Result<ManagerClient> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = clients.get(&application)
            && *known == address
        {
            return Ok(client.clone());
        }
        let identity = Identity::Manager { application };
        let http =
            self.trust.client(identity, Some(Arc::clone(&self.holder))).map_err(Error::Trust)?;
        let client = ManagerClient::new(http, &format!("https://{address}:{MANAGER_PORT}"));
        clients.insert(application, (address, client.clone()));
        Ok(client)
    }

    pub(crate) fn forget(&self, application: ApplicationId) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(&application);
    }
}

impl App {
    /// The manager of an application that runs; a clear refusal when it does not.
    ///
    /// One that does not answer may be on its way back: after a restart of everything, users come
    /// before its VM has booted. It is waited for until it says that it listens, but not for long.
    pub(crate) async fn manager(&self, application: &Application) -> Result<ManagerClient> {
        check_running(application)?;
        let manager = self.manager_unchecked(application)?;
        let mut returns = self.managers.returned.subscribe();
        let answers = async {
            while call(application.id, PROMPT, manager.check_process()).await.is_err() {
                // It may never have ended, and have nothing to say.
                let _ = tokio::time::timeout(ASK_AGAIN, returns.changed()).await;
            }
        };
        // The call itself tells what is wrong with one that does not come back.
        let _ = tokio::time::timeout(self.tuning.return_timeout, answers).await;
        Ok(manager)
    }

    /// A manager says that it listens.
    pub(crate) fn manager_listens(&self) {
        self.managers.returned.send_replace(());
    }

    /// The manager at whatever address is known, in whatever state.
    pub(crate) fn manager_unchecked(&self, application: &Application) -> Result<ManagerClient> {
        let address = application
            .manager
            .ok_or(Error::ManagerUnreachable { application: application.id, source: None })?;
        self.managers.client(application.id, address)
    }

    /// The manager in a node.
    pub(crate) fn manager_at(&self, node: &Node) -> Result<ManagerClient> {
        let application = node.application;
        let missing = Error::ManagerUnreachable { application, source: None };
        self.managers.client(application, node.address().ok_or(missing)?)
    }

    /// Has the manager look after all services of the application. It also asks by itself: one
    /// that cannot be told now is told later.
    pub(crate) async fn services_push(&self, id: ApplicationId) -> Result<()> {
        let mut connection = self.db.read().await?;
        let Some(record) = db::application::view(&mut connection, id).await? else {
            return Ok(());
        };
        let services = db::service::list_of_application(&mut connection, id).await?;
        drop(connection);
        let manager = self.manager_unchecked(&record.application)?;
        for service in services.into_iter().filter(|service| !service.deleting) {
            let service = service.service;
            let add = ServiceAdd { service: service.id, service_type: service.service_type };
            if let Err(error) = call(id, PROMPT, manager.add_service(&add)).await {
                tracing::warn!(
                    service = %service.id,
                    error = error::chain(&error),
                    "failed to tell a manager of a service"
                );
            }
        }
        Ok(())
    }
}

/// Waits for a manager's answer, for so long.
pub(crate) async fn call<T>(
    application: ApplicationId,
    limit: Duration,
    answer: impl Future<Output = Result<T, ClientError>>,
) -> Result<T> {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failure(application, error)),
        Err(_) => Err(Error::ManagerTimeout { application, seconds: limit.as_secs() }),
    }
}

/// What a failed call to a manager means.
pub(crate) fn failure(application: ApplicationId, error: ClientError) -> Error {
    match error {
        ClientError::Api(told) => Error::Passed(told),
        source => Error::ManagerUnreachable { application, source: Some(source) },
    }
}

/// Refuses when the application has no manager at work, and says what to do.
pub(crate) fn check_running(application: &Application) -> Result<()> {
    let id = application.id;
    let hint = match application.state {
        State::Running | State::Adapting => return Ok(()),
        State::Init | State::Stopped => format!("start it: `cps application start {id}`"),
        State::Prologue => "wait until it runs".to_owned(),
        State::Epilogue => format!("wait until it has stopped, then `cps application start {id}`"),
        State::Error => {
            format!("`cps application stop {id}`, then `cps application start {id}`")
        }
    };
    Err(Error::wrong_state(application, hint))
}
