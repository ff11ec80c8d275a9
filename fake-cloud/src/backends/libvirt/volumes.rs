//! The data of volumes: a sparse file each, a disk in its server.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use uuid::Uuid;

const GIB: u64 = 1 << 30;

/// Where the data of all volumes is.
#[derive(Debug)]
pub(super) struct Volumes(PathBuf);

impl Volumes {
    /// Creates the directory, or removes from it what a making that was cut short has left.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if id_of(&entry).is_none() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self(path))
    }

    pub(super) fn path(&self, id: Uuid) -> PathBuf {
        self.0.join(id.to_string())
    }

    pub(super) fn ids(&self) -> io::Result<Vec<Uuid>> {
        let entries = fs::read_dir(&self.0)?.collect::<io::Result<Vec<_>>>()?;
        Ok(entries.iter().filter_map(id_of).collect())
    }

    /// Makes a volume, empty or as a copy: whole, or not at all.
    pub(super) fn create(&self, id: Uuid, size_gib: u64, from: Option<Uuid>) -> io::Result<()> {
        let path = self.path(id);
        if path.exists() {
            return Ok(());
        }
        let unfinished = self.0.join(format!("{id}.new"));
        let make = || -> io::Result<()> {
            let mut options = OpenOptions::new();
            let to =
                options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
            if let Some(source) = from {
                copy_data(&File::open(self.path(source))?, &to)?;
            }
            // A copy may be larger than what it was made from, never smaller.
            to.set_len(to.metadata()?.len().max(size_gib * GIB))?;
            to.sync_all()
        };
        make().and_then(|()| fs::rename(&unfinished, &path)).inspect_err(|_| {
            // The next try, or the next start, does it otherwise.
            let _ = fs::remove_file(&unfinished);
        })
    }

    /// Makes a volume larger, never smaller; gives its size in bytes.
    pub(super) fn extend(&self, id: Uuid, size_gib: u64) -> io::Result<u64> {
        let file = OpenOptions::new().write(true).open(self.path(id))?;
        let size = file.metadata()?.len().max(size_gib * GIB);
        file.set_len(size)?;
        Ok(size)
    }

    pub(super) fn delete(&self, id: Uuid) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn id_of(entry: &fs::DirEntry) -> Option<Uuid> {
    Uuid::parse_str(entry.file_name().to_str()?).ok()
}

/// Copies what is there of a sparse file, and leaves its holes.
fn copy_data(from: &File, to: &File) -> io::Result<()> {
    use std::io::{Read as _, Seek as _, SeekFrom as From, Write as _};

    use rustix::fs::{SeekFrom, seek};

    let (mut reader, mut writer) = (from, to);
    let length = from.metadata()?.len();
    let mut end = 0;
    while let Ok(start) = seek(from, SeekFrom::Data(end)) {
        end = seek(from, SeekFrom::Hole(start))?;
        reader.seek(From::Start(start))?;
        writer.seek(From::Start(start))?;
        io::copy(&mut reader.take(end - start), &mut writer)?;
    }
    writer.flush()?;
    to.set_len(length)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::*;

    #[test]
    fn a_volume_takes_no_place_until_it_is_written_and_a_copy_is_independent() {
        let state = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(state.path().join("volumes")).unwrap();
        let (id, copy) = (Uuid::new_v4(), Uuid::new_v4());
        volumes.create(id, 2, None).unwrap();
        let file = OpenOptions::new().write(true).open(volumes.path(id)).unwrap();
        file.write_all_at(b"old", GIB).unwrap();
        volumes.create(copy, 3, Some(id)).unwrap();
        file.write_all_at(b"new", GIB).unwrap();
        volumes.create(copy, 3, Some(id)).unwrap();

        let found = File::open(volumes.path(copy)).unwrap();
        let mut data = [0; 3];
        found.read_exact_at(&mut data, GIB).unwrap();
        assert_eq!(&data, b"old", "made once only");
        let found = found.metadata().unwrap();
        assert_eq!(found.len(), 3 * GIB);
        assert!(found.blocks() < 1000, "{} blocks", found.blocks());

        assert_eq!(volumes.extend(copy, 4).unwrap(), 4 * GIB);
        assert_eq!(volumes.extend(copy, 2).unwrap(), 4 * GIB);

        volumes.delete(id).unwrap();
        volumes.delete(id).unwrap();
        assert_eq!(volumes.ids().unwrap(), [copy]);
    }

    #[test]
    fn a_making_that_fails_or_was_cut_short_leaves_nothing() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("volumes");
        let volumes = Volumes::open(path.clone()).unwrap();
        assert!(volumes.create(Uuid::new_v4(), 1, Some(Uuid::new_v4())).is_err());
        fs::write(path.join("x.new"), "half").unwrap();
        Volumes::open(path.clone()).unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }
}
