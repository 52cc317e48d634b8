//! Where each id is: a table of slots alone, since whoever is in a slot knows their id. Four bytes an entry in place of
//! twenty-four, and in parts, so that no growth stops the world for long.

use hashbrown::HashTable;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::model::ids::LocalRefId;

/// How many parts.
const PARTS: usize = 1 << 8;

/// Slots by 16-byte ids, each of which one slot has.
pub(super) struct Index {
    parts: Vec<HashTable<u32>>,
}

/// Ids are keyed hashes, evenly spread; in tests they are small numbers, so every byte counts.
fn hash(id: &[u8; 16]) -> u64 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let (low, high) = id.split_at(8);
    let number = |half: &[u8]| half.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let mixed = number(low).wrapping_mul(SPREAD) ^ number(high);
    mixed.wrapping_mul(SPREAD) ^ mixed >> 32
}

/// The top seven bits and the lowest are the table's; these lie between.
fn part(hash: u64) -> usize {
    (hash >> 40) as usize % PARTS
}

impl Index {
    pub(super) fn new() -> Self {
        Self { parts: (0..PARTS).map(|_| HashTable::new()).collect() }
    }

    /// The slot of an id.
    pub(super) fn get(&self, id: &[u8; 16], id_of: impl Fn(u32) -> [u8; 16]) -> Option<u32> {
        let hash = hash(id);
        self.parts[part(hash)].find(hash, |slot| id_of(*slot) == *id).copied()
    }

    /// The slot that an id would have if no other id looked like it here: nearly always its own. Whose it is, the slot tells.
    pub(super) fn likely(&self, id: &[u8; 16]) -> Option<u32> {
        let hash = hash(id);
        self.parts[part(hash)].find(hash, |_| true).copied()
    }

    /// Takes in a slot whose id no other slot has.
    pub(super) fn insert(&mut self, slot: u32, id_of: impl Fn(u32) -> [u8; 16]) {
        let hashed = hash(&id_of(slot));
        let part = &mut self.parts[part(hashed)];
        if part.len() == part.capacity() {
            // Whoever is in it is asked for their id as it grows: read for all in a row, the ids wait for memory side by side.
            std::hint::black_box(part.iter().fold(0, |all, slot| all ^ id_of(*slot)[0]));
        }
        part.insert_unique(hashed, slot, |slot| hash(&id_of(*slot)));
    }

    /// Forgets a slot that has this id, if it is the one.
    pub(super) fn remove(&mut self, id: &[u8; 16], slot: u32) {
        let hash = hash(id);
        if let Ok(entry) = self.parts[part(hash)].find_entry(hash, |held| *held == slot) {
            entry.remove();
        }
    }

    /// Roughly how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(HashTable::allocation_size).sum()
    }
}

/// Records by the agency's reference, which nearly always one record has.
pub(super) struct References {
    /// One record of each.
    one: Index,
    /// All records, where they are several.
    several: FxHashMap<LocalRefId, SmallVec<[u32; 4]>>,
}

impl References {
    pub(super) fn new() -> Self {
        Self { one: Index::new(), several: FxHashMap::default() }
    }

    /// The record that has a reference by itself.
    pub(super) fn lone(&self, reference: LocalRefId, reference_of: impl Fn(u32) -> LocalRefId) -> Option<u32> {
        self.one.get(&reference.0, |slot| reference_of(slot).0)
    }

    /// The records that share a reference; none where only one record has it.
    pub(super) fn sharing(&self, reference: LocalRefId) -> &[u32] {
        self.several.get(&reference).map_or(&[], SmallVec::as_slice)
    }

    /// Takes a record in, and hands back the others that have its reference.
    pub(super) fn insert(&mut self, slot: u32, reference_of: impl Fn(u32) -> LocalRefId) -> &[u32] {
        let reference = reference_of(slot);
        if let Some(first) = self.one.get(&reference.0, |slot| reference_of(slot).0) {
            self.one.remove(&reference.0, first);
            self.several.insert(reference, SmallVec::from_slice(&[first]));
        }
        match self.several.get_mut(&reference) {
            Some(sharing) => {
                sharing.push(slot);
                &sharing[..sharing.len() - 1]
            }
            None => {
                self.one.insert(slot, |slot| reference_of(slot).0);
                &[]
            }
        }
    }

    /// Forgets a record.
    pub(super) fn remove(&mut self, slot: u32, reference: LocalRefId, reference_of: impl Fn(u32) -> LocalRefId) {
        let Some(sharing) = self.several.get_mut(&reference) else { return self.one.remove(&reference.0, slot) };
        sharing.retain(|other| *other != slot);
        if let [last] = sharing[..] {
            self.several.remove(&reference);
            self.one.insert(last, |slot| reference_of(slot).0);
        }
    }

    /// Roughly how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let several = self.several.values().map(|sharing| if sharing.spilled() { sharing.capacity() * 4 } else { 0 });
        let table = self.several.capacity() * (size_of::<(LocalRefId, SmallVec<[u32; 4]>)>() + 1);
        self.one.bytes() + table + several.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_their_ids_through_growth_and_removal() {
        let ids: Vec<[u8; 16]> =
            (0..5000_u32).map(|number| [number.to_be_bytes(); 4].concat().try_into().expect("16")).collect();
        let id_of = |slot: u32| ids[slot as usize];
        let mut index = Index::new();
        (0..5000).for_each(|slot| index.insert(slot, id_of));
        (0..5000).step_by(3).for_each(|slot| index.remove(&id_of(slot), slot));
        for slot in 0..5000 {
            assert_eq!(index.get(&id_of(slot), id_of), (slot % 3 != 0).then_some(slot));
        }
    }

    #[test]
    fn a_reference_knows_all_its_records_as_they_come_and_go() {
        let reference_of = |slot: u32| LocalRefId([u8::from(slot < 3); 16]);
        let shared = reference_of(0);
        let mut references = References::new();
        assert!(references.insert(0, reference_of).is_empty());
        assert_eq!(references.insert(1, reference_of), [0]);
        assert_eq!(references.insert(2, reference_of), [0, 1]);
        assert!(references.insert(3, reference_of).is_empty());
        references.remove(0, shared, reference_of);
        assert_eq!(references.sharing(shared), [1, 2]);
        references.remove(2, shared, reference_of);
        assert!(references.sharing(shared).is_empty());
        references.remove(1, shared, reference_of);
        assert!(references.insert(0, reference_of).is_empty());
    }
}
