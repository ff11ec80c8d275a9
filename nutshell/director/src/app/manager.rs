//! Calls to the applications' managers.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::api::internal::ServiceAdd;
use protocol::api::{Application, State};
use protocol::client::ManagerClient;
use protocol::tls::{Holder, Trust};
use protocol::{ApplicationId, ClientError, Identity, MANAGER_PORT};

use super::{App, Error, Result, error};
use crate::db;

/// How long a manager may take to answer what it should answer at once.
pub(crate) const PROMPT: Duration = Duration::from_secs(30);
/// How long a manager may take for work of its services.
pub(crate) const PATIENT: Duration = Duration::from_secs(300);

/// The connections to managers, one for each application.
#[derive(Debug)]
pub(crate) struct Managers {
    trust: Trust,
    holder: Arc<Holder>,
    clients: Mutex<HashMap<ApplicationId, (Ipv4Addr, ManagerClient)>>,
}

impl Managers {
    pub(crate) fn new(trust: Trust, holder: Arc<Holder>) -> Self {
        Self { trust, holder, clients: Mutex::default() }
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
    pub(crate) fn manager(&self, application: &Application) -> Result<ManagerClient> {
        check_running(application)?;
        self.manager_unchecked(application)
    }

    /// The manager at whatever address is known, in whatever state.
    pub(crate) fn manager_unchecked(&self, application: &Application) -> Result<ManagerClient> {
        let address = application
            .manager
            .ok_or(Error::ManagerUnreachable { application: application.id, source: None })?;
        self.managers.client(application.id, address)
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
