//! Where containers see their volumes: a directory of this machine each, whose mounts appear in
//! the running container as they appear here. Only root can mount.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_bind, mount_change, move_mount,
    unmount,
};
use uuid::Uuid;

use crate::guest::directory;

/// The directories of all servers of a cloud.
#[derive(Debug)]
pub(super) struct Places(PathBuf);

impl Places {
    /// Prepares the directory, and removes what a killed predecessor left there.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        let path = path.canonicalize()?;
        let places = Self(path);
        for entry in fs::read_dir(&places.0)? {
            if let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
                places.clear(id)?;
            }
        }
        places.close();
        mount_bind(&places.0, &places.0)?;
        mount_change(&places.0, MountPropagationFlags::PRIVATE)?;
        mount_change(&places.0, MountPropagationFlags::SHARED)?;
        Ok(places)
    }

    /// The directory of a server, to be shown in its container.
    pub(super) fn of(&self, server: Uuid) -> io::Result<PathBuf> {
        let path = self.0.join(server.to_string());
        DirBuilder::new().recursive(true).mode(0o755).create(&path)?;
        Ok(path)
    }

    /// Shows a mount in the server, unless it is shown already.
    pub(super) fn show(&self, server: Uuid, device: &str, mount: &OwnedFd) -> io::Result<()> {
        let place = self.of(server)?.join(device);
        if place.exists() {
            return Ok(());
        }
        DirBuilder::new().mode(0o755).create(&place)?;
        move_mount(mount.as_fd(), "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .inspect_err(|_| {
                // A place without a mount would look like one with.
                let _ = fs::remove_dir(&place);
            })?;
        Ok(())
    }

    /// Takes a mount away; fails with `ResourceBusy` when it is in use here or in the server.
    pub(super) fn hide(&self, server: Uuid, device: &str) -> io::Result<()> {
        let place = self.of(server)?.join(device);
        if !place.exists() {
            return Ok(());
        }
        unmount(&place, UnmountFlags::NOFOLLOW)?;
        vacate(&place)
    }

    /// Takes all from a server that does not run any more.
    pub(super) fn clear(&self, server: Uuid) -> io::Result<()> {
        let path = self.0.join(server.to_string());
        let places = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            result => result?,
        };
        for place in places {
            vacate(&place?.path())?;
        }
        fs::remove_dir(path)
    }

    fn close(&self) {
        detach(&self.0);
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.close();
    }
}

/// Removes a place, and what the server itself has left there before anything was mounted.
fn vacate(place: &Path) -> io::Result<()> {
    loop {
        match unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // Nothing is mounted there: what is removed is nobody's volume.
            Err(Errno::INVAL) => return directory::remove(place),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Nothing may be mounted there.
fn detach(place: &Path) {
    let _ = unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
}
