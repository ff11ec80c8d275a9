//! The files of deployments: what came with a manifest, and what was fetched for it.
//!
//! A directory for each deployment, written before the deployment is recorded, and gone when it is
//! over. One that no deployment knows was left by a crash, and goes at the next start.

use std::collections::HashSet;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use protocol::api::InlineFile;
use protocol::files::{Access, write};

use super::super::{App, Error, Result};
use crate::operations::manifest_deploy::ManifestDeploy;
use crate::{db, secrets};

/// A name for the files of a new deployment.
pub(super) fn new_name() -> String {
    let mut name = secrets::generate();
    name.truncate(16);
    name
}

/// Opens a file to read.
pub(crate) async fn read(path: &Path) -> Result<tokio::fs::File> {
    tokio::fs::File::open(path).await.map_err(Error::Files)
}

impl App {
    /// Where a file of a deployment is.
    pub(crate) fn file_path(&self, files: &str, number: usize) -> PathBuf {
        self.deployments.join(files).join(number.to_string())
    }

    /// Writes the files down, numbered from 0.
    pub(super) async fn files_keep(&self, name: &str, files: Vec<InlineFile>) -> Result<()> {
        let directory = self.deployments.join(name);
        blocking(move || {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
            for (number, file) in files.iter().enumerate() {
                write(&directory.join(number.to_string()), &file.content, Access::Secret)?;
            }
            Ok(())
        })
        .await
    }

    /// Removes the files of a deployment; again is no error.
    pub(crate) async fn files_forget(&self, name: &str) -> Result<()> {
        let directory = self.deployments.join(name);
        blocking(move || match std::fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }

    /// Removes the files of deployments that are not recorded.
    pub(crate) async fn deployments_clean(&self) -> Result<()> {
        let under_way = db::operation::list_under_way(&mut *self.db.read().await?).await?;
        let known: HashSet<String> = under_way
            .iter()
            .filter_map(|record| Some(ManifestDeploy::of_record(record)?.files))
            .collect();
        let directory = self.deployments.clone();
        blocking(move || {
            let entries = match std::fs::read_dir(&directory) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            for entry in entries {
                let entry = entry?;
                if !entry.file_name().to_str().is_some_and(|name| known.contains(name)) {
                    std::fs::remove_dir_all(entry.path())?;
                }
            }
            Ok(())
        })
        .await
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::Files(io::Error::other(panic)))?.map_err(Error::Files)
}
