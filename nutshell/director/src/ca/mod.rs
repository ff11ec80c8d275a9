//! The installation's certificate authority.
//!
//! Its key never leaves the state directory. It writes every name itself: of a request only the
//! public key counts.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use protocol::Identity;
use protocol::files::{self, Access};
use protocol::tls::{Credentials, Trust, TrustError, authority_name};
use rand::RngCore;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKey,
    PublicKeyData, SanType, SerialNumber,
};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

/// How long the authority itself, and the director's certificate, are good for.
const AUTHORITY_VALIDITY: Duration = Duration::days(3652);
/// How long a VM's certificate is good for.
pub(crate) const VM_VALIDITY: Duration = Duration::hours(24);
/// Others' clocks may be behind, and this one's may be fast and be set right later.
const LEEWAY: Duration = Duration::hours(24);

/// Where the authority's certificate is, for whoever wants to trust the installation.
#[must_use]
pub fn ca_certificate(state_dir: &Path) -> PathBuf {
    state_dir.join("ca.pem")
}

fn ca_key(state_dir: &Path) -> PathBuf {
    state_dir.join("ca.key")
}

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be used.
    #[error("failed to read or write {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The stored key or certificate is not usable.
    #[error("failed to use the certificate authority in {}", path.display())]
    Damaged {
        /// Its certificate.
        path: PathBuf,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// A key or certificate could not be made.
    #[error("failed to make a key or a certificate")]
    Make(#[source] rcgen::Error),
    /// The authority's certificate is not usable for TLS.
    #[error("failed to trust the certificate authority")]
    Trust(#[source] TrustError),
}

/// Signs the certificates of one installation.
pub(crate) struct Authority {
    installation: String,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    trust: Trust,
}

/// A certificate that was signed.
pub(crate) struct Signed {
    pub(crate) certificate: String,
    pub(crate) serial: u128,
    pub(crate) expires: OffsetDateTime,
}

/// The public key of a certificate request, whose signature proved that the sender has its private
/// half.
pub(crate) struct RequestKey(PublicKey);

impl RequestKey {
    /// Reads a PKCS#10 request, PEM; `None` when it is not one, or is not signed by its own key.
    pub(crate) fn read(request: &str) -> Option<Self> {
        let request = CertificateSigningRequestParams::from_pem(request).ok()?;
        Some(Self(request.public_key))
    }

    /// Tells the key from all others.
    pub(crate) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.der_bytes()).to_vec()
    }
}

impl Authority {
    /// Takes up the authority of the state directory, or makes one.
    pub(crate) fn load_or_create(
        state_dir: &Path,
        installation: &str,
    ) -> Result<Self, AuthorityError> {
        let (key_path, certificate_path) = (ca_key(state_dir), ca_certificate(state_dir));
        // The certificate is written last: without it, whatever key is there was never used.
        if !certificate_path.exists() {
            let key = KeyPair::generate().map_err(AuthorityError::Make)?;
            let certificate = authority_parameters(installation)
                .self_signed(&key)
                .map_err(AuthorityError::Make)?;
            write(&key_path, &key.serialize_pem(), Access::Secret)?;
            write(&certificate_path, &certificate.pem(), Access::Public)?;
        }
        let certificate = read(&certificate_path)?;
        let issuer = KeyPair::from_pem(&read(&key_path)?)
            .and_then(|key| Issuer::from_ca_cert_pem(&certificate, key))
            .map_err(|source| AuthorityError::Damaged { path: certificate_path, source })?;
        let trust = Trust::new(installation, &certificate).map_err(AuthorityError::Trust)?;
        Ok(Self { installation: installation.to_owned(), issuer, certificate, trust })
    }

    /// The authority's own certificate, PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(crate) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The director's own key and certificate, made anew at each start. Programs that know
    /// nothing of identities (curl, browsers) check `hosts`.
    pub(crate) fn director_credentials(
        &self,
        hosts: &[String],
    ) -> Result<Credentials, AuthorityError> {
        let key = KeyPair::generate().map_err(AuthorityError::Make)?;
        let signed = self.sign(Identity::Director, &key, hosts, AUTHORITY_VALIDITY)?;
        Ok(Credentials { certificate: signed.certificate, key: key.serialize_pem() })
    }

    /// Signs for a VM.
    pub(crate) fn sign_request(
        &self,
        identity: Identity,
        request: &RequestKey,
    ) -> Result<Signed, AuthorityError> {
        self.sign(identity, &request.0, &[], VM_VALIDITY)
    }

    pub(crate) fn sign(
        &self,
        identity: Identity,
        key: &impl PublicKeyData,
        hosts: &[String],
        validity: Duration,
    ) -> Result<Signed, AuthorityError> {
        // Others check by their own clocks, so it is the system's that counts here.
        let now = OffsetDateTime::now_utc();
        let serial = random_serial();
        let mut parameters =
            CertificateParams::new(hosts.to_vec()).map_err(AuthorityError::Make)?;
        let uri = identity.uri(&self.installation);
        let uri = uri.try_into().map_err(AuthorityError::Make)?;
        parameters.subject_alt_names.push(SanType::URI(uri));
        parameters.distinguished_name = common_name(&identity.to_string());
        parameters.serial_number = Some(SerialNumber::from_slice(&serial.to_be_bytes()));
        parameters.not_before = now - LEEWAY;
        parameters.not_after = now + validity;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters.use_authority_key_identifier_extension = true;
        let expires = parameters.not_after;
        let certificate = parameters.signed_by(key, &self.issuer).map_err(AuthorityError::Make)?;
        Ok(Signed { certificate: certificate.pem(), serial, expires })
    }
}

/// The names under which programs that check names may reach the director.
pub(crate) fn director_hosts(url: &str, listening: IpAddr) -> Vec<String> {
    let authority = url.split("://").nth(1).unwrap_or(url).split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    for name in [host.to_owned(), listening.to_string()] {
        if !name.is_empty() && !hosts.contains(&name) {
            hosts.push(name);
        }
    }
    hosts
}

fn authority_parameters(installation: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = common_name(&authority_name(installation));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = OffsetDateTime::now_utc();
    parameters.not_before = now - LEEWAY;
    parameters.not_after = now + AUTHORITY_VALIDITY;
    parameters
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Positive whatever the encoding: the highest bit stays clear.
fn random_serial() -> u128 {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    (u128::from_be_bytes(bytes) >> 1) | 1
}

fn write(path: &Path, content: &str, access: Access) -> Result<(), AuthorityError> {
    files::write(path, content.as_bytes(), access)
        .map_err(|source| AuthorityError::File { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    fs::read_to_string(path)
        .map_err(|source| AuthorityError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
