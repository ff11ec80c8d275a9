//! Archives as they should be, and as they should not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::*;
use crate::image::pack::pack;

/// An archive in the making.
struct Archive(tar::Builder<Vec<u8>>);

impl Archive {
    /// One with a shell.
    fn new() -> Self {
        Self(tar::Builder::new(vec![])).file("bin/sh", "#!", 0o755)
    }

    fn header(kind: EntryType, mode: u32) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_000_000);
        header.set_uid(0);
        header.set_gid(42);
        header.set_size(0);
        header
    }

    fn add(mut self, mut header: tar::Header, path: &str, content: &[u8]) -> Self {
        // Written raw: the library refuses the names that we want to see refused.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(content.len() as u64);
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    fn file(self, path: &str, content: &str, mode: u32) -> Self {
        self.add(Self::header(EntryType::Regular, mode), path, content.as_bytes())
    }

    fn link(self, kind: EntryType, path: &str, to: &str) -> Self {
        let mut header = Self::header(kind, 0o777);
        header.as_old_mut().linkname[..to.len()].copy_from_slice(to.as_bytes());
        self.add(header, path, b"")
    }

    fn directory(self, path: &str, mode: u32) -> Self {
        self.add(Self::header(EntryType::Directory, mode), path, b"")
    }

    fn unpack(self, root: &Path) -> Result<Unpacked, Error> {
        unpack(&self.0.into_inner().unwrap()[..], root, Limits::default())
    }
}

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("tree/root")
    }

    fn make(&self) -> PathBuf {
        fs::create_dir(self.directory.path().join("tree")).unwrap();
        self.root()
    }
}

#[test]
fn an_archive_becomes_a_tree_and_the_same_archive_again() {
    let (place, again) = (Place::new(), Place::new());
    let unpacked = Archive::new()
        .directory("var/lib/closed", 0o500)
        .file("var/lib/closed/file", "x", 0o640)
        .file("usr/bin/su", "su", 0o4755)
        .link(EntryType::Symlink, "etc/absolute", "/usr/bin/su")
        .link(EntryType::Link, "usr/bin/hard", "usr/bin/su")
        .add(Archive::header(EntryType::Char, 0o666), "dev/null", b"")
        .unpack(&place.make())
        .unwrap();
    let root = place.root();
    assert_eq!((unpacked.entries, unpacked.bytes), (7, 5));
    let found = root.join("usr/bin/su").metadata().unwrap();
    assert_eq!((found.mode() & 0o7777, found.nlink(), found.mtime()), (0o4755, 2, 1_000_000));
    assert_eq!(fs::read_link(root.join("etc/absolute")).unwrap(), Path::new("/usr/bin/su"));
    assert!(!root.join("dev/null").exists());

    let mut packed = vec![];
    pack(&root, &mut packed).unwrap();
    unpack(&packed[..], &again.make(), Limits::default()).unwrap();
    let mut repacked = vec![];
    pack(&again.root(), &mut repacked).unwrap();
    assert!(packed == repacked);
    let mut archive = tar::Archive::new(&packed[..]);
    let mut owners: Vec<_> = archive
        .entries()
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| (entry.path().unwrap().into_owned(), entry.header().gid().unwrap()))
        .collect();
    owners.retain(|(path, _)| path.ends_with("closed") || path.ends_with("file"));
    assert!(owners.len() == 2 && owners.iter().all(|(_, gid)| *gid == 42), "{owners:?}");
}

#[test]
fn nothing_is_written_outside_of_the_tree() {
    let place = Place::new();
    let outside = place.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("victim"), "mine").unwrap();
    let link = outside.to_str().unwrap();
    let relative = "../../outside";

    let root = place.make();
    let attempts = [
        Archive::new().file("../escaped", "x", 0o644),
        Archive::new().file("a/../../escaped", "x", 0o644),
        Archive::new().link(EntryType::Symlink, "d", link).file("d/escaped", "x", 0o644),
        Archive::new().link(EntryType::Symlink, "d", relative).file("d/escaped", "x", 0o644),
        Archive::new().link(EntryType::Link, "stolen", "../../outside/victim"),
        Archive::new().link(EntryType::Symlink, "d", link).link(
            EntryType::Link,
            "stolen",
            "d/victim",
        ),
    ];
    for attempt in attempts {
        assert!(attempt.unpack(&root).is_err());
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
        assert!(!place.directory.path().join("escaped").exists());
        assert!(!place.directory.path().join("tree/escaped").exists());
        assert!(!root.join("stolen").exists());
        fs::remove_dir_all(&root).unwrap();
    }

    // A file over a link to a file replaces the link, and an absolute name is one in the tree.
    let victim = format!("{link}/victim");
    let changed = Archive::new()
        .link(EntryType::Symlink, "f", &victim)
        .file("f", "other", 0o644)
        .link(EntryType::Symlink, "bin2", "/bin")
        .file("bin2/tool", "x", 0o755)
        .file("/etc/absolute", "x", 0o644);
    changed.unpack(&root).unwrap();
    assert_eq!(fs::read_to_string(outside.join("victim")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(root.join("f")).unwrap(), "other");
    assert!(root.join("bin/tool").exists() && root.join("etc/absolute").exists());
}

#[test]
fn what_is_no_system_or_too_large_or_broken_is_refused() {
    let place = Place::new();
    let root = place.make();
    let refused = |archive: &[u8], limits| {
        let error = unpack(archive, &root, limits).unwrap_err();
        fs::remove_dir_all(&root).unwrap();
        error
    };
    let generous = Limits::default();
    assert!(!is_archive(&b""[..]) && !is_archive(&[7; 2000][..]) && !is_archive(&b"\x1f\x8bx"[..]));
    assert!(matches!(refused(b"", generous), Error::NoSystem));
    assert!(matches!(refused(&[7; 2000], generous), Error::Archive(_)));
    let archive = Archive::new().file("big", &"x".repeat(3000), 0o644).0.into_inner().unwrap();
    assert!(matches!(refused(&archive[..2000], generous), Error::Write { .. } | Error::Archive(_)));
    assert!(is_archive(&archive[..]));
    let bytes = Limits { bytes: 2999, ..generous };
    assert!(matches!(refused(&archive, bytes), Error::TooLarge { .. }));
    let entries = Limits { entries: 1, ..generous };
    assert!(matches!(refused(&archive, entries), Error::TooLarge { .. }));
}

#[test]
fn later_entries_replace_earlier_ones() {
    let place = Place::new();
    Archive::new()
        .file("a", "file", 0o644)
        .directory("a", 0o755)
        .file("a/b", "1", 0o600)
        .file("a/b", "2", 0o644)
        .unpack(&place.make())
        .unwrap();
    let found = place.root().join("a/b");
    assert_eq!(fs::read_to_string(&found).unwrap(), "2");
    assert_eq!(found.metadata().unwrap().permissions().mode() & 0o777, 0o644);
}
