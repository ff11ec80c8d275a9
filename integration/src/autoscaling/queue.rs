//! How long requests take on a node, by how busy it is.
//!
//! A node is one queue before its processors (M/M/c, with Sakasegawa's approximation of the waiting
//! time) while it keeps up. When it does not, requests pile up; those that have waited for half a minute
//! are given up.

/// Milliseconds of a processor that a request takes, and what it waits for elsewhere.
pub(super) const SERVICE: f64 = 60.0;
pub(super) const ELSEWHERE: f64 = 30.0;
/// Seconds after which clients give up.
const PATIENCE: f64 = 30.0;
const MINUTE: f64 = 60.0;

/// A node's queue.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// Requests left over from the minute before.
    backlog: f64,
}

/// A minute of a node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Minute {
    /// Requests that came.
    pub(super) arrived: f64,
    /// Requests that were answered.
    pub(super) answered: f64,
    /// How busy its processors were, from 0 to 1.
    pub(super) busy: f64,
    /// Milliseconds that each waited for those from before.
    delay: f64,
    /// The mean of the time, exponentially distributed, that each took beside that.
    response: f64,
}

impl Queue {
    /// A minute with so many requests a second, on a node that can do so many, with processors that can
    /// do so many each.
    pub(super) fn minute(&mut self, rate: f64, capacity: f64) -> Minute {
        let before = self.backlog;
        let arrived = rate * MINUTE;
        let possible = capacity * MINUTE;
        let answered = (arrived + before).min(possible);
        self.backlog = (arrived + before - answered).min(capacity * PATIENCE);
        let busy = answered / possible;
        let delay = (before + self.backlog) / 2.0 / capacity * 1000.0;
        // Just below overload a minute is too short for the queue that theory foresees.
        let load = busy.min(0.98);
        let processors = (capacity * SERVICE / 1000.0).max(1.0);
        let waiting = SERVICE * load.powf((2.0 * (processors + 1.0)).sqrt() - 1.0)
            / (processors * (1.0 - load));
        Minute { arrived, answered, busy, delay, response: ELSEWHERE + SERVICE + waiting }
    }
}

impl Minute {
    /// Milliseconds a request took on average.
    pub(super) fn mean(&self) -> f64 {
        self.delay + self.response
    }

    /// The part of the requests that took longer than so many milliseconds.
    pub(super) fn later_than(&self, milliseconds: f64) -> f64 {
        (-(milliseconds - self.delay).max(0.0) / self.response).exp()
    }
}

/// The part of all requests of a minute that took longer than so many milliseconds.
pub(super) fn later_than(nodes: &[Minute], milliseconds: f64) -> f64 {
    let all: f64 = nodes.iter().map(|node| node.arrived).sum();
    let late: f64 = nodes.iter().map(|node| node.arrived * node.later_than(milliseconds)).sum();
    if all > 0.0 { late / all } else { 0.0 }
}

/// Milliseconds within which 95 of 100 requests of a minute were answered.
pub(super) fn percentile_95(nodes: &[Minute]) -> f64 {
    let (mut low, mut high) = (0.0, 2.0 * PATIENCE * 1000.0);
    for _ in 0..30 {
        let middle = (low + high) / 2.0;
        match later_than(nodes, middle) > 0.05 {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One processor, 1000 / 60 requests a second.
    const CAPACITY: f64 = 1000.0 / SERVICE;

    #[test]
    fn busier_is_slower_as_theory_says() {
        let at = |busy: f64| Queue::default().minute(busy * CAPACITY, CAPACITY);
        assert!((at(0.01).mean() - (ELSEWHERE + SERVICE)).abs() < 1.0);
        // M/M/1: twice the service time at half the load.
        assert!((at(0.5).mean() - (ELSEWHERE + 2.0 * SERVICE)).abs() < 1.0);
        let late = [0.1, 0.5, 0.9, 1.5].map(|busy| at(busy).later_than(1000.0));
        assert!(late.is_sorted() && late[0] < 0.001 && late[3] > 0.9, "{late:?}");
        // Four processors share better than one.
        let four = Queue::default().minute(0.9 * 4.0 * CAPACITY, 4.0 * CAPACITY);
        assert!(four.mean() < at(0.9).mean());
    }

    #[test]
    fn a_percentile_is_where_a_twentieth_is_later() {
        let minute = Queue::default().minute(0.7 * CAPACITY, CAPACITY);
        let found = percentile_95(&[minute]);
        assert!((minute.later_than(found) - 0.05).abs() < 1e-3);
    }

    #[test]
    fn an_overrun_node_catches_up_later() {
        let mut queue = Queue::default();
        let overrun = queue.minute(1.3 * CAPACITY, CAPACITY);
        assert!((overrun.busy - 1.0).abs() < 1e-9 && overrun.answered < overrun.arrived);
        let after = queue.minute(0.5 * CAPACITY, CAPACITY);
        assert!(after.answered > after.arrived);
        assert!(queue.backlog == 0.0);
    }
}
