//! The cloud at work: carries out what the model decides, and writes down what it decided.

mod addresses;
mod capacity;
mod capture;
mod failure;
mod freeze;
mod guard;
mod identity;
mod image_trees;
mod images;
mod interfaces;
mod names;
mod reading;
mod reverting;
mod servers;
#[cfg(test)]
mod tests;
mod turns;
mod volumes;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::backends::Backend;
use crate::builder::Borrowed;
use crate::clock::Clock;
use crate::control::Steering;
use crate::credentials::Credentials;
use crate::ec2;
use crate::image::unpack::Limits;
use crate::model::{AccessKeyPair, Model};
use crate::network::Network;
use crate::passwords::Passwords;
use crate::regions::Place;
use crate::settings::{Settings, UserSettings};
use crate::store::{Store, StoreError, Written};
use crate::world::Pair;

pub(crate) use capacity::capacity;
pub(crate) use failure::{Failure, chain};
use guard::Guard;
pub(crate) use image_trees::Tree;
pub(crate) use images::Content;
pub(crate) use reading::Reading;
pub(crate) use turns::Turns;

/// How long work under way may delay the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// A running cloud, without its listener.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// The cloud of the home region, unless this is it.
    home: Option<Arc<Cloud>>,
    /// Where all regions are, the home region first.
    pub(crate) places: Arc<[Place]>,
    /// The address of the API, as in `http://127.0.0.1:5000`.
    pub(crate) api_url: String,
    /// The region's name.
    pub(crate) region: String,
    /// The users of the settings; the home region has all.
    pub(crate) users: Vec<UserSettings>,
    /// How long a token is valid.
    pub(crate) token_lifetime: Duration,
    /// How long an answer may wait for the work it began.
    pub(crate) patience: Duration,
    /// Where everything is kept.
    pub(crate) state_dir: PathBuf,
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
    /// What someone does to it from outside its APIs.
    pub(crate) steering: Steering,
    /// Who knows it may do that, in all regions.
    pub(crate) control_token: String,
    model: RwLock<Model>,
    store: Store,
    clock: Arc<dyn Clock>,
    pub(crate) network: Arc<dyn Network>,
    pub(crate) turns: Turns,
    guard: Guard,
    /// Told when a server came or went.
    names_changed: tokio::sync::Notify,
    tasks: TaskTracker,
    /// Held by what removes data that no server has; a snapshot lets none of it begin.
    removals: tokio::sync::RwLock<()>,
    /// Held while a floating IP moves, so that model and network agree on the order.
    moving: tokio::sync::Mutex<()>,
    /// Given back last: the backend works in it until then.
    borrowed: Mutex<Borrowed>,
}

/// What a cloud is put together of, besides what is chosen.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The address of its API.
    pub(crate) api_url: String,
    /// Where all regions are, the home region first.
    pub(crate) places: Arc<[Place]>,
    /// The cloud of the home region, unless this is it.
    pub(crate) home: Option<Arc<Cloud>>,
    /// What runs servers, and what makes their addresses answer.
    pub(crate) pair: Pair,
    /// What it knows.
    pub(crate) model: Model,
    /// Where that is kept.
    pub(crate) store: Store,
    /// What is given back when it is gone.
    pub(crate) borrowed: Borrowed,
}

impl Cloud {
    /// Puts the cloud of a region together.
    pub(crate) fn new(settings: &Settings, parts: Parts) -> Arc<Self> {
        let Parts { api_url, places, home, pair: (backend, network), model, store, borrowed } =
            parts;
        let control_token = match &home {
            Some(home) => home.control_token.clone(),
            None => Uuid::new_v4().simple().to_string(),
        };
        Arc::new(Self {
            home,
            places,
            api_url,
            region: settings.region.clone(),
            users: settings.all_users().cloned().collect(),
            token_lifetime: settings.token_lifetime,
            patience: settings.patience,
            state_dir: settings.state_dir.clone(),
            image_dir: settings.state_dir.join("images"),
            image_limits: settings.image_limits,
            image_size_max: settings.image_size_max,
            passwords: Passwords::new(),
            backend,
            going_down: CancellationToken::new(),
            steering: Steering::new(settings),
            control_token,
            model: RwLock::new(model),
            store,
            clock: Arc::clone(&settings.clock),
            network,
            guard: Guard::default(),
            turns: Turns::default(),
            names_changed: tokio::sync::Notify::new(),
            tasks: TaskTracker::new(),
            removals: tokio::sync::RwLock::default(),
            moving: tokio::sync::Mutex::new(()),
            borrowed: Mutex::new(borrowed),
        })
    }

    /// What clients call `OS_AUTH_URL`.
    pub(crate) fn auth_url(&self) -> String {
        format!("{}/v3", self.api_url)
    }

    /// What clients of the EC2 API call `AWS_ENDPOINT_URL_EC2`.
    pub(crate) fn ec2_url(&self) -> String {
        format!("{}{}", self.api_url, ec2::PATH)
    }

    /// The oldest key of a user for the EC2 API.
    pub(crate) fn access_key(&self, user: &str) -> Option<AccessKeyPair> {
        let model = self.identity().read();
        let user = model.user_named(user)?.id;
        model.access_keys_of(user).next().map(|key| key.pair.clone())
    }

    /// What a user of the settings needs to use the cloud.
    pub(crate) fn credentials(&self, user: &str) -> Option<Credentials> {
        let home = self.identity();
        let user = home.users.iter().find(|known| known.name == user)?;
        Some(Credentials {
            auth_url: home.auth_url(),
            username: user.name.clone(),
            password: user.password.clone(),
            project: user.project.clone(),
            region: self.region.clone(),
            ec2_url: self.ec2_url(),
            access_key: self.access_key(&user.name)?,
        })
    }

    /// The time now.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Waits until it is `when` by the cloud's clock.
    pub(crate) async fn until(&self, when: OffsetDateTime) {
        self.clock.until(when).await;
    }

    /// Moves the cloud's clock forward.
    pub(crate) fn advance_clock(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// The model, to be read: see [`Reading`].
    pub(crate) fn read(&self) -> Reading<'_> {
        Reading::of(&self.model)
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
        let working = self.steering.gate.enter();
        self.tasks.spawn(async move {
            let _working = working;
            work.await
        })
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

    /// Gives back what the cloud borrowed, even if some connection or slow work still knows it.
    pub(crate) fn give_back(&self) {
        drop(std::mem::take(&mut *self.borrowed.lock().unwrap_or_else(PoisonError::into_inner)));
    }
}
