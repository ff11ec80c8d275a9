//! `/dev` of a server: harmless devices of this machine, and terminals of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::mount::MountFlags;

use super::super::Failure;
use super::{make_directory, mounts};
use crate::backends::process::trees;

/// Devices that every program may expect.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Devices that some machines have and some services use.
const OPTIONAL_DEVICES: [&str; 1] = ["fuse"];

const LINKS: [(&str, &str); 7] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("console", "/proc/1/fd/1"),
    ("core", "/proc/kcore"),
];

/// This machine's devices that a server gets.
pub(super) fn gather() -> Result<Vec<(&'static str, OwnedFd)>, Failure> {
    let device = |name| Ok((name, trees::as_it_is(&Path::new("/dev").join(name))?));
    let mut devices = vec![];
    for name in DEVICES {
        let step = Failure::step(format!("show /dev/{name}"));
        devices.push(device(name).map_err(|error: io::Error| step(error))?);
    }
    // Refused on some machines, and missing on others; then the server does without.
    devices.extend(OPTIONAL_DEVICES.into_iter().filter_map(|name| device(name).ok()));
    Ok(devices)
}

pub(super) fn populate(dev: &Path, devices: &[(&str, OwnedFd)]) -> Result<(), Failure> {
    make_directory(dev, 0o755).map_err(Failure::step("create /dev"))?;
    mounts::memory(dev, MountFlags::NOEXEC, c"mode=755,size=64k")
        .map_err(Failure::step("mount /dev"))?;
    for (name, device) in devices {
        let target = dev.join(name);
        std::fs::File::create(&target)
            .and_then(|_| mounts::place(device, &target))
            .map_err(Failure::step(format!("create /dev/{name}")))?;
    }
    for (name, to) in LINKS {
        symlink(to, dev.join(name)).map_err(Failure::step(format!("create /dev/{name}")))?;
    }
    let mount = |name: &str, mount: &dyn Fn(&Path) -> io::Result<()>| {
        let target = dev.join(name);
        make_directory(&target, 0o755)
            .and_then(|()| mount(&target))
            .map_err(Failure::step(format!("mount /dev/{name}")))
    };
    mount("shm", &|target| mounts::memory(target, MountFlags::NODEV, c"mode=1777"))?;
    mount("pts", &|target| {
        let options = c"newinstance,ptmxmode=0666,mode=620";
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        rustix::mount::mount("devpts", target, "devpts", flags, Some(options))?;
        Ok(())
    })
}
