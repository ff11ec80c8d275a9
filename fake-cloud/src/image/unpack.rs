//! Makes a tree of an archive that nobody vouches for.
//!
//! Every path is looked up as if the tree were the root directory already: no name and no link in
//! the archive leads out of it. Devices are left out, because a server gets its own. As root, files
//! get the owners of the archive; an ordinary user notes them beside the tree.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File, FileTimes};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, XattrFlags, chownat, fchmod, fchown,
    fsetxattr, linkat, makedev, mkdirat, mknodat, openat, openat2, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use tar::{Entry, EntryType};

use super::compression::decompressed;
use super::layer::{Mark, OPAQUE_ATTRIBUTE};
use super::owners::{Owner, Owners};

/// How much an archive may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 32 << 30, entries: 2_000_000 }
    }
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The archive cannot be read: it is none, or is broken.
    #[error("the archive cannot be read")]
    Archive(#[source] io::Error),
    /// A name leads out of the archive.
    #[error("the archive names {}, which is outside of it", path.display())]
    Outside {
        /// The name.
        path: PathBuf,
    },
    /// The limits are reached.
    #[error("the archive holds more than {} MiB or {} files", limits.bytes >> 20, limits.entries)]
    TooLarge {
        /// The limits.
        limits: Limits,
    },
    /// What was unpacked cannot be a server's root.
    #[error("the archive is no root file system: it has no /bin/sh")]
    NoSystem,
    /// A file cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// Its path below the root.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The SHA-256 of the archive, uncompressed.
    pub sha256: String,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

/// Unpacks an archive into a new directory, and writes the owners beside it. What is there after an
/// error is for the caller to remove.
pub fn unpack(archive: impl Read, root: &Path, limits: Limits) -> Result<Unpacked, Error> {
    let mut unpacking = Unpacking::begin(root, limits)?;
    let sha256 = unpacking.take_all(archive)?;
    if unpacking.open("bin/sh".as_ref(), OFlags::PATH).is_err() {
        return Err(Error::NoSystem);
    }
    unpacking.finish_directories()?;
    unpacking.owners.kept = unpacking.is_root;
    unpacking.owners.write(root).map_err(top)?;
    Ok(Unpacked { sha256, bytes: unpacking.bytes, entries: unpacking.entries })
}

/// Unpacks a layer, see [`super::layer`], into a new directory that an overlay without privileges
/// takes for one. What is there after an error is for the caller to remove.
pub(crate) fn unpack_layer(archive: impl Read, root: &Path, limits: Limits) -> Result<(), Error> {
    let mut unpacking = Unpacking { is_layer: true, ..Unpacking::begin(root, limits)? };
    unpacking.take_all(archive)?;
    unpacking.finish_directories()
}

fn top(source: io::Error) -> Error {
    Error::Write { path: PathBuf::new(), source }
}

/// Whether a file begins as an archive does, compressed or not.
pub fn is_archive(file: impl Read) -> bool {
    let mut start = vec![];
    // What cannot be decompressed is no archive either.
    let _ = decompressed(file).and_then(|it| it.take(512).read_to_end(&mut start));
    start.get(257..262) == Some(b"ustar")
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
    /// How much more may come, headers and padding included.
    left: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.left = self.left.checked_sub(length as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(length)
    }
}

struct Unpacking {
    root: OwnedFd,
    is_root: bool,
    limits: Limits,
    /// Whether names of files can mean something: see [`super::layer`].
    is_layer: bool,
    bytes: u64,
    entries: u64,
    /// The directory that was written to last: most often the next too.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Directories get their modes and times when nothing is written there any more.
    directories: BTreeMap<PathBuf, (Owner, u64)>,
    owners: Owners,
}

impl Unpacking {
    fn begin(root: &Path, limits: Limits) -> Result<Self, Error> {
        DirBuilder::new().mode(0o755).create(root).map_err(top)?;
        let flags = OFlags::DIRECTORY | OFlags::PATH | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(root, flags, Mode::empty());
        Ok(Self {
            root: descriptor.map_err(|error| top(error.into()))?,
            is_root: rustix::process::geteuid().is_root(),
            limits,
            is_layer: false,
            bytes: 0,
            entries: 0,
            parent: None,
            directories: BTreeMap::new(),
            owners: Owners::default(),
        })
    }

    /// Writes what is in the archive; its SHA-256, uncompressed.
    fn take_all(&mut self, archive: impl Read) -> Result<String, Error> {
        let plain = decompressed(archive).map_err(Error::Archive)?;
        let left = self.limits.bytes.saturating_mul(2);
        let mut archive = tar::Archive::new(Hashing { inner: plain, hash: Sha256::new(), left });
        for entry in archive.entries().map_err(Error::Archive)? {
            self.take(&mut entry.map_err(Error::Archive)?)?;
        }
        let mut archive = archive.into_inner();
        // The rest is padding; it counts for the hash, and whoever writes it wants to get rid of it.
        io::copy(&mut archive, &mut io::sink()).map_err(Error::Archive)?;
        Ok(format!("{:x}", archive.hash.finalize()))
    }

    fn take(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), Error> {
        let path = inside(&entry.path().map_err(Error::Archive)?)?;
        self.entries += 1;
        self.bytes = self.bytes.saturating_add(entry.size());
        if self.bytes > self.limits.bytes || self.entries > self.limits.entries {
            return Err(Error::TooLarge { limits: self.limits });
        }
        let written = match path.file_name().map(OsStr::to_owned) {
            Some(name) => self.write(entry, &path, &name),
            None => self.note_directory(entry, &path),
        };
        written.map_err(|source| Error::Write { path, source })
    }

    fn write(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        name: &OsStr,
    ) -> io::Result<()> {
        let parent = self.parent(path.parent().unwrap_or(Path::new("")))?;
        let kind = entry.header().entry_type();
        if kind == EntryType::Directory {
            match mkdirat(&parent, name, Mode::RWXU) {
                Err(Errno::EXIST) if is_directory(&parent, name) => {}
                Err(Errno::EXIST) => {
                    unlinkat(&parent, name, AtFlags::empty())?;
                    mkdirat(&parent, name, Mode::RWXU)?;
                }
                result => result?,
            }
            self.parent = Some((path.parent().unwrap_or(Path::new("")).to_owned(), parent));
            return self.note_directory(entry, path);
        }
        if self.is_layer
            && let Some(mark) = Mark::of(name)
        {
            self.leave(&mark, &parent, path)?;
            self.parent = Some((path.parent().unwrap_or(Path::new("")).to_owned(), parent));
            return Ok(());
        }
        // What comes later counts.
        match unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let owner = owner(entry)?;
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.write_file(entry, &parent, name, owner)?;
                self.note(path, owner);
            }
            EntryType::Symlink => {
                symlinkat(&*link(entry)?, &parent, name)?;
                self.own_name(&parent, name, owner)?;
            }
            EntryType::Link => {
                let target = inside(&link(entry)?).map_err(io::Error::other)?;
                let above = self.open(target.parent().unwrap_or(Path::new("")), OFlags::PATH)?;
                let last = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                linkat(&above, last, &parent, name, AtFlags::empty())?;
            }
            EntryType::Fifo => {
                let mode = Mode::from_raw_mode(owner.mode);
                mknodat(&parent, name, FileType::Fifo, mode, 0)?;
                self.own_name(&parent, name, owner)?;
            }
            // A device, or something that is about the archive itself.
            _ => {}
        }
        self.parent = Some((path.parent().unwrap_or(Path::new("")).to_owned(), parent));
        Ok(())
    }

    /// Leaves a mark as an overlay does.
    fn leave(&self, mark: &Mark<'_>, parent: &OwnedFd, path: &Path) -> io::Result<()> {
        match mark {
            Mark::Removed(name) => {
                let kind = FileType::CharacterDevice;
                mknodat(parent, *name, kind, Mode::empty(), makedev(0, 0))?;
            }
            Mark::Opaque => {
                let directory = path.parent().unwrap_or(Path::new(""));
                let directory = self.open(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
                fsetxattr(directory, OPAQUE_ATTRIBUTE, b"y", XattrFlags::empty())?;
            }
        }
        Ok(())
    }

    fn write_file(
        &self,
        entry: &mut Entry<'_, impl Read>,
        parent: &OwnedFd,
        name: &OsStr,
        owner: Owner,
    ) -> io::Result<()> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let mut file = File::from(openat(parent, name, flags, Mode::RUSR | Mode::WUSR)?);
        io::copy(entry, &mut file)?;
        if self.is_root {
            fchown(&file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
        }
        fchmod(&file, Mode::from_raw_mode(self.possible(owner.mode, 0o400)))?;
        if self.is_root
            && let Some(capability) = capability(entry)?
        {
            fsetxattr(&file, CAPABILITY, &capability, XattrFlags::empty())?;
        }
        let time = UNIX_EPOCH + Duration::from_secs(entry.header().mtime()?);
        file.set_times(FileTimes::new().set_modified(time))
    }

    fn note_directory(&mut self, entry: &Entry<'_, impl Read>, path: &Path) -> io::Result<()> {
        let noted = (owner(entry)?, entry.header().mtime()?);
        self.directories.insert(path.to_owned(), noted);
        Ok(())
    }

    fn finish_directories(&mut self) -> Result<(), Error> {
        for (path, (owner, time)) in std::mem::take(&mut self.directories) {
            let finish = || -> io::Result<()> {
                let directory = File::from(self.open(&path, OFlags::RDONLY | OFlags::DIRECTORY)?);
                if self.is_root {
                    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
                    fchown(&directory, Some(uid), Some(gid))?;
                }
                fchmod(&directory, Mode::from_raw_mode(self.possible(owner.mode, 0o700)))?;
                let time = UNIX_EPOCH + Duration::from_secs(time);
                directory.set_times(FileTimes::new().set_modified(time))
            };
            finish().map_err(|source| Error::Write { path: path.clone(), source })?;
            self.note(&path, owner);
        }
        Ok(())
    }

    /// The directory of this path, made when the archive did not name it.
    fn parent(&mut self, path: &Path) -> io::Result<OwnedFd> {
        match self.parent.take() {
            Some((last, directory)) if last == path => Ok(directory),
            _ => match self.open(path, OFlags::PATH | OFlags::DIRECTORY) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
                    let above = self.parent(path.parent().unwrap_or(Path::new("")))?;
                    mkdirat(&above, name, Mode::from_raw_mode(0o755))?;
                    self.open(path, OFlags::PATH | OFlags::DIRECTORY)
                }
                result => result,
            },
        }
    }

    /// Opens a path as a process would whose root directory is the tree.
    fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)?)
    }

    /// What an ordinary user must be able to do with their own files.
    fn possible(&self, mode: u32, needed: u32) -> u32 {
        if self.is_root { mode } else { mode | needed }
    }

    fn own_name(&self, parent: &OwnedFd, name: &OsStr, owner: Owner) -> io::Result<()> {
        if self.is_root {
            let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
            chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    fn note(&mut self, path: &Path, owner: Owner) {
        let is_readable = owner.mode & 0o400 != 0;
        let is_plain = owner.uid == 0 && owner.gid == 0 && is_readable;
        if !self.is_root && !is_plain && path.to_str().is_some() {
            self.owners.different.insert(path.to_owned(), owner);
        }
    }
}

/// The extended attribute that lets programs do one thing of root's.
const CAPABILITY: &str = "security.capability";

fn capability(entry: &mut Entry<'_, impl Read>) -> io::Result<Option<Vec<u8>>> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(None) };
    for extension in extensions {
        let extension = extension?;
        if extension.key_bytes() == b"SCHILY.xattr.security.capability" {
            return Ok(Some(extension.value_bytes().to_vec()));
        }
    }
    Ok(None)
}

fn owner(entry: &Entry<'_, impl Read>) -> io::Result<Owner> {
    let header = entry.header();
    let number = |number: u64| u32::try_from(number).map_err(io::Error::other);
    let (uid, gid) = (number(header.uid()?)?, number(header.gid()?)?);
    Ok(Owner { uid, gid, mode: header.mode()? & 0o7777 })
}

fn link(entry: &Entry<'_, impl Read>) -> io::Result<PathBuf> {
    let name = entry.link_name()?.ok_or(io::ErrorKind::InvalidData)?;
    Ok(name.into_owned())
}

/// The path below the root; refused when it goes up.
fn inside(path: &Path) -> Result<PathBuf, Error> {
    let outside = || Error::Outside { path: path.to_owned() };
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) if name.as_bytes().contains(&0) => return Err(outside()),
            Component::Normal(name) => inside.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(outside()),
        }
    }
    Ok(inside)
}

fn is_directory(parent: impl AsFd, name: &OsStr) -> bool {
    statat(parent, OsString::from(name), AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

#[cfg(test)]
mod tests;
