//! The cloud's copy of what servers share of this machine's `/etc` and `/var`.
//!
//! A copy rather than the original below every server's layer: without the secrets, owned by
//! whoever runs the cloud (an ordinary user's overlay cannot change files of another owner), and
//! free of the mounts that containers have inside `/etc`.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Paths below `/etc` that are secret, or that belong to this machine alone.
const LEFT_OUT: [&str; 17] = [
    "shadow",
    "shadow-",
    "gshadow",
    "gshadow-",
    "security/opasswd",
    "ssl/private",
    "krb5.keytab",
    "wireguard",
    "NetworkManager",
    "netplan",
    "machine-id",
    "hostname",
    "hosts",
    "resolv.conf",
    "rc.local",
    "sudoers.d",
    "nsswitch.conf",
];

/// How deep the shape of `/var` is copied: `/var/lib/nginx`, but nothing inside.
const VAR_DEPTH: usize = 2;

/// Makes the copy anew, unless the cloud ends meanwhile. The result is `<base>/etc` and `<base>/var`.
pub(crate) fn build(base: &Path, ending: &AtomicBool) -> io::Result<()> {
    let ends = || ending.load(Ordering::Relaxed);
    DirBuilder::new().recursive(true).mode(0o755).create(base)?;
    let etc = base.join("etc");
    copy(Path::new("/etc"), &etc, &|path, found| ends() || is_left_out(path) || !is_public(found))?;
    if ends() {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "the cloud ends"));
    }
    write(&etc.join("shadow"), "root:*:19000:0:99999:7:::\n", 0o600)?;
    write(&etc.join("gshadow"), "root:*::\n", 0o600)?;
    copy_shape(Path::new("/var"), &base.join("var"), VAR_DEPTH)
}

fn is_left_out(below_etc: &Path) -> bool {
    LEFT_OUT.iter().any(|left_out| below_etc == Path::new(left_out))
        || below_etc.to_str().is_some_and(|path| path.starts_with("ssh/ssh_host_"))
}

/// Copies a tree, owners and modes included; what exists is left as it is.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    copy(from, to, &|_, _| false)
}

/// Whether everybody on this machine may read it: what only root may is no business of servers.
fn is_public(found: &fs::Metadata) -> bool {
    let needed = if found.is_dir() { 0o005 } else { 0o004 };
    found.is_symlink() || found.mode() & needed == needed
}

fn copy(from: &Path, to: &Path, left_out: &dyn Fn(&Path, &fs::Metadata) -> bool) -> io::Result<()> {
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let (source, target) = (from.join(&path), to.join(&path));
        let Some(found) = readable(source.symlink_metadata())? else { continue };
        if left_out(&path, &found) {
            continue;
        }
        if found.is_dir() {
            let Some(entries) = readable(fs::read_dir(&source))? else { continue };
            create_directory(&target, &found)?;
            for entry in entries {
                pending.push(path.join(entry?.file_name()));
            }
        } else if target.symlink_metadata().is_ok() {
            continue;
        } else if found.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if found.is_file() && readable(fs::copy(&source, &target))?.is_some() {
            own(&target, &found)?;
        }
    }
    Ok(())
}

/// Copies directories only, down to a depth.
fn copy_shape(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    let Some(found) = readable(from.symlink_metadata())? else { return Ok(()) };
    if !found.is_dir() {
        return Ok(());
    }
    create_directory(to, &found)?;
    if depth == 0 {
        return Ok(());
    }
    let Some(entries) = readable(fs::read_dir(from))? else { return Ok(()) };
    for entry in entries {
        let name = entry?.file_name();
        copy_shape(&from.join(&name), &to.join(&name), depth - 1)?;
    }
    Ok(())
}

/// `None` for what this user may not read, or what is gone meanwhile.
fn readable<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn create_directory(path: &Path, like: &fs::Metadata) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        result => result?,
    }
    own(path, like)?;
    // Its owner is who runs the cloud, and must be able to fill and to remove it.
    fs::set_permissions(path, Permissions::from_mode((like.mode() & 0o7777) | 0o700))
}

/// Only the machine's root can give files away; for others all are their own.
fn own(path: &Path, like: &fs::Metadata) -> io::Result<()> {
    match chown(path, Some(like.uid()), Some(like.gid())) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    fs::write(path, content)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_the_machines_own_identity_are_left_out() {
        for path in ["shadow", "ssl/private", "ssh/ssh_host_rsa_key", "rc.local"] {
            assert!(is_left_out(Path::new(path)), "{path}");
        }
        for path in ["passwd", "ssl/certs", "ssh/sshd_config", "nginx/shadow"] {
            assert!(!is_left_out(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn what_not_everybody_may_read_is_not_public() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        for (mode, public) in [(0o644, true), (0o640, false), (0o600, false), (0o604, true)] {
            write(&path, "x", mode).unwrap();
            assert_eq!(is_public(&path.symlink_metadata().unwrap()), public, "{mode:o}");
        }
        for (mode, public) in [(0o755, true), (0o750, false), (0o711, false)] {
            fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
            assert_eq!(is_public(&directory.path().metadata().unwrap()), public, "{mode:o}");
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_copy_keeps_modes_and_links_and_what_was_there() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(from.path().join("d")).unwrap();
        write(&from.path().join("d/f"), "new", 0o640).unwrap();
        write(&from.path().join("old"), "new", 0o600).unwrap();
        symlink("d/f", from.path().join("l")).unwrap();
        write(&to.path().join("old"), "kept", 0o600).unwrap();

        copy_tree(from.path(), to.path()).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("l")).unwrap(), "new");
        assert_eq!(fs::read_to_string(to.path().join("old")).unwrap(), "kept");
        let mode = fs::metadata(to.path().join("d/f")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn a_shape_has_no_files_and_ends_at_its_depth() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir_all(from.path().join("lib/nginx/body")).unwrap();
        fs::write(from.path().join("lib/secret"), "x").unwrap();

        copy_shape(from.path(), &to.path().join("var"), 2).unwrap();
        assert!(to.path().join("var/lib/nginx").is_dir());
        assert!(!to.path().join("var/lib/nginx/body").exists());
        assert!(!to.path().join("var/lib/secret").exists());
    }
}
