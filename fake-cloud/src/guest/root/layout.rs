//! Which parts of this machine a server sees, and which are its own.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::make_directory;
use crate::backends::process::base;
use crate::guest::order::SystemPart;

/// Top-level directories that hold the system itself, on any distribution. All others are the
/// private business of this machine.
const SYSTEM: [&str; 11] =
    ["usr", "opt", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "nix", "gnu"];

/// Directories of the server's own, with their modes.
const OWN: [(&str, u32); 9] = [
    ("var", 0o755),
    ("home", 0o755),
    ("root", 0o700),
    ("root/.ssh", 0o700),
    ("srv", 0o755),
    ("mnt", 0o755),
    ("media", 0o755),
    ("boot", 0o755),
    ("opt", 0o755),
];

/// What programs expect below `/var`, with modes.
const VAR: [(&str, u32); 8] = [
    ("lib", 0o755),
    ("cache", 0o755),
    ("log", 0o755),
    ("spool", 0o755),
    ("tmp", 0o1777),
    ("local", 0o755),
    ("opt", 0o755),
    ("mail", 0o755),
];

/// Where programs that an administrator installs put their files. A directory of another owner
/// cannot be copied up to a layer by an ordinary user; one that is there already needs not be.
const WRITABLE_IN_USR: [&str; 14] = [
    "bin",
    "sbin",
    "lib",
    "share",
    "include",
    "src",
    "local",
    "local/bin",
    "local/sbin",
    "local/lib",
    "local/share",
    "local/etc",
    "local/include",
    "local/src",
];

/// What a server gets of this machine's root directory.
pub(crate) fn system(state_dir: &Path) -> io::Result<Vec<SystemPart>> {
    Ok(plan(read_root(Path::new("/"))?, state_dir))
}

/// Links and directories in a root directory.
fn read_root(root: &Path) -> io::Result<Vec<SystemPart>> {
    let mut parts = vec![];
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let link_to = if kind.is_symlink() { Some(fs::read_link(entry.path())?) } else { None };
        if kind.is_symlink() || kind.is_dir() {
            parts.push(SystemPart { name: entry.file_name().into(), link_to });
        }
    }
    Ok(parts)
}

/// Keeps what belongs to the system, without the directory that holds the servers themselves.
fn plan(parts: Vec<SystemPart>, state_dir: &Path) -> Vec<SystemPart> {
    let hidden = state_dir.components().nth(1).map(|top| PathBuf::from(top.as_os_str()));
    let is_system = |name: &Path| SYSTEM.iter().any(|system| name == Path::new(system));
    parts
        .into_iter()
        .filter(|part| is_system(&part.name) && hidden.as_ref() != Some(&part.name))
        .collect()
}

/// Prepares the layer over `/usr` so that new files can be put into its usual directories.
pub(super) fn make_usr_writable(upper: &Path) -> io::Result<()> {
    if upper.exists() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(upper)?;
    for name in WRITABLE_IN_USR {
        if Path::new("/usr").join(name).symlink_metadata().is_ok_and(|found| found.is_dir()) {
            make_directory(&upper.join(name), 0o755)?;
        }
    }
    Ok(())
}

/// Creates the directories that are the server's own; what exists stays.
pub(super) fn make_own_directories(root: &Path, var_shape: &Path) -> io::Result<()> {
    for (name, mode) in OWN {
        make_directory(&root.join(name), mode)?;
    }
    let var = root.join("var");
    for (name, mode) in VAR {
        make_directory(&var.join(name), mode)?;
    }
    for (name, to) in [("run", "/run"), ("lock", "/run/lock")] {
        match std::os::unix::fs::symlink(to, var.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    if var_shape.metadata().is_ok_and(|shape| shape.mode() & 0o700 != 0) {
        base::copy_tree(var_shape, &var)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> SystemPart {
        SystemPart { name: name.into(), link_to: None }
    }

    #[test]
    fn only_the_system_is_shown() {
        let link = SystemPart { name: "bin".into(), link_to: Some("usr/bin".into()) };
        let names = ["usr", "home", "root", "var", "etc", "proc", "data", "nix"];
        let parts = names.map(directory).into_iter().chain([link]).collect();
        let shown: Vec<_> =
            plan(parts, Path::new("/home/user/state")).into_iter().map(|part| part.name).collect();
        assert_eq!(shown, ["usr", "nix", "bin"].map(PathBuf::from));
    }

    #[test]
    fn the_directory_that_holds_the_servers_is_hidden() {
        let shown = plan(vec![directory("usr"), directory("opt")], Path::new("/opt/cloud/state"));
        assert_eq!(shown, [directory("usr")]);
    }

    #[test]
    fn a_servers_own_directories_stay_as_they_are() {
        let root = tempfile::tempdir().unwrap();
        make_own_directories(root.path(), Path::new("/nonexistent")).unwrap();
        fs::write(root.path().join("var/lib/kept"), "x").unwrap();
        make_own_directories(root.path(), Path::new("/nonexistent")).unwrap();
        assert!(root.path().join("var/lib/kept").exists());
        let mode = |name| root.path().join(name).metadata().unwrap().mode() & 0o7777;
        assert_eq!((mode("root"), mode("var/tmp")), (0o700, 0o1777));
    }
}
