//! One nutshell a state directory: a lock that its holder's death releases, with the holder's id.
//!
//! Looking who has the lock takes it, too, for a moment. So that nobody takes that moment for a
//! nutshell that runs, there is a gate: a second lock, which is only ever held for moments.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use super::StateDirectory;
use crate::diagnostics::Advice;

/// Why the lock is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another one has it.
    #[error("a nutshell runs in {} already{}", path.display(), process(*pid))]
    Held {
        /// The state directory.
        path: PathBuf,
        /// Its process, when it is known.
        pid: Option<Pid>,
    },
    /// The file cannot be used.
    #[error("failed to lock {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn process(pid: Option<Pid>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

impl Advice for LockError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Held { .. } => {
                Some("`nutshell status` shows it, `nutshell down` ends it".to_owned())
            }
            Self::File { .. } => None,
        }
    }
}

/// The right to run a stack in a state directory, for as long as it is kept.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    /// Takes the lock and leaves this process's id in it.
    ///
    /// # Errors
    /// When another process has it.
    pub fn acquire(state: &StateDirectory) -> Result<Self, LockError> {
        let path = state.lock_file();
        let failed = |source| LockError::File { path: path.clone(), source };
        let gate = open(&state.gate_file()).map_err(failed)?;
        gate.lock().map_err(failed)?;
        let mut file = open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let pid = written(&mut file, &path);
                return Err(LockError::Held { path: state.path().to_owned(), pid });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self(file))
    }
}

/// Who has the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// This process.
    Process(Pid),
    /// A process that has not left its id yet.
    Unknown,
}

/// Looks who has the lock of a state directory.
///
/// # Errors
/// When the lock cannot be read.
pub fn holder(state: &StateDirectory) -> Result<Holder, LockError> {
    let path = state.lock_file();
    let failed = |source| LockError::File { path: path.clone(), source };
    // The gate is behind the lock: dropped after it.
    let Some(gate) = open_existing(&state.gate_file()).map_err(failed)? else {
        return Ok(Holder::Nobody);
    };
    gate.lock_shared().map_err(failed)?;
    let Some(mut file) = open_existing(&path).map_err(failed)? else {
        return Ok(Holder::Nobody);
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Holder::Nobody),
        Err(TryLockError::WouldBlock) => {
            Ok(written(&mut file, &path).map_or(Holder::Unknown, Holder::Process))
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

fn open_existing(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The id in the file, if that process really has the file open: ids are used again.
fn written(file: &mut File, path: &Path) -> Option<Pid> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    let pid = Pid::from_raw(text.trim().parse().ok()?)?;
    has_open(pid, path).then_some(pid)
}

fn has_open(pid: Pid, path: &Path) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files
        .filter_map(Result::ok)
        .any(|file| std::fs::read_link(file.path()).is_ok_and(|target| target == path))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_second_one_learns_who_the_first_is() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        assert_eq!(holder(&state).unwrap(), Holder::Nobody);
        let lock = Lock::acquire(&state).unwrap();
        let me = rustix::process::getpid();
        assert_eq!(holder(&state).unwrap(), Holder::Process(me));
        let error = Lock::acquire(&state).unwrap_err();
        assert!(error.to_string().contains(&format!("(process {me})")), "{error}");
        assert!(error.hint().unwrap().contains("nutshell down"));
        drop(lock);
        assert_eq!(holder(&state).unwrap(), Holder::Nobody);
        drop(Lock::acquire(&state).unwrap());
    }

    #[test]
    fn who_looks_is_not_taken_for_a_holder() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        drop(Lock::acquire(&state).unwrap());
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let looking = scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let holder = holder(&state).unwrap();
                    assert_ne!(holder, Holder::Unknown, "the id is there when the gate opens");
                }
            });
            let acquired: Vec<_> = (0..50).map(|_| Lock::acquire(&state).map(drop)).collect();
            ended.store(true, Ordering::Relaxed);
            looking.join().unwrap();
            assert!(acquired.iter().all(Result::is_ok), "{acquired:?}");
        });
    }

    #[test]
    fn an_id_that_was_used_again_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        let lock = Lock::acquire(&state).unwrap();
        std::fs::write(state.lock_file(), "1\n").unwrap();
        assert_eq!(holder(&state).unwrap(), Holder::Unknown);
        drop(lock);
    }
}
