//! By what the ledger finds events: the records that they name, and the services' cases that they are steps of.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::ledger::LedgerEvent;
use crate::model::event::Detail;
use crate::model::ids::{EventId, LocalRefId, RecordId};

/// One step in a service's case, in the order that decides: when, written down when, by which event.
pub(super) type CaseStep = (Timestamp, Timestamp, EventId);

/// Events by the records that they name, each list sorted: nearly all of them name one or two. They are at hand here, so that
/// a history is read without looking each up.
pub(super) type ByRecord = FxHashMap<RecordId, SmallVec<[(EventId, Arc<LedgerEvent>); 2]>>;
pub(super) type Cases = FxHashMap<LocalRefId, BTreeSet<CaseStep>>;

pub(super) fn index(by_record: &mut ByRecord, cases: &mut Cases, id: EventId, event: &Arc<LedgerEvent>) {
    for participant in &event.participants {
        let events = by_record.entry(participant.record).or_default();
        if let Err(place) = events.binary_search_by_key(&id, |(id, _)| *id) {
            events.insert(place, (id, Arc::clone(event)));
        }
    }
    if let Some((local_ref, step)) = case_step(id, event) {
        cases.entry(local_ref).or_default().insert(step);
    }
}

pub(super) fn unindex(by_record: &mut ByRecord, cases: &mut Cases, id: EventId, event: &LedgerEvent) {
    for participant in &event.participants {
        if let Entry::Occupied(mut events) = by_record.entry(participant.record) {
            events.get_mut().retain(|(event, _)| *event != id);
            if events.get().is_empty() {
                events.remove();
            }
        }
    }
    if let Some((local_ref, step)) = case_step(id, event) {
        remove_from(cases, local_ref, &step);
    }
}

pub(super) fn remove_from<K: Eq + Hash, V: Ord>(sets: &mut FxHashMap<K, BTreeSet<V>>, key: K, value: &V) {
    if let Entry::Occupied(mut set) = sets.entry(key) {
        set.get_mut().remove(value);
        if set.get().is_empty() {
            set.remove();
        }
    }
}

fn case_step(id: EventId, event: &LedgerEvent) -> Option<(LocalRefId, CaseStep)> {
    let client = event.participants.first().filter(|_| matches!(event.detail, Detail::CaseloadEntry { .. }))?;
    Some((client.local_ref, (event.occurred_at, event.recorded_at, id)))
}
