//! The process that manages one application: hosts the manager halves of its services.
//!
//! What it must not forget is on its disk: one file a service, and the code versions. It asks the
//! director for nodes and tells it of every state; it tells the agents in the nodes what to do.

mod agents;
mod application;
mod director;
mod endpoints;
mod record;
mod recovery;
mod scaling;
mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::MANAGER_PORT;
use protocol::membership::{JoinError, Membership};
use protocol::tls::TrustError;
use protocol::tls::server::{TlsListener, serve};
use services::ServiceError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use application::Application;
use endpoints::Manager;

/// What a manager needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What user-data left: [`protocol::boot::BootConfig`].
    pub boot_file: PathBuf,
    /// Where the VM's files begin: `/` in a VM of its own.
    pub root: PathBuf,
    /// Where to listen; every address of the VM when absent.
    pub listen: Option<SocketAddr>,
}

/// Why a manager cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// What an earlier manager left cannot be read.
    #[error("failed to take up the services of the application")]
    Services(#[source] ServiceError),
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

/// Where the manager's own log goes; whoever calls [`run`] sets up the writing.
#[must_use]
pub fn log_file(root: &Path) -> PathBuf {
    root.join("var/log/cpsmanager.log")
}

/// Joins the installation and works until the process is ended.
///
/// # Errors
/// When the manager cannot join, listen or take up the work of an earlier one.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let Settings { boot_file, root, listen } = settings;
    let cache = root.join("var/cache/cpsmanager");
    let logs = root.join("var/log");
    for directory in [&cache, &logs] {
        std::fs::create_dir_all(directory)
            .map_err(|source| Error::Directory { path: directory.clone(), source })?;
    }
    let membership = Membership::obtain(&boot_file, &cache).await.map_err(Error::Join)?;
    let identity = membership.identity();
    let server = membership.server_config().map_err(Error::Tls)?;
    let trust = membership.trust.clone();
    let director = membership.director().map_err(Error::Tls)?;
    let agents = Arc::new(agents::Agents::new(membership.clone()));
    let application =
        Application::open(&cache, &logs, director, agents).await.map_err(Error::Services)?;

    let address = listen.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, MANAGER_PORT).into());
    let listen = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let listener = TlsListener::new(listener, server, trust).map_err(listen)?;
    tracing::info!(%address, %identity, "the manager listens");
    let manager =
        Manager { identity, application: Arc::clone(&application), log_file: log_file(&root) };
    let router = endpoints::router(Arc::new(manager));
    tokio::spawn(membership.keep_renewed());
    let served = serve(listener, router, CancellationToken::new());
    let (served, ()) = tokio::join!(served, application.join());
    served.map_err(Error::Serve)
}
