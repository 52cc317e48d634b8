//! What one batch makes: its transaction under construction, and the forms of register keys, review items and the
//! pipeline's own rejections.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::link::{Bits, ClusterChange, PossibleMatch};
use crate::log::{FeedRecord, RegisterRow, TopicRecord, Transaction};
use crate::model::ids::{ClusterId, PartyId, RecordId, ScopeId};
use crate::model::outcome::{OutcomeCounts, RejectCode, Rejection};
use crate::model::register::{RowChange, RowKind};

/// From here on a link is called strong: the odds are a thousand to one and better.
const STRONG_BITS: f64 = 10.0;

/// What one batch came to, for metrics and progress.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// Outcomes.
    pub outcomes: OutcomeCounts,
    /// Unknown fields that were ignored.
    pub ignored_fields: u64,
    /// Identifiers dropped for a failed check letter or form.
    pub dropped_identifiers: u64,
    /// Messages by recipient and kind of topic.
    pub messages: BTreeMap<(PartyId, &'static str), u64>,
    /// Held, by reason.
    pub held: BTreeMap<&'static str, u64>,
}

/// What a batch touched in one scope: records as they are, and clusters as they were.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) records: BTreeSet<RecordId>,
    pub(super) clusters: BTreeSet<ClusterId>,
}

/// A transaction under construction.
#[derive(Default)]
pub(super) struct Work {
    pub(super) transaction: Transaction,
    pub(super) report: BatchReport,
    pub(super) touched: BTreeMap<ScopeId, Touched>,
    pub(super) counted: BTreeSet<PartyId>,
    pub(super) positions: BTreeMap<(PartyId, i32), i64>,
}

impl Work {
    pub(super) fn note_position(&mut self, record: &FeedRecord) {
        let next = self.positions.entry((record.feed.clone(), record.partition)).or_insert(0);
        *next = (*next).max(record.offset + 1);
    }

    pub(super) fn output(&mut self, partition: i32, topic: String, key: String, value: Option<Vec<u8>>) {
        self.transaction.outputs.push(TopicRecord { topic, partition, key: key.into_bytes(), value });
    }

    pub(super) fn change(&mut self, partition: i32, scope: &str, row: RowChange) {
        let key = [&[row.kind as u8], scope.as_bytes(), &[0], row.id.as_slice()].concat();
        self.transaction.register.push(RegisterRow { partition, key, value: row.value });
    }
}

/// Reads a register key back: kind, scope (empty for the partition's own rows) and id.
pub(super) fn read_key(key: &[u8]) -> Option<(RowKind, &str, &[u8])> {
    let (kind, rest) = key.split_first()?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some((RowKind::from_byte(*kind)?, std::str::from_utf8(&rest[..end]).ok()?, &rest[end + 1..]))
}

pub(super) fn combination(change: &ClusterChange) -> Value {
    let kind = format!("{:?}", change.kind).to_lowercase();
    json!({"change": kind, "person": change.id, "related": change.related, "records": change.members})
}

pub(super) fn review_key(scope: &ScopeId, a: RecordId, b: RecordId) -> String {
    let mut hash = Sha256::new();
    hash.update(b"priorityd/v1/review\0");
    hash.update(scope.as_str().as_bytes());
    hash.update([0]);
    hash.update(a.0);
    hash.update(b.0);
    hex(&hash.finalize()[..16])
}

pub(super) fn possible_match(key: &str, scope: &ScopeId, possible: &PossibleMatch) -> Value {
    let pattern: BTreeMap<_, _> =
        possible.pattern.iter().map(|(field, level)| (format!("{field:?}").to_lowercase(), *level)).collect();
    json!({
        "review_id": key,
        "kind": "possible_match",
        "scope": scope,
        "records": [possible.a, possible.b],
        "bits": possible.weight.to_f64(),
        "pattern": pattern,
    })
}

/// How sure the weakest link of a person is, in words for a reader.
pub(super) fn confidence(weakest: Option<Bits>) -> &'static str {
    match weakest {
        None => "single_source",
        Some(bits) if bits.to_f64() >= STRONG_BITS => "strong",
        Some(_) => "moderate",
    }
}

pub(super) fn unserved_scope() -> Rejection {
    Rejection {
        code: RejectCode::UnknownScope,
        path: "data.scope".to_owned(),
        rule: "the scope must be one that this deployment serves".to_owned(),
        help: "send events of other partnerships to their own deployment".to_owned(),
    }
}

pub(super) fn id_reused() -> Rejection {
    Rejection {
        code: RejectCode::IdReused,
        path: "id".to_owned(),
        rule: "an id names one event for ever".to_owned(),
        help: "to correct an event, send a new one with a new id and `supersedes`".to_owned(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
