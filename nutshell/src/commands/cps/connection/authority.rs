//! The certificate by which a director is recognised.

use std::path::{Path, PathBuf};

use protocol::tls::Trust;
use x509_parser::pem::parse_x509_pem;

use super::CpsError;

/// The subject of an authority's certificate begins so; the installation's name follows.
const SUBJECT: &str = "Nutshell installation ";

/// An authority's certificate and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The file, for messages.
    pub(crate) path: PathBuf,
    /// The certificate, PEM.
    pub(crate) certificate: String,
}

impl Authority {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, CpsError> {
        let certificate = std::fs::read_to_string(path).map_err(CpsError::file("read", path))?;
        Ok(Self { path: path.to_owned(), certificate })
    }
}

/// Trusts whoever the authority signed for.
pub(crate) fn trust(authority: &Authority) -> Result<Trust, CpsError> {
    let installation = installation(&authority.certificate)
        .ok_or_else(|| CpsError::NotAnAuthority { path: authority.path.clone() })?;
    Trust::new(&installation, &authority.certificate).map_err(CpsError::Trust)
}

/// The installation that the certificate names.
fn installation(certificate: &str) -> Option<String> {
    let (_, pem) = parse_x509_pem(certificate.as_bytes()).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    name.strip_prefix(SUBJECT).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_authority_names_no_installation() {
        for text in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert_eq!(installation(text), None, "{text:?}");
        }
    }
}
