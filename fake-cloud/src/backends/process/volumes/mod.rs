//! The data of volumes.
//!
//! ```text
//!  <id>.ext4   a file system of the volume's size, see [`disk`]
//!  <id>/       a directory: where this machine refuses such, and what older versions made
//!  <id>.new    being made
//! ```
//!
//! A directory takes what lies in it, whatever size the model has for it.

mod directory;
mod disk;
mod helper;
mod loops;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

use super::trees;
use crate::guest::directory::remove;

/// Extension of a file that holds a file system.
const DISK: &str = "ext4";

/// Extension of what is being made.
const UNFINISHED: &str = "new";

/// Where the data of all volumes is.
#[derive(Debug, Clone)]
pub(in crate::backends) struct Volumes {
    root: PathBuf,
    /// Executable that becomes what helps with them.
    init_program: PathBuf,
    /// Why there can be no file systems, once it is known.
    refused: Arc<OnceLock<Option<String>>>,
}

/// What a making that was cut short has left in the directory of all.
pub(super) fn unfinished(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| id_of(path).is_none()).collect()
}

/// The data of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    Disk(PathBuf),
    Directory(PathBuf),
}

impl Volumes {
    /// Creates the directory, or removes from it what a making that was cut short has left.
    pub(in crate::backends) fn open(root: PathBuf, init_program: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        for path in unfinished(&root) {
            remove(&path)?;
        }
        for entry in fs::read_dir(&root)? {
            let path = entry?.path();
            if path.is_file() {
                disk::thaw(&path);
            }
        }
        Ok(Self { root, init_program: init_program.to_owned(), refused: Arc::default() })
    }

    /// The directory of all.
    pub(in crate::backends) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the data of a volume is, if there is any.
    pub(in crate::backends) fn path(&self, id: Uuid) -> Option<PathBuf> {
        match self.data(id)? {
            Data::Disk(path) | Data::Directory(path) => Some(path),
        }
    }

    pub(in crate::backends) fn ids(&self) -> io::Result<Vec<Uuid>> {
        let mut ids = vec![];
        for entry in fs::read_dir(&self.root)? {
            ids.extend(id_of(&entry?.path()));
        }
        Ok(ids)
    }

    /// Makes a volume, empty or as a copy: whole, or not at all. A copy is at least as large as
    /// its source.
    pub(in crate::backends) fn create(
        &self,
        id: Uuid,
        size_gib: u64,
        from: Option<Uuid>,
    ) -> io::Result<()> {
        if self.data(id).is_some() {
            return Ok(());
        }
        let unfinished = self.root.join(id.to_string()).with_extension(UNFINISHED);
        remove(&unfinished)?;
        let made = match from {
            Some(source) => self.copy(source, &unfinished, size_gib),
            None => self.make(&unfinished, size_gib),
        };
        let disk = self.root.join(id.to_string()).with_extension(DISK);
        let directory = self.root.join(id.to_string());
        let placed = made.and_then(|()| {
            let place = if unfinished.is_dir() { directory } else { disk };
            fs::rename(&unfinished, place)
        });
        placed.inspect_err(|_| {
            // The next try, or the next start, does it otherwise.
            let _ = remove(&unfinished);
        })
    }

    /// Makes a volume larger. A directory needs not be.
    pub(in crate::backends) fn extend(&self, id: Uuid, size_gib: u64) -> io::Result<()> {
        match self.existing(id)? {
            Data::Disk(image) => disk::extend(&image, size_gib << 30),
            Data::Directory(_) => Ok(()),
        }
    }

    /// A mount of the volume that is nowhere yet.
    pub(in crate::backends) fn mount(&self, id: Uuid) -> io::Result<OwnedFd> {
        match self.existing(id)? {
            Data::Disk(image) => disk::mount(&image),
            Data::Directory(path) => match trees::as_it_is(&path) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    helper::mount(&self.init_program, &path)
                }
                result => result,
            },
        }
    }

    /// Whether the volume is mounted anywhere, as far as this machine tells: never of a directory.
    pub(in crate::backends) fn is_mounted(&self, id: Uuid) -> bool {
        matches!(self.data(id), Some(Data::Disk(image)) if disk::is_mounted(&image))
    }

    /// Why volumes are directories here, if they are.
    pub(in crate::backends) fn refusal(&self) -> Option<&str> {
        self.refused.get()?.as_deref()
    }

    fn make(&self, path: &Path, size_gib: u64) -> io::Result<()> {
        let is_first = self.refused.get().is_none();
        if self.refusal().is_none() {
            let made = disk::make(path, size_gib << 30);
            if !is_first {
                return made;
            }
            // The first one tells whether there can be any.
            let tried = made.and_then(|()| disk::mount(path).map(drop));
            let reason = tried.as_ref().err().map(ToString::to_string);
            if self.refused.get_or_init(|| reason).is_none() {
                return tried;
            }
            remove(path)?;
        }
        if is_first {
            tracing::warn!(reason = self.refusal(), "volumes are directories and have no size");
        }
        DirBuilder::new().create(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
    }

    fn copy(&self, source: Uuid, to: &Path, size_gib: u64) -> io::Result<()> {
        match self.existing(source)? {
            Data::Disk(image) => {
                disk::copy(&image, to, &self.init_program)?;
                disk::extend(to, size_gib << 30)
            }
            Data::Directory(path) => directory::copy(&path, to),
        }
    }

    fn data(&self, id: Uuid) -> Option<Data> {
        let directory = self.root.join(id.to_string());
        let disk = directory.with_extension(DISK);
        if disk.exists() {
            return Some(Data::Disk(disk));
        }
        directory.exists().then_some(Data::Directory(directory))
    }

    fn existing(&self, id: Uuid) -> io::Result<Data> {
        self.data(id).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}

/// The volume whose data is there.
fn id_of(path: &Path) -> Option<Uuid> {
    let kept = path.extension().is_none_or(|extension| extension == DISK);
    Uuid::parse_str(path.file_stem()?.to_str()?).ok().filter(|_| kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finished_data_counts() {
        let id = Uuid::new_v4();
        assert_eq!(id_of(Path::new(&format!("/volumes/{id}"))), Some(id));
        assert_eq!(id_of(Path::new(&format!("/volumes/{id}.ext4"))), Some(id));
        assert_eq!(id_of(Path::new(&format!("/volumes/{id}.new"))), None);
        assert_eq!(id_of(Path::new("/volumes/other")), None);
    }

    #[test]
    fn a_volume_is_made_once_and_its_copy_is_independent() {
        let state = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(state.path().join("volumes"), Path::new("")).unwrap();
        let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
        volumes.create(id, 1, None).unwrap();
        volumes.create(other, 1, Some(id)).unwrap();
        let made = volumes.path(other).unwrap().metadata().unwrap().modified().unwrap();
        volumes.create(other, 1, None).unwrap();
        assert_eq!(volumes.path(other).unwrap().metadata().unwrap().modified().unwrap(), made);
        let mut ids = volumes.ids().unwrap();
        ids.sort();
        let mut both = [id, other];
        both.sort();
        assert_eq!(ids, both);
    }

    #[test]
    fn a_directory_of_an_older_version_stays_one_and_so_does_its_copy() {
        let state = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(state.path().join("volumes"), Path::new("")).unwrap();
        let (id, other) = (Uuid::new_v4(), Uuid::new_v4());
        let old = state.path().join("volumes").join(id.to_string());
        fs::create_dir(&old).unwrap();
        fs::write(old.join("file"), "kept").unwrap();
        volumes.create(other, 1, Some(id)).unwrap();
        volumes.extend(other, 2).unwrap();
        let copied = volumes.path(other).unwrap().join("file");
        assert_eq!(fs::read_to_string(copied).unwrap(), "kept");
    }

    #[test]
    fn a_making_that_fails_or_was_cut_short_leaves_nothing() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("volumes");
        let volumes = Volumes::open(path.clone(), Path::new("")).unwrap();
        assert!(volumes.create(Uuid::new_v4(), 1, Some(Uuid::new_v4())).is_err());
        assert!(volumes.ids().unwrap().is_empty());
        fs::create_dir(path.join(format!("{}.new", Uuid::new_v4()))).unwrap();
        fs::write(path.join(format!("{}.new", Uuid::new_v4())), "").unwrap();
        Volumes::open(path.clone(), Path::new("")).unwrap();
        assert_eq!(fs::read_dir(path).unwrap().count(), 0);
    }
}
