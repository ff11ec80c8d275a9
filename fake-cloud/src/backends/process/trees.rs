//! What a server is shown of this machine: trees of mounts that are nowhere yet, made where the
//! machine can still be seen and put in their places in the server.
//!
//! When the machine's root runs the cloud, the trees translate users: who is root in the server,
//! and nobody on the machine, owns in them what belongs to root. Only the machine's root can make
//! such, so the cloud makes them and hands them in; a server of an ordinary user makes its own.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::sys;
use crate::backends::ImageSource;
use crate::guest::Failure;
use crate::guest::order::Order;

/// The trees of one server.
#[derive(Debug)]
pub(crate) struct Trees {
    /// Its directory in the cloud's state, which it writes to.
    pub(crate) server: OwnedFd,
    /// What all servers share; of a server with this machine's system parts.
    pub(crate) base: Option<OwnedFd>,
    /// The directories among this machine's system parts, in the order's order.
    pub(crate) system: Vec<OwnedFd>,
    /// The whole root directory, if the image is one.
    pub(crate) image: Option<OwnedFd>,
    /// Files of this machine to show, in the order's order.
    pub(crate) files: Vec<OwnedFd>,
}

impl Trees {
    /// Makes them, for the users of a user namespace if need be.
    pub(crate) fn gather(
        order: &Order,
        directory: &Path,
        users: Option<BorrowedFd<'_>>,
    ) -> Result<Self, Failure> {
        let show = |path: &Path, view: fn(&Path) -> io::Result<OwnedFd>| {
            let step = Failure::step(format!("show {}", path.display()));
            let tree = view(path).and_then(|tree| {
                users.map_or(Ok(()), |users| map_users(&tree, users))?;
                Ok(tree)
            });
            tree.map_err(step)
        };
        let parts = order.system.iter().filter(|part| part.link_to.is_none());
        let system = parts.map(|part| show(&Path::new("/").join(&part.name), as_it_is));
        let (image, files, is_host): (_, &[_], _) = match &order.image {
            ImageSource::Host { extra_files } => (None, extra_files, true),
            ImageSource::Directory { path } => (Some(path), &[], false),
            ImageSource::Opaque | ImageSource::File { .. } => (None, &[], false),
        };
        Ok(Self {
            server: show(directory, as_it_is)?,
            base: is_host.then(|| show(&order.base, read_only)).transpose()?,
            system: system.collect::<Result<_, _>>()?,
            image: image.map(|path| show(path, as_it_is)).transpose()?,
            files: files
                .iter()
                .map(|(here, _)| show_file(here, users))
                .collect::<Result<_, _>>()?,
        })
    }

    /// All of them, for the way to the server.
    pub(crate) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let one = std::iter::once(&self.server);
        let all = one.chain(&self.base).chain(&self.system).chain(&self.image).chain(&self.files);
        all.map(OwnedFd::as_fd).collect()
    }

    /// Takes what [`Trees::descriptors`] gave for the same order.
    pub(crate) fn take(
        order: &Order,
        descriptors: &mut impl Iterator<Item = OwnedFd>,
    ) -> Option<Self> {
        let (is_host, is_directory, files) = match &order.image {
            ImageSource::Host { extra_files } => (true, false, extra_files.len()),
            ImageSource::Directory { .. } => (false, true, 0),
            ImageSource::Opaque | ImageSource::File { .. } => (false, false, 0),
        };
        let parts = order.system.iter().filter(|part| part.link_to.is_none()).count();
        Some(Self {
            server: descriptors.next()?,
            base: if is_host { Some(descriptors.next()?) } else { None },
            system: descriptors.by_ref().take(parts).collect(),
            image: if is_directory { Some(descriptors.next()?) } else { None },
            files: descriptors.by_ref().take(files).collect(),
        })
    }
}

/// A file of this machine; where its file system cannot translate users it belongs to nobody, but
/// can be read all the same.
fn show_file(path: &Path, users: Option<BorrowedFd<'_>>) -> Result<OwnedFd, Failure> {
    let step = Failure::step(format!("show {}", path.display()));
    let tree = read_only(path).map_err(step)?;
    if let Some(users) = users {
        let _ = map_users(&tree, users);
    }
    Ok(tree)
}

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

/// Lets the users of the namespace own in the tree what belongs to the same numbers on its disk.
pub(crate) fn map_users(tree: &OwnedFd, users: BorrowedFd<'_>) -> io::Result<()> {
    sys::map_tree_users(tree, users)
}
