//! Where images are kept on this machine.
//!
//! ```text
//!  <store>/names/<name>.json  an image: which tree it is, and where that came from
//!          trees/<hash>/root  the root file system; never changed, named by its content
//!          trees/<hash>/owners.json
//!          unfinished/        what is being made or removed; what a killed process left there
//!                             goes at the next opening
//!          lock               held while the above changes
//! ```
//!
//! Everything is for its owner only: a tree has programs with its owner's powers.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::recipe::check_name;
use super::unpack::{Limits, unpack};
use super::{Error, pack};
use crate::guest::directory::remove_tree;

/// A directory with images.
#[derive(Debug, Clone)]
pub struct Store(PathBuf);

/// What is known of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The name that it is offered by.
    pub name: String,
    /// The SHA-256 of its archive.
    pub tree: String,
    /// What the system calls itself.
    pub system: String,
    /// The processor it is for.
    pub architecture: String,
    /// Bytes of all files together.
    pub size: u64,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub made: OffsetDateTime,
    /// Equal for images of the same recipe; imported ones have none.
    pub recipe: Option<String>,
}

impl Store {
    /// Where an ordinary user's images are by custom: below `$XDG_CACHE_HOME`, or `~/.cache`.
    pub fn default_path() -> PathBuf {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || PathBuf::from(variable("HOME").unwrap_or_else(|| "/root".into()));
        cache.unwrap_or_else(|| home().join(".cache")).join("fake-cloud/images")
    }

    /// Opens a store, or makes it, and removes what was left unfinished there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = || {
            let store = Self(std::path::absolute(path)?);
            store.tidy().map(|()| store)
        };
        open().map_err(Error::step(format!("open the image store {}", path.display())))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All images, by name.
    pub fn list(&self) -> Result<Vec<Manifest>, Error> {
        let list = || -> io::Result<Vec<Manifest>> {
            let mut manifests = vec![];
            for entry in fs::read_dir(self.0.join("names"))? {
                let path = entry?.path();
                if path.extension().is_some_and(|extension| extension == "json") {
                    manifests.push(serde_json::from_slice(&fs::read(path)?)?);
                }
            }
            Ok(manifests)
        };
        let mut manifests = list().map_err(Error::step("list the images"))?;
        manifests.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(manifests)
    }

    /// The image of a name.
    pub fn get(&self, name: &str) -> Result<Manifest, Error> {
        check_name(name)?;
        match fs::read(self.manifest(name)) {
            Ok(text) => {
                let read = serde_json::from_slice(&text).map_err(io::Error::from);
                read.map_err(Error::step(format!("read about the image {name}")))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::NoSuchImage { name: name.to_owned(), store: self.0.clone() })
            }
            Err(error) => Err(Error::step(format!("read about the image {name}"))(error)),
        }
    }

    /// The root directory of an image.
    pub fn root(&self, image: &Manifest) -> PathBuf {
        self.tree(&image.tree).join("root")
    }

    /// Keeps the root file system in an archive as the image of this name, instead of an earlier
    /// one. Wholly, or not at all.
    pub fn import(
        &self,
        name: &str,
        archive: impl Read,
        recipe: Option<String>,
    ) -> Result<Manifest, Error> {
        check_name(name)?;
        let failed = || Error::step(format!("keep the image {name}"));
        let unfinished = self.begin().map_err(failed())?;
        let root = unfinished.path.join("root");
        let unpacked = unpack(archive, &root, Limits::default())?;
        let manifest = Manifest {
            name: name.to_owned(),
            system: system(&root).unwrap_or_else(|| "unknown".to_owned()),
            tree: unpacked.sha256,
            architecture: std::env::consts::ARCH.to_owned(),
            size: unpacked.bytes,
            made: OffsetDateTime::now_utc(),
            recipe,
        };
        self.finish(&unfinished, &manifest).map_err(failed())?;
        Ok(manifest)
    }

    /// Writes the archive of an image.
    pub fn export(&self, name: &str, archive: impl io::Write) -> Result<(), Error> {
        let manifest = self.get(name)?;
        pack::pack(&self.root(&manifest), archive)
            .map_err(Error::step(format!("export the image {name}")))
    }

    /// Removes an image, and its tree when no other image has it. One that a running cloud offers
    /// stays.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let manifest = self.get(name)?;
        let failed = || Error::step(format!("remove the image {name}"));
        let _lock = self.lock().map_err(failed())?;
        if !self.is_free(&manifest.tree).map_err(failed())? {
            return Err(Error::InUse { name: name.to_owned() });
        }
        fs::remove_file(self.manifest(name)).map_err(failed())?;
        self.remove_unnamed().map_err(failed())
    }

    /// Removes trees that no image has any more, because it was built or imported again; servers
    /// that were made of them can no longer start.
    pub fn prune(&self) -> Result<(), Error> {
        let prune = || {
            let _lock = self.lock()?;
            self.remove_unnamed()
        };
        prune().map_err(Error::step("remove what no image needs"))
    }

    /// Keeps others from removing the image for as long as the file is open.
    pub fn hold(&self, image: &Manifest) -> Result<File, Error> {
        let hold = || -> io::Result<File> {
            let directory = File::open(self.tree(&image.tree))?;
            directory.lock_shared()?;
            Ok(directory)
        };
        hold().map_err(Error::step(format!("hold the image {}", image.name)))
    }

    /// Keeps others from building the image for as long as the file is open; waits for those who
    /// do.
    pub(super) fn claim(&self, name: &str) -> Result<File, Error> {
        let claim = || -> io::Result<File> {
            let file = File::create(self.0.join("names").join(format!("{name}.lock")))?;
            file.lock()?;
            Ok(file)
        };
        claim().map_err(Error::step(format!("wait for others who build {name}")))
    }

    /// A place for something that is made outside of the store first.
    pub(super) fn scratch(&self) -> Result<Unfinished, Error> {
        self.begin().map_err(Error::step("use the image store"))
    }

    fn manifest(&self, name: &str) -> PathBuf {
        self.0.join("names").join(format!("{name}.json"))
    }

    fn tree(&self, hash: &str) -> PathBuf {
        self.0.join("trees").join(hash)
    }

    fn lock(&self) -> io::Result<File> {
        let lock = File::create(self.0.join("lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn tidy(&self) -> io::Result<()> {
        for inner in ["names", "trees", "unfinished"] {
            DirBuilder::new().recursive(true).mode(0o700).create(self.0.join(inner))?;
        }
        let _lock = self.lock()?;
        for entry in fs::read_dir(self.0.join("unfinished"))? {
            let path = entry?.path();
            // Whoever makes it holds a lock on it.
            if is_unlocked(&path)? {
                remove_tree(&path)?;
            }
        }
        Ok(())
    }

    fn begin(&self) -> io::Result<Unfinished> {
        let _lock = self.lock()?;
        let path = self.0.join("unfinished").join(Uuid::new_v4().to_string());
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = File::open(&path)?;
        lock.lock()?;
        Ok(Unfinished { path, _lock: lock })
    }

    fn finish(&self, unfinished: &Unfinished, manifest: &Manifest) -> io::Result<()> {
        let _lock = self.lock()?;
        let tree = self.tree(&manifest.tree);
        // What is there already is the same.
        if !tree.exists() {
            fs::rename(&unfinished.path, &tree)?;
        }
        let written = self.0.join("unfinished").join(format!("{}.json", Uuid::new_v4()));
        fs::write(&written, serde_json::to_vec_pretty(manifest)?)?;
        fs::rename(written, self.manifest(&manifest.name))
    }

    fn is_free(&self, tree: &str) -> io::Result<bool> {
        let path = self.tree(tree);
        Ok(!path.exists() || is_unlocked(&path)?)
    }

    fn remove_unnamed(&self) -> io::Result<()> {
        let named = self.list().map_err(io::Error::other)?;
        for entry in fs::read_dir(self.0.join("trees"))? {
            let entry = entry?;
            let tree = entry.file_name().to_string_lossy().into_owned();
            if named.iter().any(|image| image.tree == tree) || !self.is_free(&tree)? {
                continue;
            }
            let gone = self.0.join("unfinished").join(Uuid::new_v4().to_string());
            fs::rename(entry.path(), &gone)?;
            remove_tree(&gone)?;
        }
        Ok(())
    }
}

/// Something that is being made; removed when dropped, unless it was finished.
#[derive(Debug)]
pub(super) struct Unfinished {
    path: PathBuf,
    _lock: File,
}

impl Unfinished {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Finished: it is elsewhere. Not removed now: the next opening does it.
        let _ = remove_tree(&self.path);
    }
}

fn is_unlocked(path: &Path) -> io::Result<bool> {
    match File::open(path)?.try_lock() {
        Ok(()) => Ok(true),
        Err(fs::TryLockError::WouldBlock) => Ok(false),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// What the system in a tree calls itself.
fn system(root: &Path) -> Option<String> {
    let candidates = ["usr/lib/os-release", "etc/os-release"].map(|path| root.join(path));
    // Not a link: that could lead out of the tree.
    let file = candidates.into_iter().find(|path| {
        path.symlink_metadata().is_ok_and(|found| found.is_file() && found.size() < 1 << 16)
    })?;
    let text = fs::read_to_string(file).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of a root file system with this text in it.
    fn archive(text: &str) -> Vec<u8> {
        let mut archive = tar::Builder::new(vec![]);
        for (path, content) in [
            ("bin/sh", "#!"),
            ("usr/lib/os-release", "ID=x\nPRETTY_NAME=\"Tiny 1\"\n"),
            ("text", text),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o755);
            header.set_size(content.len() as u64);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            archive.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("images")).unwrap();
        (directory, store)
    }

    fn trees(store: &Store) -> usize {
        fs::read_dir(store.path().join("trees")).unwrap().count()
    }

    #[test]
    fn images_come_and_go() {
        let (_directory, store) = store();
        assert!(matches!(store.get("tiny"), Err(Error::NoSuchImage { .. })));
        let made = store.import("tiny", &archive("one")[..], None).unwrap();
        assert_eq!((made.system.as_str(), store.get("tiny").unwrap()), ("Tiny 1", made.clone()));
        assert_eq!(fs::read_to_string(store.root(&made).join("text")).unwrap(), "one");

        let mut exported = vec![];
        store.export("tiny", &mut exported).unwrap();
        store.import("copy", &exported[..], None).unwrap();
        let names: Vec<_> = store.list().unwrap().into_iter().map(|image| image.name).collect();
        assert_eq!(names, ["copy", "tiny"]);
        store.remove("tiny").unwrap();
        store.remove("copy").unwrap();
        assert_eq!((store.list().unwrap(), trees(&store)), (vec![], 0));
    }

    #[test]
    fn a_replaced_tree_stays_until_it_is_pruned_and_one_in_use_stays_then_too() {
        let (_directory, store) = store();
        let old = store.import("tiny", &archive("old")[..], None).unwrap();
        let held = store.hold(&old).unwrap();
        assert!(matches!(store.remove("tiny"), Err(Error::InUse { .. })));
        store.import("tiny", &archive("new")[..], None).unwrap();
        store.import("other", &archive("new")[..], None).unwrap();
        assert_eq!(trees(&store), 2);
        store.prune().unwrap();
        assert_eq!(trees(&store), 2);
        drop(held);
        store.prune().unwrap();
        assert_eq!(trees(&store), 1);
        store.remove("other").unwrap();
        assert_eq!(trees(&store), 1, "tiny has the same tree");
    }

    #[test]
    fn roots_are_absolute_wherever_the_store_is() {
        let directory = tempfile::tempdir_in(".").unwrap();
        let relative = Path::new(directory.path().file_name().unwrap());
        let store = Store::open(relative).unwrap();
        let image = store.import("tiny", &archive("x")[..], None).unwrap();
        assert!(store.root(&image).is_absolute());
    }

    #[test]
    fn what_is_left_unfinished_does_not_count_and_goes() {
        let (_directory, store) = store();
        let count = || fs::read_dir(store.path().join("unfinished")).unwrap().count();
        let cut = &archive("x")[..700];
        assert!(matches!(store.import("tiny", cut, None), Err(Error::Unpack(_))));
        assert!(store.list().unwrap().is_empty() && count() == 0);

        let running = store.begin().unwrap();
        fs::create_dir(store.path().join("unfinished/left")).unwrap();
        Store::open(store.path()).unwrap();
        assert!(running.path.exists() && count() == 1);
    }
}
