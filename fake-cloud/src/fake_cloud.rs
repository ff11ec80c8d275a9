//! A whole cloud: from settings to a listener that answers, and down again.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::future::IntoFuture;
#[cfg(feature = "container")]
use std::net::Ipv4Addr;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backends::{BackendError, ImageSource};
use crate::builder::{Borrowed, Builder};
use crate::cloud::{Cloud, Failure, chain};
use crate::control::{self, Control, ControlAccess};
use crate::credentials::Credentials;
use crate::model::{AccessKeyPair, Model};
use crate::network::bridge::BridgeError;
#[cfg(feature = "container")]
use crate::settings::BackendKind;
use crate::settings::{ImageSettings, Settings};
use crate::store::{self, Store, StoreError};
use crate::world::World;
use crate::{image, openstack, passwords};

/// The file in the state directory that a cloud holds locked as long as it is there.
pub const LOCK: &str = "fake-cloud.lock";

/// How long open connections may delay the end.
const FAREWELL: Duration = Duration::from_millis(200);

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
    cloud: Arc<Cloud>,
    address: SocketAddr,
    state_dir: PathBuf,
    closing: DropGuard,
    going_down: DropGuard,
    listener: JoinHandle<()>,
    writer: JoinHandle<()>,
    _lock: File,
    /// Keeps them from being removed.
    _images: Vec<File>,
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
        borrowed: Borrowed,
    ) -> Result<Self, StartError> {
        control::check_transitions(&settings.transitions).map_err(StartError::Transitions)?;
        let lock = lock(&settings.state_dir)?;
        // Servers are started elsewhere, and later.
        settings.state_dir = settings
            .state_dir
            .canonicalize()
            .map_err(|source| StartError::StateDir { path: settings.state_dir.clone(), source })?;
        let images = offer_stored(&mut settings)?;
        #[cfg(feature = "container")]
        route_containers(&mut settings);
        let (exit_sender, exits) = mpsc::unbounded_channel();
        let World { listener, backend, network, entrance } =
            World::open(&settings, exit_sender).await?;
        let address = listener.local_addr().map_err(StartError::Socket)?;
        let (store, mut model, writer) =
            Store::open(&settings.state_dir.join(store::FILE)).await.map_err(unreadable)?;
        model.seed(&settings, settings.clock.now());

        let (api_url, pair) = (format!("http://{address}"), (backend, network));
        let cloud = Cloud::new(&settings, api_url, pair, model, store, borrowed);
        tokio::spawn(Arc::clone(&cloud).watch_exits(exits));
        tokio::spawn(Arc::clone(&cloud).watch_names());
        learn_passwords(&cloud, &settings);

        let closing = CancellationToken::new();
        if let Some(entrance) = entrance {
            entrance.set_nonblocking(true).map_err(StartError::Socket)?;
            tokio::spawn(serve(entrance, Arc::clone(&cloud), closing.clone()));
        }
        let listener = tokio::spawn(serve(listener, Arc::clone(&cloud), closing.clone()));
        let started = Self {
            address,
            state_dir: settings.state_dir.clone(),
            closing: closing.drop_guard(),
            going_down: cloud.going_down.clone().drop_guard(),
            cloud,
            listener,
            writer,
            _lock: lock,
            _images: images,
        };
        let path = settings.state_dir.clone();
        let kept = started.control_access().keep(&path);
        kept.map_err(|source| StartError::StateDir { path, source })?;
        started.resume().await.map_err(|failure| StartError::Resume(Box::new(failure)))?;
        Ok(started)
    }

    async fn resume(&self) -> Result<(), Failure> {
        // Writes what seeding has changed before anything depends on it.
        self.cloud.change(|_, _| Ok::<_, Failure>(())).await?;
        self.cloud.lead_all().await?;
        self.cloud.resume().await
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of everything, as in `http://127.0.0.1:5000`.
    pub fn api_url(&self) -> &str {
        &self.cloud.api_url
    }

    /// What clients call `OS_AUTH_URL`.
    pub fn auth_url(&self) -> String {
        self.cloud.auth_url()
    }

    /// What clients of the EC2 API call `AWS_ENDPOINT_URL_EC2`.
    pub fn ec2_url(&self) -> String {
        self.cloud.ec2_url()
    }

    /// Makes things go wrong, and time pass.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.cloud))
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
        self.cloud.access_key(user)
    }

    /// What a user of the settings needs to use the cloud.
    pub fn credentials(&self, user: &str) -> Option<Credentials> {
        self.cloud.credentials(user)
    }

    /// Comes back when someone asks for the end of the cloud, with `fake-cloud stop` or over HTTP.
    /// It is for the program that runs the cloud to call [`FakeCloud::shutdown`] then.
    pub async fn shutdown_requested(&self) {
        self.cloud.steering.shutdown_requested.cancelled().await;
    }

    /// Ends all servers, as a power cut would, and then the cloud. A later start on the same
    /// state directory brings everything back.
    pub async fn shutdown(self) {
        self.cloud.power_off().await;
        drop(self.closing);
        let mut listener = self.listener;
        if tokio::time::timeout(FAREWELL, &mut listener).await.is_err() {
            listener.abort();
        }
        let last = Arc::downgrade(&self.cloud);
        drop((self.cloud, self.going_down));
        // Connections that outlive the listener hold the cloud; everything acknowledged is
        // written already.
        let _ = tokio::time::timeout(FAREWELL, self.writer).await;
        if let Some(cloud) = last.upgrade() {
            cloud.give_back();
        }
    }
}

/// A state directory of a newer version is the user's business; the rest is a detail below it.
fn unreadable(error: StoreError) -> StartError {
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

/// Adds the images of the store to those that everyone can use; what the settings name goes first.
fn offer_stored(settings: &mut Settings) -> Result<Vec<File>, image::Error> {
    let Some(path) = &settings.image_store else { return Ok(vec![]) };
    let store = image::Store::open(path)?;
    let mut held = vec![];
    for image in store.list()? {
        if settings.images.iter().any(|known| known.name == image.name) {
            continue;
        }
        held.push(store.hold(&image)?);
        settings.images.push(ImageSettings {
            source: ImageSource::Directory { path: store.root(&image) },
            properties: BTreeMap::from([
                ("os_distro".to_owned(), image.system),
                ("architecture".to_owned(), image.architecture),
            ]),
            name: image.name,
        });
    }
    Ok(held)
}

/// No container can have a loopback address.
#[cfg(feature = "container")]
fn route_containers(settings: &mut Settings) {
    let range = &mut settings.fixed_range;
    if settings.backend == BackendKind::Container && range.network.is_loopback() {
        for address in [&mut range.network, &mut range.first, &mut range.last] {
            let [_, second, third, fourth] = address.octets();
            *address = Ipv4Addr::new(10, second, third, fourth);
        }
    }
}

/// Makes the configured passwords good at once; their slow hashes follow in the background.
fn learn_passwords(cloud: &Arc<Cloud>, settings: &Settings) {
    for user in settings.all_users() {
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

async fn serve(listener: TcpListener, cloud: Arc<Cloud>, closing: CancellationToken) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "failed to use the listening socket"),
    };
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
    });
    let service = openstack::router(cloud).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(closing.cancelled_owned());
    if let Err(error) = served.into_future().await {
        tracing::error!(%error, "the listener ended");
    }
}
