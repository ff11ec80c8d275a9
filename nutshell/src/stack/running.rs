//! `running.json`: what a stack that is ready tells the other commands about itself.

use rustix::process::Pid;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use protocol::files::{self, Access};

use super::{StateDirectory, StateError};

/// Where a stack that runs can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The web page.
    pub web_url: String,
    /// The director's API.
    pub director_url: String,
    /// The cloud's OpenStack API, as clients call it: `OS_AUTH_URL`.
    pub openstack_url: String,
    /// The first user.
    pub username: String,
    /// Since when it runs.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// The version of the executable.
    pub version: String,
}

/// What is in the file.
#[derive(Serialize, Deserialize)]
struct Written {
    /// Who wrote it.
    pid: i32,
    #[serde(flatten)]
    running: Running,
}

impl Running {
    /// What the process that holds the lock said of itself; nothing until it is ready.
    #[must_use]
    pub fn load(state: &StateDirectory, holder: Pid) -> Option<Self> {
        let text = std::fs::read(state.running_file()).ok()?;
        let Written { pid, running } = serde_json::from_slice(&text).ok()?;
        // Left by a process that was killed, otherwise.
        (pid == holder.as_raw_nonzero().get()).then_some(running)
    }

    pub(super) fn save(&self, state: &StateDirectory, process: Pid) -> Result<(), StateError> {
        let path = state.running_file();
        let written = Written { pid: process.as_raw_nonzero().get(), running: self.clone() };
        let text = serde_json::to_vec_pretty(&written)
            .map_err(|error| StateError::file(&path)(error.into()))?;
        files::write(&path, &text, Access::Public).map_err(StateError::file(&path))
    }

    pub(super) fn remove(state: &StateDirectory) {
        // Not believed without its process anyway.
        let _ = std::fs::remove_file(state.running_file());
    }

    /// The addresses, one a line, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        [
            ("Web page", &self.web_url),
            ("Director API", &self.director_url),
            ("OpenStack API", &self.openstack_url),
            ("User", &self.username),
        ]
        .map(|(name, value)| format!("  {name:14}{value}"))
        .join("\n")
    }
}

#[cfg(test)]
impl Running {
    /// One for tests.
    #[must_use]
    pub fn example() -> Self {
        Self {
            web_url: "https://127.56.0.1:5555/".to_owned(),
            director_url: "https://127.56.0.1:5555".to_owned(),
            openstack_url: "http://127.56.0.1:5000/v3".to_owned(),
            username: "test".to_owned(),
            since: OffsetDateTime::UNIX_EPOCH,
            version: "0.1.0".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_the_lock_is_believed() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::at(directory.path());
        let pid = |pid| Pid::from_raw(pid).unwrap();
        assert_eq!(Running::load(&state, pid(7)), None);
        Running::example().save(&state, pid(7)).unwrap();
        assert_eq!(Running::load(&state, pid(7)), Some(Running::example()));
        assert_eq!(Running::load(&state, pid(8)), None);
        Running::remove(&state);
        assert_eq!(Running::load(&state, pid(7)), None);
    }
}
