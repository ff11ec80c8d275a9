//! Limits of memory, processors and processes, by control groups where the machine allows.
//!
//! Every server has a group `fake-cloud/<cloud>/<server>` in each hierarchy that has a controller
//! we use: version 1 has one hierarchy a controller, version 2 one for all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// More than any server needs, and too few to hurt the machine.
const MOST_PROCESSES: u32 = 8192;

/// The servers of a killed cloud end in some milliseconds.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// Share of a second after which processor time is counted anew, in microseconds.
const PERIOD: u64 = 100_000;

/// What a server may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) vcpus: u32,
    pub(super) memory_mib: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Memory,
    Processors,
    Processes,
    /// All of them, in version 2.
    Unified,
}

/// A tree of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    kind: Kind,
    /// The group that ours are made in.
    parent: PathBuf,
}

/// Where the groups of this cloud's servers are made.
#[derive(Debug)]
pub(super) struct Limits {
    hierarchies: Vec<Hierarchy>,
    /// Tells the clouds of this machine apart.
    cloud: String,
}

/// The groups of one server; removed when dropped, which must be after the server has ended.
#[derive(Debug)]
pub(super) struct Group {
    hierarchies: Vec<Hierarchy>,
    /// Path below each hierarchy.
    path: PathBuf,
    quota: Quota,
}

impl Limits {
    /// Finds the hierarchies that we may use and removes what a killed predecessor left there.
    pub(super) fn open(state_dir: &Path) -> Self {
        let digest = Sha256::digest(state_dir.as_os_str().as_encoded_bytes());
        let cloud = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let limits = Self { hierarchies: usable().unwrap_or_default(), cloud };
        let tops: Vec<_> = limits.hierarchies.iter().map(|it| it.parent.join(TOP)).collect();
        tops.iter().for_each(|top| remove_stale(top));
        if tops.iter().any(|top| top.join(&limits.cloud).exists()) {
            remove_when_ended(tops, limits.cloud.clone());
        }
        limits
    }

    /// The groups of a server; they are made when its first process is added.
    pub(super) fn group(&self, id: Uuid, quota: Quota) -> Group {
        let path = Path::new(TOP).join(&self.cloud).join(id.to_string());
        Group { hierarchies: self.hierarchies.clone(), path, quota }
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        for hierarchy in &self.hierarchies {
            let top = hierarchy.parent.join(TOP);
            // The upper one stays as long as another cloud uses it.
            let _ = fs::remove_dir(top.join(&self.cloud)).and_then(|()| fs::remove_dir(top));
        }
    }
}

impl Group {
    /// Puts a process, and all it will start, under the limits. They are a comfort: what is
    /// refused is left out.
    pub(super) fn add(&self, process: u32) {
        for hierarchy in &self.hierarchies {
            let added = self.add_to(hierarchy, process).or_else(|error| match error.kind() {
                // Another cloud took the new, still empty group for a stale one.
                io::ErrorKind::NotFound => self.add_to(hierarchy, process),
                _ => Err(error),
            });
            if let Err(error) = added {
                tracing::debug!(?hierarchy, %error, "a limit is left out");
            }
        }
    }

    fn add_to(&self, hierarchy: &Hierarchy, process: u32) -> io::Result<()> {
        let group = hierarchy.parent.join(&self.path);
        fs::create_dir_all(&group)?;
        if hierarchy.kind == Kind::Unified {
            let above = group.ancestors().skip(1).take(3).collect::<Vec<_>>();
            for level in above.into_iter().rev() {
                fs::write(level.join("cgroup.subtree_control"), "+memory +cpu +pids")?;
            }
        }
        for (file, value) in settings(hierarchy.kind, self.quota) {
            fs::write(group.join(file), value)?;
        }
        fs::write(group.join("cgroup.procs"), process.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for hierarchy in &self.hierarchies {
            // If a process got away, the next start of a cloud removes it.
            let _ = fs::remove_dir(hierarchy.parent.join(&self.path));
        }
    }
}

const TOP: &str = "fake-cloud";

/// Removes what is left of a cloud that was killed just now when its servers have ended too.
fn remove_when_ended(tops: Vec<PathBuf>, cloud: String) {
    let deadline = Instant::now() + LAST_BREATH;
    let work = move || {
        for top in tops {
            wait_for_end(&top.join(&cloud), deadline);
            remove_stale(&top);
        }
    };
    // Without a thread for it the next start removes them.
    let _ = std::thread::Builder::new().name("groups".into()).spawn(work);
}

/// Waits for what runs in the groups of a cloud.
fn wait_for_end(cloud: &Path, deadline: Instant) {
    for group in fs::read_dir(cloud).into_iter().flatten().flatten() {
        let processes = fs::read_to_string(group.path().join("cgroup.procs")).unwrap_or_default();
        for process in processes.split_whitespace() {
            let process = process.parse().ok().and_then(Pid::from_raw);
            let Some(Ok(process)) = process.map(|it| pidfd_open(it, PidfdFlags::empty())) else {
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(left) = Timespec::try_from(left) else { continue };
            // One that stays is left to the next start.
            let _ =
                retry_on_intr(|| poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)));
        }
    }
}

/// Removes the groups of clouds that were killed, this one or another.
fn remove_stale(top: &Path) {
    let groups = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    for cloud in groups(top) {
        for group in groups(&cloud.path()) {
            // What is no group, or has a process, stays.
            let _ = fs::remove_dir(group.path());
        }
        let _ = fs::remove_dir(cloud.path());
    }
}

/// The files to write in a new group.
fn settings(kind: Kind, quota: Quota) -> Vec<(&'static str, String)> {
    let bytes = (quota.memory_mib << 20).to_string();
    let time = u64::from(quota.vcpus.max(1)) * PERIOD;
    match kind {
        Kind::Memory => vec![("memory.limit_in_bytes", bytes)],
        Kind::Processors => {
            vec![("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", time.to_string())]
        }
        Kind::Processes => vec![("pids.max", MOST_PROCESSES.to_string())],
        Kind::Unified => vec![
            ("memory.max", bytes),
            ("cpu.max", format!("{time} {PERIOD}")),
            ("pids.max", MOST_PROCESSES.to_string()),
        ],
    }
}

/// The hierarchies that we may make groups in; an error says why there is none.
fn usable() -> io::Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let mut refused =
        io::Error::new(io::ErrorKind::NotFound, "no hierarchy with limits is mounted");
    let mut found = vec![];
    for hierarchy in hierarchies(&mounts, &own) {
        let controllers = fs::read_to_string(hierarchy.parent.join("cgroup.controllers"));
        if hierarchy.kind == Kind::Unified
            && !controllers.is_ok_and(|names| names.split_whitespace().any(|name| name == "memory"))
        {
            continue;
        }
        let probe = hierarchy.parent.join(format!("{TOP}-{}", Uuid::new_v4().simple()));
        match fs::create_dir(&probe).and_then(|()| fs::remove_dir(&probe)) {
            Ok(()) => found.push(hierarchy),
            Err(error) => refused = error,
        }
    }
    if found.is_empty() { Err(refused) } else { Ok(found) }
}

/// Whether limits work here: an error says why not.
pub(super) fn probe() -> io::Result<()> {
    usable().map(drop)
}

/// The hierarchies in the table of mounts, each with the group that this process is in, so that
/// limits of this process hold for its servers too.
fn hierarchies(mounts: &str, own: &str) -> Vec<Hierarchy> {
    let mut found = vec![];
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (Some(mount), Some(kind), Some(options)) =
            (left.split(' ').nth(4), right.split(' ').next(), right.split(' ').nth(2))
        else {
            continue;
        };
        let options: Vec<_> = options.split(',').collect();
        let kind = match kind {
            // The processes of a group cannot have groups beside them, so not in our own.
            "cgroup2" => {
                found.push(Hierarchy { kind: Kind::Unified, parent: mount.into() });
                continue;
            }
            "cgroup" if options.contains(&"memory") => Kind::Memory,
            "cgroup" if options.contains(&"cpu") => Kind::Processors,
            "cgroup" if options.contains(&"pids") => Kind::Processes,
            _ => continue,
        };
        let inside = own.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (names, path) = rest.split_once(':')?;
            names.split(',').any(|name| options.contains(&name) && !name.is_empty()).then_some(path)
        });
        let parent = Path::new(mount).join(inside.unwrap_or("/").trim_start_matches('/'));
        // In a container the path may be one of the machine outside.
        let parent = if parent.exists() { parent } else { mount.into() };
        found.push(Hierarchy { kind, parent });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_found_in_the_table_of_mounts() {
        let mounts = "\
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
32 31 0:29 / /groups/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /groups/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /groups/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /groups/unified rw,relatime - cgroup2 cgroup2 rw
";
        let own = "4:memory:/not-here\n1:cpu,cpuacct:/\n0::/\n";
        let hierarchy = |kind, parent: &str| Hierarchy { kind, parent: parent.into() };
        assert_eq!(
            hierarchies(mounts, own),
            [
                hierarchy(Kind::Processors, "/groups/cpu/"),
                hierarchy(Kind::Memory, "/groups/memory"),
                hierarchy(Kind::Unified, "/groups/unified"),
            ]
        );
    }

    #[test]
    fn a_quota_is_written_in_the_units_of_the_kernel() {
        let quota = Quota { vcpus: 2, memory_mib: 3 };
        assert_eq!(
            settings(Kind::Memory, quota),
            [("memory.limit_in_bytes", "3145728".to_owned())]
        );
        assert!(settings(Kind::Unified, quota).contains(&("cpu.max", "200000 100000".to_owned())));
        let none = Quota { vcpus: 0, ..quota };
        assert!(
            settings(Kind::Processors, none).contains(&("cpu.cfs_quota_us", "100000".to_owned())),
            "no server stands still"
        );
    }
}
