//! A server without namespaces: a private directory, and a process tree that ends as a whole.
//!
//! The best that can be done where the machine refuses namespaces. Scripts see the machine's own
//! file system; what they write under `$HOME` or `$SERVER_ROOT` is the server's, anything else is
//! the machine's and fails or not as it would for the user of the cloud.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, WaitOptions};

use super::Failure;
use super::directory::ServerDirectory;
use super::identity;
use super::order::Order;
use super::volumes::Volumes;

/// Makes the server's directory the working directory; returns what the server has to do without.
pub(super) fn enter(
    order: &Order,
    directory: &ServerDirectory,
) -> Result<(Vec<String>, Volumes), Failure> {
    // Orphans of the server become children of this process, not of the machine's init.
    rustix::process::set_child_subreaper(Some(Pid::INIT))
        .map_err(Failure::step("adopt orphaned processes"))?;
    let disk = directory.disk();
    for path in ["root/.ssh", "etc", "run", "tmp", "var/lib"] {
        std::fs::create_dir_all(disk.join(path)).map_err(Failure::step("create directories"))?;
    }
    for file in identity::files(order) {
        std::fs::write(disk.join(file.path), file.content)
            .map_err(Failure::step(format!("write /{}", file.path)))?;
    }
    std::env::set_current_dir(&disk).map_err(Failure::step("enter the server's directory"))?;
    let lack = "a root directory, processes and a host name of its own (no namespaces)";
    let volumes = Volumes::linked(order.volume_store.clone(), &disk);
    Ok((vec![lack.to_owned()], volumes))
}

/// What scripts need to know to stay in the server's directory.
pub(super) fn environment<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    command
        .env("HOME", home.join("root"))
        .env("SERVER_ROOT", home)
        .env("TMPDIR", home.join("tmp"))
        .env("SHELL", "/bin/sh")
        .current_dir(home.join("root"))
}

/// Sends a signal to every process below this one.
pub(super) fn signal_descendants(signal: Signal) {
    for process in descendants(rustix::process::getpid()) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(process, signal);
    }
}

/// Ends every process below this one, and those they start meanwhile.
pub(super) fn end_descendants() {
    loop {
        signal_descendants(Signal::KILL);
        // Orphans become our children, so nobody is left when we have no child.
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            return;
        }
    }
}

fn descendants(ancestor: Pid) -> Vec<Pid> {
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(process) = found.get(next).copied() {
        found.extend(children(process));
        next += 1;
    }
    found.split_off(1)
}

/// Children are listed by the thread that made them.
fn children(process: Pid) -> Vec<Pid> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return vec![] };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| parse_children(&list))
        .collect()
}

fn parse_children(list: &str) -> Vec<Pid> {
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_read_as_the_kernel_lists_them() {
        let pids = |list| {
            parse_children(list).iter().map(|pid| pid.as_raw_nonzero().get()).collect::<Vec<_>>()
        };
        assert_eq!(pids("12 345 \n"), [12, 345]);
        assert_eq!(pids(""), [] as [i32; 0]);
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(descendants(rustix::process::getpid()).contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
