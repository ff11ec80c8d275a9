//! One region of a cloud: from its settings to a listener that answers, and down again.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::future::IntoFuture;
#[cfg(feature = "container")]
use std::net::Ipv4Addr;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use axum::serve::ListenerExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backends::{ImageSource, ServerExit};
use crate::builder::Borrowed;
use crate::cloud::{Cloud, Failure, Parts};
use crate::control::{self, Control};
use crate::credentials::Credentials;
use crate::fake_cloud::{FAREWELL, StartError, unreadable};
use crate::model::{Model, ProjectId};
use crate::regions::{Place, Regions};
#[cfg(feature = "container")]
use crate::settings::BackendKind;
use crate::settings::{ImageSettings, Settings};
use crate::store::{self, Store};
use crate::world::World;
use crate::{image, openstack};

/// One of the regions of a cloud.
#[derive(Debug, Clone, Copy)]
pub struct Region<'a>(pub(crate) &'a Running);

impl<'a> Region<'a> {
    /// Its name.
    pub fn name(self) -> &'a str {
        &self.0.cloud.region
    }

    /// Where its API listens.
    pub fn address(self) -> SocketAddr {
        self.0.address
    }

    /// The address of everything in it, as in `http://127.1.0.1:5000`.
    pub fn api_url(self) -> &'a str {
        &self.0.cloud.api_url
    }

    /// What clients of its EC2 API call `AWS_ENDPOINT_URL_EC2`.
    pub fn ec2_url(self) -> String {
        self.0.cloud.ec2_url()
    }

    /// Makes things go wrong in it, and time pass.
    pub fn control(self) -> Control {
        Control::new(self.0.regions.clone())
    }

    /// What a user of the settings needs to use it.
    pub fn credentials(self, user: &str) -> Option<Credentials> {
        self.0.cloud.credentials(user)
    }
}

/// A region that is there, and does nothing yet.
#[derive(Debug)]
pub(crate) struct Opened {
    settings: Settings,
    images: Vec<File>,
    world: World,
    exits: mpsc::UnboundedReceiver<ServerExit>,
    address: SocketAddr,
    pub(crate) model: Model,
    store: Store,
    writer: JoinHandle<()>,
}

/// A region that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) address: SocketAddr,
    /// All regions, seen from this one.
    regions: Regions,
    closing: DropGuard,
    _going_down: DropGuard,
    listener: JoinHandle<()>,
    writer: JoinHandle<()>,
    /// Keeps them from being removed.
    _images: Vec<File>,
}

impl Opened {
    /// Opens a region's state and its address. `owner` is the administrator's project, unless it is
    /// the home region, which knows that itself.
    pub(crate) async fn open(
        mut settings: Settings,
        owner: Option<ProjectId>,
    ) -> Result<Self, StartError> {
        control::check_transitions(&settings.transitions).map_err(StartError::Transitions)?;
        let path = settings.state_dir.clone();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| StartError::StateDir { path, source })?;
        let images = offer_stored(&mut settings)?;
        #[cfg(feature = "container")]
        route_containers(&mut settings);
        let (exit_sender, exits) = mpsc::unbounded_channel();
        let world = World::open(&settings, exit_sender).await?;
        let address = world.listener.local_addr().map_err(StartError::Socket)?;
        let (store, mut model, writer) =
            Store::open(&settings.state_dir.join(store::FILE)).await.map_err(unreadable)?;
        let now = settings.clock.now();
        match owner {
            None => model.seed(&settings, now),
            Some(owner) => model.seed_region(&settings, owner, now),
        }
        Ok(Self { settings, images, world, exits, address, model, store, writer })
    }

    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        Place { region: self.settings.region.clone(), api_url: format!("http://{}", self.address) }
    }

    /// Puts its cloud together; what remains is needed to let it run.
    pub(crate) fn assemble(
        self,
        places: Arc<[Place]>,
        home: Option<Arc<Cloud>>,
        borrowed: Borrowed,
    ) -> (Arc<Cloud>, Idle) {
        let api_url = self.place().api_url;
        let Self { settings, images, world, exits, address, model, store, writer } = self;
        let World { listener, backend, network, entrance } = world;
        let pair = (backend, network);
        let parts = Parts { api_url, places, home, pair, model, store, borrowed };
        let cloud = Cloud::new(&settings, parts);
        (cloud, Idle { images, exits, address, listener, entrance, writer })
    }
}

/// What a region needs to run, besides its cloud.
#[derive(Debug)]
pub(crate) struct Idle {
    images: Vec<File>,
    exits: mpsc::UnboundedReceiver<ServerExit>,
    address: SocketAddr,
    listener: TcpListener,
    entrance: Option<TcpListener>,
    writer: JoinHandle<()>,
}

impl Idle {
    /// Begins to answer.
    pub(crate) fn run(self, regions: Regions) -> Result<Running, StartError> {
        let Self { images, exits, address, listener, entrance, writer } = self;
        let cloud = Arc::clone(regions.here());
        tokio::spawn(Arc::clone(&cloud).watch_exits(exits));
        tokio::spawn(Arc::clone(&cloud).watch_names());
        let closing = CancellationToken::new();
        if let Some(entrance) = entrance {
            entrance.set_nonblocking(true).map_err(StartError::Socket)?;
            tokio::spawn(serve(entrance, regions.clone(), closing.clone()));
        }
        let listener = tokio::spawn(serve(listener, regions.clone(), closing.clone()));
        Ok(Running {
            address,
            regions,
            closing: closing.drop_guard(),
            _going_down: cloud.going_down.clone().drop_guard(),
            cloud,
            listener,
            writer,
            _images: images,
        })
    }
}

impl Running {
    /// Takes up what was under way when it last went down.
    pub(crate) async fn resume(&self) -> Result<(), Failure> {
        // Writes what seeding has changed before anything depends on it.
        self.cloud.change(|_, _| Ok::<_, Failure>(())).await?;
        self.cloud.lead_all().await?;
        self.cloud.resume().await
    }

    /// Stops answering, and lets go of the cloud. What remains is its writer, which ends with it.
    pub(crate) async fn close(self) -> JoinHandle<()> {
        drop(self.closing);
        let mut listener = self.listener;
        if tokio::time::timeout(FAREWELL, &mut listener).await.is_err() {
            listener.abort();
        }
        self.writer
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

async fn serve(listener: TcpListener, regions: Regions, closing: CancellationToken) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "failed to use the listening socket"),
    };
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "failed to set TCP_NODELAY");
        }
    });
    let service = openstack::router(&regions).into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, service).with_graceful_shutdown(closing.cancelled_owned());
    if let Err(error) = served.into_future().await {
        tracing::error!(%error, "the listener ended");
    }
}
