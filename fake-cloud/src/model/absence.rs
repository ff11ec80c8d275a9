//! What servers are when the cloud comes back: most end with it, but what runs elsewhere runs on.

use super::life::{State, Task, after_interruption};
use crate::backends::Survivor;

/// What a server is, and what is to be done to it, when the cloud was away and this has become of
/// the server meanwhile; nothing is known of one that has ended with the cloud.
pub(super) fn after_absence(
    state: State,
    task: Option<Task>,
    survivor: Option<Survivor>,
) -> (State, Option<Task>) {
    use Survivor::{Ended, Paused, Running};

    match (survivor, task, state) {
        (Some(Ended), None, State::Active | State::Paused | State::Suspended) => {
            (State::Stopped, None)
        }
        (Some(Paused), None, State::Paused | State::Suspended) => (state, None),
        // Someone has started it.
        (Some(Running), None, State::Paused | State::Suspended | State::Stopped) => {
            (State::Active, Some(Task::Restarting))
        }
        // Its absence has not done the work.
        (Some(Running | Paused), Some(Task::PoweringOff | Task::Shelving), _)
        | (Some(Running), Some(Task::Suspending), _) => (state, task),
        (None | Some(_), _, _) => after_interruption(state, task),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ran_on_is_what_it_was_and_what_ended_is_stopped() {
        use Survivor::{Ended, Paused, Running};

        for (survivor, before, after) in [
            (None, (State::Paused, None), (State::Stopped, None)),
            (Some(Running), (State::Active, None), (State::Active, Some(Task::Restarting))),
            (Some(Ended), (State::Active, None), (State::Stopped, None)),
            (Some(Ended), (State::Shelved, None), (State::Shelved, None)),
            (Some(Paused), (State::Paused, None), (State::Paused, None)),
            (Some(Paused), (State::Suspended, None), (State::Suspended, None)),
            (Some(Running), (State::Stopped, None), (State::Active, Some(Task::Restarting))),
        ] {
            assert_eq!(after_absence(before.0, before.1, survivor), after, "{before:?}");
        }
    }

    #[test]
    fn interrupted_work_on_a_server_that_runs_on_is_not_done_yet() {
        let begun = (State::Active, Some(Task::PoweringOff));
        assert_eq!(after_absence(begun.0, begun.1, Some(Survivor::Running)), begun);
        assert_eq!(after_absence(begun.0, begun.1, None), (State::Stopped, None));
        let frozen = after_absence(State::Active, Some(Task::Suspending), Some(Survivor::Paused));
        assert_eq!(frozen, (State::Suspended, None));
    }
}
