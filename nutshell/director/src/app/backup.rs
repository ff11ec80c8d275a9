//! The backups of managers: each of its own application's, within limits.

use std::collections::HashMap;
use std::io;

use axum::body::Bytes;
use futures::Stream;
use protocol::api::backup::{
    Backup, BackupAnswer, BackupContent, LARGEST_FILE, MOST_BYTES, MOST_FILES,
};
use protocol::{ApiError, ApplicationId, ErrorCode};

use super::vm::Vm;
use super::{App, Error, Result};
use crate::backups::Received;
use crate::db;

impl App {
    /// What the last manager of the application left.
    pub(crate) async fn vm_backup(&self, vm: &Vm) -> Result<Backup> {
        let application = vm.node.application;
        self.with_backups(move |app| app.backups.read(application)).await
    }

    /// Replaces it, unless contents are missing.
    pub(crate) async fn vm_backup_replace(&self, vm: &Vm, backup: Backup) -> Result<BackupAnswer> {
        check(&backup)?;
        let application = vm.node.application;
        let missing =
            self.with_backups(move |app| app.backups.replace(application, &backup)).await?;
        Ok(BackupAnswer { missing })
    }

    /// A content of the backup.
    pub(crate) async fn vm_backup_file(&self, vm: &Vm, sha256: &str) -> Result<tokio::fs::File> {
        check_name(sha256)?;
        let found = self.backups.open(vm.node.application, sha256).await.map_err(Error::Backup)?;
        found.ok_or_else(|| Error::not_found("content", sha256))
    }

    /// Receives a content for the next backup.
    pub(crate) async fn vm_backup_file_add(
        &self,
        vm: &Vm,
        sha256: &str,
        content: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<()> {
        check_name(sha256)?;
        let application = vm.node.application;
        let taken = self.with_backups(move |app| app.backups.size(application)).await?;
        // The contents that the next list will drop are still among them.
        if taken > MOST_BYTES + LARGEST_FILE {
            return Err(too_much());
        }
        let received = self.backups.receive(application, sha256, LARGEST_FILE, content).await;
        match received.map_err(Error::Backup)? {
            Received::Kept => Ok(()),
            Received::Other => Err(Error::Invalid("the content is not what it should be".into())),
            Received::TooLarge => Err(Error::TooLarge { limit: LARGEST_FILE }),
        }
    }

    /// Forgets the backups of applications that are no more.
    pub(crate) async fn backups_clear(&self) -> Result<()> {
        for application in self.with_backups(|app| app.backups.applications()).await? {
            let found = db::application::view(&mut *self.db.read().await?, application).await?;
            if found.is_none() {
                self.backup_remove(application).await?;
            }
        }
        Ok(())
    }

    /// Forgets all of an application.
    pub(crate) async fn backup_remove(&self, application: ApplicationId) -> Result<()> {
        self.with_backups(move |app| app.backups.remove(application)).await
    }

    async fn with_backups<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&app)).await;
        done.expect("using a file does not panic").map_err(Error::Backup)
    }
}

/// A name becomes that of a file: nothing else may come of it.
fn check_name(sha256: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if sha256.len() == 64 && sha256.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::Invalid("a SHA-256 has 64 lower-case hexadecimal digits".to_owned()))
}

fn check(backup: &Backup) -> Result<()> {
    let mut contents = HashMap::new();
    for file in &backup.files {
        if let BackupContent::Stored { sha256, size } = &file.content {
            check_name(sha256)?;
            contents.insert(sha256, *size);
        }
    }
    let bytes = contents.into_values().fold(0u64, u64::saturating_add);
    if backup.files.len() > MOST_FILES || bytes > MOST_BYTES {
        return Err(too_much());
    }
    Ok(())
}

fn too_much() -> Error {
    let message = format!(
        "the application's code and settings take more than {} MiB or {MOST_FILES} files",
        MOST_BYTES >> 20
    );
    let error = ApiError::new(ErrorCode::TooLarge, message);
    Error::Passed(error.hint("delete code versions that are no longer needed"))
}

#[cfg(test)]
mod tests {
    use protocol::api::backup::BackupFile;

    use super::*;

    #[test]
    fn no_name_leads_out_of_the_directory() {
        assert!(check_name(&"0f".repeat(32)).is_ok());
        for bad in ["", "../../director.db", &"0F".repeat(32), &"0f".repeat(33), &"é".repeat(32)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_limits_hold_and_the_same_content_counts_once() {
        let file = |name: char, size| BackupFile {
            path: "x".to_owned(),
            mode: 0o644,
            content: BackupContent::Stored { sha256: name.to_string().repeat(64), size },
        };
        let backup = |files| Backup { files };
        assert!(check(&backup(vec![file('a', MOST_BYTES), file('a', MOST_BYTES)])).is_ok());
        assert!(check(&backup(vec![file('a', MOST_BYTES), file('b', 1)])).is_err());
        assert!(check(&backup(vec![file('a', u64::MAX), file('b', u64::MAX)])).is_err());
        assert!(check(&backup(vec![file('a', 1); MOST_FILES + 1])).is_err());
    }
}
