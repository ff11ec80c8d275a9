//! The files of the manager at one moment.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use protocol::api::backup::{Backup, BackupContent, BackupFile, LARGEST_INLINE};
use sha2::{Digest, Sha256};

use super::ROOTS;

/// How many bytes travel inside the list altogether.
const MOST_INLINE: u64 = 1 << 20;

/// All files, and where the contents are that are sent for themselves.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) backup: Backup,
    pub(super) sources: HashMap<String, PathBuf>,
    inline: u64,
}

/// The hashes of files that were read before. Files are replaced, never written again: one with the
/// same stamp has the same content.
#[derive(Debug, Default)]
pub(super) struct Hashes(HashMap<PathBuf, (Stamp, String)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Snapshot {
    pub(super) fn take(cache: &Path, hashes: &mut Hashes) -> io::Result<Self> {
        let mut snapshot = Self::default();
        for root in ROOTS {
            snapshot.walk(cache, Path::new(root), hashes)?;
        }
        hashes.0.retain(|path, _| path.exists());
        Ok(snapshot)
    }

    /// From the last name to the first: `versions.json` before the archives it names, git's `refs`
    /// before its `objects`. What comes meanwhile is then more than is needed, and never less.
    fn walk(&mut self, cache: &Path, below: &Path, hashes: &mut Hashes) -> io::Result<()> {
        let mut names = match fs::read_dir(cache.join(below)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?.flatten().map(|entry| entry.file_name()).collect::<Vec<_>>(),
        };
        names.sort_unstable();
        for name in names.into_iter().rev() {
            let Some(name) = name.to_str().filter(|name| !is_temporary(name)) else { continue };
            let path = below.join(name);
            match fs::symlink_metadata(cache.join(&path)) {
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(metadata) if metadata.is_dir() => self.walk(cache, &path, hashes)?,
                Ok(metadata) if metadata.is_file() => self.add(cache, &path, &metadata, hashes)?,
                Ok(_) => {}
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        cache: &Path,
        path: &Path,
        metadata: &fs::Metadata,
        hashes: &mut Hashes,
    ) -> io::Result<()> {
        let source = cache.join(path);
        let may_be_inline = metadata.len() <= LARGEST_INLINE && self.inline < MOST_INLINE;
        let content = match content(&source, metadata, may_be_inline, hashes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            content => content?,
        };
        match &content {
            BackupContent::Stored { sha256, .. } => {
                self.sources.insert(sha256.clone(), source);
            }
            BackupContent::Inline { text } => self.inline += text.len() as u64,
        }
        let path = path.to_str().ok_or_else(|| io::Error::other("a name is no text"))?.to_owned();
        let mode = metadata.permissions().mode() & 0o777;
        self.backup.files.push(BackupFile { path, mode, content });
        Ok(())
    }
}

/// What somebody still writes, here or in git's directory.
fn is_temporary(name: &str) -> bool {
    name.starts_with('.') || name.starts_with("tmp_") || name.ends_with(".lock")
}

fn content(
    path: &Path,
    metadata: &fs::Metadata,
    may_be_inline: bool,
    hashes: &mut Hashes,
) -> io::Result<BackupContent> {
    let size = metadata.len();
    if may_be_inline && let Ok(text) = String::from_utf8(fs::read(path)?) {
        return Ok(BackupContent::Inline { text });
    }
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    let stamp = Stamp { inode: metadata.ino(), size, modified };
    if let Some((known, sha256)) = hashes.0.get(path)
        && *known == stamp
    {
        return Ok(BackupContent::Stored { sha256: sha256.clone(), size });
    }
    let mut hash = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let sha256 = hex(&hash.finalize());
    hashes.0.insert(path.to_owned(), (stamp, sha256.clone()));
    Ok(BackupContent::Stored { sha256, size })
}

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_texts_travel_inside_and_others_by_their_hash() {
        let cache = tempfile::tempdir().unwrap();
        let code = cache.path().join("code/7");
        fs::create_dir_all(&code).unwrap();
        fs::write(code.join("code-a"), vec![b'x'; 5000]).unwrap();
        fs::write(code.join("versions.json"), "{}").unwrap();
        fs::write(code.join(".upload-x"), "half").unwrap();
        fs::write(code.join("tiny"), [0xff, 0xfe]).unwrap();
        fs::write(cache.path().join("key.pem"), "secret").unwrap();
        let mut hashes = Hashes::default();
        let snapshot = Snapshot::take(cache.path(), &mut hashes).unwrap();
        let paths: Vec<_> = snapshot.backup.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["code/7/versions.json", "code/7/tiny", "code/7/code-a"]);
        assert_eq!(
            snapshot.backup.files[0].content,
            BackupContent::Inline { text: "{}".to_owned() }
        );
        assert_eq!(snapshot.sources.len(), 2);
        let again = Snapshot::take(cache.path(), &mut hashes).unwrap();
        assert_eq!(again.backup, snapshot.backup);
        protocol::files::write(
            &code.join("code-a"),
            &[b'y'; 5000],
            protocol::files::Access::Public,
        )
        .unwrap();
        let changed = Snapshot::take(cache.path(), &mut hashes).unwrap();
        assert_ne!(changed.backup, snapshot.backup);
        for number in 0..300 {
            fs::write(code.join(format!("text-{number}")), format!("{number:04000}")).unwrap();
        }
        let many = Snapshot::take(cache.path(), &mut hashes).unwrap();
        assert_eq!(
            (many.backup.files.len(), many.sources.len() > 30),
            (303, true),
            "lists stay short"
        );
    }
}
