//! Measures the VM: processors, memory, disk, network; and keeps the last hour of it.
//!
//! Each manager and agent keeps its own, and whoever wants to know asks: nothing travels while nobody
//! looks. Every 15 seconds, as the original's Ganglia did: short enough to see a request's peak, and a
//! thousandth of a processor.

mod journal;
mod kernel;
mod metrics;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::api::usage::{INTERVAL_SECONDS, KEPT, Usage, UsageHistory};
use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;

pub use metrics::prometheus;

use journal::Journal;
use kernel::Ticks;

/// The measurements of this VM.
#[derive(Debug)]
pub struct Meter {
    root: PathBuf,
    samples: Mutex<VecDeque<Usage>>,
    ticks: Mutex<Ticks>,
}

impl Meter {
    /// Measures the VM whose files begin at `root`, for as long as the process lives, and goes on
    /// from what the last process kept in the directory `cache`; after each measurement it also does
    /// what else is to be done now and then.
    #[must_use]
    pub fn start(root: &Path, cache: &Path, mut also: impl FnMut() + Send + 'static) -> Arc<Self> {
        let file = cache.join("usage.jsonl");
        let (mut journal, samples) = Journal::open(file, OffsetDateTime::now_utc());
        let meter = Arc::new(Self {
            root: root.to_owned(),
            samples: Mutex::new(samples),
            ticks: Mutex::new(Ticks::default()),
        });
        let own = Arc::clone(&meter);
        tokio::spawn(async move {
            let mut interval = tokio::time::interval(Duration::from_secs(INTERVAL_SECONDS));
            // A VM that was stopped has nothing to catch up with.
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                own.measure();
                if let Err(error) = journal.append(&locked(&own.samples)) {
                    tracing::warn!(%error, "a measurement is not kept on disk");
                }
                also();
            }
        });
        meter
    }

    /// The last hour, and this moment.
    #[must_use]
    pub fn history(&self) -> UsageHistory {
        self.measure();
        UsageHistory { samples: locked(&self.samples).iter().copied().collect() }
    }

    fn measure(&self) {
        match self.now() {
            Ok(usage) => keep(&mut locked(&self.samples), usage),
            Err(error) => tracing::warn!(%error, "the VM cannot be measured"),
        }
    }

    fn now(&self) -> std::io::Result<Usage> {
        let ticks = kernel::ticks()?;
        let before = std::mem::replace(&mut *locked(&self.ticks), ticks);
        let memory = kernel::memory()?;
        let disk = kernel::disk(&self.root)?;
        let network = kernel::network()?;
        Ok(Usage {
            at: OffsetDateTime::now_utc(),
            cpu_percent: ticks.busy_since(before),
            memory_used: memory.used,
            memory_total: memory.total,
            disk_used: disk.used,
            disk_total: disk.total,
            network_received: network.0,
            network_sent: network.1,
        })
    }
}

/// Measurements that were asked for between two others take the place of the one before.
fn keep(samples: &mut VecDeque<Usage>, usage: Usage) {
    let close = time::Duration::seconds(INTERVAL_SECONDS.cast_signed()) / 2;
    let mut last_two = samples.iter().rev().take(2).map(|sample| sample.at);
    if let (Some(last), Some(before)) = (last_two.next(), last_two.next())
        && (last - before).abs() < close
    {
        samples.pop_back();
    }
    samples.push_back(usage);
    while samples.len() > KEPT {
        samples.pop_front();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn at(seconds: i64) -> Usage {
        Usage {
            at: OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds),
            cpu_percent: 0.0,
            memory_used: 0,
            memory_total: 0,
            disk_used: 0,
            disk_total: 0,
            network_received: 0,
            network_sent: 0,
        }
    }

    fn kept(moments: impl IntoIterator<Item = i64>) -> Vec<i64> {
        let mut samples = VecDeque::new();
        moments.into_iter().for_each(|moment| keep(&mut samples, at(moment)));
        samples.iter().map(|sample| sample.at.unix_timestamp()).collect()
    }

    #[test]
    fn who_asks_often_does_not_shorten_the_history() {
        assert_eq!(kept([0, 15, 30]), [0, 15, 30]);
        assert_eq!(kept([0, 15, 16, 17, 18, 30]), [0, 15, 30]);
        let hour = kept((0..300).map(|index| index * 15));
        assert_eq!((hour.len(), hour[0]), (KEPT, 900));
        // The clock was set back.
        assert_eq!(kept([100, 115, 10, 25]), [100, 115, 10, 25]);
    }

    #[tokio::test]
    async fn this_machine_can_be_measured() {
        let root = tempfile::tempdir().unwrap();
        let (sender, told) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let meter = Meter::start(root.path(), root.path(), move || {
            sender.take().map(|sender| sender.send(()));
        });
        told.await.unwrap();
        let first = meter.history().samples[0];
        let sample = meter.history().samples.pop().unwrap();
        assert!((0.0..=100.0).contains(&sample.cpu_percent));
        assert!(sample.memory_used > 0 && sample.memory_used < sample.memory_total);
        assert!(sample.disk_used <= sample.disk_total && sample.disk_total > 0);
        let next = Meter::start(root.path(), root.path(), || ());
        assert_eq!(next.history().samples[0], first, "the next process goes on from there");
    }
}
