//! Holds everything still for a moment, so that what is on disk belongs together.

use std::path::Path;

use super::{Cloud, chain};
use crate::backends::BackendError;
use crate::model::ServerId;
use crate::model::life::State;
use crate::snapshot::{self, SnapshotError};

impl Cloud {
    /// Writes the whole cloud to a file. Servers stand still meanwhile, as in a snapshot of
    /// virtual machines, and nothing is removed; requests are answered.
    pub(crate) async fn snapshot(&self, file: &Path) -> Result<(), SnapshotError> {
        if !self.backend.is_in_state_dir() {
            return Err(SnapshotError::Elsewhere);
        }
        let ids: Vec<ServerId> = self.read().servers.iter().map(|server| server.id).collect();
        let mut turns = Vec::with_capacity(ids.len());
        for id in &ids {
            turns.push(self.turns.begin(*id).await);
        }
        // After the turns: who has one may be removing something.
        let _removals = self.removals.write().await;
        let (frozen, freezing) = self.freeze(ids).await;
        let written = match freezing {
            Ok(()) => snapshot::write(&self.state_dir, file).await,
            Err(error) => Err(SnapshotError::Freeze(Box::new(error))),
        };
        for id in frozen {
            if let Err(error) = self.backend.pause(id.0, false).await {
                tracing::warn!(server = %id, error = chain(&error), "failed to go on");
            }
        }
        written
    }

    /// Freezes the servers that run; gives those that are frozen even if one cannot be.
    async fn freeze(&self, ids: Vec<ServerId>) -> (Vec<ServerId>, Result<(), BackendError>) {
        let mut frozen = Vec::new();
        for id in ids {
            let active = |state| matches!(state, Some(State::Active));
            let state = self.read().servers.get(id).map(|server| server.state);
            if !active(state) || !self.backend.runs(id.0).await {
                continue;
            }
            if let Err(error) = self.backend.pause(id.0, true).await {
                return (frozen, Err(error));
            }
            frozen.push(id);
        }
        (frozen, Ok(()))
    }
}
