//! A copy with the director of all that the manager must not lose with its VM.
//!
//! Whoever changes a file says so ([`Keeper::touch`]); the keeper then looks through the files and
//! sends what is new. The next manager of the application begins with them ([`restore`]).

mod restore;
mod snapshot;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::api::backup::Backup;
use protocol::{ApiError, ErrorCode};
use services::ServiceError;
use tokio::sync::watch;

pub(crate) use restore::restore;

use crate::director::Director;
use snapshot::{Hashes, Snapshot};

/// What is copied, below the manager's cache: its name there, and in the paths of a backup.
const ROOTS: [&str; 3] = ["services", "code", "git"];
/// How long users wait for a director that is away to have its copy.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Keeper {
    cache: PathBuf,
    director: Director,
    /// How often something was changed.
    changes: watch::Sender<u64>,
    /// How many of these changes are dealt with, and what was refused with them.
    done: watch::Sender<(u64, Option<ApiError>)>,
}

impl Keeper {
    pub(crate) fn new(cache: &Path, director: Director) -> Arc<Self> {
        let (changes, done) = (watch::Sender::new(1), watch::Sender::new((0, None)));
        Arc::new(Self { cache: cache.to_owned(), director, changes, done })
    }

    /// A file was changed, made or removed.
    pub(crate) fn touch(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Waits until the director has all changes so far. One that is away is not waited for longer
    /// than users have patience; it gets them when it is back.
    pub(crate) async fn kept(&self) -> Result<(), ApiError> {
        let wanted = *self.changes.borrow();
        let mut done = self.done.subscribe();
        let kept = done.wait_for(|(done, _)| *done >= wanted);
        match tokio::time::timeout(PATIENCE, kept).await {
            Ok(Ok(done)) => done.1.clone().map_or(Ok(()), Err),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("the director has no copy of the latest changes yet");
                Ok(())
            }
        }
    }

    /// Sends changes for as long as the process lives.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut changes = self.changes.subscribe();
        let (mut hashes, mut last) = (Hashes::default(), None);
        loop {
            let wanted = *changes.borrow_and_update();
            let refusal = self.keep(&mut hashes, &mut last).await.err().map(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "no copy is kept");
                ApiError::from(error)
            });
            self.done.send_replace((wanted, refusal));
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Sends what differs from the last that was sent.
    async fn keep(
        &self,
        hashes: &mut Hashes,
        last: &mut Option<Backup>,
    ) -> Result<(), ServiceError> {
        loop {
            let (cache, mut known) = (self.cache.clone(), std::mem::take(hashes));
            let taken = tokio::task::spawn_blocking(move || {
                let snapshot = Snapshot::take(&cache, &mut known);
                (snapshot, known)
            });
            let (snapshot, known) = taken.await.expect("looking through files does not panic");
            *hashes = known;
            let snapshot = snapshot.map_err(ServiceError::file(&self.cache))?;
            if last.as_ref() == Some(&snapshot.backup) || self.send(&snapshot).await? {
                *last = Some(snapshot.backup);
                return Ok(());
            }
        }
    }

    /// Whether it was kept; `false` when files have changed meanwhile.
    async fn send(&self, snapshot: &Snapshot) -> Result<bool, ServiceError> {
        loop {
            let missing = self.director.keep_backup(&snapshot.backup).await?;
            if missing.is_empty() {
                return Ok(true);
            }
            for sha256 in missing {
                let Some(path) = snapshot.sources.get(&sha256) else { return Ok(false) };
                match self.director.keep_backup_file(&sha256, path).await {
                    Err(ServiceError::Refused(refusal))
                        if refusal.code == ErrorCode::InvalidRequest =>
                    {
                        return Ok(false);
                    }
                    sent => sent?,
                }
            }
        }
    }
}
