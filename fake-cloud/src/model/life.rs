//! The life of a server: what it is, what is being done to it, and what may be asked of it.
//!
//! ```text
//!            start fails
//!  Building ─────────────► Error ◄──── a task fails
//!     │ Spawning             │ HardReboot, PoweringOff
//!     ▼                      ▼
//!  Active ⇄ Stopped      (Active, Stopped)
//!    ▲ │      ▲
//!    │ ▼      └── its first process ended
//!  Paused
//!                         any state ── Deleting ──► gone
//! ```
//!
//! At most one [`Task`] is under way for a server; only a deletion may replace it.

use serde::{Deserialize, Serialize};

use super::ServerId;

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has never run.
    Building,
    /// Its processes run.
    Active,
    /// Its processes are frozen.
    Paused,
    /// It does not run; its disk is kept.
    Stopped,
    /// Something went wrong; its fault says what.
    Error,
}

/// What is being done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// It is made and started for the first time.
    Spawning,
    /// It is started again because the cloud has come back.
    Resuming,
    /// It is stopped and started as its owner asked, gently.
    SoftReboot,
    /// It is stopped and started as its owner asked, at once.
    HardReboot,
    /// It is being stopped.
    PoweringOff,
    /// It is being started.
    PoweringOn,
    /// It is being frozen.
    Pausing,
    /// It is being thawed.
    Unpausing,
    /// It is being removed.
    Deleting,
}

/// What may be asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Restart it gently.
    SoftReboot,
    /// Restart it at once.
    HardReboot,
    /// Freeze it.
    Pause,
    /// Thaw it.
    Unpause,
    /// Remove it.
    Delete,
}

/// A request that does not fit the server's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Cannot '{}' instance {server} while it is in {obstacle}", .request.verb())]
pub struct Refusal {
    /// The server.
    pub server: ServerId,
    /// What was asked.
    pub request: Request,
    /// What stands in the way.
    pub obstacle: Obstacle,
}

/// What stands in the way of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The server is in a state for which the request makes no sense.
    State(State),
    /// Something else is being done to it.
    Task(Task),
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::State(state) => write!(f, "vm_state {}", state.vm_state()),
            Self::Task(task) => write!(f, "task_state {}", task.name()),
        }
    }
}

impl State {
    /// Its name in the API.
    pub fn vm_state(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Error => "error",
        }
    }
}

impl Task {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spawning => "spawning",
            Self::Resuming => "reboot_started_hard",
            Self::SoftReboot => "rebooting",
            Self::HardReboot => "rebooting_hard",
            Self::PoweringOff => "powering-off",
            Self::PoweringOn => "powering-on",
            Self::Pausing => "pausing",
            Self::Unpausing => "unpausing",
            Self::Deleting => "deleting",
        }
    }

    /// The state of the server once the task has succeeded; none when the server is gone.
    pub fn outcome(self) -> Option<State> {
        match self {
            Self::Spawning
            | Self::Resuming
            | Self::SoftReboot
            | Self::HardReboot
            | Self::PoweringOn
            | Self::Unpausing => Some(State::Active),
            Self::PoweringOff => Some(State::Stopped),
            Self::Pausing => Some(State::Paused),
            Self::Deleting => None,
        }
    }

    /// The task that finishes the server's business after the cloud itself was interrupted in
    /// this one: none when its interruption has done the work.
    pub fn after_interruption(self) -> Option<Self> {
        match self {
            Self::Spawning => Some(Self::Spawning),
            Self::Resuming
            | Self::SoftReboot
            | Self::HardReboot
            | Self::PoweringOn
            | Self::Pausing
            | Self::Unpausing => Some(Self::Resuming),
            Self::PoweringOff => None,
            Self::Deleting => Some(Self::Deleting),
        }
    }
}

impl Request {
    /// The task that carries the request out, or what stands in its way.
    pub fn begin(self, state: State, task: Option<Task>) -> Result<Task, Obstacle> {
        if self == Self::Delete {
            return Ok(Task::Deleting);
        }
        if let Some(task) = task {
            return Err(Obstacle::Task(task));
        }
        match (self, state) {
            (Self::Delete, _) => Ok(Task::Deleting),
            (Self::Start, State::Stopped) => Ok(Task::PoweringOn),
            (Self::Stop, State::Active | State::Error) => Ok(Task::PoweringOff),
            (Self::SoftReboot, State::Active) => Ok(Task::SoftReboot),
            (Self::HardReboot, State::Active | State::Paused | State::Stopped | State::Error) => {
                Ok(Task::HardReboot)
            }
            (Self::Pause, State::Active) => Ok(Task::Pausing),
            (Self::Unpause, State::Paused) => Ok(Task::Unpausing),
            (Self::Start, State::Building | State::Active | State::Paused | State::Error)
            | (Self::Stop, State::Building | State::Paused | State::Stopped)
            | (Self::SoftReboot, State::Building | State::Paused | State::Stopped | State::Error)
            | (Self::HardReboot, State::Building)
            | (Self::Pause, State::Building | State::Paused | State::Stopped | State::Error)
            | (Self::Unpause, State::Building | State::Active | State::Stopped | State::Error) => {
                Err(Obstacle::State(state))
            }
        }
    }

    /// How the API calls it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::SoftReboot | Self::HardReboot => "reboot",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Delete => "delete",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 5] =
        [State::Building, State::Active, State::Paused, State::Stopped, State::Error];

    fn allowed(request: Request) -> Vec<State> {
        STATES.into_iter().filter(|state| request.begin(*state, None).is_ok()).collect()
    }

    #[test]
    fn each_request_fits_its_states_and_no_other() {
        assert_eq!(allowed(Request::Start), [State::Stopped]);
        assert_eq!(allowed(Request::Stop), [State::Active, State::Error]);
        assert_eq!(allowed(Request::SoftReboot), [State::Active]);
        assert_eq!(allowed(Request::HardReboot), STATES[1..]);
        assert_eq!(allowed(Request::Pause), [State::Active]);
        assert_eq!(allowed(Request::Unpause), [State::Paused]);
        assert_eq!(allowed(Request::Delete), STATES);
    }

    #[test]
    fn a_busy_server_can_only_be_deleted() {
        let busy = Some(Task::HardReboot);
        for request in [Request::Start, Request::Stop, Request::SoftReboot, Request::Pause] {
            let refused = request.begin(State::Active, busy);
            assert_eq!(refused, Err(Obstacle::Task(Task::HardReboot)));
        }
        assert_eq!(Request::Delete.begin(State::Active, busy), Ok(Task::Deleting));
    }

    #[test]
    fn a_refusal_speaks_as_nova_does() {
        let refusal = Refusal {
            server: ServerId(uuid::Uuid::nil()),
            request: Request::Pause,
            obstacle: Obstacle::Task(Task::HardReboot),
        };
        assert_eq!(
            refusal.to_string(),
            "Cannot 'pause' instance 00000000-0000-0000-0000-000000000000 while it is in \
             task_state rebooting_hard"
        );
    }

    #[test]
    fn interrupted_work_is_taken_up_again() {
        assert_eq!(Task::Deleting.after_interruption(), Some(Task::Deleting));
        assert_eq!(Task::PoweringOff.after_interruption(), None);
        assert_eq!(Task::SoftReboot.after_interruption(), Some(Task::Resuming));
    }
}
