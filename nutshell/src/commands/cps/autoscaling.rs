//! Autoscaling: on, off, and what it measured and decided.

use protocol::ServiceId;
use protocol::api::Autoscaling;
use protocol::api::autoscaling::{AutoscalingStatus, Decision, LoadPoint};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::{Caller, CpsError};
use crate::args::AutoscalingCommand;
use crate::diagnostics::Exit;

/// So many of the latest measurements and decisions are printed.
const MEASUREMENTS: usize = 10;
const DECISIONS: usize = 20;

/// Runs one command about the autoscaling of a service of that type.
pub(crate) async fn run(
    caller: &Caller<'_>,
    command: AutoscalingCommand,
    kind: &str,
) -> Result<Exit, CpsError> {
    match command {
        AutoscalingCommand::OnAutoscaling(on) => {
            let service = caller.service_of(&on.service.service, kind).await?;
            switch_on(caller, service, on.wanted()).await
        }
        AutoscalingCommand::OffAutoscaling(service) => {
            switch_off(caller, caller.service_of(&service.service, kind).await?).await
        }
        AutoscalingCommand::Autoscaling(service) => {
            show(caller, caller.service_of(&service.service, kind).await?).await
        }
    }
}

/// Switches autoscaling on, or changes what is asked of it.
pub(crate) async fn switch_on(
    caller: &Caller<'_>,
    service: ServiceId,
    wanted: Autoscaling,
) -> Result<Exit, CpsError> {
    let _: Value = caller.client.service_command(service, "on_autoscaling", &wanted).await?;
    caller.printer.answer(&wanted, |_| "Autoscaling enabled.".to_owned());
    Ok(Exit::Success)
}

/// Switches it off.
pub(crate) async fn switch_off(caller: &Caller<'_>, service: ServiceId) -> Result<Exit, CpsError> {
    let answer: Value =
        caller.client.service_command(service, "off_autoscaling", &json!({})).await?;
    caller.printer.answer(&answer, |_| "Autoscaling disabled.".to_owned());
    Ok(Exit::Success)
}

/// Prints what it did.
async fn show(caller: &Caller<'_>, service: ServiceId) -> Result<Exit, CpsError> {
    let status: AutoscalingStatus =
        caller.client.service_query(service, "get_autoscaling", &json!({})).await?;
    caller.printer.answer(&status, describe);
    Ok(Exit::Success)
}

fn describe(status: &AutoscalingStatus) -> String {
    let AutoscalingStatus { wanted, measurements, decisions } = status;
    let mut lines = vec![match wanted {
        None => "Autoscaling is off.".to_owned(),
        Some(Autoscaling { adapt_interval, response_time_threshold, strategy }) => format!(
            "Autoscaling is on: every {adapt_interval} min, within {response_time_threshold} ms, \
             strategy {strategy}."
        ),
    }];
    lines.push(if measurements.is_empty() {
        "Nothing is measured yet.".to_owned()
    } else {
        "Measured:".to_owned()
    });
    lines.extend(last(measurements, MEASUREMENTS).iter().map(measured));
    lines.push(if decisions.is_empty() {
        "Nothing is decided yet.".to_owned()
    } else {
        "Decided:".to_owned()
    });
    lines.extend(last(decisions, DECISIONS).iter().map(decided));
    lines.join("\n")
}

fn last<T>(all: &[T], most: usize) -> &[T] {
    &all[all.len().saturating_sub(most)..]
}

/// `2026-11-22 01:02:03  12.0/s  mean 110 ms  95% 240 ms  cpu 63%  proxy: 1 m1.small`
fn measured(point: &LoadPoint) -> String {
    let times = match (point.response_mean, point.response_percentile_95) {
        (Some(mean), Some(late)) => format!("mean {mean:.0} ms  95% {late:.0} ms"),
        _ => "no requests".to_owned(),
    };
    let nodes = point.nodes.iter().map(|(role, types)| {
        let types = types.iter().map(|(name, count)| format!("{count} {name}"));
        format!("  {role}: {}", types.collect::<Vec<_>>().join(", "))
    });
    let nodes: String = nodes.collect();
    let (rate, cpu) = (point.requests_per_second, point.cpu_percent);
    format!("  {}  {rate:.1}/s  {times}  cpu {cpu:.0}%{nodes}", moment(point.at))
}

fn decided(decision: &Decision) -> String {
    let failure = decision.failure.as_ref().map(|failure| format!(" (failed: {failure})"));
    format!("  {}  {}{}", moment(decision.at), decision.reason, failure.unwrap_or_default())
}

fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use protocol::api::Strategy;
    use protocol::api::autoscaling::Action;

    use super::*;

    #[test]
    fn a_service_that_never_scaled_says_so() {
        let told = describe(&AutoscalingStatus::default());
        assert_eq!(told, "Autoscaling is off.\nNothing is measured yet.\nNothing is decided yet.");
    }

    #[test]
    fn every_decision_is_a_line_with_its_reason() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let point = |response_mean| LoadPoint {
            at,
            requests_per_second: 12.04,
            response_mean,
            response_percentile_95: response_mean.map(|mean| 2.0 * mean),
            cpu_percent: 62.6,
            nodes: [("proxy".to_owned(), [("m1.small".to_owned(), 1)].into())].into(),
        };
        let status = AutoscalingStatus {
            wanted: Some(Autoscaling {
                adapt_interval: 5,
                response_time_threshold: 2000,
                strategy: Strategy::MediumUp,
            }),
            measurements: vec![point(None), point(Some(110.2))],
            decisions: vec![Decision {
                at,
                action: Action::Hold,
                weights: [].into(),
                reason: "holding: all is well".to_owned(),
                forecast: None,
                failure: Some("no".to_owned()),
            }],
        };
        assert_eq!(
            describe(&status),
            "Autoscaling is on: every 5 min, within 2000 ms, strategy medium_up.\n\
             Measured:\n  \
               1970-01-01 00:00:00  12.0/s  no requests  cpu 63%  proxy: 1 m1.small\n  \
               1970-01-01 00:00:00  12.0/s  mean 110 ms  95% 220 ms  cpu 63%  proxy: 1 m1.small\n\
             Decided:\n  \
               1970-01-01 00:00:00  holding: all is well (failed: no)"
        );
    }
}
