//! Steps that are done once: each knows what it was made of, and is skipped while that has not changed.
//!
//! A product appears under its name when it is whole, and its stamp, a digest of all that went into it, after
//! that. So a build that was interrupted, however that came, goes on with the step that it was in.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::scratch::{self, remove, unfinished};
use crate::{Error, manifest};

/// Where a build keeps its products.
#[derive(Debug)]
pub(super) struct Workshop {
    directory: PathBuf,
    _lock: File,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its name.
    pub name: &'static str,
    /// How long it took; `None` when all was there from an earlier build.
    pub took: Option<Duration>,
}

/// Who is told of each step, when it begins and when it is done.
pub trait Observer {
    /// It begins.
    fn begins(&mut self, name: &'static str);
    /// It is done.
    fn done(&mut self, done: &Done);
}

/// What goes into a product, as one digest.
#[derive(Debug, Clone, Default)]
pub(super) struct Ingredients(Sha256);

impl Ingredients {
    /// Also this, whatever it is; its length keeps it apart from the next.
    #[must_use]
    pub(super) fn and(mut self, what: impl AsRef<[u8]>) -> Self {
        let bytes = what.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Also the content of this file, or of all files below this directory.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn and_files(mut self, path: &Path) -> Result<Self, Error> {
        let mut files = vec![];
        collect(path, &mut files).map_err(Error::file("read", path))?;
        files.sort();
        for file in files {
            let content = File::open(&file).and_then(manifest::digest);
            let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
            self = self.and(name).and(content.map_err(Error::file("read", &file))?);
        }
        Ok(self)
    }

    /// Also the product of an earlier step: what it was made of.
    ///
    /// # Errors
    /// When that is not known.
    pub(super) fn and_product(self, product: &Path) -> Result<Self, Error> {
        let stamp = stamp_of(product);
        let made_of = fs::read(&stamp).map_err(Error::file("read", &stamp))?;
        Ok(self.and(made_of))
    }

    /// What tells products apart.
    pub(super) fn digest(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

impl Workshop {
    /// A workshop in this directory, made when it is missing.
    ///
    /// # Errors
    /// When it cannot be made, or another build is at work there.
    pub(super) fn open(directory: &Path) -> Result<Self, Error> {
        let made = fs::create_dir_all(directory).and_then(|()| directory.canonicalize());
        let directory = made.map_err(Error::file("make the directory", directory))?;
        let lock = scratch::lock(&directory)?;
        Ok(Self { directory, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub(super) fn path(&self) -> &Path {
        &self.directory
    }

    /// Where a step's programs say what they say.
    #[must_use]
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.log"))
    }

    /// Makes a product, unless it was made of the same ingredients before; `make` is given the place to make it at.
    ///
    /// # Errors
    /// Those of `make`; then nothing of it is left but the log.
    pub(super) fn step(
        &self,
        name: &'static str,
        product: &str,
        ingredients: Ingredients,
        observer: &mut dyn Observer,
        make: impl FnOnce(&Path) -> Result<(), Error>,
    ) -> Result<PathBuf, Error> {
        let place = self.directory.join(product);
        let stamp = stamp_of(&place);
        let digest = ingredients.digest();
        observer.begins(name);
        if place.exists() && fs::read_to_string(&stamp).is_ok_and(|made_of| made_of == digest) {
            observer.done(&Done { name, took: None });
            return Ok(place);
        }
        let begun = Instant::now();
        let unfinished = unfinished(&place);
        for old in [&stamp, &place, &unfinished] {
            remove(old).map_err(Error::file("remove", old))?;
        }
        if let Err(error) = make(&unfinished) {
            // It is in the way of nothing but the space on the disk.
            let _ = remove(&unfinished);
            return Err(error);
        }
        let kept = fs::rename(&unfinished, &place).and_then(|()| fs::write(&stamp, digest));
        kept.map_err(Error::file("keep", &place))?;
        observer.done(&Done { name, took: Some(begun.elapsed()) });
        Ok(place)
    }
}

/// Where it stands what a product was made of.
fn stamp_of(product: &Path) -> PathBuf {
    let mut name = product.as_os_str().to_owned();
    name.push(".made-of");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Vec<(&'static str, bool)>);

    impl Observer for Heard {
        fn begins(&mut self, _: &'static str) {}

        fn done(&mut self, done: &Done) {
            self.0.push((done.name, done.took.is_some()));
        }
    }

    #[test]
    fn a_product_is_made_once_and_again_when_its_ingredients_change() {
        let place = tempfile::tempdir().unwrap();
        let workshop = Workshop::open(&place.path().join("work")).unwrap();
        let mut heard = Heard::default();
        let mut make = |ingredient: &str| {
            let ingredients = Ingredients::default().and(ingredient);
            let product = workshop.step("disk", "disk.raw", ingredients, &mut heard, |path| {
                fs::write(path, ingredient).map_err(Error::file("write", path))
            });
            fs::read_to_string(product.unwrap()).unwrap()
        };
        assert_eq!([make("a"), make("a"), make("b")], ["a", "a", "b"]);
        assert_eq!(heard.0, [("disk", true), ("disk", false), ("disk", true)]);
    }

    #[test]
    fn what_failed_or_was_cut_short_is_made_anew() {
        let place = tempfile::tempdir().unwrap();
        let workshop = Workshop::open(place.path()).unwrap();
        let refuse = |path: &Path| {
            fs::create_dir(path).unwrap();
            Err(Error::Refused("no".to_owned()))
        };
        let mut heard = Heard::default();
        let step = |heard: &mut Heard, make: &dyn Fn(&Path) -> Result<(), Error>| {
            workshop.step("disk", "disk", Ingredients::default(), heard, make)
        };
        step(&mut heard, &refuse).unwrap_err();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
        // As a killed build leaves it: half a product, or a whole one without a stamp.
        fs::write(place.path().join("disk.unfinished"), "half").unwrap();
        fs::write(place.path().join("disk"), "old").unwrap();
        let write = |path: &Path| fs::write(path, "new").map_err(Error::file("write", path));
        let product = step(&mut heard, &write).unwrap();
        assert_eq!(fs::read_to_string(product).unwrap(), "new");
        assert_eq!(heard.0, [("disk", true)]);
    }

    #[test]
    fn ingredients_are_told_apart_by_where_they_end_and_what_they_are_called() {
        let of = |parts: &[&str]| {
            parts.iter().fold(Ingredients::default(), |all, part| all.and(part)).digest()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        let place = tempfile::tempdir().unwrap();
        let digest = || Ingredients::default().and_files(place.path()).unwrap().digest();
        fs::write(place.path().join("a"), "x").unwrap();
        let before = digest();
        fs::rename(place.path().join("a"), place.path().join("b")).unwrap();
        assert_ne!(digest(), before);
    }
}
