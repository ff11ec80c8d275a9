//! What a cloud that was killed has left of its servers.
//!
//! Mounts and namespaces end with a server's processes, loop devices with the mounts, and those
//! processes end with their cloud: what is left is what the kernel has no reason to remove, and
//! perhaps a process that did not hear of the end.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{cgroups, state};
use crate::guest;
use crate::guest::directory::remove;

/// All of it.
#[derive(Debug)]
pub(crate) struct Remains {
    state_dir: PathBuf,
    processes: Vec<Stray>,
    groups: cgroups::Leftovers,
    /// What a cloud has in its state directory only while it runs.
    temporary: Vec<PathBuf>,
}

/// A process of a cloud that is no more.
#[derive(Debug)]
struct Stray {
    number: Pid,
    descriptor: OwnedFd,
}

impl Remains {
    /// What the cloud of a state directory has left, which does not run.
    pub(crate) fn find(state_dir: &Path) -> io::Result<Self> {
        let state_dir = state_dir.canonicalize()?;
        Ok(Self {
            processes: strays(&state_dir),
            groups: cgroups::Leftovers::find(&state_dir),
            temporary: state::temporary(&state_dir),
            state_dir,
        })
    }

    /// Each in a few words.
    pub(crate) fn list(&self) -> Vec<String> {
        let processes = self.processes.iter().map(|it| format!("process {}", it.number));
        let groups = self.groups.groups().iter();
        let groups = groups.map(|it| format!("control group {}", it.display()));
        let temporary = self.temporary.iter().map(|it| it.display().to_string());
        processes.chain(groups).chain(temporary).collect()
    }

    /// Removes it.
    pub(crate) fn remove(self) -> io::Result<()> {
        end(&self.processes);
        self.groups.remove();
        for path in &self.temporary {
            remove(path)?;
        }
        for id in state::servers(&self.state_dir).unwrap_or_default() {
            state::server(&self.state_dir, id).tidy();
        }
        Ok(())
    }
}

/// Ends the processes of an earlier cloud of a state directory.
pub(super) fn end_strays(state_dir: &Path) {
    end(&strays(state_dir));
}

/// Those that were started to serve a cloud of the state directory, and are not this one's children.
fn strays(state_dir: &Path) -> Vec<Stray> {
    let own = std::process::id();
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let stray = |number: i32| {
        let number = Pid::from_raw(number)?;
        // From here on the number is nobody else's.
        let descriptor = pidfd_open(number, PidfdFlags::empty()).ok()?;
        let arguments = fs::read(format!("/proc/{number}/cmdline")).ok()?;
        let status = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        let is_stray = serves(&arguments, state_dir) && parent(&status) != Some(own);
        is_stray.then_some(Stray { number, descriptor })
    };
    numbers.filter_map(stray).collect()
}

/// Whether a process with these arguments does something for a cloud of the state directory.
fn serves(arguments: &[u8], state_dir: &Path) -> bool {
    let mut arguments = arguments.split(|byte| *byte == 0).skip(1);
    let (Some(marker), Some(directory)) = (arguments.next(), arguments.next()) else {
        return false;
    };
    let markers = [guest::MARKER, guest::MOUNT_MARKER];
    markers.iter().any(|known| known.as_bytes() == marker)
        && Path::new(OsStr::from_bytes(directory)).starts_with(state_dir)
}

/// The parent in a line of `/proc/<number>/stat`; a name before it may have anything in it.
fn parent(status: &str) -> Option<u32> {
    status.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn end(strays: &[Stray]) {
    for stray in strays {
        tracing::info!(process = %stray.number, "ending what an earlier cloud has left");
        // It may have ended by itself.
        let _ = pidfd_send_signal(&stray.descriptor, Signal::KILL);
    }
    for stray in strays {
        let _ = retry_on_intr(|| poll(&mut [PollFd::new(&stray.descriptor, PollFlags::IN)], None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_servers_of_the_state_directory_serve_it() {
        let state = Path::new("/var/lib/cloud");
        for (arguments, expected) in [
            ("/usr/bin/fake-cloud\0fake-cloud:server\0/var/lib/cloud/servers/x\0", true),
            ("/usr/bin/fake-cloud\0fake-cloud:mount\0/var/lib/cloud/volumes/x\0", true),
            ("/usr/bin/fake-cloud\0fake-cloud:server\0/var/lib/cloud-2/servers/x\0", false),
            ("grep\0fake-cloud:server\0", false),
            ("", false),
        ] {
            assert_eq!(serves(arguments.as_bytes(), state), expected, "{arguments}");
        }
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent("4711 (a) b (c) S 42 4711 4711 0"), Some(42));
        assert_eq!(parent("4711"), None);
    }
}
