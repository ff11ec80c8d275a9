//! Turns: work on one server never overlaps, work on different servers does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::model::ServerId;

/// The turns of all servers.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    servers: Mutex<HashMap<ServerId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for a server's turn, which lasts as long as the guard does.
    pub(crate) async fn begin(&self, id: ServerId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(servers.entry(id).or_default())
        };
        turn.lock_owned().await
    }

    /// Forgets a server that is gone.
    pub(crate) fn forget(&self, id: ServerId) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}
