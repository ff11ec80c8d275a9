//! A whole cloud in one file: what it knows, its images, its servers' disks and consoles, its volumes.
//!
//! The file is a compressed tar archive that GNU tar makes, since that is what keeps everything a
//! disk can hold: holes, hard links, owners, extended attributes, the marks that overlays leave. It
//! begins with `manifest.json`, which says what it is.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::fake_cloud::{StartError, lock};
use crate::guest::directory::{remove_tree, write_private};
use crate::regions;
use crate::store::{self, StoreError};

/// What the archives hold; raised when an earlier program would misread a later one.
const FORMAT: u32 = 1;

const MANIFEST: &str = "manifest.json";

/// Where a snapshot is prepared in the state directory; what is left there is removed by the next.
const STAGE: &str = "snapshot.partial";

/// What is of one run only, or is made again by each.
const LEFT_OUT: [&str; 11] = [
    STAGE,
    "control.json",
    "fake-cloud.lock",
    "fake-cloud.db",
    "fake-cloud.db-shm",
    "fake-cloud.db-wal",
    "base",
    "trash",
    // An ordinary user cannot even read those of overlays.
    "servers/*/layers/*/work",
    "images/*.partial",
    "volumes/*.new",
];

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// The version of the program that wrote it.
    written_by: String,
}

/// Why a snapshot was not made or not restored.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// There is something already where the result should be.
    #[error("{} exists already; choose another name, or remove it", .0.display())]
    Exists(PathBuf),
    /// No cloud has run on the state directory.
    #[error("there is no cloud in {}", .0.display())]
    NoCloud(PathBuf),
    /// The state directory cannot be used, or a cloud runs there.
    #[error(transparent)]
    State(#[from] StartError),
    /// What the servers are made of lies elsewhere.
    #[error(
        "servers of this backend do not lie in the state directory, so they are in no snapshot"
    )]
    Elsewhere,
    /// The file is no snapshot, or a part of it is missing.
    #[error("{} is no whole snapshot: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a newer version of this program.
    #[error("{} was written by a newer version ({version}); restore it with that", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version.
        version: String,
    },
    /// GNU tar failed.
    #[error("GNU tar failed to {step}: {reason}")]
    Tar {
        /// What it was to do.
        step: &'static str,
        /// What it said.
        reason: String,
    },
    /// The database could not be copied.
    #[error("failed to copy the state database")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The servers could not be held still.
    #[error("failed to hold the servers still")]
    Freeze(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A step failed.
    #[error("failed to {step}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> SnapshotError {
    move |source| SnapshotError::Io { step, source }
}

/// Writes a cloud that does not run to a file: whole, or not at all.
///
/// # Errors
/// When a cloud runs there, or the file exists already or cannot be written.
pub async fn snapshot(state_dir: &Path, file: &Path) -> Result<(), SnapshotError> {
    if !state_dir.join(store::FILE).exists() {
        return Err(SnapshotError::NoCloud(state_dir.to_owned()));
    }
    let _lock = lock(state_dir)?;
    write(state_dir, file).await
}

/// Writes a cloud whose data holds still to a file: whole, or not at all.
pub(crate) async fn write(state_dir: &Path, file: &Path) -> Result<(), SnapshotError> {
    if file.symlink_metadata().is_ok() {
        return Err(SnapshotError::Exists(file.to_owned()));
    }
    let stage = state_dir.join(STAGE);
    clear(&stage).map_err(failed("prepare the snapshot"))?;
    DirBuilder::new().mode(0o700).create(&stage).map_err(failed("prepare the snapshot"))?;
    let unfinished = beside(file);
    let written = pack(state_dir, &stage, &unfinished).await;
    let finished = written.and_then(|()| {
        let whole = File::open(&unfinished).and_then(|whole| whole.sync_all());
        whole.and_then(|()| fs::rename(&unfinished, file)).map_err(failed("finish the snapshot"))
    });
    if finished.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    // The next one does it otherwise.
    let _ = remove_tree(&stage);
    finished
}

async fn pack(state_dir: &Path, stage: &Path, file: &Path) -> Result<(), SnapshotError> {
    let manifest = Manifest { format: FORMAT, written_by: env!("CARGO_PKG_VERSION").to_owned() };
    let manifest =
        serde_json::to_vec(&manifest).map_err(|error| failed("describe it")(error.into()))?;
    write_private(&stage.join(MANIFEST), &manifest).map_err(failed("describe the snapshot"))?;
    let databases = databases(state_dir).map_err(failed("look for regions"))?;
    for database in &databases {
        let (from, to) = (state_dir.join(database), stage.join(database));
        let place = to.parent().map_or(Ok(()), fs::create_dir_all);
        place.map_err(failed("prepare the snapshot"))?;
        let copied = store::copy(&from, &to).await;
        copied.map_err(|error: StoreError| SnapshotError::Database(Box::new(error)))?;
    }
    // What lies in the cache of a mounted volume.
    rustix::fs::sync();
    let mut tar = tar();
    // A quick compression: most of it are programs' files, once.
    tar.args(["--create", "--use-compress-program=gzip -1"]).arg("--file").arg(file);
    tar.args(["--sparse", "--one-file-system", "--warning=no-file-changed"]);
    tar.args(["--warning=no-file-removed", "--warning=no-file-ignored"]);
    tar.args(["--anchored", "--no-wildcards-match-slash"]);
    for region in [".", "./regions/*"] {
        tar.args(LEFT_OUT.map(|name| format!("--exclude={region}/{name}")));
    }
    tar.arg("--directory").arg(stage).arg(MANIFEST).args(databases);
    tar.arg("--directory").arg(absolute(state_dir)?).arg(".");
    // Its status is 1 when a file has changed meanwhile, as a console does.
    run(tar, "write the snapshot", &[0, 1]).await.map(drop)
}

/// Makes a cloud from a file, in a directory that does not exist yet: whole, or not at all. The
/// next start there brings back what ran. With the API at another block of addresses its addresses are moved to that
/// block, so that it runs beside the cloud it was taken from.
///
/// # Errors
/// When the directory is there and not empty, or the file is no whole snapshot.
pub async fn restore(file: &Path, state_dir: &Path) -> Result<(), SnapshotError> {
    let taken = match fs::read_dir(state_dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed("look into the state directory")(error)),
    };
    if taken {
        return Err(SnapshotError::Exists(state_dir.to_owned()));
    }
    File::open(file).map_err(failed("open the snapshot"))?;
    let manifest = read_manifest(file).await?;
    if manifest.format > FORMAT {
        let (path, version) = (file.to_owned(), manifest.written_by);
        return Err(SnapshotError::Newer { path, version });
    }
    let unfinished = beside(state_dir);
    let made = unpack(file, &unfinished).await.and_then(|()| {
        fs::rename(&unfinished, state_dir).map_err(failed("finish the state directory"))
    });
    if made.is_err() {
        // The next try does it otherwise.
        let _ = clear(&unfinished);
    }
    made
}

async fn read_manifest(file: &Path) -> Result<Manifest, SnapshotError> {
    let broken = |reason: String| SnapshotError::Broken { path: file.to_owned(), reason };
    let mut tar = tar();
    tar.args(["--extract", "--gzip", "--to-stdout", "--occurrence=1"])
        .arg("--file")
        .arg(file)
        .arg(MANIFEST);
    let text = run(tar, "read the snapshot", &[0]).await.map_err(|error| match error {
        SnapshotError::Tar { reason, .. } => broken(reason),
        other => other,
    })?;
    serde_json::from_slice(&text).map_err(|error| broken(error.to_string()))
}

async fn unpack(file: &Path, into: &Path) -> Result<(), SnapshotError> {
    clear(into).map_err(failed("prepare the state directory"))?;
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(into).map_err(failed("make the state directory"))?;
    let mut tar = tar();
    tar.args(["--extract", "--gzip"]).arg("--file").arg(file).arg("--directory").arg(into);
    tar.args(["--same-permissions", "--delay-directory-restore"]);
    if rustix::process::geteuid().is_root() {
        tar.arg("--same-owner");
    }
    run(tar, "unpack the snapshot", &[0]).await.map_err(|error| match error {
        SnapshotError::Tar { reason, .. } => {
            SnapshotError::Broken { path: file.to_owned(), reason }
        }
        other => other,
    })?;
    fs::remove_file(into.join(MANIFEST)).map_err(failed("finish the state directory"))
}

/// GNU tar, with what both directions need.
fn tar() -> Command {
    let mut tar = Command::new("tar");
    tar.args(["--numeric-owner", "--xattrs", "--xattrs-include=*"]);
    tar.env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    tar
}

async fn run(mut tar: Command, step: &'static str, good: &[i32]) -> Result<Vec<u8>, SnapshotError> {
    let output = tar.output().await.map_err(|error| SnapshotError::Tar {
        step,
        reason: match error.kind() {
            io::ErrorKind::NotFound => "it is not installed".to_owned(),
            _ => error.to_string(),
        },
    })?;
    if output.status.code().is_some_and(|code| good.contains(&code)) {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it was ended");
    Err(SnapshotError::Tar { step, reason: line.trim_start_matches("tar: ").to_owned() })
}

/// The state databases of all regions, below the state directory.
fn databases(state_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let all = regions::state_dirs(state_dir)?.into_iter().map(|region| region.join(store::FILE));
    let known = all.filter(|database| database.exists());
    Ok(known.filter_map(|it| Some(it.strip_prefix(state_dir).ok()?.to_owned())).collect())
}

/// A name for what is not finished.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn clear(path: &Path) -> io::Result<()> {
    match remove_tree(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A second `--directory` would be taken as lying in the first.
fn absolute(path: &Path) -> Result<PathBuf, SnapshotError> {
    std::path::absolute(path).map_err(failed("find the state directory"))
}
