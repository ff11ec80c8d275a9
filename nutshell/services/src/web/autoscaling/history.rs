//! What was measured: the last hours in detail, two weeks in outline, never more.

use std::collections::{BTreeMap, VecDeque};

use protocol::NodeId;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

/// For how long measurements are kept in detail.
const DETAILED: Duration = Duration::hours(3);
/// What one entry of the outline stands for.
pub(super) const OUTLINE_STEP: Duration = Duration::minutes(10);
/// How many entries the outline has: a fortnight and a day of them.
const OUTLINE_LENGTH: usize = 15 * 24 * 6;

/// One measurement of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// When it ended.
    #[serde(with = "time::serde::timestamp")]
    pub at: OffsetDateTime,
    /// Requests a second that arrived at the proxies for the backends.
    pub requests_per_second: f64,
    /// How long they took; `None` when there were none.
    pub response: Option<ResponseTime>,
    /// What each backend did.
    pub backends: BTreeMap<NodeId, BackendMeasurement>,
    /// How many nodes of each instance type had each role.
    #[serde(default)]
    pub nodes: BTreeMap<String, BTreeMap<String, u32>>,
}

/// How long requests took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ResponseTime {
    /// On average.
    pub mean: f64,
    /// So long, or less, for 95 of 100.
    pub percentile_95: f64,
}

/// One backend's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendMeasurement {
    /// Its instance type.
    pub instance_type: String,
    /// Requests a second that it answered.
    pub requests_per_second: f64,
    /// How busy its processors were, from 0 to 1.
    pub cpu: f64,
    /// How long its requests took on average, in milliseconds; `None` when there were none.
    pub response_mean: Option<f64>,
}

/// The measurements of a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    recent: VecDeque<Measurement>,
    outline: VecDeque<Outline>,
}

/// The mean load of ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Outline {
    /// When they began, in seconds since 1970.
    pub(super) begin: i64,
    sum: f64,
    count: u32,
}

impl Outline {
    /// Requests a second.
    pub(super) fn rate(&self) -> f64 {
        self.sum / f64::from(self.count.max(1))
    }
}

impl History {
    /// Adds the newest measurement and lets the oldest go. What is here from later times goes too: the
    /// clock was set back.
    pub fn add(&mut self, measurement: Measurement) {
        let at = measurement.at;
        while self.recent.back().is_some_and(|last| last.at >= at) {
            self.recent.pop_back();
        }
        let step = OUTLINE_STEP.whole_seconds();
        // The measured interval ends at `at`: exactly at a full step it belongs to the one before.
        let begin = (at.unix_timestamp() - 1).div_euclid(step) * step;
        let rate = measurement.requests_per_second;
        while self.outline.back().is_some_and(|last| last.begin > begin) {
            self.outline.pop_back();
        }
        match self.outline.back_mut() {
            Some(last) if last.begin == begin => {
                last.sum += rate;
                last.count += 1;
            }
            _ => self.outline.push_back(Outline { begin, sum: rate, count: 1 }),
        }
        self.recent.push_back(measurement);
        while self.recent.front().is_some_and(|first| at - first.at > DETAILED) {
            self.recent.pop_front();
        }
        while self.outline.len() > OUTLINE_LENGTH {
            self.outline.pop_front();
        }
    }

    /// The last hours, oldest first.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Measurement> {
        self.recent.iter()
    }

    /// Those since a moment, oldest first.
    pub fn since(&self, moment: OffsetDateTime) -> impl DoubleEndedIterator<Item = &Measurement> {
        self.recent.iter().filter(move |measurement| measurement.at > moment)
    }

    /// The last fortnight, oldest first.
    pub(super) fn outline(&self) -> &VecDeque<Outline> {
        &self.outline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(minutes: i64, rate: f64) -> Measurement {
        Measurement {
            at: OffsetDateTime::UNIX_EPOCH + Duration::minutes(minutes),
            requests_per_second: rate,
            response: None,
            backends: BTreeMap::new(),
            nodes: BTreeMap::new(),
        }
    }

    #[test]
    fn a_month_of_minutes_stays_small_and_two_weeks_are_known() {
        let mut history = History::default();
        (1..=30 * 24 * 60).for_each(|minute| history.add(measured(minute, 5.0)));
        assert_eq!(history.recent().count(), 181);
        assert_eq!(history.outline().len(), OUTLINE_LENGTH);
        assert!(history.outline().iter().all(|outline| outline.rate() == 5.0));
        let json = serde_json::to_string(&history).unwrap();
        assert!(json.len() < 200_000, "{} bytes", json.len());
        assert_eq!(serde_json::from_str::<History>(&json).unwrap(), history);
    }

    #[test]
    fn ten_minutes_are_one_entry() {
        let mut history = History::default();
        (1..=20).for_each(|minute| history.add(measured(minute, f64::from(minute > 10))));
        let rates: Vec<f64> = history.outline().iter().map(Outline::rate).collect();
        assert_eq!(rates, [0.0, 1.0]);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_no_future() {
        let mut history = History::default();
        [5, 25, 45, 46, 22, 23].into_iter().for_each(|minute| history.add(measured(minute, 1.0)));
        let minutes = |at: OffsetDateTime| at.unix_timestamp() / 60;
        let kept: Vec<i64> = history.recent().map(|it| minutes(it.at)).collect();
        assert_eq!(kept, [5, 22, 23]);
        assert_eq!(history.outline().len(), 2);
    }
}
