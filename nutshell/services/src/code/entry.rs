//! Which entries of an archive are safe to unpack. Decisions only.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link to this.
    Symlink(PathBuf),
    /// Another name of an earlier file of the archive.
    HardLink(PathBuf),
    /// A device, a pipe: nothing that code consists of.
    Special,
}

/// Why an entry is refused; a sentence that begins with the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Its path is absolute or climbs out.
    LeadsOutside,
    /// It is a link to something outside.
    LinksOutside,
    /// Its path goes through a link, or a file, of the archive.
    ThroughLink,
    /// A device or a pipe.
    Special,
}

impl Refusal {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::LeadsOutside => "leads out of the archive's own directory",
            Self::LinksOutside => "is a link that leads out of the archive's own directory",
            Self::ThroughLink => "lies below a link or a file of the archive",
            Self::Special => "is a device or a pipe",
        }
    }
}

/// Looks at the entries of one archive in their order.
#[derive(Debug, Default)]
pub(super) struct Rules {
    links: HashSet<PathBuf>,
    files: HashSet<PathBuf>,
}

impl Rules {
    /// The path to unpack the entry at; `None` for the directory itself.
    pub(super) fn admit(&mut self, path: &Path, kind: &Kind) -> Result<Option<PathBuf>, Refusal> {
        let path = inside(path).ok_or(Refusal::LeadsOutside)?;
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        let below = |parent: &Path| self.links.contains(parent) || self.files.contains(parent);
        if path.ancestors().skip(1).any(below) {
            return Err(Refusal::ThroughLink);
        }
        match kind {
            Kind::Special => return Err(Refusal::Special),
            Kind::Directory => {
                if self.links.contains(&path) || self.files.contains(&path) {
                    return Err(Refusal::ThroughLink);
                }
            }
            Kind::File => {
                self.links.remove(&path);
                self.files.insert(path.clone());
            }
            Kind::Symlink(target) => {
                if !stays_inside(&path, target) {
                    return Err(Refusal::LinksOutside);
                }
                self.files.remove(&path);
                self.links.insert(path.clone());
            }
            Kind::HardLink(target) => {
                let target = inside(target).ok_or(Refusal::LinksOutside)?;
                if !self.files.contains(&target) {
                    return Err(Refusal::LinksOutside);
                }
                self.links.remove(&path);
                self.files.insert(path.clone());
            }
        }
        Ok(Some(path))
    }
}

/// The path without `.`, when it neither begins at the root nor climbs.
pub(super) fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}

/// Whether a link's target lies inside. It may climb at its beginning, where the directories are
/// real ones; a `..` behind a name could leave through another link.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count() - 1;
    let mut named = false;
    for component in target.components() {
        match component {
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::ParentDir if named || depth == 0 => return false,
            Component::ParentDir => depth -= 1,
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(rules: &mut Rules, path: &str, kind: Kind) -> Result<Option<PathBuf>, Refusal> {
        rules.admit(Path::new(path), &kind)
    }

    fn link(target: &str) -> Kind {
        Kind::Symlink(target.into())
    }

    #[test]
    fn ordinary_entries_are_admitted() {
        let mut rules = Rules::default();
        assert_eq!(admit(&mut rules, "./", Kind::Directory), Ok(None));
        assert_eq!(admit(&mut rules, "./init.sh", Kind::File), Ok(Some("init.sh".into())));
        assert_eq!(admit(&mut rules, "lib/", Kind::Directory), Ok(Some("lib".into())));
        assert_eq!(admit(&mut rules, "lib/a", link("../init.sh")), Ok(Some("lib/a".into())));
        let hard = Kind::HardLink("./init.sh".into());
        assert_eq!(admit(&mut rules, "b", hard), Ok(Some("b".into())));
    }

    #[test]
    fn paths_and_links_that_lead_outside_are_refused() {
        for path in ["/etc/passwd", "../x", "a/../../x", "a/.."] {
            assert_eq!(
                admit(&mut Rules::default(), path, Kind::File),
                Err(Refusal::LeadsOutside),
                "{path}"
            );
        }
        for (path, target) in
            [("a", "/etc"), ("a", ".."), ("d/a", "../.."), ("a", "b/.."), ("d/a", "../b/../..")]
        {
            assert_eq!(
                admit(&mut Rules::default(), path, link(target)),
                Err(Refusal::LinksOutside),
                "{path} → {target}"
            );
        }
        for target in ["/etc/passwd", "../x", "not-in-the-archive"] {
            assert_eq!(
                admit(&mut Rules::default(), "a", Kind::HardLink(target.into())),
                Err(Refusal::LinksOutside)
            );
        }
        assert_eq!(admit(&mut Rules::default(), "a", Kind::Special), Err(Refusal::Special));
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let mut rules = Rules::default();
        admit(&mut rules, "d", Kind::Directory).unwrap();
        admit(&mut rules, "l", link("d")).unwrap();
        assert_eq!(admit(&mut rules, "l/x", Kind::File), Err(Refusal::ThroughLink));
        assert_eq!(admit(&mut rules, "l", Kind::Directory), Err(Refusal::ThroughLink));
        let hard = Kind::HardLink("l".into());
        assert_eq!(admit(&mut rules, "h", hard), Err(Refusal::LinksOutside));
        assert_eq!(admit(&mut rules, "l", Kind::File), Ok(Some("l".into())));
    }
}
