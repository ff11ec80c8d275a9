//! How a server sees its volumes: each as the directory `/mnt/volumes/<device>`, which is a link to
//! `/mnt/volumes/by-id/<volume>`, as in `/dev/disk`. The link is made last and goes first: who finds
//! it finds the volume, and never writes to the directory below a mount.
//!
//! The cloud hands in a mount of each, at the start or while the server runs, and the server puts
//! it in its place: it never sees where volumes are kept. A server that is one process tree among
//! others has links there too.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MoveMountFlags, UnmountFlags, move_mount, unmount};
use uuid::Uuid;

use crate::backends::VolumeMount;

/// Where volumes are, below the root directory of the server.
const PLACE: &str = "mnt/volumes";

/// Below it, the directory that has each by its id.
pub(crate) const BY_ID: &str = "by-id";

/// Where the link of a volume's device leads.
pub(crate) fn by_id(volume: Uuid) -> PathBuf {
    Path::new(BY_ID).join(volume.to_string())
}

/// The volumes of a server.
#[derive(Debug)]
pub(super) struct Volumes {
    form: Form,
    /// Where each is shown.
    place: PathBuf,
    /// The devices that are shown.
    shown: BTreeSet<String>,
}

#[derive(Debug)]
enum Form {
    Mounted,
    /// To the directory where the volumes of all servers are.
    Linked(PathBuf),
}

impl Volumes {
    /// For a server with a root directory of its own, once that is the only one.
    pub(super) fn mounted() -> io::Result<Self> {
        let place = Path::new("/").join(PLACE);
        DirBuilder::new().recursive(true).create(&place)?;
        // In memory: no directory of a volume that was there stays on the disk.
        let flags = MountFlags::NOSUID | MountFlags::NODEV;
        rustix::mount::mount("tmpfs", &place, "tmpfs", flags, Some(c"mode=755,size=64k"))?;
        Ok(Self { form: Form::Mounted, place, shown: BTreeSet::new() })
    }

    /// For a server that has only a directory.
    pub(super) fn linked(store: PathBuf, root: &Path) -> Self {
        let place = root.join(PLACE);
        // Links of an earlier start.
        let _ = fs::remove_dir_all(&place);
        Self { form: Form::Linked(store), place, shown: BTreeSet::new() }
    }

    /// Shows a volume, unless it is shown already.
    pub(super) fn show(&mut self, volume: &VolumeMount, mount: Option<OwnedFd>) -> io::Result<()> {
        if self.shown.contains(&volume.device) {
            return Ok(());
        }
        let target = self.place.join(by_id(volume.id));
        match &self.form {
            Form::Mounted => {
                let mount = mount.ok_or(io::ErrorKind::InvalidInput)?;
                DirBuilder::new().recursive(true).create(&target)?;
                let above = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                move_mount(mount.as_fd(), "", CWD, &target, above)?;
            }
            Form::Linked(store) => {
                let data = store.join(volume.id.to_string());
                data.metadata()?;
                DirBuilder::new().recursive(true).create(self.place.join(BY_ID))?;
                symlink(data, &target)?;
            }
        }
        if let Err(error) = self.link(volume) {
            // What the server itself has put there stays.
            let _ = self.take(volume);
            return Err(error);
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
        gone(fs::remove_file(self.place.join(&volume.device)))?;
        if let Err(error) = self.take(volume) {
            self.link(volume)?;
            return Err(error);
        }
        self.shown.remove(&volume.device);
        Ok(())
    }

    fn link(&self, volume: &VolumeMount) -> io::Result<()> {
        symlink(by_id(volume.id), self.place.join(&volume.device))
    }

    fn take(&self, volume: &VolumeMount) -> io::Result<()> {
        let target = self.place.join(by_id(volume.id));
        match &self.form {
            Form::Mounted => {
                match unmount(&target, UnmountFlags::NOFOLLOW) {
                    // A process of the server was quicker.
                    Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                    Err(error) => return Err(error.into()),
                }
                // An empty directory is no volume; if it is not empty, someone wants it.
                let _ = fs::remove_dir(&target);
                Ok(())
            }
            Form::Linked(_) => gone(fs::remove_file(&target)),
        }
    }
}

/// That there was nothing to remove is no error.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_come_and_go_with_their_volumes() {
        let directory = tempfile::tempdir().unwrap();
        let (store, root) = (directory.path().join("store"), directory.path().join("root"));
        let volume = VolumeMount { id: Uuid::from_u128(7), device: "sdb".to_owned() };
        let mut volumes = Volumes::linked(store.clone(), &root);
        assert!(volumes.show(&volume, None).is_err(), "it has no data");
        let data = store.join(volume.id.to_string());
        fs::create_dir_all(&data).unwrap();
        volumes.show(&volume, None).unwrap();
        volumes.show(&volume, None).unwrap();
        fs::write(root.join("mnt/volumes/sdb/file"), "x").unwrap();
        assert_eq!(fs::read_link(root.join("mnt/volumes/sdb")).unwrap(), by_id(volume.id));

        let mut restarted = Volumes::linked(store, &root);
        assert!(!root.join("mnt/volumes/sdb").exists());
        fs::create_dir_all(root.join("mnt/volumes/sdb")).unwrap();
        assert!(restarted.show(&volume, None).is_err(), "something else is there");
        fs::remove_dir(root.join("mnt/volumes/sdb")).unwrap();
        restarted.show(&volume, None).unwrap();
        restarted.hide(&volume).unwrap();
        restarted.hide(&volume).unwrap();
        assert!(root.join("mnt/volumes/sdb").symlink_metadata().is_err());
        assert_eq!(fs::read_dir(root.join("mnt/volumes/by-id")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(data.join("file")).unwrap(), "x");
    }
}
