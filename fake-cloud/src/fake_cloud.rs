//! A whole cloud: from settings to a listener that answers, and down again.

use std::fs::{DirBuilder, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use crate::backends::BackendError;
use crate::builder::{Borrowed, Builder};
use crate::cloud::{Cloud, chain};
use crate::control::{self, Control, ControlAccess};
use crate::credentials::Credentials;
use crate::model::{AccessKeyPair, Model};
use crate::network::bridge::BridgeError;
use crate::region::{Opened, Region, Running};
use crate::regions::{Place, RegionError, Regions};
use crate::settings::Settings;
use crate::store::{self, StoreError};
use crate::{image, passwords};

/// The file in the state directory that a cloud holds locked as long as it is there.
pub const LOCK: &str = "fake-cloud.lock";

/// How long open connections may delay the end.
pub(crate) const FAREWELL: Duration = Duration::from_millis(200);

/// A running cloud. Dropping it is a power cut: the listener and the servers end, and what was under
/// way is taken up by the next start. [`FakeCloud::shutdown`] does the same and waits for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cloud = fake_cloud::FakeCloud::builder().user("ada", "lovelace", "engines").start().await?;
/// let ada = cloud.credentials("ada").expect("she is one of its users");
/// for (name, value) in ada.environment() {
///     println!("{name}={value}"); // OS_AUTH_URL, AWS_ENDPOINT_URL_EC2 and what else clients ask for
/// }
/// cloud.shutdown().await; // or just drop it
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FakeCloud {
    /// The home region first.
    regions: Vec<Running>,
    state_dir: PathBuf,
    _lock: File,
}

/// Why a cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error("failed to prepare the state directory {}", path.display())]
    StateDir {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The regions cannot stand side by side.
    #[error(transparent)]
    Region(#[from] RegionError),
    /// There is no place for a cloud that nobody gave one.
    #[error("failed to find a place for a temporary cloud")]
    Scratch(#[source] std::io::Error),
    /// The transitions name a step that there is not.
    #[error("failed to set the pace of transitions")]
    Transitions(#[source] control::ControlError),
    /// Another cloud uses the state directory.
    #[error(
        "the state directory {} is in use by another fake-cloud; end that one or choose another \
         directory", path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The address cannot be listened at.
    #[error("failed to listen at {address}; choose another address or port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The socket that was handed over cannot be used.
    #[error("failed to use the listening socket")]
    Socket(#[source] std::io::Error),
    /// The state was written by a newer version of this program.
    #[error(
        "the state directory was written by a newer version (its format is {found}, this program \
         knows up to {}); use that version, or another directory",
        store::VERSION
    )]
    Newer {
        /// The version found.
        found: i64,
    },
    /// The state cannot be read.
    #[error("failed to open the state of the cloud")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The backend is not part of this executable.
    #[error(
        "this fake-cloud was built without virtual machines; build it again with `--features \
         libvirt` (libvirt-dev has to be installed)"
    )]
    NotBuiltIn,
    /// The images of this machine cannot be used.
    #[error(transparent)]
    Images(#[from] image::Error),
    /// The backend cannot be used.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The network cannot be made.
    #[error(transparent)]
    Network(#[from] BridgeError),
    /// What ran before cannot be taken up again.
    #[error("failed to take up the state of the cloud")]
    Resume(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl FakeCloud {
    /// A cloud in a few words, private and temporary unless it is told otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts a cloud of which everything is chosen, as programs do that keep it. Its API answers
    /// when this returns; servers that ran when it last went down are then being started again.
    ///
    /// # Errors
    /// When the state directory or the address cannot be used, or the state cannot be taken up.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        Self::start_in(settings, Borrowed::default()).await
    }

    pub(crate) async fn start_in(
        mut settings: Settings,
        mut borrowed: Borrowed,
    ) -> Result<Self, StartError> {
        let lock = lock(&settings.state_dir)?;
        // Servers are started elsewhere, and later.
        settings.state_dir = settings
            .state_dir
            .canonicalize()
            .map_err(|source| StartError::StateDir { path: settings.state_dir.clone(), source })?;
        let (state_dir, admin) = (settings.state_dir.clone(), settings.admin.clone());

        let mut opened: Vec<Opened> = Vec::new();
        for settings in settings.into_regions()? {
            let home = opened.first().map(|home| &home.model);
            let owner = home.and_then(|model| Some(model.project_named(&admin.project)?.id));
            opened.push(Opened::open(settings, owner).await?);
        }
        let places: Arc<[Place]> = opened.iter().map(Opened::place).collect();
        let (mut clouds, mut idle) = (Vec::<Arc<Cloud>>::new(), Vec::new());
        for region in opened {
            let (home, borrowed) = (clouds.first().cloned(), std::mem::take(&mut borrowed));
            let (cloud, waiting) = region.assemble(Arc::clone(&places), home, borrowed);
            clouds.push(cloud);
            idle.push(waiting);
        }
        learn_passwords(&clouds[0]);
        let regions = Regions::new(clouds).each();
        let running = idle.into_iter().zip(regions).map(|(idle, here)| idle.run(here));
        let regions = running.collect::<Result<Vec<Running>, _>>()?;
        let started = Self { regions, state_dir, _lock: lock };
        let kept = started.control_access().keep(&started.state_dir);
        kept.map_err(|source| StartError::StateDir { path: started.state_dir.clone(), source })?;
        for region in &started.regions {
            region.resume().await.map_err(|failure| StartError::Resume(Box::new(failure)))?;
        }
        Ok(started)
    }

    fn home(&self) -> &Cloud {
        &self.regions[0].cloud
    }

    /// The regions, the home region first; most clouds have no other.
    pub fn regions(&self) -> impl Iterator<Item = Region<'_>> {
        self.regions.iter().map(Region)
    }

    /// The region with this name.
    pub fn region(&self, name: &str) -> Option<Region<'_>> {
        self.regions().find(|region| region.name() == name)
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.regions[0].address
    }

    /// The address of everything, as in `http://127.0.0.1:5000`.
    pub fn api_url(&self) -> &str {
        &self.home().api_url
    }

    /// What clients call `OS_AUTH_URL`.
    pub fn auth_url(&self) -> String {
        self.home().auth_url()
    }

    /// What clients of the EC2 API call `AWS_ENDPOINT_URL_EC2`.
    pub fn ec2_url(&self) -> String {
        self.home().ec2_url()
    }

    /// Makes things go wrong, and time pass.
    pub fn control(&self) -> Control {
        Region(&self.regions[0]).control()
    }

    /// Where the cloud is steered over HTTP, and with which token.
    pub fn control_access(&self) -> ControlAccess {
        self.control().access()
    }

    /// Where it keeps its state.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The key with which a user signs requests of the EC2 API: the oldest they have.
    pub fn access_key(&self, user: &str) -> Option<AccessKeyPair> {
        self.home().access_key(user)
    }

    /// What a user of the settings needs to use the cloud.
    pub fn credentials(&self, user: &str) -> Option<Credentials> {
        self.home().credentials(user)
    }

    /// Comes back when someone asks for the end of the cloud, with `fake-cloud stop` or over HTTP.
    /// It is for the program that runs the cloud to call [`FakeCloud::shutdown`] then.
    pub async fn shutdown_requested(&self) {
        self.home().steering.shutdown_requested.cancelled().await;
    }

    /// Ends all servers, as a power cut would, and then the cloud. A later start on the same
    /// state directory brings everything back.
    pub async fn shutdown(self) {
        let home = Arc::downgrade(&self.regions[0].cloud);
        let networks: Vec<_> =
            self.regions.iter().map(|region| Arc::clone(&region.cloud.network)).collect();
        join_all(self.regions.iter().map(|region| region.cloud.power_off())).await;
        let writers = join_all(self.regions.into_iter().map(Running::close)).await;
        // Connections that outlive the listener hold the cloud; everything acknowledged is
        // written already.
        let _ = tokio::time::timeout(FAREWELL, join_all(writers)).await;
        join_all(networks.iter().map(|network| network.close())).await;
        if let Some(home) = home.upgrade() {
            home.give_back();
        }
    }
}

/// A state directory of a newer version is the user's business; the rest is a detail below it.
pub(crate) fn unreadable(error: StoreError) -> StartError {
    match error {
        StoreError::Newer { found } => StartError::Newer { found },
        StoreError::Unknown { .. }
        | StoreError::Private(_)
        | StoreError::Record { .. }
        | StoreError::Database { .. }
        | StoreError::NotWritten => StartError::Store(Box::new(error)),
    }
}

/// Makes the state directory and keeps others out of it for as long as the file is open.
pub(crate) fn lock(state_dir: &Path) -> Result<File, StartError> {
    let failed = |source| StartError::StateDir { path: state_dir.to_owned(), source };
    // One that is there has the mode its owner wants.
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir).map_err(failed)?;
    let file = File::create(state_dir.join(LOCK)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(StartError::InUse { path: state_dir.to_owned() })
        }
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Makes the configured passwords good at once; their slow hashes follow in the background.
fn learn_passwords(cloud: &Arc<Cloud>) {
    for user in &cloud.users {
        let Some((id, known)) =
            cloud.read().user_named(&user.name).map(|u| (u.id, u.password_hash.clone()))
        else {
            continue;
        };
        cloud.passwords.remember(id, &user.password);
        let (password, background) = (user.password.clone(), Arc::clone(cloud));
        let work = tokio::task::spawn_blocking(move || match known {
            Some(hash) if passwords::verify(&password, &hash) => None,
            Some(_) | None => Some(passwords::hash(&password)),
        });
        cloud.spawn(async move {
            let Ok(Some(hash)) = work.await else { return };
            let set = |model: &mut Model| {
                if let Some(mut user) = model.users.get_mut(id) {
                    user.password_hash = Some(hash);
                }
            };
            let ((), written) = background.decide(|model, _| set(model));
            if let Err(error) = written.wait().await {
                tracing::error!(error = chain(&error), "failed to keep a password");
            }
        });
    }
}
