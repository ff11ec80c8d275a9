//! What autoscaling knows of one service, and what it tells of it. When and how it acts is
//! `service/adapt.rs`; what it decides, `services::web::autoscaling`.

mod journal;
mod pace;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::api::autoscaling::{AutoscalingStatus, Decision, LoadPoint};
use protocol::api::{Autoscaling, InstanceType, Node};
use services::web::autoscaling::{
    BackendMeasurement, Measurement, Pool, Situation, decide, instance_types,
};
use time::{Duration, OffsetDateTime};

pub(crate) use journal::News;
pub(crate) use pace::Pace;

use crate::record::Record;
use journal::Journal;

/// How long new nodes take until they serve, as long as nobody has seen it.
const USUAL_BOOT: Duration = Duration::minutes(2);

/// See the module.
#[derive(Debug)]
pub(crate) struct Autoscaler {
    pub(crate) pace: Pace,
    journal: Mutex<Journal>,
    /// What the cloud said last that it offers.
    types: Mutex<Vec<InstanceType>>,
}

impl Autoscaler {
    /// Takes up what an earlier manager knew.
    pub(crate) fn open(path: PathBuf, pace: Pace) -> Self {
        Self { pace, journal: Mutex::new(Journal::open(path)), types: Mutex::default() }
    }

    /// Remembers.
    pub(crate) fn learn(&self, news: News) {
        self.journal().add(news);
    }

    /// What the cloud offers, as far as it is known.
    pub(crate) fn types(&self) -> Vec<InstanceType> {
        self.types.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn learn_types(&self, types: Vec<InstanceType>) {
        *self.types.lock().unwrap_or_else(PoisonError::into_inner) = types;
    }

    /// Whether it is time for a decision.
    pub(crate) fn is_due(&self, wanted: Autoscaling, now: OffsetDateTime) -> bool {
        let journal = self.journal();
        if journal.memory.history.recent().next().is_none() {
            return false;
        }
        // That the timer comes early is no reason to wait for another minute.
        let pause = self.pace.minutes(wanted.adapt_interval).saturating_sub(self.pace.minute / 2);
        journal.memory.decisions.back().is_none_or(|last| (now - last.at).abs() >= pause)
    }

    /// Decides, and remembers that.
    pub(crate) fn decide(
        &self,
        wanted: Autoscaling,
        record: &Record,
        now: OffsetDateTime,
    ) -> Decision {
        let Pool { mut backends, mut host } = Pool::of(&record.present(), &record.weights);
        for backend in backends.iter_mut().chain(&mut host) {
            backend.started = self.pace.moment(backend.started);
        }
        let mut journal = self.journal();
        let boot = journal.memory.boot.map(std::time::Duration::from_secs_f64);
        let decided = decide(&Situation {
            now: self.pace.moment(now),
            history: &journal.memory.history,
            backends: &backends,
            host: host.as_ref(),
            instance_types: &instance_types(&self.types()),
            wanted,
            boot: boot.map_or(USUAL_BOOT, |boot| self.pace.duration(boot)),
        });
        let decision = Decision { at: now, ..decided };
        journal.add(News::Decided(decision.clone()));
        decision
    }

    /// What users may see.
    pub(crate) fn status(&self, wanted: Option<Autoscaling>) -> AutoscalingStatus {
        let journal = self.journal();
        let memory = &journal.memory;
        let measurements = memory.history.recent().map(|measured| self.point(measured)).collect();
        AutoscalingStatus {
            wanted,
            measurements,
            decisions: memory.decisions.iter().cloned().collect(),
        }
    }

    fn point(&self, measured: &Measurement) -> LoadPoint {
        let Measurement { at, requests_per_second, response, backends, nodes } = measured;
        let busy: Vec<f64> = backends.values().map(|BackendMeasurement { cpu, .. }| *cpu).collect();
        LoadPoint {
            at: self.pace.real(*at),
            requests_per_second: *requests_per_second,
            response_mean: response.map(|response| response.mean),
            response_percentile_95: response.map(|response| response.percentile_95),
            cpu_percent: 100.0 * busy.iter().sum::<f64>() / busy.len().max(1) as f64,
            nodes: nodes.clone(),
        }
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nodes are those that a decision was made for.
pub(crate) fn are_unchanged(record: &Record, nodes: &[Node]) -> bool {
    record.nodes.iter().map(|node| node.id).eq(nodes.iter().map(|node| node.id))
}
