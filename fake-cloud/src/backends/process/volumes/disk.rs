//! A volume as a file system of its size: ext4 in a sparse file, behind a loop device while it is
//! mounted.
//!
//! Mounts are made without a place and handed to the server, which alone has them: when the server
//! is gone, so are the mount and the device, whatever happened to the cloud.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_string, fsmount,
    fsopen,
};

use super::helper::Frozen;
use super::loops::{self, Loop};
use crate::backends::process::sys;

/// Where programs for administrators are; not in every user's search path.
const SEARCHED: &str = "/usr/sbin:/sbin:/usr/local/sbin";

/// Where an ext file system describes itself, and how much of that we read.
const SUPERBLOCK: (u64, usize) = (1024, 1024);

/// Makes an empty file system of this many bytes in a new file.
pub(super) fn make(image: &Path, bytes: u64) -> io::Result<()> {
    loops::may_use()?;
    create(image)?.set_len(bytes)?;
    // Inodes and the journal are written when they are used, all blocks are for everybody, and it
    // can grow a thousandfold while it is mounted.
    run(Command::new(tool("mke2fs"))
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0"])
        .args(["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard"])
        .arg(image))
}

/// Copies a file with its holes; blocks are shared where the file system can. A file system that
/// is mounted stands still meanwhile.
pub(super) fn copy(from: &Path, to: &Path, program: &Path) -> io::Result<()> {
    let _frozen = match Loop::existing(from)? {
        Some(device) => Some(Frozen::new(program, open_root(&mount_device(&device)?)?.as_fd())?),
        None => None,
    };
    let (mut source, mut target) = (File::open(from)?, create(to)?);
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut at = 0;
    loop {
        at = match rustix::fs::seek(&source, rustix::fs::SeekFrom::Data(at)) {
            Ok(start) => start,
            // No data from here to the end.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(&source, rustix::fs::SeekFrom::Hole(at))?;
        source.seek(SeekFrom::Start(at))?;
        target.seek(SeekFrom::Start(at))?;
        io::copy(&mut source.by_ref().take(end - at), &mut target)?;
        at = end;
    }
}

/// Makes the file larger; its file system follows at once where this machine lets it, and else
/// when it is mounted next.
pub(super) fn extend(image: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(image)?;
    if file.metadata()?.len() < bytes {
        file.set_len(bytes)?;
    }
    let Some(device) = Loop::existing(image)? else { return Ok(()) };
    device.resize()?;
    let root = open_root(&mount_device(&device)?)?;
    Ok(rustix::fs::ext4_ioc_resize_fs(root, bytes / 4096)?)
}

/// A mount of the file system that is nowhere yet.
pub(super) fn mount(image: &Path) -> io::Result<OwnedFd> {
    let mounted = Loop::existing(image)?;
    if mounted.is_none() {
        fill(image)?;
    }
    let device = mounted.map_or_else(|| Loop::of(image), Ok)?;
    let mount = mount_device(&device)?;
    // Only a checker of file systems needs it, and makes it when it does; to many programs a
    // directory with anything in it is not a new one.
    let _ = rustix::fs::unlinkat(&mount, "lost+found", AtFlags::REMOVEDIR);
    Ok(mount)
}

/// Lets a file system go on that a killed cloud and its killed helper have left frozen.
pub(super) fn thaw(image: &Path) {
    if let Ok(Some(device)) = Loop::existing(image)
        && let Ok(root) = mount_device(&device).and_then(|mount| open_root(&mount))
    {
        // Fails when it is not frozen.
        let _ = sys::thaw(&root);
    }
}

/// Whether anything on this machine has it mounted.
pub(super) fn is_mounted(image: &Path) -> bool {
    Loop::existing(image).is_ok_and(|device| device.is_some())
}

fn mount_device(device: &Loop) -> io::Result<OwnedFd> {
    let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(context.as_fd(), "source", &device.path)?;
    fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NODEV;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// Lets the file system fill a file that has grown.
fn fill(image: &Path) -> io::Result<()> {
    let mut superblock = vec![0; SUPERBLOCK.1];
    let mut file = File::open(image)?;
    file.seek(SeekFrom::Start(SUPERBLOCK.0))?;
    file.read_exact(&mut superblock)?;
    let length = file.metadata()?.len();
    let size = size_of(&superblock).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "there is no file system in it")
    })?;
    if size / 4096 >= length / 4096 {
        return Ok(());
    }
    // The tool insists on a check before.
    run(Command::new(tool("e2fsck")).args(["-f", "-p"]).arg(image))?;
    run(Command::new(tool("resize2fs")).arg(image))
}

/// The size in bytes that a file system has by its own account.
fn size_of(superblock: &[u8]) -> Option<u64> {
    let word = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(superblock.get(at..at + 4)?.try_into().ok()?))
    };
    let magic = u16::from_le_bytes(superblock.get(0x38..0x3a)?.try_into().ok()?);
    let blocks = u64::from(word(0x150)?) << 32 | u64::from(word(0x4)?);
    (magic == 0xef53).then_some(blocks << 10 << word(0x18)?)
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn open_root(mount: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(mount, ".", flags, Mode::empty())?)
}

/// The path of a program of the package e2fsprogs.
fn tool(name: &str) -> PathBuf {
    let everywhere = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&everywhere)
        .chain(std::env::split_paths(SEARCHED))
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| name.into())
}

fn run(command: &mut Command) -> io::Result<()> {
    let name = Path::new(command.get_program()).display().to_string();
    let Output { status, stderr, .. } =
        command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => io::Error::new(
                error.kind(),
                format!("{name} is not installed (it is in the package e2fsprogs)"),
            ),
            _ => error,
        })?;
    // 1 of a checker: it has mended what it found.
    if matches!(status.code(), Some(0 | 1)) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&stderr);
    Err(io::Error::other(format!("{name}: {status}: {}", said.trim())))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_system_says_how_large_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image");
        make(&image, 64 << 20).unwrap();
        let content = fs::read(&image).unwrap();
        let superblock = &content[1024..2048];
        assert_eq!(size_of(superblock), Some(64 << 20));
        assert_eq!(size_of(&content[..1024]), None, "no file system");
        assert_eq!(size_of(&superblock[..100]), None, "cut short");
    }

    #[test]
    fn a_file_system_fills_a_file_that_has_grown_and_copies_keep_holes() {
        use std::os::unix::fs::MetadataExt as _;
        let directory = tempfile::tempdir().unwrap();
        let (image, other) = (directory.path().join("image"), directory.path().join("other"));
        make(&image, 16 << 20).unwrap();
        copy(&image, &other, Path::new("")).unwrap();
        assert_eq!(fs::read(&image).unwrap(), fs::read(&other).unwrap());
        extend(&other, 1 << 30).unwrap();
        fill(&other).unwrap();
        let mut superblock = vec![0; 1024];
        let mut file = File::open(&other).unwrap();
        file.seek(SeekFrom::Start(1024)).unwrap();
        file.read_exact(&mut superblock).unwrap();
        assert_eq!(size_of(&superblock), Some(1 << 30));
        assert!(other.metadata().unwrap().blocks() * 512 < 64 << 20, "sparse");
    }
}
