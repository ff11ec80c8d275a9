//! The root directory of a server as an archive.
//!
//! Of a server whose image is a directory it is whole: its layers seen as one, as its processes see
//! them. Of a server with this machine's system parts it is what the server changed of these, and
//! what else is its own: see [`crate::image::layer`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::guest::directory::{ServerDirectory, remove};
use crate::guest::order::{Isolation, Order};
use crate::image::layer::{is_opaque, is_removed};
use crate::image::owners::Owners;
use crate::image::pack::Packer;
use crate::image::unpack::{Limits, unpack_layer};

/// Directories whose content is not on the disk.
const IN_MEMORY: [&str; 6] = ["dev", "proc", "sys", "run", "tmp", "mnt/volumes"];

/// The directories that a directory of the server is made of, the uppermost first.
type Layers = Vec<PathBuf>;

/// Takes no more than a number of bytes.
pub(super) struct Bounded<W> {
    inner: W,
    left: u64,
}

impl<W> Bounded<W> {
    pub(super) fn new(inner: W, most: u64) -> Self {
        Self { inner, left: most }
    }
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(io::ErrorKind::FileTooLarge)?;
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes the archive of a server that was made of a directory.
pub(super) fn whole(server: &ServerDirectory, image: &Path, archive: impl Write) -> io::Result<()> {
    let mut owners = Owners::of(image)?;
    // What an ordinary user's server made is all that user's, and root's in the server.
    owners.kept &= rustix::process::geteuid().is_root();
    let mut packer = Packer::new(archive, owners);
    let root = vec![upper(server, "root".as_ref()), image.to_owned()];
    let mut pending = vec![(PathBuf::new(), root)];
    while let Some((path, layers)) = pending.pop() {
        let Some(upper) = layers.first() else { continue };
        if !was_there(packer.add(&path, upper))? || is_in_memory(&path) {
            continue;
        }
        for (name, layers) in merge(&layers)? {
            let path = path.join(name);
            match layers.first() {
                Some(file) if !file.is_dir() || file.is_symlink() => {
                    was_there(packer.add(&path, file))?;
                }
                Some(_) => pending.push((path, layers)),
                None => {}
            }
        }
    }
    packer.finish()
}

/// Writes what a server with this machine's system parts has changed.
pub(super) fn changes(server: &ServerDirectory, archive: impl Write) -> io::Result<()> {
    let kept = rustix::process::geteuid().is_root();
    let mut packer = Packer::new(archive, Owners { kept, ..Owners::default() });
    let mut pending = vec![(PathBuf::new(), server.disk())];
    while let Some((path, directory)) = pending.pop() {
        if !was_there(packer.add_changed(&path, &directory))? || is_in_memory(&path) {
            continue;
        }
        if is_opaque(&directory) {
            packer.hide(&path)?;
        }
        for entry in fs::read_dir(&directory)? {
            let name = entry?.file_name();
            let (below, mut file) = (path.join(&name), directory.join(&name));
            if path.as_os_str().is_empty() && upper(server, &below).exists() {
                file = upper(server, &below);
            }
            let Ok(found) = file.symlink_metadata() else { continue };
            if is_removed(&found) {
                packer.remove(&below)?;
            } else if found.is_dir() {
                pending.push((below, file));
            } else {
                was_there(packer.add_changed(&below, &file))?;
            }
        }
    }
    packer.finish()
}

/// Makes the disk of a server that has never booted of what [`changes`] wrote. What an earlier try
/// has left is removed.
pub(super) fn begin_with(
    archive: &Path,
    server: &ServerDirectory,
    order: &Order,
) -> io::Result<()> {
    remove(&server.disk())?;
    remove(&server.layers())?;
    let archive = fs::File::open(archive)?;
    unpack_layer(archive, &server.disk(), Limits::default()).map_err(io::Error::other)?;
    if order.isolation == Isolation::Plain {
        return Ok(());
    }
    let parts = order.system.iter().filter(|part| part.link_to.is_none());
    for name in parts.map(|part| part.name.as_path()).chain([Path::new("etc")]) {
        let made = server.disk().join(name);
        if made.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            fs::create_dir_all(server.layers().join(name))?;
            fs::rename(made, upper(server, name))?;
        }
    }
    Ok(())
}

/// What the server changed of a part of its root directory.
fn upper(server: &ServerDirectory, part: &Path) -> PathBuf {
    server.layers().join(part).join("upper")
}

fn is_in_memory(path: &Path) -> bool {
    IN_MEMORY.iter().any(|it| path == Path::new(it))
}

/// Whether a file was added: not if it may not be read or is gone meanwhile.
fn was_there(added: io::Result<()>) -> io::Result<bool> {
    match added {
        Ok(()) => Ok(true),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The names in a directory, each with what it is made of.
fn merge(layers: &Layers) -> io::Result<BTreeMap<OsString, Layers>> {
    /// A name, and whether lower layers matter.
    struct Found {
        layers: Layers,
        open: bool,
    }
    let mut names: BTreeMap<OsString, Found> = BTreeMap::new();
    for layer in layers {
        let entries = match fs::read_dir(layer) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) =>
            {
                continue;
            }
            result => result?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let Ok(metadata) = path.symlink_metadata() else { continue };
            let is_directory = metadata.is_dir();
            let found = names
                .entry(entry.file_name())
                .or_insert_with(|| Found { layers: vec![], open: true });
            // A file hides what is below it, and is hidden by a directory above it.
            if !found.open || (!found.layers.is_empty() && !is_directory) {
                found.open = false;
                continue;
            }
            found.open = is_directory && !is_opaque(&path);
            if !is_removed(&metadata) {
                found.layers.push(path);
            }
        }
    }
    Ok(names.into_iter().map(|(name, found)| (name, found.layers)).collect())
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, XattrFlags, lsetxattr, mknodat};

    use super::*;

    #[test]
    fn layers_are_seen_as_one() {
        let place = tempfile::tempdir().unwrap();
        let (upper, lower) = (place.path().join("upper"), place.path().join("lower"));
        for path in ["both/a", "file/x", "only"] {
            fs::create_dir_all(lower.join(path)).unwrap();
        }
        fs::create_dir_all(upper.join("both/b")).unwrap();
        let files = [upper.join("file"), lower.join("old"), upper.join("new"), lower.join("gone")];
        for path in files {
            fs::write(path, "").unwrap();
        }
        // As overlays remove a file; no device, so everybody may make one.
        mknodat(CWD, upper.join("gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        let merged = merge(&vec![upper.clone(), lower.clone()]).unwrap();
        let of = |name: &str| merged.get(&OsString::from(name)).cloned().unwrap();
        assert_eq!(of("both"), [upper.join("both"), lower.join("both")]);
        assert_eq!(of("file"), [upper.join("file")], "a file hides a directory");
        assert_eq!(of("only"), [lower.join("only")]);
        assert_eq!(of("gone"), [] as [PathBuf; 0]);
        assert_eq!((of("old"), of("new")), (vec![lower.join("old")], vec![upper.join("new")]));
    }

    #[test]
    fn what_a_server_changed_is_what_the_next_begins_with() {
        let place = tempfile::tempdir().unwrap();
        let server = ServerDirectory::new(place.path().join("server"));
        let usr = upper(&server, "usr".as_ref());
        for path in [usr.join("new"), server.disk().join("usr"), server.disk().join("tmp")] {
            fs::create_dir_all(path).unwrap();
        }
        let mut files = vec![usr.join("new/file"), server.disk().join("home")];
        for path in files.iter().chain(&[server.disk().join("tmp/x")]) {
            fs::write(path, path.file_name().unwrap().as_encoded_bytes()).unwrap();
        }
        mknodat(CWD, usr.join("gone"), FileType::CharacterDevice, Mode::empty(), 0).unwrap();
        lsetxattr(usr.join("new"), "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
        let archive = place.path().join("archive");
        changes(&server, fs::File::create(&archive).unwrap()).unwrap();

        let order = |isolation| {
            let system =
                serde_json::json!([{"name": "usr"}, {"name": "bin", "link_to": "usr/bin"}]);
            serde_json::from_value::<Order>(serde_json::json!({
                "isolation": isolation, "id": uuid::Uuid::nil(), "hostname": "", "system": system,
                "image": {"kind": "host", "extra_files": []}, "base": "", "own_network": false,
                "fixed_ip": "127.0.0.1", "metadata_url": "", "authorized_keys": [], "hosts": [],
                "volume_store": "", "volumes": [],
            }))
            .unwrap()
        };
        let next = ServerDirectory::new(place.path().join("next"));
        fs::create_dir(next.path()).unwrap();
        begin_with(&archive, &next, &order(Isolation::Plain)).unwrap();
        assert!(next.disk().join("usr/new/file").exists());
        // Once more, for a server that is apart from this machine.
        begin_with(&archive, &next, &order(Isolation::Users)).unwrap();
        let (old_root, new_root) = (server.path().to_owned(), next.path().to_owned());
        for path in &mut files {
            *path = new_root.join(path.strip_prefix(&old_root).unwrap());
            assert_eq!(fs::read(&*path).unwrap(), path.file_name().unwrap().as_encoded_bytes());
        }
        let usr = upper(&next, "usr".as_ref());
        assert!(is_opaque(&usr.join("new")) && !is_opaque(&usr));
        assert!(is_removed(&usr.join("gone").symlink_metadata().unwrap()));
        assert!(!next.disk().join("usr").exists() && !next.disk().join("tmp/x").exists());
    }
}
