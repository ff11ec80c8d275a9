//! Where this process may make control groups, and which limits work there: a decision from what the
//! kernel tells.
//!
//! In version 1 every controller, or a few together, is a hierarchy of its own. Version 2 is one
//! hierarchy; a controller works in a group when the group above enables it, which one with
//! processes of its own cannot. Both may be there at once, and then version 2 has the controllers that
//! version 1 leaves to it, perhaps none: it still freezes.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// How a user of systemd comes by a group of their own.
const ADVICE: &str =
    "under systemd start the cloud with `systemd-run --user --scope -p Delegate=yes …`";

/// What limits or measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Controller {
    Memory,
    Processors,
    Processes,
    /// Processor time: in version 2 it is always measured.
    Accounting,
}

impl Controller {
    const ALL: [Self; 4] = [Self::Memory, Self::Processors, Self::Processes, Self::Accounting];

    /// Those that limit.
    const LIMITS: [Self; 3] = [Self::Memory, Self::Processors, Self::Processes];

    /// As the kernel calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Processors => "cpu",
            Self::Processes => "pids",
            Self::Accounting => "cpuacct",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Processors => "processors",
            Self::Processes => "the number of processes",
            Self::Accounting => "processor time",
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// A tree of groups, and where in it ours are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
    /// The group that ours are made in.
    pub(super) parent: PathBuf,
}

/// What there is for us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) hierarchies: Vec<Hierarchy>,
    /// Why there is not more.
    pub(super) refusals: Vec<String>,
}

impl Found {
    /// The limits that work.
    pub(super) fn limits(&self) -> Vec<Controller> {
        let has = |limit: &Controller| {
            self.hierarchies.iter().any(|hierarchy| hierarchy.controllers.contains(limit))
        };
        Controller::LIMITS.into_iter().filter(has).collect()
    }

    /// The limits that do not.
    pub(super) fn lacks(&self) -> Vec<Controller> {
        let limits = self.limits();
        Controller::LIMITS.into_iter().filter(|limit| !limits.contains(limit)).collect()
    }
}

/// A line of the table of mounts.
struct Mount<'a> {
    /// The part of the hierarchy that is mounted.
    root: &'a Path,
    point: &'a Path,
    kind: &'a str,
    options: Vec<&'a str>,
}

fn parse_mount(line: &str) -> Option<Mount<'_>> {
    let (left, right) = line.split_once(" - ")?;
    let (mut left, mut right) = (left.split(' ').skip(3), right.split(' '));
    Some(Mount {
        root: Path::new(left.next()?),
        point: Path::new(left.next()?),
        kind: right.next()?,
        options: right.nth(1)?.split(',').collect(),
    })
}

/// Decides by the table of mounts (`/proc/self/mountinfo`), the groups of this process
/// (`/proc/self/cgroup`), and whether it may write to a file or directory.
pub(super) fn find(mounts: &str, own: &str, may_write: &dyn Fn(&Path) -> bool) -> Found {
    let mut found = Found::default();
    for mount in mounts.lines().filter_map(parse_mount) {
        let (hierarchy, refusal) = match mount.kind {
            "cgroup" => version_one(&mount, own, may_write),
            "cgroup2" => version_two(&mount, own, may_write),
            _ => continue,
        };
        // One may be mounted in more places.
        let known =
            |hierarchy: &Hierarchy| found.hierarchies.iter().any(|it| is_same(it, hierarchy));
        let new = hierarchy.filter(|hierarchy| !known(hierarchy));
        found.hierarchies.extend(new);
        found.refusals.extend(refusal);
    }
    if found.hierarchies.is_empty() && found.refusals.is_empty() {
        found.refusals.push("no control groups are mounted".to_owned());
    }
    found
}

fn is_same(one: &Hierarchy, other: &Hierarchy) -> bool {
    (one.version, &one.controllers) == (other.version, &other.controllers)
}

/// The group of this process in the hierarchy that the line of `/proc/self/cgroup` is about, below
/// where that is mounted.
fn own_group<'a>(mount: &Mount<'_>, own: &'a str, is_line: impl Fn(&str) -> bool) -> &'a Path {
    let path = own.lines().find_map(|line| {
        let (names, path) = line.split_once(':')?.1.split_once(':')?;
        is_line(names).then_some(Path::new(path))
    });
    let path = path.unwrap_or(Path::new("/"));
    let path = path.strip_prefix(mount.root).unwrap_or(path);
    path.strip_prefix("/").unwrap_or(path)
}

/// In the group of this process, so that its limits hold for its servers too.
fn version_one(
    mount: &Mount<'_>,
    own: &str,
    may_write: &dyn Fn(&Path) -> bool,
) -> (Option<Hierarchy>, Option<String>) {
    let has = |controller: &Controller| mount.options.contains(&controller.name());
    let controllers: Vec<_> = Controller::ALL.into_iter().filter(has).collect();
    if controllers.is_empty() {
        return (None, None);
    }
    let is_line = |names: &str| names.split(',').any(|name| has_name(&controllers, name));
    let parent = mount.point.join(own_group(mount, own, is_line));
    // In a container the path may be one of the machine outside.
    let parent = if parent.exists() { parent } else { mount.point.to_owned() };
    if !may_write(&parent) {
        return (None, Some(not_ours(&parent)));
    }
    (Some(Hierarchy { version: Version::One, controllers, parent }), None)
}

fn has_name(controllers: &[Controller], name: &str) -> bool {
    controllers.iter().any(|controller| controller.name() == name)
}

/// In the nearest group above this process in which groups can be made that have limits; failing
/// that, in the nearest in which they can be made at all.
fn version_two(
    mount: &Mount<'_>,
    own: &str,
    may_write: &dyn Fn(&Path) -> bool,
) -> (Option<Hierarchy>, Option<String>) {
    let below = own_group(mount, own, str::is_empty);
    let (mut refusal, mut without_limits) = (None, None);
    for group in below.ancestors().map(|group| mount.point.join(group)) {
        let needed = ["", "cgroup.procs", "cgroup.subtree_control"];
        if !needed.iter().all(|file| may_write(&group.join(file))) {
            refusal.get_or_insert_with(|| format!("{}; {ADVICE}", not_ours(&group)));
            continue;
        }
        let words = |file: &str| fs::read_to_string(group.join(file)).unwrap_or_default();
        let known = |text: &str| -> Vec<Controller> {
            let has = |limit: &Controller| text.split_whitespace().any(|it| it == limit.name());
            Controller::LIMITS.into_iter().filter(has).collect()
        };
        // Only the root of all has no type, and may have processes beside groups with limits.
        let is_free = !group.join("cgroup.type").exists() || words("cgroup.procs").is_empty();
        let offered = known(&words("cgroup.controllers"));
        let controllers =
            if is_free { offered.clone() } else { known(&words("cgroup.subtree_control")) };
        let hierarchy = Hierarchy { version: Version::Two, controllers, parent: group };
        if !hierarchy.controllers.is_empty() {
            return (Some(hierarchy), None);
        }
        if !offered.is_empty() {
            let group = hierarchy.parent.display();
            refusal.get_or_insert_with(|| {
                format!("the control group {group} has processes of its own")
            });
        }
        without_limits.get_or_insert(hierarchy);
    }
    (without_limits, refusal)
}

fn not_ours(group: &Path) -> String {
    format!("the control group {} is not this user's", group.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up hierarchy: groups with the controllers they offer and enable, and their processes.
    struct Fixture(tempfile::TempDir);

    impl Fixture {
        fn new(groups: &[(&str, &str, &str, &str)]) -> Self {
            let fixture = Self(tempfile::tempdir().unwrap());
            for (group, offered, enabled, processes) in groups {
                let path = fixture.group(group);
                fs::create_dir_all(&path).unwrap();
                for (file, text) in [
                    ("cgroup.controllers", offered),
                    ("cgroup.subtree_control", enabled),
                    ("cgroup.procs", processes),
                ] {
                    fs::write(path.join(file), text).unwrap();
                }
                if !group.is_empty() {
                    fs::write(path.join("cgroup.type"), "domain").unwrap();
                }
            }
            fixture
        }

        fn group(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        /// What is found by a process of this group that may write below that one.
        fn find(&self, own: &str, owned: &str) -> Found {
            let mounts =
                format!("41 31 0:38 / {} rw - cgroup2 cgroup2 rw\n", self.0.path().display());
            let owned = self.group(owned);
            find(&mounts, &format!("0::/{own}\n"), &|path| path.starts_with(&owned))
        }
    }

    fn two(controllers: &[Controller], parent: PathBuf) -> Hierarchy {
        Hierarchy { version: Version::Two, controllers: controllers.to_vec(), parent }
    }

    use Controller::{Accounting, Memory, Processes, Processors};

    #[test]
    fn every_hierarchy_of_version_one_is_found_with_the_group_of_this_process() {
        let mounts = "\
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
32 31 0:29 / /groups/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
33 31 0:29 / /again/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /groups/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /groups/systemd rw,relatime - cgroup cgroup rw,name=systemd
";
        let own = "4:memory:/not-here\n1:cpu,cpuacct:/\n0::/\n";
        let one = |controllers: &[Controller], parent: &str| Hierarchy {
            version: Version::One,
            controllers: controllers.to_vec(),
            parent: parent.into(),
        };
        let found = find(mounts, own, &|_| true);
        assert_eq!(
            found.hierarchies,
            [one(&[Processors, Accounting], "/groups/cpu/"), one(&[Memory], "/groups/memory"),]
        );
        assert_eq!((found.limits(), found.lacks()), (vec![Memory, Processors], vec![Processes]));
        let none = find(mounts, own, &|_| false);
        assert!(none.hierarchies.is_empty(), "{none:?}");
        assert!(none.refusals[0].contains("/groups/cpu is not this user's"), "{none:?}");
    }

    #[test]
    fn a_user_has_limits_where_systemd_delegates() {
        let all = "cpuset cpu io memory pids";
        let fixture = Fixture::new(&[
            ("", all, all, "1\n"),
            ("user.slice", all, all, ""),
            ("user.slice/user@7", all, "memory pids", ""),
            ("user.slice/user@7/app.slice", "memory pids", "", ""),
            ("user.slice/user@7/app.slice/run.scope", "", "", "77\n78\n"),
            ("user.slice/session-3.scope", "memory", "", "99\n"),
        ]);
        let app = "user.slice/user@7/app.slice";
        let found = fixture.find(&format!("{app}/run.scope"), "user.slice/user@7");
        assert_eq!(found.hierarchies, [two(&[Memory, Processes], fixture.group(app))]);
        assert_eq!(found.lacks(), [Processors]);

        let found = fixture.find("user.slice/session-3.scope", "user.slice/user@7");
        assert_eq!(found.hierarchies, []);
        assert!(
            found.refusals[0].contains("session-3.scope is not this user's; under systemd"),
            "{found:?}"
        );
    }

    #[test]
    fn root_has_them_in_the_nearest_group_that_has_no_processes_of_its_own() {
        let all = "cpu memory pids";
        let limits = [Memory, Processors, Processes];
        let fixture = Fixture::new(&[
            ("", all, all, "1\n2\n"),
            ("system.slice", all, "memory pids", ""),
            ("system.slice/ssh.service", "memory pids", "", "55\n56\n"),
        ]);
        let found = fixture.find("system.slice/ssh.service", "");
        assert_eq!(found.hierarchies, [two(&limits, fixture.group("system.slice"))]);
        let found = fixture.find("", "");
        assert_eq!(found.hierarchies, [two(&limits, fixture.group(""))]);
    }

    #[test]
    fn a_group_that_is_all_there_is_and_has_processes_can_only_freeze() {
        let fixture = Fixture::new(&[("", "cpu memory pids", "", "1\n9\n")]);
        fs::write(fixture.group("cgroup.type"), "domain").unwrap();
        let found = fixture.find("", "");
        assert_eq!(found.hierarchies, [two(&[], fixture.group(""))]);
        assert_eq!(found.lacks(), Controller::LIMITS);
        assert!(found.refusals[0].contains("has processes of its own"), "{found:?}");
    }

    #[test]
    fn beside_version_one_it_can_only_freeze() {
        let fixture = Fixture::new(&[("", "hugetlb", "", "1\n")]);
        assert_eq!(fixture.find("", "").hierarchies, [two(&[], fixture.group(""))]);
    }
}
