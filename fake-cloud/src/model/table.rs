//! One kind of records in memory, in the order of their creation, remembering what has changed
//! since it was last written down.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// What can be kept in a [`Table`].
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// Names the kind of record in the store.
    const KIND: &'static str;
    /// The type of its id.
    type Id: Copy + Eq + Ord + Hash + Into<Uuid> + Send + Sync;
    /// Its id; it never changes.
    fn id(&self) -> Self::Id;
}

/// Makes a type with a field `id` a [`Record`]: the type, the type of its id, and what the store
/// calls it.
macro_rules! record {
    ($record:ty, $id:ty, $kind:literal) => {
        impl $crate::model::table::Record for $record {
            const KIND: &'static str = $kind;
            type Id = $id;
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
    /// The id of the record.
    pub id: Uuid,
    /// Its place in the order of creation.
    pub sequence: u64,
    /// What to write, nothing for a record that is gone.
    pub content: Option<String>,
}

/// All records of one kind.
#[derive(Debug)]
pub struct Table<R: Record> {
    records: BTreeMap<u64, R>,
    places: HashMap<R::Id, u64>,
    changed: BTreeSet<R::Id>,
    removed: Vec<Change>,
}

impl<R: Record> Default for Table<R> {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            places: HashMap::new(),
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
    pub fn get_mut(&mut self, id: R::Id) -> Option<&mut R> {
        let record = self.records.get_mut(self.places.get(&id)?)?;
        self.changed.insert(id);
        Some(record)
    }

    /// Adds a record, or replaces the one with the same id.
    pub fn insert(&mut self, record: R) {
        let id = record.id();
        let next = self.records.last_key_value().map_or(1, |(last, _)| last + 1);
        let place = *self.places.entry(id).or_insert(next);
        self.records.insert(place, record);
        self.changed.insert(id);
    }

    /// Removes a record.
    pub fn remove(&mut self, id: R::Id) -> Option<R> {
        let sequence = self.places.remove(&id)?;
        self.changed.remove(&id);
        self.removed.push(Change { kind: R::KIND, id: id.into(), sequence, content: None });
        self.records.remove(&sequence)
    }

    /// All records, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &R> {
        self.records.values()
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Puts back a record as it was written down; it does not count as a change.
    pub(super) fn restore(&mut self, sequence: u64, content: &str) -> serde_json::Result<()> {
        let record: R = serde_json::from_str(content)?;
        self.places.insert(record.id(), sequence);
        self.records.insert(sequence, record);
        Ok(())
    }

    /// Takes what has changed since the last call.
    pub(super) fn take_changes(&mut self, into: &mut Vec<Change>) {
        into.append(&mut self.removed);
        for id in std::mem::take(&mut self.changed) {
            let Some(&sequence) = self.places.get(&id) else { continue };
            let content = serde_json::to_string(&self.records[&sequence])
                .expect("records have string keys and no failing serializers");
            into.push(Change { kind: R::KIND, id: id.into(), sequence, content: Some(content) });
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
