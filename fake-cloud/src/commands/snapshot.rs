//! `fake-cloud snapshot` and `fake-cloud restore`: a whole cloud in one file.

use std::error::Error;
use std::path::PathBuf;

use fake_cloud::StartError;
use fake_cloud::snapshot::{self, SnapshotError};
use http::Method;
use serde_json::json;

use super::client::Target;

/// Write a whole cloud to one file, whether it runs or not. Its servers stand still meanwhile.
#[derive(Debug, clap::Args)]
pub(crate) struct Snapshot {
    /// The file to write; it must not exist.
    file: PathBuf,
    /// The state directory of the cloud.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_STATE")]
    state: PathBuf,
}

/// Make a cloud from a file that `fake-cloud snapshot` wrote.
///
/// `fake-cloud --state DIR` then brings back what ran. With `--listen` at another block of addresses (127.N) it
/// runs beside the cloud it was taken from.
#[derive(Debug, clap::Args)]
pub(crate) struct Restore {
    /// The file to read.
    file: PathBuf,
    /// The state directory to make; it must not exist.
    #[arg(long, value_name = "DIR", env = "FAKE_CLOUD_STATE")]
    state: PathBuf,
}

pub(crate) async fn snapshot(Snapshot { file, state }: Snapshot) -> Result<(), Box<dyn Error>> {
    match snapshot::snapshot(&state, &file).await {
        // It runs: it knows how to hold its servers still.
        Err(SnapshotError::State(StartError::InUse { .. })) => {
            let file = std::path::absolute(file)?;
            Target::of(state).ask(Method::POST, "/snapshot", json!({"file": file})).await
        }
        done => Ok(done?),
    }
}

pub(crate) async fn restore(Restore { file, state }: Restore) -> Result<(), Box<dyn Error>> {
    Ok(snapshot::restore(&file, &state).await?)
}
