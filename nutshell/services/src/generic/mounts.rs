//! The volumes of a node, each at `/media/<name>`.
//!
//! A cloud hands a volume over as a block device, which gets a file system if it has none and is
//! mounted, or, where servers have no devices of their own, as a directory in `/mnt/volumes`.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::ApiError;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::ServiceError;

/// How long the kernel may take to show a device that the cloud says is there.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// What `blkid` ends with on a device that has nothing on it.
const BLANK: i32 = 2;

/// The places of a node's volumes.
#[derive(Debug, Clone)]
pub(super) struct Places {
    root: PathBuf,
}

/// How a volume is there.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Directory(PathBuf),
    Device(PathBuf),
}

impl Places {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where the volume of this name is used.
    fn place(&self, name: &str) -> PathBuf {
        self.root.join("media").join(name)
    }

    /// Brings a volume to its place; again, it changes nothing.
    pub(super) async fn mount(&self, name: &str, device: &str) -> Result<(), ServiceError> {
        let place = self.place(name);
        match self.find(device).await? {
            Found::Directory(directory) => {
                let media = self.root.join("media");
                fs::create_dir_all(&media).map_err(ServiceError::file(&media))?;
                remove_link(&place)?;
                symlink(&directory, &place).map_err(ServiceError::file(&place))
            }
            Found::Device(device) => {
                fs::create_dir_all(&place).map_err(ServiceError::file(&place))?;
                if is_mounted(&place) {
                    return Ok(());
                }
                if is_blank(&device).await? {
                    run("mkfs.ext4", &["-q".as_ref(), device.as_ref()]).await?.succeeded()?;
                }
                run("mount", &[device.as_ref(), place.as_ref()]).await?.succeeded()
            }
        }
    }

    /// Takes a volume from its place; again, it changes nothing.
    pub(super) async fn unmount(&self, name: &str) -> Result<(), ServiceError> {
        let place = self.place(name);
        if place.is_symlink() {
            return remove_link(&place);
        }
        if is_mounted(&place) {
            let unmounted = run("umount", &[place.as_ref()]).await?;
            if unmounted.code != Some(0) {
                tracing::warn!(said = unmounted.said, "a volume is not let go");
                return Err(ApiError::conflict(format!("the volume `{name}` is in use"))
                    .hint("end what uses it, with `cps generic interrupt`")
                    .into());
            }
        }
        match fs::remove_dir(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(ServiceError::file(&place)(error))
            }
            _ => Ok(()),
        }
    }

    /// The kernel may still be making the device.
    async fn find(&self, device: &str) -> Result<Found, ServiceError> {
        let look = async {
            loop {
                if let Some(found) = self.look(device) {
                    return found;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.map_err(|_| {
            ApiError::conflict(format!("the device `{device}` of the volume does not appear"))
                .into()
        })
    }

    fn look(&self, device: &str) -> Option<Found> {
        let name = Path::new(device).file_name()?;
        let directory = self.root.join("mnt/volumes").join(name);
        if directory.is_dir() {
            return Some(Found::Directory(directory));
        }
        let is_device = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|found| found.file_type().is_block_device())
        };
        device_names(name.to_str()?)
            .into_iter()
            .map(|name| self.root.join("dev").join(name))
            .find(is_device)
            .map(Found::Device)
    }
}

/// A cloud says `sdb` or `vdb`; what the kernel calls it depends on its driver.
fn device_names(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    let prefixes = ["xvd", "vd", "sd"];
    if let Some(letter) = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        names.extend(["vd", "xvd", "sd"].map(|prefix| format!("{prefix}{letter}")));
    }
    names
}

/// Whether nothing is on the device that could be lost.
async fn is_blank(device: &Path) -> Result<bool, ServiceError> {
    // `blkid` takes what it cannot read for blank.
    let read = async { File::open(device).await?.read_exact(&mut [0; 4096]).await };
    if let Err(error) = read.await {
        tracing::error!(device = %device.display(), %error, "a volume cannot be read");
        return Err(ApiError::conflict("the volume cannot be read in the node")
            .hint("the agent's log has the kernel's words")
            .into());
    }
    let probed = run("blkid", &["-p".as_ref(), device.as_ref()]).await?;
    Ok(probed.code == Some(BLANK))
}

fn is_mounted(place: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(1).map(Path::new) == Some(place))
}

fn remove_link(place: &Path) -> Result<(), ServiceError> {
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ServiceError::file(place)(error))
        }
        _ => Ok(()),
    }
}

/// How a program of the system's ended.
struct Ran {
    program: &'static str,
    code: Option<i32>,
    said: String,
}

impl Ran {
    fn succeeded(self) -> Result<(), ServiceError> {
        if self.code == Some(0) {
            return Ok(());
        }
        tracing::error!(program = self.program, said = self.said, "a volume cannot be mounted");
        let program = self.program;
        Err(ApiError::conflict(format!(
            "the volume cannot be used: `{program}` failed in the node"
        ))
        .hint("the agent's log has its words")
        .into())
    }
}

async fn run(program: &'static str, arguments: &[&OsStr]) -> Result<Ran, ServiceError> {
    let ran = Command::new(program).args(arguments).kill_on_drop(true).output().await;
    let ran = ran.map_err(ServiceError::file(Path::new(program)))?;
    let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
    Ok(Ran { program, code: ran.status.code(), said })
}

#[cfg(test)]
mod tests;
