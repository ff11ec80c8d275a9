//! Starting and ending a stack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cloud::CloudError;
use director::Director;
use fake_cloud::FakeCloud;
use fake_cloud::model::address::AddressRange;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    AddressError, Addresses, Claim, Configuration, Lock, LockError, Running, Secrets,
    StateDirectory, StateError, parts,
};
use crate::diagnostics::{Advice, Exit};

/// How long the director, and then all together, may take to end. What is cut short is no harm:
/// the end of this process ends the VMs, and all that counts is on disk.
const DIRECTOR_FAREWELL: Duration = Duration::from_millis(500);
const FAREWELL: Duration = Duration::from_millis(900);
/// The credits of a new user, unless the configuration says otherwise.
const DEFAULT_CREDITS: i64 = 1000;

/// What can be chosen about a stack; the rest is in its state directory.
#[derive(Debug, Clone)]
pub struct StackSettings {
    /// Where everything is kept.
    pub state: StateDirectory,
    /// The first user's password; the configuration's, or one that is made, when absent.
    pub password: Option<String>,
    /// How many floating addresses the cloud has; the configuration's number, or 245, when absent.
    pub floating_addresses: Option<u8>,
    /// Which ones; the configuration's, or those of its block of loopback addresses, when absent. This machine
    /// has to answer at them.
    pub floating_range: Option<AddressRange>,
    /// What VMs boot from: `host`, which is this machine, or an image that `fake-cloud image` keeps; the
    /// configuration's, or `host`, when absent.
    pub image: Option<String>,
    /// The instance type of VMs for which none is asked; the configuration's, or `m1.small`, when absent.
    pub instance_type: Option<String>,
    /// The executable that becomes the VMs, their managers and agents: `nutshell`.
    pub executable: PathBuf,
}

impl StackSettings {
    /// A stack in this directory, with everything else as usual.
    #[must_use]
    pub fn new(state: &Path, executable: PathBuf) -> Self {
        let state = StateDirectory::at(state);
        Self {
            state,
            password: None,
            floating_addresses: None,
            floating_range: None,
            image: None,
            instance_type: None,
            executable,
        }
    }
}

/// Why a stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// It is in use.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There are no addresses.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The image of the VMs cannot be used.
    #[error("failed to find the image of the VMs")]
    Image(#[source] fake_cloud::image::Error),
    /// There are no such VMs.
    #[error("there is no instance type {name}: there are {known}")]
    InstanceType {
        /// What was asked for.
        name: String,
        /// The names of all.
        known: String,
    },
    /// The cloud did not start.
    #[error("failed to start the cloud")]
    Cloud(#[source] fake_cloud::StartError),
    /// The driver for the cloud could not be made.
    #[error("failed to prepare the driver for the cloud")]
    Driver(#[source] CloudError),
    /// The director did not start.
    #[error("failed to start the director")]
    Director(#[source] director::StartError),
}

impl Advice for StartError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            Self::Address(error) => error.hint(),
            Self::Image(_) => Some("`fake-cloud image build` makes one".to_owned()),
            Self::InstanceType { .. } => None,
            Self::Cloud(_) | Self::Driver(_) | Self::Director(_) => {
                Some("`nutshell logs` may say more".to_owned())
            }
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::State(_)
            | Self::Lock(_)
            | Self::Address(_)
            | Self::Image(_)
            | Self::InstanceType { .. } => Exit::Failure,
            Self::Cloud(_) | Self::Driver(_) | Self::Director(_) => Exit::Unexpected,
        }
    }
}

/// A step of the start that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What was done.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

/// Who is told of each step.
pub type Observer<'a> = &'a (dyn Fn(Step) + Sync);

/// A name and a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCredentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for UserCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// A state directory that is this process's alone, before anything runs.
#[derive(Debug)]
pub struct Prepared {
    settings: StackSettings,
    vms: parts::Vms,
    lock: Lock,
}

impl Prepared {
    /// Makes the state directory where there is none, and locks it.
    ///
    /// # Errors
    /// When it is somebody else's, a newer nutshell's, or in use; then nothing was touched.
    pub fn new(settings: StackSettings) -> Result<Self, StartError> {
        // Understood before anything is touched.
        let configuration = Configuration::load(&settings.state)?;
        let image = settings.image.as_ref().or(configuration.image.as_ref());
        let instance_type =
            settings.instance_type.as_ref().or(configuration.instance_type.as_ref());
        let vms = parts::Vms::find(image.map(String::as_str), instance_type.map(String::as_str))?;
        settings.state.prepare()?;
        let lock = Lock::acquire(&settings.state)?;
        Ok(Self { settings, vms, lock })
    }

    /// Starts everything.
    ///
    /// # Errors
    /// When a part does not start; then nothing runs.
    pub async fn start(self, observer: Observer<'_>) -> Result<Stack, StartError> {
        let Self { settings, vms, lock } = self;
        let Parts { credentials, addresses, cloud, director } = decide(&settings, vms, observer)?;
        let (cloud, director) = start_parts(cloud, director, observer).await?;
        let running = Running {
            web_url: format!("{}/", addresses.director_url()),
            director_url: addresses.director_url(),
            openstack_url: addresses.openstack_url(),
            username: credentials.username.clone(),
            since: OffsetDateTime::now_utc(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let state = settings.state;
        running.save(&state, rustix::process::getpid())?;
        tracing::info!(director = running.director_url, "everything runs");
        Ok(Stack { credentials, running, state, cloud, director, _lock: lock })
    }
}

/// Everything that is decided before anything runs.
struct Parts {
    credentials: UserCredentials,
    addresses: Addresses,
    cloud: fake_cloud::Settings,
    director: director::Settings,
}

/// Takes up what earlier starts decided, and decides and remembers the rest.
fn decide(
    settings: &StackSettings,
    vms: parts::Vms,
    observer: Observer<'_>,
) -> Result<Parts, StartError> {
    let StackSettings { state, password, executable, .. } = settings;
    let mut configuration = Configuration::load(state)?;
    let watch = Watch::new(observer);
    let Claim { addresses, director: listener, openstack } =
        Claim::make(configuration.block, state.path())?;
    watch.done(format!("addresses 127.{}.0.0/16 claimed", addresses.block));
    let installation = configuration.remember(state, addresses.block)?;
    let password = password.as_ref().or(configuration.password.as_ref());
    let secrets = Secrets::load_or_make(state, password.map(String::as_str))?;
    let watch = Watch::new(observer);
    let kept = super::keep(executable, state)?;
    watch.done("executable for the VMs kept");

    let floating = parts::Floating {
        count: settings.floating_addresses.or(configuration.floating_addresses),
        range: settings.floating_range.or(configuration.floating_range),
    };
    let cloud = parts::fake_cloud(state, openstack, &secrets, &kept, &vms.image, floating);
    let default_cloud = protocol::api::DEFAULT_CLOUD.to_owned();
    let image_roots = BTreeMap::from([(default_cloud.clone(), vms.image.root.clone())]);
    let driver = parts::driver(addresses, &secrets, vms).map_err(StartError::Driver)?;
    let credentials =
        UserCredentials { username: configuration.username(), password: secrets.password.clone() };
    let identity_providers = configuration
        .oidc
        .iter()
        .map(|(name, provider)| provider.settings(name))
        .collect::<Result<_, _>>()
        .map_err(|(path, error)| StateError::file(path)(error))?;
    let director = director::Settings {
        state_dir: state.director(),
        listener,
        url: addresses.director_url(),
        installation,
        executable: kept.executable,
        clouds: vec![(default_cloud, driver)],
        image_roots,
        users: vec![director::UserSettings {
            username: credentials.username.clone(),
            password: credentials.password.clone(),
            administrator: true,
            credits: configuration.credits,
        }],
        default_credits: configuration.credits.unwrap_or(DEFAULT_CREDITS),
        fetch: director::FetchSettings {
            allow_private: configuration.fetch_private,
            ..director::FetchSettings::default()
        },
        registration: configuration.registration.unwrap_or_default(),
        identity_providers,
        autoscaling_minute: configuration.autoscaling_minute_ms,
    };
    Ok(Parts { credentials, addresses, cloud, director })
}

/// Starts the cloud and the director side by side: the cloud's socket is open already, so the
/// director only has to wait for an answer.
async fn start_parts(
    cloud: fake_cloud::Settings,
    director: director::Settings,
    observer: Observer<'_>,
) -> Result<(FakeCloud, Director), StartError> {
    let cloud = async {
        let watch = Watch::new(observer);
        let cloud = FakeCloud::start(cloud).await.map_err(StartError::Cloud)?;
        watch.done("cloud answers");
        Ok(cloud)
    };
    let director = async {
        let watch = Watch::new(observer);
        let director = Director::start(director).await.map_err(StartError::Director)?;
        watch.done("director and web page answer");
        Ok(director)
    };
    match tokio::join!(cloud, director) {
        (Ok(cloud), Ok(director)) => Ok((cloud, director)),
        (Err(error), Ok(director)) => {
            director.shutdown().await;
            Err(error)
        }
        (Ok(cloud), Err(error)) => {
            cloud.shutdown().await;
            Err(error)
        }
        (Err(error), Err(_)) => Err(error),
    }
}

/// A whole nutshell that runs in this process. [`Stack::shutdown`] ends it with its VMs.
#[derive(Debug)]
pub struct Stack {
    /// The first user.
    pub credentials: UserCredentials,
    running: Running,
    state: StateDirectory,
    cloud: FakeCloud,
    director: Director,
    _lock: Lock,
}

impl Stack {
    /// Starts a stack, and returns when it answers.
    ///
    /// # Errors
    /// When the state directory cannot be used, or a part does not start; then nothing runs.
    pub async fn start(settings: StackSettings) -> Result<Self, StartError> {
        Prepared::new(settings)?.start(&|_| {}).await
    }

    /// Where everything is reached.
    #[must_use]
    pub fn running(&self) -> &Running {
        &self.running
    }

    /// Where the director answers.
    #[must_use]
    pub fn director_url(&self) -> &str {
        &self.running.director_url
    }

    /// Where the OpenStack API answers: `OS_AUTH_URL`.
    #[must_use]
    pub fn openstack_url(&self) -> &str {
        &self.running.openstack_url
    }

    /// The file with the certificate to recognise the director by.
    #[must_use]
    pub fn ca_certificate(&self) -> PathBuf {
        self.state.ca_certificate()
    }

    /// Ends everything that was started, the VMs too; a later start brings it back.
    pub async fn shutdown(self) {
        tracing::info!("ending everything");
        Running::remove(&self.state);
        let deadline = tokio::time::Instant::now() + FAREWELL;
        // The director first: it must not take the end of the VMs for their loss.
        if tokio::time::timeout(DIRECTOR_FAREWELL, self.director.shutdown()).await.is_err() {
            tracing::warn!("the director did not end in time");
        }
        if tokio::time::timeout_at(deadline, self.cloud.shutdown()).await.is_err() {
            tracing::warn!("the cloud did not end in time");
        }
        tracing::info!("everything ended");
    }
}

/// Measures a step and tells of its success.
struct Watch<'a> {
    observer: Observer<'a>,
    begun: Instant,
}

impl<'a> Watch<'a> {
    fn new(observer: Observer<'a>) -> Self {
        Self { observer, begun: Instant::now() }
    }

    fn done(self, text: impl Into<String>) {
        (self.observer)(Step { text: text.into(), took: self.begun.elapsed() });
    }
}
