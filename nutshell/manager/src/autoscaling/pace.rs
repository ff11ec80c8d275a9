//! How fast time passes for autoscaling: its minutes may be shorter than others', to watch it work.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::datetime;

const MINUTE: Duration = Duration::from_secs(60);
/// At this moment both clocks show the same.
const ORIGIN: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long a minute takes.
    pub(crate) minute: Duration,
}

impl Pace {
    /// Minutes that last so many milliseconds; as long as everywhere without.
    pub(crate) fn new(milliseconds: Option<u32>) -> Self {
        let millis = |millis: u32| Duration::from_millis(millis.max(1).into());
        Self { minute: milliseconds.map_or(MINUTE, millis) }
    }

    fn factor(self) -> f64 {
        MINUTE.as_secs_f64() / self.minute.as_secs_f64()
    }

    /// A moment, as autoscaling counts: the same in every process, for all of it is kept.
    pub(crate) fn moment(self, real: OffsetDateTime) -> OffsetDateTime {
        stretched(real, self.factor())
    }

    /// When such a moment really was.
    pub(crate) fn real(self, moment: OffsetDateTime) -> OffsetDateTime {
        stretched(moment, 1.0 / self.factor())
    }

    /// A duration, as autoscaling counts.
    pub(crate) fn duration(self, real: Duration) -> time::Duration {
        time::Duration::seconds_f64(real.as_secs_f64() * self.factor())
    }

    /// How long so many minutes really take.
    pub(crate) fn minutes(self, minutes: u32) -> Duration {
        self.minute * minutes
    }
}

fn stretched(moment: OffsetDateTime, factor: f64) -> OffsetDateTime {
    let seconds = (moment - ORIGIN).as_seconds_f64() * factor;
    let passed = time::Duration::checked_seconds_f64(seconds);
    passed.and_then(|passed| ORIGIN.checked_add(passed)).unwrap_or(moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_minutes_unless_somebody_is_in_a_hurry() {
        let real = datetime!(2026-11-22 1:02:03 UTC);
        assert_eq!(Pace::new(None).moment(real), real);
        let fast = Pace::new(Some(1000));
        let later = fast.moment(real + Duration::from_secs(2)) - fast.moment(real);
        assert_eq!(later, time::Duration::minutes(2));
        assert!((fast.real(fast.moment(real)) - real).abs() < time::Duration::milliseconds(1));
        assert_eq!(fast.duration(Duration::from_millis(500)), time::Duration::seconds(30));
        assert_eq!(fast.minutes(5), Duration::from_secs(5));
    }
}
