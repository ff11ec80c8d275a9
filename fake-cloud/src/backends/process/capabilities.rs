//! What this machine offers to servers, measured by trying.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::process::{PidfdGetfdFlags, WaitId, WaitIdOptions, pidfd_getfd, waitid};

use super::{cgroups, users};
use crate::guest::order::{self, Isolation, Report, Trial};
use crate::guest::{PROBE_MARKER, channel, is_embedded};
use crate::scratch::ScratchDirectory;

/// Something servers can use where the machine allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// What it is.
    pub name: &'static str,
    /// Whether it works here.
    pub available: bool,
    /// What it is good for, or why it does not work.
    pub detail: String,
}

/// Tries all of it, in a process of its own; takes a few milliseconds and blocks.
pub fn capabilities() -> Vec<Capability> {
    let outcomes = if is_embedded() {
        probe().unwrap_or_else(|error| vec![(Trial::Namespaces, Some(error.to_string()))])
    } else {
        let reason = "not tried: this program cannot be started as a server (its `main` does not \
                      begin with `guest::run_if_guest`)";
        vec![(Trial::Namespaces, Some(reason.to_owned()))]
    };
    let mut capabilities: Vec<_> =
        Trial::ALL.into_iter().map(|trial| of_trial(trial, &outcomes)).collect();
    if rustix::process::geteuid().is_root()
        && !users::can_be_separate()
        && let Some(namespaces) = capabilities.iter_mut().find(|it| it.name == "namespaces")
        && namespaces.available
    {
        namespaces.detail.push_str("; as root they guard against accidents, not against malice");
    }
    let (limits, lack) = cgroups::probe();
    capabilities.push(Capability {
        name: "control groups",
        available: lack.is_none(),
        detail: match lack {
            None => format!("servers have limits of {limits}"),
            Some(lack) => format!("servers do without {lack}"),
        },
    });
    capabilities
}

type Outcome = (Trial, Option<String>);

fn of_trial(trial: Trial, outcomes: &[Outcome]) -> Capability {
    let (name, good_for) = match trial {
        Trial::Namespaces => {
            ("namespaces", "servers have users, processes and mounts of their own")
        }
        Trial::Overlay => ("overlay", "servers can change their system directories"),
        Trial::Localhost => (
            "seccomp notification",
            "servers have a localhost of their own, and connect as security groups let them",
        ),
    };
    let outcome = outcomes.iter().find(|(tried, _)| *tried == trial);
    let (available, detail) = match outcome {
        Some((_, None)) => (true, good_for.to_owned()),
        Some((_, Some(reason))) => (false, reason.clone()),
        None => (false, "not tried: namespaces are refused".to_owned()),
    };
    Capability { name, available, detail }
}

/// Starts this program again as a probe and lets it in as if it were a server.
fn probe() -> io::Result<Vec<Outcome>> {
    let directory = ScratchDirectory::new()?;
    let (control, probes_end) = channel::pair()?;
    rustix::io::ioctl_fionbio(&control, false)?;
    let mut child = Command::new("/proc/self/exe")
        .arg(PROBE_MARKER)
        .arg(directory.path())
        .env_clear()
        .stdin(Stdio::from(probes_end))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let outcomes = listen(&control, child.id());
    drop(control);
    child.wait()?;
    outcomes
}

fn listen(control: &OwnedFd, probe: u32) -> io::Result<Vec<Outcome>> {
    let mut outcomes = vec![];
    let mut process = None;
    while let Some((report, descriptors)) = channel::receive(control)? {
        match report {
            Report::Unshared => {
                if let Err(error) = users::map(probe, uuid::Uuid::nil(), Isolation::Namespaces) {
                    outcomes.push((Trial::Namespaces, Some(format!("cannot map users: {error}"))));
                    break;
                }
                let proceed = order::Command::Proceed { entrances: vec![], without: vec![] };
                channel::send(control, &proceed, &[])?;
            }
            Report::Forked => process = descriptors.into_iter().next(),
            Report::Tried { trial, refused } => outcomes.push((trial, refused)),
            Report::Running { .. } => break,
            Report::Failed { step, errno, .. } => {
                let error = io::Error::from_raw_os_error(errno);
                let reason = format!("cannot {step}: {error}{}", hint(errno));
                outcomes.push((Trial::Namespaces, Some(reason)));
            }
        }
    }
    if let Some(process) = &process {
        if let Some((_, refused @ None)) =
            outcomes.iter_mut().find(|(trial, _)| *trial == Trial::Localhost)
        {
            // To act for a server the cloud must also reach into it.
            let reached = pidfd_getfd(process, 0, PidfdGetfdFlags::empty());
            *refused = reached.err().map(|error| format!("cannot reach into servers: {error}"));
        }
        // It ends when the channel closes.
        channel::send(control, &order::Command::ShutDown, &[])?;
        waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED)?;
    }
    Ok(outcomes)
}

/// What to look at when namespaces are refused.
fn hint(errno: i32) -> &'static str {
    match errno {
        libc::ENOSPC | libc::EUSERS => "; see the setting user.max_user_namespaces",
        libc::EPERM | libc::EACCES => {
            "; a container forbids it, or one of the settings kernel.unprivileged_userns_clone \
             and kernel.apparmor_restrict_unprivileged_userns"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_says_so() {
        let outcomes = [(Trial::Namespaces, Some("no".to_owned())), (Trial::Overlay, None)];
        let of = |trial| of_trial(trial, &outcomes);
        assert_eq!(of(Trial::Namespaces).detail, "no");
        assert!(of(Trial::Overlay).available);
        let untried = of(Trial::Localhost);
        assert!(!untried.available && untried.detail.starts_with("not tried"));
    }

    #[test]
    fn a_program_that_cannot_be_a_server_is_not_started_as_one() {
        let capabilities = capabilities();
        assert!(capabilities[0].detail.contains("run_if_guest"), "{capabilities:?}");
    }
}
