//! Places for clouds that nobody will ask for again: a directory and a block of loopback
//! addresses, both given back in whatever way the process ends.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom as _;
use uuid::Uuid;

use crate::guest::directory::remove_tree;

/// What the directories' names begin with.
const PREFIX: &str = "fake-cloud-scratch-";

/// The blocks `127.N.0.0/16` that are given out; people choose low numbers for their own.
const BLOCKS: std::ops::RangeInclusive<u8> = 128..=254;

/// A directory that is removed when dropped; if the process dies first, by the next that makes one.
#[derive(Debug)]
pub(crate) struct ScratchDirectory {
    path: PathBuf,
    _lock: File,
}

impl ScratchDirectory {
    /// Makes a directory among the temporary ones, and removes those that were left there.
    pub(crate) fn new() -> io::Result<Self> {
        Self::beside(&std::env::temp_dir())
    }

    fn beside(parent: &Path) -> io::Result<Self> {
        for entry in fs::read_dir(parent)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                remove_if_left(&entry.path());
            }
        }
        loop {
            let path = parent.join(format!("{PREFIX}{}", Uuid::new_v4().simple()));
            DirBuilder::new().mode(0o700).create(&path)?;
            // Someone may just be finding out whether it was left.
            if let Some(lock) = lock(&path)? {
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ScratchDirectory {
    fn drop(&mut self) {
        if let Err(error) = remove_tree(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "failed to remove");
        }
    }
}

/// Keeps others from removing a directory; `None` when someone else has it, or it is gone.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let directory = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match directory.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let found = fs::symlink_metadata(path);
    let same =
        found.is_ok_and(|found| directory.metadata().is_ok_and(|own| own.ino() == found.ino()));
    Ok(same.then_some(directory))
}

/// Removes a directory that nobody uses. What cannot be removed is another user's.
fn remove_if_left(path: &Path) {
    if let Ok(Some(_lock)) = lock(path)
        && let Err(error) = remove_tree(path)
    {
        tracing::debug!(path = %path.display(), %error, "left alone");
    }
}

/// A block of loopback addresses that no other cloud of this machine gets while it is held.
#[derive(Debug)]
pub(crate) struct ScratchBlock {
    number: u8,
    /// A name that the kernel frees with its last holder.
    _name: UnixListener,
}

impl ScratchBlock {
    /// Takes any free block.
    pub(crate) fn new() -> io::Result<Self> {
        let mut numbers: Vec<u8> = BLOCKS.collect();
        numbers.shuffle(&mut rand::rng());
        for number in numbers {
            let name = SocketAddr::from_abstract_name(format!("fake-cloud 127.{number}.0.0/16"))?;
            match UnixListener::bind_addr(&name) {
                Ok(name) => return Ok(Self { number, _name: name }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "all blocks of addresses are in use"))
    }

    /// Where the API of a cloud with this block listens.
    pub(crate) fn api_address(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, self.number, 0, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_removed_with_its_owner_or_by_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let entries = || fs::read_dir(parent.path()).unwrap().count();
        let left = parent.path().join(format!("{PREFIX}left"));
        fs::create_dir(&left).unwrap();
        fs::create_dir(parent.path().join("another's")).unwrap();
        let first = ScratchDirectory::beside(parent.path()).unwrap();
        let second = ScratchDirectory::beside(parent.path()).unwrap();
        assert!(!left.exists() && first.path().exists(), "one in use stays");
        fs::write(second.path().join("file"), "x").unwrap();
        drop((first, second));
        assert_eq!(entries(), 1);
    }

    #[test]
    fn no_block_is_given_twice() {
        let (first, second) = (ScratchBlock::new().unwrap(), ScratchBlock::new().unwrap());
        assert_ne!(first.api_address(), second.api_address());
    }
}
