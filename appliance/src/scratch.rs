//! Directories that one process has for itself. A lock tells whether that process is still there: what a killed one
//! left is found by the next, and removed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::Error;

/// A directory beside what is made in it; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    place: PathBuf,
    _lock: File,
}

impl Scratch {
    /// The one in which this file is made, empty.
    ///
    /// # Errors
    /// When it cannot be made, or another process makes the same file.
    pub(crate) fn of(target: &Path) -> Result<Self, Error> {
        let place = unfinished(target);
        let made = match fs::create_dir(&place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        };
        made.map_err(Error::file("make the directory", &place))?;
        let lock = lock(&place)?;
        let old = fs::read_dir(&place).map_err(Error::file("read", &place))?;
        for entry in old {
            let path = entry.map_err(Error::file("read", &place))?.path();
            remove(&path).map_err(Error::file("remove", &path))?;
        }
        Ok(Self { place, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.place
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It is in the way of nothing but the space on the disk.
        let _ = remove(&self.place);
    }
}

/// What something is called until all of it is there.
pub(crate) fn unfinished(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}

/// Has a directory for this process alone, as long as the result lives.
///
/// # Errors
/// When another one has it.
pub(crate) fn lock(directory: &Path) -> Result<File, Error> {
    let file = File::open(directory).map_err(Error::file("open", directory))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Refused(format!(
            "{} is in use: wait for the other `appliance` to end",
            directory.display()
        ))),
        Err(error) => Err(Error::file("lock", directory)(error.into())),
    }
}

/// Removes a file or a directory, if there is one.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_one_uses_is_not() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("n.ova");
        fs::create_dir_all(unfinished(&target).join("old")).unwrap();
        let scratch = Scratch::of(&target).unwrap();
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
        fs::write(scratch.path().join("disk"), "new").unwrap();
        let refused = Scratch::of(&target).unwrap_err().to_string();
        assert!(refused.contains("n.ova.unfinished is in use"), "{refused}");
        assert!(scratch.path().join("disk").exists());
        drop(scratch);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
