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
    /// Whether nodes of it may be added.
    pub offered: bool,
}

/// The price of a processor with its memory where no type has any: what counts is how types compare.
const UNIT_PRICE: f64 = 0.01;

/// What a cloud says it has, with a price for each: one that it does not tell is as high for its
/// processors and memory as the others are on average.
#[must_use]
pub fn instance_types(told: &[protocol::api::InstanceType]) -> Vec<InstanceType> {
    // Two GiB cost about as much as a processor.
    let size = |kind: &protocol::api::InstanceType| {
        f64::from(kind.vcpus.max(1)) + kind.memory_mib as f64 / 2048.0
    };
    let stated: Vec<f64> =
        told.iter().filter_map(|kind| Some(kind.price_per_hour? / size(kind))).collect();
    let unit = match stated.len() {
        0 => UNIT_PRICE,
        some => stated.iter().sum::<f64>() / some as f64,
    };
    let kind = |kind: &protocol::api::InstanceType| InstanceType {
        name: kind.name.clone(),
        price_per_hour: kind.price_per_hour.unwrap_or_else(|| unit * size(kind)),
        relative_capacity: f64::from(kind.vcpus.max(1)),
        offered: kind.autoscaling,
    };
    told.iter().map(kind).collect()
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
    fn a_price_that_nobody_tells_is_like_the_others() {
        let told = |vcpus: u32, price_per_hour| protocol::api::InstanceType {
            name: vcpus.to_string(),
            vcpus,
            memory_mib: u64::from(vcpus) * 2048,
            disk_gib: 0,
            price_per_hour,
            autoscaling: true,
        };
        let prices = |told: &[protocol::api::InstanceType]| -> Vec<f64> {
            instance_types(told).into_iter().map(|kind| kind.price_per_hour).collect()
        };
        assert_eq!(prices(&[told(1, None), told(4, None)]), [0.02, 0.08]);
        assert_eq!(prices(&[told(1, Some(0.5)), told(4, None)]), [0.5, 2.0]);
    }

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
