//! What lies at the top of an archive. Decisions only.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// What lies at the top of an archive, or of the one directory that all of it lies in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The one directory that everything lies in: it is not unpacked itself.
    pub wrapper: Option<PathBuf>,
    /// The names that are unpacked at the top, with whether each is a file.
    names: BTreeMap<OsString, bool>,
}

impl Contents {
    /// Whether a file of this name is unpacked at the top.
    #[must_use]
    pub fn has_file(&self, name: &str) -> bool {
        self.names.get(OsStr::new(name)).copied().unwrap_or(false)
    }

    /// Whether a directory of this name is unpacked at the top.
    #[must_use]
    pub fn has_directory(&self, name: &str) -> bool {
        self.names.get(OsStr::new(name)).is_some_and(|is_file| !is_file)
    }

    /// The files that are unpacked at the top and have this extension.
    #[must_use]
    pub fn files_of_form(&self, extension: &str) -> usize {
        let is_one = |(name, is_file): &(&OsString, &bool)| {
            **is_file && Path::new(name).extension() == Some(OsStr::new(extension))
        };
        self.names.iter().filter(is_one).count()
    }
}

/// Gathers the names of an archive, entry by entry.
#[derive(Debug, Default)]
pub(super) struct Tops {
    first: BTreeMap<OsString, bool>,
    second: BTreeMap<OsString, bool>,
}

impl Tops {
    /// An entry of the archive at this path, which stays inside.
    pub(super) fn note(&mut self, path: &Path, is_file: bool) {
        let mut names = path.components().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            _ => None,
        });
        let (first, second, third) = (names.next(), names.next(), names.next());
        let Some(first) = first else { return };
        self.first.insert(first, is_file && second.is_none());
        if let Some(second) = second {
            self.second.insert(second, is_file && third.is_none());
        }
    }

    /// What will lie at the top. Whoever packed a single directory meant what is in it.
    pub(super) fn contents(self) -> Contents {
        let mut entries = self.first.iter();
        match (entries.next(), entries.next()) {
            (Some((name, false)), None) if !self.second.is_empty() => {
                Contents { wrapper: Some(name.into()), names: self.second }
            }
            _ => Contents { wrapper: None, names: self.first },
        }
    }
}

/// The path as it is without the wrapper.
pub(super) fn unwrapped(path: &Path, wrapper: Option<&Path>) -> PathBuf {
    let Some(wrapper) = wrapper else { return path.to_owned() };
    let plain: PathBuf = path.components().filter(|one| *one != Component::CurDir).collect();
    plain.strip_prefix(wrapper).map(Path::to_owned).unwrap_or(plain)
}

/// The contents of an archive with these entries; each path with whether it is a file.
#[cfg(test)]
pub(crate) fn contents(entries: &[(&str, bool)]) -> Contents {
    let mut tops = Tops::default();
    entries.iter().for_each(|(path, is_file)| tops.note(Path::new(path), *is_file));
    tops.contents()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_directory_is_a_wrapper_and_nothing_else_is() {
        let flat = contents(&[("./", false), ("./run.sh", true), ("lib/data", true)]);
        assert_eq!(flat.wrapper, None);
        assert!(flat.has_file("run.sh") && !flat.has_file("lib") && !flat.has_file("data"));
        let wrapped = contents(&[("app/", false), ("app/run.sh", true), ("app/lib/data", true)]);
        assert_eq!(wrapped.wrapper.as_deref(), Some(Path::new("app")));
        assert!(wrapped.has_file("run.sh") && !wrapped.has_file("lib"));
        assert_eq!(contents(&[("run.sh", true)]).wrapper, None);
        assert_eq!(contents(&[("a/x", true), ("b/y", true)]).wrapper, None);
        let deep = contents(&[("a/b/run.sh", true)]);
        assert!(deep.wrapper.is_some() && !deep.has_file("run.sh"));
    }

    #[test]
    fn the_wrapper_is_taken_off_however_it_is_written() {
        let off = |path| unwrapped(Path::new(path), Some(Path::new("app")));
        assert_eq!(off("./app/run.sh"), Path::new("run.sh"));
        assert_eq!(off("app/"), Path::new(""));
        assert_eq!(off("application/x"), Path::new("application/x"));
        assert_eq!(unwrapped(Path::new("app/x"), None), Path::new("app/x"));
    }
}
