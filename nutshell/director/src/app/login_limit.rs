//! Slows down whoever guesses passwords: so many failures a minute for a name from an address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

const FAILURES: usize = 10;
const WINDOW: Duration = Duration::MINUTE;

type Failures = HashMap<(String, IpAddr), Vec<OffsetDateTime>>;

/// Remembers the attempts of the last minute that did not succeed.
#[derive(Debug, Default)]
pub(crate) struct LoginLimit(Mutex<Failures>);

impl LoginLimit {
    /// Whether an attempt is allowed now. It counts as failed until it has succeeded: many at
    /// once are no way around.
    pub(crate) fn attempt(&self, username: &str, address: IpAddr, now: OffsetDateTime) -> bool {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, times| {
            times.retain(|time| *time > now - WINDOW);
            !times.is_empty()
        });
        let times = failures.entry((username.to_owned(), address)).or_default();
        let allowed = times.len() < FAILURES;
        if allowed {
            times.push(now);
        }
        allowed
    }

    pub(crate) fn succeeded(&self, username: &str, address: IpAddr) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(&(username.to_owned(), address));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    #[test]
    fn ten_failures_a_minute_and_nobody_else_suffers() {
        let limit = LoginLimit::default();
        let start = OffsetDateTime::UNIX_EPOCH;
        for _ in 0..FAILURES {
            assert!(limit.attempt("test", HERE, start));
        }
        assert!(!limit.attempt("test", HERE, start));
        assert!(limit.attempt("test", THERE, start));
        assert!(limit.attempt("other", HERE, start));
        assert!(!limit.attempt("test", HERE, start + Duration::seconds(59)));
        assert!(limit.attempt("test", HERE, start + Duration::seconds(60)));
        assert_eq!(limit.0.lock().unwrap().len(), 1, "what is old is forgotten");
    }

    #[test]
    fn whoever_knows_the_password_is_never_slowed_down() {
        let limit = LoginLimit::default();
        for _ in 0..3 * FAILURES {
            assert!(limit.attempt("test", HERE, OffsetDateTime::UNIX_EPOCH));
            limit.succeeded("test", HERE);
        }
    }
}
