//! Programs of the user's that outlive the agent.
//!
//! Each runs in a session of its own below a small shell that writes its exit status to a file.
//! The shell adopts descendants whose parents ended, so that as long as it lives killing a program
//! reaches all of them, whatever they did to become independent. A variable in the environment marks
//! them too: by it an agent that was killed finds its programs again, and what a program that has
//! ended left behind is found.

mod effort;
#[cfg(test)]
pub(crate) mod guard;
mod table;

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures::future::join_all;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, kill_process, pidfd_open, set_child_subreaper, setsid,
};
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

pub use effort::Effort;

/// How long programs have to end by themselves once they were asked to.
const GRACE: Duration = Duration::from_secs(3);
/// How soon to look again for what a program about to be killed may just have started.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The exit status of what SIGKILL ended; nobody else leaves without one.
const KILLED: i32 = 128 + 9;

/// Signals to all of a session (`kill 0`) end the program, never the shell that reports its end. It
/// writes the status itself: a program for that could be killed like one of the user's.
const SHELL: &str = r#"trap : HUP INT TERM
status=$1; shift
shell=bash; command -v bash >/dev/null 2>&1 || shell=sh
"$shell" "$@"
echo "$?" >"$status""#;

/// What to start, and how.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The script, relative to the directory.
    pub script: &'a str,
    /// Its arguments.
    pub arguments: &'a [String],
    /// Where it runs.
    pub directory: &'a Path,
    /// All of its environment.
    pub environment: &'a [(&'a str, String)],
    /// Its standard output is added to this file.
    pub output: &'a Path,
    /// Its standard error is added to this file.
    pub errors: &'a Path,
}

/// A program that was started, by this agent or by an earlier one.
#[derive(Debug, Clone)]
pub struct Program {
    marker: String,
    shell: Pid,
    status: PathBuf,
}

impl Program {
    /// Starts a program under a marker that no other has; the directory is for exit statuses.
    ///
    /// # Errors
    /// When a file cannot be opened or there is no shell.
    pub fn launch(marker: &str, statuses: &Path, launch: &Launch<'_>) -> io::Result<Self> {
        let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let status = statuses.join(marker);
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", SHELL, table::SHELL_NAME])
            .arg(&status)
            .arg(launch.script)
            .args(launch.arguments)
            .current_dir(launch.directory)
            .env_clear()
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .env(table::VARIABLE, marker)
            .stdin(Stdio::null())
            .stdout(open(launch.output)?)
            .stderr(open(launch.errors)?);
        #[expect(unsafe_code, reason = "a session can only be made in the new process itself")]
        // SAFETY: these are three system calls; they neither allocate nor take a lock.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                set_child_subreaper(Some(getpid()))?;
                Ok(())
            });
        }
        let mut child = command.spawn()?;
        let shell = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let shell = shell.expect("a child that was not waited for has an id");
        // Its end is learned from the process itself; this leaves no zombie behind.
        tokio::spawn(async move { child.wait().await });
        Ok(Self { marker: marker.to_owned(), shell, status })
    }

    /// The program with this marker, if it still runs.
    #[must_use]
    pub fn find(marker: &str, statuses: &Path) -> Option<Self> {
        let shell = table::shell(marker)?;
        Some(Self { marker: marker.to_owned(), shell, status: statuses.join(marker) })
    }

    /// What the program began as, while it runs.
    #[must_use]
    pub fn main(&self) -> Option<Pid> {
        table::children(self.shell).first().copied()
    }

    /// The processes that this one has started itself and that still run.
    #[must_use]
    pub fn workers(&self) -> Vec<Pid> {
        self.main().map(table::children).unwrap_or_default()
    }

    /// Sends a signal to what the program began as, and to nothing else.
    pub fn signal(&self, signal: Signal) {
        if let Some(main) = self.main() {
            // It may be gone by now.
            let _ = kill_process(main, signal);
        }
    }

    /// The number of the session that all of it runs in, unless it leaves that.
    #[must_use]
    pub fn session(&self) -> i32 {
        self.shell.as_raw_nonzero().get()
    }

    /// Waits for the end and says the exit status: 128 + signal when a signal ended it.
    pub async fn ended(&self) -> i32 {
        gone(self.shell).await;
        exit_status(&self.status).unwrap_or(KILLED)
    }

    /// Ends it with all its descendants: asks first, then kills. Returns when none is left.
    pub async fn kill(&self) {
        let members = || table::members(&self.marker, self.shell);
        loop {
            end(members).await;
            // The shell ends by itself now, unless it is just about to start the program.
            if tokio::time::timeout(LOOK_AGAIN, gone(self.shell)).await.is_ok()
                && members().is_empty()
            {
                return;
            }
        }
    }
}

/// Whether a program that has ended left processes behind that still run.
#[must_use]
pub fn left_any(marker: &str) -> bool {
    !table::marked(marker).is_empty()
}

/// Ends what a program that has ended left behind. Returns when nothing of it runs.
pub async fn end_left(marker: &str) {
    end(|| table::marked(marker)).await;
}

/// Ends what a program that has ended left behind in its session: those that run this executable,
/// for programs that write their titles over their environment carry no marker. Returns when nothing
/// of it runs.
pub async fn end_session(session: i32, executable: &Path) {
    if let Some(session) = Pid::from_raw(session) {
        end(|| table::of_session(session, executable)).await;
    }
}

/// Asks processes to end, then kills them, until there are none.
async fn end(members: impl Fn() -> Vec<Pid>) {
    let mut signal = Signal::TERM;
    loop {
        let members = members();
        if members.is_empty() {
            return;
        }
        for member in &members {
            // It may be gone by now.
            let _ = kill_process(*member, signal);
        }
        let all = join_all(members.into_iter().map(gone));
        if tokio::time::timeout(GRACE, all).await.is_err() {
            signal = Signal::KILL;
        }
    }
}

/// The exit status that the program with this marker left, if it has ended by itself.
#[must_use]
pub fn exit_status(status: &Path) -> Option<i32> {
    std::fs::read_to_string(status).ok()?.trim().parse().ok()
}

/// Waits until a process is gone.
pub async fn gone(pid: Pid) {
    let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(descriptor) => descriptor,
        Err(Errno::SRCH) => return,
        Err(error) => {
            tracing::error!(%error, "failed to wait for a process");
            return tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    #[expect(unsafe_code, reason = "tokio cannot know that a descriptor stays what it is")]
    // SAFETY: the descriptor is owned by what it is registered in, and open as long as that lives.
    let registered = unsafe { AsyncFd::register(descriptor) };
    match registered {
        // The descriptor of a process becomes readable when it ends.
        Ok(descriptor) => drop(descriptor.readable().await),
        Err(error) => tracing::error!(%error, "failed to wait for a process"),
    }
}

#[cfg(test)]
mod tests;
