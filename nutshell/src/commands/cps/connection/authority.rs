//! The certificate by which a director is recognised.

use std::path::{Path, PathBuf};

use protocol::tls::{Trust, installation_of};

use super::CpsError;

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
    let installation = installation_of(&authority.certificate)
        .ok_or_else(|| CpsError::NotAnAuthority { path: authority.path.clone() })?;
    Trust::new(&installation, &authority.certificate).map_err(CpsError::Trust)
}
