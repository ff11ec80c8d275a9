//! Starts a server's first process and accompanies it until its boot scripts run.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::cables::Cables;
use super::cgroups::{Entrances, Group};
use super::trees::{self, Trees};
use super::{running, sys, users};
use crate::backends::{BackendError, Interface, console};
use crate::guest::directory::ServerDirectory;
use crate::guest::order::{Command, Isolation, Order, Report};
use crate::guest::root::is_refusal;
use crate::guest::{Failure, MARKER, channel};
use crate::network::Switch;

/// A boot takes milliseconds; one that takes this long will not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server whose boot scripts run.
#[derive(Debug)]
pub(super) struct Launched {
    pub(super) control: OwnedFd,
    /// Its process 1.
    pub(super) process: Arc<AsyncFd<OwnedFd>>,
    /// Its user namespace, if its users are nobody outside.
    pub(super) users: Option<OwnedFd>,
    /// Its interfaces, if it has a network of its own.
    pub(super) cables: Option<Cables>,
    pub(super) listener: Option<OwnedFd>,
    pub(super) without: Vec<String>,
    pub(super) console: JoinHandle<()>,
}

/// Why a server did not start.
#[derive(Debug)]
pub(super) enum LaunchError {
    /// The machine refuses the isolation; with less of it the start may succeed.
    Refused(BackendError),
    Failed(BackendError),
}

impl LaunchError {
    pub(super) fn into_inner(self) -> BackendError {
        match self {
            Self::Refused(error) | Self::Failed(error) => error,
        }
    }
}

fn failed(step: &str) -> impl FnOnce(io::Error) -> LaunchError {
    move |error| LaunchError::Failed(BackendError::step(step)(error))
}

/// What connects a server that has a network of its own.
pub(super) struct Cable {
    pub(super) switch: Arc<dyn Switch>,
    pub(super) interfaces: Vec<Interface>,
}

impl Cable {
    /// Plugs in the namespace of a process.
    async fn plug(&self, process: u32) -> Result<Cables, LaunchError> {
        let cables = Cables::of(process, Arc::clone(&self.switch));
        let cables = cables.map_err(failed("open the server's network"))?;
        let plugged = cables.set(&self.interfaces).await;
        plugged.map_err(failed("connect the server's network"))?;
        Ok(cables)
    }
}

/// Starts the server of a prepared directory, unless all are to end.
pub(super) async fn launch(
    init_program: &Path,
    prepared: Prepared,
    live: Arc<console::Live>,
    ending: &CancellationToken,
    cable: Option<Cable>,
) -> Result<Launched, LaunchError> {
    let (control, servers_end) = channel::pair().map_err(failed("create a channel"))?;
    let (pipe, writer) = pipe_with(PipeFlags::CLOEXEC)
        .map_err(io::Error::from)
        .map_err(failed("create the console"))?;
    let pipe = pipe::Receiver::from_owned_fd(pipe).map_err(failed("read the console"))?;
    let log = console::Log::open(&prepared.directory.console())
        .map_err(failed("open the console log"))?;
    let console = tokio::spawn(console::record(log, live, pipe));
    let errors = writer.try_clone().map_err(failed("create the console"))?;
    let mut child = tokio::process::Command::new(init_program)
        .arg(MARKER)
        .arg(prepared.directory.path())
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(servers_end))
        .stdout(Stdio::from(writer))
        .stderr(Stdio::from(errors))
        .spawn()
        .map_err(failed(&format!("run {}", init_program.display())))?;
    let control = sys::watch(control, Interest::READABLE).map_err(failed("watch the channel"))?;

    let mut birth = Birth::new(control, Some(prepared));
    let booting = birth.accompany(child.id(), cable);
    let booted = tokio::select! {
        booted = tokio::time::timeout(PATIENCE, booting) => match booted {
            Ok(result) => result,
            Err(elapsed) => Err(failed("boot the server")(elapsed.into())),
        },
        () = ending.cancelled() => {
            let ends = io::Error::new(io::ErrorKind::Interrupted, "the cloud ends");
            Err(failed("boot the server")(ends))
        }
    };
    let Birth { control, process, users, cables, .. } = birth;
    let control = control.into_inner();
    match (booted, process) {
        (Ok((listener, without)), Some(process)) => {
            // It ended when init began; the runtime reaps it.
            drop(child);
            Ok(Launched { control, process, users, cables, listener, without, console })
        }
        (booted, process) => {
            drop(control);
            let _ = child.kill().await;
            if let Some(process) = process {
                running::kill(&process);
                running::wait(&process, console).await;
            }
            Err(booted.err().unwrap_or_else(|| failed("boot the server")(unexpected_end())))
        }
    }
}

/// A server on its way.
struct Birth {
    control: AsyncFd<OwnedFd>,
    /// Until it is handed over.
    prepared: Option<Prepared>,
    process: Option<Arc<AsyncFd<OwnedFd>>>,
    users: Option<OwnedFd>,
    cables: Option<Cables>,
}

/// What is done and handed over when it is in its namespaces.
pub(super) struct Prepared {
    pub(super) order: Order,
    pub(super) directory: ServerDirectory,
    pub(super) volumes: Vec<OwnedFd>,
    pub(super) group: Arc<Group>,
}

impl Birth {
    fn new(control: AsyncFd<OwnedFd>, prepared: Option<Prepared>) -> Self {
        Self { control, prepared, process: None, users: None, cables: None }
    }

    /// Returns when its boot scripts run and its process is known.
    async fn accompany(
        &mut self,
        launcher: Option<u32>,
        cable: Option<Cable>,
    ) -> Result<(Option<OwnedFd>, Vec<String>), LaunchError> {
        let mut running = None;
        loop {
            // The launcher tells of the process, the process of itself: either may come first.
            if self.process.is_some()
                && let Some(running) = running.take()
            {
                return Ok(running);
            }
            let (report, descriptors) = self.next().await.map_err(failed("boot the server"))?;
            match report {
                Report::Unshared => {
                    let launcher = launcher.ok_or_else(unexpected_end);
                    let launcher = launcher.map_err(failed("find the launcher"))?;
                    if let Some(prepared) = self.prepared.take() {
                        self.let_in(launcher, prepared, cable.as_ref()).await?;
                    }
                }
                Report::Forked => {
                    let process = descriptors
                        .into_iter()
                        .next()
                        .ok_or_else(unexpected_end)
                        .and_then(|it| sys::watch(it, Interest::READABLE));
                    self.process = Some(Arc::new(process.map_err(failed("watch the server"))?));
                }
                // Only of a probe.
                Report::Tried { .. } => {}
                Report::Running { without } => {
                    running = Some((descriptors.into_iter().next(), without));
                }
                Report::Failed { step, errno, refused } => {
                    let error = BackendError::step(step)(io::Error::from_raw_os_error(errno));
                    return Err(if refused {
                        LaunchError::Refused(error)
                    } else {
                        LaunchError::Failed(error)
                    });
                }
            }
        }
    }

    /// Does for the process in its new namespaces what only can be done from outside.
    async fn let_in(
        &mut self,
        launcher: u32,
        prepared: Prepared,
        cable: Option<&Cable>,
    ) -> Result<(), LaunchError> {
        let plugged = async {
            match cable {
                Some(cable) => cable.plug(launcher).await.map(Some),
                None => Ok(None),
            }
        };
        let without = prepared.group.lack().map(str::to_owned).into_iter().collect();
        let prepared = tokio::task::spawn_blocking(move || prepared.let_in(launcher));
        let (ready, plugged) = tokio::join!(prepared, plugged);
        let ready = ready.map_err(|error| failed("prepare the server")(error.into()))??;
        self.cables = plugged?;
        let trees = ready.trees.iter().flat_map(Trees::descriptors);
        let mounts = trees.chain(ready.volumes.iter().map(AsFd::as_fd));
        let descriptors: Vec<_> = ready.entrances.descriptors().chain(mounts).collect();
        let proceed = Command::Proceed { entrances: ready.entrances.kinds(), without };
        channel::send(self.control.get_ref(), &proceed, &descriptors)
            .map_err(failed("tell the server to go on"))?;
        self.users = ready.users;
        Ok(())
    }

    async fn next(&self) -> io::Result<(Report, Vec<OwnedFd>)> {
        loop {
            let mut ready = self.control.readable().await?;
            match ready.try_io(|control| channel::receive(control.get_ref())) {
                Ok(result) => return result?.ok_or_else(unexpected_end),
                Err(_would_block) => {}
            }
        }
    }
}

/// What is handed over.
struct Ready {
    users: Option<OwnedFd>,
    trees: Option<Trees>,
    volumes: Vec<OwnedFd>,
    entrances: Entrances,
}

impl Prepared {
    fn let_in(self, launcher: u32) -> Result<Ready, LaunchError> {
        let Self { order, directory, volumes, group } = self;
        let refused = |failure: Failure| {
            let refused = is_refusal(&failure.source);
            let error = BackendError::step(failure.step)(failure.source);
            if refused { LaunchError::Refused(error) } else { LaunchError::Failed(error) }
        };
        if is_in_new_namespace(launcher) {
            users::map(launcher, order.id, order.isolation)
                .map_err(Failure::step("map users"))
                .map_err(refused)?;
        }
        let entrances = group.make();
        if order.isolation != Isolation::Users {
            return Ok(Ready { users: None, trees: None, volumes, entrances });
        }
        let namespace = File::open(format!("/proc/{launcher}/ns/user"));
        let users: OwnedFd =
            namespace.map_err(Failure::step("open its users")).map_err(refused)?.into();
        let trees = Trees::gather(&order, directory.path(), Some(users.as_fd()));
        for volume in &volumes {
            trees::map_users(volume, users.as_fd())
                .map_err(Failure::step("show a volume"))
                .map_err(refused)?;
        }
        Ok(Ready { trees: Some(trees.map_err(refused)?), users: Some(users), volumes, entrances })
    }
}

fn is_in_new_namespace(process: u32) -> bool {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/user")).ok();
    namespace(&process.to_string()) != namespace("self")
}

fn unexpected_end() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "its first process ended")
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use rustix::process::{PidfdFlags, getpid, pidfd_open};

    use super::*;

    #[tokio::test]
    async fn whichever_process_reports_first_both_are_heard() {
        let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        let forked = (Report::Forked, vec![process.as_fd()]);
        let running = (Report::Running { without: vec!["a limit".to_owned()] }, vec![]);
        for reports in [[&forked, &running], [&running, &forked]] {
            let (control, server) = channel::pair().unwrap();
            for (report, descriptors) in reports {
                channel::send(&server, report, descriptors).unwrap();
            }
            drop(server);
            let control = sys::watch(control, Interest::READABLE).unwrap();
            let mut birth = Birth::new(control, None);
            let (_, without) =
                birth.accompany(None, None).await.map_err(LaunchError::into_inner).unwrap();
            assert_eq!(without, ["a limit"]);
            assert!(birth.process.is_some());
        }
    }
}
