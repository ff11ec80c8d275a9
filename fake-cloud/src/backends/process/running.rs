//! A server that runs, and how it ends.

use std::fs::File;
use std::future::Future;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::net::Shutdown;
use rustix::process::{Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::cables::Cables;
use super::cgroups::Group;
use super::sys;
use crate::backends::{BackendError, ServerExit, blocking};
use crate::guest::channel;
use crate::guest::order::{Answer, Command};
use crate::network::PortWatcher;

/// Longer than a server takes to shut down by itself.
const SHUTDOWN: Duration = Duration::from_millis(1500);

/// The last words of a server are in its pipe when it ends; a process that got away may keep the
/// pipe open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a server is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Processes are asked to end first.
    Graceful,
    PowerCut,
}

/// A server that runs.
#[derive(Debug, Clone)]
pub(super) struct Running {
    control: Arc<OwnedFd>,
    process: Arc<AsyncFd<OwnedFd>>,
    /// Its user namespace, if its users are nobody outside.
    pub(super) users: Option<Arc<OwnedFd>>,
    /// Its interfaces, if it has a network of its own.
    pub(super) cables: Option<Arc<Cables>>,
    ended: watch::Receiver<bool>,
    expected: Arc<AtomicBool>,
    /// Does not keep it: it is removed when the server has ended.
    group: Weak<Group>,
    still: Arc<Mutex<Still>>,
}

/// Whether the processes of a server stand still, and what makes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Still {
    #[default]
    No,
    /// A control group.
    Frozen,
    /// A signal.
    Stopped,
}

impl Running {
    /// The sender is to be told when the server has ended.
    pub(super) fn new(
        control: OwnedFd,
        process: Arc<AsyncFd<OwnedFd>>,
        users: Option<OwnedFd>,
        group: &Arc<Group>,
    ) -> (Self, watch::Sender<bool>) {
        let (sender, ended) = watch::channel(false);
        let (expected, still) = (Arc::default(), Arc::default());
        let (control, users) = (Arc::new(control), users.map(Arc::new));
        let group = Arc::downgrade(group);
        let cables = None;
        (Self { control, process, users, cables, ended, expected, group, still }, sender)
    }

    /// What the work gives, or nothing when the server ends before that.
    pub(super) async fn while_it_runs<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut ended = self.ended.clone();
        tokio::select! {
            done = work => Some(done),
            _ = ended.wait_for(|ended| *ended) => None,
        }
    }

    /// Its control groups, until it has ended.
    pub(super) fn group(&self) -> Option<Arc<Group>> {
        self.group.upgrade()
    }

    /// Lets every process stand still, or go on.
    pub(super) async fn pause(&self, paused: bool) -> Result<(), BackendError> {
        let running = self.clone();
        let step = if paused { "freeze the server" } else { "thaw the server" };
        blocking(step, move || if paused { running.hold() } else { running.release() }).await
    }

    fn hold(&self) -> io::Result<()> {
        let mut still = self.still();
        if *still != Still::No {
            return Ok(());
        }
        let frozen = match self.group() {
            Some(group) => group.freeze(number_of(&self.process)?),
            None => Ok(false),
        };
        if frozen.inspect_err(|error| tracing::debug!(%error, "no freezer")).unwrap_or(false) {
            *still = Still::Frozen;
        } else {
            self.command(&Command::Pause)?;
            *still = Still::Stopped;
        }
        Ok(())
    }

    fn release(&self) -> io::Result<()> {
        let mut still = self.still();
        match (*still, self.group()) {
            (Still::Frozen, Some(group)) => group.thaw()?,
            (Still::Stopped, _) => self.command(&Command::Resume)?,
            (Still::No | Still::Frozen, _) => {}
        }
        *still = Still::No;
        Ok(())
    }

    fn still(&self) -> MutexGuard<'_, Still> {
        self.still.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn command(&self, command: &Command) -> io::Result<()> {
        channel::send(&self.control, command, &[])
    }

    /// Tells the server which names it can resolve. There may be more than fit in a message.
    pub(super) fn tell_names(&self, hosts: &[(Ipv4Addr, String)]) -> io::Result<()> {
        let names = rustix::fs::memfd_create("names", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut file = File::from(names);
        file.write_all(&serde_json::to_vec(hosts)?)?;
        match channel::send(&self.control, &Command::Names, &[file.as_fd()]) {
            // It is ending.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// Has the server's init do something; it is done too when the server ends before that.
    pub(super) async fn order(&self, command: &Command, mount: Option<OwnedFd>) -> io::Result<()> {
        match self.ask(command, mount).await? {
            Some(Answer(Err(number))) => Err(io::Error::from_raw_os_error(number)),
            Some(Answer(Ok(()))) | None => Ok(()),
        }
    }

    /// Tells the server something and waits for its answer: none when it ends before that.
    async fn ask(&self, command: &Command, mount: Option<OwnedFd>) -> io::Result<Option<Answer>> {
        let (ours, servers_end) = channel::pair()?;
        let descriptors: Vec<_> =
            [&servers_end].into_iter().chain(&mount).map(AsFd::as_fd).collect();
        match channel::send(&self.control, command, &descriptors) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(None),
            result => result?,
        }
        drop((servers_end, mount));
        let answers = sys::watch(ours, Interest::READABLE)?;
        loop {
            let mut ready = answers.readable().await?;
            if let Ok(answer) = ready.try_io(|answers| channel::receive(answers.get_ref())) {
                return Ok(answer?.map(|(answer, _)| answer));
            }
        }
    }

    /// Begins to end the server at once; the future is ready when it has ended.
    pub(super) fn end(&self, ending: Ending) -> impl Future<Output = ()> + use<> {
        self.expected.store(true, Ordering::Relaxed);
        let process = Arc::clone(&self.process);
        let mut ended = self.ended.clone();
        // What is frozen cannot end by itself.
        let asked = ending == Ending::Graceful
            && self.release().and_then(|()| self.command(&Command::ShutDown)).is_ok();
        if !asked {
            self.cut();
        }
        async move {
            let mut has_ended = async move || {
                // The sender is dropped only after the server has ended.
                let _ = ended.wait_for(|ended| *ended).await;
            };
            if tokio::time::timeout(SHUTDOWN, has_ended()).await.is_err() {
                kill(&process);
                has_ended().await;
            }
        }
    }

    /// Cuts the power; nobody is told. Process 1 ends with its channel, and takes all others with
    /// it: were it killed, those of a server without namespaces would stay.
    pub(super) fn cut(&self) {
        self.expected.store(true, Ordering::Relaxed);
        if rustix::net::shutdown(&self.control, Shutdown::Both).is_err() {
            kill(&self.process);
        }
    }

    /// Waits some milliseconds until a server that was cut has ended; to reap it is left to
    /// [`wait`].
    pub(super) fn wait_blocking(&self) {
        let deadline = Timespec { tv_sec: 1, tv_nsec: 0 };
        let mut waiting = [PollFd::new(self.process.get_ref(), PollFlags::IN)];
        let ended = retry_on_intr(|| poll(&mut waiting, Some(&deadline)));
        if !ended.is_ok_and(|count| count > 0) {
            kill(&self.process);
        }
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        // Reaped already, then.
        let _ = waitid(WaitId::PidFd(self.process.get_ref().as_fd()), options);
    }

    /// What to tell of an end that nobody asked for.
    pub(super) fn unexpected_exit(&self, id: Uuid, reason: String) -> Option<ServerExit> {
        let expected = self.expected.load(Ordering::Relaxed);
        (!expected).then_some(ServerExit { id, reason })
    }
}

/// The number of the process that a descriptor is of.
fn number_of(process: &AsyncFd<OwnedFd>) -> io::Result<u32> {
    let path = format!("/proc/self/fdinfo/{}", process.get_ref().as_raw_fd());
    let text = std::fs::read_to_string(path)?;
    let number = text.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok());
    Ok(number.ok_or(io::ErrorKind::NotFound)?)
}

/// Ends process 1 of a server by force, and thereby all its processes if it has namespaces.
pub(super) fn kill(process: &AsyncFd<OwnedFd>) {
    // It may have ended by itself meanwhile.
    let _ = pidfd_send_signal(process.get_ref(), Signal::KILL);
}

/// Waits until a server has ended, its last words are recorded, and its process is reaped; returns
/// why it ended.
pub(super) async fn wait(process: &AsyncFd<OwnedFd>, console: JoinHandle<()>) -> String {
    // Fails only when the runtime ends; then so do we.
    let _ = process.readable().await;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let status = waitid(WaitId::PidFd(process.get_ref().as_fd()), options);
    let _ = tokio::time::timeout(LAST_WORDS, console).await;
    match status {
        Ok(Some(status)) => reason(&status),
        Ok(None) | Err(_) => "its first process ended".to_owned(),
    }
}

/// Process 1 of a namespace that calls `reboot(2)` is ended by one of these signals.
fn reason(status: &WaitIdStatus) -> String {
    match (status.terminating_signal(), status.exit_status()) {
        (Some(libc::SIGINT), _) => "it powered itself off".to_owned(),
        (Some(libc::SIGHUP), _) => "it rebooted itself".to_owned(),
        (Some(signal), _) => format!("its first process was killed by signal {signal}"),
        (None, code) => {
            format!("its first process ended with status {}", code.unwrap_or_default())
        }
    }
}

/// Looks again and again for ports that the server listens on. Only where seccomp is refused, and
/// with it the only event there is.
pub(super) fn poll_ports(
    process: &Arc<AsyncFd<OwnedFd>>,
    fixed: Ipv4Addr,
    ports: Arc<dyn PortWatcher>,
) {
    use crate::network::loopback::listening;
    const EVERY: Duration = Duration::from_millis(200);

    let process = Arc::downgrade(process);
    tokio::spawn(async move {
        let mut known = std::collections::BTreeSet::new();
        let mut ticks = tokio::time::interval(EVERY);
        // The server has ended when nobody keeps its process any more.
        while process.strong_count() > 0 {
            ticks.tick().await;
            let now = listening::ports_of(fixed);
            for port in now.difference(&known) {
                ports.opened(fixed, *port);
            }
            known = now;
        }
    });
}
