//! What a pool cost and how late its requests were; and the pools that autoscaling is compared with.

use super::queue::{Queue, later_than};
use super::simulation::{Cloud, NODE};
use super::{THRESHOLD, Trace};

/// The part of the requests that may be late.
const TOLERATED: f64 = 0.05;

/// What became of a trace.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Outcome {
    /// What the started hours of its nodes cost.
    pub cost: f64,
    /// Hours that nodes existed.
    pub node_hours: f64,
    /// Requests, and those of them that were late.
    pub requests: f64,
    pub(super) late: f64,
    /// How often nodes were added, and removed.
    pub additions: u32,
    /// How often nodes were removed.
    pub removals: u32,
}

impl Outcome {
    /// The part of the requests that was late.
    #[must_use]
    pub fn violations(&self) -> f64 {
        self.late / self.requests.max(1.0)
    }

    /// Adds the requests of a minute.
    pub(super) fn answer(&mut self, requests: f64, late: f64) {
        self.requests += requests;
        self.late += requests * late;
    }

    /// Adds a node that existed for so many minutes.
    pub(super) fn pay(&mut self, minutes: usize, price_per_hour: f64) {
        self.cost += minutes.div_ceil(60) as f64 * price_per_hour;
        self.node_hours += minutes as f64 / 60.0;
    }
}

/// As few of the smallest nodes as answer so many requests a second in time.
#[must_use]
pub fn enough(cloud: &Cloud, rate: f64) -> usize {
    let capacity = cloud.capacity(NODE);
    let in_time = |nodes: &usize| {
        let share = rate / *nodes as f64;
        let minute = Queue::default().minute(share, capacity);
        share < capacity && minute.later_than(f64::from(THRESHOLD)) <= TOLERATED
    };
    (1..).find(in_time).unwrap_or(1)
}

/// A pool of so many of the smallest nodes that never changes.
#[must_use]
pub fn fixed(cloud: &Cloud, trace: &Trace, nodes: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut queue = Queue::default();
    for rate in &trace.rates {
        let minute = queue.minute(rate / nodes as f64, cloud.capacity(NODE));
        outcome.answer(rate * 60.0, later_than(&[minute], f64::from(THRESHOLD)));
    }
    (0..nodes).for_each(|_| outcome.pay(trace.rates.len(), cloud.price(NODE)));
    outcome
}

/// As few of the smallest nodes as make a pool that never changes and is late as rarely as tolerated: the
/// choice of one who knows the trace.
#[must_use]
pub fn enough_throughout(cloud: &Cloud, trace: &Trace) -> usize {
    (1..).find(|nodes| fixed(cloud, trace, *nodes).violations() <= TOLERATED).unwrap_or(1)
}

/// The schedule of the smallest nodes with the fewest paid hours of all that answer every minute's
/// requests in time, by one who knows the trace and whose nodes need no time to boot.
///
/// The first node is needed whenever one is, the second whenever two are, and so on; each must be paid
/// at the minutes at which it is needed, and paying from the first such minute that is not paid yet is
/// the cheapest way to cover them all.
#[must_use]
pub fn perfect(cloud: &Cloud, trace: &Trace) -> Outcome {
    let needed: Vec<usize> = trace.rates.iter().map(|rate| enough(cloud, *rate)).collect();
    let minutes = needed.len();
    let mut paid = vec![0_usize; minutes];
    let mut outcome = Outcome::default();
    for node in 1..=needed.iter().copied().max().unwrap_or(0) {
        let mut until = 0;
        for minute in 0..minutes {
            if minute >= until && needed[minute] >= node {
                outcome.pay(60.min(minutes - minute), cloud.price(NODE));
                until = minute + 60;
            }
            paid[minute] += usize::from(minute < until);
        }
    }
    for (rate, nodes) in trace.rates.iter().zip(paid) {
        let minute = Queue::default().minute(rate / nodes.max(1) as f64, cloud.capacity(NODE));
        outcome.answer(rate * 60.0, later_than(&[minute], f64::from(THRESHOLD)));
    }
    outcome
}
