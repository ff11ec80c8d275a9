//! Makes an archive of a tree, with the owners that its files should have.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use super::layer::{Mark, check_name};
use super::owners::{Owner, Owners};

/// Writes the archive of a tree; the same tree makes the same archive.
pub fn pack(root: &Path, archive: impl Write) -> io::Result<()> {
    let mut packer = Packer::new(archive, Owners::of(root)?);
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let file = root.join(&path);
        packer.add(&path, &file)?;
        if file.symlink_metadata()?.is_dir() {
            let mut inside = vec![];
            for entry in fs::read_dir(&file)? {
                inside.push(path.join(entry?.file_name()));
            }
            inside.sort_unstable_by(|a, b| b.cmp(a));
            pending.append(&mut inside);
        }
    }
    packer.finish()
}

/// An archive that is being written.
pub(crate) struct Packer<W: Write> {
    archive: Builder<W>,
    owners: Owners,
    /// Files of several names, by device and number: the first name holds the content.
    names: HashMap<(u64, u64), PathBuf>,
}

impl<W: Write> Packer<W> {
    pub(crate) fn new(archive: W, owners: Owners) -> Self {
        Self { archive: Builder::new(archive), owners, names: HashMap::new() }
    }

    /// Adds a file, or a directory without what is in it, under a path below the root.
    pub(crate) fn add(&mut self, path: &Path, file: &Path) -> io::Result<()> {
        let found = file.symlink_metadata()?;
        let kind = found.file_type();
        let mut header = header(path, &found, &self.owners);
        if kind.is_dir() {
            header.set_entry_type(EntryType::Directory);
            let name = if path.as_os_str().is_empty() { Path::new("./") } else { path };
            self.archive.append_data(&mut header, name, io::empty())?;
        } else if kind.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            self.archive.append_link(&mut header, path, fs::read_link(file)?)?;
        } else if kind.is_file() {
            let number = (found.dev(), found.ino());
            if found.nlink() > 1
                && let Some(first) = self.names.get(&number)
            {
                header.set_entry_type(EntryType::Link);
                return self.archive.append_link(&mut header, path, first);
            }
            // Before anything is written: a file that cannot be read is not half there.
            let content = fs::File::open(file)?;
            self.names.insert(number, path.to_owned());
            capability(&mut self.archive, file)?;
            header.set_size(found.len());
            // Of exactly the size that was announced, whatever becomes of the file meanwhile.
            let content = content.take(found.len()).chain(io::repeat(0)).take(found.len());
            self.archive.append_data(&mut header, path, content)?;
        } else if kind.is_fifo() {
            header.set_entry_type(EntryType::Fifo);
            self.archive.append_data(&mut header, path, io::empty())?;
        }
        // Sockets and devices mean nothing elsewhere.
        Ok(())
    }

    /// Adds a file of a layer: as [`Packer::add`] does, but for names that mean something there.
    pub(crate) fn add_changed(&mut self, path: &Path, file: &Path) -> io::Result<()> {
        check_name(path)?;
        self.add(path, file)
    }

    /// Says that a path of what is below the layer is removed.
    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<()> {
        check_name(path)?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        self.mark(&path.with_file_name(Mark::Removed(name).name()))
    }

    /// Says that a directory hides what is below the layer.
    pub(crate) fn hide(&mut self, directory: &Path) -> io::Result<()> {
        self.mark(&directory.join(Mark::Opaque.name()))
    }

    fn mark(&mut self, path: &Path) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(0);
        self.archive.append_data(&mut header, path, io::empty())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.archive.finish()
    }
}

fn header(path: &Path, found: &fs::Metadata, owners: &Owners) -> Header {
    let found_owner = Owner { uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o7777 };
    let owner = owners.restore(path, found_owner);
    let mut header = Header::new_gnu();
    header.set_uid(u64::from(owner.uid));
    header.set_gid(u64::from(owner.gid));
    header.set_mode(owner.mode);
    header.set_mtime(u64::try_from(found.mtime()).unwrap_or_default());
    header.set_size(0);
    header
}

/// Writes what lets a program do one thing of root's, if it has it.
fn capability(archive: &mut Builder<impl Write>, file: &Path) -> io::Result<()> {
    let mut value = [0; 64];
    match rustix::fs::lgetxattr(file, "security.capability", &mut value) {
        Ok(length) => {
            let extension = ("SCHILY.xattr.security.capability", &value[..length]);
            archive.append_pax_extensions([extension])
        }
        // It has none, or the file system knows of none.
        Err(_) => Ok(()),
    }
}
