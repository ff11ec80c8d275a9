//! What backends can do, learned from what they did.
//!
//! A request costs a backend some time of its processors: `busy = rate / capacity`. What one waits
//! for besides grows with the part of the time that the backend is busy: `response = base / (1 -
//! busy)`, as with any queue. So few numbers describe a service: the capacity of each instance
//! type, the base, and how much longer than the mean the slowest twentieth takes.

use std::collections::BTreeMap;

use protocol::NodeId;
use time::{Duration, OffsetDateTime};

use super::history::{History, Measurement};
use super::pool::{Backend, InstanceType};

/// A measurement that is so many minutes older counts half.
const HALF_LIFE: f64 = 30.0;
/// Older ones count no more.
const MEMORY: Duration = Duration::minutes(90);
/// So many minutes of a busy processor are needed to know an instance type, or a node, by itself.
const TYPE_KNOWN: f64 = 0.5;
const NODE_KNOWN: f64 = 2.0;
/// How much longer the slowest twentieth takes than the mean, until measured: as with exponential
/// times.
const USUAL_SPREAD: f64 = 3.0;
/// A busier backend is overrun: its response times tell how long, not how busy.
const OVERRUN: f64 = 0.9;
/// Backends may be so busy even when the threshold is out of reach: less would not help.
const LEAST_UTILISATION: f64 = 0.25;

/// What is known of a service's backends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Capacities {
    /// Requests a second of a node with relative capacity 1, busy all the time.
    unit: f64,
    types: BTreeMap<String, f64>,
    nodes: BTreeMap<NodeId, f64>,
    /// Milliseconds that a request takes on an idle backend.
    base: f64,
    spread: f64,
}

/// Sums of rates and of the part of the time that processors were busy, newer ones counting more.
#[derive(Default, Clone, Copy)]
struct Work {
    requests: f64,
    busy: f64,
}

impl Work {
    fn add(&mut self, requests: f64, busy: f64) {
        self.requests += requests;
        self.busy += busy;
    }

    fn capacity(self, known: f64) -> Option<f64> {
        (self.busy >= known && self.requests > 0.0).then(|| self.requests / self.busy)
    }
}

impl Capacities {
    /// What the history teaches; `None` when nobody has asked for anything yet.
    pub(super) fn learn(
        history: &History,
        types: &[InstanceType],
        now: OffsetDateTime,
    ) -> Option<Self> {
        let (mut all, mut base, mut spread) = (Work::default(), Work::default(), Work::default());
        let mut of_type: BTreeMap<&str, Work> = BTreeMap::new();
        let mut of_node: BTreeMap<NodeId, Work> = BTreeMap::new();
        for measurement in history.since(now - MEMORY) {
            let age = (now - measurement.at).as_seconds_f64().max(0.0) / 60.0;
            let weight = 0.5_f64.powf(age / HALF_LIFE);
            for (node, backend) in &measurement.backends {
                let requests = weight * backend.requests_per_second;
                let busy = weight * backend.cpu.clamp(0.0, 1.0);
                all.add(requests, busy * relative(types, &backend.instance_type));
                of_type.entry(&backend.instance_type).or_default().add(requests, busy);
                of_node.entry(*node).or_default().add(requests, busy);
                if let Some(mean) = backend.response_mean
                    && backend.cpu < OVERRUN
                {
                    base.add(requests * mean * (1.0 - backend.cpu), requests);
                }
            }
            if let Some(response) = measurement.response {
                spread.add(weight * response.percentile_95, weight * response.mean);
            }
        }
        let known = |(node, work): (NodeId, Work)| Some((node, work.capacity(NODE_KNOWN)?));
        Some(Self {
            unit: all.capacity(f64::MIN_POSITIVE)?,
            types: of_type
                .into_iter()
                .filter_map(|(name, work)| Some((name.to_owned(), work.capacity(TYPE_KNOWN)?)))
                .collect(),
            nodes: of_node.into_iter().filter_map(known).collect(),
            base: base.capacity(f64::MIN_POSITIVE).unwrap_or(0.0),
            spread: spread
                .capacity(f64::MIN_POSITIVE)
                .map_or(USUAL_SPREAD, |spread| spread.clamp(1.0, 10.0)),
        })
    }

    /// What to think of backends that nobody asks for anything: nothing depends on it.
    pub(super) fn unknown() -> Self {
        let (types, nodes) = (BTreeMap::new(), BTreeMap::new());
        Self { unit: 1.0, types, nodes, base: 0.0, spread: USUAL_SPREAD }
    }

    /// Requests a second of one node of this type, busy all the time.
    pub(super) fn of_type(&self, types: &[InstanceType], name: &str) -> f64 {
        self.types.get(name).copied().unwrap_or_else(|| self.unit * relative(types, name))
    }

    /// The same of this very node, where it is known by itself.
    pub(super) fn of_node(&self, types: &[InstanceType], backend: &Backend) -> f64 {
        let own = self.nodes.get(&backend.node).copied();
        own.unwrap_or_else(|| self.of_type(types, &backend.instance_type))
    }

    /// How busy backends may be while 95 of 100 requests take no longer than the threshold, and at
    /// most as the strategy wishes. `Err` with the least time 95 of 100 take when that is longer.
    pub(super) fn utilisation(&self, threshold: f64, wished: f64) -> Result<f64, f64> {
        let least = self.base * self.spread;
        match least < threshold {
            true => Ok((1.0 - least / threshold).clamp(LEAST_UTILISATION, wished)),
            false => Err(least),
        }
    }
}

fn relative(types: &[InstanceType], name: &str) -> f64 {
    let known = types.iter().find(|kind| kind.name == name);
    // A type that the cloud no longer offers.
    known.map_or(1.0, |kind| kind.relative_capacity)
}

/// How busy the backends were on average.
pub(super) fn mean_cpu<'a>(measurements: impl Iterator<Item = &'a Measurement>) -> f64 {
    let cpus: Vec<f64> =
        measurements.flat_map(|m| m.backends.values()).map(|backend| backend.cpu).collect();
    cpus.iter().sum::<f64>() / cpus.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::super::history::{BackendMeasurement, ResponseTime};
    use super::*;

    fn types() -> Vec<InstanceType> {
        let kind = |name: &str, relative_capacity| InstanceType {
            name: name.to_owned(),
            price_per_hour: relative_capacity,
            relative_capacity,
            offered: true,
        };
        vec![kind("small", 1.0), kind("large", 4.0)]
    }

    /// Ten minutes of one node of each type, each with its true capacity.
    fn measured(nodes: &[(&str, f64, f64)]) -> (History, OffsetDateTime) {
        let mut history = History::default();
        let mut at = OffsetDateTime::UNIX_EPOCH;
        for _ in 0..10 {
            at += Duration::minutes(1);
            let backends = nodes.iter().enumerate().map(|(index, (kind, rate, capacity))| {
                let cpu = rate / capacity;
                let backend = BackendMeasurement {
                    instance_type: (*kind).to_owned(),
                    requests_per_second: *rate,
                    cpu,
                    response_mean: Some(50.0 / (1.0 - cpu)),
                };
                (NodeId(index as i64), backend)
            });
            history.add(Measurement {
                at,
                requests_per_second: nodes.iter().map(|node| node.1).sum(),
                response: Some(ResponseTime { mean: 100.0, percentile_95: 200.0 }),
                backends: backends.collect(),
                nodes: BTreeMap::new(),
            });
        }
        (history, at)
    }

    #[test]
    fn a_type_that_was_never_seen_is_estimated_by_its_processors() {
        let (history, now) = measured(&[("small", 5.0, 10.0)]);
        let known = Capacities::learn(&history, &types(), now).unwrap();
        assert!((known.of_type(&types(), "small") - 10.0).abs() < 1e-6);
        assert!((known.of_type(&types(), "large") - 40.0).abs() < 1e-6);
    }

    #[test]
    fn a_type_that_disappoints_is_known_for_it() {
        let (history, now) = measured(&[("small", 5.0, 10.0), ("large", 15.0, 30.0)]);
        let known = Capacities::learn(&history, &types(), now).unwrap();
        assert!((known.of_type(&types(), "large") - 30.0).abs() < 1e-6);
        assert!((known.of_type(&types(), "small") - 10.0).abs() < 1e-6);
    }

    #[test]
    fn backends_may_be_as_busy_as_the_threshold_allows() {
        let (history, now) = measured(&[("small", 5.0, 10.0)]);
        let known = Capacities::learn(&history, &types(), now).unwrap();
        // 50 ms on an idle backend, twice as long for the slowest: a tenth of the threshold.
        assert_eq!(known.utilisation(1000.0, 0.75), Ok(0.75));
        let utilisation = known.utilisation(200.0, 0.75).unwrap();
        assert!((utilisation - 0.5).abs() < 1e-6, "{utilisation}");
        assert!(known.utilisation(100.0, 0.75).is_err());
    }

    #[test]
    fn nothing_is_known_before_anybody_asked() {
        let (history, now) = measured(&[("small", 0.0, 10.0)]);
        assert_eq!(Capacities::learn(&history, &types(), now), None);
        assert_eq!(Capacities::learn(&History::default(), &types(), now), None);
    }
}
