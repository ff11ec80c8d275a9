//! What a server's disk takes of this machine's.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// The size of a block that the kernel counts by.
const BLOCK: u64 = 512;

/// What these directories take, in bytes, without what is mounted there; nothing when none is there.
/// What comes or goes meanwhile may count or not.
pub(super) fn taken(directories: &[PathBuf]) -> Option<u64> {
    let there = directories.iter().filter(|path| path.exists());
    let mut pending: Vec<_> = there.cloned().collect();
    let device = pending.first()?.symlink_metadata().ok()?.dev();
    let (mut blocks, mut linked) = (0, HashSet::new());
    while let Some(path) = pending.pop() {
        let Ok(found) = path.symlink_metadata() else { continue };
        let is_new = found.is_dir() || found.nlink() == 1 || linked.insert(found.ino());
        if found.dev() != device || !is_new {
            continue;
        }
        blocks += found.blocks();
        if found.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            pending.extend(entries.map(|entry| entry.path()));
        }
    }
    Some(blocks * BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_counts_once_and_by_what_it_takes() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        assert_eq!(taken(&[path("none")]), None);
        fs::create_dir(path("disk")).unwrap();
        fs::write(path("disk/file"), vec![1; 1 << 20]).unwrap();
        let one = taken(&[path("disk"), path("none")]).unwrap();
        assert!((1 << 20..2 << 20).contains(&one), "{one}");
        fs::hard_link(path("disk/file"), path("disk/again")).unwrap();
        fs::File::create(path("disk/sparse")).unwrap().set_len(1 << 30).unwrap();
        assert!(taken(&[path("disk")]).unwrap() - one < 1 << 16);
    }
}
