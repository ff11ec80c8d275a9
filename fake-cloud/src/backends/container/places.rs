//! Where containers see their volumes: a directory of this machine each, whose mounts appear in
//! the running container as they appear here, and which is read-only there. Only root can mount.
//!
//! As in other servers, [`crate::guest::volumes`], a volume is mounted at `by-id/<volume>`, and its
//! device is a link to that.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    MountPropagationFlags, MoveMountFlags, UnmountFlags, mount_bind, mount_change, move_mount,
    unmount,
};
use uuid::Uuid;

use crate::backends::VolumeMount;
use crate::guest::volumes::{BY_ID, by_id};

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

    /// Shows a mount of the volume in the server, unless it is shown already.
    pub(super) fn show(
        &self,
        server: Uuid,
        volume: &VolumeMount,
        mount: &OwnedFd,
    ) -> io::Result<()> {
        let (link, place) = self.paths(server, volume)?;
        if link.is_symlink() {
            return Ok(());
        }
        DirBuilder::new().recursive(true).mode(0o755).create(&place)?;
        move_mount(mount.as_fd(), "", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(io::Error::from)
            .and_then(|()| symlink(by_id(volume.id), link))
            .inspect_err(|_| {
                // What is left goes with the server.
                let _ = vacate(&place);
            })
    }

    /// Takes a mount away; fails with `ResourceBusy` when it is in use here or in the server.
    pub(super) fn hide(&self, server: Uuid, volume: &VolumeMount) -> io::Result<()> {
        let (link, place) = self.paths(server, volume)?;
        if !link.is_symlink() {
            return Ok(());
        }
        // First: nobody shall come that way while the mount goes.
        fs::remove_file(&link)?;
        match unmount(&place, UnmountFlags::NOFOLLOW) {
            Ok(()) => fs::remove_dir(place),
            Err(error) => {
                symlink(by_id(volume.id), link)?;
                Err(error.into())
            }
        }
    }

    /// The link and the place of a volume.
    fn paths(&self, server: Uuid, volume: &VolumeMount) -> io::Result<(PathBuf, PathBuf)> {
        let path = self.of(server)?;
        Ok((path.join(&volume.device), path.join(by_id(volume.id))))
    }

    /// Takes all from a server that does not run any more.
    pub(super) fn clear(&self, server: Uuid) -> io::Result<()> {
        let path = self.0.join(server.to_string());
        for place in entries(&path.join(BY_ID))? {
            vacate(&place)?;
        }
        // Only links and an empty directory are left.
        for entry in entries(&path)? {
            if entry.is_symlink() { fs::remove_file(entry)? } else { fs::remove_dir(entry)? }
        }
        match fs::remove_dir(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
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

/// What is in a directory; nothing if it is not there.
fn entries(path: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        entries => entries?.map(|entry| Ok(entry?.path())).collect(),
    }
}

/// Removes a place with all that is mounted there.
fn vacate(place: &Path) -> io::Result<()> {
    loop {
        match unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            // Nothing is mounted there.
            Err(Errno::INVAL) => return fs::remove_dir(place),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Nothing may be mounted there.
fn detach(place: &Path) {
    let _ = unmount(place, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW);
}
