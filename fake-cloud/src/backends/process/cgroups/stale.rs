//! The groups of clouds that were killed: their servers end within milliseconds, and then somebody
//! has to remove the groups.
//!
//! A cloud holds a lock on its groups for as long as it runs, so nobody takes those of a living one
//! for stale, however empty they are.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The servers of a killed cloud end in some milliseconds; what does not is ended.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// Makes the group of a cloud, and keeps others from removing it for as long as the result is open.
pub(super) fn hold(cloud: &Path) -> io::Result<File> {
    loop {
        fs::create_dir_all(cloud)?;
        let held = match File::open(cloud) {
            // Somebody took it for stale before it was held.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        held.lock_shared()?;
        if fs::metadata(cloud).is_ok_and(|there| is_same(&held, &there)) {
            return Ok(held);
        }
    }
}

fn is_same(held: &File, there: &fs::Metadata) -> bool {
    held.metadata().is_ok_and(|it| (it.dev(), it.ino()) == (there.dev(), there.ino()))
}

/// What a dead cloud has left.
#[derive(Debug, Default)]
pub(super) struct Remains {
    groups: Vec<PathBuf>,
    processes: Vec<OwnedFd>,
}

impl Remains {
    /// Of the clouds of a state directory, whose groups have names that begin so, in these groups of
    /// all clouds.
    pub(super) fn find(tops: &[PathBuf], prefix: &str) -> Self {
        let is_ours = |group: &PathBuf| {
            let name = group.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(prefix)
        };
        let groups = tops.iter().flat_map(|top| inner_groups(top));
        let groups: Vec<_> = groups.filter(is_ours).filter(|it| left(it).is_some()).collect();
        let listed = groups.iter().flat_map(|group| processes_in(group));
        let processes =
            listed.filter_map(|process| pidfd_open(process, PidfdFlags::empty()).ok()).collect();
        Self { groups, processes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(super) fn groups(&self) -> &[PathBuf] {
        &self.groups
    }

    /// Waits for the end of what still runs there, brings it about if need be, and removes the groups.
    pub(super) fn remove(self) {
        let deadline = Instant::now() + LAST_BREATH;
        for process in &self.processes {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(left) = Timespec::try_from(left) else { continue };
            let mut waiting = [PollFd::new(process, PollFlags::IN)];
            if !retry_on_intr(|| poll(&mut waiting, Some(&left))).is_ok_and(|ended| ended > 0) {
                let _ = pidfd_send_signal(process, Signal::KILL);
                let _ = retry_on_intr(|| poll(&mut waiting, None));
            }
        }
        self.groups.iter().for_each(|group| remove_group(group));
    }
}

/// Removes the groups of dead clouds in which nothing runs, whosoever they were.
pub(super) fn remove_idle(top: &Path) {
    for cloud in inner_groups(top) {
        // Held meanwhile: a cloud that has just made the group must notice.
        if let Some(_alone) = left(&cloud) {
            remove_group(&cloud);
        }
    }
}

/// Removes a group with all that are in it, but for those that have processes.
pub(super) fn remove_group(group: &Path) {
    inner_groups(group).for_each(|inner| remove_group(&inner));
    // What has a process stays.
    let _ = fs::remove_dir(group);
}

/// The group, if no cloud holds it.
fn left(cloud: &Path) -> Option<File> {
    File::open(cloud).ok().filter(|group| group.try_lock().is_ok())
}

fn inner_groups(group: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries.filter(|it| it.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path())
}

/// All processes in a group and those in it.
fn processes_in(group: &Path) -> Vec<Pid> {
    let listed = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let own = listed.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?));
    own.chain(inner_groups(group).flat_map(|inner| processes_in(&inner))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_living_cloud_holds_is_not_stale() {
        let top = tempfile::tempdir().unwrap();
        let tops = [top.path().to_owned()];
        let held = hold(&top.path().join("aa-1")).unwrap();
        fs::create_dir_all(top.path().join("aa-2/server/guest")).unwrap();
        fs::create_dir_all(top.path().join("bb-3/server")).unwrap();
        let remains = Remains::find(&tops, "aa-");
        assert_eq!(remains.groups(), [top.path().join("aa-2")]);
        remains.remove();
        assert!(top.path().join("aa-1").exists() && !top.path().join("aa-2").exists());
        remove_idle(top.path());
        assert!(!top.path().join("bb-3").exists());
        drop(held);
        assert_eq!(Remains::find(&tops, "").groups().len(), 1);
    }

    #[test]
    fn a_group_is_held_though_others_clean_up_when_it_is_made() {
        let top = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let clean = scope.spawn(|| {
                for _ in 0..3_000 {
                    remove_idle(top.path());
                }
            });
            for number in 0.. {
                let group = top.path().join(format!("aa-{number}"));
                let _held = hold(&group).unwrap();
                remove_idle(top.path());
                assert!(group.exists());
                if clean.is_finished() {
                    break;
                }
            }
        });
    }
}
