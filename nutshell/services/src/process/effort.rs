//! How long programs have kept processors busy.

use std::collections::BTreeMap;
use std::time::Duration;

use super::table;

/// Sums up what sessions have used; it never falls, whichever of them end or begin.
#[derive(Debug, Default)]
pub struct Effort {
    total: u64,
    /// What is known of each session, in the kernel's ticks.
    known: BTreeMap<i32, u64>,
}

impl Effort {
    /// All that these sessions, and those asked about before, have used so far.
    pub fn of(&mut self, sessions: &[i32]) -> Duration {
        let used = table::ticks(sessions);
        self.known.retain(|session, _| sessions.contains(session));
        for (session, ticks) in used {
            // A process that has ended counts with its parent, a moment later.
            let known = self.known.entry(session).or_default();
            self.total += ticks.saturating_sub(*known);
            *known = ticks.max(*known);
        }
        let second = rustix::param::clock_ticks_per_second().max(1);
        Duration::from_secs_f64(self.total as f64 / second as f64)
    }
}
