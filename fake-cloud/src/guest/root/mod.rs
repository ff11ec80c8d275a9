//! Builds the root directory of a server and makes it the only one its processes can see.

mod devices;
pub(crate) mod layout;
mod mounts;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FileType;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};

use super::Failure;
use super::directory::ServerDirectory;
use super::identity;
use super::order::{Order, SystemPart};
use super::volumes::Volumes;
use crate::backends::ImageSource;
use crate::backends::process::base;
use crate::backends::process::trees::{self, Trees};
use mounts::Durability;

/// Enters the server's own root; returns what the server has to do without. Fails with whether the
/// machine refused what every server needs.
pub(super) fn enter(
    order: &Order,
    trees: Trees,
) -> Result<(Vec<String>, Volumes), (Failure, bool)> {
    let refused = |failure: Failure| {
        let refused = is_refusal(&failure.source);
        (failure, refused)
    };
    let broken = |failure| (failure, false);

    make_mounts_private().map_err(refused)?;
    let mut without = vec![];
    let (machine, directory) = gather(order, trees, &mut without)?;
    let disk = directory.disk();
    make_directory(&disk, 0o755)
        .and_then(|()| match &machine.image {
            Some(image) => mounts::place(image, &disk),
            None => mounts::onto_itself(&disk),
        })
        .map_err(Failure::step("mount the disk"))
        .map_err(broken)?;
    rustix::system::sethostname(order.hostname.as_bytes())
        .map_err(Failure::step("set the host name"))
        .map_err(refused)?;
    change_root(&disk).map_err(Failure::step("change the root directory")).map_err(refused)?;

    // The server may have left links anywhere on its disk: from here on none leads out of it.
    memory_file_systems().map_err(refused)?;
    devices::populate(Path::new("/dev"), &machine.devices).map_err(refused)?;
    furnish(&machine).map_err(broken)?;
    write_identity(order).map_err(broken)?;
    let volumes =
        Volumes::mounted().map_err(Failure::step("mount /mnt/volumes")).map_err(broken)?;
    // Last: what this process has open of the machine can be reached by its links.
    show_processes(&machine.processes).map_err(refused)?;
    Ok((without, volumes))
}

/// What a server gets of this machine: made while the machine can still be seen.
struct Machine {
    /// The whole root directory, if the image is one.
    image: Option<OwnedFd>,
    system: Vec<(PathBuf, Part)>,
    etc: Option<OwnedFd>,
    /// What all servers share; of a server with this machine's system parts.
    base: Option<OwnedFd>,
    files: Vec<ShownFile>,
    sys: Option<OwnedFd>,
    devices: Vec<(&'static str, OwnedFd)>,
    processes: OwnedFd,
}

/// A name in the root directory.
enum Part {
    Link(PathBuf),
    Mount(OwnedFd),
}

/// A single file or directory of this machine, and where the server finds it.
struct ShownFile {
    mount: OwnedFd,
    is_directory: bool,
    path: PathBuf,
}

/// Where trees have their places until the root changes: something that every machine has.
const WORKSHOP: &str = "/tmp";

/// A place for a tree in the workshop.
fn lay(tree: &OwnedFd, name: &str) -> io::Result<PathBuf> {
    let path = Path::new(WORKSHOP).join(name);
    make_directory(&path, 0o700)?;
    mounts::place(tree, &path)?;
    Ok(path)
}

/// Also gives the server's directory in its place.
fn gather(
    order: &Order,
    trees: Trees,
    without: &mut Vec<String>,
) -> Result<(Machine, ServerDirectory), (Failure, bool)> {
    let broken = |failure| (failure, false);
    let refused = |failure: Failure| {
        let refused = is_refusal(&failure.source);
        (failure, refused)
    };
    let mut machine = Machine {
        image: None,
        system: vec![],
        etc: None,
        base: None,
        files: vec![],
        // Nice to have: a server starts without it.
        sys: show_system(order.own_network).ok(),
        devices: devices::gather().map_err(refused)?,
        processes: mounts::processes().map_err(Failure::step("make a /proc")).map_err(refused)?,
    };
    mounts::memory(Path::new(WORKSHOP), MountFlags::NODEV, c"mode=700,size=64k")
        .map_err(Failure::step("mount a workshop"))
        .map_err(refused)?;
    let place = |tree, name: &str| {
        let step = Failure::step(format!("show the {name}"));
        lay(tree, name).map_err(step).map_err(broken)
    };
    let directory = ServerDirectory::new(place(&trees.server, "server")?);
    if let Some(base) = &trees.base {
        let base = place(base, "base")?;
        let layer = directory.layers().join("etc");
        machine.etc = mounts::overlay(&base.join("etc"), &layer, Durability::Volatile).ok();
        let base = trees::as_it_is(&base);
        machine.base = Some(base.map_err(Failure::step("show the base")).map_err(broken)?);
        machine.system = system_parts(order, &directory, &trees.system, without).map_err(broken)?;
    }
    if let Some(image) = &trees.image {
        let path = place(image, "image")?;
        let layer = directory.layers().join("root");
        let image = mounts::overlay(&path, &layer, Durability::OnDemand);
        machine.image = Some(image.map_err(Failure::step("mount the image")).map_err(broken)?);
    }
    if let ImageSource::Host { extra_files } = &order.image {
        machine.files = files_to_show(extra_files, trees.files);
    }
    Ok((machine, directory))
}

/// What the kernel tells of devices: with the server's own interfaces where it has some.
fn show_system(own_network: bool) -> io::Result<OwnedFd> {
    let machine = || trees::read_only(Path::new("/sys"));
    if own_network { mounts::system().or_else(|_| machine()) } else { machine() }
}

/// Whether the machine forbids something, rather than being out of something.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
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
    mounts::overlay(Path::new("/usr"), directory, Durability::Volatile).map(drop)
}

/// What is mounted from here on must not appear on the machine.
fn make_mounts_private() -> Result<(), Failure> {
    rustix::mount::mount_change("/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(Failure::step("make mounts private"))
}

/// This machine's system parts, each below a layer of the server's own.
fn system_parts(
    order: &Order,
    directory: &ServerDirectory,
    trees: &[OwnedFd],
    without: &mut Vec<String>,
) -> Result<Vec<(PathBuf, Part)>, Failure> {
    let mut trees = trees.iter();
    let mut parts = vec![];
    for SystemPart { name, link_to } in &order.system {
        let step = || Failure::step(format!("show /{}", name.display()));
        let part = match link_to {
            Some(to) => Part::Link(to.clone()),
            None => {
                let missing = || io::Error::from(io::ErrorKind::NotFound);
                let tree = trees.next().ok_or_else(missing).map_err(step())?;
                let lower = lay(tree, &format!("system-{}", name.display())).map_err(step())?;
                let layer = directory.layers().join(name);
                if name == Path::new("usr") {
                    layout::make_usr_writable(&layer.join("upper")).map_err(step())?;
                }
                Part::Mount(match mounts::overlay(&lower, &layer, Durability::Volatile) {
                    Ok(mount) => mount,
                    Err(error) => {
                        without.push(format!("a writable /{} (overlay: {error})", name.display()));
                        trees::read_only(&lower).map_err(step())?
                    }
                })
            }
        };
        parts.push((name.clone(), part));
    }
    Ok(parts)
}

fn files_to_show(files: &[(PathBuf, PathBuf)], trees: Vec<OwnedFd>) -> Vec<ShownFile> {
    let show = |((_, there), mount): (&(PathBuf, PathBuf), OwnedFd)| {
        let is_directory = rustix::fs::fstat(&mount)
            .is_ok_and(|found| FileType::from_raw_mode(found.st_mode).is_dir());
        ShownFile { mount, is_directory, path: Path::new("/").join(there) }
    };
    files.iter().zip(trees).map(show).collect()
}

/// What every Unix system keeps in memory.
fn memory_file_systems() -> Result<(), Failure> {
    for (path, mode) in [("/run", c"mode=755"), ("/tmp", c"mode=1777")] {
        make_directory(Path::new(path), 0o755)
            .and_then(|()| mounts::memory(Path::new(path), MountFlags::NODEV, mode))
            .map_err(Failure::step(format!("mount {path}")))?;
    }
    for (path, mode) in [("/run/lock", 0o1777), ("/run/user", 0o755)] {
        make_directory(Path::new(path), mode).map_err(Failure::step(format!("create {path}")))?;
    }
    Ok(())
}

/// Puts what the server gets of the machine in its places, and creates what is its own.
fn furnish(machine: &Machine) -> Result<(), Failure> {
    for (name, part) in &machine.system {
        let path = Path::new("/").join(name);
        let done = match part {
            Part::Link(_) if path.symlink_metadata().is_ok() => Ok(()),
            Part::Link(to) => std::os::unix::fs::symlink(to, &path),
            Part::Mount(mount) => {
                make_directory(&path, 0o755).and_then(|()| mounts::place(mount, &path))
            }
        };
        done.map_err(Failure::step(format!("create {}", path.display())))?;
    }
    for path in ["/etc", "/root", "/var", "/sys"] {
        let mode = if path == "/root" { 0o700 } else { 0o755 };
        make_directory(Path::new(path), mode).map_err(Failure::step(format!("create {path}")))?;
    }
    if let Some(sys) = &machine.sys {
        let _ = mounts::place(sys, Path::new("/sys"));
    }
    if let Some(etc) = &machine.etc {
        mounts::place(etc, Path::new("/etc")).map_err(Failure::step("mount /etc"))?;
    }
    if let Some(base) = &machine.base {
        unpack(base, machine.etc.is_none()).map_err(Failure::step("create its directories"))?;
    }
    for file in &machine.files {
        show_file(file).map_err(Failure::step(format!("show {}", file.path.display())))?;
    }
    Ok(())
}

/// Copies what is the server's own of what all servers share, which has a place meanwhile.
fn unpack(base: &OwnedFd, with_etc: bool) -> io::Result<()> {
    let place = Path::new("/run/base");
    make_directory(place, 0o700)?;
    mounts::place(base, place)?;
    if with_etc && !Path::new("/etc/passwd").exists() {
        base::copy_tree(&place.join("etc"), Path::new("/etc"))?;
    }
    layout::make_own_directories(Path::new("/"), &place.join("var"))?;
    rustix::mount::unmount(place, UnmountFlags::DETACH)?;
    fs::remove_dir(place)
}

fn show_file(file: &ShownFile) -> io::Result<()> {
    let parent = file.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    if file.is_directory {
        make_directory(&file.path, 0o755)?;
    } else if !file.path.exists() {
        fs::File::create(&file.path)?;
    }
    mounts::place(&file.mount, &file.path)
}

fn show_processes(processes: &OwnedFd) -> Result<(), Failure> {
    let proc = Path::new("/proc");
    make_directory(proc, 0o555)
        .and_then(|()| mounts::place(processes, proc))
        .map_err(Failure::step("mount /proc"))?;
    if mounts::is_machine_root() {
        // Files of the kernel belong to the machine's root, who this server's root is too.
        for name in ["sys", "sysrq-trigger", "irq", "bus", "fs"] {
            let path = proc.join(name);
            if path.exists() {
                trees::read_only(&path)
                    .and_then(|mount| mounts::place(mount, &path))
                    .map_err(Failure::step(format!("protect /proc/{name}")))?;
            }
        }
    }
    Ok(())
}

fn write_identity(order: &Order) -> Result<(), Failure> {
    for file in identity::files(order) {
        let path = Path::new("/").join(file.path);
        let write = || -> io::Result<()> {
            if let Some(parent) = path.parent() {
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

/// Creates a directory with exactly this mode. An existing one stays as it is, and so does a link to
/// one; anything else makes room.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    let create = || DirBuilder::new().mode(mode).create(path);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                return Ok(());
            }
            fs::remove_file(path)?;
            create()?;
        }
        result => result?,
    }
    // Of a new directory a server's umask takes nothing else away.
    if mode & 0o022 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dangling_link_makes_room_for_a_directory_and_one_to_a_directory_stays() {
        let root = tempfile::tempdir().unwrap();
        for (link, to) in [("dangling", "/nonexistent"), ("good", "dangling")] {
            std::os::unix::fs::symlink(to, root.path().join(link)).unwrap();
            make_directory(&root.path().join(link), 0o700).unwrap();
        }
        assert!(!root.path().join("dangling").is_symlink());
        assert!(root.path().join("good").is_symlink());
    }

    #[test]
    fn a_full_disk_is_no_refusal() {
        assert!(is_refusal(&io::Error::from_raw_os_error(libc::EPERM)));
        assert!(!is_refusal(&io::Error::from_raw_os_error(libc::ENOSPC)));
        assert!(!is_refusal(&io::Error::other("x")));
    }
}
