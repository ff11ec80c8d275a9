//! What managers must not lose with their VMs, on the director's disk.
//!
//! ```text
//! <state>/backups/<application>/backup.json      the list of files: replaced whole
//! <state>/backups/<application>/files/<sha256>   the larger contents, each once
//! <state>/backups/<application>/files/.new-…     one that is being received
//! ```

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use futures::{Stream, StreamExt};
use protocol::ApplicationId;
use protocol::api::backup::{Backup, BackupContent};
use protocol::files::{self, Access};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::secrets;

/// See the module.
#[derive(Debug)]
pub(crate) struct Backups {
    directory: PathBuf,
}

/// What became of a content that was received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// It is kept.
    Kept,
    /// It is not what its name says.
    Other,
    /// It is longer than allowed.
    TooLarge,
}

impl Backups {
    pub(crate) fn new(state_dir: &Path) -> Self {
        Self { directory: state_dir.join("backups") }
    }

    fn of(&self, application: ApplicationId) -> PathBuf {
        self.directory.join(application.to_string())
    }

    fn files(&self, application: ApplicationId) -> PathBuf {
        self.of(application).join("files")
    }

    /// The last list that was kept whole; an empty one when there is none.
    pub(crate) fn read(&self, application: ApplicationId) -> io::Result<Backup> {
        match fs::read(self.of(application).join("backup.json")) {
            Ok(content) => serde_json::from_slice(&content).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Backup::default()),
            Err(error) => Err(error),
        }
    }

    /// Replaces the list and forgets contents that it does not name, unless it names contents that
    /// are not here: these are answered, and nothing changes.
    pub(crate) fn replace(
        &self,
        application: ApplicationId,
        backup: &Backup,
    ) -> io::Result<Vec<String>> {
        let directory = self.files(application);
        fs::create_dir_all(&directory)?;
        let named: HashSet<&str> = backup.files.iter().filter_map(stored).collect();
        let missing: Vec<String> = named
            .iter()
            .filter(|sha256| !directory.join(sha256).is_file())
            .map(|sha256| (*sha256).to_owned())
            .collect();
        if !missing.is_empty() {
            return Ok(missing);
        }
        let content = serde_json::to_vec(backup).expect("paths and texts are always JSON");
        files::write(&self.of(application).join("backup.json"), &content, Access::Secret)?;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_name().to_str().is_none_or(|name| !named.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(missing)
    }

    /// Receives a content of at most so many bytes.
    pub(crate) async fn receive(
        &self,
        application: ApplicationId,
        sha256: &str,
        most: u64,
        mut content: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> io::Result<Received> {
        let directory = self.files(application);
        fs::create_dir_all(&directory)?;
        let new = Temporary(directory.join(format!(".new-{}", secrets::generate())));
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&new.0).await?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        while let Some(chunk) = content.next().await {
            let chunk = chunk?;
            length += chunk.len() as u64;
            if length > most {
                return Ok(Received::TooLarge);
            }
            hash.update(&chunk);
            file.write_all(&chunk).await?;
        }
        if hex(&hash.finalize()) != sha256 {
            return Ok(Received::Other);
        }
        file.flush().await?;
        file.sync_data().await?;
        fs::rename(&new.0, directory.join(sha256))?;
        fs::File::open(&directory)?.sync_all()?;
        Ok(Received::Kept)
    }

    /// A content, when it is here.
    pub(crate) async fn open(
        &self,
        application: ApplicationId,
        sha256: &str,
    ) -> io::Result<Option<tokio::fs::File>> {
        match tokio::fs::File::open(self.files(application).join(sha256)).await {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many bytes the application's contents take.
    pub(crate) fn size(&self, application: ApplicationId) -> io::Result<u64> {
        let entries = match fs::read_dir(self.files(application)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        entries.map(|entry| Ok(entry?.metadata()?.len())).sum()
    }

    /// Forgets all of an application.
    pub(crate) fn remove(&self, application: ApplicationId) -> io::Result<()> {
        match fs::remove_dir_all(self.of(application)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The applications that something is kept of.
    pub(crate) fn applications(&self) -> io::Result<Vec<ApplicationId>> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        Ok(entries.flatten().filter_map(|one| one.file_name().to_str()?.parse().ok()).collect())
    }
}

/// The name of a content that is kept for itself.
fn stored(file: &protocol::api::backup::BackupFile) -> Option<&str> {
    match &file.content {
        BackupContent::Stored { sha256, .. } => Some(sha256),
        BackupContent::Inline { .. } => None,
    }
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file that goes away unless it is moved.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use protocol::api::backup::BackupFile;

    use super::*;

    const ONE: ApplicationId = ApplicationId(1);

    async fn receive(backups: &Backups, sha256: &str, content: &'static str) -> Received {
        let content = stream::iter([Ok(Bytes::from_static(content.as_bytes()))]);
        backups.receive(ONE, sha256, 10, content).await.unwrap()
    }

    fn list(sha256: &str) -> Backup {
        let content = BackupContent::Stored { sha256: sha256.to_owned(), size: 1 };
        Backup { files: vec![BackupFile { path: "a".to_owned(), mode: 0o644, content }] }
    }

    #[tokio::test]
    async fn a_list_is_kept_once_its_contents_are_here_and_others_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let backups = Backups::new(directory.path());
        assert_eq!(backups.read(ONE).unwrap(), Backup::default());
        let [first, second] = ["first", "second"].map(|text| hex(&Sha256::digest(text)));
        assert_eq!(backups.replace(ONE, &list(&first)).unwrap(), [first.as_str()]);
        assert_eq!(receive(&backups, &first, "first").await, Received::Kept);
        assert_eq!(receive(&backups, &second, "first").await, Received::Other);
        assert_eq!(receive(&backups, &second, "far too long").await, Received::TooLarge);
        assert!(backups.replace(ONE, &list(&first)).unwrap().is_empty());
        assert_eq!(backups.read(ONE).unwrap(), list(&first));
        assert_eq!(receive(&backups, &second, "second").await, Received::Kept);
        assert_eq!(backups.size(ONE).unwrap(), 11);
        assert!(backups.replace(ONE, &list(&second)).unwrap().is_empty());
        assert!(backups.open(ONE, &first).await.unwrap().is_none());
        assert!(backups.open(ONE, &second).await.unwrap().is_some());
        assert_eq!(backups.size(ONE).unwrap(), 6, "nothing half received is left");
        assert_eq!(backups.applications().unwrap(), [ONE]);
        backups.remove(ONE).unwrap();
        backups.remove(ONE).unwrap();
        assert_eq!(backups.read(ONE).unwrap(), Backup::default());
    }
}
