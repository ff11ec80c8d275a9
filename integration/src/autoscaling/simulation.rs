//! A service whose backends autoscaling adds and removes.

use std::collections::BTreeMap;

use protocol::NodeId;
use protocol::api::Autoscaling;
use protocol::api::autoscaling::{Action, Decision};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use services::web::autoscaling::{
    Backend, BackendMeasurement, History, InstanceType, Measurement, ResponseTime, Situation,
    decide,
};
use time::{Duration, OffsetDateTime};

use super::outcome::enough;
use super::queue::{Minute, Queue, SERVICE, later_than, percentile_95};
use super::traces::normal;
use super::{Outcome, THRESHOLD, Trace};

/// The smallest type of node.
pub(super) const NODE: &str = "small";
/// 2026-01-05, a Monday.
const MONDAY: i64 = 1_767_571_200;

/// What nodes can be had.
#[derive(Debug, Clone)]
pub struct Cloud {
    types: Vec<InstanceType>,
    /// What they really can do, compared with the smallest: less than their processors promise.
    really: BTreeMap<String, f64>,
    /// How long a node takes from being asked for until it serves, in minutes.
    pub boot: usize,
}

impl Default for Cloud {
    fn default() -> Self {
        let offered = [
            (NODE, 1.0, 1.0, 0.06),
            ("medium", 2.0, 1.9, 0.11),
            ("large", 4.0, 3.6, 0.21),
            ("xlarge", 8.0, 6.8, 0.40),
        ];
        let types = offered.map(|(name, relative_capacity, _, price_per_hour)| InstanceType {
            name: name.to_owned(),
            price_per_hour,
            relative_capacity,
            offered: true,
        });
        let really = offered.map(|(name, _, really, _)| (name.to_owned(), really));
        Self { types: types.to_vec(), really: really.into(), boot: 2 }
    }
}

impl Cloud {
    /// Requests a second that a node can do.
    pub(super) fn capacity(&self, name: &str) -> f64 {
        self.really[name] * 1000.0 / SERVICE
    }

    /// What an hour of a node costs.
    pub(super) fn price(&self, name: &str) -> f64 {
        self.types.iter().find(|kind| kind.name == name).map_or(0.0, |kind| kind.price_per_hour)
    }
}

/// A node.
struct Node {
    backend: Backend,
    queue: Queue,
    /// The minutes at which it was asked for and at which it serves.
    asked: usize,
    serves: usize,
}

/// What autoscaling makes of a trace, and all that it decided. It begins with as many of the smallest
/// nodes as the first minute needs.
#[must_use]
pub fn autoscaled(cloud: &Cloud, trace: &Trace, wanted: Autoscaling) -> (Outcome, Vec<Decision>) {
    let mut service = Service {
        cloud,
        nodes: vec![],
        made: 0,
        history: History::default(),
        chance: StdRng::seed_from_u64(1),
        outcome: Outcome::default(),
    };
    (0..enough(cloud, trace.rates[0])).for_each(|_| service.add(NODE, 0, 0));
    let mut decisions = vec![];
    for (minute, rate) in trace.rates.iter().enumerate() {
        service.pass(minute, *rate);
        if (minute + 1) % wanted.adapt_interval as usize == 0 {
            let decision = service.decide(minute + 1, wanted);
            service.act(minute + 1, &decision);
            decisions.push(decision);
        }
    }
    let end = trace.rates.len();
    for node in std::mem::take(&mut service.nodes) {
        service.outcome.pay(end - node.asked, cloud.price(&node.backend.instance_type));
    }
    (service.outcome, decisions)
}

struct Service<'a> {
    cloud: &'a Cloud,
    nodes: Vec<Node>,
    made: i64,
    history: History,
    chance: StdRng,
    outcome: Outcome,
}

impl Service<'_> {
    fn add(&mut self, instance_type: &str, asked: usize, boot: usize) {
        self.made += 1;
        let backend = Backend {
            node: NodeId(self.made),
            instance_type: instance_type.to_owned(),
            started: moment(asked),
            ready: false,
            weight: 100,
        };
        let serves = asked + boot;
        self.nodes.push(Node { backend, queue: Queue::default(), asked, serves });
    }

    /// A minute of work, and its measurement.
    fn pass(&mut self, minute: usize, rate: f64) {
        for node in &mut self.nodes {
            node.backend.ready = node.serves <= minute;
        }
        let mut serving: Vec<&mut Node> =
            self.nodes.iter_mut().filter(|node| node.backend.ready).collect();
        let weights: f64 = serving.iter().map(|node| f64::from(node.backend.weight)).sum();
        let minutes: Vec<Minute> = serving
            .iter_mut()
            .map(|node| {
                let share = rate * f64::from(node.backend.weight) / weights;
                node.queue.minute(share, self.cloud.capacity(&node.backend.instance_type))
            })
            .collect();
        self.outcome.answer(rate * 60.0, later_than(&minutes, f64::from(THRESHOLD)));
        let requests: f64 = minutes.iter().map(|node| node.arrived).sum();
        let mean = minutes.iter().map(|node| node.arrived * node.mean()).sum::<f64>() / requests;
        let percentile_95 = percentile_95(&minutes);
        let chance = &mut self.chance;
        // As many requests come in a minute as chance will have it.
        let counted = (rate + normal(chance) * (rate / 60.0).sqrt()).max(0.0);
        let backends = serving.iter().zip(&minutes).map(|(node, minute)| {
            let measured = BackendMeasurement {
                instance_type: node.backend.instance_type.clone(),
                requests_per_second: minute.answered / 60.0,
                cpu: (minute.busy + 0.02 + 0.02 * normal(chance)).clamp(0.0, 1.0),
                response_mean: Some(minute.mean()),
            };
            (node.backend.node, measured)
        });
        let backends = backends.collect();
        self.history.add(Measurement {
            at: moment(minute + 1),
            requests_per_second: counted,
            response: Some(ResponseTime { mean, percentile_95 }),
            backends,
            nodes: BTreeMap::new(),
        });
    }

    fn decide(&mut self, minute: usize, wanted: Autoscaling) -> Decision {
        let backends: Vec<Backend> = self.nodes.iter().map(|node| node.backend.clone()).collect();
        decide(&Situation {
            now: moment(minute),
            history: &self.history,
            backends: &backends,
            host: None,
            instance_types: &self.cloud.types,
            wanted,
            boot: Duration::minutes(self.cloud.boot as i64),
        })
    }

    fn act(&mut self, minute: usize, decision: &Decision) {
        match &decision.action {
            Action::Hold => {}
            Action::Add(types) => {
                self.outcome.additions += 1;
                for (name, count) in types {
                    (0..*count).for_each(|_| self.add(name, minute, self.cloud.boot));
                }
            }
            Action::Remove(nodes) => {
                self.outcome.removals += 1;
                let goes = |node: &mut Node| nodes.contains(&node.backend.node);
                for node in self.nodes.extract_if(.., goes) {
                    let price = self.cloud.price(&node.backend.instance_type);
                    self.outcome.pay(minute - node.asked, price);
                }
                assert!(!self.nodes.is_empty(), "no backend is left: {}", decision.reason);
            }
        }
        for node in &mut self.nodes {
            if let Some(weight) = decision.weights.get(&node.backend.node) {
                node.backend.weight = *weight;
            }
        }
    }
}

fn moment(minute: usize) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(MONDAY + 60 * minute as i64)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
