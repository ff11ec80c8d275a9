//! Where the things of one server lie on this machine's disk.
//!
//! ```text
//!  servers/<id>/order.json   what to boot, written before every start
//!               user-data    the script of the first boot, as it was given
//!               disk/        the root directory as the server sees it, without its system parts
//!               layers/      what the server changed of the system parts: overlay uppers
//!               booted       there once the first boot has begun
//!               console.log  the end of what was printed
//! ```

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The directory of one server.
#[derive(Debug, Clone)]
pub(crate) struct ServerDirectory(PathBuf);

impl ServerDirectory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn order(&self) -> PathBuf {
        self.0.join("order.json")
    }

    pub(crate) fn user_data(&self) -> PathBuf {
        self.0.join("user-data")
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.0.join("disk")
    }

    pub(crate) fn layers(&self) -> PathBuf {
        self.0.join("layers")
    }

    pub(crate) fn booted(&self) -> PathBuf {
        self.0.join(BOOTED)
    }

    /// Removes what overlays leave behind, which an ordinary user's `rm -r` stumbles over.
    pub(crate) fn tidy(&self) {
        for layer in fs::read_dir(self.layers()).into_iter().flatten().flatten() {
            // The next start does it otherwise.
            let _ = remove_tree(&layer.path().join(WORK));
        }
    }

    pub(crate) fn console(&self) -> PathBuf {
        self.0.join("console.log")
    }
}

/// Name of the file that says that the first boot has begun.
pub(crate) const BOOTED: &str = "booted";

/// Name of the directory in a layer that the overlay itself needs.
pub(crate) const WORK: &str = "work";

/// Removes a tree, directories without permissions included: overlays make such.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

/// Removes a file or a whole directory, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { remove_tree(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    io::Write::write_all(&mut file, content)?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_permissions_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let server = ServerDirectory::new(directory.path().to_owned());
        let layer = server.layers().join("usr");
        fs::create_dir_all(layer.join("work/work")).unwrap();
        fs::write(layer.join("work/file"), "x").unwrap();
        fs::create_dir(layer.join("upper")).unwrap();
        fs::set_permissions(layer.join("work/work"), fs::Permissions::from_mode(0o000)).unwrap();
        server.tidy();
        assert!(!layer.join("work").exists() && layer.join("upper").exists());
    }
}
