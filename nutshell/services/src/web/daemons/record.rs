//! What must be known of the daemons when the agent comes back: one file, replaced whole.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use protocol::files::{self, Access};
use serde::{Deserialize, Serialize};

use crate::ServiceError;
use crate::code::random_name;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    /// The executable, by its whole path, and its arguments.
    pub(crate) command: Vec<String>,
    /// Where it listens when it is up.
    pub(crate) listen: SocketAddrV4,
    /// What it says is added here.
    pub(crate) log: PathBuf,
    /// What has it finish what it is doing and end.
    #[serde(default)]
    pub(crate) farewell: Farewell,
    /// How long it may take until it listens.
    #[serde(default = "usual_start")]
    pub(crate) start_limit: Duration,
}

/// The signal that has a daemon finish what it is doing and end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Farewell {
    /// As nginx and php-fpm understand it.
    #[default]
    Quit,
    /// As most others do.
    Terminate,
}

fn usual_start() -> Duration {
    Duration::from_secs(20)
}

impl Spec {
    /// A daemon that comes up soon, and ends on `SIGQUIT`.
    pub(crate) fn new(command: Vec<String>, listen: SocketAddrV4, log: PathBuf) -> Self {
        Self { command, listen, log, farewell: Farewell::default(), start_limit: usual_start() }
    }

    pub(super) fn executable(&self) -> &Path {
        Path::new(self.command.first().map_or("", String::as_str))
    }
}

/// One daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) spec: Spec,
    pub(super) marker: String,
    /// The session of its processes.
    pub(super) session: i32,
    /// The process that it began as, once it listens: some make a session of their own.
    pub(super) main: i32,
    /// How often it was started again.
    pub(super) restarts: u32,
    /// The exit status before the last of these.
    pub(super) last_exit: Option<i32>,
    /// Whether it is being stopped.
    pub(super) leaving: bool,
}

impl Entry {
    pub(super) fn new(spec: Spec) -> Self {
        let marker = random_name(16);
        Self { spec, marker, session: 0, main: 0, restarts: 0, last_exit: None, leaving: false }
    }
}

/// All daemons by their names.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl Record {
    pub(super) fn open(path: &Path) -> Result<Self, ServiceError> {
        let entries = match std::fs::read(path) {
            Ok(content) => serde_json::from_slice(&content)
                .map_err(std::io::Error::other)
                .map_err(ServiceError::file(path))?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(ServiceError::file(path)(error)),
        };
        Ok(Self { path: path.to_owned(), entries: Mutex::new(entries) })
    }

    pub(super) fn all(&self) -> BTreeMap<String, Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn get(&self, name: &str) -> Option<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn set(&self, name: &str, entry: Entry) -> Result<(), ServiceError> {
        self.change(|entries| {
            entries.insert(name.to_owned(), entry);
        })
    }

    /// Changes an entry, if it is there.
    pub(super) fn amend(
        &self,
        name: &str,
        amend: impl FnOnce(&mut Entry),
    ) -> Result<(), ServiceError> {
        self.change(|entries| {
            if let Some(entry) = entries.get_mut(name) {
                amend(entry);
            }
        })
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), ServiceError> {
        self.change(|entries| {
            entries.remove(name);
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Entry>),
    ) -> Result<(), ServiceError> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut entries);
        let content = serde_json::to_vec(&*entries).expect("entries are plain data");
        files::write(&self.path, &content, Access::Public).map_err(ServiceError::file(&self.path))
    }
}
