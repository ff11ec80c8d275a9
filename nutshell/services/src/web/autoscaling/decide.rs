//! The decision: add backends, remove some, or hold; and why.

use std::collections::BTreeMap;

use protocol::NodeId;
use protocol::api::Autoscaling;
use protocol::api::autoscaling::{Action, Decision, Forecast, Method};
use time::{Duration, OffsetDateTime};

use super::capacity::{Capacities, mean_cpu};
use super::forecast::Predictor;
use super::history::{History, Measurement};
use super::plan::{mix, utilisation};
use super::pool::{Backend, InstanceType, paid_until};
use super::weights::weights;

/// A service grows by itself to so many backends, and no further.
pub const MOST_BACKENDS: usize = 20;
/// What is coming may be so much more than what the backends can do before some are added …
const TOLERATED: f64 = 1.05;
/// … and what remains must be so much more than what is coming before some are removed. Between the
/// two, nothing happens.
const RESERVE: f64 = 1.1;
/// How much more there must be when requests are late although no forecast said so.
const MORE_WHEN_LATE: f64 = 1.25;
/// Requests are late when they were so in this part of the last measurements.
const LATE: f64 = 0.5;
/// Backends that are less busy than this part of what they may be do not cause lateness.
const IDLE: f64 = 0.5;
/// Backends that have just come may take so long until they make a difference.
const SETTLING: Duration = Duration::minutes(3);
/// For so long nodes must not be needed again: who removes one and adds another pays twice.
const FORESIGHT: Duration = Duration::hours(1);
/// What was measured before says nothing of this moment.
const FRESH: Duration = Duration::minutes(5);
/// A removal takes so long: it must be over before another hour begins.
const REMOVAL: Duration = Duration::minutes(1);

/// All that a decision is made of.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// This moment.
    pub now: OffsetDateTime,
    /// What was measured.
    pub history: &'a History,
    /// The nodes that are backends alone, those that are starting among them.
    pub backends: &'a [Backend],
    /// The node that does their work while there are none.
    pub host: Option<&'a Backend>,
    /// What the cloud offers.
    pub instance_types: &'a [InstanceType],
    /// What the user wants.
    pub wanted: Autoscaling,
    /// How long a new backend takes until it serves.
    pub boot: Duration,
}

impl Situation<'_> {
    /// The backends that do the work now.
    fn working(&self) -> &[Backend] {
        match self.host {
            Some(host) if self.backends.is_empty() => std::slice::from_ref(host),
            _ => self.backends,
        }
    }
}

/// Decides what to do now.
#[must_use]
pub fn decide(situation: &Situation<'_>) -> Decision {
    match Judgement::new(situation) {
        Ok(judgement) => judgement.decide(),
        Err(reason) => Decision {
            at: situation.now,
            action: Action::Hold,
            weights: BTreeMap::new(),
            reason: format!("holding: {reason}"),
            forecast: None,
            failure: None,
        },
    }
}

/// A situation, and what follows from its history.
struct Judgement<'a> {
    situation: &'a Situation<'a>,
    capacities: Capacities,
    /// How busy backends may be.
    utilisation: f64,
    /// Until nodes asked for at the next decision would serve.
    soon: Forecast,
    /// Until nodes that are removed now would have been of use.
    later: Forecast,
    /// Requests a second that all backends can answer in time.
    possible: f64,
    /// What the user should know whatever is decided.
    remark: String,
}

impl<'a> Judgement<'a> {
    fn new(situation: &'a Situation<'a>) -> Result<Self, String> {
        let Situation { now, history, instance_types, wanted, boot, .. } = *situation;
        let working = situation.working();
        if working.is_empty() {
            return Err("the service has no backends".to_owned());
        }
        let interval = interval(wanted);
        if history.since(now - FRESH).next().is_none() {
            return Err(format!("nothing was measured in the last {}", minutes(FRESH)));
        }
        let capacities = match Capacities::learn(history, instance_types, now) {
            Some(capacities) => capacities,
            None if is_silent(history, now) => Capacities::unknown(),
            None => return Err("it is not known yet what the backends can do".to_owned()),
        };
        let lead = interval + boot;
        let predictor = Predictor::new(history, now, lead).ok_or("nothing was measured")?;
        let wished = utilisation(wanted.strategy);
        let threshold = f64::from(wanted.response_time_threshold);
        let (utilisation, remark) = match capacities.utilisation(threshold, wished) {
            Ok(utilisation) => (utilisation, String::new()),
            Err(least) => (
                wished,
                format!(
                    "; 5% of the requests take more than {least:.0} ms even where none waits for \
                     another: no number of backends brings that below {threshold} ms"
                ),
            ),
        };
        let possible = working
            .iter()
            .map(|backend| utilisation * capacities.of_node(instance_types, backend))
            .sum();
        Ok(Self {
            situation,
            utilisation,
            soon: predictor.peak(lead),
            later: predictor.peak(lead.max(FORESIGHT)),
            possible,
            capacities,
            remark,
        })
    }

    fn decide(&self) -> Decision {
        let Situation { now, instance_types, .. } = *self.situation;
        let (action, reason) = self.growth().unwrap_or_else(|| self.shrinkage());
        let mut stay = self.situation.working().to_vec();
        if let Action::Remove(nodes) = &action {
            stay.retain(|backend| !nodes.contains(&backend.node));
        }
        Decision {
            at: now,
            action,
            weights: weights(&stay, |it| self.capacities.of_node(instance_types, it)),
            reason: reason + &self.remark,
            forecast: Some(self.soon),
            failure: None,
        }
    }

    /// What to do when more is needed; `None` when it is not.
    fn growth(&self) -> Option<(Action, String)> {
        let needed = self.soon.requests_per_second + self.soon.error;
        let (needed, why) = if needed > self.possible * TOLERATED {
            (needed, format!("{}, and {}", self.coming(), self.can()))
        } else if self.is_late() {
            let threshold = self.situation.wanted.response_time_threshold;
            let cpu = mean_cpu(self.last_measurements());
            let late = format!("5% of the requests take more than {threshold} ms");
            if cpu < IDLE * self.utilisation {
                let busy = (100.0 * cpu).round();
                let reason = format!(
                    "holding: {late}, but the backends are busy for {busy}% of the time only: \
                     requests wait for something else"
                );
                return Some((Action::Hold, reason));
            }
            if self.is_settling() {
                let reason = format!("holding: {late}; new backends are still coming into use");
                return Some((Action::Hold, reason));
            }
            (self.possible * MORE_WHEN_LATE, format!("{late}, and {}", self.can()))
        } else {
            return None;
        };
        let Situation { backends, instance_types, wanted, .. } = *self.situation;
        let room = MOST_BACKENDS.saturating_sub(backends.len());
        if room == 0 {
            let reason = format!("holding: {why}, but {MOST_BACKENDS} backends are the most");
            return Some((Action::Hold, reason));
        }
        let nodes = mix(
            instance_types,
            |kind| self.utilisation * self.capacities.of_type(instance_types, &kind.name),
            wanted.strategy,
            // The node that stands in for backends no longer does when there are some.
            needed - if backends.is_empty() { 0.0 } else { self.possible },
            u32::try_from(room).unwrap_or(u32::MAX),
        );
        if nodes.is_empty() {
            return Some((Action::Hold, format!("holding: {why}, but the cloud offers no more")));
        }
        let added: Vec<String> =
            nodes.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let reason = format!("adding {}: {why}", added.join(" and "));
        Some((Action::Add(nodes), reason))
    }

    /// What to do when no more is needed.
    fn shrinkage(&self) -> (Action, String) {
        let Situation { now, wanted, .. } = *self.situation;
        let spare = self.spare();
        if spare.is_empty() {
            return (Action::Hold, format!("holding: {}, and {}", self.coming(), self.can()));
        }
        let until_next = interval(wanted) + REMOVAL;
        let ends = |backend: &Backend| paid_until(backend.started, now) - now <= until_next;
        let removed: Vec<NodeId> = spare.iter().filter(|it| ends(it)).map(|it| it.node).collect();
        let hour = format!(
            "at most {} are coming within {}",
            rate(&self.later),
            minutes(self.lead().max(FORESIGHT))
        );
        if removed.is_empty() {
            let paid = spare.iter().map(|backend| paid_until(backend.started, now)).min();
            let paid = paid.map_or_else(String::new, |it| format!(" until {}", clock_time(it)));
            let reason =
                format!("holding: {hour}: {} could go, and are paid{paid}", count(spare.len()));
            return (Action::Hold, reason);
        }
        let reason = format!(
            "removing {}: {hour}, which {} can do, and the paid hour ends",
            count(removed.len()),
            if removed.len() < self.situation.backends.len() { "the others" } else { "the proxy" }
        );
        (Action::Remove(removed), reason)
    }

    /// The backends that nothing foreseen needs: those that could all go together, first those whose
    /// paid hour ends next, of these the dearest for what they do.
    fn spare(&self) -> Vec<&'a Backend> {
        let Situation { now, backends, host, instance_types, .. } = *self.situation;
        let needed = RESERVE * (self.later.requests_per_second + self.later.error);
        let capacity =
            |backend: &Backend| self.utilisation * self.capacities.of_node(instance_types, backend);
        let dearness = |backend: &Backend| {
            let kind = instance_types.iter().find(|kind| kind.name == backend.instance_type);
            kind.map_or(0.0, |kind| kind.price_per_hour) / capacity(backend).max(f64::MIN_POSITIVE)
        };
        let soon = self.situation.wanted;
        let ends = |backend: &Backend| {
            // All that end before the next decision are alike.
            (paid_until(backend.started, now) - now).max(interval(soon) + REMOVAL)
        };
        let mut candidates: Vec<&Backend> =
            backends.iter().filter(|backend| backend.ready).collect();
        candidates.sort_by(|a, b| {
            ends(a)
                .cmp(&ends(b))
                .then(dearness(b).total_cmp(&dearness(a)))
                .then(a.node.cmp(&b.node))
        });
        let mut possible = self.possible;
        let mut left = candidates.len();
        candidates.retain(|backend| {
            let rest = match left {
                1 => host.map_or(f64::NEG_INFINITY, capacity),
                _ => possible - capacity(backend),
            };
            let goes = rest >= needed;
            if goes {
                (possible, left) = (rest, left - 1);
            }
            goes
        });
        candidates
    }

    fn last_measurements(&self) -> impl DoubleEndedIterator<Item = &Measurement> {
        let Situation { now, history, wanted, .. } = *self.situation;
        history.since(now - interval(wanted))
    }

    /// Whether requests took too long for most of the last interval, and still do.
    fn is_late(&self) -> bool {
        let threshold = f64::from(self.situation.wanted.response_time_threshold);
        let late = |measurement: &Measurement| {
            measurement.response.is_some_and(|response| response.percentile_95 > threshold)
        };
        let (late_ones, all) = self.last_measurements().fold((0.0, 0.0), |(late_ones, all), it| {
            let requests = it.requests_per_second;
            (late_ones + if late(it) { requests } else { 0.0 }, all + requests)
        });
        late_ones > LATE * all && self.last_measurements().next_back().is_some_and(late)
    }

    /// Whether some backends have come so lately that measurements do not tell of them yet.
    fn is_settling(&self) -> bool {
        let Situation { now, backends, boot, .. } = *self.situation;
        backends.iter().any(|it| !it.ready || now - it.started < boot + SETTLING)
    }

    fn lead(&self) -> Duration {
        interval(self.situation.wanted) + self.situation.boot
    }

    fn coming(&self) -> String {
        let Forecast { error, method, .. } = self.soon;
        let way = match method {
            Method::Steady => "as of late",
            Method::Trend => "by the trend",
            Method::Season => "as on the days before",
        };
        let within = minutes(self.lead());
        format!("{} are coming within {within} ({way}, ±{error:.1})", rate(&self.soon))
    }

    fn can(&self) -> String {
        let threshold = self.situation.wanted.response_time_threshold;
        let working = match self.situation.backends.len() {
            0 => "the proxy, which is the backend too,".to_owned(),
            some => count(some),
        };
        format!("{working} can do {:.1} within {threshold} ms", self.possible)
    }
}

/// Whether nobody has asked for anything for an hour.
fn is_silent(history: &History, now: OffsetDateTime) -> bool {
    let long = history.recent().next().is_some_and(|first| now - first.at >= FORESIGHT);
    long && history.recent().all(|measurement| measurement.requests_per_second == 0.0)
}

fn interval(wanted: Autoscaling) -> Duration {
    Duration::minutes(i64::from(wanted.adapt_interval))
}

fn rate(forecast: &Forecast) -> String {
    format!("{:.1} requests a second", forecast.requests_per_second)
}

fn minutes(duration: Duration) -> String {
    match duration.whole_minutes() {
        1 => "minute".to_owned(),
        many => format!("{many} minutes"),
    }
}

fn count(backends: usize) -> String {
    match backends {
        1 => "1 backend".to_owned(),
        many => format!("{many} backends"),
    }
}

fn clock_time(moment: OffsetDateTime) -> String {
    format!("{:02}:{:02} UTC", moment.hour(), moment.minute())
}

#[cfg(test)]
mod tests;
