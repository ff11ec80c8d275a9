//! Code by git: one repository for all services of the application, reached over SSH with the keys that
//! users uploaded, and with nothing but git.
//!
//! ```text
//! <cache>/git/code/             the bare repository
//! <cache>/git/authorized_keys   who may use it, one key a line
//! <cache>/git/host_key          what clients know this repository by
//! <cache>/git/.pushes/          what pushes under way need
//! ```
//!
//! Nothing of it is there, and nothing listens, before the first key is uploaded.

mod command;
mod keys;
mod push;
mod repository;
mod server;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use protocol::ApiError;
use protocol::GIT_PORTS;
use protocol::api::code::AuthorizedKey;
use services::ServiceError;
use services::manager_half::CodeRepository;
use tokio::net::TcpListener;
use tokio::sync::OnceCell;

use crate::application::Application;
use keys::Keys;
use repository::Repository;

pub(crate) use push::Pushed;

/// See the module.
pub(crate) struct Git {
    /// For the server.
    this: Weak<Self>,
    directory: PathBuf,
    /// Where others reach this VM.
    public_ip: Ipv4Addr,
    /// Where it listens.
    listen_ip: IpAddr,
    keys: Keys,
    repository: Repository,
    /// The port, once the server listens.
    port: OnceCell<u16>,
    /// Whose services pushes become code versions of.
    application: OnceLock<Weak<Application>>,
}

impl Git {
    pub(crate) fn open(
        cache: &Path,
        public_ip: Ipv4Addr,
        listen: Option<SocketAddr>,
    ) -> Result<Arc<Self>, ServiceError> {
        let directory = cache.join("git");
        let keys = Keys::open(&directory.join("authorized_keys"))?;
        Ok(Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            repository: Repository::new(&directory.join("code")),
            directory,
            public_ip,
            listen_ip: listen.map_or(Ipv4Addr::UNSPECIFIED.into(), |listen| listen.ip()),
            keys,
            port: OnceCell::new(),
            application: OnceLock::new(),
        }))
    }

    /// Serves from now on, if there are keys already.
    pub(crate) async fn attach(&self, application: &Arc<Application>) {
        let _ = self.application.set(Arc::downgrade(application));
        if !self.keys.list().is_empty()
            && let Err(error) = self.started().await
        {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, "git is not served");
        }
        if let Err(error) = self.catch_up().await {
            tracing::error!(%error, "what was pushed last is no code version yet");
        }
    }

    /// The port it listens at; it begins to, when it does not yet.
    async fn started(&self) -> Result<u16, ServiceError> {
        let start = async || {
            std::fs::create_dir_all(&self.directory)
                .map_err(ServiceError::file(&self.directory))?;
            self.repository.create().await?;
            let host_key = keys::host_key(&self.directory.join("host_key"))?;
            let (listener, port) = listen(self.listen_ip).await?;
            tracing::info!(port, "git is served over SSH");
            if let Some(this) = self.this.upgrade() {
                tokio::spawn(server::serve(listener, host_key, this));
            }
            Ok(port)
        };
        self.port.get_or_try_init(start).await.copied()
    }

    fn application(&self) -> Option<Arc<Application>> {
        self.application.get()?.upgrade()
    }

    /// What was pushed becomes a code version also if the manager was killed in between, and of a
    /// service that came later.
    pub(crate) async fn catch_up(&self) -> Result<(), ServiceError> {
        let Some(application) = self.application() else { return Ok(()) };
        if !self.repository.exists() {
            return Ok(());
        }
        for commit in self.repository.heads().await? {
            let archive = Pushed::export(&self.repository, &commit).await?;
            application.add_pushed(&archive).await?;
        }
        Ok(())
    }
}

/// Takes the first port that can be had.
async fn listen(ip: IpAddr) -> Result<(TcpListener, u16), ServiceError> {
    let mut last = None;
    for port in GIT_PORTS {
        match TcpListener::bind((ip, port)).await {
            Ok(listener) => return Ok((listener, port)),
            Err(error) => last = Some(error),
        }
    }
    tracing::error!(error = ?last, "no port for SSH can be had");
    Err(ApiError::conflict("the manager's VM has no free port for SSH")
        .hint("ports 22 and 2222 are taken there")
        .into())
}

/// What `git clone` takes.
fn address(ip: Ipv4Addr, port: u16) -> String {
    match port {
        22 => format!("git@{ip}:code"),
        port => format!("ssh://git@{ip}:{port}/code"),
    }
}

#[async_trait]
impl CodeRepository for Git {
    async fn add_keys(&self, text: &str) -> Result<usize, ServiceError> {
        let keys = keys::parse(text)?;
        self.started().await?;
        self.keys.add(keys)
    }

    fn keys(&self) -> Vec<AuthorizedKey> {
        self.keys.list()
    }

    async fn delete_key(&self, fingerprint: &str) -> Result<(), ServiceError> {
        self.keys.delete(fingerprint)
    }

    fn address(&self) -> Option<String> {
        self.port.get().map(|port| address(self.public_ip, *port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_short_where_it_can_be() {
        let ip = Ipv4Addr::new(192, 168, 56, 10);
        assert_eq!(address(ip, 22), "git@192.168.56.10:code");
        assert_eq!(address(ip, 2222), "ssh://git@192.168.56.10:2222/code");
    }
}
