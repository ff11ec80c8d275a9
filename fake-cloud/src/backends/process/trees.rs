//! Trees of mounts that are nowhere yet: what a server is shown of this machine, before it has its
//! place in the server.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::sys;

/// A file or a directory as it is, without what is mounted below it.
pub(crate) fn as_it_is(source: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    Ok(open_tree(CWD, source, flags)?)
}

/// A read-only view of a file or a directory, with all that is mounted below it.
pub(crate) fn read_only(source: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, source, flags)?;
    sys::set_tree_read_only(tree.as_fd())?;
    Ok(tree)
}
