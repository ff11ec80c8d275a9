//! Work of several steps that survives the director.
//!
//! An operation is recorded, together with what it works on, before its first step; each step is
//! recorded before it is done. So whatever instant a director is killed at, the next one knows what
//! may be half done, and finishes or undoes it:
//!
//! ```text
//!            ┌────── each step ──────┐
//!   running ─┴─► … ─► all done ─► done
//!      │ a step fails (or a restart, when nobody waits for the result any more)
//!      ▼
//!   unwinding ─ undo of each step that may have had an effect, last first ─► failed
//! ```
//!
//! Steps and undos may therefore run again, and must find out what is left to do. An undo that
//! fails is tried again by the reconciler, and so are removals: they have no undo.

pub(crate) mod application_delete;
pub(crate) mod application_start;
pub(crate) mod application_stop;
pub(crate) mod manifest_deploy;
pub(crate) mod nodes_create;
pub(crate) mod nodes_delete;
mod run;
mod server;
pub(crate) mod service_delete;
pub(crate) mod volume;
pub(crate) mod volume_create;
pub(crate) mod volume_delete;

pub(crate) use server::{TAG_APPLICATION, TAG_INSTALLATION, TAG_NODE};

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{ApiError, ApplicationId, OperationId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tokio::sync::broadcast;

use crate::app::{App, Error, Result};
use crate::db;
use crate::db::Writer;

/// A kind of operation; its value is what one of them works on, which never changes.
pub(crate) trait Operation: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Its name in the record.
    const KIND: &'static str;
    /// What becomes of it when something goes wrong.
    const NATURE: Nature;
    /// What is to be done, in this order.
    const STEPS: &'static [Step<Self>];
}

/// What becomes of an operation that does not go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Goes on after a restart; undone when a step fails.
    Resumed,
    /// Undone when a step fails, and after a restart: whoever asked for it no longer waits.
    Unwound,
    /// Tried again until it succeeds.
    Insistent,
}

type Run<P> = for<'a> fn(&'a App, &'a P) -> BoxFuture<'a, Result<()>>;
type RunNth<P> = for<'a> fn(&'a App, &'a P, usize) -> BoxFuture<'a, Result<()>>;
type Undo<P> = for<'a> fn(&'a App, &'a P, &'a ApiError) -> BoxFuture<'a, Result<()>>;

/// One step. It may run again after it has had its effect.
pub(crate) struct Step<P: 'static> {
    name: &'static str,
    work: Work<P>,
    /// Leaves no trace of the step, whether it was done, half done or not done.
    undo: Undo<P>,
}

/// What a step does.
enum Work<P: 'static> {
    /// Nothing: it was done when the operation was recorded.
    Recorded,
    Once(Run<P>),
    /// As many steps as the parameters say, one after another.
    Each {
        times: fn(&P) -> usize,
        run: RunNth<P>,
    },
}

impl<P> Step<P> {
    /// A step that leaves nothing to undo.
    const fn new(name: &'static str, run: Run<P>) -> Self {
        Self { name, work: Work::Once(run), undo: nothing }
    }

    /// What the record itself brought, in the transaction that began the operation.
    const fn recorded(name: &'static str, undo: Undo<P>) -> Self {
        Self { name, work: Work::Recorded, undo }
    }

    /// A step that is undone in its own way.
    const fn undoable(name: &'static str, run: Run<P>, undo: Undo<P>) -> Self {
        Self { name, work: Work::Once(run), undo }
    }

    /// Steps of one kind, which leave nothing to undo by themselves.
    const fn each(name: &'static str, times: fn(&P) -> usize, run: RunNth<P>) -> Self {
        Self { name, work: Work::Each { times, run }, undo: nothing }
    }

    fn times(&self, parameters: &P) -> usize {
        match self.work {
            Work::Recorded | Work::Once(_) => 1,
            Work::Each { times, .. } => times(parameters),
        }
    }

    fn run<'a>(&self, app: &'a App, parameters: &'a P, nth: usize) -> BoxFuture<'a, Result<()>> {
        match self.work {
            Work::Recorded => futures::future::ready(Ok(())).boxed(),
            Work::Once(run) => run(app, parameters),
            Work::Each { run, .. } => run(app, parameters, nth),
        }
    }
}

fn nothing<'a, P>(_: &'a App, _: &'a P, _: &'a ApiError) -> BoxFuture<'a, Result<()>> {
    futures::future::ready(Ok(())).boxed()
}

/// Has a say after every step of every operation, `(kind, step)`: how often the step is to be done
/// once more, or that it failed.
#[derive(Clone)]
pub(crate) struct Overseer(pub(crate) Arc<Oversee>);

type Oversee = dyn Fn(&str, &str) -> Result<u32> + Send + Sync;

impl fmt::Debug for Overseer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Overseer")
    }
}

/// The operations that this director is working on.
#[derive(Debug)]
pub(crate) struct Operations {
    running: Mutex<HashSet<OperationId>>,
    ended: broadcast::Sender<OperationId>,
    progressed: broadcast::Sender<OperationId>,
}

impl Default for Operations {
    fn default() -> Self {
        Self {
            running: Mutex::default(),
            ended: broadcast::channel(1024).0,
            progressed: broadcast::channel(1024).0,
        }
    }
}

impl Operations {
    /// Hears of every operation whose record changes.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<OperationId> {
        self.progressed.subscribe()
    }

    fn running(&self) -> MutexGuard<'_, HashSet<OperationId>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation that is recorded, once its transaction is committed.
#[must_use = "it is recorded; it should also run"]
pub(crate) struct Begun<P> {
    id: OperationId,
    parameters: P,
}

impl<P: Operation> Begun<P> {
    /// Records the parameters of the operation that was inserted in this transaction.
    async fn record(tx: &mut Writer, id: OperationId, parameters: P) -> Result<Self> {
        let text = serde_json::to_string(&parameters).expect("ids and names are always JSON");
        db::operation::set_parameters(tx, id, &text).await?;
        Ok(Self { id, parameters })
    }

    pub(crate) fn parameters(&self) -> &P {
        &self.parameters
    }

    /// Does the work beside the caller.
    pub(crate) fn run(self, app: &App) -> OperationId {
        run::spawn(app, self.id, self.parameters, 0, None);
        self.id
    }
}

/// Inserts the record of a new operation, whose parameters are not known yet.
async fn insert<P: Operation>(
    tx: &mut Writer,
    application: ApplicationId,
    now: OffsetDateTime,
) -> Result<OperationId> {
    Ok(db::operation::insert(tx, application, P::KIND, now).await?)
}

impl App {
    /// Waits until the operation is over, or is given up for now.
    pub(crate) async fn operation_await(&self, id: OperationId) -> Result<()> {
        use protocol::api::OperationState;
        let mut ended = self.operations.ended.subscribe();
        while self.operations.running().contains(&id) {
            tokio::select! {
                () = crate::app::event::heard(&mut ended, |ended| *ended == id) => {}
                () = self.shutdown.cancelled() => return Err(Error::ShuttingDown),
            }
        }
        let found = db::operation::view(&mut *self.db.read().await?, id).await?;
        let record = found.ok_or_else(|| Error::not_found("operation", id))?;
        match record.operation.state {
            OperationState::Done => Ok(()),
            OperationState::Running | OperationState::Unwinding | OperationState::Failed => {
                Err(Error::Passed(record.failure()))
            }
        }
    }

    /// Waits until no operation that began before this one works on the application.
    async fn earlier_operations_end(
        &self,
        application: ApplicationId,
        id: OperationId,
    ) -> Result<()> {
        let mut ended = self.operations.ended.subscribe();
        loop {
            let mut connection = self.db.read().await?;
            if !db::operation::earlier_under_way(&mut connection, application, id).await? {
                return Ok(());
            }
            drop(connection);
            crate::app::event::heard(&mut ended, |_| true).await;
        }
    }

    /// Works on every operation that is recorded and that nobody works on: at a start of the
    /// director those of the last one, later those that were given up for a while.
    pub(crate) async fn operations_take_up(&self, after_restart: bool) -> Result<()> {
        let under_way = db::operation::list_under_way(&mut *self.db.read().await?).await?;
        for record in under_way {
            run::take_up(self, record, after_restart);
        }
        Ok(())
    }
}
