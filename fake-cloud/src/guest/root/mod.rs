//! Builds the root directory of a server and makes it the only one its processes can see.

mod devices;
mod layout;
mod mounts;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::Failure;
use super::directory::ServerDirectory;
use super::identity;
use super::order::Order;
use super::volumes::Volumes;
use crate::backends::ImageSource;
use layout::{Entry, Place};
use mounts::Durability;

/// Enters the server's own root; returns what the server has to do without. Fails with whether the
/// machine refused what every server needs.
pub(super) fn enter(
    order: &Order,
    directory: &ServerDirectory,
) -> Result<(Vec<String>, Volumes), (Failure, bool)> {
    let refused = |failure: Failure| {
        let refused = is_refusal(&failure.source);
        (failure, refused)
    };
    let broken = |failure| (failure, false);

    make_mounts_private().map_err(refused)?;
    let mut without = vec![];
    let root = directory.disk();
    match &order.image {
        ImageSource::Host { extra_files } => {
            host(order, directory, &root, &mut without).map_err(broken)?;
            kernel_file_systems(&root).map_err(refused)?;
            show_files(extra_files, &root).map_err(broken)?;
        }
        ImageSource::Directory { path } => {
            image_directory(path, directory, &root).map_err(broken)?;
            kernel_file_systems(&root).map_err(refused)?;
        }
        ImageSource::Opaque => {
            return Err(broken(Failure::step("boot an image without a root directory")(
                io::Error::from(io::ErrorKind::Unsupported),
            )));
        }
    }
    write_identity(order, &root).map_err(broken)?;
    let volumes = Volumes::mounted(&order.volume_store, &root);
    if let Some(error) = volumes.refusal() {
        without.push(format!("volumes ({error})"));
    }
    rustix::system::sethostname(order.hostname.as_bytes())
        .map_err(Failure::step("set the host name"))
        .map_err(refused)?;
    change_root(&root).map_err(Failure::step("change the root directory")).map_err(refused)?;
    Ok((without, volumes))
}

/// Whether the machine forbids something, rather than being out of something.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EPERM | libc::EACCES | libc::EINVAL | libc::ENOSYS | libc::ENODEV)
    )
}

/// For a probe: tries what no server can do without.
pub(super) fn try_namespaces() -> Result<(), Failure> {
    make_mounts_private()?;
    rustix::system::sethostname(b"probe").map_err(Failure::step("set the host name"))?;
    // Over one that is there: nobody else sees it.
    rustix::mount::mount("proc", "/proc", "proc", MountFlags::NOSUID, None)
        .map_err(Failure::step("mount /proc"))
}

/// For a probe: tries to mount a layer over `/usr`.
pub(super) fn try_overlay(directory: &Path) -> io::Result<()> {
    mounts::overlay(Path::new("/usr"), directory, directory, Durability::Volatile)
}

/// What is mounted from here on must not appear on the machine.
fn make_mounts_private() -> Result<(), Failure> {
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(Failure::step("make mounts private"))
}

/// This machine's system parts, each below a layer of the server's own; the rest is the server's.
fn host(
    order: &Order,
    directory: &ServerDirectory,
    root: &Path,
    without: &mut Vec<String>,
) -> Result<(), Failure> {
    make_directory(root, 0o755).map_err(Failure::step("create the disk"))?;
    mounts::onto_itself(root).map_err(Failure::step("mount the disk"))?;
    let entries = layout::read_root(Path::new("/"))
        .map_err(Failure::step("read this machine's root directory"))?;
    for Entry { name, place } in layout::plan(entries, &order.state_dir) {
        let target = root.join(&name);
        let step = || Failure::step(format!("create /{}", name.to_string_lossy()));
        match place {
            Place::Link(to) => {
                if !target.is_symlink() {
                    std::os::unix::fs::symlink(to, &target).map_err(step())?;
                }
            }
            Place::System => {
                make_directory(&target, 0o755).map_err(step())?;
                let lower = Path::new("/").join(&name);
                let layer = directory.layers().join(&name);
                if name == "usr" {
                    layout::make_usr_writable(&layer.join("upper")).map_err(step())?;
                }
                if let Err(error) = mounts::overlay(&lower, &layer, &target, Durability::Volatile) {
                    mounts::show_read_only(&lower, &target).map_err(step())?;
                    without.push(format!("a writable /{} (overlay: {error})", name.display()));
                }
            }
        }
    }
    let etc = root.join("etc");
    let base = order.base.join("etc");
    make_directory(&etc, 0o755).map_err(Failure::step("create /etc"))?;
    if mounts::overlay(&base, &directory.layers().join("etc"), &etc, Durability::Volatile).is_err()
        && !etc.join("passwd").exists()
    {
        crate::backends::process::base::copy_tree(&base, &etc)
            .map_err(Failure::step("copy /etc"))?;
    }
    layout::make_own_directories(root, &order.base.join("var"))
        .map_err(Failure::step("create the server's directories"))
}

/// A whole root file system below one layer of the server's own.
fn image_directory(image: &Path, directory: &ServerDirectory, root: &Path) -> Result<(), Failure> {
    make_directory(root, 0o755).map_err(Failure::step("create the disk"))?;
    mounts::overlay(image, &directory.layers().join("root"), root, Durability::OnDemand)
        .map_err(Failure::step(format!("mount the image {}", image.display())))?;
    for name in ["proc", "sys", "dev", "run", "tmp", "etc", "root", "var"] {
        make_directory(&root.join(name), 0o755)
            .map_err(Failure::step(format!("create /{name}")))?;
    }
    Ok(())
}

/// What every Unix system mounts at boot.
fn kernel_file_systems(root: &Path) -> Result<(), Failure> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV;
    for (name, mode) in [("run", c"mode=755"), ("tmp", c"mode=1777")] {
        let target = root.join(name);
        make_directory(&target, 0o755).map_err(Failure::step(format!("create /{name}")))?;
        rustix::mount::mount("tmpfs", &target, "tmpfs", plain, Some(mode))
            .map_err(Failure::step(format!("mount /{name}")))?;
    }
    for (name, mode) in [("run/lock", 0o1777), ("run/user", 0o755)] {
        make_directory(&root.join(name), mode).map_err(Failure::step(format!("create /{name}")))?;
    }
    let proc = root.join("proc");
    make_directory(&proc, 0o555).map_err(Failure::step("create /proc"))?;
    rustix::mount::mount("proc", &proc, "proc", plain | MountFlags::NOEXEC, None)
        .map_err(Failure::step("mount /proc"))?;
    if mounts::is_machine_root() {
        // Files of the kernel belong to the machine's root, who this server's root is too.
        for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
            let path = proc.join(name);
            if path.exists() {
                mounts::show_read_only(&path, &path)
                    .map_err(Failure::step(format!("protect /proc/{name}")))?;
            }
        }
    }
    let sys = root.join("sys");
    make_directory(&sys, 0o555).map_err(Failure::step("create /sys"))?;
    // Nice to have: a server starts without it.
    let _ = mounts::show_read_only(Path::new("/sys"), &sys);
    devices::populate(&root.join("dev"))
}

/// Shows single files of this machine in the server.
fn show_files(files: &[(PathBuf, PathBuf)], root: &Path) -> Result<(), Failure> {
    for (here, there) in files {
        let target = root.join(there.strip_prefix("/").unwrap_or(there));
        let show = || -> io::Result<()> {
            let parent = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
            DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
            if here.is_dir() {
                make_directory(&target, 0o755)?;
            } else if !target.exists() {
                fs::File::create(&target)?;
            }
            mounts::show_read_only(here, &target)
        };
        show().map_err(Failure::step(format!("show {} as {}", here.display(), there.display())))?;
    }
    Ok(())
}

fn write_identity(order: &Order, root: &Path) -> Result<(), Failure> {
    for file in identity::files(order) {
        let path = root.join(file.path);
        let write = || -> io::Result<()> {
            if let Some(parent) = path.parent()
                && !parent.exists()
            {
                make_directory(parent, if file.mode == 0o600 { 0o700 } else { 0o755 })?;
            }
            // It may be a link to a file that another program writes on this machine.
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fs::write(&path, &file.content)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))
        };
        write().map_err(Failure::step(format!("write /{}", file.path)))?;
    }
    Ok(())
}

/// The old root is put over the new one and taken away: nothing of it stays reachable.
fn change_root(root: &Path) -> io::Result<()> {
    rustix::process::chdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    Ok(())
}

/// Creates a directory with exactly this mode; an existing one stays as it is.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_no_refusal() {
        assert!(is_refusal(&io::Error::from_raw_os_error(libc::EPERM)));
        assert!(!is_refusal(&io::Error::from_raw_os_error(libc::ENOSPC)));
        assert!(!is_refusal(&io::Error::other("x")));
    }
}
