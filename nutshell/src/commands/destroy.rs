//! `nutshell destroy`: ends the stack and removes all it kept.

use std::io::{self, BufRead, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::down;
use crate::args::Destroy;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::printer::Printer;
use crate::stack::{Lock, StateDirectory};

/// Why nothing was removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DestroyError {
    #[error("nobody to ask whether {} may be removed", .0.display())]
    NobodyToAsk(PathBuf),
    #[error("failed to remove {}", path.display())]
    Remove {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Advice for DestroyError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NobodyToAsk(_) => Some("say so beforehand: `nutshell destroy --yes`".to_owned()),
            Self::Remove { .. } => None,
        }
    }
}

/// Ends the stack and removes its state directory.
pub(crate) fn destroy(options: &Destroy, printer: &Printer) -> Result<Exit, Failure> {
    let state = StateDirectory::choose(options.state.state.as_deref())?;
    state.existing()?;
    if !options.yes && !confirmed(&state, printer)? {
        printer.note("Nothing was removed.");
        return Ok(Exit::Failure);
    }
    down::end(&state)?;
    // Nobody starts it while it is being removed.
    let lock = Lock::acquire(&state)?;
    // Best effort: what stays is in nobody's way, and the next cloud of this machine removes it.
    let _ = fake_cloud::clean(&state.fake_cloud());
    let failed = |source| DestroyError::Remove { path: state.path().to_owned(), source };
    remove(state.path()).map_err(failed)?;
    drop(lock);
    printer.note(format!("✓ removed {}", state.path().display()));
    Ok(Exit::Success)
}

fn confirmed(state: &StateDirectory, printer: &Printer) -> Result<bool, DestroyError> {
    if !io::stdin().is_terminal() {
        return Err(DestroyError::NobodyToAsk(state.path().to_owned()));
    }
    printer.prompt(&format!(
        "Remove {} with all users, applications and VMs? [y/N] ",
        state.path().display()
    ));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Removes a directory, also where something in it made itself unreadable, as overlays do.
fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            std::fs::remove_dir_all(path)
        }
        removed => removed,
    }
}

fn open_up(directory: &Path) -> io::Result<()> {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_directory_is_removed_too() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("state");
        let closed = path.join("work/closed");
        std::fs::create_dir_all(closed.join("deep")).unwrap();
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o0)).unwrap();
        remove(&path).unwrap();
        assert!(!path.exists());
    }
}
