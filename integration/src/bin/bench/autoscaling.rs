//! Autoscaling on loads of days, simulated: cost and late requests of each strategy, beside pools that
//! never change and the schedule of one who knows the future.

use integration::autoscaling::{
    Cloud, Outcome, THRESHOLD, Trace, autoscaled, enough, enough_throughout, fixed, perfect, traces,
};
use protocol::api::{Autoscaling, Strategy};

/// Prints a table for each load.
#[expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]
pub(crate) fn bench() {
    let cloud = Cloud::default();
    println!(
        "95 of 100 requests are to be answered within {THRESHOLD} ms; a decision every 5 minutes; \
         nodes serve {} minutes after they were asked for; started hours are paid.",
        cloud.boot
    );
    for trace in traces() {
        let (mean, peak) = (trace.mean(), trace.peak());
        let days = trace.rates.len() / 60 / 24;
        println!(
            "\n### {}: {days} days, {mean:.0} requests a second, at most {peak:.0}\n",
            trace.name
        );
        println!(
            "| pool | cost | late | node-hours | additions, removals |\n|---|---:|---:|---:|---:|"
        );
        let best = perfect(&cloud, &trace);
        for (name, outcome) in rows(&cloud, &trace, best) {
            let Outcome { cost, node_hours, additions, removals, .. } = outcome;
            let late = 100.0 * outcome.violations();
            let relative = 100.0 * cost / best.cost;
            println!(
                "| {name} | {cost:.2} ({relative:.0}%) | {late:.2}% | {node_hours:.0} | {additions}, {removals} |"
            );
        }
    }
}

fn rows(cloud: &Cloud, trace: &Trace, best: Outcome) -> Vec<(String, Outcome)> {
    let mut rows = vec![("perfect knowledge".to_owned(), best)];
    for strategy in Strategy::ALL {
        let wanted =
            Autoscaling { adapt_interval: 5, response_time_threshold: THRESHOLD, strategy };
        rows.push((format!("`{strategy}`"), autoscaled(cloud, trace, wanted).0));
    }
    for (name, nodes) in [
        ("for the mean", enough(cloud, trace.mean())),
        ("for the peak", enough(cloud, trace.peak())),
        ("with hindsight", enough_throughout(cloud, trace)),
    ] {
        rows.push((format!("{nodes} nodes, {name}"), fixed(cloud, trace, nodes)));
    }
    rows
}
