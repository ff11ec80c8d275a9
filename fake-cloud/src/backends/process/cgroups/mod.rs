//! Control groups: limits of memory, processors and processes, a freezer, and what servers use.
//!
//! ```text
//!  <parent>/fake-cloud/<cloud>/<server>        the limits of a server
//!                                     /guest   its processes; version 2 only, where init leaves it
//!                                              before the others are frozen
//! ```
//!
//! A server's first process enters by itself: the kernel holds up all processes of the machine for
//! some milliseconds to move one that is not born there.

mod hierarchies;
mod memory_events;
mod stale;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, Mode, OFlags};
use rustix::io::retry_on_intr;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::backends::Usage;
use crate::guest::order::Entrance;
use hierarchies::{Controller, Found, Hierarchy, Version};
pub(super) use memory_events::MemoryEvents;
use stale::Remains;

/// The group of all clouds.
const TOP: &str = "fake-cloud";

/// The group of a server's processes, in version 2.
const GUEST: &str = "guest";

/// The file that freezes.
const FREEZER: &str = "cgroup.freeze";

/// More than any server needs, and too few to hurt the machine.
const MOST_PROCESSES: u32 = 8192;

/// After how long processor time is counted anew, in microseconds: who has used up its own stands still
/// until then, and whoever waits for an answer with it.
const PERIOD: u64 = 10_000;

/// How long to wait until all processes of a server stand still: one that the kernel is at work for
/// stands still only when it is done, and changes nothing meanwhile.
const FREEZING: Duration = Duration::from_millis(500);

/// What a server may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) vcpus: u32,
    pub(super) memory_mib: u64,
}

/// Where the groups of this cloud's servers are made.
#[derive(Debug)]
pub(super) struct Groups {
    hierarchies: Vec<Hierarchy>,
    /// Tells the clouds of this machine apart, and the times they ran.
    cloud: String,
    /// What servers have to do without.
    lack: Option<String>,
    /// Say that the cloud lives.
    _held: Vec<File>,
}

/// The groups of one server; removed when dropped, which must be after the server has ended.
#[derive(Debug)]
pub(super) struct Group {
    hierarchies: Vec<Hierarchy>,
    /// Path below each hierarchy.
    path: PathBuf,
    quota: Quota,
    /// What the server has to do without.
    lack: Option<String>,
}

/// What a process needs to enter the groups of its server.
#[derive(Debug, Default)]
pub(super) struct Entrances(Vec<(Entrance, OwnedFd)>);

impl Entrances {
    /// What each of them is.
    pub(super) fn kinds(&self) -> Vec<Entrance> {
        self.0.iter().map(|(kind, _)| *kind).collect()
    }

    /// In the same order.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(|(_, descriptor)| descriptor.as_fd())
    }
}

/// What the names of a cloud's groups begin with.
fn prefix_of(state_dir: &Path) -> String {
    let digest = Sha256::digest(state_dir.as_os_str().as_encoded_bytes());
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{digest}-")
}

fn tops(hierarchies: &[Hierarchy]) -> Vec<PathBuf> {
    hierarchies.iter().map(|it| it.parent.join(TOP)).collect()
}

/// What a killed cloud has left of its groups.
#[derive(Debug)]
pub(super) struct Leftovers(Remains);

impl Leftovers {
    /// Of the cloud of a state directory, which does not run.
    pub(super) fn find(state_dir: &Path) -> Self {
        Self(Remains::find(&tops(&find().hierarchies), &prefix_of(state_dir)))
    }

    pub(super) fn groups(&self) -> &[PathBuf] {
        self.0.groups()
    }

    /// Removes them when what runs in them has ended.
    pub(super) fn remove(self) {
        self.0.remove();
        tops(&find().hierarchies).iter().for_each(|top| remove_top(top));
    }
}

/// Lets the limits of version 2 work in the groups of a cloud's servers.
fn enable(hierarchy: &Hierarchy, cloud: &Path) -> io::Result<()> {
    if hierarchy.version == Version::One || hierarchy.controllers.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = hierarchy.controllers.iter().map(|it| format!("+{}", it.name())).collect();
    let levels: Vec<_> = cloud.ancestors().take(3).collect();
    for level in levels.into_iter().rev() {
        fs::write(level.join("cgroup.subtree_control"), names.join(" "))?;
    }
    Ok(())
}

fn remove_top(top: &Path) {
    stale::remove_idle(top);
    // It stays as long as another cloud uses it.
    let _ = fs::remove_dir(top);
}

impl Groups {
    /// Finds the hierarchies that we may use and removes what a killed predecessor left there.
    pub(super) fn open(state_dir: &Path) -> Self {
        let found = find();
        let prefix = prefix_of(state_dir);
        let tops = tops(&found.hierarchies);
        tops.iter().for_each(|top| stale::remove_idle(top));
        let remains = Remains::find(&tops, &prefix);
        if !remains.is_empty() {
            let remove = move || remains.remove();
            // Without a thread for it the next start removes them.
            let _ = std::thread::Builder::new().name("groups".into()).spawn(remove);
        }
        let cloud = format!("{prefix}{}", Uuid::new_v4().simple());
        let mut held = vec![];
        for hierarchy in &found.hierarchies {
            let group = hierarchy.parent.join(TOP).join(&cloud);
            match stale::hold(&group).and_then(|it| enable(hierarchy, &group).map(|()| it)) {
                Ok(lock) => held.push(lock),
                Err(error) => tracing::warn!(group = %group.display(), %error, "no control groups"),
            }
        }
        Self { lack: lack(&found), hierarchies: found.hierarchies, cloud, _held: held }
    }

    /// The groups of a server; they are made when it starts.
    pub(super) fn group(&self, id: Uuid, quota: Quota) -> Group {
        let path = Path::new(TOP).join(&self.cloud).join(id.to_string());
        Group { hierarchies: self.hierarchies.clone(), path, quota, lack: self.lack.clone() }
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for top in tops(&self.hierarchies) {
            stale::remove_group(&top.join(&self.cloud));
            // It stays as long as another cloud uses it.
            let _ = fs::remove_dir(top);
        }
    }
}

impl Group {
    /// What the server has to do without, if anything.
    pub(super) fn lack(&self) -> Option<&str> {
        self.lack.as_deref()
    }

    /// Makes the groups and sets their limits. They are a comfort: what is refused is left out.
    pub(super) fn make(&self) -> Entrances {
        let make = |hierarchy: &Hierarchy| {
            self.make_in(hierarchy)
                .inspect_err(|error| tracing::debug!(?hierarchy, %error, "a limit is left out"))
                .ok()
        };
        Entrances(self.hierarchies.iter().filter_map(make).collect())
    }

    fn make_in(&self, hierarchy: &Hierarchy) -> io::Result<(Entrance, OwnedFd)> {
        let group = self.of(hierarchy);
        let entered = match hierarchy.version {
            Version::One => group.clone(),
            Version::Two => group.join(GUEST),
        };
        fs::create_dir_all(&entered)?;
        for (file, value) in settings(hierarchy, self.quota) {
            fs::write(group.join(file), value)?;
        }
        for (file, value) in without_swap(hierarchy, self.quota) {
            // Where there is none nobody counts it.
            let _ = fs::write(group.join(file), value);
        }
        match hierarchy.version {
            Version::One => {
                let tasks = File::options().write(true).open(entered.join("tasks"))?;
                Ok((Entrance::Tasks, tasks.into()))
            }
            Version::Two => {
                let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
                Ok((Entrance::Group, rustix::fs::open(entered, flags, Mode::empty())?))
            }
        }
    }

    fn of(&self, hierarchy: &Hierarchy) -> PathBuf {
        hierarchy.parent.join(&self.path)
    }

    /// The groups in a hierarchy of version 2.
    fn unified(&self) -> Option<PathBuf> {
        let unified = self.hierarchies.iter().find(|it| it.version == Version::Two)?;
        Some(self.of(unified))
    }

    /// The group that has a controller, and of which version it is.
    fn with(&self, controller: Controller) -> Option<(Version, PathBuf)> {
        let has = |it: &&Hierarchy| it.controllers.contains(&controller);
        let hierarchy = self.hierarchies.iter().find(has)?;
        Some((hierarchy.version, self.of(hierarchy)))
    }

    /// Freezes every process but init, who has to listen to the cloud; `false` where there is no
    /// freezer. Not the one of version 1: what that freezes cannot even be killed, so a killed cloud
    /// would leave it.
    pub(super) fn freeze(&self, init: u32) -> io::Result<bool> {
        let Some(group) = self.unified() else { return Ok(false) };
        let guest = group.join(GUEST);
        if !guest.join(FREEZER).exists() {
            return Ok(false);
        }
        fs::write(group.join("cgroup.procs"), init.to_string())?;
        fs::write(guest.join(FREEZER), "1")?;
        wait_until_frozen(&guest.join("cgroup.events"))?;
        Ok(true)
    }

    /// Lets what is frozen go on.
    pub(super) fn thaw(&self) -> io::Result<()> {
        match self.unified() {
            Some(group) => fs::write(group.join(GUEST).join(FREEZER), "0"),
            None => Ok(()),
        }
    }

    /// Tells when the server runs out of memory, where it has a limit.
    pub(super) fn memory_events(&self) -> Option<MemoryEvents> {
        let (version, group) = self.with(Controller::Memory)?;
        MemoryEvents::of(version, &group)
            .inspect_err(|error| tracing::debug!(%error, "nobody tells when memory runs out"))
            .ok()
    }

    /// What the server uses now, but for its disk.
    pub(super) fn usage(&self) -> Usage {
        let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let file = |controller, one: &str, two: &str| {
            let (version, group) = self.with(controller)?;
            number(group.join(if version == Version::One { one } else { two }))
        };
        let accounted = self.with(Controller::Accounting);
        let measured = accounted.and_then(|(_, group)| number(group.join("cpuacct.usage")));
        let told = || {
            let text = fs::read_to_string(self.unified()?.join("cpu.stat")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("usage_usec "))?;
            Some(line.parse::<u64>().ok()? * 1000)
        };
        Usage {
            memory_bytes: file(Controller::Memory, "memory.usage_in_bytes", "memory.current"),
            processor_nanoseconds: measured.or_else(told),
            disk_bytes: None,
            processes: file(Controller::Processes, "pids.current", "pids.current"),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for hierarchy in &self.hierarchies {
            // If a process got away, the next start of a cloud removes it.
            stale::remove_group(&self.of(hierarchy));
        }
    }
}

fn wait_until_frozen(events: &Path) -> io::Result<()> {
    let file = File::open(events)?;
    let deadline = Instant::now() + FREEZING;
    loop {
        let text = fs::read_to_string(events)?;
        let left = deadline.saturating_duration_since(Instant::now());
        if text.lines().any(|line| line == "frozen 1") || left.is_zero() {
            return Ok(());
        }
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut waiting = [PollFd::new(&file, PollFlags::PRI)];
        retry_on_intr(|| poll(&mut waiting, Some(&left)))?;
        // What was told is told again only after it was read.
        let _ = rustix::io::pread(&file, &mut [0; 64], 0)?;
    }
}

/// The files to write in a new group.
fn settings(hierarchy: &Hierarchy, quota: Quota) -> Vec<(&'static str, String)> {
    let bytes = (quota.memory_mib << 20).to_string();
    let time = u64::from(quota.vcpus.max(1)) * PERIOD;
    let setting = |controller: &Controller| match (hierarchy.version, controller) {
        (Version::One, Controller::Memory) => vec![("memory.limit_in_bytes", bytes.clone())],
        (Version::Two, Controller::Memory) => vec![("memory.max", bytes.clone())],
        (Version::One, Controller::Processors) => {
            vec![("cpu.cfs_period_us", PERIOD.to_string()), ("cpu.cfs_quota_us", time.to_string())]
        }
        (Version::Two, Controller::Processors) => vec![("cpu.max", format!("{time} {PERIOD}"))],
        (_, Controller::Processes) => vec![("pids.max", MOST_PROCESSES.to_string())],
        (_, Controller::Accounting) => vec![],
    };
    hierarchy.controllers.iter().flat_map(setting).collect()
}

/// A server that is out of memory must not go on in the machine's swap space.
fn without_swap(hierarchy: &Hierarchy, quota: Quota) -> Vec<(&'static str, String)> {
    match hierarchy.version {
        _ if !hierarchy.controllers.contains(&Controller::Memory) => vec![],
        Version::One => {
            vec![("memory.memsw.limit_in_bytes", (quota.memory_mib << 20).to_string())]
        }
        Version::Two => vec![("memory.swap.max", "0".to_owned())],
    }
}

/// The hierarchies that we may make groups in.
fn find() -> Found {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let may_write = |path: &Path| rustix::fs::access(path, Access::WRITE_OK).is_ok();
    hierarchies::find(&text("/proc/self/mountinfo"), &text("/proc/self/cgroup"), &may_write)
}

/// What servers have to do without, and why.
fn lack(found: &Found) -> Option<String> {
    let lacks = found.lacks();
    if lacks.is_empty() {
        return None;
    }
    let reason = found.refusals.first().map_or("this machine does not offer them", String::as_str);
    Some(format!("limits of {} ({reason})", listed(&lacks)))
}

fn listed(controllers: &[Controller]) -> String {
    let names: Vec<_> = controllers.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => names.concat(),
    }
}

/// What limits servers have here, and what they lack.
pub(super) fn probe() -> (String, Option<String>) {
    let found = find();
    (listed(&found.limits()), lack(&found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchy(version: Version, controller: Controller) -> Hierarchy {
        Hierarchy { version, controllers: vec![controller], parent: PathBuf::new() }
    }

    #[test]
    fn a_quota_is_written_in_the_units_of_the_kernel() {
        let quota = Quota { vcpus: 2, memory_mib: 3 };
        for (version, controller, expected) in [
            (Version::One, Controller::Memory, ("memory.limit_in_bytes", "3145728")),
            (Version::Two, Controller::Memory, ("memory.max", "3145728")),
            (Version::One, Controller::Processors, ("cpu.cfs_quota_us", "20000")),
            (Version::Two, Controller::Processors, ("cpu.max", "20000 10000")),
            (Version::Two, Controller::Processes, ("pids.max", "8192")),
        ] {
            let (file, value) = expected;
            let settings = settings(&hierarchy(version, controller), quota);
            assert!(settings.contains(&(file, value.to_owned())), "{settings:?}");
        }
        let none = settings(
            &hierarchy(Version::Two, Controller::Processors),
            Quota { vcpus: 0, memory_mib: 3 },
        );
        assert_eq!(none, [("cpu.max", "10000 10000".to_owned())], "no server stands still");
    }

    #[test]
    fn what_is_missing_is_named_with_the_reason() {
        let two = Hierarchy {
            version: Version::Two,
            controllers: vec![Controller::Memory],
            parent: PathBuf::new(),
        };
        let found = Found { hierarchies: vec![two], refusals: vec!["it is not ours".to_owned()] };
        let lack = lack(&found).unwrap();
        let expected = "limits of processors and the number of processes (it is not ours";
        assert!(lack.starts_with(expected), "{lack}");
    }
}
