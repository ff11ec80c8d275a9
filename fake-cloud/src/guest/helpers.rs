//! Errands of the cloud that need a process of their own.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use super::channel;
use super::launch::{self, take_control};
use super::order::Answer;
use crate::backends::process::{sys, trees};

/// Hands out a mount of a directory for a cloud that may not mount anything itself: an ordinary user
/// may in namespaces of their own. Returns the exit code.
pub(super) fn mount(directory: &Path) -> i32 {
    let Ok(control) = take_control() else { return 1 };
    let mount = sys::unshare(launch::MOUNTS).and_then(|()| trees::as_it_is(directory));
    i32::from(answer(&control, &mount).is_err())
}

/// Keeps a file system still until the channel closes, be it because the cloud was killed. Returns
/// the exit code.
pub(super) fn freeze() -> i32 {
    let Ok(control) = take_control() else { return 1 };
    let Ok(Some(((), descriptors))) = channel::receive::<()>(&control) else { return 1 };
    let Some(root) = descriptors.first() else { return 1 };
    let frozen = sys::freeze(root);
    let told = answer(&control, &frozen.as_ref().map(|()| root.as_fd()));
    if frozen.is_ok() {
        if told.is_ok() {
            // Nothing more is said.
            let _ = channel::receive::<()>(&control);
        }
        let _ = sys::thaw(root);
    }
    0
}

fn answer<F: std::os::fd::AsFd, E: std::borrow::Borrow<io::Error>>(
    control: &OwnedFd,
    result: &Result<F, E>,
) -> io::Result<()> {
    let number = |error: &E| error.borrow().raw_os_error().unwrap_or(libc::EIO);
    let descriptors: Vec<_> = result.iter().map(F::as_fd).collect();
    channel::send(control, &Answer(result.as_ref().map(drop).map_err(number)), &descriptors)
}
