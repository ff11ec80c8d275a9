//! Whom to believe: the installation's authority, and clients that insist on one identity.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use super::{Holder, peer};
use crate::identity::Identity;

/// Why a TLS configuration could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A certificate or key is not what it should be.
    #[error("failed to read a certificate or key")]
    Certificate(#[source] rustls::pki_types::pem::Error),
    /// The authority's certificate cannot be used.
    #[error("failed to use the certificate of the authority")]
    Authority(#[source] rustls::Error),
    /// Client certificates cannot be verified.
    #[error("failed to set up the verification of client certificates")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    /// Key and certificate do not fit.
    #[error("failed to set up TLS")]
    Config(#[source] rustls::Error),
    /// The HTTP client could not be made.
    #[error("failed to set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// One installation's authority: whoever it signed for is part of the installation.
#[derive(Debug, Clone)]
pub struct Trust {
    installation: Arc<str>,
    roots: Arc<RootCertStore>,
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Trust {
    /// Trusts the authority with this certificate (PEM), for this installation.
    ///
    /// # Errors
    /// When the text holds no usable certificate.
    pub fn new(installation: &str, ca_certificate: &str) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(ca_certificate.as_bytes())
            .map_err(TrustError::Certificate)?;
        roots.add(certificate).map_err(TrustError::Authority)?;
        Ok(Self { installation: installation.into(), roots: Arc::new(roots) })
    }

    /// The installation's name, as it stands in certificates.
    #[must_use]
    pub fn installation(&self) -> &str {
        &self.installation
    }

    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.roots)
    }

    /// An HTTP client that speaks to `callee` and to nobody else, with a certificate when given.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn client(
        &self,
        callee: Identity,
        holder: Option<Arc<Holder>>,
    ) -> Result<reqwest::Client, TrustError> {
        let verifier = Arc::new(CalleeVerifier { trust: self.clone(), callee });
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Config)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match holder {
            None => builder.with_no_client_auth(),
            Some(holder) => builder.with_client_cert_resolver(holder),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .no_proxy()
            .https_only(true)
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(TrustError::Client)
    }
}

/// Believes a certificate when the authority signed it and it names the callee; the host name
/// in the URL is only a way to get there.
#[derive(Debug)]
struct CalleeVerifier {
    trust: Trust,
    callee: Identity,
}

impl ServerCertVerifier for CalleeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &self.trust.roots,
            intermediates,
            now,
            provider().signature_verification_algorithms.all,
        )?;
        match peer::identity(end_entity, &self.trust.installation) {
            Some(identity) if identity == self.callee => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
