//! What a service may be, as far as its user can know. An answer that never came leaves two
//! possibilities; so a service has a set of them, which every action maps.

use std::collections::BTreeSet;

use protocol::api::{Service, State};

/// What may have become of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Gone,
    /// Never started.
    New,
    Stopped,
    /// At work, with so many nodes.
    Running(u32),
}

/// What the user was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was accepted.
    Accepted,
    /// It was refused: nothing has changed.
    Refused,
    /// Nobody knows.
    Nothing,
}

/// All that something may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Possible<T: Ord>(BTreeSet<T>);

impl<T: Ord + Clone> Possible<T> {
    /// It is known to be this.
    pub(crate) fn only(known: T) -> Self {
        Self([known].into())
    }

    /// After an action with this effect, of which the user was told this.
    pub(crate) fn after(&mut self, told: Told, effect: impl Fn(T) -> T) {
        let changed = self.0.iter().cloned().map(effect);
        match told {
            Told::Accepted => self.0 = changed.collect(),
            Told::Refused => {}
            Told::Nothing => self.0 = changed.chain(self.0.iter().cloned()).collect(),
        }
    }

    /// Whether it may be this.
    pub(crate) fn may_be(&self, found: &T) -> bool {
        self.0.contains(found)
    }
}

/// All that a service may be.
pub(crate) type Expectation = Possible<Outcome>;

impl Expectation {
    /// The user saw it run with so many nodes, and why.
    pub(crate) fn seen(&mut self, nodes: u32) {
        self.0 = [Outcome::Running(nodes)].into();
    }

    /// Whether its user need not be told of it any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.iter().all(|outcome| *outcome == Outcome::Gone)
    }

    /// What is wrong with what became of it. In ERROR it may be, and have other nodes than were
    /// asked for, when it says why.
    pub(crate) fn verdict(&self, found: Option<&Service>) -> Result<(), String> {
        let Some(service) = found else {
            return match self.0.contains(&Outcome::Gone) {
                true => Ok(()),
                false => Err(format!("it is gone, and should be one of {:?}", self.0)),
            };
        };
        let Service { state, nodes, reason, .. } = service;
        let told = reason.as_ref().is_some_and(|reason| !reason.is_empty());
        let fits = self.0.iter().any(|outcome| match (outcome, state) {
            (Outcome::Gone, _) => false,
            (_, State::Error) => told,
            (Outcome::New, State::Init) | (Outcome::Stopped, State::Stopped) => *nodes == 0,
            (Outcome::Running(wanted), State::Running) => wanted == nodes || told,
            _ => false,
        });
        match fits {
            true => Ok(()),
            false => Err(format!(
                "it is {state} with {nodes} nodes ({reason:?}), and should be one of {:?}",
                self.0
            )),
        }
    }
}

/// What becomes of a service by what its user does to it.
pub(crate) mod effect {
    use super::Outcome;

    /// One that should run already is only started when it is in ERROR.
    pub(crate) fn start(before: Outcome) -> Outcome {
        match before {
            Outcome::New | Outcome::Stopped | Outcome::Running(_) => Outcome::Running(1),
            Outcome::Gone => before,
        }
    }

    pub(crate) fn stop(before: Outcome) -> Outcome {
        match before {
            Outcome::Running(_) => Outcome::Stopped,
            Outcome::New | Outcome::Stopped | Outcome::Gone => before,
        }
    }

    pub(crate) fn delete(_: Outcome) -> Outcome {
        Outcome::Gone
    }

    pub(crate) fn add(nodes: u32) -> impl Fn(Outcome) -> Outcome {
        move |before| match before {
            Outcome::Running(there) => Outcome::Running(there + nodes),
            _ => before,
        }
    }

    pub(crate) fn remove(nodes: u32) -> impl Fn(Outcome) -> Outcome {
        move |before| match before {
            Outcome::Running(there) => Outcome::Running(there.saturating_sub(nodes)),
            _ => before,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ApplicationId, ServiceId};
    use time::OffsetDateTime;

    use super::*;

    fn service(state: State, nodes: u32, reason: Option<&str>) -> Service {
        Service {
            id: ServiceId(1),
            application: ApplicationId(1),
            service_type: "generic".to_owned(),
            name: "name".to_owned(),
            state,
            reason: reason.map(str::to_owned),
            since: OffsetDateTime::UNIX_EPOCH,
            nodes,
            revision: 1,
            created: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_was_accepted_must_have_happened() {
        let mut expected = Expectation::only(Outcome::New);
        expected.after(Told::Accepted, effect::start);
        expected.after(Told::Accepted, effect::add(2));
        expected.after(Told::Refused, effect::stop);
        assert!(expected.verdict(Some(&service(State::Running, 3, None))).is_ok());
        for (state, nodes, reason) in [
            (State::Running, 1, None),
            (State::Adapting, 3, None),
            (State::Stopped, 0, None),
            (State::Error, 0, None),
            (State::Error, 0, Some("")),
        ] {
            assert!(expected.verdict(Some(&service(state, nodes, reason))).is_err(), "{state}");
        }
        assert!(expected.verdict(None).is_err());
        assert!(expected.verdict(Some(&service(State::Error, 0, Some("no quota")))).is_ok());
        assert!(expected.verdict(Some(&service(State::Running, 1, Some("no quota")))).is_ok());
    }

    #[test]
    fn what_nobody_knows_may_be_either() {
        let mut expected = Expectation::only(Outcome::New);
        expected.after(Told::Nothing, effect::start);
        expected.after(Told::Nothing, effect::delete);
        assert!(expected.verdict(Some(&service(State::Running, 1, None))).is_ok());
        assert!(expected.verdict(Some(&service(State::Init, 0, None))).is_ok());
        assert!(expected.verdict(None).is_ok());
        assert!(expected.verdict(Some(&service(State::Stopped, 0, None))).is_err());
        assert!(!expected.is_gone());
        expected.after(Told::Accepted, effect::delete);
        assert!(expected.is_gone());
        assert!(expected.verdict(Some(&service(State::Init, 0, None))).is_err());
    }
}
