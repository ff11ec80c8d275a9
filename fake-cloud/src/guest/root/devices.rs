//! `/dev` of a server: harmless devices of this machine, and terminals of its own.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::mount::MountFlags;

use super::super::Failure;
use super::{make_directory, mounts};

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

pub(super) fn populate(dev: &Path) -> Result<(), Failure> {
    make_directory(dev, 0o755).map_err(Failure::step("create /dev"))?;
    mounts::memory(dev, MountFlags::NOEXEC, c"mode=755,size=64k")
        .map_err(Failure::step("mount /dev"))?;
    for name in DEVICES {
        mounts::show_device(&Path::new("/dev").join(name), &dev.join(name))
            .map_err(Failure::step(format!("create /dev/{name}")))?;
    }
    for name in OPTIONAL_DEVICES {
        let device = Path::new("/dev").join(name);
        if device.exists() {
            // Refused on some machines; then the server does without.
            let _ = mounts::show_device(&device, &dev.join(name));
        }
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
