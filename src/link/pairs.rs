//! Facts about pairs of records that no comparison yields: parties of one event, decisions of a person. Kept by record
//! id, since they may come before their records and outlive them.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::Decision;
use crate::model::ids::RecordId;

#[derive(Default)]
pub(super) struct Pairs {
    /// How many events name both as opposing parties; kept both ways round.
    forbidden: FxHashMap<RecordId, SmallVec<[(RecordId, u32); 1]>>,
    decided: FxHashMap<RecordId, SmallVec<[(RecordId, Decision); 1]>>,
}

impl Pairs {
    /// One more event with these two parties.
    pub(super) fn forbid(&mut self, a: RecordId, b: RecordId) {
        for (one, two) in [(a, b), (b, a)] {
            let others = self.forbidden.entry(one).or_default();
            match others.iter_mut().find(|(other, _)| *other == two) {
                Some((_, events)) => *events += 1,
                None => others.push((two, 1)),
            }
        }
    }

    /// One fewer.
    pub(super) fn allow(&mut self, a: RecordId, b: RecordId) {
        for (one, two) in [(a, b), (b, a)] {
            if let Some(others) = self.forbidden.get_mut(&one) {
                others.iter_mut().filter(|(other, _)| *other == two).for_each(|(_, events)| *events -= 1);
                others.retain(|(_, events)| *events > 0);
                if others.is_empty() {
                    self.forbidden.remove(&one);
                }
            }
        }
    }

    /// Sets or lifts a decision; says whether anything changed.
    pub(super) fn decide(&mut self, a: RecordId, b: RecordId, decision: Option<Decision>) -> bool {
        let changed = self.decision(a, b) != decision;
        for (one, two) in [(a, b), (b, a)] {
            let others = self.decided.entry(one).or_default();
            others.retain(|(other, _)| *other != two);
            others.extend(decision.map(|decision| (two, decision)));
            if others.is_empty() {
                self.decided.remove(&one);
            }
        }
        changed
    }

    pub(super) fn is_forbidden(&self, a: RecordId, b: RecordId) -> bool {
        self.forbidden.get(&a).is_some_and(|others| others.iter().any(|(other, _)| *other == b))
    }

    pub(super) fn decision(&self, a: RecordId, b: RecordId) -> Option<Decision> {
        self.decided.get(&a)?.iter().find(|(other, _)| *other == b).map(|(_, decision)| *decision)
    }

    /// Who is never one with the record, by events or decisions.
    pub(super) fn never(&self, record: RecordId) -> impl Iterator<Item = RecordId> + '_ {
        let forbidden = self.forbidden.get(&record).into_iter().flatten().map(|(other, _)| *other);
        let decided = self.decided.get(&record).into_iter().flatten();
        forbidden.chain(decided.filter(|(_, decision)| *decision == Decision::Different).map(|(other, _)| *other))
    }

    /// With whom a person compared the record, whatever they decided.
    pub(super) fn decided(&self, record: RecordId) -> impl Iterator<Item = RecordId> + '_ {
        self.decided.get(&record).into_iter().flatten().map(|(other, _)| *other)
    }

    /// Every pair that a person decided about, once.
    pub(super) fn all_decided(&self) -> impl Iterator<Item = (RecordId, RecordId)> + '_ {
        let both = self.decided.iter().flat_map(|(one, others)| others.iter().map(move |(two, _)| (*one, *two)));
        both.filter(|(one, two)| one < two)
    }

    /// Roughly how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        let table = self.forbidden.capacity() * (size_of::<(RecordId, SmallVec<[(RecordId, u32); 1]>)>() + 1);
        let several = self.forbidden.values().filter(|others| others.spilled()).map(SmallVec::capacity).sum::<usize>();
        let decided = self.decided.capacity() * (size_of::<(RecordId, SmallVec<[(RecordId, Decision); 1]>)>() + 1);
        table + several * size_of::<(RecordId, u32)>() + decided
    }

    /// Whom a person decided to be one with the record.
    pub(super) fn same_as(&self, record: RecordId) -> impl Iterator<Item = RecordId> + '_ {
        let decided = self.decided.get(&record).into_iter().flatten();
        decided.filter(|(_, decision)| *decision == Decision::Same).map(|(other, _)| *other)
    }
}
