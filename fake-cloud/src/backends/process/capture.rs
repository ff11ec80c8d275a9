//! The root directory of a server as an archive: its layers seen as one, as its processes see them.
//!
//! What overlays leave in a layer says what is hidden: a device with number 0 that a name is
//! removed, an attribute that a directory is a new one.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::backends::ImageSource;
use crate::guest::directory::ServerDirectory;
use crate::guest::order::SystemPart;
use crate::image::owners::Owners;
use crate::image::pack::Packer;

/// Directories whose content is not on the disk.
const IN_MEMORY: [&str; 6] = ["dev", "proc", "sys", "run", "tmp", "mnt/volumes"];

/// The directories that a directory of the server is made of, the uppermost first.
type Layers = Vec<PathBuf>;

/// What a server's root directory is made of.
pub(super) struct Root<'a> {
    pub(super) server: &'a ServerDirectory,
    pub(super) image: &'a ImageSource,
    /// What servers share.
    pub(super) base: PathBuf,
    /// What it has of this machine.
    pub(super) system: Vec<SystemPart>,
}

impl Root<'_> {
    /// Writes the archive.
    pub(super) fn capture(&self, archive: &Path) -> io::Result<()> {
        let mut owners = match self.image {
            ImageSource::Directory { path } => Owners::of(path)?,
            _ => Owners { kept: true, ..Owners::default() },
        };
        // What an ordinary user's server made is all that user's, and root's in the server.
        owners.kept &= rustix::process::geteuid().is_root();
        let mut packer = Packer::new(BufWriter::new(File::create(archive)?), owners);
        let mut pending = vec![(PathBuf::new(), self.layers())];
        while let Some((path, layers)) = pending.pop() {
            let Some(upper) = layers.first() else { continue };
            if !add(&mut packer, &path, upper)? || IN_MEMORY.iter().any(|it| path == Path::new(it))
            {
                continue;
            }
            let mut inside = merge(&layers)?;
            if path.as_os_str().is_empty() {
                inside.extend(self.mounted());
            }
            for (name, layers) in inside {
                let path = path.join(name);
                match layers.first() {
                    Some(file) if !file.is_dir() || file.is_symlink() => {
                        let shown = self.shown(&path).unwrap_or(file);
                        add(&mut packer, &path, shown)?;
                    }
                    Some(_) => pending.push((path, layers)),
                    None => {}
                }
            }
        }
        packer.finish()
    }

    /// Of the root directory itself.
    fn layers(&self) -> Layers {
        match self.image {
            ImageSource::Directory { path } => {
                vec![self.server.layers().join("root/upper"), path.clone()]
            }
            _ => vec![self.server.disk()],
        }
    }

    /// Names in the root directory that are not on the disk but above a part of this machine.
    fn mounted(&self) -> Vec<(OsString, Layers)> {
        if !matches!(self.image, ImageSource::Host { .. }) {
            return vec![];
        }
        let upper = |name: &Path| self.server.layers().join(name).join("upper");
        let parts = self.system.iter().filter(|part| part.link_to.is_none()).map(|part| {
            let lower = Path::new("/").join(&part.name);
            (part.name.clone().into(), vec![upper(&part.name), lower])
        });
        let etc = vec![upper(Path::new("etc")), self.base.join("etc")];
        parts.chain([("etc".into(), etc)]).collect()
    }

    /// The file of this machine that is shown at a path.
    fn shown(&self, path: &Path) -> Option<&Path> {
        let ImageSource::Host { extra_files } = self.image else { return None };
        let there = Path::new("/").join(path);
        let (here, _) = extra_files.iter().find(|(_, shown)| *shown == there)?;
        here.is_file().then_some(here)
    }
}

/// Adds a file, unless it may not be read or is gone meanwhile: whether it is there.
fn add(packer: &mut Packer<impl io::Write>, path: &Path, file: &Path) -> io::Result<bool> {
    match packer.add(path, file) {
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
            if !is_whiteout(&metadata) {
                found.layers.push(path);
            }
        }
    }
    Ok(names.into_iter().map(|(name, found)| (name, found.layers)).collect())
}

fn is_whiteout(found: &fs::Metadata) -> bool {
    found.file_type().is_char_device() && found.rdev() == 0
}

fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(directory, "user.overlay.opaque", &mut value)
        .is_ok_and(|length| length == 1 && value == *b"y")
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

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
}
