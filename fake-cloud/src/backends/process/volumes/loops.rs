//! Loop devices: files as block devices, each gone by itself when its last user is.
#![expect(unsafe_code, reason = "ioctls that no crate we use offers, each behind a safe function")]

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::ioctl::{Ioctl, IoctlOutput, NoArg, Opcode, Updater, ioctl};

const LOOP_GET_STATUS64: Opcode = 0x4C05;
const LOOP_SET_CAPACITY: Opcode = 0x4C07;
const LOOP_CONFIGURE: Opcode = 0x4C0A;
const LOOP_CTL_GET_FREE: Opcode = 0x4C82;

/// The device is freed when nobody has it open or mounted any more: not even a killed cloud
/// leaves one behind.
const AUTOCLEAR: u32 = 4;

/// `struct loop_info64` of the kernel.
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config` of the kernel.
#[repr(C)]
struct Config {
    descriptor: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// Fails if this process may not have loop devices.
pub(super) fn may_use() -> io::Result<()> {
    control().map(drop)
}

fn control() -> io::Result<File> {
    let path = "/dev/loop-control";
    let opened = OpenOptions::new().read(true).write(true).open(path);
    opened.map_err(|error| io::Error::new(error.kind(), format!("cannot open {path}: {error}")))
}

/// A loop device, kept by this value at least.
#[derive(Debug)]
pub(super) struct Loop {
    device: File,
    /// Its name in `/dev`.
    pub(super) path: PathBuf,
}

impl Loop {
    /// The device whose content is the file: the one that is there, or a new one.
    pub(super) fn of(image: &Path) -> io::Result<Self> {
        match Self::existing(image)? {
            Some(device) => Ok(device),
            None => Self::new(image),
        }
    }

    /// The device whose content is the file, if there is one.
    pub(super) fn existing(image: &Path) -> io::Result<Option<Self>> {
        let wanted = image.metadata()?;
        for entry in std::fs::read_dir("/sys/block")? {
            let entry = entry?;
            // Most have no file, and one that has may lose it at any time.
            let Ok(file) = std::fs::read(entry.path().join("loop/backing_file")) else { continue };
            if file.trim_ascii_end() != image.as_os_str().as_bytes() {
                continue;
            }
            let path = Path::new("/dev").join(entry.file_name());
            let device = OpenOptions::new().read(true).write(true).open(&path)?;
            // From now on it stays as it is: is it still what it was?
            if inode(&device).is_ok_and(|inode| inode == wanted.ino()) {
                return Ok(Some(Self { device, path }));
            }
        }
        Ok(None)
    }

    fn new(image: &Path) -> io::Result<Self> {
        let image = OpenOptions::new().read(true).write(true).open(image)?;
        let control = control()?;
        loop {
            // SAFETY: the call takes no argument and returns a number.
            let number = unsafe { ioctl(&control, FreeNumber) }?;
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = OpenOptions::new().read(true).write(true).open(&path)?;
            // SAFETY: all-zero is a valid value of this plain structure.
            let mut config: Config = unsafe { zeroed() };
            config.descriptor = image.as_raw_fd().cast_unsigned();
            config.info.flags = AUTOCLEAR;
            // SAFETY: the structure is as the kernel declares it, which reads it.
            match unsafe { ioctl(&device, Updater::<LOOP_CONFIGURE, Config>::new(&mut config)) } {
                Ok(()) => return Ok(Self { device, path }),
                // Another process was quicker to take this one.
                Err(rustix::io::Errno::BUSY) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes notice that the file has another size.
    pub(super) fn resize(&self) -> io::Result<()> {
        // SAFETY: the call takes no argument and writes nothing.
        unsafe { ioctl(&self.device, NoArg::<LOOP_SET_CAPACITY>::new()) }?;
        Ok(())
    }
}

/// The file that the device's content is in.
fn inode(device: &File) -> io::Result<u64> {
    // SAFETY: all-zero is a valid value of this plain structure.
    let mut info: Info = unsafe { zeroed() };
    // SAFETY: the structure is as the kernel declares it, which fills it.
    unsafe { ioctl(device.as_fd(), Updater::<LOOP_GET_STATUS64, Info>::new(&mut info)) }?;
    Ok(info.inode)
}

/// Asks for the number of a device that nobody uses.
struct FreeNumber;

// SAFETY: the opcode takes no argument, and its result is the return value alone.
unsafe impl Ioctl for FreeNumber {
    type Output = IoctlOutput;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        LOOP_CTL_GET_FREE
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(
        output: IoctlOutput,
        _: *mut c_void,
    ) -> rustix::io::Result<Self::Output> {
        Ok(output)
    }
}
