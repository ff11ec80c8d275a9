//! The one clock: everything that needs the time asks here, so a test decides what time it is.
//!
//! What the cloud imitates goes by it: ages, ends of tokens, how long a transition takes. What it
//! waits for on this machine, such as a process that is slow to end, goes by the machine's time.

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use time::OffsetDateTime;
use tokio::sync::watch;

/// Where the time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Ready once it is `when`.
    fn until(&self, when: OffsetDateTime) -> BoxFuture<'_, ()>;

    /// Moves the clock forward; who waits for a time that has come by then is woken.
    fn advance(&self, by: Duration);
}

/// This machine's clock, or one that is ahead of it by as much as it was advanced.
#[derive(Debug)]
pub struct SystemClock {
    ahead: watch::Sender<Duration>,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { ahead: watch::Sender::new(Duration::ZERO) }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.ahead.borrow()
    }

    fn until(&self, when: OffsetDateTime) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let mut advanced = self.ahead.subscribe();
            // A duration cannot be negative: then it is later already.
            while let Ok(left) = Duration::try_from(when - self.now()) {
                // The sender is our own: it is there as long as we are.
                let _ = tokio::time::timeout(left, advanced.changed()).await;
                if left.is_zero() {
                    return;
                }
            }
        })
    }

    fn advance(&self, by: Duration) {
        self.ahead.send_modify(|ahead| *ahead += by);
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<OffsetDateTime>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: OffsetDateTime) -> Self {
        Self(watch::Sender::new(now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        Clock::advance(self, by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.borrow()
    }

    fn until(&self, when: OffsetDateTime) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // The sender is our own: it is there as long as we are.
            let _ = self.0.subscribe().wait_for(|now| *now >= when).await;
        })
    }

    fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_manual_clock_moves_only_when_told_and_wakes_who_waits() {
        let clock = ManualClock::new(OffsetDateTime::UNIX_EPOCH);
        assert_eq!(clock.now(), OffsetDateTime::UNIX_EPOCH);
        let mut hour = clock.until(OffsetDateTime::UNIX_EPOCH + HOUR);
        assert_eq!((&mut hour).now_or_never(), None);
        clock.advance(HOUR / 2);
        assert_eq!((&mut hour).now_or_never(), None);
        clock.advance(HOUR / 2);
        assert_eq!(clock.now().unix_timestamp(), 3600);
        assert_eq!(hour.now_or_never(), Some(()));
    }

    #[tokio::test]
    async fn the_machines_clock_can_be_put_forward() {
        let clock = SystemClock::default();
        clock.until(clock.now()).await;
        let (before, mut hour) = (clock.now(), clock.until(clock.now() + HOUR));
        assert_eq!((&mut hour).now_or_never(), None);
        clock.advance(HOUR);
        hour.await;
        assert!(clock.now() - before >= HOUR);
    }
}
