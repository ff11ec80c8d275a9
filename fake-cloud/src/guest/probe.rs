//! Tries what servers need of this machine, in a process of its own that then ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::order::{Command, Isolation, Report, Trial};
use super::{Failure, channel, launch, root};
use crate::backends::process::{seccomp, sys};

/// Goes the way of a server as far as it leads; returns the exit code.
pub(super) fn run(directory: &Path) -> i32 {
    let Ok(control) = launch::take_control() else { return 1 };
    match start(&control) {
        Ok(sys::Clone::Caller(process)) => {
            i32::from(channel::send(&control, &Report::Forked, &[process.as_fd()]).is_err())
        }
        Ok(sys::Clone::New) => i32::from(try_all(directory, &control).is_err()),
        Err(failure) => {
            launch::report_failure(&control, &failure, true);
            1
        }
    }
}

fn start(control: &OwnedFd) -> Result<sys::Clone, Failure> {
    sys::unshare(launch::NAMESPACES).map_err(Failure::step("create namespaces"))?;
    launch::proceed(control)?;
    sys::clone_sibling(None).map_err(Failure::step("fork the first process"))
}

fn try_all(directory: &Path, control: &OwnedFd) -> io::Result<()> {
    let tell = |trial, refused: Option<String>| {
        channel::send(control, &Report::Tried { trial, refused }, &[])
    };
    match root::try_namespaces() {
        Ok(()) => tell(Trial::Namespaces, None)?,
        Err(failure) => {
            launch::report_failure(control, &failure, true);
            return Ok(());
        }
    }
    let overlay = root::try_overlay(directory);
    tell(
        Trial::Overlay,
        overlay.err().map(|error| format!("overlay mounts are refused: {error}")),
    )?;
    let listener = seccomp::install(Isolation::Namespaces);
    let refused = listener.as_ref().err().map(|error| format!("seccomp is refused: {error}"));
    tell(Trial::Localhost, refused)?;
    channel::send(control, &Report::Running { without: vec![] }, &[])?;
    // The cloud has a look at this process meanwhile.
    let _ = channel::receive::<Command>(control)?;
    Ok(())
}
