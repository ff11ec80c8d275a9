//! `nutshell install`: one executable, many names.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::args::{Install, programs};
use crate::diagnostics::{Advice, Exit, Failure};
use crate::printer::Printer;

/// Why names cannot be linked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("there is no home directory to put the links in")]
    NoHome,
    #[error("failed to find this executable")]
    Executable(#[source] io::Error),
    #[error("failed to link {}", path.display())]
    Link {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} exists and is not a link to nutshell: left as it is", names.join(", "))]
    Foreign { names: Vec<String> },
}

impl Advice for InstallError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoHome | Self::Foreign { .. } => {
                Some("choose another directory with --directory DIR".to_owned())
            }
            Self::Executable(_) | Self::Link { .. } => None,
        }
    }
}

/// What is at the place of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Free,
    /// The link is there already, or the executable itself.
    Done,
    /// A link to some other nutshell, one that was built or installed before.
    Outdated,
    Foreign,
}

#[derive(Serialize)]
struct Installed {
    directory: PathBuf,
    linked: Vec<String>,
    unchanged: Vec<String>,
}

/// Links all names to this executable.
pub(crate) fn install(options: &Install, printer: &Printer) -> Result<Exit, Failure> {
    let executable = std::env::current_exe().map_err(InstallError::Executable)?;
    let directory = match &options.directory {
        Some(directory) => directory.clone(),
        None => default_directory().ok_or(InstallError::NoHome)?,
    };
    let installed = link_all(&directory, &executable)?;
    printer.answer(&installed, |installed| {
        let count = installed.linked.len();
        let names = programs().join(", ");
        match count {
            0 => format!("All names are linked in {} already.", installed.directory.display()),
            _ => format!("Linked in {}: {names}.", installed.directory.display()),
        }
    });
    if !in_path(&directory, std::env::var_os("PATH").as_deref()) {
        printer.hint(format!("export PATH=\"{}:$PATH\"", directory.display()));
    }
    Ok(Exit::Success)
}

fn default_directory() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    Some(PathBuf::from(home).join(".local/bin"))
}

fn in_path(directory: &Path, path: Option<&std::ffi::OsStr>) -> bool {
    path.is_some_and(|path| std::env::split_paths(path).any(|one| one == directory))
}

fn link_all(directory: &Path, executable: &Path) -> Result<Installed, InstallError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::Link { path, source }
    };
    std::fs::create_dir_all(directory).map_err(failed(directory))?;
    let mut installed =
        Installed { directory: directory.to_owned(), linked: vec![], unchanged: vec![] };
    let mut foreign = Vec::new();
    for name in programs() {
        let path = directory.join(&name);
        match look(&path, executable) {
            Place::Done => installed.unchanged.push(name),
            Place::Foreign => foreign.push(path.display().to_string()),
            Place::Free | Place::Outdated => {
                replace(&path, executable).map_err(failed(&path))?;
                installed.linked.push(name);
            }
        }
    }
    match foreign.is_empty() {
        true => Ok(installed),
        false => Err(InstallError::Foreign { names: foreign }),
    }
}

/// Puts the link in place in one step: the name works at every instant.
fn replace(path: &Path, executable: &Path) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let _ = std::fs::remove_file(&temporary);
    symlink(executable, &temporary)?;
    std::fs::rename(&temporary, path)
}

fn look(path: &Path, executable: &Path) -> Place {
    let same = |a: &Path, b: &Path| match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    };
    match std::fs::read_link(path) {
        Ok(target) if target == executable => Place::Done,
        Ok(target) if target.file_name().is_some_and(|name| name == "nutshell") => Place::Outdated,
        Ok(_) => Place::Foreign,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Place::Free,
        // Not a link: perhaps the executable itself was put here.
        Err(_) if same(path, executable) => Place::Done,
        Err(_) => Place::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_are_linked_and_again_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let executable = directory.path().join("build/nutshell");
        let bin = directory.path().join("bin");
        assert_eq!(link_all(&bin, &executable).unwrap().linked, programs());
        assert_eq!(std::fs::read_link(bin.join("cps-generic")).unwrap(), executable);
        let again = link_all(&bin, &executable).unwrap();
        assert!(again.linked.is_empty());
        assert_eq!(again.unchanged, programs());
        // A newer build takes the names over.
        let newer = directory.path().join("newer/nutshell");
        assert_eq!(link_all(&bin, &newer).unwrap().linked, programs());
        assert_eq!(std::fs::read_dir(&bin).unwrap().count(), programs().len());
    }

    #[test]
    fn what_is_not_ours_stays() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cps"), "#!/bin/sh\n").unwrap();
        symlink("/usr/bin/other", directory.path().join("cps-user")).unwrap();
        let executable = directory.path().join("nutshell");
        std::fs::write(&executable, "").unwrap();
        let error = link_all(directory.path(), &executable).err().unwrap();
        assert!(error.to_string().contains("/cps, "), "{error}");
        assert_eq!(std::fs::read(directory.path().join("cps")).unwrap(), b"#!/bin/sh\n");
        // The others are there all the same, and the executable was not replaced by a link to itself.
        assert_eq!(std::fs::read_link(directory.path().join("cps-cloud")).unwrap(), executable);
        assert!(std::fs::read_link(&executable).is_err());
    }
}
