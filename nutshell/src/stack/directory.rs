//! Where a stack keeps everything, and which version of it that is.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use protocol::files::{self, Access};

use super::lock;
use crate::diagnostics::Advice;

/// The layout of the state directory that this executable writes.
const VERSION: u32 = 1;

/// What stands before the version in its file: nobody else's file says that.
const MARK: &str = "nutshell-state ";

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Nobody said where, and there is no home.
    #[error("there is no home directory to keep the state in")]
    NoHome,
    /// A file or directory cannot be used.
    #[error("failed to use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A newer nutshell made it.
    #[error(
        "the state directory {} was made by a newer version of nutshell (its layout is {found}, \
         this one knows {VERSION})",
        path.display()
    )]
    Newer {
        /// The directory.
        path: PathBuf,
        /// The version of its layout.
        found: u32,
    },
    /// There are files, and they are not a stack's.
    #[error("{} is not empty and not a state directory of nutshell", path.display())]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// A file holds something else than it should.
    #[error("{} cannot be understood: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no stack in it yet.
    #[error("there is no nutshell in {}", path.display())]
    Missing {
        /// The directory.
        path: PathBuf,
    },
}

impl Advice for StateError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoHome | Self::Foreign { .. } => {
                "choose another directory with --state DIR or NUTSHELL_STATE".to_owned()
            }
            Self::Newer { .. } => {
                "use the newer nutshell, or another directory with --state DIR; nothing was touched"
                    .to_owned()
            }
            Self::Missing { .. } => "`nutshell up` makes and starts one".to_owned(),
            Self::Damaged { .. } => "correct the file, or move it away".to_owned(),
            Self::File { .. } => return None,
        })
    }
}

impl StateError {
    /// For `map_err`: names the file.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// The directory in which a stack keeps everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDirectory(PathBuf);

impl StateDirectory {
    /// The directory that was asked for, or the default one. Nothing is made yet.
    ///
    /// # Errors
    /// When none was asked for and there is no home.
    pub fn choose(asked: Option<&Path>) -> Result<Self, StateError> {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        match asked {
            Some(path) => std::path::absolute(path).map(Self).map_err(StateError::file(path)),
            None => default_path(variable("XDG_DATA_HOME"), variable("HOME"))
                .map(Self)
                .ok_or(StateError::NoHome),
        }
    }

    /// This directory. Nothing is made yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes the directory when it is missing, and checks that this executable understands it.
    ///
    /// # Errors
    /// When it is somebody else's or a newer one's; then nothing was touched.
    pub fn prepare(&self) -> Result<(), StateError> {
        let version = self.version()?;
        make_private(&self.0).map_err(StateError::file(&self.0))?;
        if version.is_none() {
            // The lock first: where the version stands, there is a lock too.
            let lock = self.lock_file();
            lock::open(&lock).map_err(StateError::file(&lock))?;
            let path = self.version_file();
            files::write(&path, format!("{MARK}{VERSION}\n").as_bytes(), Access::Public)
                .map_err(StateError::file(&path))?;
        }
        make_private(&self.logs()).map_err(StateError::file(&self.logs()))
    }

    /// Checks that there is a stack that this executable understands.
    ///
    /// # Errors
    /// When there is none, or it is a newer one's.
    pub fn existing(&self) -> Result<(), StateError> {
        match self.version()? {
            // `destroy` relies on this: one file alone may be a copy that strayed.
            Some(_) if [self.lock_file(), self.configuration_file()].iter().any(|f| f.exists()) => {
                Ok(())
            }
            Some(_) => Err(StateError::Foreign { path: self.0.clone() }),
            None => Err(StateError::Missing { path: self.0.clone() }),
        }
    }

    /// The version of the layout; `None` when there is nothing yet.
    fn version(&self) -> Result<Option<u32>, StateError> {
        let path = self.version_file();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if self.is_free()? {
                    Ok(None)
                } else {
                    Err(StateError::Foreign { path: self.0.clone() })
                };
            }
            Err(error) => return Err(StateError::file(&path)(error)),
        };
        let Some(version) = text.strip_prefix(MARK) else {
            return Err(StateError::Foreign { path: self.0.clone() });
        };
        match version.trim().parse() {
            Ok(found) if found > VERSION => Err(StateError::Newer { path: self.0.clone(), found }),
            Ok(found) => Ok(Some(found)),
            Err(_) => Err(StateError::Damaged {
                path,
                problem: format!("expected the number {VERSION}, found {:?}", version.trim()),
            }),
        }
    }

    /// Whether nothing is there, or only what a first start that was killed left.
    fn is_free(&self) -> Result<bool, StateError> {
        let entries = match std::fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(StateError::file(&self.0)(error)),
        };
        let ours = ["lock", "nutshell.toml", ".version.new"];
        for entry in entries {
            let entry = entry.map_err(StateError::file(&self.0))?;
            if !ours.iter().any(|name| entry.file_name() == *name) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn version_file(&self) -> PathBuf {
        self.0.join("version")
    }

    pub(crate) fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Held for a moment by whoever takes the lock, or looks who has it.
    pub(crate) fn gate_file(&self) -> PathBuf {
        self.0.join("lock.gate")
    }

    pub(crate) fn configuration_file(&self) -> PathBuf {
        self.0.join("nutshell.toml")
    }

    pub(crate) fn secrets_file(&self) -> PathBuf {
        self.0.join("secrets.toml")
    }

    pub(crate) fn executable_file(&self) -> PathBuf {
        self.0.join("executable.json")
    }

    pub(crate) fn executables(&self) -> PathBuf {
        self.0.join("executables")
    }

    pub(crate) fn running_file(&self) -> PathBuf {
        self.0.join("running.json")
    }

    pub(crate) fn session_file(&self) -> PathBuf {
        self.0.join("session.json")
    }

    /// The logs of the stack's parts.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.0.join("logs")
    }

    pub(crate) fn fake_cloud(&self) -> PathBuf {
        self.0.join("fake-cloud")
    }

    pub(crate) fn director(&self) -> PathBuf {
        self.0.join("director")
    }

    /// The certificate of the installation's authority.
    #[must_use]
    pub fn ca_certificate(&self) -> PathBuf {
        director::ca_certificate(&self.director())
    }
}

fn default_path(data_home: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The specification of XDG: a relative path is to be ignored.
    let data = data_home
        .filter(|path| path.is_absolute())
        .or_else(|| home.filter(|path| path.is_absolute()).map(|path| path.join(".local/share")))?;
    Some(data.join("nutshell/default"))
}

/// Makes the directory for its owner's eyes alone; one that is there already becomes so.
fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    match std::fs::metadata(directory)?.mode() & 0o077 {
        0 => Ok(()),
        _ => std::fs::set_permissions(directory, Permissions::from_mode(0o700)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_directory_follows_xdg() {
        let path = |data: Option<&str>, home: Option<&str>| {
            default_path(data.map(PathBuf::from), home.map(PathBuf::from))
        };
        let some = |path: &str| Some(PathBuf::from(path));
        assert_eq!(path(Some("/data"), Some("/home/u")), some("/data/nutshell/default"));
        assert_eq!(path(None, Some("/home/u")), some("/home/u/.local/share/nutshell/default"));
        assert_eq!(path(Some("data"), Some("/home/u")), path(None, Some("/home/u")));
        assert_eq!(path(None, None), None);
    }

    #[test]
    fn a_directory_is_made_once_and_recognised_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(&parent.path().join("a/b"));
        assert!(matches!(state.existing(), Err(StateError::Missing { .. })));
        state.prepare().unwrap();
        state.prepare().unwrap();
        state.existing().unwrap();
        assert!(state.logs().is_dir());
    }

    #[test]
    fn a_newer_directory_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("version"), "nutshell-state 2\n").unwrap();
        let state = StateDirectory::at(directory.path());
        assert!(matches!(state.prepare(), Err(StateError::Newer { found: 2, .. })));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn other_peoples_directories_are_left_alone() {
        for (name, content) in [("thesis.tex", ""), ("version", "1\n"), ("version", "9\n")] {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join(name), content).unwrap();
            let state = StateDirectory::at(directory.path());
            assert!(matches!(state.prepare(), Err(StateError::Foreign { .. })), "{name}");
            assert!(matches!(state.existing(), Err(StateError::Foreign { .. })), "{name}");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_version_alone_is_not_a_stack_to_work_on() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        state.prepare().unwrap();
        std::fs::remove_file(state.lock_file()).unwrap();
        assert!(matches!(state.existing(), Err(StateError::Foreign { .. })));
        std::fs::write(state.configuration_file(), "").unwrap();
        state.existing().unwrap();
    }

    #[test]
    fn what_a_killed_first_start_left_is_taken_up() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["lock", ".version.new", "nutshell.toml"] {
            std::fs::write(directory.path().join(name), "").unwrap();
        }
        let state = StateDirectory::at(directory.path());
        state.prepare().unwrap();
        std::fs::remove_dir(state.logs()).unwrap();
        state.prepare().unwrap();
        assert!(state.logs().is_dir());
    }

    #[test]
    fn the_directory_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        state.prepare().unwrap();
        for path in [state.path(), &state.logs()] {
            std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        }
        state.prepare().unwrap();
        for path in [state.path(), &state.logs()] {
            assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o700);
        }
    }
}
