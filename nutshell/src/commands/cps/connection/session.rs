//! The session that is remembered between commands, for its owner's eyes alone.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use protocol::files::{self, Access};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::CpsError;

/// A session with one director.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Where the director is.
    pub(crate) director_url: String,
    /// The certificate of its authority, PEM.
    pub(crate) ca_certificate: String,
    /// Who is logged in.
    pub(crate) username: String,
    /// What stands for the session.
    pub(crate) token: String,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) expires: OffsetDateTime,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("director_url", &self.director_url).finish_non_exhaustive()
    }
}

impl Session {
    /// The session in a file; a file of another form holds none.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, CpsError> {
        match std::fs::read(path) {
            Ok(text) => Ok(serde_json::from_slice(&text).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CpsError::file("read the session", path)(error)),
        }
    }

    /// Remembers the session in a file.
    pub(crate) fn save(&self, path: &Path) -> Result<(), CpsError> {
        let failed = || CpsError::file("write the session", path);
        if let Some(directory) = path.parent() {
            let mut builder = std::fs::DirBuilder::new();
            builder.recursive(true).mode(0o700).create(directory).map_err(failed())?;
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| failed()(error.into()))?;
        files::write(path, &text, Access::Secret).map_err(failed())
    }

    /// Forgets the session in a file.
    pub(crate) fn forget(path: &Path) -> Result<(), CpsError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(CpsError::file("remove the session", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// The session that `cps login` began.
    pub(crate) fn load_own(director: Option<&str>) -> Result<Option<Self>, CpsError> {
        own_path(director).map_or(Ok(None), |path| Self::load(&path))
    }

    /// Remembers the session as the one that `cps login` began. Without a home there is nowhere to.
    pub(crate) fn save_own(&self, director: Option<&str>) -> Result<(), CpsError> {
        own_path(director).map_or(Ok(()), |path| self.save(&path))
    }

    /// Forgets the session that `cps login` began.
    pub(crate) fn forget_own(director: Option<&str>) -> Result<(), CpsError> {
        own_path(director).map_or(Ok(()), |path| Self::forget(&path))
    }
}

/// `CPS_SESSION`, or in the user's configuration: one for each director that has a name.
fn own_path(director: Option<&str>) -> Option<PathBuf> {
    if let Some(path) = variable("CPS_SESSION") {
        return Some(path.into());
    }
    let name = match director {
        None => "session.json".to_owned(),
        // A name may be anything that TOML takes for a key.
        Some(name) => format!("session-{}.json", name.replace(['/', '\0'], "_")),
    };
    Some(configuration_directory()?.join(name))
}

/// Where the user's configuration is: below XDG's directory for it.
pub(super) fn configuration_directory() -> Option<PathBuf> {
    let configuration = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
    Some(configuration.join("nutshell"))
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_session_is_private_and_can_be_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nutshell/session.json");
        let session = Session {
            director_url: "https://127.56.0.1:5555".to_owned(),
            ca_certificate: "pem".to_owned(),
            username: "test".to_owned(),
            token: "t".to_owned(),
            expires: OffsetDateTime::UNIX_EPOCH,
        };
        assert_eq!(Session::load(&path).unwrap(), None);
        session.save(&path).unwrap();
        assert_eq!(Session::load(&path).unwrap(), Some(session));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        Session::forget(&path).unwrap();
        Session::forget(&path).unwrap();
        assert_eq!(Session::load(&path).unwrap(), None);
    }
}
