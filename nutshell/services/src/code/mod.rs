//! A service's code versions on the manager's disk.
//!
//! ```text
//! <directory>/versions.json   which there are, and which one is active: replaced whole
//! <directory>/code-pw1LKs     the archive as it was uploaded
//! <directory>/.upload-…       one that is being received; gone after a restart
//! ```

pub mod archive;
mod contents;
mod entry;
mod meter;
pub(crate) mod methods;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::StreamExt;
use protocol::api::CodeVersion;
use protocol::api::code::CodeUpload;
use protocol::files::{self, Access};
use protocol::{ApiError, CodeVersionId, ErrorCode};
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::io::AsyncWriteExt;

pub use contents::Contents;
#[cfg(test)]
pub(crate) use contents::contents as contents_of;

use crate::ServiceError;
use crate::manager_half::{Content, File};

/// The largest archive that is taken.
pub const LARGEST: u64 = 1 << 30;

/// The versions of one service.
#[derive(Debug)]
pub struct CodeStore {
    directory: PathBuf,
    index: Mutex<Index>,
}

/// What `versions.json` holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Index {
    active: Option<CodeVersionId>,
    /// Oldest first.
    versions: Vec<Version>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Version {
    id: CodeVersionId,
    filename: String,
    description: String,
    /// Whether the directory that all of it lies in is to be taken off.
    #[serde(default)]
    strip: bool,
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
}

impl CodeStore {
    /// Opens the store in this directory, which is made if need be; what an interrupted upload or
    /// deletion left is cleared away.
    ///
    /// # Errors
    /// When its files cannot be used.
    pub fn open(directory: &Path) -> Result<Self, ServiceError> {
        fs::create_dir_all(directory).map_err(ServiceError::file(directory))?;
        let path = directory.join("versions.json");
        let index: Index = match fs::read(&path) {
            Ok(content) => serde_json::from_slice(&content)
                .map_err(std::io::Error::other)
                .map_err(ServiceError::file(&path))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Index::default(),
            Err(error) => return Err(ServiceError::file(&path)(error)),
        };
        for file in fs::read_dir(directory).map_err(ServiceError::file(directory))?.flatten() {
            let known = |version: &Version| file.file_name() == version.id.as_str();
            if file.file_name() != "versions.json" && !index.versions.iter().any(known) {
                fs::remove_file(file.path()).map_err(ServiceError::file(&file.path()))?;
            }
        }
        Ok(Self { directory: directory.to_owned(), index: Mutex::new(index) })
    }

    /// The versions, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<CodeVersion> {
        let index = self.index();
        let shown = |version: &Version| CodeVersion {
            id: version.id.clone(),
            filename: version.filename.clone(),
            description: version.description.clone(),
            current: index.active.as_ref() == Some(&version.id),
            created: version.created,
        };
        index.versions.iter().rev().map(shown).collect()
    }

    /// The version that is to be at work.
    #[must_use]
    pub fn active(&self) -> Option<CodeVersionId> {
        self.index().active.clone()
    }

    /// Makes the initial version and activates it, unless there is one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_default(&self, content: &[u8]) -> Result<(), ServiceError> {
        let id: CodeVersionId = CodeVersionId::DEFAULT.parse().expect("the default id is one");
        if self.find(&id).is_ok() {
            return Ok(());
        }
        let path = self.path(&id);
        files::write(&path, content, Access::Public).map_err(ServiceError::file(&path))?;
        self.change(|index| {
            index.versions.insert(
                0,
                Version {
                    id: id.clone(),
                    filename: format!("{id}.tar"),
                    description: "Initial version".to_owned(),
                    strip: false,
                    created: OffsetDateTime::now_utc(),
                },
            );
            index.active.get_or_insert(id);
            Ok(())
        })
    }

    /// Receives an archive; it becomes a version once it is whole, found to be safe, and accepted.
    ///
    /// # Errors
    /// When it is refused, too large, or cannot be stored.
    pub async fn add(
        &self,
        about: &CodeUpload,
        content: Content,
        accept: impl FnOnce(&Contents) -> Result<(), ApiError>,
    ) -> Result<CodeVersionId, ServiceError> {
        let CodeUpload { filename, description, strip } = about;
        check_filename(filename)?;
        let upload = receive(&self.directory, filename, content).await?;
        accept(&upload.contents)?;
        let id = self.unused_id();
        fs::rename(&upload.path, self.path(&id)).map_err(ServiceError::file(&upload.path))?;
        self.change(|index| {
            index.versions.push(Version {
                id: id.clone(),
                filename: filename.clone(),
                description: description.clone(),
                strip: *strip,
                created: OffsetDateTime::now_utc(),
            });
            Ok(())
        })?;
        Ok(id)
    }

    /// Adds what was pushed with git; again, it changes nothing. The archive stays where it is.
    ///
    /// # Errors
    /// When it is refused or cannot be stored.
    pub async fn add_pushed(
        &self,
        id: &CodeVersionId,
        filename: &str,
        description: &str,
        archive: &Path,
    ) -> Result<(), ServiceError> {
        if self.find(id).is_ok() {
            return Ok(());
        }
        let file = tokio::fs::File::open(archive).await.map_err(ServiceError::file(archive))?;
        let content = tokio_util::io::ReaderStream::with_capacity(file, 64 << 10).boxed();
        let upload = receive(&self.directory, filename, content).await?;
        fs::rename(&upload.path, self.path(id)).map_err(ServiceError::file(&upload.path))?;
        self.change(|index| {
            if !index.versions.iter().any(|version| version.id == *id) {
                index.versions.push(Version {
                    id: id.clone(),
                    filename: filename.to_owned(),
                    description: description.to_owned(),
                    strip: false,
                    created: OffsetDateTime::now_utc(),
                });
            }
            Ok(())
        })
    }

    /// Makes a version the active one.
    ///
    /// # Errors
    /// When there is no such version, or this cannot be recorded.
    pub fn activate(&self, id: &CodeVersionId) -> Result<(), ServiceError> {
        self.find(id)?;
        self.change(|index| {
            index.active = Some(id.clone());
            Ok(())
        })
    }

    /// Deletes a version that is neither active nor the initial one.
    ///
    /// # Errors
    /// When it is one of these, there is no such version, or this cannot be recorded.
    pub fn delete(&self, id: &CodeVersionId) -> Result<(), ServiceError> {
        self.find(id)?;
        self.change(|index| {
            if index.active.as_ref() == Some(id) {
                return Err(ApiError::conflict(format!(
                    "{id} is the active code version and cannot be deleted"
                ))
                .hint("enable another version first"));
            }
            if id.as_str() == CodeVersionId::DEFAULT {
                return Err(ApiError::conflict(format!(
                    "{id} is the initial code version and cannot be deleted"
                )));
            }
            if id.as_str().starts_with("git-") {
                return Err(ApiError::conflict(format!(
                    "{id} was pushed with git and cannot be deleted"
                )));
            }
            index.versions.retain(|version| version.id != *id);
            Ok(())
        })?;
        let path = self.path(id);
        fs::remove_file(&path).map_err(ServiceError::file(&path))
    }

    /// The archive of a version, as it was uploaded.
    ///
    /// # Errors
    /// When there is no such version.
    pub async fn archive(&self, id: &CodeVersionId) -> Result<File, ServiceError> {
        let filename = self.find(id)?.filename;
        let path = self.path(id);
        let content = tokio::fs::File::open(&path).await.map_err(ServiceError::file(&path))?;
        Ok(File { filename, content })
    }

    /// Whether the user wants the directory taken off that all of a version lies in.
    ///
    /// # Errors
    /// When there is no such version.
    pub fn strips(&self, id: &CodeVersionId) -> Result<bool, ServiceError> {
        self.find(id).map(|version| version.strip)
    }

    /// Whether there is this version.
    ///
    /// # Errors
    /// When there is not.
    pub fn check_exists(&self, id: &CodeVersionId) -> Result<(), ServiceError> {
        self.find(id).map(|_| ())
    }

    fn find(&self, id: &CodeVersionId) -> Result<Version, ServiceError> {
        let index = self.index();
        let found = index.versions.iter().find(|version| version.id == *id).cloned();
        found.ok_or_else(|| ApiError::not_found(format!("there is no code version {id}")).into())
    }

    fn path(&self, id: &CodeVersionId) -> PathBuf {
        self.directory.join(id.as_str())
    }

    fn unused_id(&self) -> CodeVersionId {
        loop {
            let id: CodeVersionId =
                format!("code-{}", random_name(6)).parse().expect("letters and digits");
            if self.find(&id).is_err() {
                return id;
            }
        }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the index on disk, then in memory.
    fn change(
        &self,
        change: impl FnOnce(&mut Index) -> Result<(), ApiError>,
    ) -> Result<(), ServiceError> {
        let mut index = self.index();
        let mut changed = index.clone();
        change(&mut changed)?;
        let path = self.directory.join("versions.json");
        let content = serde_json::to_vec_pretty(&changed).expect("names and times are always JSON");
        files::write(&path, &content, Access::Public).map_err(ServiceError::file(&path))?;
        *index = changed;
        Ok(())
    }
}

/// Letters and digits that nobody guesses or meets twice.
#[must_use]
pub fn random_name(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

/// An archive that was looked through, in a file that goes away unless it is moved.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) path: PathBuf,
    pub(crate) contents: Contents,
}

impl Drop for Upload {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Receives an archive into a temporary file of the directory, and looks through it.
pub(crate) async fn receive(
    directory: &Path,
    filename: &str,
    mut content: Content,
) -> Result<Upload, ServiceError> {
    let path = directory.join(format!(".upload-{}", random_name(12)));
    let mut upload = Upload { path: path.clone(), contents: Contents::default() };
    let mut file = tokio::fs::File::create(&path).await.map_err(ServiceError::file(&path))?;
    let mut length = 0;
    while let Some(chunk) = content.next().await {
        let chunk = chunk.map_err(|error| {
            tracing::debug!(%error, "an upload broke off");
            ApiError::invalid(format!("the upload of `{filename}` broke off"))
        })?;
        length += chunk.len() as u64;
        if length > LARGEST {
            return Err(ApiError::new(
                ErrorCode::TooLarge,
                format!("`{filename}` is larger than {} MiB", LARGEST >> 20),
            )
            .into());
        }
        file.write_all(&chunk).await.map_err(ServiceError::file(&path))?;
    }
    file.flush().await.map_err(ServiceError::file(&path))?;
    file.sync_data().await.map_err(ServiceError::file(&path))?;
    let check = move || archive::check(&path, archive::Limits::default());
    upload.contents = tokio::task::spawn_blocking(check)
        .await
        .expect("looking through an archive does not panic")
        .map_err(|error| error.refusal(filename))?;
    Ok(upload)
}

/// A name that can stand in a header and become a file.
fn check_filename(filename: &str) -> Result<(), ApiError> {
    let plain = (1..=255).contains(&filename.len())
        && !matches!(filename, "." | "..")
        && !filename.contains(|c: char| c.is_control() || matches!(c, '/' | '\\' | '"'));
    if plain {
        return Ok(());
    }
    Err(ApiError::invalid(format!("`{}` is no name of a file", filename.escape_debug())))
}

#[cfg(test)]
mod tests;
