//! What a table knows of all its records together, so that a question about many of them needs no
//! look at each: how much a project uses, which port has an address, whether a name is taken.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::hash::Hash;

/// Whether a record is taken in or taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is in the table from now on.
    In,
    /// It is no longer in the table, or no longer as it was.
    Out,
}

/// What a [`Table`](super::Table) keeps of all its records together. The table tells it of every
/// change, so that both never differ for who can look.
pub trait Index<R>: Default + Debug + PartialEq + Send + Sync {
    /// Takes a record at a place of the table in or out. One method for both: what goes out is
    /// just what came in.
    fn take(&mut self, step: Step, place: u64, record: &R);
}

/// Of records that nobody asks many of.
impl<R> Index<R> for () {
    fn take(&mut self, _: Step, _: u64, _: &R) {}
}

/// The places of records by a key, which any number of them may share.
#[derive(Debug, PartialEq, Eq)]
pub struct Places<K>(BTreeSet<(K, u64)>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K: Clone + Ord> Places<K> {
    /// Takes a record with the key in or out.
    pub fn take(&mut self, step: Step, place: u64, key: K) {
        match step {
            Step::In => self.0.insert((key, place)),
            Step::Out => self.0.remove(&(key, place)),
        };
    }

    /// The places of the records with the key, in the order of their creation.
    pub fn of(&self, key: K) -> impl DoubleEndedIterator<Item = u64> + use<'_, K> {
        self.between(key.clone(), key)
    }

    /// The places of the records whose keys lie between two, both included, in the order of the
    /// keys.
    pub fn between(&self, first: K, last: K) -> impl DoubleEndedIterator<Item = u64> + use<'_, K> {
        self.0.range((first, 0)..=(last, u64::MAX)).map(|(_, place)| *place)
    }

    /// Whether any record has the key.
    pub fn has(&self, key: K) -> bool {
        self.of(key).next().is_some()
    }
}

/// How much of something all records with a key have together.
#[derive(Debug, PartialEq, Eq)]
pub struct Totals<K: Eq + Hash>(HashMap<K, u64>);

impl<K: Eq + Hash> Default for Totals<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Copy + Eq + Hash> Totals<K> {
    /// Takes a record with the key, which has so much, in or out.
    pub fn take(&mut self, step: Step, key: K, amount: u64) {
        let total = self.0.entry(key).or_default();
        match step {
            Step::In => *total += amount,
            Step::Out => *total -= amount,
        }
        if *total == 0 {
            self.0.remove(&key);
        }
    }

    /// How much all records with the key have.
    pub fn of(&self, key: K) -> u64 {
        self.0.get(&key).copied().unwrap_or_default()
    }
}
