//! The life of a server: what it is, what is being done to it, and what may be asked of it.
//!
//! ```text
//!            start fails
//!  Building ─────────────► Error ◄──── a task fails
//!     │ Spawning             │ HardReboot, PoweringOff, Rebuilding
//!     ▼                      ▼
//!  Active ⇄ Stopped      (Active, Stopped)
//!   ▲ ▲│ │ ▲  ▲
//!   │ ││ │ │  └── its first process ended
//!   │ ││ └─┴─ Resizing ──► Resized ── confirmed or reverted ──► (Active, Stopped)
//!   │ │└──► Paused, Suspended, Shelved
//!   │ └────────┘
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
    /// Its processes are frozen, for longer.
    Suspended,
    /// It does not run; its disk is kept.
    Stopped,
    /// It has another flavor, which its owner has not confirmed yet.
    Resized,
    /// It is put aside: it does not run, and has no place on a machine.
    Shelved,
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
    Restarting,
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
    /// It is being frozen, for longer.
    Suspending,
    /// It is being thawed, or started when nothing of it is left to thaw.
    Resuming,
    /// It gets a new disk.
    Rebuilding,
    /// It gets another flavor.
    Resizing,
    /// It keeps its new flavor.
    ConfirmingResize,
    /// It gets its former flavor back.
    RevertingResize,
    /// It is being put aside.
    Shelving,
    /// It is being taken up again.
    Unshelving,
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
    /// Freeze it, for longer.
    Suspend,
    /// Thaw it, after that.
    Resume,
    /// Give it a new disk.
    Rebuild,
    /// Give it another flavor.
    Resize,
    /// Keep the new flavor.
    ConfirmResize,
    /// Go back to the former flavor.
    RevertResize,
    /// Put it aside.
    Shelve,
    /// Take its place on a machine from it, once it is put aside.
    OffloadShelved,
    /// Take it up again.
    Unshelve,
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
            Self::Suspended => "suspended",
            Self::Stopped => "stopped",
            Self::Resized => "resized",
            Self::Shelved => "shelved_offloaded",
            Self::Error => "error",
        }
    }
}

impl Task {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spawning => "spawning",
            Self::Restarting => "reboot_started_hard",
            Self::SoftReboot => "rebooting",
            Self::HardReboot => "rebooting_hard",
            Self::PoweringOff => "powering-off",
            Self::PoweringOn => "powering-on",
            Self::Pausing => "pausing",
            Self::Unpausing => "unpausing",
            Self::Suspending => "suspending",
            Self::Resuming => "resuming",
            Self::Rebuilding => "rebuilding",
            Self::Resizing => "resize_migrating",
            Self::ConfirmingResize => "resize_confirming",
            Self::RevertingResize => "resize_reverting",
            Self::Shelving => "shelving",
            Self::Unshelving => "unshelving",
            Self::Deleting => "deleting",
        }
    }

    /// The state of the server once the task has succeeded; none when the server is gone.
    /// `off` tells whether the server was off before its owner asked for the task, or for the
    /// resizing that the task ends.
    pub fn outcome(self, state: State, off: bool) -> Option<State> {
        let as_before = if off { State::Stopped } else { State::Active };
        match self {
            Self::Restarting if state == State::Resized => Some(State::Resized),
            Self::Spawning
            | Self::Restarting
            | Self::SoftReboot
            | Self::HardReboot
            | Self::PoweringOn
            | Self::Unpausing
            | Self::Resuming
            | Self::Unshelving => Some(State::Active),
            Self::Rebuilding | Self::ConfirmingResize | Self::RevertingResize => Some(as_before),
            Self::PoweringOff => Some(State::Stopped),
            Self::Pausing => Some(State::Paused),
            Self::Suspending => Some(State::Suspended),
            Self::Resizing => Some(State::Resized),
            Self::Shelving => Some(State::Shelved),
            Self::Deleting => None,
        }
    }
}

/// What a server is, and what is to be done to it, when the cloud itself was interrupted and
/// comes back: no server runs then. What was frozen is lost; as in Nova after a power cut, a
/// paused server is found stopped, and a suspended one waits to be resumed.
pub fn after_interruption(state: State, task: Option<Task>) -> (State, Option<Task>) {
    match (task, state) {
        (
            Some(
                task @ (Task::Spawning
                | Task::Rebuilding
                | Task::Resizing
                | Task::ConfirmingResize
                | Task::RevertingResize
                | Task::Unshelving
                | Task::Deleting),
            ),
            state,
        ) => (state, Some(task)),
        (None | Some(Task::Restarting), State::Resized) => (State::Resized, Some(Task::Restarting)),
        (
            Some(
                Task::Restarting
                | Task::SoftReboot
                | Task::HardReboot
                | Task::PoweringOn
                | Task::Pausing
                | Task::Unpausing
                | Task::Resuming,
            ),
            _,
        )
        | (None, State::Active) => (State::Active, Some(Task::Restarting)),
        // The interruption has done the work.
        (Some(Task::PoweringOff), _) | (None, State::Paused) => (State::Stopped, None),
        (Some(Task::Suspending), _) => (State::Suspended, None),
        (Some(Task::Shelving), _) => (State::Shelved, None),
        (
            None,
            state @ (State::Building
            | State::Suspended
            | State::Stopped
            | State::Shelved
            | State::Error),
        ) => (state, None),
    }
}

impl Request {
    /// The task that carries the request out, or what stands in its way.
    pub fn begin(self, state: State, task: Option<Task>) -> Result<Task, Obstacle> {
        use State::{Active, Error, Paused, Resized, Shelved, Stopped, Suspended};
        let (fitting, carried_out): (&[State], Task) = match self {
            Self::Delete => return Ok(Task::Deleting),
            Self::Start => (&[Stopped], Task::PoweringOn),
            Self::Stop => (&[Active, Error], Task::PoweringOff),
            Self::SoftReboot => (&[Active], Task::SoftReboot),
            Self::HardReboot => (&[Active, Paused, Suspended, Stopped, Error], Task::HardReboot),
            Self::Pause => (&[Active], Task::Pausing),
            Self::Unpause => (&[Paused], Task::Unpausing),
            Self::Suspend => (&[Active], Task::Suspending),
            Self::Resume => (&[Suspended], Task::Resuming),
            Self::Rebuild => (&[Active, Stopped, Error], Task::Rebuilding),
            Self::Resize => (&[Active, Stopped], Task::Resizing),
            Self::ConfirmResize => (&[Resized], Task::ConfirmingResize),
            Self::RevertResize => (&[Resized], Task::RevertingResize),
            Self::Shelve => (&[Active, Stopped, Paused, Suspended], Task::Shelving),
            // Nova does it at once after shelving unless told otherwise: there is never any left.
            Self::OffloadShelved => (&[], Task::Shelving),
            Self::Unshelve => (&[Shelved], Task::Unshelving),
        };
        match task {
            _ if !fitting.contains(&state) => Err(Obstacle::State(state)),
            Some(task) => Err(Obstacle::Task(task)),
            None => Ok(carried_out),
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
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Rebuild => "rebuild",
            Self::Resize => "resize",
            Self::ConfirmResize => "confirmResize",
            Self::RevertResize => "revertResize",
            Self::Shelve => "shelve",
            Self::OffloadShelved => "shelveOffload",
            Self::Unshelve => "unshelve",
            Self::Delete => "delete",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 8] = [
        State::Building,
        State::Active,
        State::Paused,
        State::Suspended,
        State::Stopped,
        State::Resized,
        State::Shelved,
        State::Error,
    ];

    fn allowed(request: Request) -> Vec<State> {
        STATES.into_iter().filter(|state| request.begin(*state, None).is_ok()).collect()
    }

    #[test]
    fn each_request_fits_its_states_and_no_other() {
        use State::{Active, Error, Paused, Resized, Shelved, Stopped, Suspended};
        for (request, states) in [
            (Request::Start, vec![Stopped]),
            (Request::Stop, vec![Active, Error]),
            (Request::SoftReboot, vec![Active]),
            (Request::HardReboot, vec![Active, Paused, Suspended, Stopped, Error]),
            (Request::Pause, vec![Active]),
            (Request::Unpause, vec![Paused]),
            (Request::Suspend, vec![Active]),
            (Request::Resume, vec![Suspended]),
            (Request::Rebuild, vec![Active, Stopped, Error]),
            (Request::Resize, vec![Active, Stopped]),
            (Request::ConfirmResize, vec![Resized]),
            (Request::RevertResize, vec![Resized]),
            (Request::Shelve, vec![Active, Paused, Suspended, Stopped]),
            (Request::OffloadShelved, vec![]),
            (Request::Unshelve, vec![Shelved]),
            (Request::Delete, STATES.to_vec()),
        ] {
            assert_eq!(allowed(request), states, "{request:?}");
        }
    }

    #[test]
    fn a_busy_server_can_only_be_deleted() {
        let busy = Some(Task::HardReboot);
        for request in [Request::Stop, Request::SoftReboot, Request::Pause, Request::Rebuild] {
            let refused = request.begin(State::Active, busy);
            assert_eq!(refused, Err(Obstacle::Task(Task::HardReboot)));
        }
        assert_eq!(Request::Delete.begin(State::Active, busy), Ok(Task::Deleting));
        let refused = Request::Start.begin(State::Active, busy);
        assert_eq!(refused, Err(Obstacle::State(State::Active)), "the state is looked at first");
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
    fn a_server_that_was_off_stays_off() {
        for task in [Task::Rebuilding, Task::ConfirmingResize, Task::RevertingResize] {
            assert_eq!(task.outcome(State::Stopped, true), Some(State::Stopped));
            assert_eq!(task.outcome(State::Error, false), Some(State::Active));
        }
        assert_eq!(Task::Resizing.outcome(State::Stopped, true), Some(State::Resized));
        assert_eq!(Task::PoweringOn.outcome(State::Stopped, true), Some(State::Active));
    }

    #[test]
    fn interrupted_work_is_taken_up_again() {
        use State::{Active, Paused, Resized, Shelved, Stopped, Suspended};
        for (before, after) in [
            ((Active, Some(Task::Deleting)), (Active, Some(Task::Deleting))),
            ((Active, Some(Task::PoweringOff)), (Stopped, None)),
            ((Active, Some(Task::SoftReboot)), (Active, Some(Task::Restarting))),
            ((Stopped, Some(Task::HardReboot)), (Active, Some(Task::Restarting))),
            ((Stopped, Some(Task::Rebuilding)), (Stopped, Some(Task::Rebuilding))),
            ((Active, Some(Task::Suspending)), (Suspended, None)),
            ((Suspended, None), (Suspended, None)),
            ((Paused, None), (Stopped, None)),
            ((Active, Some(Task::Shelving)), (Shelved, None)),
            ((Resized, None), (Resized, Some(Task::Restarting))),
            ((Resized, Some(Task::Restarting)), (Resized, Some(Task::Restarting))),
        ] {
            assert_eq!(after_interruption(before.0, before.1), after, "{before:?}");
        }
    }
}
