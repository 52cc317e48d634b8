//! What must be forgotten: people who are erased, events whose retention is over, and what the audit said of either.
//!
//! Register, lists and findings follow in the same transaction. The audit follows with the next day's sweep, since its
//! records lie in the log, which an engine does not read: the caller brings them.

use std::collections::{BTreeMap, BTreeSet};

use rand::CryptoRng;
use serde_json::json;

use super::scope::{Scope, opposing};
use super::work::{Touched, Work};
use super::{AUDIT_TOPIC, Engine, Now};
use crate::assess::findings;
use crate::assess::ledger::{Acceptance, LedgerEvent};
use crate::audit::{self, AuditKind, Unreadable};
use crate::link::cluster_id;
use crate::log::{Rewrite, StoredRecord, TopicRecord, Transaction};
use crate::model::ids::{EventId, RecordId, ScopeId};
use crate::model::register::{RowChange, RowKind};

type Events = [(EventId, LedgerEvent)];

/// Notes what nothing may name any more: records, the linked persons called after them, events, and their findings.
pub(super) fn forget(id: &ScopeId, left: &Events, narrowed: &Events, erased: &BTreeSet<RecordId>, work: &mut Work) {
    for record in erased {
        work.redact.extend([record.0, cluster_id(*record).0]);
    }
    work.redact.extend(left.iter().map(|(event, _)| event.0));
    let finished = work.finished.entry(id.clone()).or_default();
    let mut finish = |event: EventId, record: RecordId| finished.extend(findings::ids_of(event, record));
    for (event, was) in left {
        was.participants.iter().for_each(|person| finish(*event, person.record));
    }
    for (event, was) in narrowed {
        let gone = was.participants.iter().filter(|person| erased.contains(&person.record));
        gone.for_each(|person| finish(*event, person.record));
    }
    work.redact.extend(finished.iter().map(|finding| finding.0));
}

impl Engine {
    /// Lets everything go whose retention is over as of the day; `None` when nothing is.
    pub(super) fn expire(&mut self, id: &ScopeId, now: Now, work: &mut Work) -> Option<Touched> {
        let setup = std::sync::Arc::clone(&self.setup);
        let scope = self.scopes.get_mut(id)?;
        let Acceptance { left, .. } = scope.ledger.expire(
            |event| setup.lapsed(&event.agency, event.occurred_at, now.as_of),
            |recorded_at| setup.all_lapsed(recorded_at, now.as_of),
        );
        if left.is_empty() {
            return None;
        }
        let mut touched = Touched::default();
        scope.let_go(left.iter(), &mut touched);
        let erased = scope.forget_unmentioned(left.iter().map(|(_, event)| event));
        forget(id, &left, &[], &erased, work);
        let body = json!({"reason": "retention", "events_erased": left.len(), "records_erased": erased.len()});
        work.audit(AuditKind::Erasure, id, body);
        Some(touched)
    }

    /// Must the audit lose anything? Then bring its records to `redact`, once a day.
    #[must_use]
    pub fn awaits_redaction(&self) -> bool {
        !self.redactions.is_empty()
    }

    /// A record of the audit without the person it was about, if that is somebody who was erased.
    ///
    /// # Errors
    /// When the record is not as it was written.
    pub fn redact(&self, record: StoredRecord) -> Result<Option<Rewrite>, Unreadable> {
        let Some(line) = record.value else { return Ok(None) };
        let line = audit::redacted(&line, &self.redactions)?;
        let (partition, key, offset) = (self.partition, record.key, record.offset);
        let rewrite = |value| {
            let record = TopicRecord { topic: AUDIT_TOPIC.to_owned(), partition, key, value: Some(value) };
            Rewrite { offset, record }
        };
        Ok(line.map(rewrite))
    }

    /// The transaction that writes the records which `redact` gave, and notes how many they are. With the last of them nobody
    /// is left to be taken out.
    pub fn redacted(
        &mut self,
        rewrites: Vec<Rewrite>,
        are_last: bool,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Transaction {
        let mut work = Work::new(now, rng);
        let done = if are_last { std::mem::take(&mut self.redactions) } else { BTreeMap::new() };
        for id in done.into_keys() {
            work.change(self.partition, "", RowChange { kind: RowKind::Redaction, id: id.to_vec(), value: None });
        }
        // With the last row of a scope its register goes; what was done is said all the same.
        let scope = self.scopes.keys().next().or(self.setup.agreement.scopes.first()).cloned();
        if let Some(scope) = scope {
            let body = json!({"reason": "redaction", "lines_redacted": rewrites.len()});
            work.audit(AuditKind::Erasure, &scope, body);
        }
        let (mut transaction, _) = self.finish(work);
        transaction.rewrites = rewrites;
        transaction
    }
}

impl Scope {
    /// Undoes what events that left force, or lost somebody, had brought about.
    pub(super) fn let_go<'a>(
        &mut self,
        events: impl Iterator<Item = &'a (EventId, LedgerEvent)>,
        touched: &mut Touched,
    ) {
        for (_, event) in events {
            self.leave(event, touched);
            self.decide(event, touched);
        }
    }

    /// Says of events that lost somebody what they still say of the others.
    pub(super) fn narrow(&mut self, narrowed: &Events) {
        for (id, _) in narrowed {
            let Some(event) = self.ledger.in_force(*id) else { continue };
            for (one, other) in opposing(event) {
                self.linker.forbid(one, other);
            }
        }
    }
}
