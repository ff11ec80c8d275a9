//! Addresses in use, kept as the unbroken runs they form: the lowest free one is found at once,
//! however many are in use.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::address::Pool;

/// A set of addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Runs {
    /// The last address of each run, by its first.
    runs: BTreeMap<u32, u32>,
}

impl Runs {
    /// Adds an address.
    pub(super) fn insert(&mut self, address: Ipv4Addr) {
        if self.contains(address) {
            return;
        }
        let bits = address.to_bits();
        let below = self.runs.range(..bits).next_back().map(|(first, last)| (*first, *last));
        let first = match below {
            Some((first, last)) if last + 1 == bits => first,
            _ => bits,
        };
        let above = bits.checked_add(1).and_then(|next| self.runs.remove(&next));
        self.runs.insert(first, above.unwrap_or(bits));
    }

    /// Takes an address out.
    pub(super) fn remove(&mut self, address: Ipv4Addr) {
        let bits = address.to_bits();
        let Some((first, last)) = self.run(address) else { return };
        self.runs.remove(&first);
        if first < bits {
            self.runs.insert(first, bits - 1);
        }
        if bits < last {
            self.runs.insert(bits + 1, last);
        }
    }

    /// Whether an address is in the set.
    pub(super) fn contains(&self, address: Ipv4Addr) -> bool {
        self.run(address).is_some()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The lowest address from this one on that is not in the set; none when there is none up to
    /// the very last address.
    pub(super) fn gap(&self, from: Ipv4Addr) -> Option<Ipv4Addr> {
        match self.run(from) {
            None => Some(from),
            Some((_, last)) => last.checked_add(1).map(Ipv4Addr::from_bits),
        }
    }

    /// How many addresses of a pool are in the set.
    pub(super) fn count(&self, pool: Pool) -> u64 {
        let (first, last) = (pool.first.to_bits(), pool.last.to_bits());
        let start = self.run(pool.first).map_or(first, |(start, _)| start);
        let runs = self.runs.range(start..=last.max(start));
        runs.map(|(from, to)| u64::from((*to).min(last) - (*from).max(first)) + 1).sum()
    }

    /// The run that an address lies in.
    fn run(&self, address: Ipv4Addr) -> Option<(u32, u32)> {
        let bits = address.to_bits();
        let (first, last) = self.runs.range(..=bits).next_back()?;
        (bits <= *last).then_some((*first, *last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(255, 255, 255, last)
    }

    proptest! {
        #[test]
        fn it_is_the_set_that_a_plain_one_would_be(
            changes in prop::collection::vec((any::<bool>(), any::<u8>()), 0..600),
            (first, last) in any::<(u8, u8)>().prop_map(|(a, b)| (a.min(b), a.max(b))),
        ) {
            let (mut runs, mut plain) = (Runs::default(), BTreeSet::new());
            for (comes, byte) in changes {
                if comes {
                    runs.insert(address(byte));
                    plain.insert(byte);
                } else {
                    runs.remove(address(byte));
                    plain.remove(&byte);
                }
            }
            for byte in 0..=255 {
                prop_assert_eq!(runs.contains(address(byte)), plain.contains(&byte));
                let gap = (byte..=255).find(|it| !plain.contains(it)).map(address);
                prop_assert_eq!(runs.gap(address(byte)), gap);
            }
            let pool = Pool { first: address(first), last: address(last) };
            prop_assert_eq!(runs.count(pool), plain.range(first..=last).count() as u64);
            plain.into_iter().for_each(|byte| runs.remove(address(byte)));
            prop_assert_eq!(runs, Runs::default());
        }
    }
}
