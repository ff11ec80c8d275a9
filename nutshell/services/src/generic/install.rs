//! The unpacked code of a node: always one version, whole.
//!
//! ```text
//! <cache>/bin                    → versions/code-pw1LKs.x3fT, the one at work
//! <cache>/versions/<id>.<word>   unpacked code; all but the one at work are left-overs
//! ```

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use protocol::CodeVersionId;

use crate::ServiceError;
use crate::code::{Upload, archive, random_name, receive};
use crate::manager_half::Content;

/// The places of a node's code.
#[derive(Debug, Clone)]
pub(super) struct Installation {
    cache: PathBuf,
}

impl Installation {
    /// The code below this directory; what an interrupted installation left is cleared away.
    pub(super) fn open(cache: &Path) -> Result<Self, ServiceError> {
        let installation = Self { cache: cache.to_owned() };
        let versions = installation.versions();
        fs::create_dir_all(&versions).map_err(ServiceError::file(&versions))?;
        installation.clear()?;
        Ok(installation)
    }

    /// Where the scripts are found.
    pub(super) fn bin(&self) -> PathBuf {
        self.cache.join("bin")
    }

    fn versions(&self) -> PathBuf {
        self.cache.join("versions")
    }

    /// The directory at work.
    pub(super) fn current(&self) -> Option<String> {
        Some(fs::read_link(self.bin()).ok()?.file_name()?.to_str()?.to_owned())
    }

    /// Receives an archive and looks through it.
    pub(super) async fn receive(
        &self,
        version: &CodeVersionId,
        content: Content,
    ) -> Result<Upload, ServiceError> {
        receive(&self.versions(), version.as_str(), content).await
    }

    /// Unpacks an archive beside the code at work, then puts it to work in one step.
    pub(super) fn switch(
        &self,
        version: &CodeVersionId,
        upload: &Upload,
    ) -> Result<String, ServiceError> {
        let name = format!("{version}.{}", random_name(4));
        let directory = self.versions().join(&name);
        fs::create_dir(&directory).map_err(ServiceError::file(&directory))?;
        archive::unpack(&upload.path, &upload.contents, &directory).map_err(
            |error| match error {
                archive::ArchiveError::File(source) => ServiceError::file(&directory)(source),
                other => other.refusal(version.as_str()).into(),
            },
        )?;
        let (link, next) = (self.bin(), self.cache.join(".bin.new"));
        remove(&next, fs::remove_file)?;
        symlink(Path::new("versions").join(&name), &next).map_err(ServiceError::file(&next))?;
        fs::rename(&next, &link).map_err(ServiceError::file(&link))?;
        Ok(name)
    }

    /// Removes all unpacked code but the one at work.
    pub(super) fn clear(&self) -> Result<(), ServiceError> {
        let (current, versions) = (self.current(), self.versions());
        let entries = fs::read_dir(&versions).map_err(ServiceError::file(&versions))?;
        for entry in entries.flatten() {
            if entry.file_name().to_str() == current.as_deref() {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => remove(&entry.path(), fs::remove_dir_all)?,
                _ => remove(&entry.path(), fs::remove_file)?,
            }
        }
        Ok(())
    }
}

/// The version whose code a directory holds.
pub(super) fn version_of(directory: &str) -> Option<CodeVersionId> {
    directory.split('.').next()?.parse().ok()
}

fn remove(path: &Path, by: fn(PathBuf) -> io::Result<()>) -> Result<(), ServiceError> {
    match by(path.to_owned()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ServiceError::file(path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_directory() {
        assert_eq!(version_of("code-pw1LKs.x3fT"), "code-pw1LKs".parse().ok());
        assert_eq!(version_of("lost+found"), None);
    }
}
