//! The cloud at work: carries out what the model decides, and writes down what it decided.

mod addresses;
mod capture;
mod failure;
mod guard;
mod image_trees;
mod images;
mod names;
mod servers;
#[cfg(test)]
mod tests;
mod turns;
mod volumes;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backends::Backend;
use crate::clock::Clock;
use crate::image::unpack::Limits;
use crate::model::Model;
use crate::network::Network;
use crate::passwords::Passwords;
use crate::store::{Store, StoreError, Written};

pub(crate) use failure::{Failure, chain};
use guard::Guard;
pub(crate) use image_trees::Tree;
use turns::Turns;

/// How long work under way may delay the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// A running cloud, without its listener.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// The address of the API, as in `http://127.0.0.1:5000`.
    pub(crate) api_url: String,
    /// The region's name.
    pub(crate) region: String,
    /// How long a token is valid.
    pub(crate) token_lifetime: Duration,
    /// How long an answer may wait for the work it began.
    pub(crate) patience: Duration,
    /// Where the content of uploaded images is.
    pub(crate) image_dir: PathBuf,
    /// The largest image that may be uploaded, in bytes.
    pub(crate) image_size_max: u64,
    /// How large a root file system may be that a user uploads.
    image_limits: Limits,
    /// Passwords that were right.
    pub(crate) passwords: Passwords,
    /// What runs the servers.
    pub(crate) backend: Arc<dyn Backend>,
    /// Cancelled when the cloud goes down: from then on nothing that ends is news.
    pub(crate) going_down: CancellationToken,
    model: RwLock<Model>,
    store: Store,
    clock: Arc<dyn Clock>,
    network: Arc<dyn Network>,
    guard: Guard,
    turns: Turns,
    /// Told when a server came or went.
    names_changed: tokio::sync::Notify,
    tasks: TaskTracker,
    /// Held while a floating IP moves, so that model and network agree on the order.
    moving: tokio::sync::Mutex<()>,
}

/// What a [`Cloud`] is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The address of the API.
    pub(crate) api_url: String,
    /// The region's name.
    pub(crate) region: String,
    /// How long a token is valid.
    pub(crate) token_lifetime: Duration,
    /// How long an answer may wait for the work it began.
    pub(crate) patience: Duration,
    /// Where the content of uploaded images is.
    pub(crate) image_dir: PathBuf,
    /// The largest image that may be uploaded, in bytes.
    pub(crate) image_size_max: u64,
    /// How large a root file system may be that a user uploads.
    pub(crate) image_limits: Limits,
    /// What runs the servers.
    pub(crate) backend: Arc<dyn Backend>,
    /// What makes addresses answer.
    pub(crate) network: Arc<dyn Network>,
    /// What the cloud knows.
    pub(crate) model: Model,
    /// Where that is written down.
    pub(crate) store: Store,
    /// What time it is.
    pub(crate) clock: Arc<dyn Clock>,
}

impl Cloud {
    /// Puts a cloud together.
    pub(crate) fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            api_url: parts.api_url,
            region: parts.region,
            token_lifetime: parts.token_lifetime,
            patience: parts.patience,
            image_dir: parts.image_dir,
            image_size_max: parts.image_size_max,
            image_limits: parts.image_limits,
            passwords: Passwords::new(),
            backend: parts.backend,
            going_down: CancellationToken::new(),
            model: RwLock::new(parts.model),
            store: parts.store,
            clock: parts.clock,
            network: parts.network,
            guard: Guard::default(),
            turns: Turns::default(),
            names_changed: tokio::sync::Notify::new(),
            tasks: TaskTracker::new(),
            moving: tokio::sync::Mutex::new(()),
        })
    }

    /// The time now.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The model, to be read. The guard must not live across an `await`.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Model> {
        self.model.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the model decide, and comes back when its decision is on disk and the network follows
    /// the security groups.
    pub(crate) async fn change<T, E: From<StoreError>>(
        &self,
        decide: impl FnOnce(&mut Model, OffsetDateTime) -> Result<T, E>,
    ) -> Result<T, E> {
        let (decision, written) = self.decide(decide);
        written.wait().await?;
        self.enforce_or_warn().await;
        decision
    }

    /// Lets the model decide; the decision is queued for the disk.
    pub(crate) fn decide<T>(
        &self,
        decide: impl FnOnce(&mut Model, OffsetDateTime) -> T,
    ) -> (T, Written) {
        let now = self.now();
        let mut model = self.model.write().unwrap_or_else(PoisonError::into_inner);
        let decision = decide(&mut model, now);
        let changes = model.take_changes();
        if !changes.is_empty() {
            model.revision += 1;
        }
        self.guard.note(&changes);
        (decision, self.store.write(changes))
    }

    /// Runs work that the cloud waits for when it goes down.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn(work)
    }

    /// Ends all servers and waits for work under way; what was running is recorded as running.
    pub(crate) async fn power_off(&self) {
        self.going_down.cancel();
        self.backend.power_off().await;
        self.tasks.close();
        if tokio::time::timeout(FAREWELL, self.tasks.wait()).await.is_err() {
            tracing::warn!("left work undone; the next start takes it up");
        }
    }
}
