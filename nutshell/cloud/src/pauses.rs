//! Pauses between two looks at the same thing.
//!
//! A cloud tells nobody when a server is ready: its clients ask again and again. The first looks come
//! quickly, for clouds that are quick, the later ones seldom, for clouds that are not.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(1);

/// Endless, each pause half as long again as the one before, up to a second.
pub(crate) fn growing() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(SHORTEST), |pause| Some((*pause * 3 / 2).min(LONGEST)))
}

/// The pauses after which a call that was turned away for their number is made again: a dozen, about
/// seven seconds in all.
pub(crate) fn throttled() -> impl Iterator<Item = Duration> {
    growing().skip(6).take(12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_stay() {
        let pauses: Vec<_> = growing().take(30).collect();
        assert_eq!(pauses[0], SHORTEST);
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses[29], LONGEST);
        let to_the_longest: Duration = pauses.iter().take_while(|pause| **pause < LONGEST).sum();
        assert!(to_the_longest < Duration::from_secs(3));
    }
}
