//! The first half of a start: a fresh process moves into new namespaces and forks init there.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Gid, Uid};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::directory::ServerDirectory;
use super::order::{Command, Entrance, Isolation, Order, Report};
use super::{Failure, channel, init};
use crate::backends::process::sys;

/// Becomes the server; returns the exit code of whichever process this is in the end.
pub(super) fn run(directory: &ServerDirectory) -> i32 {
    // Without its channel the process has no cloud, and nobody to tell so.
    let Ok(control) = take_control() else { return 1 };
    match launch(directory, &control) {
        Ok(Launched::Caller) => 0,
        Ok(Launched::Init(boot)) => init::run(*boot, directory, &control),
        Err((failure, refused)) => {
            report_failure(&control, &failure, refused);
            1
        }
    }
}

enum Launched {
    Caller,
    Init(Box<Boot>),
}

/// What init needs to know.
pub(super) struct Boot {
    pub(super) order: Order,
    pub(super) user_data: Option<Vec<u8>>,
    /// What came with [`Command::Proceed`].
    pub(super) mounts: Vec<OwnedFd>,
    /// What the server has to do without, and why.
    pub(super) without: Vec<String>,
}

/// Fails with whether the isolation was refused.
fn launch(directory: &ServerDirectory, control: &OwnedFd) -> Result<Launched, (Failure, bool)> {
    // Now: with users of its own the server may not read there.
    let order = read_order(directory).map_err(|failure| (failure, false))?;
    let user_data = std::fs::read(directory.user_data()).ok();
    // Away from the terminal of whoever started the cloud: its Ctrl-C is not for the servers.
    // Fails only for the leader of a process group, which is away already.
    let _ = rustix::process::setsid();
    // Nor are the habits of that user.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // A kernel without keyrings has none to leave.
    let _ = sys::leave_session_keyring();
    if order.isolation != Isolation::Plain {
        let network = if order.own_network { UnshareFlags::NEWNET } else { UnshareFlags::empty() };
        sys::unshare(NAMESPACES | network)
            .map_err(|error| (Failure::step("create namespaces")(error), true))?;
    }
    let Granted { entrances, mounts, mut without } =
        proceed(control).map_err(|failure| (failure, false))?;
    // While it is still who made the groups.
    match fork_inside(entrances, &mut without) {
        Ok(sys::Clone::New) => {
            if order.isolation == Isolation::Users {
                become_root()
                    .map_err(|error| (Failure::step("become the server's root")(error), true))?;
            }
            if order.isolation != Isolation::Plain {
                // A comfort: its groups are then the only ones it knows by name.
                let _ = sys::unshare(UnshareFlags::NEWCGROUP);
            }
            Ok(Launched::Init(Box::new(Boot { order, user_data, mounts, without })))
        }
        Ok(sys::Clone::Caller(init)) => {
            channel::send(control, &Report::Forked, &[init.as_fd()])
                .map_err(|error| (Failure::step("report the first process")(error), false))?;
            Ok(Launched::Caller)
        }
        Err(error) => Err((Failure::step("fork the first process")(error), true)),
    }
}

/// All but the network: most servers share this machine's, each with its own loopback address.
pub(super) const NAMESPACES: UnshareFlags = UnshareFlags::NEWUSER
    .union(UnshareFlags::NEWNS)
    .union(UnshareFlags::NEWPID)
    .union(UnshareFlags::NEWUTS)
    .union(UnshareFlags::NEWIPC);

/// Root of the machine has no number in the server. Only for a process with a single thread.
fn become_root() -> io::Result<()> {
    let (user, group) = (Uid::ROOT, Gid::ROOT);
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    Ok(())
}

/// What it takes to mount.
pub(super) const MOUNTS: UnshareFlags = UnshareFlags::NEWUSER.union(UnshareFlags::NEWNS);

/// What the cloud gives to a process that may go on.
pub(super) struct Granted {
    entrances: Vec<(Entrance, OwnedFd)>,
    mounts: Vec<OwnedFd>,
    without: Vec<String>,
}

/// Enters the control groups and forks there.
fn fork_inside(
    entrances: Vec<(Entrance, OwnedFd)>,
    without: &mut Vec<String>,
) -> io::Result<sys::Clone> {
    let mut lacks = |result: rustix::io::Result<usize>| {
        let lack = result.err().map(|error| format!("a control group (entering it: {error})"));
        without.extend(lack);
    };
    let mut group = None;
    for (kind, entrance) in entrances {
        match kind {
            Entrance::Tasks => lacks(rustix::io::write(&entrance, b"0")),
            Entrance::Group => group = Some(entrance),
        }
    }
    if let Some(group) = group {
        if let Ok(forked) = sys::clone_sibling(Some(group.as_fd())) {
            return Ok(forked);
        }
        // An older kernel, or one that is told to pretend so, moves who is there already.
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let list = rustix::fs::openat(&group, "cgroup.procs", flags, Mode::empty());
        lacks(list.and_then(|list| rustix::io::write(&list, b"0")));
    }
    sys::clone_sibling(None)
}

/// Reports that the namespaces exist and waits for what only the cloud can do from outside.
pub(super) fn proceed(control: &OwnedFd) -> Result<Granted, Failure> {
    channel::send(control, &Report::Unshared, &[]).map_err(Failure::step("report"))?;
    match channel::receive(control).map_err(Failure::step("wait for the cloud"))? {
        Some((Command::Proceed { entrances, without }, descriptors)) => {
            let mut descriptors = descriptors.into_iter();
            let entrances = entrances.into_iter().zip(descriptors.by_ref()).collect();
            Ok(Granted { entrances, mounts: descriptors.collect(), without })
        }
        _ => {
            Err(Failure::step("wait for the cloud")(io::Error::from(io::ErrorKind::UnexpectedEof)))
        }
    }
}

/// The control channel comes as standard input, the one descriptor that every way of starting a
/// process can pass; here it moves to where no child inherits it.
pub(super) fn take_control() -> io::Result<OwnedFd> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    // An older kernel has no such call; then servers may hold open what is not theirs.
    let _ = sys::close_others(&control);
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(control)
}

fn read_order(directory: &ServerDirectory) -> Result<Order, Failure> {
    let text = std::fs::read(directory.order()).map_err(Failure::step("read the order"))?;
    serde_json::from_slice(&text).map_err(Failure::step("read the order"))
}

pub(super) fn report_failure(control: &OwnedFd, failure: &Failure, refused: bool) {
    let report = Report::Failed {
        step: failure.step.clone(),
        errno: failure.source.raw_os_error().unwrap_or(libc::EIO),
        refused,
    };
    // When the cloud is gone too, nobody is left to tell.
    let _ = channel::send(control, &report, &[]);
}
