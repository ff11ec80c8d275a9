//! A certificate that can be replaced while servers and clients use it.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Credentials;
use super::trust::{TrustError, provider};

/// The holder of a certificate: shows the latest one at every handshake, on either side.
#[derive(Debug)]
pub struct Holder(RwLock<Arc<CertifiedKey>>);

impl Holder {
    /// Holds these credentials.
    ///
    /// # Errors
    /// When they are not PEM, or key and certificate do not belong together.
    pub fn new(credentials: &Credentials) -> Result<Arc<Self>, TrustError> {
        Ok(Arc::new(Self(RwLock::new(certified(credentials)?))))
    }

    /// Holds other credentials from now on; open connections go on with the old ones.
    ///
    /// # Errors
    /// When they cannot be used; the old ones stay.
    pub fn replace(&self, credentials: &Credentials) -> Result<(), TrustError> {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified(credentials)?;
        Ok(())
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn certified(credentials: &Credentials) -> Result<Arc<CertifiedKey>, TrustError> {
    let (chain, key) = credentials.parse()?;
    CertifiedKey::from_der(chain, key, &provider()).map(Arc::new).map_err(TrustError::Config)
}

impl ResolvesServerCert for Holder {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Holder {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
