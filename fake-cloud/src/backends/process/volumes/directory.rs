//! A volume as a directory: where a machine refuses file systems of their own.

use std::fs::{self, DirBuilder, FileTimes};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, chown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

/// Copies everything that can be in a directory, or fails: a volume with files missing is worse
/// than none. Blocks are shared where the file system can.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
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
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_copy_has_everything_and_is_independent() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::create_dir_all(from.join("d")).unwrap();
        fs::write(from.join("d/file"), "old").unwrap();
        fs::set_permissions(from.join("d/file"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("d/file", from.join("link")).unwrap();
        mknodat(CWD, from.join("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();

        copy(&from, &to).unwrap();
        fs::write(from.join("d/file"), "new").unwrap();
        assert_eq!(fs::read_to_string(to.join("link")).unwrap(), "old");
        assert_eq!(to.join("d/file").metadata().unwrap().mode() & 0o7777, 0o640);
        assert!(to.join("fifo").metadata().unwrap().file_type().is_fifo());
    }
}
