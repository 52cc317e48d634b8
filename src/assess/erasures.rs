//! Who was erased, and up to when. A function of the set of erasures in force, so that an event which comes after the
//! erasure that covers it is left out as if it had come before (I2).

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use crate::model::event::Detail;
use crate::model::ids::{LocalRefId, RecordId};

/// Keyed ids of erased people, each with the moments of their erasures.
#[derive(Default)]
pub(super) struct Erasures {
    records: FxHashMap<RecordId, BTreeSet<Timestamp>>,
    local_refs: FxHashMap<LocalRefId, BTreeSet<Timestamp>>,
}

impl Erasures {
    /// Notes an erasure; gives it back alone. `None` for any other event.
    pub(super) fn enter(&mut self, detail: &Detail, recorded_at: Timestamp) -> Option<Self> {
        let Detail::Erasure { records, local_refs, .. } = detail else { return None };
        let mut alone = Self::default();
        for erasures in [self, &mut alone] {
            for record in records {
                erasures.records.entry(*record).or_default().insert(recorded_at);
            }
            for local_ref in local_refs {
                erasures.local_refs.entry(*local_ref).or_default().insert(recorded_at);
            }
        }
        Some(alone)
    }

    /// Lets an erasure go, when all that it could cover is over.
    pub(super) fn leave(&mut self, detail: &Detail, recorded_at: Timestamp) {
        let Detail::Erasure { records, local_refs, .. } = detail else { return };
        records.iter().for_each(|record| remove(&mut self.records, *record, recorded_at));
        local_refs.iter().for_each(|local_ref| remove(&mut self.local_refs, *local_ref, recorded_at));
    }

    /// Is this person of an event, recorded then, erased?
    pub(super) fn covers(&self, record: RecordId, local_ref: LocalRefId, recorded_at: Timestamp) -> bool {
        covers(&self.records, record, recorded_at) || covers(&self.local_refs, local_ref, recorded_at)
    }

    /// Is it a decision about somebody who is erased?
    pub(super) fn covers_decision(&self, detail: &Detail, recorded_at: Timestamp) -> bool {
        let Detail::Decision { records, .. } = detail else { return false };
        records.iter().any(|record| covers(&self.records, *record, recorded_at))
    }
}

fn covers<K: Eq + Hash>(erased: &FxHashMap<K, BTreeSet<Timestamp>>, key: K, recorded_at: Timestamp) -> bool {
    erased.get(&key).and_then(BTreeSet::last).is_some_and(|until| recorded_at <= *until)
}

fn remove<K: Eq + Hash>(erased: &mut FxHashMap<K, BTreeSet<Timestamp>>, key: K, at: Timestamp) {
    if let Entry::Occupied(mut moments) = erased.entry(key) {
        moments.get_mut().remove(&at);
        if moments.get().is_empty() {
            moments.remove();
        }
    }
}
