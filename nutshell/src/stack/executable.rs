//! The executable that VMs run: kept with the stack, known by its hash.
//!
//! A build may replace the executable while the stack runs, so the stack keeps a hard link to its
//! own, where the file systems allow. VMs of an earlier build look for theirs under its hash; they
//! all boot with the stack, and find the present one there.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use director::Executable;
use protocol::files::{self, Access};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{StateDirectory, StateError};

/// How much of a hash names the executable in a VM; the director's user-data does the same.
const SHORT: usize = 16;

/// The executable of a stack.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The one that is kept, or the given one where it cannot be.
    pub executable: Executable,
    /// The hashes of those that earlier VMs began with.
    earlier: Vec<String>,
}

impl Kept {
    /// Where the executable is to be seen in VMs.
    pub fn paths_in_vm(&self) -> impl Iterator<Item = PathBuf> {
        let hashes = std::iter::once(&self.executable.sha256).chain(&self.earlier);
        hashes.map(|sha256| Path::new("/opt/nutshell").join(&sha256[..SHORT]).join("nutshell"))
    }
}

/// What is remembered of the executable that was given last.
#[derive(Default, Serialize, Deserialize)]
struct Memory {
    file: Option<FileIdentity>,
    sha256: String,
    #[serde(default)]
    earlier: Vec<String>,
}

/// What changes when a file is another one.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct FileIdentity {
    path: PathBuf,
    size: u64,
    modified: (i64, i64),
    device: u64,
    inode: u64,
}

/// Keeps the executable at `path`; hashes it unless that was done before.
///
/// # Errors
/// When it cannot be read, or not be kept.
pub fn keep(path: &Path, state: &StateDirectory) -> Result<Kept, StateError> {
    let memory_file = state.executable_file();
    let mut memory = std::fs::read(&memory_file)
        .ok()
        .and_then(|text| serde_json::from_slice::<Memory>(&text).ok())
        .filter(|memory| memory.sha256.len() == 64)
        .unwrap_or_default();
    let file = Some(identity(path).map_err(StateError::file(path))?);
    if memory.file != file {
        let sha256 = hash(path).map_err(StateError::file(path))?;
        let before = std::mem::replace(&mut memory.sha256, sha256);
        if !before.is_empty() {
            memory.earlier.push(before);
        }
        memory.file = file;
        memory.earlier.sort_unstable();
        memory.earlier.dedup();
        memory.earlier.retain(|sha256| *sha256 != memory.sha256 && sha256.len() == 64);
        let text = serde_json::to_vec(&memory)
            .map_err(|error| StateError::file(&memory_file)(error.into()))?;
        files::write(&memory_file, &text, Access::Public)
            .map_err(StateError::file(&memory_file))?;
    }
    let Memory { sha256, earlier, .. } = memory;
    let place = state.executables().join(&sha256[..SHORT]).join("nutshell");
    let linked = link(path, &place, &state.executables()).map_err(StateError::file(&place))?;
    let path = if linked { place } else { path.to_owned() };
    Ok(Kept { executable: Executable { path, sha256 }, earlier })
}

/// Links the executable at its place and removes all others: nothing runs now. Says whether that
/// could be: not on another file system, nor for somebody else's file. To copy it would cost more
/// than it is worth.
fn link(source: &Path, place: &Path, directory: &Path) -> io::Result<bool> {
    let inode = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    if inode(place).is_ok_and(|there| inode(source).is_ok_and(|wanted| there == wanted)) {
        return Ok(true);
    }
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o755).create(place.parent().unwrap_or(directory))?;
    Ok(std::fs::hard_link(source, place).is_ok())
}

fn identity(path: &Path) -> io::Result<FileIdentity> {
    let metadata = std::fs::metadata(path)?;
    Ok(FileIdentity {
        path: path.to_owned(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        device: metadata.dev(),
        inode: metadata.ino(),
    })
}

fn hash(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format!("{:x}", hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with a state and a program in it.
    fn world() -> (tempfile::TempDir, StateDirectory, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(&directory.path().join("state"));
        std::fs::create_dir(state.path()).unwrap();
        let program = directory.path().join("program");
        std::fs::write(&program, "abc").unwrap();
        (directory, state, program)
    }

    /// As builds do it: a new file in the place of the old one.
    fn rebuild(program: &Path, content: &str) {
        let new = program.with_extension("new");
        std::fs::write(&new, content).unwrap();
        std::fs::rename(new, program).unwrap();
    }

    #[test]
    fn the_hash_is_of_the_content_and_the_place_in_vms_follows() {
        let (_directory, state, program) = world();
        let kept = keep(&program, &state).unwrap();
        assert!(kept.executable.sha256.starts_with("ba7816bf8f01cfea"));
        let paths: Vec<PathBuf> = kept.paths_in_vm().collect();
        assert_eq!(paths, [Path::new("/opt/nutshell/ba7816bf8f01cfea/nutshell")]);
        assert_eq!(std::fs::read(&kept.executable.path).unwrap(), b"abc");
        let again = keep(&program, &state).unwrap();
        assert_eq!(again.executable.path, kept.executable.path);
    }

    #[test]
    fn a_build_does_not_touch_what_is_kept_and_the_next_start_replaces_it() {
        let (_directory, state, program) = world();
        let old = keep(&program, &state).unwrap();
        rebuild(&program, "abcd");
        assert_eq!(std::fs::read(&old.executable.path).unwrap(), b"abc");
        let new = keep(&program, &state).unwrap();
        assert_eq!(std::fs::read(&new.executable.path).unwrap(), b"abcd");
        assert!(!old.executable.path.exists());
        // VMs that began with the old one find the new one in its place.
        assert_eq!(new.paths_in_vm().count(), 2);
        assert_eq!(new.paths_in_vm().nth(1), old.paths_in_vm().next());
        rebuild(&program, "abc");
        let back = keep(&program, &state).unwrap();
        assert_eq!(back.executable.sha256, old.executable.sha256);
        assert_eq!(back.paths_in_vm().count(), 2);
    }

    #[test]
    fn what_a_crash_left_is_no_obstacle() {
        let (_directory, state, program) = world();
        std::fs::write(state.executable_file(), "{").unwrap();
        let kept = keep(&program, &state).unwrap();
        std::fs::remove_file(&kept.executable.path).unwrap();
        let again = keep(&program, &state).unwrap();
        assert_eq!(std::fs::read(&again.executable.path).unwrap(), b"abc");
    }
}
