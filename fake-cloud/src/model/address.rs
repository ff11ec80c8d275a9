//! IPv4 ranges and which address of one is given out next.

use std::collections::HashSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The addresses that a subnet gives out, and the block they lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRange {
    /// The first address of the block.
    pub network: Ipv4Addr,
    /// How many leading bits the addresses of the block share.
    pub prefix: u8,
    /// The first address that may be given out.
    pub first: Ipv4Addr,
    /// The last address that may be given out.
    pub last: Ipv4Addr,
}

/// Why a text is not a range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a range of addresses; write it as 127.0.16.0/20 or 127.0.1.10-127.0.1.254")]
pub struct RangeError(String);

impl AddressRange {
    /// Everything between two addresses, in the smallest block that holds both.
    pub fn between(first: Ipv4Addr, last: Ipv4Addr) -> Option<Self> {
        let (low, high) = (first.to_bits(), last.to_bits());
        let prefix = (low ^ high).leading_zeros() as u8;
        (low <= high).then(|| Self {
            network: Ipv4Addr::from_bits(low & mask(prefix)),
            prefix,
            first,
            last,
        })
    }

    /// A whole block, without its network address, its gateway and its broadcast address.
    pub fn block(network: Ipv4Addr, prefix: u8) -> Option<Self> {
        let base = network.to_bits();
        if prefix > 29 || base & mask(prefix) != base {
            return None;
        }
        Some(Self {
            network,
            prefix,
            first: Ipv4Addr::from_bits(base + 2),
            last: Ipv4Addr::from_bits((base | !mask(prefix)) - 1),
        })
    }

    /// The address that routers have by convention: the first of the block.
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() + 1)
    }

    /// Whether the address may be given out.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// The lowest address that is not taken.
    pub fn lowest_free(&self, taken: &HashSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        (self.first.to_bits()..=self.last.to_bits())
            .map(Ipv4Addr::from_bits)
            .find(|address| !taken.contains(address))
    }

    /// How many addresses there are to give.
    pub fn size(&self) -> u32 {
        self.last.to_bits() - self.first.to_bits() + 1
    }
}

/// Writes the block, as in `127.0.16.0/20`.
impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Reads `127.0.16.0/20` (a whole block) and `127.0.1.10-127.0.1.254`.
impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.split_once(['/', '-']) {
            Some((network, prefix)) if text.contains('/') => {
                network.parse().ok().zip(prefix.parse().ok()).and_then(|(n, p)| Self::block(n, p))
            }
            Some((first, last)) => {
                first.parse().ok().zip(last.parse().ok()).and_then(|(f, l)| Self::between(f, l))
            }
            None => None,
        };
        parsed.ok_or_else(|| RangeError(text.to_owned()))
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn both_spellings_are_read() {
        let block = range("127.3.16.0/20");
        assert_eq!(block.first, Ipv4Addr::new(127, 3, 16, 2));
        assert_eq!(block.last, Ipv4Addr::new(127, 3, 31, 254));
        assert_eq!(block.gateway(), Ipv4Addr::new(127, 3, 16, 1));
        assert_eq!(block.to_string(), "127.3.16.0/20");

        let pool = range("127.3.1.10-127.3.1.254");
        assert_eq!(pool.size(), 245);
        assert_eq!(pool.to_string(), "127.3.1.0/24");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "127.0.0.1", "127.0.0.1/20", "127.0.0.9-127.0.0.1", "a-b", "10.0.0.0/31"] {
            assert_eq!(text.parse::<AddressRange>(), Err(RangeError(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_full_range_has_nothing_to_give() {
        let pool = range("127.0.1.10-127.0.1.11");
        let taken = (pool.first.to_bits()..=pool.last.to_bits()).map(Ipv4Addr::from_bits).collect();
        assert_eq!(pool.lowest_free(&taken), None);
    }

    proptest! {
        #[test]
        fn what_is_given_is_free_and_inside(taken in prop::collection::hash_set(10u8..=254, 0..244)) {
            let pool = range("127.0.1.10-127.0.1.254");
            let taken = taken.into_iter().map(|last| Ipv4Addr::new(127, 0, 1, last)).collect();
            let given = pool.lowest_free(&taken).unwrap();
            prop_assert!(pool.contains(given) && !taken.contains(&given));
        }
    }
}
