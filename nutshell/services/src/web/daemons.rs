//! Daemons of a node: programs that are to run until they are stopped.
//!
//! One that ends by itself is started again, at once the first time and ever later when it keeps
//! ending. They outlive the agent: the next one finds them by its record, and starts those that
//! went down with the machine.

mod record;

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use protocol::ApiError;
use protocol::api::web::DaemonStatus;
use rustix::process::{Pid, Signal};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::ServiceError;
use crate::code::random_name;
use crate::process::{self, Launch, Program};

use record::{Entry, Record};
pub(crate) use record::{Farewell, Spec};

/// Where daemons' programs are, whatever the agent was started with.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Nobody tells when a daemon listens: it is tried.
const TRY_AGAIN: Duration = Duration::from_millis(5);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// One that ran so long has started well: its end is a new story.
const SETTLED: Duration = Duration::from_secs(60);

/// The daemons of a node; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Daemons(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    record: Record,
}

impl Daemons {
    /// Takes up those that an earlier agent left.
    pub(crate) fn adopt(directory: &Path) -> Result<Self, ServiceError> {
        std::fs::create_dir_all(directory).map_err(ServiceError::file(directory))?;
        let record = Record::open(&directory.join("daemons.json"))?;
        let daemons = Self(Arc::new(Inner { directory: directory.to_owned(), record }));
        for (name, entry) in daemons.0.record.all() {
            let own = daemons.clone();
            if entry.leaving {
                tokio::spawn(async move { own.stop(&name, Duration::ZERO).await });
            } else {
                tokio::spawn(async move { own.supervise(name, entry).await });
            }
        }
        Ok(daemons)
    }

    /// Whether there is a daemon of this name that is to stay.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.record.get(name).is_some_and(|entry| !entry.leaving)
    }

    /// The names of all, of those that are being stopped too.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.record.all().into_keys().collect()
    }

    /// Starts a daemon and returns when it listens; again changes nothing. Nothing is left of one
    /// that does not come up.
    pub(crate) async fn start(&self, name: &str, spec: Spec) -> Result<(), ServiceError> {
        if self.has(name) {
            return Ok(());
        }
        let entry = Entry::new(spec);
        self.0.record.set(name, entry.clone())?;
        let started = async {
            let program = self.launch(name, &entry)?;
            listens(name, &entry.spec, &program).await?;
            self.know_main(name, &program)
        };
        match started.await {
            Ok(()) => {
                let (own, name) = (self.clone(), name.to_owned());
                let entry = self.0.record.get(&name).unwrap_or(entry);
                tokio::spawn(async move { own.supervise(name, entry).await });
                Ok(())
            }
            Err(error) => {
                self.stop(name, Duration::ZERO).await;
                Err(error)
            }
        }
    }

    /// The processes that do a daemon's work.
    pub(crate) fn workers(&self, name: &str) -> Vec<Pid> {
        self.program(name).map(|program| program.workers()).unwrap_or_default()
    }

    /// Sends a signal to a daemon's first process.
    pub(crate) fn signal(&self, name: &str, signal: Signal) {
        if let Some(program) = self.program(name) {
            program.signal(signal);
        }
    }

    /// Has a daemon finish what it is doing, for so long at most, and ends it. Returns when nothing
    /// of it runs.
    pub(crate) async fn stop(&self, name: &str, grace: Duration) {
        let Some(mut entry) = self.0.record.get(name) else { return };
        entry.leaving = true;
        self.note(name, Some(entry.clone()));
        if let Some(program) = Program::find(&entry.marker, &self.0.directory) {
            program.signal(match entry.spec.farewell {
                Farewell::Quit => Signal::QUIT,
                Farewell::Terminate => Signal::TERM,
            });
            if tokio::time::timeout(grace, program.ended()).await.is_err() {
                program.kill().await;
            }
        }
        end_left(&entry).await;
        let _ = std::fs::remove_file(self.0.directory.join(&entry.marker));
        self.note(name, None);
    }

    /// The sessions that they run in.
    pub(crate) fn sessions(&self) -> Vec<i32> {
        self.0.record.all().into_values().map(|entry| entry.session).collect()
    }

    /// What is known of each.
    pub(crate) fn statuses(&self) -> Vec<DaemonStatus> {
        let status = |(name, entry): (String, Entry)| DaemonStatus {
            running: Program::find(&entry.marker, &self.0.directory).is_some(),
            restarts: entry.restarts,
            last_exit: entry.last_exit,
            name,
        };
        self.0.record.all().into_iter().map(status).collect()
    }

    fn program(&self, name: &str) -> Option<Program> {
        Program::find(&self.0.record.get(name)?.marker, &self.0.directory)
    }

    /// Writes down which program the daemon is, then starts it.
    fn launch(&self, name: &str, entry: &Entry) -> Result<Program, ServiceError> {
        let Spec { command, log, .. } = &entry.spec;
        let arguments: Vec<String> =
            // The shell becomes the daemon.
            [r#"exec "$@""#.to_owned(), name.to_owned()].into_iter().chain(command.clone()).collect();
        let launch = Launch {
            script: "-c",
            arguments: &arguments,
            directory: &self.0.directory,
            environment: &[("PATH", PATH.to_owned())],
            output: log,
            errors: log,
        };
        let program = Program::launch(&entry.marker, &self.0.directory, &launch)
            .map_err(ServiceError::file(entry.spec.executable()))?;
        self.0.record.set(name, Entry { session: program.session(), ..entry.clone() })?;
        Ok(program)
    }

    /// Writes down what a daemon that listens began as.
    fn know_main(&self, name: &str, program: &Program) -> Result<(), ServiceError> {
        let main = program.main().map_or(0, |main| main.as_raw_nonzero().get());
        self.0.record.amend(name, |entry| {
            // It may have been stopped meanwhile.
            if entry.session == program.session() {
                entry.main = main;
            }
        })
    }

    /// Starts a daemon again whenever it ends, until it is stopped.
    async fn supervise(self, name: String, entry: Entry) {
        let mut pause = FIRST_PAUSE;
        let mut marker = entry.marker;
        loop {
            let since = Instant::now();
            if let Some(program) = Program::find(&marker, &self.0.directory) {
                program.ended().await;
            }
            let status = process::exit_status(&self.0.directory.join(&marker));
            // Stopped, or another daemon by now.
            let Some(mut entry) = self.0.record.get(&name) else { return };
            if entry.leaving || entry.marker != marker {
                return;
            }
            tracing::warn!(name, status, "a daemon has ended and is started again");
            end_left(&entry).await;
            let _ = std::fs::remove_file(self.0.directory.join(&marker));
            if since.elapsed() > SETTLED {
                pause = FIRST_PAUSE;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            if self.0.record.get(&name).is_none_or(|now| now.leaving || now.marker != marker) {
                return;
            }
            marker = random_name(16);
            entry.marker.clone_from(&marker);
            entry.restarts += 1;
            entry.last_exit = status;
            self.note(&name, Some(entry.clone()));
            let again = async {
                let program = self.launch(&name, &entry)?;
                listens(&name, &entry.spec, &program).await?;
                self.know_main(&name, &program)
            };
            if let Err(error) = again.await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(name, error, "a daemon cannot be started again");
            }
        }
    }

    /// Changes the record; what cannot be written is at least known here.
    fn note(&self, name: &str, entry: Option<Entry>) {
        let noted = match entry {
            Some(entry) => self.0.record.set(name, entry),
            None => self.0.record.remove(name),
        };
        if let Err(error) = noted {
            let error = &error as &dyn std::error::Error;
            tracing::error!(name, error, "the record of a daemon cannot be written");
        }
    }
}

/// Ends what a daemon that was killed has left: its workers would keep its port.
async fn end_left(entry: &Entry) {
    for session in [entry.session, entry.main] {
        process::end_session(session, entry.spec.executable()).await;
    }
}

/// Waits until a daemon listens.
async fn listens(name: &str, spec: &Spec, program: &Program) -> Result<(), ServiceError> {
    let address: SocketAddrV4 = spec.listen;
    let trying = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(TRY_AGAIN).await;
        }
    };
    tokio::select! {
        () = trying => Ok(()),
        _ = program.ended() => Err(does_not_start(name, &spec.log).into()),
        () = tokio::time::sleep(spec.start_limit) => Err(does_not_start(name, &spec.log).into()),
    }
}

fn does_not_start(name: &str, log: &Path) -> ApiError {
    let last = crate::logs::tail(log, Some(1)).unwrap_or_default();
    ApiError::conflict(format!("{name} does not start: {}", last.trim()))
}

#[cfg(test)]
mod tests;
