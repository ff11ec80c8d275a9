//! TLS by which the parts of one installation know each other.
//!
//! There is one certificate authority, the director's. Names of hosts mean nothing, VMs come and go:
//! a peer is who the URI in its certificate says (see [`crate::identity`]).

mod authority;
mod holder;
mod peer;
pub mod server;
mod trust;
mod unread;

pub use authority::{authority_name, installation_of};
pub use holder::Holder;
pub use peer::Peer;
pub use trust::{Trust, TrustError};

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;

/// A certificate with its key: what a part of the installation proves itself with.
#[derive(Clone)]
pub struct Credentials {
    /// The certificate, PEM.
    pub certificate: String,
    /// Its private key, PEM (PKCS#8).
    pub key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Credentials {
    fn parse(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TrustError> {
        let chain = CertificateDer::pem_slice_iter(self.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(TrustError::Certificate)?;
        let key =
            PrivateKeyDer::from_pem_slice(self.key.as_bytes()).map_err(TrustError::Certificate)?;
        Ok((chain, key))
    }
}

/// Whether a server insists on a certificate of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Users come without one, managers and agents with one: the director.
    Optional,
    /// Nobody gets further than the handshake without one: managers and agents.
    Required,
}

/// The TLS configuration of a server that trusts certificates of this installation alone.
///
/// # Errors
/// When the authority's certificate cannot be used.
pub fn server_config(
    holder: Arc<Holder>,
    trust: &Trust,
    clients: ClientCertificates,
) -> Result<Arc<ServerConfig>, TrustError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(trust.roots(), trust::provider());
    let verifier = match clients {
        ClientCertificates::Optional => verifier.allow_unauthenticated(),
        ClientCertificates::Required => verifier,
    }
    .build()
    .map_err(TrustError::Verifier)?;
    let mut config = ServerConfig::builder_with_provider(trust::provider())
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Config)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(holder);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
