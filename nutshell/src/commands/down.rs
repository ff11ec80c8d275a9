//! `nutshell down`: ends the process that holds the lock, and with it everything it started.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::args::StateOption;
use crate::diagnostics::{Advice, Exit, Failure};
use crate::printer::Printer;
use crate::stack::{self, Holder, StateDirectory};

/// How long a nutshell may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a nutshell was not ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownError {
    #[error("a nutshell is just starting in {}", .0.display())]
    Starting(std::path::PathBuf),
    #[error("failed to end process {pid}")]
    Signal {
        pid: Pid,
        #[source]
        source: Errno,
    },
}

impl Advice for DownError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Starting(_) => Some("try again".to_owned()),
            Self::Signal { source: Errno::PERM, .. } => {
                Some("it belongs to another user: end it as that user".to_owned())
            }
            Self::Signal { .. } => None,
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    NothingRan,
    ByItself,
    Killed,
}

/// Ends the stack.
pub(crate) fn down(options: &StateOption, printer: &Printer) -> Result<Exit, Failure> {
    let state = StateDirectory::choose(options.state.as_deref())?;
    let begun = Instant::now();
    let took = || format!("{:.2} s", begun.elapsed().as_secs_f64());
    let ended = end(&state)?;
    if ended != Ended::ByItself {
        // Best effort, after one that was killed: the next start does the same.
        let _ = fake_cloud::clean(&state.fake_cloud());
    }
    match ended {
        Ended::NothingRan => {
            printer.note(format!("Nothing runs in {}.", state.path().display()));
        }
        Ended::ByItself => printer.note(format!("✓ everything ended  {}", took())),
        Ended::Killed => printer.warn(format!(
            "it did not end within {} s and was killed; `nutshell logs` may say why",
            PATIENCE.as_secs()
        )),
    }
    Ok(Exit::Success)
}

/// Ends the stack of a state directory and waits until it is gone.
pub(crate) fn end(state: &StateDirectory) -> Result<Ended, Failure> {
    let pid = match stack::holder(state)? {
        Holder::Nobody => return Ok(Ended::NothingRan),
        Holder::Unknown => return Err(DownError::Starting(state.path().to_owned()).into()),
        Holder::Process(pid) => pid,
    };
    let failed = |source| DownError::Signal { pid, source };
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok(Ended::ByItself),
        Err(error) => return Err(failed(error).into()),
    };
    // From here on the descriptor means that very process; was it the right one, too?
    if stack::holder(state)? != Holder::Process(pid) {
        return Ok(Ended::ByItself);
    }
    signal(&process, Signal::TERM).map_err(failed)?;
    if ended_within(&process, PATIENCE).map_err(failed)? {
        return Ok(Ended::ByItself);
    }
    signal(&process, Signal::KILL).map_err(failed)?;
    ended_within(&process, PATIENCE).map_err(failed)?;
    Ok(Ended::Killed)
}

fn signal(process: &OwnedFd, signal: Signal) -> Result<(), Errno> {
    match pidfd_send_signal(process, signal) {
        Err(Errno::SRCH) => Ok(()),
        sent => sent,
    }
}

/// A descriptor of a process can be read when the process has ended.
fn ended_within(process: &OwnedFd, patience: Duration) -> Result<bool, Errno> {
    let deadline = Instant::now() + patience;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut waiting = [PollFd::new(process, PollFlags::IN)];
        match poll(&mut waiting, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}
