//! How a VM joins the installation: it makes its key, exchanges its token for a certificate once,
//! and remembers both, so that it is the same member after a restart.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};

use crate::boot::{BootConfig, CertificateRequest};
use crate::client::{ClientError, VmClient};
use crate::files::{self, Access};
use crate::identity::Identity;
use crate::tls::{self, ClientCertificates, Credentials, Trust, TrustError};

/// A VM that belongs to the installation.
#[derive(Debug, Clone)]
pub struct Membership {
    /// What its user-data said.
    pub boot: BootConfig,
    /// The installation's authority.
    pub trust: Trust,
    /// The VM's own certificate and key.
    pub credentials: Credentials,
    /// The address others reach it at.
    pub public_ip: Ipv4Addr,
    /// The address it has itself.
    pub private_ip: Ipv4Addr,
}

/// Why a VM could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// A file cannot be used.
    #[error("failed to read or write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// No key could be made.
    #[error("failed to make a key")]
    Key(#[source] rcgen::Error),
    /// The certificates cannot be used.
    #[error("failed to use the certificates of the installation")]
    Trust(#[source] TrustError),
    /// The director gave no certificate.
    #[error("the director gave no certificate")]
    Refused(#[source] ClientError),
}

/// What a VM remembers of its membership.
#[derive(Serialize, Deserialize)]
struct Remembered {
    certificate: String,
    key: String,
    public_ip: Ipv4Addr,
    private_ip: Ipv4Addr,
}

impl Membership {
    /// Joins with the boot file that user-data left, or takes up an earlier membership that is
    /// remembered in `directory`.
    ///
    /// # Errors
    /// When the boot file is missing or damaged, or the director refuses.
    pub async fn obtain(boot_file: &Path, directory: &Path) -> Result<Self, JoinError> {
        let boot: BootConfig = read(boot_file)?;
        let trust =
            Trust::new(&boot.installation, &boot.ca_certificate).map_err(JoinError::Trust)?;
        let memory = directory.join("membership.json");
        let remembered = if memory.exists() {
            read(&memory)?
        } else {
            let remembered = exchange(&boot, &trust).await?;
            remember(&memory, &remembered)?;
            remembered
        };
        let Remembered { certificate, key, public_ip, private_ip } = remembered;
        let credentials = Credentials { certificate, key };
        Ok(Self { boot, trust, credentials, public_ip, private_ip })
    }

    /// Who this VM is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.boot.identity()
    }

    /// The connection to the director.
    ///
    /// # Errors
    /// When the credentials cannot be used.
    pub fn director(&self) -> Result<VmClient, TrustError> {
        let client = self.trust.client(Identity::Director, Some(&self.credentials))?;
        Ok(VmClient::new(client, &self.boot.director_url))
    }

    /// An HTTP client that speaks to one member of the installation as this VM.
    ///
    /// # Errors
    /// When the credentials cannot be used.
    pub fn client_of(&self, callee: Identity) -> Result<reqwest::Client, TrustError> {
        self.trust.client(callee, Some(&self.credentials))
    }

    /// The TLS configuration of this VM's server: nobody without a certificate gets in.
    ///
    /// # Errors
    /// When the credentials cannot be used.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TrustError> {
        tls::server_config(&self.credentials, &self.trust, ClientCertificates::Required)
    }
}

async fn exchange(boot: &BootConfig, trust: &Trust) -> Result<Remembered, JoinError> {
    let key = KeyPair::generate().map_err(JoinError::Key)?;
    let csr = CertificateParams::default()
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(JoinError::Key)?;
    let client = trust.client(Identity::Director, None).map_err(JoinError::Trust)?;
    let request = CertificateRequest { token: Some(boot.token.clone()), csr };
    let grant = VmClient::new(client, &boot.director_url)
        .certificate(&request)
        .await
        .map_err(JoinError::Refused)?;
    Ok(Remembered {
        certificate: grant.certificate,
        key: key.serialize_pem(),
        public_ip: grant.public_ip,
        private_ip: grant.private_ip,
    })
}

fn remember(path: &Path, remembered: &Remembered) -> Result<(), JoinError> {
    let content = serde_json::to_vec(remembered).expect("strings and addresses are always JSON");
    files::write(path, &content, Access::Secret)
        .map_err(|source| JoinError::File { path: path.to_owned(), source })
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, JoinError> {
    let content =
        std::fs::read(path).map_err(|source| JoinError::File { path: path.to_owned(), source })?;
    serde_json::from_slice(&content)
        .map_err(|source| JoinError::Damaged { path: path.to_owned(), source })
}
