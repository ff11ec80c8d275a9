//! IPv4 blocks, pools of them, and which address is given out next.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// All addresses that begin with the same bits, as in `10.0.0.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Block {
    /// The first address.
    pub network: Ipv4Addr,
    /// How many leading bits the addresses share.
    pub prefix: u8,
}

/// Addresses that are given out: from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The lowest.
    pub first: Ipv4Addr,
    /// The highest.
    pub last: Ipv4Addr,
}

/// A pool, and the block it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Block {
    /// The block of a size that holds an address.
    pub fn around(address: Ipv4Addr, prefix: u8) -> Self {
        Self { network: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// Its last address.
    pub fn last(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | !mask(self.prefix))
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.network..=self.last()).contains(&address)
    }

    /// Whether all of another block lies in it.
    pub fn covers(&self, other: Self) -> bool {
        self.contains(other.network) && self.contains(other.last())
    }

    /// Whether some address lies in both.
    pub fn overlaps(&self, other: Self) -> bool {
        self.covers(other) || other.covers(*self)
    }

    /// The block of the same size that comes so many blocks later; after the last one comes the
    /// first.
    pub fn further(&self, blocks: u32) -> Self {
        let size = self.last().to_bits().wrapping_sub(self.network.to_bits()).wrapping_add(1);
        let network = self.network.to_bits().wrapping_add(size.wrapping_mul(blocks));
        Self { network: Ipv4Addr::from_bits(network), prefix: self.prefix }
    }

    /// Its address at the place that another has in a block of the same size.
    pub fn at(&self, address: Ipv4Addr) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network.to_bits() | (address.to_bits() & !mask(self.prefix)))
    }

    /// The addresses that hosts may have: neither the network's own nor the broadcast address.
    /// Blocks of one or two addresses have neither.
    pub fn hosts(&self) -> Pool {
        let margin = u32::from(self.prefix < 31);
        Pool {
            first: Ipv4Addr::from_bits(self.network.to_bits() + margin),
            last: Ipv4Addr::from_bits(self.last().to_bits() - margin),
        }
    }

    /// Its parts of a smaller size, in their order.
    pub fn parts(&self, prefix: u8) -> impl Iterator<Item = Self> + use<> {
        let (start, end) = (u64::from(self.network.to_bits()), u64::from(self.last().to_bits()));
        let step = 1u64 << (32 - u32::from(prefix.min(32)));
        let network = move |index: u64| start + index * step;
        (0..).map(network).take_while(move |network| *network <= end).filter_map(move |network| {
            Some(Self { network: Ipv4Addr::from_bits(u32::try_from(network).ok()?), prefix })
        })
    }
}

impl Pool {
    /// Whether an address is in it.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// Whether some address is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// How many addresses there are to give.
    pub fn size(&self) -> u32 {
        (self.last.to_bits() - self.first.to_bits()).saturating_add(1)
    }

    /// What is left of it when another is taken out.
    pub fn minus(self, other: Self) -> Vec<Self> {
        if !self.overlaps(&other) {
            return vec![self];
        }
        let below = (self.first < other.first).then(|| Self {
            first: self.first,
            last: Ipv4Addr::from_bits(other.first.to_bits() - 1),
        });
        let above = (other.last < self.last).then(|| Self {
            first: Ipv4Addr::from_bits(other.last.to_bits() + 1),
            last: self.last,
        });
        below.into_iter().chain(above).collect()
    }

    /// What is left of it when an address is taken out.
    pub fn without(self, address: Ipv4Addr) -> Vec<Self> {
        self.minus(Self { first: address, last: address })
    }
}

/// Shown as Neutron shows it, `10.0.0.2-10.0.0.254`.
impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl AddressRange {
    /// Everything between two addresses, in the smallest block that holds both.
    pub fn between(first: Ipv4Addr, last: Ipv4Addr) -> Option<Self> {
        let prefix = (first.to_bits() ^ last.to_bits()).leading_zeros() as u8;
        let Block { network, prefix } = Block::around(first, prefix);
        (first <= last).then_some(Self { network, prefix, first, last })
    }

    /// A whole block, without its network address, its gateway and its broadcast address.
    pub fn whole(network: Ipv4Addr, prefix: u8) -> Option<Self> {
        if prefix > 29 || Block::around(network, prefix).network != network {
            return None;
        }
        let Pool { first, last } = Block { network, prefix }.hosts();
        Some(Self { network, prefix, first: Ipv4Addr::from_bits(first.to_bits() + 1), last })
    }

    /// The block.
    pub fn block(&self) -> Block {
        Block { network: self.network, prefix: self.prefix }
    }

    /// The same range of another block of that size; as it is when it lies in none of them.
    pub fn moved(self, from: Block, to: Block) -> Self {
        if !from.covers(self.block()) {
            return self;
        }
        let Self { network, prefix, first, last } = self;
        Self { network: to.at(network), prefix, first: to.at(first), last: to.at(last) }
    }

    /// The pool.
    pub fn pool(&self) -> Pool {
        Pool { first: self.first, last: self.last }
    }
}

/// Writes the block, as in `127.0.16.0/20`.
impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

/// Reads `10.0.0.0/24`, and `10.0.0.7/24` as the block that holds it.
impl FromStr for Block {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(network, prefix)| {
            Some(Self::around(network.parse().ok()?, prefix.parse().ok().filter(|p| *p <= 32)?))
        });
        parsed.ok_or_else(|| RangeError(text.to_owned()))
    }
}

/// Reads `127.0.16.0/20` (a whole block) and `127.0.1.10-127.0.1.254`.
impl FromStr for AddressRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.split_once(['/', '-']) {
            Some((network, prefix)) if text.contains('/') => {
                network.parse().ok().zip(prefix.parse().ok()).and_then(|(n, p)| Self::whole(n, p))
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
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    fn block(text: &str) -> Block {
        text.parse().unwrap()
    }

    #[test]
    fn both_spellings_are_read() {
        let whole = range("127.3.16.0/20");
        assert_eq!(whole.pool().to_string(), "127.3.16.2-127.3.31.254");
        assert_eq!(whole.block().to_string(), "127.3.16.0/20");

        let part = range("127.3.1.10-127.3.1.254");
        assert_eq!(part.pool().size(), 245);
        assert_eq!(part.block().to_string(), "127.3.1.0/24");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "127.0.0.1", "127.0.0.1/20", "127.0.0.9-127.0.0.1", "a-b", "10.0.0.0/31"] {
            assert_eq!(text.parse::<AddressRange>(), Err(RangeError(text.to_owned())), "{text}");
        }
        for text in ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "::/0"] {
            assert!(text.parse::<Block>().is_err(), "{text}");
        }
    }

    #[test]
    fn blocks_hold_each_other_or_nothing_in_common() {
        assert_eq!(block("10.0.0.7/24"), block("10.0.0.0/24"));
        assert!(block("10.0.0.0/8").covers(block("10.9.0.0/16")));
        assert!(!block("10.9.0.0/16").covers(block("10.0.0.0/8")));
        assert!(block("10.9.0.0/16").overlaps(block("10.0.0.0/8")));
        assert!(!block("10.9.0.0/16").overlaps(block("10.8.0.0/16")));
        assert!(block("0.0.0.0/0").covers(block("255.255.255.255/32")));
        assert_eq!(block("10.0.0.0/30").hosts().to_string(), "10.0.0.1-10.0.0.2");
        assert_eq!(block("10.0.0.0/31").hosts().to_string(), "10.0.0.0-10.0.0.1");
        let parts: Vec<String> = block("10.0.0.0/23").parts(24).map(|it| it.to_string()).collect();
        assert_eq!(parts, ["10.0.0.0/24", "10.0.1.0/24"]);
        assert_eq!(block("10.0.0.0/24").parts(8).count(), 1);
        assert_eq!(block("255.255.255.0/24").parts(25).count(), 2);
    }

    #[test]
    fn an_address_is_taken_out_of_a_pool() {
        let pool = block("10.0.0.0/29").hosts();
        let left = |address: &str| {
            let left = pool.without(address.parse().unwrap());
            left.iter().map(Pool::to_string).collect::<Vec<_>>()
        };
        assert_eq!(left("10.0.0.1"), ["10.0.0.2-10.0.0.6"]);
        assert_eq!(left("10.0.0.3"), ["10.0.0.1-10.0.0.2", "10.0.0.4-10.0.0.6"]);
        assert_eq!(left("10.0.0.6"), ["10.0.0.1-10.0.0.5"]);
        assert_eq!(left("10.9.0.6"), ["10.0.0.1-10.0.0.6"]);
        assert_eq!(pool.minus(block("10.0.0.0/8").hosts()), []);
        assert_eq!(pool.minus(block("10.0.0.4/30").hosts()).len(), 1);
    }
}
