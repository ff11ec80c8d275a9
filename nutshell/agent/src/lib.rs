//! The process in every VM of a service: hosts one agent half and does what its manager asks.

mod endpoints;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::boot::BootRole;
use protocol::client::VmClient;
use protocol::membership::{JoinError, Membership};
use protocol::tls::TrustError;
use protocol::tls::server::{TlsListener, serve};
use protocol::{AGENT_PORT, ClientError};
use services::{AgentContext, ServiceError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use endpoints::Agent;

/// What an agent needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What user-data left: [`protocol::boot::BootConfig`].
    pub boot_file: PathBuf,
    /// Where the VM's files begin: `/` in a VM of its own.
    pub root: PathBuf,
    /// Where to listen; every address of the VM when absent.
    pub listen: Option<SocketAddr>,
}

/// Why an agent cannot do its work.
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
    /// The boot file is for something else.
    #[error("the boot file is not one of an agent of a known service")]
    WrongRole,
    /// What an earlier agent left cannot be taken up.
    #[error("failed to take up the service's work")]
    Half(#[source] ServiceError),
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

/// Where the agent's own log goes; whoever calls [`run`] sets up the writing.
#[must_use]
pub fn log_file(root: &Path) -> PathBuf {
    root.join("var/log/cpsagent.log")
}

/// Joins the installation and works until the process is ended.
///
/// # Errors
/// When the agent cannot join, listen or take up the work of an earlier one.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let Settings { boot_file, root, listen } = settings;
    let cache = root.join("var/cache/cpsagent");
    std::fs::create_dir_all(&cache)
        .map_err(|source| Error::Directory { path: cache.clone(), source })?;
    let membership = Membership::obtain(&boot_file, &cache).await.map_err(Error::Join)?;
    let BootRole::Agent { service_type, .. } = &membership.boot.role else {
        return Err(Error::WrongRole);
    };
    let context = AgentContext::new(membership.boot.node, &root);
    let half = services::agent_half(service_type, context)
        .ok_or(Error::WrongRole)?
        .map_err(Error::Half)?;
    let identity = membership.identity();
    let agent = Arc::new(Agent { identity, half, log_file: log_file(&root) });
    let server = membership.server_config().map_err(Error::Tls)?;
    let director = membership.director().map_err(Error::Tls)?;
    let address = listen.unwrap_or_else(|| (Ipv4Addr::UNSPECIFIED, AGENT_PORT).into());
    let listen = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let listener = TlsListener::new(listener, server, membership.trust.clone()).map_err(listen)?;
    tokio::spawn(membership.keep_renewed());
    tracing::info!(%address, %identity, "the agent listens");
    let ready = tell_ready(director);
    let served = serve(listener, endpoints::router(agent), CancellationToken::new());
    let (served, ()) = tokio::join!(served, ready);
    served.map_err(Error::Serve)
}

/// Tells the director until it has heard; the manager's calls are served meanwhile.
async fn tell_ready(director: VmClient) {
    const LONGEST_PAUSE: Duration = Duration::from_secs(5);
    let mut pause = Duration::from_millis(50);
    loop {
        match director.ready().await {
            Ok(()) => return,
            Err(ClientError::Api(refusal)) if !refusal.code.is_passing() => {
                tracing::error!(%refusal, "the director does not want this agent");
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot tell the director"
                );
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
