//! Decisions in situations that are made up; `integration/src/autoscaling` tries whole days.

use proptest::{prop_assert, proptest};
use protocol::api::Strategy;

use super::super::history::{BackendMeasurement, ResponseTime};
use super::*;

/// Requests a second of a small node that is busy all the time.
const CAPACITY: f64 = 20.0;

fn types() -> Vec<InstanceType> {
    [("small", 1.0, 0.06), ("large", 4.0, 0.22)]
        .map(|(name, relative_capacity, price_per_hour)| InstanceType {
            name: name.to_owned(),
            price_per_hour,
            relative_capacity,
            offered: true,
        })
        .to_vec()
}

/// A service that has been measured for an hour and a half.
struct Service {
    history: History,
    backends: Vec<Backend>,
    wanted: Autoscaling,
}

impl Service {
    /// So many small nodes, asked for so many minutes ago, under a load given by the minute.
    fn new(ages: &[i64], load: impl Fn(i64) -> f64) -> Self {
        let backends: Vec<Backend> = ages
            .iter()
            .enumerate()
            .map(|(index, age)| Backend {
                node: NodeId(index as i64),
                instance_type: "small".to_owned(),
                started: now() - Duration::minutes(*age),
                ready: true,
                weight: 100,
            })
            .collect();
        let mut service = Self {
            history: History::default(),
            backends,
            wanted: Autoscaling {
                adapt_interval: 5,
                response_time_threshold: 1000,
                strategy: Strategy::Low,
            },
        };
        (1..=90).for_each(|minute| service.measure(minute, load(minute)));
        service
    }

    fn measure(&mut self, minute: i64, rate: f64) {
        let share = rate / self.backends.len() as f64;
        let cpu = (share / CAPACITY).min(1.0);
        let mean = 50.0 / (1.0 - cpu.min(0.99));
        let backends = self.backends.iter().map(|backend| {
            let measured = BackendMeasurement {
                instance_type: backend.instance_type.clone(),
                requests_per_second: share.min(CAPACITY),
                cpu,
                response_mean: Some(mean),
            };
            (backend.node, measured)
        });
        self.history.add(Measurement {
            at: now() - Duration::minutes(90 - minute),
            requests_per_second: rate,
            response: Some(ResponseTime { mean, percentile_95: 3.0 * mean }),
            backends: backends.collect(),
            nodes: BTreeMap::new(),
        });
    }

    fn situation<'a>(&'a self, instance_types: &'a [InstanceType]) -> Situation<'a> {
        Situation {
            now: now(),
            history: &self.history,
            backends: &self.backends,
            host: None,
            instance_types,
            wanted: self.wanted,
            boot: Duration::minutes(2),
        }
    }

    fn decide(&self) -> Decision {
        decide(&self.situation(&types()))
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::hours(100)
}

fn added(nodes: &[(&str, u32)]) -> Action {
    Action::Add(nodes.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
}

#[test]
fn more_load_than_the_backends_can_do_adds_some_and_says_why() {
    let service = Service::new(&[30, 30], |_| 38.0);
    let Decision { action, reason, .. } = service.decide();
    assert_eq!(action, added(&[("small", 1)]));
    assert_eq!(
        reason,
        "adding 1 small: 38.0 requests a second are coming within 7 minutes (as of late, ±0.0), and 2 \
         backends can do 30.0 within 1000 ms"
    );
    let mut service = Service::new(&[30, 30], |_| 55.0);
    service.wanted.strategy = Strategy::High;
    assert_eq!(service.decide().action, added(&[("large", 1)]));
}

#[test]
fn a_load_that_grows_is_met_before_it_is_here() {
    let growing = Service::new(&[30, 30], |minute| 8.0 + 0.25 * minute as f64);
    let Decision { action, forecast, .. } = growing.decide();
    assert_eq!(forecast.unwrap().method, Method::Trend);
    assert_eq!(action, added(&[("small", 1)]), "30 can be done now, of 30.5");
}

#[test]
fn what_is_not_needed_goes_when_its_hour_ends_and_not_before() {
    let Decision { action, reason, .. } = Service::new(&[30, 40, 30], |_| 10.0).decide();
    assert_eq!(action, Action::Hold);
    assert!(reason.contains("2 backends could go, and are paid until"), "{reason}");
    let Decision { action, reason, .. } = Service::new(&[57, 10, 117], |_| 10.0).decide();
    assert_eq!(action, Action::Remove(vec![NodeId(0), NodeId(2)]));
    assert!(reason.ends_with("which the others can do, and the paid hour ends"), "{reason}");
}

#[test]
fn one_backend_always_stays() {
    let silent = Service::new(&[57, 57], |minute| if minute < 40 { 5.0 } else { 0.0 });
    assert_eq!(silent.decide().action, Action::Remove(vec![NodeId(0)]));
    let never = Service::new(&[57, 57], |_| 0.0);
    assert_eq!(never.decide().action, Action::Remove(vec![NodeId(0)]));
    let last = Service::new(&[57], |minute| if minute < 40 { 5.0 } else { 0.0 });
    assert_eq!(last.decide().action, Action::Hold);
}

#[test]
fn late_requests_add_backends_although_the_forecast_sees_no_reason() {
    // The processors have time left by far, in the means of minutes; requests are late all the same.
    let late = |cpu: f64| {
        let mut service = Service::new(&[30, 30], |_| 20.0);
        let mut history = History::default();
        for measurement in service.history.recent() {
            let mut measurement = measurement.clone();
            measurement.response = Some(ResponseTime { mean: 500.0, percentile_95: 1500.0 });
            measurement.backends.values_mut().for_each(|backend| backend.cpu = cpu);
            history.add(measurement);
        }
        service.history = history;
        service
    };
    let Decision { action, reason, .. } = late(0.5).decide();
    assert!(matches!(action, Action::Add(_)), "{reason}");
    let Decision { action, reason, .. } = late(0.1).decide();
    assert_eq!(action, Action::Hold);
    assert!(reason.contains("requests wait for something else"), "{reason}");
    // New backends are given the time to make a difference.
    let mut settling = late(0.5);
    settling.backends[1].ready = false;
    assert!(settling.decide().reason.contains("still coming into use"));
}

#[test]
fn bounds_hold() {
    let crowd = Service::new(&[30; MOST_BACKENDS - 1], |_| 10_000.0);
    assert_eq!(crowd.decide().action, added(&[("small", 1)]));
    let full = Service::new(&[30; MOST_BACKENDS], |_| 10_000.0);
    assert!(full.decide().reason.ends_with("but 20 backends are the most"));
}

#[test]
fn who_knows_nothing_holds() {
    let mut service = Service::new(&[30], |_| 5.0);
    service.history = History::default();
    assert_eq!(service.decide().reason, "holding: nothing was measured in the last 5 minutes");
    service.measure(90, 0.0);
    assert!(service.decide().reason.contains("not known yet what the backends can do"));
    let mut none = Service::new(&[30], |_| 5.0);
    none.backends.clear();
    assert_eq!(none.decide().action, Action::Hold);
    let nothing_offered = Service::new(&[30], |_| 50.0);
    let decision = decide(&nothing_offered.situation(&[]));
    assert!(decision.reason.ends_with("but the cloud offers no more"), "{}", decision.reason);
}

#[test]
fn a_threshold_that_cannot_be_kept_is_told() {
    let mut service = Service::new(&[30], |_| 5.0);
    service.wanted.response_time_threshold = 100;
    let reason = service.decide().reason;
    assert!(reason.contains("no number of backends brings that below 100 ms"), "{reason}");
}

#[test]
fn new_backends_get_their_share_by_what_they_can_do() {
    let mut service = Service::new(&[30, 30], |_| 20.0);
    service.backends[1].instance_type = "large".to_owned();
    let weights = service.decide().weights;
    assert!(weights.is_empty(), "both have been seen to do the same: {weights:?}");
    service.backends[1].node = NodeId(7);
    assert_eq!(service.decide().weights, BTreeMap::from([(NodeId(0), 25), (NodeId(7), 100)]));
}

proptest! {
    /// The capacity that there is after the decision never falls when the load rises.
    #[test]
    fn more_load_never_means_less_capacity(
        low in 0.5..150.0_f64, more in 0.0..100.0_f64, nodes in 1..10_usize, age in 0..120_i64,
    ) {
        let capacity = |rate: f64| {
            let service = Service::new(&vec![age; nodes], |_| rate);
            let before = nodes as f64;
            match service.decide().action {
                Action::Hold => before,
                Action::Add(types) => before
                    + types.iter().map(|(name, count)| {
                        f64::from(*count) * if name == "large" { 4.0 } else { 1.0 }
                    }).sum::<f64>(),
                Action::Remove(nodes) => before - nodes.len() as f64,
            }
        };
        let (less, more) = (capacity(low), capacity(low + more));
        prop_assert!(less <= more, "{less} then {more}");
    }

    /// Whatever was measured: what remains after a removal can do what is foreseen.
    #[test]
    fn nothing_is_removed_that_the_forecast_needs(
        ages in proptest::collection::vec(0..180_i64, 1..12),
        rates in proptest::collection::vec(0.0..200.0_f64, 90),
    ) {
        let service = Service::new(&ages, |minute| rates[minute as usize - 1]);
        let types = types();
        let situation = service.situation(&types);
        if let Ok(judgement) = Judgement::new(&situation)
            && let Action::Remove(nodes) = judgement.decide().action
        {
            let remain = service.backends.iter().filter(|it| !nodes.contains(&it.node));
            let can: f64 = remain
                .clone()
                .map(|it| judgement.utilisation * judgement.capacities.of_node(&types, it))
                .sum();
            let needed = judgement.later.requests_per_second + judgement.later.error;
            prop_assert!(remain.count() > 0 && can >= needed, "{can} for {needed}");
            prop_assert!(needed >= judgement.soon.requests_per_second);
        }
    }
}

/// The first VM of a service: its only one, or that of the proxy beside these backends.
fn host() -> Backend {
    Backend {
        node: NodeId(100),
        instance_type: "small".to_owned(),
        started: now() - Duration::hours(3),
        ready: true,
        weight: 1,
    }
}

#[test]
fn a_vm_that_does_everything_no_longer_counts_when_backends_come() {
    let service = Service::new(&[30], |_| 18.0);
    let packed = Backend { node: NodeId(0), ..host() };
    let types = types();
    let situation = Situation { backends: &[], host: Some(&packed), ..service.situation(&types) };
    let Decision { action, reason, .. } = decide(&situation);
    // One more of its kind would be too few without it.
    assert_eq!(action, added(&[("small", 2)]), "{reason}");
    assert!(reason.contains("the proxy, which is the backend too, can do 15.0"), "{reason}");
}

#[test]
fn the_last_backend_goes_when_the_proxy_can_do_its_work() {
    let quiet = Service::new(&[58], |_| 2.0);
    let (types, host) = (types(), host());
    let situation = quiet.situation(&types);
    assert_eq!(decide(&situation).action, Action::Hold, "nobody stands in");
    let Decision { action, reason, .. } = decide(&Situation { host: Some(&host), ..situation });
    assert_eq!(action, Action::Remove(vec![NodeId(0)]), "{reason}");
    assert!(reason.contains("which the proxy can do"), "{reason}");
    let busy = Service::new(&[58], |_| 14.0);
    let situation = Situation { host: Some(&host), ..busy.situation(&types) };
    assert_eq!(decide(&situation).action, Action::Hold);
    // Of two, both may go at once.
    let quiet = Service::new(&[58, 58], |_| 2.0);
    let situation = Situation { host: Some(&host), ..quiet.situation(&types) };
    assert_eq!(decide(&situation).action, Action::Remove(vec![NodeId(0), NodeId(1)]));
}
