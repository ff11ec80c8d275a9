//! Waiting for a file to grow: the kernel says when.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};

/// Tells when something happened to a file.
pub(super) struct Growth {
    watch: OwnedFd,
}

impl Growth {
    /// Watches the directory: the file may be put aside and begun anew.
    pub(super) fn watch(path: &Path) -> io::Result<Self> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let watch = inotify::init(CreateFlags::CLOEXEC)?;
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        inotify::add_watch(&watch, directory, flags)?;
        Ok(Self { watch })
    }

    /// Waits until something happened.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        Reader::new(&self.watch, &mut buffer).next()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_wakes_the_reader() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.log");
        let mut growth = Growth::watch(&path).unwrap();
        std::fs::write(&path, "one\n").unwrap();
        growth.wait().unwrap();
    }
}
