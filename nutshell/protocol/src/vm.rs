//! A manager or an agent as a process: how both begin, listen and end.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::client::{VmClient, is_passing, persist};
use crate::membership::{JoinError, Membership};
use crate::tls::TrustError;
use crate::tls::server::{TlsListener, serve};

/// How often a VM tells the director that it is there.
pub const ALIVE_EVERY: Duration = Duration::from_secs(5);

/// What a manager or an agent needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What user-data left: [`crate::boot::BootConfig`].
    pub boot_file: PathBuf,
    /// Where the VM's files begin: `/` in a VM of its own.
    pub root: PathBuf,
    /// Where to listen; every address of the VM when absent.
    pub listen: Option<SocketAddr>,
}

/// Why a manager or an agent does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A directory cannot be made.
    #[error("failed to make {}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The VM did not become a member of the installation.
    #[error("failed to join the installation")]
    Join(#[source] JoinError),
    /// The certificates cannot be used.
    #[error("failed to set up TLS")]
    Tls(#[source] TrustError),
    /// The boot file is for something else.
    #[error("the boot file is for another role, or for a service that is not known here")]
    WrongRole,
    /// The address is taken.
    #[error("failed to listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server ended.
    #[error("failed to serve")]
    Serve(#[source] std::io::Error),
}

/// A VM that has joined the installation.
#[derive(Debug)]
pub struct Vm {
    /// Who it is.
    pub membership: Membership,
    /// Its way to the director.
    pub director: VmClient,
    listen: Option<SocketAddr>,
}

impl Vm {
    /// Joins the installation, or takes up an earlier membership that the cache holds. All these
    /// directories are made.
    ///
    /// # Errors
    /// When a directory cannot be made, or the director lets nobody join.
    pub async fn join(
        settings: &Settings,
        cache: &Path,
        directories: &[&Path],
    ) -> Result<Self, StartError> {
        for directory in directories.iter().chain([&cache]) {
            std::fs::create_dir_all(directory).map_err(|source| {
                let path = (*directory).to_owned();
                StartError::Directory { path, source }
            })?;
        }
        let membership = Membership::obtain(&settings.boot_file, cache).await;
        let membership = membership.map_err(StartError::Join)?;
        let director = membership.director().map_err(StartError::Tls)?;
        Ok(Self { membership, director, listen: settings.listen })
    }

    /// Listens for members of the installation, on this port unless the settings say otherwise.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn listen(&self, port: u16) -> Result<TlsListener, StartError> {
        let config = self.membership.server_config().map_err(StartError::Tls)?;
        let address = self.listen.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, port).into());
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let listener = TlsListener::new(listener, config, self.membership.trust.clone());
        tracing::info!(%address, identity = %self.membership.identity(), "listening");
        listener.map_err(failed)
    }

    /// Serves until the process ends, with the certificate renewed whenever it is time.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TlsListener,
        router: Router,
        beside: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        // By a connection of its own: one that others left may live on where no new one gets through.
        let director = self.membership.director().map_err(StartError::Tls)?;
        tokio::spawn(keep_heard(director));
        tokio::spawn(self.membership.keep_renewed());
        let served = serve(listener, router, CancellationToken::new());
        let (served, ()) = tokio::join!(served, beside);
        served.map_err(StartError::Serve)
    }
}

/// Tells the director again and again that this VM is there. Whatever comes of it once: the next
/// time is soon.
async fn keep_heard(director: VmClient) {
    let mut turns = tokio::time::interval(ALIVE_EVERY);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let heard = tokio::time::timeout(ALIVE_EVERY, director.alive()).await;
        tracing::trace!(?heard, "told the director that this VM is there");
    }
}

/// Says to the director that this VM listens, until it is heard.
pub async fn tell_ready(director: &VmClient) {
    if let Err(refusal) = persist(None, is_passing, || director.ready()).await {
        let error = &refusal as &dyn std::error::Error;
        tracing::error!(error, "the director does not want this VM");
    }
}
