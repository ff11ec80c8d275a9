//! The one source of time, so that tests can let hours pass at once.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// Tells the time, and how much of it has passed: the time may be set back or forth, what has
/// passed only grows.
#[derive(Clone)]
pub(crate) struct Clock {
    wall: Arc<dyn Fn() -> OffsetDateTime + Send + Sync>,
    steady: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// The clock of this machine; it does not run while the machine sleeps.
    pub(crate) fn system() -> Self {
        let begun = Instant::now();
        Self::new(OffsetDateTime::now_utc, move || begun.elapsed())
    }

    pub(crate) fn new(
        wall: impl Fn() -> OffsetDateTime + Send + Sync + 'static,
        steady: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(wall), steady: Arc::new(steady) }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        (self.wall)()
    }

    /// How long it has been running.
    pub(crate) fn elapsed(&self) -> Duration {
        (self.steady)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
