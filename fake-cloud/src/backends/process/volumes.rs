//! The data of volumes: a directory each, below one that is shown to no server as a whole.
//!
//! A size is kept by the model only: a volume takes what lies in it, and grows as the file system
//! that it is on lets it.

use std::fs::{self, DirBuilder, FileTimes};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink,
};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use uuid::Uuid;

/// Where the data of all volumes is.
#[derive(Debug, Clone)]
pub(super) struct Volumes(PathBuf);

impl Volumes {
    /// Creates the directory, or removes from it what a making that was cut short has left.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if id_of(&entry).is_none() {
                crate::guest::directory::remove_tree(&entry.path())?;
            }
        }
        Ok(Self(path))
    }

    /// The directory of all.
    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    pub(super) fn path(&self, id: Uuid) -> PathBuf {
        self.0.join(id.to_string())
    }

    pub(super) fn ids(&self) -> io::Result<Vec<Uuid>> {
        let mut ids = vec![];
        for entry in fs::read_dir(&self.0)? {
            ids.extend(id_of(&entry?));
        }
        Ok(ids)
    }

    /// Makes a volume, empty or as a copy: whole, or not at all.
    pub(super) fn create(&self, id: Uuid, from: Option<Uuid>) -> io::Result<()> {
        let path = self.path(id);
        if path.exists() {
            return Ok(());
        }
        let unfinished = self.0.join(format!("{id}.new"));
        if unfinished.exists() {
            crate::guest::directory::remove_tree(&unfinished)?;
        }
        let made = match from {
            Some(source) => copy(&self.path(source), &unfinished),
            None => DirBuilder::new()
                .create(&unfinished)
                .and_then(|()| fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))),
        };
        if let Err(error) = made.and_then(|()| fs::rename(&unfinished, &path)) {
            // The next try, or the next start, does it otherwise.
            let _ = crate::guest::directory::remove_tree(&unfinished);
            return Err(error);
        }
        Ok(())
    }
}

fn id_of(entry: &fs::DirEntry) -> Option<Uuid> {
    Uuid::parse_str(entry.file_name().to_str()?).ok()
}

/// Copies everything that can be in a directory, or fails: a volume with files missing is worse
/// than none. Blocks are shared where the file system can.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let found = from.symlink_metadata()?;
    let kind = found.file_type();
    if kind.is_dir() {
        DirBuilder::new().mode(0o700).create(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            match copy(&entry.path(), &to.join(entry.file_name())) {
                // Someone who uses the volume meanwhile has removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
    } else if kind.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    } else if kind.is_socket() {
        // Means nothing without who listens there.
        return Ok(());
    } else if kind.is_file() {
        fs::copy(from, to)?;
    } else {
        let (major, minor) = (rustix::fs::major(found.rdev()), rustix::fs::minor(found.rdev()));
        let kind = FileType::from_raw_mode(found.mode());
        mknodat(CWD, to, kind, Mode::from_raw_mode(0o600), makedev(major, minor))?;
    }
    let times = || {
        let times =
            FileTimes::new().set_accessed(found.accessed()?).set_modified(found.modified()?);
        fs::File::open(to)?.set_times(times)
    };
    if kind.is_file() || kind.is_dir() {
        times()?;
    }
    // Only the machine's root can give files away; for others all are their own.
    match chown(to, Some(found.uid()), Some(found.gid())) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
        _ => {}
    }
    // Last: a new owner takes away some of it.
    fs::set_permissions(to, found.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_everything_and_is_independent() {
        let state = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(state.path().join("volumes")).unwrap();
        let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
        volumes.create(id, None).unwrap();
        let (from, to) = (volumes.path(id), volumes.path(other));
        fs::create_dir(from.join("d")).unwrap();
        fs::write(from.join("d/file"), "old").unwrap();
        fs::set_permissions(from.join("d/file"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("d/file", from.join("link")).unwrap();
        mknodat(CWD, from.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();

        volumes.create(other, Some(id)).unwrap();
        fs::write(from.join("d/file"), "new").unwrap();
        volumes.create(other, Some(id)).unwrap();
        assert_eq!(fs::read_to_string(to.join("link")).unwrap(), "old", "made once only");
        let found = to.join("d/file").metadata().unwrap();
        assert_eq!(found.mode() & 0o7777, 0o640);
        assert!(to.join("fifo").metadata().unwrap().file_type().is_fifo());
        let mut ids = volumes.ids().unwrap();
        ids.sort();
        let mut both = [id, other];
        both.sort();
        assert_eq!(ids, both);
    }

    #[test]
    fn a_making_that_fails_or_was_cut_short_leaves_nothing() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("volumes");
        let volumes = Volumes::open(path.clone()).unwrap();
        assert!(volumes.create(Uuid::new_v4(), Some(Uuid::new_v4())).is_err());
        assert!(volumes.ids().unwrap().is_empty());
        fs::create_dir(path.join(format!("{}.new", Uuid::new_v4()))).unwrap();
        Volumes::open(path.clone()).unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }
}
