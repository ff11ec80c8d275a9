//! The process table: who belongs to which program.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use rustix::process::Pid;

/// Marks a program and its descendants.
pub(super) const VARIABLE: &str = "NUTSHELL_PROGRAM";
/// `$0` of the shell above each program.
pub(super) const SHELL_NAME: &str = "nutshell-program";

/// The shell above the program with this marker.
pub(super) fn shell(marker: &str) -> Option<Pid> {
    marked(marker).into_iter().find(|pid| {
        // A child of the shell looks like it for the instant before it becomes the program.
        session(*pid) == Some(*pid)
            && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                line.split(|byte| *byte == 0).any(|word| word == SHELL_NAME.as_bytes())
            })
    })
}

/// All processes of a program except the shell above it. While that lives, they are its descendants
/// (it adopts those whose parents ended), whatever they did to session and environment.
pub(super) fn members(marker: &str, shell: Pid) -> Vec<Pid> {
    let table: Vec<Entry> = processes().filter_map(Entry::read).collect();
    let mut members = Vec::new();
    if table.iter().any(|entry| entry.pid == shell && entry.session == Some(shell)) {
        members = descendants(&table, shell);
        members.extend(table.iter().filter(|one| one.session == Some(shell)).map(|one| one.pid));
    }
    members.extend(marked(marker));
    let mut seen = HashSet::from([shell]);
    members.retain(|pid| seen.insert(*pid));
    members
}

/// The processes of a session that run this executable.
pub(super) fn of_session(session: Pid, executable: &Path) -> Vec<Pid> {
    let executable = fs::canonicalize(executable).unwrap_or_else(|_| executable.to_owned());
    let table = processes().filter_map(Entry::read).filter(|one| one.session == Some(session));
    let runs_it =
        |pid: &Pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == executable);
    table.map(|entry| entry.pid).filter(runs_it).collect()
}

/// How long programs have kept processors busy, in the kernel's ticks, by the sessions that they were
/// started in: all processes of the session or below its first one, with those of their children that
/// have ended. Some daemons begin a session of their own.
pub(super) fn ticks(sessions: &[i32]) -> BTreeMap<i32, u64> {
    let table: Vec<Entry> = processes().filter_map(Entry::read).collect();
    let used = |session: &i32| {
        let first = Pid::from_raw(*session)?;
        let below = descendants(&table, first);
        let of_it = |one: &&Entry| one.session == Some(first) || below.contains(&one.pid);
        Some((*session, table.iter().filter(of_it).map(|one| one.ticks).sum()))
    };
    sessions.iter().filter_map(used).collect()
}

/// The living children of a process.
pub(super) fn children(parent: Pid) -> Vec<Pid> {
    let table = processes().filter_map(Entry::read);
    table.filter(|entry| entry.parent == Some(parent)).map(|entry| entry.pid).collect()
}

/// The processes below this one.
fn descendants(table: &[Entry], ancestor: Pid) -> Vec<Pid> {
    let mut below = vec![ancestor];
    let mut next = 0;
    while let Some(parent) = below.get(next).copied() {
        next += 1;
        let children = table.iter().filter(|entry| entry.parent == Some(parent));
        below.extend(children.map(|entry| entry.pid));
    }
    below.split_off(1)
}

/// All processes that carry this marker.
pub(super) fn marked(marker: &str) -> Vec<Pid> {
    processes().filter(|pid| has_marker(*pid, marker)).collect()
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter_map(Pid::from_raw)
}

fn has_marker(pid: Pid, marker: &str) -> bool {
    let wanted = format!("{VARIABLE}={marker}");
    // Zombies have no environment any more.
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == wanted.as_bytes()))
}

/// A living process.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    pid: Pid,
    parent: Option<Pid>,
    session: Option<Pid>,
    ticks: u64,
}

impl Entry {
    fn read(pid: Pid) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (any name) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime
    /// stime cutime cstime …`
    fn parse(stat: &str) -> Option<Self> {
        let (pid, rest) = stat.split_once(' ')?;
        let mut fields = rest.rsplit_once(')')?.1.split_whitespace();
        if matches!(fields.next()?, "Z" | "X") {
            return None;
        }
        let mut process = || Some(Pid::from_raw(fields.next()?.parse().ok()?));
        let (parent, _group, session) = (process()?, process()?, process()?);
        let ticks = fields.skip(7).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
        Some(Self { pid: Pid::from_raw(pid.parse().ok()?)?, parent, session, ticks })
    }
}

/// The session a living process is in.
fn session(pid: Pid) -> Option<Pid> {
    Entry::read(pid)?.session
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(raw: i32) -> Pid {
        Pid::from_raw(raw).unwrap()
    }

    #[test]
    fn a_process_is_read_past_any_name() {
        let (parent, session) = (Pid::from_raw(1), Pid::from_raw(5));
        let entry = Entry { pid: pid(7), parent, session, ticks: 1111 };
        let stat = "7 (a) b) S 1 7 5 0 -1 64 9 9 9 9 1 10 100 1000 20 0";
        assert_eq!(Entry::parse(stat), Some(entry));
        assert_eq!(Entry::parse("7 (a) Z 1 7 5 0 -1"), None);
        assert_eq!(Entry::parse("torn"), None);
    }

    #[test]
    fn descendants_are_found_at_any_depth() {
        let table: Vec<Entry> = [(2, 1), (3, 2), (5, 4), (4, 3), (6, 1)]
            .map(|(of, parent)| Entry {
                pid: pid(of),
                parent: Some(pid(parent)),
                session: None,
                ticks: 0,
            })
            .into();
        assert_eq!(descendants(&table, pid(2)), [pid(3), pid(4), pid(5)]);
        assert_eq!(descendants(&table, pid(6)), []);
    }
}
