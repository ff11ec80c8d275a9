//! Tells when a server runs out of memory.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::event::{EventfdFlags, eventfd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::hierarchies::Version;
use crate::backends::process::sys;

/// What the kernel does when a server needs more memory than it may have: it kills one of its
/// processes.
#[derive(Debug)]
pub(in crate::backends::process) struct MemoryEvents(Source);

#[derive(Debug)]
enum Source {
    /// Counts up.
    One {
        counter: AsyncFd<OwnedFd>,
        /// Kept open: it is what the counter is about.
        _control: File,
    },
    /// A file that changes.
    Two { file: AsyncFd<OwnedFd>, killed: u64 },
}

impl MemoryEvents {
    pub(super) fn of(version: Version, group: &Path) -> io::Result<Self> {
        match version {
            Version::One => {
                let control = File::open(group.join("memory.oom_control"))?;
                let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
                let line = format!("{} {}", counter.as_raw_fd(), control.as_raw_fd());
                fs::write(group.join("cgroup.event_control"), line)?;
                let counter = sys::watch(counter, Interest::READABLE)?;
                Ok(Self(Source::One { counter, _control: control }))
            }
            Version::Two => {
                let file = File::open(group.join("memory.events"))?;
                let file = sys::watch(file.into(), Interest::PRIORITY)?;
                Ok(Self(Source::Two { file, killed: 0 }))
            }
        }
    }

    /// Returns when it has happened (again), or fails when nobody will tell any more.
    pub(in crate::backends::process) async fn next(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Source::One { counter, .. } => loop {
                let mut ready = counter.readable().await?;
                let mut count = [0; 8];
                if let Ok(read) = ready.try_io(|it| Ok(rustix::io::read(it, &mut count)?)) {
                    return read.map(drop);
                }
            },
            Source::Two { file, killed } => loop {
                let mut ready = file.ready(Interest::PRIORITY).await?;
                ready.clear_ready();
                let mut text = [0; 512];
                let length = rustix::io::pread(file.get_ref(), &mut text, 0)?;
                let now = count_of(&String::from_utf8_lossy(&text[..length]));
                if std::mem::replace(killed, now) < now {
                    return Ok(());
                }
            },
        }
    }
}

/// How often the kernel has killed a process, in `memory.events`.
fn count_of(events: &str) -> u64 {
    let count = |line: &str| line.strip_prefix("oom_kill ")?.parse().ok();
    events.lines().find_map(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kills_count() {
        assert_eq!(count_of("low 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n"), 2);
        assert_eq!(count_of(""), 0);
    }
}
