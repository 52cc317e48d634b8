//! Which decision of a person counts: of all in force about one subject, the last by `(recorded_at, id)`. A function of
//! the set of events in force, so that one undone restores the one before it (I2).

use std::collections::BTreeSet;

use jiff::Timestamp;
use rustc_hash::FxHashMap;

use super::ledger::LedgerEvent;
use crate::model::decision::{Judgement, Subject};
use crate::model::event::Detail;
use crate::model::ids::EventId;

/// Decisions in force, by what they are about.
#[derive(Default)]
pub(super) struct Decisions {
    by_subject: FxHashMap<Subject, BTreeSet<(Timestamp, EventId, Judgement)>>,
}

impl Decisions {
    pub(super) fn enter(&mut self, id: EventId, event: &LedgerEvent) {
        if let Some((subject, judgement)) = decision(&event.detail) {
            self.by_subject.entry(subject).or_default().insert((event.recorded_at, id, judgement));
        }
    }

    pub(super) fn leave(&mut self, id: EventId, event: &LedgerEvent) {
        let Some((subject, judgement)) = decision(&event.detail) else { return };
        let Some(taken) = self.by_subject.get_mut(&subject) else { return };
        taken.remove(&(event.recorded_at, id, judgement));
        if taken.is_empty() {
            self.by_subject.remove(&subject);
        }
    }

    pub(super) fn last(&self, subject: Subject) -> Option<Judgement> {
        self.by_subject.get(&subject)?.last().map(|(.., judgement)| *judgement)
    }
}

fn decision(detail: &Detail) -> Option<(Subject, Judgement)> {
    match detail {
        Detail::Decision { decision, records, finding, .. } => Some((Subject::of(records, *finding)?, *decision)),
        _ => None,
    }
}
