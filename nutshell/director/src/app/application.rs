//! Applications.
//!
//! ```text
//!   INIT ──start──► PROLOGUE ──manager ready──► RUNNING
//!    ▲ created         │  └─failed─► ERROR         │ stop, from any state
//!    │                 └──stop──► EPILOGUE ◄───────┘
//!    └─ never again               │ all VMs are gone
//!                                 ▼
//!                              STOPPED ──start──► PROLOGUE
//! ```
//!
//! The state is that of the manager. ERROR keeps what is left until it is stopped.

use std::time::Duration;

use protocol::api::{Application, ApplicationCreate, Event, State};
use protocol::{ApplicationId, UserId};
use tokio::time::Instant;

use super::{App, Error, Result, event, name};
use crate::db;
use crate::db::{Reader, Writer};
use crate::operations::application_delete::ApplicationDelete;
use crate::operations::application_start::ApplicationStart;
use crate::operations::application_stop::ApplicationStop;

/// The name of an application whose user gave none.
const DEFAULT_NAME: &str = "New Application";

/// What to do when an application is to be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartDecision {
    /// Make its manager.
    Start,
    /// It is starting already.
    UnderWay,
    /// It runs.
    Runs,
    /// Not before it has stopped.
    AfterStop,
}

/// Decides by the state and by whether any VM is left.
pub(crate) fn start_decision(state: State, nodes_left: bool) -> StartDecision {
    match state {
        State::Init | State::Stopped => StartDecision::Start,
        State::Prologue => StartDecision::UnderWay,
        State::Running | State::Adapting => StartDecision::Runs,
        State::Epilogue => StartDecision::AfterStop,
        State::Error if nodes_left => StartDecision::AfterStop,
        State::Error => StartDecision::Start,
    }
}

impl App {
    pub(crate) async fn application_list(&self, user: UserId) -> Result<Vec<Application>> {
        Ok(db::application::list(&mut *self.db.read().await?, user).await?)
    }

    pub(crate) async fn application_view(
        &self,
        user: UserId,
        id: ApplicationId,
    ) -> Result<Application> {
        let mut connection: Reader = self.db.read().await?;
        application_of(&mut connection, user, id).await
    }

    /// The application, once its revision is above `after` or `wait` is over.
    pub(crate) async fn application_changed(
        &self,
        user: UserId,
        id: ApplicationId,
        after: u64,
        wait: Duration,
    ) -> Result<Application> {
        let mut events = self.events.subscribe();
        let deadline = Instant::now() + wait;
        loop {
            let application = self.application_view(user, id).await?;
            if application.revision > after {
                return Ok(application);
            }
            let changed = event::heard(&mut events, |published| {
                event::concerns_application(&published.event, id)
            });
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep_until(deadline) => return Ok(application),
                () = self.shutdown.cancelled() => return Ok(application),
            }
        }
    }

    pub(crate) async fn application_create(
        &self,
        user: UserId,
        create: ApplicationCreate,
    ) -> Result<Application> {
        let mut tx = self.db.write().await?;
        let id = insert(&mut tx, user, create.name.as_deref(), self.now()).await?;
        let application = application_of(&mut tx, user, id).await?;
        tx.commit().await?;
        self.publish_application(id).await;
        Ok(application)
    }

    pub(crate) async fn application_rename(
        &self,
        user: UserId,
        id: ApplicationId,
        wanted: &str,
    ) -> Result<Application> {
        let wanted = name::check(wanted)?;
        let mut tx = self.db.write().await?;
        application_of(&mut tx, user, id).await?;
        let others = db::application::list(&mut tx, user).await?;
        if others.iter().any(|other| other.id != id && other.name == wanted) {
            return Err(Error::NameTaken(wanted.to_owned()));
        }
        db::application::rename(&mut tx, id, wanted).await?;
        let application = application_of(&mut tx, user, id).await?;
        tx.commit().await?;
        self.publish_application(id).await;
        Ok(application)
    }

    /// Begins to make the manager; answers in PROLOGUE.
    pub(crate) async fn application_start(
        &self,
        user: UserId,
        id: ApplicationId,
        cloud: Option<&str>,
    ) -> Result<Application> {
        let cloud = self.cloud_name(cloud)?;
        let mut tx = self.db.write().await?;
        let application = application_of(&mut tx, user, id).await?;
        if application.state == State::Running {
            let hint = "it needs no start; its services are started by `cps service start`";
            return Err(Error::wrong_state(&application, hint));
        }
        let begun = self.application_begin_start(&mut tx, user, &application, &cloud).await?;
        let application = application_of(&mut tx, user, id).await?;
        tx.commit().await?;
        if let Some(begun) = begun {
            begun.run(self);
            self.publish_application(id).await;
            self.publish_credits(user).await;
        }
        Ok(application)
    }

    /// Sees to it that the application runs or is starting; what is returned is to be run once the
    /// transaction is committed.
    pub(crate) async fn application_begin_start(
        &self,
        tx: &mut Writer,
        user: UserId,
        application: &Application,
        cloud: &str,
    ) -> Result<Option<crate::operations::Begun<ApplicationStart>>> {
        let nodes = db::node::list_of_application(tx, application.id).await?;
        match start_decision(application.state, !nodes.is_empty()) {
            StartDecision::UnderWay | StartDecision::Runs => Ok(None),
            StartDecision::AfterStop if application.state == State::Error => {
                let id = application.id;
                let hint = format!("remove what is left of it: `cps application stop {id}`");
                Err(Error::wrong_state(application, hint))
            }
            StartDecision::AfterStop => {
                Err(Error::wrong_state(application, "wait until it has stopped"))
            }
            StartDecision::Start => {
                super::credit::check(tx, user, 1).await?;
                ApplicationStart::begin(tx, self, user, application.id, cloud).await.map(Some)
            }
        }
    }

    /// Begins to remove all VMs; answers in EPILOGUE.
    pub(crate) async fn application_stop(
        &self,
        user: UserId,
        id: ApplicationId,
    ) -> Result<Application> {
        self.application_stop_because(user, id, None).await
    }

    /// The same, with what its user reads about it afterwards.
    pub(super) async fn application_stop_because(
        &self,
        user: UserId,
        id: ApplicationId,
        reason: Option<&str>,
    ) -> Result<Application> {
        let mut tx = self.db.write().await?;
        let application = application_of(&mut tx, user, id).await?;
        match application.state {
            State::Init | State::Stopped | State::Epilogue => return Ok(application),
            State::Prologue | State::Running | State::Adapting | State::Error => {}
        }
        let begun = ApplicationStop::begin(&mut tx, id, reason, self.now()).await?;
        let application = application_of(&mut tx, user, id).await?;
        tx.commit().await?;
        begun.run(self);
        self.publish_application(id).await;
        Ok(application)
    }

    /// Removes the application with all that belongs to it; answers when it is gone.
    pub(crate) async fn application_delete(&self, user: UserId, id: ApplicationId) -> Result<()> {
        let mut tx = self.db.write().await?;
        application_of(&mut tx, user, id).await?;
        let begun = ApplicationDelete::begin(&mut tx, user, id, self.now()).await?;
        tx.commit().await?;
        let operation = begun.run(self);
        self.publish_application(id).await;
        self.operation_await(operation).await
    }

    /// Waits until the application is in no state that passes by itself.
    pub(crate) async fn application_settled(
        &self,
        user: UserId,
        id: ApplicationId,
    ) -> Result<Application> {
        let deadline = Instant::now() + self.tuning.ready_timeout;
        let mut application = self.application_view(user, id).await?;
        // One that is being stopped settles nothing that its caller could wait for: what stops it may
        // itself wait for the caller.
        while matches!(application.state, State::Prologue | State::Adapting)
            && Instant::now() < deadline
        {
            let left = deadline - Instant::now();
            application = self.application_changed(user, id, application.revision, left).await?;
            if self.shutdown.is_cancelled() {
                return Err(Error::ShuttingDown);
            }
        }
        Ok(application)
    }

    /// Tells that the application is gone.
    pub(crate) async fn application_gone(&self, user: UserId, id: ApplicationId) {
        self.managers.forget(id);
        self.publish_deleted(user, Event::ApplicationDeleted { id }).await;
    }
}

/// A new application; a name that was not given is made up.
pub(super) async fn insert(
    tx: &mut Writer,
    user: UserId,
    wanted: Option<&str>,
    now: time::OffsetDateTime,
) -> Result<ApplicationId> {
    let taken: Vec<String> =
        db::application::list(tx, user).await?.into_iter().map(|other| other.name).collect();
    let name = match wanted {
        None => name::free(DEFAULT_NAME, &taken),
        Some(wanted) => {
            let wanted = name::check(wanted)?;
            if taken.iter().any(|other| other == wanted) {
                return Err(Error::NameTaken(wanted.to_owned()));
            }
            wanted.to_owned()
        }
    };
    Ok(db::application::insert(tx, user, &name, now).await?)
}

/// The application, when it is this user's; nobody learns of others'.
pub(super) async fn application_of(
    connection: &mut sqlx::SqliteConnection,
    user: UserId,
    id: ApplicationId,
) -> Result<Application> {
    match db::application::view(connection, id).await? {
        Some(record) if record.user == user => Ok(record.application),
        _ => Err(Error::not_found("application", id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_starts_when_nothing_of_it_is_left() {
        use StartDecision::{AfterStop, Runs, Start, UnderWay};
        for (state, without_nodes, with_nodes) in [
            (State::Init, Start, Start),
            (State::Prologue, UnderWay, UnderWay),
            (State::Running, Runs, Runs),
            (State::Adapting, Runs, Runs),
            (State::Epilogue, AfterStop, AfterStop),
            (State::Stopped, Start, Start),
            (State::Error, Start, AfterStop),
        ] {
            assert_eq!(start_decision(state, false), without_nodes, "{state}");
            assert_eq!(start_decision(state, true), with_nodes, "{state}");
        }
    }
}
