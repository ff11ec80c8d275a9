//! Slows down whoever guesses passwords: so many failures a minute for a name from an address, and
//! so many from an address for whatever name.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For one name.
const FAILURES: usize = 10;
/// For all names together.
const FAILURES_OF_ADDRESS: usize = 60;
const WINDOW: Duration = Duration::from_secs(60);

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Counted {
    Address(IpAddr),
    Name(IpAddr, String),
}

impl Counted {
    fn limit(&self) -> usize {
        match self {
            Self::Address(_) => FAILURES_OF_ADDRESS,
            Self::Name(..) => FAILURES,
        }
    }
}

type Failures = HashMap<Counted, Vec<Duration>>;

/// Remembers the attempts of the last minute that did not succeed.
#[derive(Debug, Default)]
pub(crate) struct LoginLimit(Mutex<Failures>);

impl LoginLimit {
    /// Whether an attempt is allowed at this moment of a clock that is never set. It counts as
    /// failed until it has succeeded: many at once are no way around.
    pub(crate) fn attempt(&self, username: &str, address: IpAddr, now: Duration) -> bool {
        let mut failures = self.failures();
        failures.retain(|_, times| {
            times.retain(|time| now.saturating_sub(*time) < WINDOW);
            !times.is_empty()
        });
        let both = counted(username, address);
        let full = |one: &Counted| failures.get(one).is_some_and(|it| it.len() >= one.limit());
        if both.iter().any(full) {
            return false;
        }
        for one in both {
            failures.entry(one).or_default().push(now);
        }
        true
    }

    pub(crate) fn succeeded(&self, username: &str, address: IpAddr) {
        let mut failures = self.failures();
        let [of_address, of_name] = counted(username, address);
        failures.remove(&of_name);
        if let Some(times) = failures.get_mut(&of_address) {
            times.pop();
        }
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn counted(username: &str, address: IpAddr) -> [Counted; 2] {
    let network = network(address);
    [Counted::Address(network), Counted::Name(network, username.to_lowercase())]
}

/// Whoever has an IPv6 address has the whole /64 that it is of.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const START: Duration = Duration::from_secs(1000);

    #[test]
    fn ten_failures_a_minute_and_nobody_else_suffers() {
        let limit = LoginLimit::default();
        for _ in 0..FAILURES {
            assert!(limit.attempt("test", HERE, START));
        }
        assert!(!limit.attempt("test", HERE, START));
        assert!(!limit.attempt("TEST", HERE, START), "it is the same user");
        assert!(limit.attempt("test", THERE, START));
        assert!(limit.attempt("other", HERE, START));
        assert!(!limit.attempt("test", HERE, START + Duration::from_secs(59)));
        assert!(limit.attempt("test", HERE, START + Duration::from_secs(60)));
        assert_eq!(limit.failures().len(), 2, "what is old is forgotten");
    }

    #[test]
    fn many_names_are_no_way_around() {
        let limit = LoginLimit::default();
        for number in 0..FAILURES_OF_ADDRESS {
            assert!(limit.attempt(&format!("user{number}"), HERE, START));
        }
        assert!(!limit.attempt("another", HERE, START));
        assert!(limit.attempt("another", THERE, START));
        assert_eq!(limit.failures().len(), FAILURES_OF_ADDRESS + 3, "what is refused adds nothing");
    }

    #[test]
    fn whoever_knows_the_password_is_never_slowed_down() {
        let limit = LoginLimit::default();
        for _ in 0..3 * FAILURES_OF_ADDRESS {
            assert!(limit.attempt("test", HERE, START));
            limit.succeeded("test", HERE);
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let network_of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(network_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network_of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
