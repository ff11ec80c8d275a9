//! What autoscaling promises on whole days of load.

use protocol::api::autoscaling::{Action, Decision};
use protocol::api::{Autoscaling, Strategy};
use services::web::autoscaling::utilisation;

use super::simulation::NODE;
use super::{Cloud, Outcome, THRESHOLD, Trace, autoscaled, enough, fixed, perfect, traces};

fn wanted(strategy: Strategy) -> Autoscaling {
    Autoscaling { adapt_interval: 5, response_time_threshold: THRESHOLD, strategy }
}

/// The first days of a load.
fn trace(name: &str, days: usize) -> Trace {
    let mut trace = traces().into_iter().find(|trace| trace.name == name).unwrap();
    trace.rates.truncate(days * 24 * 60);
    trace
}

/// Each strategy, beside the pools that never change.
fn compare(name: &str, check: impl Fn(Strategy, Outcome, &Trace, &Cloud)) {
    let (cloud, trace) = (Cloud::default(), trace(name, 2));
    let best = perfect(&cloud, &trace);
    let small = fixed(&cloud, &trace, enough(&cloud, trace.mean()));
    for strategy in Strategy::ALL {
        let (outcome, _) = autoscaled(&cloud, &trace, wanted(strategy));
        let late = outcome.violations();
        assert!(late < 0.05, "{strategy}: {late}");
        assert!(late < small.violations() / 4.0, "{strategy}: {late}");
        assert!(best.cost <= outcome.cost, "{strategy} is cheaper than the cheapest");
        check(strategy, outcome, &trace, &cloud);
    }
}

/// A pool that never changes, sized for the peak with as much to spare, costs more.
fn cheaper_than_for_the_peak(strategy: Strategy, outcome: Outcome, trace: &Trace, cloud: &Cloud) {
    let nodes = (trace.peak() / (utilisation(strategy) * cloud.capacity(NODE))).ceil();
    let large = fixed(cloud, trace, nodes as usize);
    assert!(outcome.cost < 0.9 * large.cost, "{strategy}: {} of {}", outcome.cost, large.cost);
}

#[test]
fn days_cost_less_than_the_peak_and_are_in_time() {
    compare("daily wave", cheaper_than_for_the_peak);
}

#[test]
fn a_recorded_load_costs_less_than_the_peak_and_is_in_time() {
    compare("recorded", cheaper_than_for_the_peak);
}

#[test]
fn humps_and_bursts_cost_less_than_the_peak_and_are_in_time() {
    compare("humps and bursts", cheaper_than_for_the_peak);
}

#[test]
fn a_flash_crowd_is_met() {
    compare("flash crowd", cheaper_than_for_the_peak);
}

#[test]
fn ramps_are_followed() {
    compare("ramp", cheaper_than_for_the_peak);
}

#[test]
fn steps_are_met() {
    compare("steps", cheaper_than_for_the_peak);
}

#[test]
fn steps_are_foreseen_once_they_are_known() {
    let trace = trace("steps", 4);
    let (_, decisions) = autoscaled(&Cloud::default(), &trace, wanted(Strategy::Low));
    let growth: Vec<i64> = decisions
        .iter()
        .filter(|decision| matches!(decision.action, Action::Add(_)))
        .map(|decision| i64::from(decision.at.hour()) * 60 + i64::from(decision.at.minute()))
        .collect();
    let before_six = |minute: &&i64| (330..=360).contains(*minute);
    assert!(growth.iter().filter(before_six).count() >= 2, "the last two mornings: {growth:?}");
}

#[test]
fn thrift_costs_less_and_is_late_more_often() {
    let (cloud, trace) = (Cloud::default(), trace("daily wave", 1));
    let of = |strategy| autoscaled(&cloud, &trace, wanted(strategy)).0;
    let (low, high) = (of(Strategy::Low), of(Strategy::High));
    assert!(low.cost < 1.25 * perfect(&cloud, &trace).cost, "{low:?}");
    assert!(low.cost < high.cost && low.violations() > high.violations());
}

/// A load that stays for six hours; what is decided after the first two.
fn settled(rate: f64, strategy: Strategy) -> Vec<Decision> {
    let trace = Trace { name: "constant", rates: vec![rate; 6 * 60] };
    let (_, mut decisions) = autoscaled(&Cloud::default(), &trace, wanted(strategy));
    decisions.split_off(24)
}

#[test]
fn a_constant_load_is_left_in_peace() {
    for strategy in Strategy::ALL {
        for rate in [0.3, 7.0, 11.5, 12.6, 23.0, 50.0, 88.0, 131.0] {
            let changes: Vec<Decision> = settled(rate, strategy)
                .into_iter()
                .filter(|decision| decision.action != Action::Hold)
                .collect();
            assert!(changes.len() <= 1, "{strategy} at {rate}: {changes:#?}");
        }
    }
}

#[test]
fn without_load_one_backend_is_left() {
    let mut rates = vec![60.0; 60];
    rates.extend([0.0; 300]);
    let trace = Trace { name: "silence", rates };
    let (_, decisions) = autoscaled(&Cloud::default(), &trace, wanted(Strategy::Low));
    let left = decisions.iter().fold(enough(&Cloud::default(), 60.0), |left, decision| {
        match &decision.action {
            Action::Hold => left,
            Action::Add(types) => left + types.values().sum::<u32>() as usize,
            Action::Remove(nodes) => left - nodes.len(),
        }
    });
    assert_eq!(left, 1);
}
