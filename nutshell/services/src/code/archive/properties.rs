//! Whatever an archive says, nothing is written outside, and nothing that is no file or link inside.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::tests::{add, bzip2, good_tar, good_zip, gzip, tar_of};
use super::*;

const KINDS: [EntryType; 6] = [
    EntryType::Regular,
    EntryType::Directory,
    EntryType::Symlink,
    EntryType::Link,
    EntryType::Fifo,
    EntryType::Char,
];

/// Few names, so that entries meet; all ways to write a path that may lead elsewhere.
fn path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "..", ".", "", "c"]);
    (any::<bool>(), prop::collection::vec(part, 1..5)).prop_map(|(rooted, parts)| {
        let root = if rooted && parts.len() > 3 { "/" } else { "" };
        format!("{root}{}", parts.join("/"))
    })
}

fn entry() -> impl Strategy<Value = (String, EntryType, String)> {
    // Mostly files, so that many archives are accepted.
    let kind =
        prop_oneof![4 => Just(0usize), 2 => Just(1), 3 => Just(2), 2 => Just(3), 1 => 4..6usize];
    (path(), kind, path()).prop_map(|(path, kind, target)| (path, KINDS[kind], target))
}

fn names(directory: &Path) -> BTreeSet<std::ffi::OsString> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

/// Every link of the tree leads inside, and there is nothing but files, directories and links.
fn assert_tame(root: &Path, directory: &Path) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            if let Ok(target) = fs::canonicalize(entry.path()) {
                assert!(target.starts_with(root), "{:?} leads to {target:?}", entry.path());
            }
        } else if kind.is_dir() {
            assert_tame(root, &entry.path());
        } else {
            assert!(kind.is_file(), "{:?} is no file", entry.path());
        }
    }
}

fn try_out(content: &[u8]) {
    let world = tempfile::tempdir().unwrap();
    let world = fs::canonicalize(world.path()).map(|path| (path, world)).unwrap();
    let (file, into) = (world.0.join("archive"), world.0.join("into"));
    fs::write(&file, content).unwrap();
    fs::create_dir(&into).unwrap();
    if let Ok(contents) = check(&file, Limits { entries: 100, bytes: 1 << 20 }) {
        // An entry may stand in the way of another: that is no reason to leave the directory.
        let _ = unpack(&file, &contents, &into);
    }
    assert_eq!(names(&world.0), BTreeSet::from(["archive".into(), "into".into()]));
    assert_eq!(fs::read(&file).unwrap(), content);
    assert_tame(&into, &into);
}

proptest! {
    #[test]
    fn no_archive_reaches_outside(entries in prop::collection::vec(entry(), 1..12)) {
        try_out(&tar_of(|builder| {
            for (path, kind, target) in &entries {
                add(builder, path, *kind, target.as_bytes());
            }
        }));
    }

    #[test]
    fn no_wrapped_archive_reaches_outside(entries in prop::collection::vec(entry(), 1..8)) {
        try_out(&gzip(&tar_of(|builder| {
            for (path, kind, target) in &entries {
                let target = if *kind == EntryType::Link { format!("w/{target}") } else { target.clone() };
                add(builder, &format!("w/{path}"), *kind, target.as_bytes());
            }
        })));
    }

    #[test]
    fn altered_archives_are_refused_or_tame(
        form in 0..4usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        length in any::<prop::sample::Index>(),
    ) {
        let mut content =
            vec![good_tar(), gzip(&good_tar()), bzip2(&good_tar()), good_zip()].swap_remove(form);
        for (index, byte) in changes {
            let index = index.index(content.len());
            content[index] = byte;
        }
        content.truncate(length.index(content.len()) + 1);
        try_out(&content);
    }

    #[test]
    fn any_bytes_are_refused_or_tame(content in prop::collection::vec(any::<u8>(), 0..2000)) {
        try_out(&content);
    }
}
