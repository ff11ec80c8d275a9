//! The process table: who belongs to which program.

use std::fs;

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

/// All processes of a program except the shell above it.
pub(super) fn members(marker: &str, shell: Pid) -> Vec<Pid> {
    let shell_lives = session(shell) == Some(shell);
    let belongs =
        |pid: &Pid| has_marker(*pid, marker) || (shell_lives && session(*pid) == Some(shell));
    processes().filter(|pid| *pid != shell && belongs(pid)).collect()
}

fn marked(marker: &str) -> Vec<Pid> {
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

/// The session a living process is in.
fn session(pid: Pid) -> Option<Pid> {
    session_in(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (any name) state ppid pgrp session …`
fn session_in(stat: &str) -> Option<Pid> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let dead = matches!(fields.next()?, "Z" | "X");
    let session = fields.nth(2)?.parse().ok().and_then(Pid::from_raw);
    session.filter(|_| !dead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_read_past_any_name() {
        assert_eq!(session_in("7 (a) b) S 1 7 5 0 -1"), Pid::from_raw(5));
        assert_eq!(session_in("7 (a) Z 1 7 5 0 -1"), None);
        assert_eq!(session_in("torn"), None);
    }
}
