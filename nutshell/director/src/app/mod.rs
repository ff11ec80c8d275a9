//! What the director decides: one file a resource, nothing of HTTP.

pub(crate) mod application;
pub(crate) mod backup;
pub(crate) mod clouds;
pub(crate) mod credit;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod history;
pub(crate) mod identity_provider;
pub(crate) mod login_limit;
pub(crate) mod manager;
pub(crate) mod manifest;
pub(crate) mod name;
pub(crate) mod node;
pub(crate) mod password;
pub(crate) mod security_group;
pub(crate) mod service;
pub(crate) mod service_method;
pub(crate) mod session;
pub(crate) mod startup_script;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod vm;
pub(crate) mod volume;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cloud::Cloud;
use protocol::api::DEFAULT_CLOUD;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use error::{Error, Result};

use crate::backups::Backups;
use crate::ca::Authority;
use crate::clock::Clock;
use crate::db::Database;
use crate::fetch::FetchSettings;
use crate::operations::{Operations, Overseer};

/// What may differ between a real director and one under test.
#[derive(Debug, Clone)]
pub(crate) struct Tuning {
    pub(crate) clock: Clock,
    /// How long a manager or agent may take from its server's creation to its report.
    pub(crate) ready_timeout: Duration,
    /// How long a manager that does not answer is waited for: it may be on its way back.
    pub(crate) return_timeout: Duration,
    /// How often the reconciler looks, when nobody asks it to.
    pub(crate) reconcile_every: Duration,
    /// Whether what the cloud loses is replaced.
    pub(crate) replace_lost: bool,
    /// Has a say after every step of every operation.
    pub(crate) overseer: Option<Overseer>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            ready_timeout: Duration::from_secs(300),
            return_timeout: Duration::from_secs(15),
            reconcile_every: Duration::from_secs(5),
            replace_lost: true,
            overseer: None,
        }
    }
}

/// The executable that new VMs fetch and run.
#[derive(Debug, Clone)]
pub struct Executable {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

/// The director's state and means, shared by all its parts.
pub(crate) struct Inner {
    pub(crate) installation: String,
    /// What everything in a cloud that is this installation's carries: its random id.
    pub(crate) tag: String,
    pub(crate) url: String,
    pub(crate) executable: Executable,
    pub(crate) clouds: Vec<(String, Arc<dyn Cloud>)>,
    /// By cloud: where the files of its VMs' image begin.
    pub(crate) image_roots: BTreeMap<String, PathBuf>,
    pub(crate) tuning: Tuning,
    /// How many milliseconds a minute of autoscaling takes, where it is to be watched.
    pub(crate) autoscaling_minute: Option<u32>,
    pub(crate) db: Database,
    pub(crate) backups: Backups,
    pub(crate) authority: Authority,
    pub(crate) events: event::Events,
    pub(crate) managers: manager::Managers,
    pub(crate) passwords: password::Passwords,
    pub(crate) login_limit: login_limit::LoginLimit,
    /// What may be fetched for users.
    pub(crate) fetch: FetchSettings,
    /// Where the files of deployments are until they are at their services.
    pub(crate) deployments: PathBuf,
    pub(crate) accounts: user::Accounts,
    pub(crate) meter: credit::Meter,
    pub(crate) operations: Operations,
    pub(crate) security_groups: security_group::Turns,
    /// What the reconciler saw.
    pub(crate) watch: crate::reconcile::Watch,
    /// Wakes the reconciler.
    pub(crate) reconcile: tokio::sync::Notify,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

/// The director, as its parts hold it.
#[derive(Clone)]
pub(crate) struct App(pub(crate) Arc<Inner>);

impl std::ops::Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn now(&self) -> time::OffsetDateTime {
        self.tuning.clock.now()
    }

    /// The cloud of that name.
    pub(crate) fn cloud(&self, name: &str) -> Result<&Arc<dyn Cloud>> {
        let found = self.clouds.iter().find(|(known, _)| known == name);
        found.map(|(_, cloud)| cloud).ok_or_else(|| Error::not_found("cloud", format!("`{name}`")))
    }

    /// The name of the cloud that is meant: the first when nobody names one.
    pub(crate) fn cloud_name(&self, asked: Option<&str>) -> Result<String> {
        let first = self.clouds.first().map_or(DEFAULT_CLOUD, |(name, _)| name);
        let name = match asked {
            None | Some(DEFAULT_CLOUD) => first,
            Some(name) => name,
        };
        self.cloud(name)?;
        Ok(name.to_owned())
    }

    /// Whether VMs of this cloud can be what services of this type need, as far as that can be told.
    pub(crate) fn check_image(&self, service_type: &str, cloud: &str) -> Result<()> {
        let Some(root) = self.image_roots.get(cloud) else { return Ok(()) };
        services::check_image(service_type, root).map_err(Error::Passed)
    }

    /// Names of the clouds, the default one first.
    pub(crate) fn cloud_list(&self) -> Vec<String> {
        self.clouds.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Runs beside the caller until it is done or the director shuts down.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => {}
                () = task => {}
            }
        });
    }
}
