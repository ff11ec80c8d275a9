//! What needs a process of its own: this very executable, started again for one errand.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::guest::order::Answer;
use crate::guest::{FREEZE_MARKER, MOUNT_MARKER, channel};

/// A mount of a directory that is nowhere yet, as only a process in other namespaces may make it.
pub(super) fn mount(program: &Path, directory: &Path) -> io::Result<OwnedFd> {
    let mut helper = Helper::start(program, MOUNT_MARKER, directory)?;
    helper.answer()?.into_iter().next().ok_or_else(unexpected_end)
}

/// A file system that stands still as long as this value exists: whatever becomes of this process,
/// for a frozen file system cannot even be left by killed processes.
#[derive(Debug)]
pub(super) struct Frozen {
    _helper: Helper,
}

impl Frozen {
    /// Returns when all that was written is in the file.
    pub(super) fn new(program: &Path, root: BorrowedFd<'_>) -> io::Result<Self> {
        let mut helper = Helper::start(program, FREEZE_MARKER, Path::new(""))?;
        channel::send(&helper.control, &(), &[root])?;
        helper.answer()?;
        Ok(Self { _helper: helper })
    }
}

/// Ends when its channel does, and is waited for.
#[derive(Debug)]
struct Helper {
    control: OwnedFd,
    process: Child,
}

impl Helper {
    fn start(program: &Path, marker: &str, argument: &Path) -> io::Result<Self> {
        let (control, helpers_end) = channel::pair()?;
        rustix::io::ioctl_fionbio(&control, false)?;
        let process = Command::new(program)
            .arg(marker)
            .arg(argument)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(helpers_end))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { control, process })
    }

    fn answer(&mut self) -> io::Result<Vec<OwnedFd>> {
        let (Answer(answer), descriptors) =
            channel::receive(&self.control)?.ok_or_else(unexpected_end)?;
        answer.map_err(io::Error::from_raw_os_error)?;
        Ok(descriptors)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Fails only when the helper has closed its end.
        let _ = rustix::net::shutdown(self.control.as_fd(), rustix::net::Shutdown::Both);
        // It was not waited for yet.
        let _ = self.process.wait();
    }
}

fn unexpected_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "a helper ended before its work was done")
}
