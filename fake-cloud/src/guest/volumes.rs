//! How a server sees its volumes: each as the directory `/mnt/volumes/<device>`.
//!
//! The directory with all volumes of the cloud is mounted at `/mnt/volumes` when the server is
//! built, and hidden at once by an empty one above it. Only init has a descriptor of the hidden
//! one, and with it mounts the server's own volumes in the upper one, while the server runs too.
//! A server that is one process tree among others has links instead.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, move_mount, open_tree, unmount,
};

use crate::backends::VolumeMount;

/// Where volumes are, below the root directory of the server.
const PLACE: &str = "mnt/volumes";

/// The volumes of a server.
#[derive(Debug)]
pub(super) struct Volumes {
    store: Store,
    /// Where each is shown.
    place: PathBuf,
    /// The devices that are shown.
    shown: BTreeSet<String>,
}

#[derive(Debug)]
enum Store {
    Mounted(OwnedFd),
    Linked(PathBuf),
    Refused(io::Error),
}

impl Volumes {
    /// For a server with a root directory of its own, once that is the only one: a mount of the store
    /// that has no place yet.
    pub(super) fn mounted(store: io::Result<OwnedFd>) -> Self {
        let place = Path::new("/").join(PLACE);
        let hidden = store.and_then(|store| hide(&store, &place));
        Self {
            store: hidden.map_or_else(Store::Refused, Store::Mounted),
            place,
            shown: BTreeSet::new(),
        }
    }

    /// For a server that has only a directory.
    pub(super) fn linked(store: PathBuf, root: &Path) -> Self {
        let place = root.join(PLACE);
        // Links of an earlier start.
        let _ = fs::remove_dir_all(&place);
        Self { store: Store::Linked(store), place, shown: BTreeSet::new() }
    }

    /// Why there can be none.
    pub(super) fn refusal(&self) -> Option<&io::Error> {
        match &self.store {
            Store::Refused(error) => Some(error),
            Store::Mounted(_) | Store::Linked(_) => None,
        }
    }

    /// Shows a volume, unless it is shown already.
    pub(super) fn show(&mut self, volume: &VolumeMount) -> io::Result<()> {
        if self.shown.contains(&volume.device) {
            return Ok(());
        }
        let (name, target) = (volume.id.to_string(), self.place.join(&volume.device));
        match &self.store {
            Store::Mounted(store) => {
                DirBuilder::new().recursive(true).create(&target)?;
                let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
                let tree = open_tree(store, name, flags)?;
                let above = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                move_mount(tree.as_fd(), "", CWD, &target, above)?;
            }
            Store::Linked(store) => {
                let data = store.join(name);
                data.metadata()?;
                DirBuilder::new().recursive(true).create(&self.place)?;
                std::os::unix::fs::symlink(data, &target)?;
            }
            Store::Refused(error) => return Err(copy(error)),
        }
        self.shown.insert(volume.device.clone());
        Ok(())
    }

    /// Takes a volume away, unless it is gone already. Fails when a process uses a mounted one; of
    /// a link nobody can tell.
    pub(super) fn hide(&mut self, volume: &VolumeMount) -> io::Result<()> {
        if !self.shown.contains(&volume.device) {
            return Ok(());
        }
        let target = self.place.join(&volume.device);
        match &self.store {
            Store::Mounted(_) => {
                match unmount(&target, UnmountFlags::NOFOLLOW) {
                    // A process of the server was quicker.
                    Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
                // An empty directory is no volume; if it is not empty, someone wants it.
                let _ = fs::remove_dir(&target);
            }
            Store::Linked(_) => match fs::remove_file(&target) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
            Store::Refused(_) => {}
        }
        self.shown.remove(&volume.device);
        Ok(())
    }
}

/// Puts the store in its place and covers it; the descriptor leads to what is covered.
fn hide(store: &OwnedFd, place: &Path) -> io::Result<OwnedFd> {
    DirBuilder::new().recursive(true).create(place)?;
    move_mount(store.as_fd(), "", CWD, place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
    let hidden = rustix::fs::open(place, flags, Mode::empty())?;
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("tmpfs", place, "tmpfs", plain, Some(c"mode=755,size=64k"))?;
    Ok(hidden)
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_come_and_go_with_their_volumes() {
        let directory = tempfile::tempdir().unwrap();
        let (store, root) = (directory.path().join("store"), directory.path().join("root"));
        let volume = VolumeMount { id: uuid::Uuid::from_u128(7), device: "sdb".to_owned() };
        let mut volumes = Volumes::linked(store.clone(), &root);
        assert!(volumes.show(&volume).is_err(), "it has no data");
        let data = store.join(volume.id.to_string());
        fs::create_dir_all(&data).unwrap();
        volumes.show(&volume).unwrap();
        volumes.show(&volume).unwrap();
        fs::write(root.join("mnt/volumes/sdb/file"), "x").unwrap();

        let mut restarted = Volumes::linked(store, &root);
        assert!(!root.join("mnt/volumes/sdb").exists());
        restarted.show(&volume).unwrap();
        restarted.hide(&volume).unwrap();
        restarted.hide(&volume).unwrap();
        assert!(!root.join("mnt/volumes/sdb").exists());
        assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "x");
    }
}
