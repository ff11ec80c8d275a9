//! Turns: work on one server never overlaps, work on different servers does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::model::ServerId;

/// The turns of all servers.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    servers: Mutex<HashMap<ServerId, Arc<Turn>>>,
}

/// One server's turn, and how many pieces of work it has seen.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    lock: Arc<tokio::sync::Mutex<()>>,
    runs: AtomicU64,
}

impl Turns {
    /// The turn of a server.
    pub(crate) fn of(&self, id: ServerId) -> Arc<Turn> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(servers.entry(id).or_default())
    }

    /// Forgets a server that is gone.
    pub(crate) fn forget(&self, id: ServerId) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl Turn {
    /// Waits for the turn to do some work.
    pub(crate) async fn begin(&self) -> OwnedMutexGuard<()> {
        let guard = Arc::clone(&self.lock).lock_owned().await;
        self.runs.fetch_add(1, Ordering::Relaxed);
        guard
    }

    /// Waits until no work is under way; nothing when more work came meanwhile, because news from
    /// before it is old.
    pub(crate) async fn unless_worked(&self) -> Option<OwnedMutexGuard<()>> {
        let seen = self.runs.load(Ordering::Relaxed);
        let guard = Arc::clone(&self.lock).lock_owned().await;
        (self.runs.load(Ordering::Relaxed) == seen).then_some(guard)
    }
}
