//! Faults: what goes wrong at which point, how often, and by whose dice. Pure: the same calls in the
//! same order meet the same faults.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// More faults at once than anyone means.
const MOST: usize = 1000;

/// What is to go wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFault {
    /// At which operation (`compute:servers.create`, `ec2:RunInstances`) or step of the work after
    /// it (`server.spawning`); `*` stands for any text, as in `volume:*`.
    pub at: String,
    /// What happens there.
    pub effect: Effect,
    /// How many times at most; until it is cleared when not given.
    #[serde(default)]
    pub times: Option<u64>,
    /// How likely it is each time, in percent; certain when not given.
    #[serde(default)]
    pub percent: Option<f64>,
    /// Where the dice begin: the same seed throws the same. Made from the cloud's own when not
    /// given.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// What happens at a point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// An operation answers with an error, in the shape that its API gives it.
    Error {
        /// The HTTP status.
        status: u16,
        /// The name of the error where the API has one: `InsufficientInstanceCapacity` in EC2, an
        /// exception's name in Neutron. One that fits the status when not given.
        #[serde(default)]
        code: Option<String>,
        /// What the answer says; something that fits the status when not given.
        #[serde(default)]
        message: Option<String>,
        /// Whether it was done all the same.
        #[serde(default)]
        after: bool,
    },
    /// An operation's connection closes without an answer.
    Drop {
        /// Whether it was done all the same.
        #[serde(default)]
        after: bool,
    },
    /// An operation or a step takes longer.
    Delay {
        /// By so many seconds.
        seconds: f64,
    },
    /// A step fails: a server or a volume is in error afterwards.
    Fail {
        /// Why, as the API tells it.
        #[serde(default)]
        message: Option<String>,
    },
    /// A step does not end before the fault is cleared.
    Hang,
}

/// A fault that there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Its number.
    pub id: u64,
    /// What it is.
    #[serde(flatten)]
    pub fault: NewFault,
    /// How often its point was passed.
    pub met: u64,
    /// How often it struck.
    pub struck: u64,
}

/// What a passage through a point meets: all delays together, and the first fault of another kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Strike {
    pub(crate) delay: Duration,
    pub(crate) effect: Option<(u64, Effect)>,
}

/// All faults.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    seed: u64,
    last: u64,
    active: BTreeMap<u64, (Fault, Dice)>,
}

impl Faults {
    /// None yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Adds one; `None` when there are too many.
    pub(crate) fn add(&mut self, fault: NewFault) -> Option<Fault> {
        if self.active.len() == MOST {
            return None;
        }
        self.last += 1;
        let id = self.last;
        let dice = Dice(fault.seed.unwrap_or(self.seed.wrapping_add(id)));
        let fault = Fault { id, fault, met: 0, struck: 0 };
        self.active.insert(id, (fault.clone(), dice));
        Some(fault)
    }

    /// All, the oldest first; those that have struck as often as they may too.
    pub(crate) fn list(&self) -> Vec<Fault> {
        self.active.values().map(|(fault, _)| fault.clone()).collect()
    }

    /// Removes one; `false` when there is none.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        self.active.remove(&id).is_some()
    }

    /// Removes all.
    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// Passes a point.
    pub(crate) fn strike(&mut self, point: &str) -> Strike {
        let mut strike = Strike::default();
        for (fault, dice) in self.active.values_mut() {
            let is_delay = matches!(fault.fault.effect, Effect::Delay { .. });
            let spent = fault.fault.times.is_some_and(|times| fault.struck >= times);
            if spent || !is_delay && strike.effect.is_some() || !matches(&fault.fault.at, point) {
                continue;
            }
            fault.met += 1;
            if !fault.fault.percent.is_none_or(|percent| dice.throw() < percent) {
                continue;
            }
            fault.struck += 1;
            match fault.fault.effect {
                Effect::Delay { seconds } => {
                    strike.delay += Duration::try_from_secs_f64(seconds).unwrap_or_default();
                }
                _ => strike.effect = Some((fault.id, fault.fault.effect.clone())),
            }
        }
        strike
    }
}

/// Whether a point is meant by a pattern, in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, point: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == point };
    let Some(mut left) = point.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(end)
}

/// Numbers that look random and follow from where they begin, in every version of this program
/// (SplitMix64).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    /// At least 0 and less than 100.
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // A double holds 53 bits.
        (mixed >> 11) as f64 / (1_u64 << 53) as f64 * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(at: &str, effect: Effect) -> NewFault {
        NewFault { at: at.to_owned(), effect, times: None, percent: None, seed: None }
    }

    fn strikes(faults: &mut Faults, point: &str, passages: usize) -> Vec<bool> {
        (0..passages).map(|_| faults.strike(point).effect.is_some()).collect()
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, point, expected) in [
            ("compute:servers.create", "compute:servers.create", true),
            ("compute:servers.create", "compute:servers.created", false),
            ("compute:*", "compute:servers.create", true),
            ("*.create", "compute:servers.create", true),
            ("*:*.create", "volume:volumes.create", true),
            ("*:volumes.*", "compute:servers.create", false),
            ("a*a", "a", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, point), expected, "{pattern} {point}");
        }
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_may() {
        let mut faults = Faults::new(1);
        let twice = NewFault { times: Some(2), ..fault("server.*", Effect::Hang) };
        let id = faults.add(twice).unwrap().id;
        assert_eq!(strikes(&mut faults, "volume.creating", 1), [false]);
        assert_eq!(strikes(&mut faults, "server.spawning", 3), [true, true, false]);
        assert_eq!(faults.list()[0].struck, 2);
        assert!(faults.remove(id) && !faults.remove(id));
    }

    #[test]
    fn delays_add_up_and_the_oldest_other_fault_is_met() {
        let mut faults = Faults::new(1);
        faults.add(fault("*", Effect::Delay { seconds: 0.5 })).unwrap();
        let first = faults.add(fault("*", Effect::Drop { after: false })).unwrap().id;
        let second = faults.add(fault("*", Effect::Hang)).unwrap().id;
        faults.add(fault("*", Effect::Delay { seconds: 1.0 })).unwrap();
        let strike = faults.strike("x");
        assert_eq!(strike.delay, Duration::from_millis(1500));
        assert_eq!(strike.effect, Some((first, Effect::Drop { after: false })));
        assert_eq!(faults.list()[second as usize - 1].met, 0, "it had no turn");
    }

    #[test]
    fn dice_are_the_same_for_the_same_seed_and_fair_enough() {
        let thrown = |seed| {
            let mut faults = Faults::new(0);
            let fault =
                NewFault { percent: Some(30.0), seed: Some(seed), ..fault("x", Effect::Hang) };
            faults.add(fault).unwrap();
            strikes(&mut faults, "x", 1000)
        };
        assert_eq!(thrown(7), thrown(7));
        assert_ne!(thrown(7), thrown(8));
        let count = thrown(7).into_iter().filter(|struck| *struck).count();
        assert!((250..350).contains(&count), "{count}");
    }
}
