//! Holds everything still for a moment, so that what is on disk belongs together.

use std::path::Path;

use futures::future::join_all;
use tokio::sync::{OwnedMutexGuard, RwLockWriteGuard};

use super::{Cloud, chain};
use crate::backends::BackendError;
use crate::model::ServerId;
use crate::model::life::State;
use crate::regions::Regions;
use crate::snapshot::{self, SnapshotError};

/// What holds a cloud still, apart from its frozen servers: they have to be told to go on.
struct Stillness<'a> {
    frozen: Vec<ServerId>,
    freezing: Result<(), BackendError>,
    _turns: Vec<OwnedMutexGuard<()>>,
    _removals: RwLockWriteGuard<'a, ()>,
}

impl Regions {
    /// Writes all regions to a file. Servers stand still meanwhile, as in a snapshot of virtual
    /// machines, and nothing is removed; requests are answered.
    pub(crate) async fn snapshot(&self, file: &Path) -> Result<(), SnapshotError> {
        if !self.all().all(|cloud| cloud.backend.is_in_state_dir()) {
            return Err(SnapshotError::Elsewhere);
        }
        let mut still = join_all(self.all().map(|cloud| cloud.hold_still())).await;
        let frozen = still.iter_mut().map(|it| std::mem::replace(&mut it.freezing, Ok(())));
        let written = match frozen.collect::<Result<(), _>>() {
            Ok(()) => snapshot::write(&self.home().state_dir, file).await,
            Err(error) => Err(SnapshotError::Freeze(Box::new(error))),
        };
        for (cloud, still) in self.all().zip(&still) {
            cloud.go_on(&still.frozen).await;
        }
        written
    }
}

impl Cloud {
    async fn hold_still(&self) -> Stillness<'_> {
        let ids: Vec<ServerId> = self.read().servers.iter().map(|server| server.id).collect();
        let mut turns = Vec::with_capacity(ids.len());
        for id in &ids {
            turns.push(self.turns.begin(*id).await);
        }
        // After the turns: who has one may be removing something.
        let removals = self.removals.write().await;
        let (frozen, freezing) = self.freeze(ids).await;
        Stillness { frozen, freezing, _turns: turns, _removals: removals }
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

    async fn go_on(&self, frozen: &[ServerId]) {
        for id in frozen {
            if let Err(error) = self.backend.pause(id.0, false).await {
                tracing::warn!(server = %id, error = chain(&error), "failed to go on");
            }
        }
    }
}
