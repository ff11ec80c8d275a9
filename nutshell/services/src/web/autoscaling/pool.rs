//! The backends there are, and the kinds of them there could be.

use protocol::NodeId;
use time::{Duration, OffsetDateTime};

/// A node that answers the service's dynamic requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Backend {
    /// The node.
    pub node: NodeId,
    /// Its instance type.
    pub instance_type: String,
    /// When it was asked for: its paid hours count from here.
    pub started: OffsetDateTime,
    /// Whether it serves yet.
    pub ready: bool,
    /// Its present share of the requests, relative to the others'.
    pub weight: u32,
}

/// A kind of node that the cloud offers.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceType {
    /// Its name.
    pub name: String,
    /// What one costs an hour.
    pub price_per_hour: f64,
    /// What one can do, compared with the others: its processors, until measured.
    pub relative_capacity: f64,
}

/// The end of the hour that is paid for already.
#[must_use]
pub fn paid_until(started: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
    let begun = (now - started).whole_hours().max(0) + 1;
    started + Duration::hours(begun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_paid_when_it_begins() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let hours =
            |minutes| (paid_until(start, start + Duration::minutes(minutes)) - start).whole_hours();
        assert_eq!([0, 59, 60, 61, 179].map(hours), [1, 1, 2, 2, 3]);
        // A clock that was set back.
        assert_eq!(hours(-5), 1);
    }
}
