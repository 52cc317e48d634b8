//! The ledger of accepted events: which are in force, which were replaced or withdrawn, and who took part.
//!
//! Events that supersede one another form a tree. From its root, the child with the highest `(recorded_at, id)` counts at
//! every step; the leaf reached is in force, and nothing if it is a withdrawal. That is a function of the set of events,
//! whatever order they came in (I2), and a branch that lost never comes back, so what an agency corrected is forgotten:
//! a superseded event keeps only a stub. So does one whose retention is over. People who were erased are left out of every
//! event that was recorded up to their erasure, whichever comes first.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::decisions::Decisions;
use super::erasures::Erasures;
use super::index::{ByRecord, Cases, index, remove_from, unindex};
use crate::model::arriving::Arriving;
use crate::model::decision::{Judgement, Subject};
use crate::model::event::{BlindEvent, BlindPerson, CaseState, Detail, Regime, Relationship, Role, Status};
use crate::model::ids::{EventId, LocalRefId, PartyId, RecordId};
use crate::model::outcome::Outcome;
use crate::model::register::{RowChange, RowKind, row_value, sorted};

/// One person in one event in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Which record.
    pub record: RecordId,
    /// The agency's own reference, hashed.
    pub local_ref: LocalRefId,
    /// Role in this event.
    pub role: Role,
    /// Category in this event.
    pub status: Status,
    /// Under 16 on the day.
    pub under_16: bool,
}

/// An event in force, without tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerEvent {
    /// Who sent it.
    pub agency: PartyId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was written down.
    pub recorded_at: Timestamp,
    /// Under which law.
    pub regime: Regime,
    /// How the parties are connected.
    pub relationship: Option<Relationship>,
    /// Its own fields.
    pub detail: Detail,
    /// Who took part, in the order of the event.
    pub participants: SmallVec<[Participant; 2]>,
}

/// Room for the row of nearly every event.
const ROW_BYTES: usize = 192;

#[derive(Serialize, Deserialize)]
struct Kept {
    supersedes: Option<Box<EventId>>,
    recorded_at: Timestamp,
    fingerprint: [u8; 8],
    /// The event while it is in force; afterwards only this stub remains. Apart, so that a table that grows moves little.
    #[serde(with = "shared")]
    in_force: Option<Arc<LedgerEvent>>,
}

/// An event in force is written as it is, however many hold it.
mod shared {
    use super::{Arc, LedgerEvent};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(event: &Option<Arc<LedgerEvent>>, out: S) -> Result<S::Ok, S::Error> {
        event.as_deref().serialize(out)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(read: D) -> Result<Option<Arc<LedgerEvent>>, D::Error> {
        Ok(Option::<LedgerEvent>::deserialize(read)?.map(Arc::new))
    }
}

/// How much of an event its age lets be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// All of it.
    Held,
    /// Its stub, by which a copy that comes late is known.
    Over,
    /// Nothing: a copy of it would be over itself.
    StubOver,
}

/// What accepting one event changed.
#[derive(Default)]
pub struct Acceptance {
    /// The one outcome; `None` when the id was used before for other content, which is a rejection.
    pub outcome: Option<Outcome>,
    /// The event that came into force, with its people, if one did.
    pub entered: Option<(EventId, Vec<BlindPerson>)>,
    /// Events that left force, with who took part.
    pub left: Vec<(EventId, LedgerEvent)>,
    /// Events that stay in force without somebody who was erased: as they were, with who took part.
    pub narrowed: Vec<(EventId, LedgerEvent)>,
    /// Records of the people who were left out of these.
    pub erased: BTreeSet<RecordId>,
    /// Somebody whom the event names is not held by it: they were erased, or its retention is over.
    pub left_out: bool,
}

/// A service's case about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// Open; a closed case gets nothing new.
    pub open: bool,
    /// The record whose sealed part holds the service's own reference.
    pub record: RecordId,
    /// What the client is to the service.
    pub role: Role,
}

/// All accepted events of one scope.
#[derive(Default)]
pub struct Ledger {
    entries: FxHashMap<EventId, Kept>,
    superseded_by: FxHashMap<EventId, BTreeSet<EventId>>,
    by_record: ByRecord,
    cases: Cases,
    decisions: Decisions,
    erasures: Erasures,
    /// Each may come more than once.
    changed: Vec<EventId>,
    arriving: Arriving<(EventId, Kept), BadRow>,
}

impl Ledger {
    /// Takes an event in. Idempotent for a replay. Of an event whose retention is over only the stub is kept, and not even
    /// that when it is over as well.
    pub fn accept(&mut self, mut event: BlindEvent, age: Age) -> Acceptance {
        if let Some(known) = self.entries.get(&event.id) {
            let same = known.fingerprint == event.fingerprint;
            return Acceptance { outcome: same.then_some(Outcome::Duplicate), ..Acceptance::default() };
        }
        if age == Age::StubOver && event.supersedes.is_none_or(|earlier| !self.entries.contains_key(&earlier)) {
            return Acceptance { outcome: Some(Outcome::Superseded), left_out: true, ..Acceptance::default() };
        }
        let id = event.id;
        let named = event.persons.len();
        event.persons.retain(|person| !self.erasures.covers(person.record, person.local_ref, event.facts.recorded_at));
        let forgotten = age != Age::Held
            || named > 0 && event.persons.is_empty()
            || self.erasures.covers_decision(&event.facts.detail, event.facts.recorded_at);
        if let Some(earlier) = event.supersedes {
            self.superseded_by.entry(earlier).or_default().insert(id);
        }
        let entry = Kept {
            supersedes: event.supersedes.map(Box::new),
            recorded_at: event.facts.recorded_at,
            fingerprint: event.fingerprint,
            in_force: None,
        };
        self.entries.insert(id, entry);
        self.changed.push(id);
        let erased = self.erasures.enter(&event.facts.detail, event.facts.recorded_at);
        let mut acceptance = erased.as_ref().map(|erased| self.erase(erased)).unwrap_or_default();
        acceptance.left_out = age != Age::Held || event.persons.len() < named;
        self.settle_tree(event, forgotten && erased.is_none(), &mut acceptance);
        acceptance
    }

    /// Lets go every event whose retention is over, and every stub that nothing late can need any more: a copy of its event
    /// would be over itself. Says what left force.
    pub fn expire(
        &mut self,
        is_over: impl Fn(&LedgerEvent) -> bool,
        stub_is_over: impl Fn(Timestamp) -> bool,
    ) -> Acceptance {
        let mut acceptance = Acceptance::default();
        let over: BTreeSet<_> = self.iter().filter(|(_, event)| is_over(event)).map(|(id, _)| id).collect();
        for id in over {
            self.forget(id, &mut acceptance);
        }
        for id in self.stubs_over(stub_is_over) {
            let supersedes = self.entries.remove(&id).and_then(|stub| stub.supersedes).as_deref().copied();
            self.changed.push(id);
            if let Some(earlier) = supersedes {
                remove_from(&mut self.superseded_by, earlier, &id);
            }
        }
        acceptance
    }

    /// Stubs that nothing late can need. What supersedes another event keeps it out of force for as long as that one is
    /// there, so a stub waits for what it superseded.
    fn stubs_over(&self, is_over: impl Fn(Timestamp) -> bool) -> BTreeSet<EventId> {
        let over = self.entries.iter().filter(|(_, entry)| entry.in_force.is_none() && is_over(entry.recorded_at));
        let mut over: BTreeSet<EventId> = over.map(|(id, _)| *id).collect();
        let needed = |over: &BTreeSet<EventId>, id: &EventId| {
            let earlier = self.entries.get(id).and_then(|entry| entry.supersedes.as_deref().copied());
            earlier.is_some_and(|earlier| self.entries.contains_key(&earlier) && !over.contains(&earlier))
        };
        let mut todo: Vec<EventId> = over.iter().copied().filter(|id| needed(&over, id)).collect();
        while let Some(id) = todo.pop() {
            if over.remove(&id) {
                todo.extend(self.superseded_by.get(&id).into_iter().flatten());
            }
        }
        over
    }

    /// Applies an erasure to what is held: people are left out of their events, and an event without anybody is a stub.
    fn erase(&mut self, erased: &Erasures) -> Acceptance {
        let mut acceptance = Acceptance::default();
        let concerned = |event: &LedgerEvent| {
            let covers = |person: &Participant| erased.covers(person.record, person.local_ref, event.recorded_at);
            event.participants.iter().any(covers) || erased.covers_decision(&event.detail, event.recorded_at)
        };
        let ids: BTreeSet<_> = self.iter().filter(|(_, event)| concerned(event)).map(|(id, _)| id).collect();
        for id in ids {
            let event = self.in_force(id).expect("it was in force just now");
            let mut left = event.clone();
            let covers = |person: &Participant| erased.covers(person.record, person.local_ref, event.recorded_at);
            left.participants.retain(|person| {
                let erased = covers(person);
                acceptance.erased.extend(erased.then_some(person.record));
                !erased
            });
            if left.participants.is_empty() {
                self.forget(id, &mut acceptance);
                continue;
            }
            let entry = self.entries.get_mut(&id).expect("in force above");
            let left = Arc::new(left);
            let before = entry.in_force.replace(Arc::clone(&left)).expect("in force above");
            unindex(&mut self.by_record, &mut self.cases, id, &before);
            index(&mut self.by_record, &mut self.cases, id, &left);
            self.changed.push(id);
            acceptance.narrowed.push((id, Arc::unwrap_or_clone(before)));
        }
        acceptance
    }

    /// Leaves of an event its stub.
    fn forget(&mut self, id: EventId, acceptance: &mut Acceptance) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.changed.push(id);
        if let Some(event) = entry.in_force.take() {
            unindex(&mut self.by_record, &mut self.cases, id, &event);
            self.decisions.leave(id, &event);
            self.erasures.leave(&event.detail, event.recorded_at);
            acceptance.left.push((id, Arc::unwrap_or_clone(event)));
        }
    }

    /// The event, if it is in force.
    #[must_use]
    pub fn in_force(&self, id: EventId) -> Option<&LedgerEvent> {
        self.entries.get(&id)?.in_force.as_deref()
    }

    /// The event in force that has taken the place of one that was corrected, or that event itself.
    #[must_use]
    pub fn standing_for(&self, id: EventId) -> Option<EventId> {
        self.winner(self.root(id)).filter(|id| self.in_force(*id).is_some())
    }

    /// Events in force that name a record, by id.
    #[must_use]
    pub fn of_record(&self, record: RecordId) -> &[(EventId, Arc<LedgerEvent>)] {
        self.by_record.get(&record).map_or(&[], SmallVec::as_slice)
    }

    /// All events in force.
    pub fn iter(&self) -> impl Iterator<Item = (EventId, &LedgerEvent)> {
        self.entries.iter().filter_map(|(id, entry)| Some((*id, entry.in_force.as_deref()?)))
    }

    /// The case that a caseload entry belongs to, as its latest step left it. A case is known by the service's own
    /// reference alone, so that a closing entry counts whatever identity it carries.
    #[must_use]
    pub fn case(&self, entry: &LedgerEvent) -> Option<Case> {
        let client = entry.participants.first()?;
        let (.., latest) = self.cases.get(&client.local_ref)?.last()?;
        let latest = self.in_force(*latest)?;
        let record = latest.participants.first()?.record;
        let open = matches!(latest.detail, Detail::CaseloadEntry { state: CaseState::Open });
        Some(Case { open, record, role: client.role })
    }

    /// Every record that a case has named: whoever they belong to is looked at again when a step is added or withdrawn.
    pub fn records_of_case(&self, local_ref: LocalRefId) -> impl Iterator<Item = RecordId> {
        let steps = self.cases.get(&local_ref).into_iter().flatten();
        steps.filter_map(|(.., id)| self.in_force(*id)?.participants.first().map(|client| client.record))
    }

    /// What was last decided about two records or a finding, if anything is in force.
    #[must_use]
    pub fn decision(&self, subject: Subject) -> Option<Judgement> {
        self.decisions.last(subject)
    }

    /// How many events in force name a record.
    #[must_use]
    pub fn mentions(&self, record: RecordId) -> usize {
        self.by_record.get(&record).map_or(0, SmallVec::len)
    }

    /// Rows changed since the last call, by id.
    pub fn take_changes(&mut self) -> Vec<RowChange> {
        let changed = sorted(std::mem::take(&mut self.changed));
        let row = |id: EventId| {
            let value = self.entries.get(&id).map(|entry| row_value(entry, ROW_BYTES));
            RowChange { kind: RowKind::Event, id: id.0.to_vec(), value }
        };
        changed.into_iter().map(row).collect()
    }

    /// Takes a row back in after a restart. Call [`Ledger::finish_restore`] after the last one.
    ///
    /// # Errors
    /// When it is not one that `take_changes` made, or one before it.
    pub fn restore(&mut self, id: &[u8], value: &[u8]) -> Result<(), BadRow> {
        if self.arriving.push(id, value) { self.take_arriving() } else { Ok(()) }
    }

    /// Takes in what is left of the rows that came back.
    ///
    /// # Errors
    /// When one is not one that `take_changes` made.
    pub fn finish_restore(&mut self) -> Result<(), BadRow> {
        self.take_arriving()?;
        self.take_arriving()
    }

    fn take_arriving(&mut self) -> Result<(), BadRow> {
        let mut arriving = std::mem::take(&mut self.arriving);
        let read = |id: &[u8], value: &[u8]| {
            Ok((EventId(id.try_into().map_err(|_| BadRow)?), postcard::from_bytes(value).map_err(|_| BadRow)?))
        };
        let taken = arriving.turn(read, |rows: Vec<Result<(EventId, Kept), BadRow>>| {
            self.look_up(rows.iter().flatten());
            rows.into_iter().try_for_each(|row| row.map(|(id, entry)| self.take_in(id, entry)))
        });
        self.arriving = arriving;
        taken
    }

    /// Looks up what rows will be put beside: for many in a row memory is waited for side by side.
    fn look_up<'a>(&self, rows: impl Iterator<Item = &'a (EventId, Kept)>) {
        let named = rows.filter_map(|(_, entry)| entry.in_force.as_deref()).flat_map(|event| &event.participants);
        let held = named.filter_map(|person| self.of_record(person.record).first());
        std::hint::black_box(held.fold(0, |all, (id, _)| all ^ id.0[0]));
    }

    fn take_in(&mut self, id: EventId, entry: Kept) {
        if let Some(earlier) = entry.supersedes.as_deref().copied() {
            self.superseded_by.entry(earlier).or_default().insert(id);
        }
        if let Some(event) = &entry.in_force {
            index(&mut self.by_record, &mut self.cases, id, event);
            self.decisions.enter(id, event);
            self.erasures.enter(&event.detail, event.recorded_at);
        }
        self.entries.insert(id, entry);
    }

    /// Decides anew which event is in force in the tree that the new one belongs to.
    fn settle_tree(&mut self, new: BlindEvent, forgotten: bool, acceptance: &mut Acceptance) {
        acceptance.outcome = Some(Outcome::Superseded);
        let root = self.root(new.id);
        let winner = self.winner(root);
        for member in self.tree(root) {
            let Some(entry) = self.entries.get_mut(&member).filter(|_| Some(member) != winner) else { continue };
            if let Some(event) = entry.in_force.take_if(|event| !is_erasure(&event.detail)) {
                unindex(&mut self.by_record, &mut self.cases, member, &event);
                self.decisions.leave(member, &event);
                self.changed.push(member);
                acceptance.left.push((member, Arc::unwrap_or_clone(event)));
            }
        }
        if winner == Some(new.id) && !forgotten || is_erasure(&new.facts.detail) {
            acceptance.outcome = Some(Outcome::Accepted);
            // Nothing follows from a consultation, so nothing of it need be kept.
            if matches!(new.facts.detail, Detail::Consultation { .. }) {
                return;
            }
            let id = new.id;
            let (event, persons) = split(new);
            let event = Arc::new(event);
            index(&mut self.by_record, &mut self.cases, id, &event);
            self.decisions.enter(id, &event);
            self.entries.get_mut(&id).expect("inserted above").in_force = Some(event);
            acceptance.entered = Some((id, persons));
        }
    }

    /// Walks up to the first event that supersedes nothing, known or not; in a cycle, to its smallest id.
    fn root(&self, id: EventId) -> EventId {
        let (mut path, mut seen) = (Vec::new(), FxHashSet::default());
        let mut at = id;
        while let Some(earlier) = self.entries.get(&at).and_then(|entry| entry.supersedes.as_deref().copied()) {
            if !seen.insert(at) {
                let start = path.iter().position(|member| *member == at).unwrap_or_default();
                return path[start..].iter().copied().min().unwrap_or(at);
            }
            path.push(at);
            at = earlier;
        }
        at
    }

    /// Every event below a root, the root included, by id.
    fn tree(&self, root: EventId) -> BTreeSet<EventId> {
        let mut tree = BTreeSet::from([root]);
        let mut todo = vec![root];
        while let Some(id) = todo.pop() {
            for child in self.superseded_by.get(&id).into_iter().flatten() {
                if tree.insert(*child) {
                    todo.push(*child);
                }
            }
        }
        tree
    }

    /// Descends from the root by the highest child; a root not seen yet leads on but is never in force. Nothing that hangs
    /// on a cycle is in force: an event in it loses at one step and wins at another, and which came first would show.
    fn winner(&self, root: EventId) -> Option<EventId> {
        if self.entries.get(&root).is_some_and(|entry| entry.supersedes.is_some()) {
            return None;
        }
        let mut seen = FxHashSet::default();
        let mut at = root;
        while let Some(next) = self
            .superseded_by
            .get(&at)
            .into_iter()
            .flatten()
            .max_by_key(|id| (self.entries.get(id).map(|entry| entry.recorded_at), **id))
        {
            if !seen.insert(at) {
                return None;
            }
            at = *next;
        }
        self.entries.contains_key(&at).then_some(at)
    }
}

/// An erasure stands whatever supersedes it: what it erased is gone.
fn is_erasure(detail: &Detail) -> bool {
    matches!(detail, Detail::Erasure { .. })
}

/// Parts an event from the people's tokens, which go to linkage.
fn split(event: BlindEvent) -> (LedgerEvent, Vec<BlindPerson>) {
    let participants = event
        .persons
        .iter()
        .map(|person| Participant {
            record: person.record,
            local_ref: person.local_ref,
            role: person.role,
            status: person.status,
            under_16: person.under_16,
        })
        .collect();
    let facts = event.facts;
    let ledger_event = LedgerEvent {
        agency: facts.agency,
        occurred_at: facts.occurred_at,
        recorded_at: facts.recorded_at,
        regime: facts.regime,
        relationship: facts.relationship,
        detail: facts.detail,
        participants,
    };
    (ledger_event, event.persons)
}

/// A register row that this version cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the register holds a row of an unknown form")]
pub struct BadRow;

#[cfg(test)]
mod tests;
