//! A new manager begins with what the last one left with the director.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use protocol::ApiError;
use protocol::api::backup::{BackupContent, BackupFile};
use protocol::api::internal::ServicesWanted;
use protocol::files::{self, Access};
use services::ServiceError;

use super::ROOTS;
use crate::director::Director;
use crate::record::Record;

/// Written last: from then on the files here are what counts.
const MARK: &str = "restored";

/// Fetches all files, unless that was done in this VM before.
pub(crate) async fn restore(cache: &Path, director: &Director) -> Result<(), ServiceError> {
    let mark = cache.join(MARK);
    if mark.exists() {
        return Ok(());
    }
    // Left by a manager that was killed in the middle of this.
    for root in ROOTS {
        match fs::remove_dir_all(cache.join(root)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ServiceError::file(&cache.join(root))(error));
            }
            _ => {}
        }
    }
    let backup = director.backup().await?;
    let count = backup.files.len();
    for file in backup.files {
        restore_file(cache, director, &file).await?;
    }
    take_over(cache, &director.services_wanted().await?)?;
    tracing::info!(files = count, "the state of the last manager is here");
    files::write(&mark, b"", Access::Public).map_err(ServiceError::file(&mark))
}

async fn restore_file(
    cache: &Path,
    director: &Director,
    file: &BackupFile,
) -> Result<(), ServiceError> {
    let path = place(cache, &file.path)
        .ok_or_else(|| ApiError::invalid(format!("`{}` is no file of a manager", file.path)))?;
    let directory = path.parent().unwrap_or(cache);
    fs::create_dir_all(directory).map_err(ServiceError::file(directory))?;
    // Closed to others before anything is in it.
    let mut options = fs::OpenOptions::new();
    let mut new = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(ServiceError::file(&path))?;
    match &file.content {
        BackupContent::Inline { text } => new
            .write_all(text.as_bytes())
            .and_then(|()| new.sync_all())
            .map_err(ServiceError::file(&path))?,
        BackupContent::Stored { sha256, .. } => director.backup_file(sha256, &path).await?,
    }
    let permissions = Permissions::from_mode(file.mode & 0o777);
    fs::set_permissions(&path, permissions).map_err(ServiceError::file(&path))
}

/// Where a file of the backup lies; nothing but what a manager backs up lies anywhere.
fn place(cache: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let plain = path.components().all(|component| matches!(component, Component::Normal(_)));
    let root = path.components().next()?.as_os_str().to_str()?;
    (plain && ROOTS.contains(&root)).then(|| cache.join(path))
}

/// The records were another manager's.
fn take_over(cache: &Path, wanted: &ServicesWanted) -> Result<(), ServiceError> {
    for service in &wanted.services {
        let path = cache.join("services").join(format!("{}.json", service.service));
        if path.exists() {
            let mut record = Record::read(&path)?;
            record.take_over(wanted.stopped.contains(&service.service));
            record.write(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_put_where_a_manager_keeps_such_and_nowhere_else() {
        let cache = Path::new("/cache");
        let found = place(cache, "code/7/versions.json").unwrap();
        assert_eq!(found, Path::new("/cache/code/7/versions.json"));
        for bad in ["", "key.pem", "/etc/passwd", "code/../key.pem", "../code/x", "coded/x"] {
            assert_eq!(place(cache, bad), None, "{bad}");
        }
    }
}
