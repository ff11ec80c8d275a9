//! The states of a service, and what may be asked of it in each. Decisions only, no effects.
//!
//! ```text
//!            startup            done              shutdown           done
//!   INIT ──────────► PROLOGUE ──────► RUNNING ──────────► EPILOGUE ──────► STOPPED
//!                     ▲   │ failed     ▲   │ add_nodes,     ▲  │ failed       │
//!                     │   ▼            │   │ remove_nodes,  │  ▼              │
//!                     │  ERROR    done │   ▼ change         │ ERROR           │
//!                     │   │        ADAPTING ───► ERROR ─────┘                 │
//!                     └───┴──────────────  startup  ──────────────────────────┘
//! ```
//!
//! - INIT: created, never started; no nodes.
//! - PROLOGUE: its first nodes are being made and prepared.
//! - RUNNING: at work. A reason beside it tells of a change that could not be made.
//! - ADAPTING: at work, while nodes come or go or its configuration changes.
//! - EPILOGUE: its nodes are being given back.
//! - STOPPED: no nodes; what the user gave it (code, settings) is kept.
//! - ERROR: it could not be started, or lost its nodes; the reason tells why.
//!
//! Removing a service is possible in every state: work under way is broken off.

use protocol::api::State;
use protocol::{ApiError, ServiceId};

/// What can be asked of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Make its first nodes and put it to work.
    Startup,
    /// Make more nodes.
    AddNodes,
    /// Give nodes back.
    RemoveNodes,
    /// Change how all its nodes are to be; only noted while it has none.
    Change,
    /// Have its nodes do something; one such request at a time.
    Use,
    /// Ask its nodes something, or break off what they do.
    Reach,
    /// Look at, or add to, what the manager itself keeps.
    Look,
    /// Give all nodes back.
    Shutdown,
    /// Give back everything and forget it.
    Remove,
}

/// What a granted request does to the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It stays.
    Stay,
    /// It becomes this one until the work is done.
    Become(State),
}

/// Whether a request is granted in a state, and what it then does to the state.
#[must_use]
pub fn step(state: State, request: Request) -> Option<Step> {
    use Request::{AddNodes, Change, Look, Reach, Remove, RemoveNodes, Shutdown, Startup, Use};
    use State::{Adapting, Epilogue, Error, Init, Prologue, Running, Stopped};
    match (state, request) {
        (Init | Stopped | Error, Startup) => Some(Step::Become(Prologue)),
        (Running, AddNodes | RemoveNodes | Change) => Some(Step::Become(Adapting)),
        (Init | Stopped, Change) => Some(Step::Stay),
        (Running, Use) | (Prologue | Running | Adapting, Reach) => Some(Step::Stay),
        (Init | Prologue | Running | Adapting | Epilogue | Stopped | Error, Look) => {
            Some(Step::Stay)
        }
        (Running | Error, Shutdown) => Some(Step::Become(Epilogue)),
        (Init | Prologue | Running | Adapting | Epilogue | Stopped | Error, Remove) => {
            Some(Step::Become(Epilogue))
        }
        (Prologue | Running | Adapting | Epilogue, Startup)
        | (Init | Prologue | Adapting | Epilogue | Stopped | Error, AddNodes | RemoveNodes | Use)
        | (Prologue | Adapting | Epilogue | Error, Change)
        | (Init | Epilogue | Stopped | Error, Reach)
        | (Init | Prologue | Adapting | Epilogue | Stopped, Shutdown) => None,
    }
}

/// The same, with the user's error where it is not granted. `action` names what was asked, as the
/// beginning of a sentence: `adding nodes`; `remedy` is the command that ends work that hangs.
///
/// # Errors
/// When the state does not allow the request.
pub fn decide(
    service: ServiceId,
    state: State,
    request: Request,
    action: &str,
    remedy: Option<&str>,
) -> Result<Step, ApiError> {
    step(state, request).ok_or_else(|| {
        let allowed = allowed(request);
        let message = format!(
            "Service {service} is {state}: {action} is possible only when it is {}",
            either(&allowed)
        );
        let hint = match state {
            State::Prologue | State::Adapting | State::Epilogue => {
                let wait = "wait until it is done: `cps service list` shows the state";
                match remedy.filter(|_| step(state, Request::Reach).is_some()) {
                    Some(remedy) => {
                        format!("{wait}; `{remedy} {service}` ends a script that hangs")
                    }
                    None => wait.to_owned(),
                }
            }
            State::Init | State::Stopped => {
                format!("start it first: `cps service start {service}`")
            }
            State::Running => format!("it is at work; `cps service stop {service}` stops it"),
            State::Error => {
                format!("`cps service stop {service}` gives its nodes back, then start it again")
            }
        };
        ApiError::conflict(message).hint(hint)
    })
}

fn allowed(request: Request) -> Vec<State> {
    ALL.into_iter().filter(|state| step(*state, request).is_some()).collect()
}

const ALL: [State; 7] = [
    State::Init,
    State::Prologue,
    State::Running,
    State::Adapting,
    State::Epilogue,
    State::Stopped,
    State::Error,
];

fn either(states: &[State]) -> String {
    match states {
        [] => "in no state".to_owned(),
        [only] => only.to_string(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(|state| state.as_str()).collect();
            format!("{} or {last}", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_state_and_request() {
        use State::{Adapting, Epilogue, Prologue};
        const NO: Option<Step> = None;
        const STAY: Option<Step> = Some(Step::Stay);
        let to = |state| Some(Step::Become(state));
        let (go, change, end) = (to(Prologue), to(Adapting), to(Epilogue));
        // INIT, PROLOGUE, RUNNING, ADAPTING, EPILOGUE, STOPPED, ERROR
        let table = [
            (Request::Startup, [go, NO, NO, NO, NO, go, go]),
            (Request::AddNodes, [NO, NO, change, NO, NO, NO, NO]),
            (Request::RemoveNodes, [NO, NO, change, NO, NO, NO, NO]),
            (Request::Change, [STAY, NO, change, NO, NO, STAY, NO]),
            (Request::Use, [NO, NO, STAY, NO, NO, NO, NO]),
            (Request::Reach, [NO, STAY, STAY, STAY, NO, NO, NO]),
            (Request::Look, [STAY; 7]),
            (Request::Shutdown, [NO, NO, end, NO, NO, NO, end]),
            (Request::Remove, [end; 7]),
        ];
        for (request, row) in table {
            for (state, expected) in ALL.into_iter().zip(row) {
                assert_eq!(step(state, request), expected, "{request:?} in {state}");
            }
        }
    }

    fn refuse(state: State, request: Request, action: &str) -> ApiError {
        decide(ServiceId(1), state, request, action, Some("cps x interrupt")).unwrap_err()
    }

    #[test]
    fn a_script_that_hangs_can_be_ended_while_nodes_can_be_reached() {
        for (state, can_be) in
            [(State::Prologue, true), (State::Adapting, true), (State::Epilogue, false)]
        {
            let hint = refuse(state, Request::Shutdown, "stopping").hint.unwrap();
            assert!(hint.starts_with("wait until it is done"), "{hint}");
            assert_eq!(hint.contains("`cps x interrupt 1` ends"), can_be, "{hint}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_allowed_and_what_to_do() {
        let refusal = refuse(State::Stopped, Request::AddNodes, "adding nodes");
        assert_eq!(
            refusal.message,
            "Service 1 is STOPPED: adding nodes is possible only when it is RUNNING"
        );
        assert!(refusal.hint.unwrap().contains("cps service start 1"));
        let refusal = refuse(State::Running, Request::Startup, "starting");
        assert!(refusal.message.ends_with("only when it is INIT, STOPPED or ERROR"));
    }
}
