//! How a VM joins the installation: it makes its key, exchanges its token for a certificate once,
//! and remembers both, so that it is the same member after a restart.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::boot::{BootConfig, CertificateRequest};
use crate::client::{ClientError, VmClient};
use crate::files::{self, Access};
use crate::identity::Identity;
use crate::tls::{self, ClientCertificates, Credentials, Holder, Trust, TrustError};

/// How long after a failed renewal the next is tried.
const RENEWAL_PAUSE: Duration = Duration::from_secs(60);

/// A VM that belongs to the installation.
#[derive(Debug, Clone)]
pub struct Membership {
    /// What its user-data said.
    pub boot: BootConfig,
    /// The installation's authority.
    pub trust: Trust,
    /// The VM's own certificate, the latest.
    pub holder: Arc<Holder>,
    /// The address others reach it at.
    pub public_ip: Ipv4Addr,
    /// The address it has itself.
    pub private_ip: Ipv4Addr,
    directory: PathBuf,
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
    /// The key cannot be made or used.
    #[error("failed to make or use the key")]
    Key(#[source] rcgen::Error),
    /// The certificates cannot be used.
    #[error("failed to use the certificates of the installation")]
    Trust(#[source] TrustError),
    /// The director gave no certificate.
    #[error("the director gave no certificate")]
    Refused(#[source] ClientError),
}

/// What a VM remembers of its membership.
#[derive(Clone, Serialize, Deserialize)]
struct Remembered {
    certificate: String,
    public_ip: Ipv4Addr,
    private_ip: Ipv4Addr,
    #[serde(with = "time::serde::rfc3339")]
    renew_at: OffsetDateTime,
}

impl Membership {
    /// Joins with the boot file that user-data left, or takes up an earlier membership that is
    /// remembered in `directory`; its certificate is renewed when it is time.
    ///
    /// # Errors
    /// When the boot file is missing or damaged, or the director refuses.
    pub async fn obtain(boot_file: &Path, directory: &Path) -> Result<Self, JoinError> {
        let boot: BootConfig = read_json(boot_file)?;
        let trust =
            Trust::new(&boot.installation, &boot.ca_certificate).map_err(JoinError::Trust)?;
        let key = key_of(directory)?;
        let memory = memory(directory);
        let remembered: Option<Remembered> =
            if memory.exists() { Some(read_json(&memory)?) } else { None };
        let remembered = match remembered {
            Some(remembered) if remembered.renew_at > OffsetDateTime::now_utc() => remembered,
            // The director knows the key of a token that was exchanged already: an answer that was
            // lost is asked for again.
            known => {
                let token = known.is_none().then(|| boot.token.clone());
                let granted = request(&boot, &trust, &key, token).await?;
                remember(&memory, &granted)?;
                granted
            }
        };
        let holder = Holder::new(&credentials(&remembered, &key)).map_err(JoinError::Trust)?;
        let Remembered { public_ip, private_ip, .. } = remembered;
        Ok(Self { boot, trust, holder, public_ip, private_ip, directory: directory.to_owned() })
    }

    /// Renews the certificate whenever it is time, for as long as the VM is a member.
    pub async fn keep_renewed(self) {
        loop {
            match self.renew_when_due().await {
                Ok(()) => tracing::info!("the certificate was renewed"),
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "failed to renew the certificate; the next try is in a minute"
                    );
                    tokio::time::sleep(RENEWAL_PAUSE).await;
                }
            }
        }
    }

    async fn renew_when_due(&self) -> Result<(), JoinError> {
        let memory = memory(&self.directory);
        let remembered: Remembered = read_json(&memory)?;
        wait_until(remembered.renew_at).await;
        let key = key_of(&self.directory)?;
        let granted = request(&self.boot, &self.trust, &key, None).await?;
        remember(&memory, &granted)?;
        self.holder.replace(&credentials(&granted, &key)).map_err(JoinError::Trust)
    }

    /// Who this VM is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.boot.identity()
    }

    /// The connection to the director.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn director(&self) -> Result<VmClient, TrustError> {
        Ok(VmClient::new(self.client_of(Identity::Director)?, &self.boot.director_url))
    }

    /// An HTTP client that speaks to one member of the installation as this VM.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn client_of(&self, callee: Identity) -> Result<reqwest::Client, TrustError> {
        self.trust.client(callee, Some(Arc::clone(&self.holder)))
    }

    /// The TLS configuration of this VM's server: nobody without a certificate gets in.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TrustError> {
        tls::server_config(Arc::clone(&self.holder), &self.trust, ClientCertificates::Required)
    }
}

/// Timers stand still while a laptop sleeps; the end of a certificate does not. So the clock is looked
/// at now and then.
async fn wait_until(moment: OffsetDateTime) {
    const LOOK_EVERY: Duration = Duration::from_secs(60);
    while let Ok(left) = Duration::try_from(moment - OffsetDateTime::now_utc()) {
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
}

fn memory(directory: &Path) -> PathBuf {
    directory.join("membership.json")
}

fn credentials(remembered: &Remembered, key: &KeyPair) -> Credentials {
    Credentials { certificate: remembered.certificate.clone(), key: key.serialize_pem() }
}

/// The VM's key, made at the first need. It is kept before it is used: the director binds the token
/// to it.
fn key_of(directory: &Path) -> Result<KeyPair, JoinError> {
    let path = directory.join("key.pem");
    match std::fs::read_to_string(&path) {
        Ok(pem) => KeyPair::from_pem(&pem).map_err(JoinError::Key),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            let key = KeyPair::generate().map_err(JoinError::Key)?;
            files::write(&path, key.serialize_pem().as_bytes(), Access::Secret)
                .map_err(|source| JoinError::File { path, source })?;
            Ok(key)
        }
        Err(source) => Err(JoinError::File { path, source }),
    }
}

/// Asks for a certificate of this key. The connection shows none: the request proves the key.
async fn request(
    boot: &BootConfig,
    trust: &Trust,
    key: &KeyPair,
    token: Option<String>,
) -> Result<Remembered, JoinError> {
    let csr = CertificateParams::default()
        .serialize_request(key)
        .and_then(|request| request.pem())
        .map_err(JoinError::Key)?;
    let client = trust.client(Identity::Director, None).map_err(JoinError::Trust)?;
    let grant = VmClient::new(client, &boot.director_url)
        .certificate(&CertificateRequest { token, csr })
        .await
        .map_err(JoinError::Refused)?;
    let validity = Duration::from_secs(grant.renew_after_seconds);
    Ok(Remembered {
        certificate: grant.certificate,
        public_ip: grant.public_ip,
        private_ip: grant.private_ip,
        renew_at: OffsetDateTime::now_utc() + validity,
    })
}

fn remember(path: &Path, remembered: &Remembered) -> Result<(), JoinError> {
    let content = serde_json::to_vec(remembered).expect("strings and addresses are always JSON");
    files::write(path, &content, Access::Secret)
        .map_err(|source| JoinError::File { path: path.to_owned(), source })
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, JoinError> {
    let content =
        std::fs::read(path).map_err(|source| JoinError::File { path: path.to_owned(), source })?;
    serde_json::from_slice(&content)
        .map_err(|source| JoinError::Damaged { path: path.to_owned(), source })
}
