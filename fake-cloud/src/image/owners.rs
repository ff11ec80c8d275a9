//! Owners and modes that an unpacked tree could not be given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Whose a file should be, and its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Number of the user.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// What differs between a tree and what was packed, by path below the root; every other file that
/// an ordinary user unpacked should be root's, with the mode it has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owners {
    /// Whether the tree has the owners of the archive: made by root.
    pub kept: bool,
    /// What differs.
    pub different: BTreeMap<PathBuf, Owner>,
}

impl Owners {
    /// Where the owners of a tree are written: beside its root directory.
    pub(crate) fn path(root: &Path) -> PathBuf {
        root.with_file_name("owners.json")
    }

    /// Those of a tree; a directory that we have not unpacked is as it is.
    pub fn of(root: &Path) -> std::io::Result<Self> {
        match std::fs::read(Self::path(root)) {
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { kept: true, different: BTreeMap::new() })
            }
            Err(error) => Err(error),
        }
    }

    /// Writes them beside the tree's root directory.
    pub(crate) fn write(&self, root: &Path) -> std::io::Result<()> {
        std::fs::write(Self::path(root), serde_json::to_vec(self)?)
    }

    /// What a file should have that has this owner and mode.
    pub fn restore(&self, path: &Path, found: Owner) -> Owner {
        match self.different.get(path) {
            Some(owner) => *owner,
            None if self.kept => found,
            None => Owner { uid: 0, gid: 0, ..found },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_ordinary_user_unpacked_is_roots_unless_noted() {
        let shadow = Owner { uid: 0, gid: 42, mode: 0o640 };
        let owners = Owners {
            kept: false,
            different: BTreeMap::from([(PathBuf::from("etc/shadow"), shadow)]),
        };
        let found = Owner { uid: 1000, gid: 1000, mode: 0o755 };
        assert_eq!(owners.restore(Path::new("etc/shadow"), found), shadow);
        let restored = owners.restore(Path::new("bin/sh"), found);
        assert_eq!(restored, Owner { uid: 0, gid: 0, mode: 0o755 });
        let kept = Owners { kept: true, ..Owners::default() };
        assert_eq!(kept.restore(Path::new("bin/sh"), found), found);
    }
}
