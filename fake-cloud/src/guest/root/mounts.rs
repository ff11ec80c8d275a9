//! The few kinds of mounts a server's root is made of. Those that show something of this machine
//! are made before the change of the root, and put in their places after it.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
};

use super::super::directory::{WORK, remove_tree};

/// Makes a directory a mount of its own, which a new root must be.
pub(super) fn onto_itself(path: &Path) -> io::Result<()> {
    rustix::mount::mount_bind(path, path)?;
    Ok(())
}

/// Whether what a server writes to a layer must survive a power failure of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// When the server asks for it, as on any disk.
    OnDemand,
    /// No: a server's end need not wait for the disk of this machine, which can take a second.
    Volatile,
}

/// A mount of `lower`, with all changes going to `layer`; it is nowhere yet.
pub(super) fn overlay(lower: &Path, layer: &Path, durability: Durability) -> io::Result<OwnedFd> {
    let (upper, work) = (layer.join("upper"), layer.join(WORK));
    // What is left there of an earlier start is of no use, and refused after a volatile one.
    match remove_tree(&work) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    for path in [&upper, &work] {
        DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    }
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "lowerdir", escape_colons(lower)?)?;
    fsconfig_set_string(context.as_fd(), "upperdir", &upper)?;
    fsconfig_set_string(context.as_fd(), "workdir", &work)?;
    // The privileged attributes of overlays are refused in a user namespace.
    fsconfig_set_flag(context.as_fd(), "userxattr")?;
    if durability == Durability::Volatile {
        fsconfig_set_flag(context.as_fd(), "volatile")?;
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?)
}

/// The processes of this namespace as a file system; it is nowhere yet.
pub(super) fn processes() -> io::Result<OwnedFd> {
    kernel_files("proc", MountAttrFlags::empty())
}

/// The kernel's view of devices, among them the interfaces of this network namespace; it is nowhere
/// yet, and cannot be written to.
pub(super) fn system() -> io::Result<OwnedFd> {
    kernel_files("sysfs", MountAttrFlags::MOUNT_ATTR_RDONLY)
}

fn kernel_files(kind: &str, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(context.as_fd())?;
    let attributes = attributes
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Puts a mount that is nowhere yet in its place.
pub(super) fn place(mount: impl AsFd, target: &Path) -> io::Result<()> {
    move_mount(mount.as_fd(), "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(())
}

/// In a list of lower directories a colon separates.
fn escape_colons(path: &Path) -> io::Result<String> {
    let text = path.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
    Ok(text.replace('\\', "\\\\").replace(':', "\\:"))
}

/// A small file system in memory that runs no programs.
pub(super) fn memory(target: &Path, flags: MountFlags, mode: &std::ffi::CStr) -> io::Result<()> {
    rustix::mount::mount("tmpfs", target, "tmpfs", MountFlags::NOSUID | flags, Some(mode))?;
    Ok(())
}

/// Whether root in here is also root outside, as seen by the owner of files.
pub(super) fn is_machine_root() -> bool {
    std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_root_to_itself(&map))
}

fn maps_root_to_itself(map: &str) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace();
        numbers.next() == Some("0") && numbers.next() == Some("0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_recognised_by_its_map() {
        assert!(maps_root_to_itself("         0          0 4294967295\n"));
        assert!(!maps_root_to_itself("         0       1001          1\n"));
        assert!(!maps_root_to_itself(""));
    }

    #[test]
    fn colons_in_paths_do_not_separate() {
        assert_eq!(escape_colons(Path::new("/a:b\\c")).unwrap(), "/a\\:b\\\\c");
    }
}
