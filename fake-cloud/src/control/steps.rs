//! How long the work after a call takes: no time, as long as in a real cloud, or until someone says
//! so. Every piece of such work passes here before it begins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

use super::fault::matches;

/// How long work takes, such as that from BUILD to ACTIVE.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
pub enum Transitions {
    /// As long as it takes.
    #[default]
    Immediate,
    /// As long as in a real cloud, by the cloud's clock.
    Timed {
        /// In seconds, by step (`server.spawning`); those that are not named take a usual time.
        #[serde(default)]
        seconds: BTreeMap<String, f64>,
    },
    /// Until someone steps it.
    Manual,
}

/// A piece of work that waits to begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Which step it is.
    pub step: String,
    /// The server, volume or snapshot.
    pub id: Uuid,
    /// What for.
    pub waits_for: Wait,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// What a piece of work waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// For its time.
    Time,
    /// To be stepped.
    Step,
    /// For the end of a fault.
    Fault(u64),
}

/// What is to be stepped: the oldest that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepWanted {
    /// How many; all when not given.
    #[serde(default)]
    pub count: Option<usize>,
    /// Of this server, volume or snapshot only.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// Of steps with this name only; `*` stands for any text.
    #[serde(default)]
    pub step: Option<String>,
}

impl Transitions {
    /// As slow as a real cloud.
    pub fn timed() -> Self {
        Self::Timed { seconds: BTreeMap::new() }
    }

    /// How long a step takes; `None` until it is stepped.
    fn duration(&self, step: &str) -> Option<Duration> {
        match self {
            Self::Immediate => Some(Duration::ZERO),
            Self::Timed { seconds } => {
                let seconds = seconds.get(step).copied().unwrap_or_else(|| usual(step));
                Some(Duration::try_from_secs_f64(seconds).unwrap_or_default())
            }
            Self::Manual => None,
        }
    }
}

/// What a step takes in a middling real cloud, in seconds.
fn usual(step: &str) -> f64 {
    match step {
        "server.spawning" => 12.0,
        "server.soft_reboot" | "server.restarting" => 8.0,
        "server.pausing" | "server.unpausing" => 1.0,
        "snapshot.creating" => 5.0,
        _ if step.starts_with("server.") => 5.0,
        _ => 3.0,
    }
}

/// The gate that work passes.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    inner: Mutex<Inner>,
    /// How many pieces of work are under way, apart from those that wait here.
    working: Arc<watch::Sender<usize>>,
}

/// A piece of work that is under way for as long as this is there.
#[derive(Debug)]
pub(crate) struct Working(Arc<watch::Sender<usize>>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.send_modify(|working| *working -= 1);
    }
}

#[derive(Debug, Default)]
struct Inner {
    transitions: Transitions,
    last: u64,
    /// Dropping a sender without a word tells the work that nobody wants it any more.
    waiting: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    pending: Pending,
    /// When its time has come, if it waits for that.
    due: Option<OffsetDateTime>,
    go: oneshot::Sender<()>,
}

/// A place among those that wait; left when dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    gate: &'a Gate,
    number: u64,
    go: oneshot::Receiver<()>,
}

impl Gate {
    pub(crate) fn new(transitions: Transitions) -> Self {
        let inner = Mutex::new(Inner { transitions, ..Inner::default() });
        Self { inner, working: Arc::default() }
    }

    /// Counts a piece of work as under way.
    pub(crate) fn enter(&self) -> Working {
        self.working.send_modify(|working| *working += 1);
        Working(Arc::clone(&self.working))
    }

    /// Comes back when nothing is under way, apart from what waits here for more than has happened.
    pub(crate) async fn settled(&self, now: impl Fn() -> OffsetDateTime) {
        let mut working = self.working.subscribe();
        // The sender is our own: it is there as long as we are.
        while working.wait_for(|working| *working == 0).await.is_ok() {
            let due = |waiting: &Waiting| waiting.due.is_some_and(|due| due <= now());
            if !self.lock().waiting.values().any(due) {
                return;
            }
            // It is about to go on.
            let _ = working.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn transitions(&self) -> Transitions {
        self.lock().transitions.clone()
    }

    /// From now on work takes so long; what waits for its time or a step goes on at once.
    pub(crate) fn set_transitions(&self, transitions: Transitions) {
        self.lock().transitions = transitions;
        self.release(&StepWanted { count: None, id: None, step: None });
    }

    /// How long a step takes; `None` until it is stepped.
    pub(crate) fn duration(&self, step: &str) -> Option<Duration> {
        self.lock().transitions.duration(step)
    }

    /// Joins those that wait: of a piece of work that is under way. `due` is when its time has
    /// come, if it waits for that.
    pub(crate) fn wait(&self, pending: Pending, due: Option<OffsetDateTime>) -> Place<'_> {
        let (sender, go) = oneshot::channel();
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        inner.waiting.insert(number, Waiting { pending, due, go: sender });
        self.working.send_modify(|working| *working -= 1);
        Place { gate: self, number, go }
    }

    /// All that wait, the oldest first.
    pub(crate) fn pending(&self) -> Vec<Pending> {
        self.lock().waiting.values().map(|waiting| waiting.pending.clone()).collect()
    }

    /// Lets work go on that waits for its time or a step; tells which.
    pub(crate) fn release(&self, wanted: &StepWanted) -> Vec<Pending> {
        let fits = |pending: &Pending| {
            !matches!(pending.waits_for, Wait::Fault(_))
                && wanted.id.is_none_or(|id| id == pending.id)
                && wanted.step.as_ref().is_none_or(|step| matches(step, &pending.step))
        };
        self.take(wanted.count.unwrap_or(usize::MAX), fits, true)
    }

    /// Lets work go on that waits for the end of a fault, of any when not given.
    pub(crate) fn release_fault(&self, id: Option<u64>) {
        let fits = |pending: &Pending| match pending.waits_for {
            Wait::Fault(fault) => id.is_none_or(|id| id == fault),
            Wait::Time | Wait::Step => false,
        };
        self.take(usize::MAX, fits, true);
    }

    /// Tells work on something that nobody wants it any more.
    pub(crate) fn abandon(&self, id: Uuid) {
        self.take(usize::MAX, |pending| pending.id == id, false);
    }

    fn take(&self, count: usize, fits: impl Fn(&Pending) -> bool, go: bool) -> Vec<Pending> {
        let mut inner = self.lock();
        let chosen = inner.waiting.iter().filter(|(_, waiting)| fits(&waiting.pending));
        let numbers: Vec<u64> = chosen.map(|(number, _)| *number).take(count).collect();
        let taken = numbers.into_iter().filter_map(|number| inner.waiting.remove(&number));
        taken
            .map(|waiting| {
                self.working.send_modify(|working| *working += 1);
                if go {
                    // Who waits no longer does not mind.
                    let _ = waiting.go.send(());
                }
                waiting.pending
            })
            .collect()
    }
}

impl Place<'_> {
    /// Waits to be let go on; `false` when the work is not wanted any more.
    pub(crate) async fn turn(&mut self) -> bool {
        (&mut self.go).await.is_ok()
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Unless it was let go on.
        if self.gate.lock().waiting.remove(&self.number).is_some() {
            self.gate.working.send_modify(|working| *working += 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn pending(step: &str, id: u128, waits_for: Wait) -> Pending {
        let since = OffsetDateTime::UNIX_EPOCH;
        Pending { step: step.to_owned(), id: Uuid::from_u128(id), waits_for, since }
    }

    #[test]
    fn steps_take_no_time_their_time_or_until_they_are_stepped() {
        let seconds = BTreeMap::from([("volume.creating".to_owned(), 0.25)]);
        let timed = Transitions::Timed { seconds };
        assert_eq!(Transitions::Immediate.duration("x"), Some(Duration::ZERO));
        assert_eq!(timed.duration("volume.creating"), Some(Duration::from_millis(250)));
        assert_eq!(timed.duration("server.spawning"), Some(Duration::from_secs(12)));
        assert_eq!(Transitions::Manual.duration("x"), None);
    }

    #[test]
    fn the_oldest_that_fits_goes_on() {
        let gate = Gate::new(Transitions::Manual);
        let _under_way = [(); 3].map(|()| gate.enter());
        let mut first = gate.wait(pending("server.spawning", 1, Wait::Step), None);
        let mut second = gate.wait(pending("server.spawning", 2, Wait::Step), None);
        let mut stuck = gate.wait(pending("server.spawning", 3, Wait::Fault(9)), None);
        let one = StepWanted { count: Some(1), id: None, step: Some("server.*".to_owned()) };
        let released = gate.release(&one);
        assert_eq!(released[0].id, Uuid::from_u128(1));
        assert_eq!(first.turn().now_or_never(), Some(true));
        assert_eq!(second.turn().now_or_never(), None);
        gate.set_transitions(Transitions::Immediate);
        assert_eq!(second.turn().now_or_never(), Some(true));
        assert_eq!(stuck.turn().now_or_never(), None, "a fault is not a matter of time");
        gate.release_fault(Some(9));
        assert_eq!(stuck.turn().now_or_never(), Some(true));
    }

    #[test]
    fn work_that_is_not_wanted_any_more_is_told() {
        let gate = Gate::new(Transitions::Manual);
        let _under_way = [(); 3].map(|()| gate.enter());
        let mut place = gate.wait(pending("server.spawning", 1, Wait::Step), None);
        gate.abandon(Uuid::from_u128(1));
        assert_eq!(place.turn().now_or_never(), Some(false));
        drop(gate.wait(pending("server.spawning", 2, Wait::Step), None));
        assert_eq!(gate.pending(), []);
    }
}
