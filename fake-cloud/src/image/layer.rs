//! What one directory tree changes of another, as an archive: a layer of the format of OCI images,
//! with files that stand for what is removed.
//!
//! In the layer of an overlay a device with the number 0 says that a name is removed, and an
//! attribute that a directory hides what is below it.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// What begins the name of a file that stands for a removed one.
const REMOVED: &str = ".wh.";

/// The file that says that its directory hides what is below it.
const OPAQUE: &str = ".wh..wh..opq";

/// The attribute by which an overlay without privileges says the same.
pub(super) const OPAQUE_ATTRIBUTE: &str = "user.overlay.opaque";

/// What a file in an archive stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// The file of this name is removed.
    Removed(&'a OsStr),
    /// The directory hides what is below it.
    Opaque,
}

impl<'a> Mark<'a> {
    pub(super) fn of(name: &'a OsStr) -> Option<Self> {
        if name == OPAQUE {
            return Some(Self::Opaque);
        }
        let removed = name.as_bytes().strip_prefix(REMOVED.as_bytes())?;
        Some(Self::Removed(OsStr::from_bytes(removed)))
    }

    /// The name of the file that stands for it.
    pub(super) fn name(&self) -> OsString {
        match self {
            Self::Opaque => OPAQUE.into(),
            Self::Removed(name) => {
                let mut mark = OsString::from(REMOVED);
                mark.push(name);
                mark
            }
        }
    }
}

/// Whether an overlay's layer has this file to say that its name is removed.
pub(crate) fn is_removed(found: &Metadata) -> bool {
    found.file_type().is_char_device() && found.rdev() == 0
}

/// Whether a directory of an overlay's layer hides what is below it.
pub(crate) fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(directory, OPAQUE_ATTRIBUTE, &mut value)
        .is_ok_and(|length| length == 1 && value == *b"y")
}

/// Refuses a name that would be taken for something else.
pub(super) fn check_name(path: &Path) -> io::Result<()> {
    match path.file_name().and_then(Mark::of) {
        None => Ok(()),
        Some(_) => Err(io::Error::other(format!(
            "/{} cannot be in an image: its name stands for a removed file",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_known_by_their_names() {
        for mark in [Mark::Opaque, Mark::Removed("gone".as_ref())] {
            assert_eq!(Mark::of(&mark.name()), Some(mark));
        }
        assert_eq!(Mark::of(".whale".as_ref()), None);
        assert!(check_name(Path::new("a/.wh.b")).is_err());
        assert!(check_name(Path::new("a/b")).is_ok());
    }
}
