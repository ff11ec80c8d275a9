//! Waiting for what has no event to wait for, such as a port that a user's script opens.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Tries until `attempt` succeeds.
///
/// # Panics
/// After `limit`, with the last failure.
pub fn wait_for<T, E: Debug>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(last) if Instant::now() > deadline => {
                panic!("{what} did not happen within {limit:?}; the last try said: {last:?}")
            }
            Err(_) => pause(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where tests poll")]
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}
