//! A transaction under construction, and what a batch came to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::{CryptoRng, Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::Now;
use crate::audit::{self, AuditKind, Draft, Said};
use crate::log::{FeedRecord, Forward, RegisterRow, TopicRecord, Transaction, home};
use crate::model::ids::{ClusterId, FindingId, PartyId, RecordId, ScopeId};
use crate::model::outcome::OutcomeCounts;
use crate::model::register::{RowChange, RowKind};

/// What one batch came to, for metrics and progress.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// Outcomes.
    pub outcomes: OutcomeCounts,
    /// Unknown fields that were ignored.
    pub ignored_fields: u64,
    /// Identifiers dropped for a failed check letter or form.
    pub dropped_identifiers: u64,
    /// Messages by recipient and kind of topic, ends of list entries included.
    pub messages: BTreeMap<(PartyId, &'static str), u64>,
    /// Records that came in a partition which is not their scope's, and were sent on.
    pub forwarded: u64,
    /// Held, by reason.
    pub held: BTreeMap<&'static str, u64>,
}

impl BatchReport {
    /// Adds what another batch came to.
    pub fn add(&mut self, other: Self) {
        self.outcomes += other.outcomes;
        self.ignored_fields += other.ignored_fields;
        self.dropped_identifiers += other.dropped_identifiers;
        self.forwarded += other.forwarded;
        for (to, count) in other.messages {
            *self.messages.entry(to).or_default() += count;
        }
        for (reason, count) in other.held {
            *self.held.entry(reason).or_default() += count;
        }
    }
}

/// What a batch touched in one scope: records as they are, and clusters as they were. Each may come more than once.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) records: Vec<RecordId>,
    pub(super) clusters: Vec<ClusterId>,
    /// Records likewise, where more changed than their own history: those who share an event with one are touched too.
    pub(super) around: Vec<RecordId>,
}

/// A transaction under construction.
pub(super) struct Work {
    pub(super) transaction: Transaction,
    pub(super) report: BatchReport,
    pub(super) touched: BTreeMap<ScopeId, Touched>,
    pub(super) counted: BTreeSet<PartyId>,
    pub(super) positions: BTreeMap<(PartyId, i32), i64>,
    /// Ids that the audit must lose: of people and events that were erased.
    pub(super) redact: BTreeSet<[u8; 16]>,
    /// Findings that nothing can bring back.
    pub(super) finished: BTreeMap<ScopeId, BTreeSet<FindingId>>,
    /// What is to be recorded, in its order.
    pub(super) lines: Vec<Line>,
    /// Salts of audit records.
    pub(super) salts: ChaCha20Rng,
    /// The time of the records, as they have it.
    at: Arc<str>,
}

/// A record of the audit that has no place in the chain yet.
pub(super) struct Line {
    at: Arc<str>,
    kind: AuditKind,
    scope: ScopeId,
    said: Said,
    salt: [u8; 16],
}

impl Line {
    pub(super) fn draft(&self) -> Draft {
        Draft::of(&self.at, self.kind, &self.scope, &self.said, self.salt)
    }
}

impl Work {
    pub(super) fn new(now: Now, rng: &mut dyn CryptoRng) -> Self {
        Self {
            transaction: Transaction::default(),
            report: BatchReport::default(),
            touched: BTreeMap::new(),
            counted: BTreeSet::new(),
            positions: BTreeMap::new(),
            redact: BTreeSet::new(),
            finished: BTreeMap::new(),
            lines: Vec::new(),
            salts: ChaCha20Rng::from_rng(rng),
            at: audit::timestamp(now.at.as_millisecond()).into(),
        }
    }

    /// Says something that the audit records.
    pub(super) fn audit(&mut self, kind: AuditKind, scope: &ScopeId, said: impl Into<Said>) {
        let mut salt = [0; 16];
        self.salts.fill_bytes(&mut salt);
        let (at, scope) = (Arc::clone(&self.at), scope.clone());
        self.lines.push(Line { at, kind, scope, said: said.into(), salt });
    }

    pub(super) fn note_position(&mut self, record: &FeedRecord) {
        let next = self.positions.entry((record.feed.clone(), record.partition)).or_insert(0);
        *next = (*next).max(record.offset + 1);
    }

    /// Sends a record on to the partition that its scope's records meet in.
    pub(super) fn forward(&mut self, record: &FeedRecord, scope: ScopeId) {
        let partition = home(&scope, record.partitions);
        let (feed, headers, payload) = (record.feed.clone(), record.headers.clone(), record.payload.clone());
        self.transaction.forwards.push(Forward { feed, partition, scope, headers, payload });
        self.report.forwarded += 1;
    }

    pub(super) fn output(&mut self, partition: i32, topic: String, key: String, value: Option<Vec<u8>>) {
        self.transaction.outputs.push(TopicRecord { topic, partition, key: key.into_bytes(), value });
    }

    pub(super) fn change(&mut self, partition: i32, scope: &str, row: RowChange) {
        let key = row_key(row.kind, scope, &row.id);
        self.transaction.register.push(RegisterRow { partition, key, value: row.value });
    }
}

/// A register key: kind, scope (empty for the partition's own rows) and id.
pub(super) fn row_key(kind: RowKind, scope: &str, id: &[u8]) -> Vec<u8> {
    [&[kind as u8], scope.as_bytes(), &[0], id].concat()
}

/// Reads a register key back: kind, scope (empty for the partition's own rows) and id.
pub fn read_key(key: &[u8]) -> Option<(RowKind, &str, &[u8])> {
    let (kind, rest) = key.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((RowKind::from_byte(*kind)?, std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]))
}
