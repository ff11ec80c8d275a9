//! What a manager half keeps beside code versions: one value in a file of its own, replaced whole.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use protocol::files::{self, Access};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ServiceError;

/// The settings of one service. There may be secrets among them.
#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
}

impl Settings {
    /// Those in this file, which need not exist.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// What was written last, or the default.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn read<T: DeserializeOwned + Default>(&self) -> Result<T, ServiceError> {
        match std::fs::read(&self.path) {
            Ok(content) => serde_json::from_slice(&content)
                .map_err(std::io::Error::other)
                .map_err(ServiceError::file(&self.path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(ServiceError::file(&self.path)(error)),
        }
    }

    /// Keeps these from now on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, settings: &impl Serialize) -> Result<(), ServiceError> {
        let content = serde_json::to_vec_pretty(settings)
            .map_err(std::io::Error::other)
            .map_err(ServiceError::file(&self.path))?;
        files::write(&self.path, &content, Access::Secret).map_err(ServiceError::file(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_before_that_the_default() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings::open(&directory.path().join("7.settings"));
        assert_eq!(settings.read::<Vec<u32>>().unwrap(), Vec::<u32>::new());
        settings.write(&[1, 2]).unwrap();
        assert_eq!(settings.read::<Vec<u32>>().unwrap(), [1, 2]);
        assert!(settings.read::<String>().is_err());
    }
}
