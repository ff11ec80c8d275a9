//! One kind of records in memory, in the order of their creation, remembering what has changed
//! since it was last written down.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::index::{Index, Step};

/// What can be kept in a [`Table`].
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// Names the kind of record in the store.
    const KIND: &'static str;
    /// The type of its id.
    type Id: Copy + Eq + Ord + Hash + Into<Uuid> + Send + Sync;
    /// What the table keeps of all records together; `()` for nothing.
    type Index: Index<Self>;
    /// Its id; it never changes.
    fn id(&self) -> Self::Id;
}

/// Makes a type with a field `id` a [`Record`]: the type, the type of its id, what the store
/// calls it, and its index if it has one.
macro_rules! record {
    ($record:ty, $id:ty, $kind:literal) => {
        $crate::model::table::record!($record, $id, $kind, ());
    };
    ($record:ty, $id:ty, $kind:literal, $index:ty) => {
        impl $crate::model::table::Record for $record {
            const KIND: &'static str = $kind;
            type Id = $id;
            type Index = $index;
            fn id(&self) -> $id {
                self.id
            }
        }
    };
}
pub(in crate::model) use record;

/// A record to write down (`content` is its JSON) or to forget (`None`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kind of the record.
    pub kind: &'static str,
    /// Its place in the order of creation, which no other record of its kind has.
    pub sequence: u64,
    /// What to write, nothing for a record that is gone.
    pub content: Option<String>,
}

/// All records of one kind.
#[derive(Debug)]
pub struct Table<R: Record> {
    records: BTreeMap<u64, R>,
    places: HashMap<R::Id, u64>,
    index: R::Index,
    changed: BTreeSet<R::Id>,
    removed: Vec<Change>,
}

/// A record that is being changed. The index leaves it out from the first change on, and takes it
/// in again when this is dropped; nobody can look at the table until then.
#[derive(Debug)]
pub struct Changing<'a, R: Record> {
    record: &'a mut R,
    place: u64,
    index: &'a mut R::Index,
    changed: &'a mut BTreeSet<R::Id>,
    /// Whether it is out of the index.
    out: bool,
}

impl<R: Record> Deref for Changing<'_, R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.record
    }
}

impl<R: Record> DerefMut for Changing<'_, R> {
    fn deref_mut(&mut self) -> &mut R {
        if !self.out {
            self.index.take(Step::Out, self.place, self.record);
            self.changed.insert(self.record.id());
            self.out = true;
        }
        self.record
    }
}

impl<R: Record> Drop for Changing<'_, R> {
    fn drop(&mut self) {
        if self.out {
            self.index.take(Step::In, self.place, self.record);
        }
    }
}

impl<R: Record> Default for Table<R> {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            places: HashMap::new(),
            index: R::Index::default(),
            changed: BTreeSet::new(),
            removed: Vec::new(),
        }
    }
}

impl<R: Record> Table<R> {
    /// The record with this id.
    pub fn get(&self, id: R::Id) -> Option<&R> {
        self.records.get(self.places.get(&id)?)
    }

    /// The number of the record with this id in the order of creation; none comes before zero.
    pub fn sequence(&self, id: R::Id) -> u64 {
        self.places.get(&id).copied().unwrap_or_default()
    }

    /// The record with this id, to be changed.
    pub fn get_mut(&mut self, id: R::Id) -> Option<Changing<'_, R>> {
        let place = *self.places.get(&id)?;
        let record = self.records.get_mut(&place)?;
        Some(Changing {
            record,
            place,
            index: &mut self.index,
            changed: &mut self.changed,
            out: false,
        })
    }

    /// Adds a record, or replaces the one with the same id.
    pub fn insert(&mut self, record: R) {
        let id = record.id();
        let next = self.records.last_key_value().map_or(1, |(last, _)| last + 1);
        let place = *self.places.entry(id).or_insert(next);
        self.put(place, record);
        self.changed.insert(id);
    }

    fn put(&mut self, place: u64, record: R) {
        if let Some(replaced) = self.records.get(&place) {
            self.index.take(Step::Out, place, replaced);
        }
        self.index.take(Step::In, place, &record);
        self.records.insert(place, record);
    }

    /// Removes a record.
    pub fn remove(&mut self, id: R::Id) -> Option<R> {
        let sequence = self.places.remove(&id)?;
        self.changed.remove(&id);
        self.removed.push(Change { kind: R::KIND, sequence, content: None });
        let record = self.records.remove(&sequence)?;
        self.index.take(Step::Out, sequence, &record);
        Some(record)
    }

    /// What is known of all records together.
    pub fn index(&self) -> &R::Index {
        &self.index
    }

    /// The records at places that the index gave.
    pub fn at(&self, places: impl Iterator<Item = u64>) -> impl Iterator<Item = &R> {
        places.filter_map(|place| self.records.get(&place))
    }

    /// All records, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &R> {
        self.records.values()
    }

    /// The records after a place in the order of creation.
    pub fn after(&self, place: u64) -> impl DoubleEndedIterator<Item = &R> {
        self.records.range(place.saturating_add(1)..).map(|(_, record)| record)
    }

    /// The records before a place in the order of creation.
    pub fn before(&self, place: u64) -> impl DoubleEndedIterator<Item = &R> {
        self.records.range(..place).map(|(_, record)| record)
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether the index is what it would be if it were made anew of all records.
    #[cfg(test)]
    pub(super) fn is_in_step(&self) -> bool {
        let mut index = R::Index::default();
        for (place, record) in &self.records {
            index.take(Step::In, *place, record);
        }
        index == self.index
    }

    /// Puts back a record as it was written down; it does not count as a change.
    pub(super) fn restore(&mut self, sequence: u64, content: &str) -> serde_json::Result<()> {
        let record: R = serde_json::from_str(content)?;
        self.places.insert(record.id(), sequence);
        self.put(sequence, record);
        Ok(())
    }

    /// Takes what has changed since the last call.
    pub(super) fn take_changes(&mut self, into: &mut Vec<Change>) {
        into.append(&mut self.removed);
        for id in std::mem::take(&mut self.changed) {
            let Some(&sequence) = self.places.get(&id) else { continue };
            let content = serde_json::to_string(&self.records[&sequence])
                .expect("records have string keys and no failing serializers");
            into.push(Change { kind: R::KIND, sequence, content: Some(content) });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Thing {
        id: Uuid,
        value: u32,
    }

    record!(Thing, Uuid, "thing");

    fn changes(table: &mut Table<Thing>) -> Vec<Change> {
        let mut changes = Vec::new();
        table.take_changes(&mut changes);
        changes
    }

    #[test]
    fn changes_are_taken_once_and_restore_the_same_table() {
        let (a, b) = (Uuid::from_u128(9), Uuid::from_u128(1));
        let mut table = Table::default();
        table.insert(Thing { id: a, value: 1 });
        table.insert(Thing { id: b, value: 2 });
        table.get_mut(a).unwrap().value = 3;
        let written = changes(&mut table);
        assert_eq!(written.len(), 2);
        assert!(changes(&mut table).is_empty());

        let mut restored = Table::<Thing>::default();
        for change in &written {
            restored.restore(change.sequence, change.content.as_ref().unwrap()).unwrap();
        }
        let values: Vec<u32> = restored.iter().map(|thing| thing.value).collect();
        assert_eq!(values, [3, 2], "in the order of creation, not of ids");
        assert!(changes(&mut restored).is_empty());
    }

    #[test]
    fn a_removed_record_is_forgotten_in_the_store_too() {
        let id = Uuid::from_u128(1);
        let mut table = Table::default();
        table.insert(Thing { id, value: 1 });
        table.remove(id);
        let written = changes(&mut table);
        assert_eq!(written.len(), 1);
        assert_eq!(written[0].content, None);
        assert!(table.get(id).is_none() && table.is_empty());
    }
}
