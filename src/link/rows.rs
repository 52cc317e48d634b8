//! Rows of the register's changelog: records, edges and decisions, so that a restart compares nothing again.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Decision;
use crate::model::ids::{LocalRefId, PartyId, RecordId};
use crate::model::register::{RowChange, RowKind};
use crate::model::tokens::PersonTokens;

/// A key of distinct tokens: records whose tokens are all the same share one.
pub(super) type ProfileKey = [u8; 16];

/// A row that cannot be read back. Says which kind, never what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {0:?} row of the register cannot be read")]
pub struct BadRow(pub RowKind);

/// What stands before the tokens in a record's row.
#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) agency: PartyId,
    pub(super) local_ref: LocalRefId,
}

/// A record's row read back.
pub(super) struct RecordRow {
    pub(super) record: RecordId,
    pub(super) local_ref: LocalRefId,
    pub(super) tokens: PersonTokens,
    pub(super) key: ProfileKey,
}

/// A row read back that is not a record's.
pub(super) enum Row {
    Edge(ProfileKey, ProfileKey, i32),
    Decision(RecordId, RecordId, Decision),
}

/// The key of tokens in that form.
fn profile_key(tokens: &[u8]) -> ProfileKey {
    let digest: [u8; 32] = Sha256::digest(tokens).into();
    *digest.first_chunk().expect("SHA-256 has 32 bytes")
}

/// A record's row, and the key of its tokens.
pub(super) fn record(record: RecordId, head: &Head, tokens: &PersonTokens) -> (RowChange, ProfileKey) {
    let value = Vec::with_capacity(ROW_BYTES);
    let value = postcard::to_extend(head, value).expect("plain data serialises");
    let start = value.len();
    let value = postcard::to_extend(tokens, value).expect("plain data serialises");
    let key = profile_key(&value[start..]);
    (RowChange { kind: RowKind::Record, id: record.0.to_vec(), value: Some(value) }, key)
}

/// Nearly every record's row is shorter.
const ROW_BYTES: usize = 1280;

pub(super) fn record_gone(record: RecordId) -> RowChange {
    RowChange { kind: RowKind::Record, id: record.0.to_vec(), value: None }
}

/// `None` removes it.
pub(super) fn edge(one: ProfileKey, two: ProfileKey, weight: Option<i32>) -> RowChange {
    let id = if one < two { [one, two].concat() } else { [two, one].concat() };
    RowChange { kind: RowKind::Edge, id, value: weight.map(|weight| weight.to_be_bytes().to_vec()) }
}

/// `None` removes it.
pub(super) fn decision(one: RecordId, two: RecordId, decision: Option<Decision>) -> RowChange {
    let id = [one.min(two).0, one.max(two).0].concat();
    let value = decision.map(|decision| vec![u8::from(decision == Decision::Same)]);
    RowChange { kind: RowKind::Decision, id, value }
}

/// Reads a record's row.
pub(super) fn read_record(id: &[u8], value: &[u8]) -> Result<RecordRow, BadRow> {
    let bad = BadRow(RowKind::Record);
    let record = RecordId(id.try_into().map_err(|_| bad)?);
    let (head, tokens) = postcard::take_from_bytes::<Head>(value).map_err(|_| bad)?;
    let key = profile_key(tokens);
    let tokens = postcard::from_bytes(tokens).map_err(|_| bad)?;
    Ok(RecordRow { record, local_ref: head.local_ref, tokens, key })
}

/// Reads a row that one of the others made.
pub(super) fn read(kind: RowKind, id: &[u8], value: &[u8]) -> Result<Row, BadRow> {
    let bad = BadRow(kind);
    let pair = || -> Result<([u8; 16], [u8; 16]), BadRow> {
        let (one, two) = id.split_first_chunk::<16>().ok_or(bad)?;
        Ok((*one, two.try_into().map_err(|_| bad)?))
    };
    match kind {
        RowKind::Edge => {
            let (one, two) = pair()?;
            Ok(Row::Edge(one, two, i32::from_be_bytes(value.try_into().map_err(|_| bad)?)))
        }
        RowKind::Decision => {
            let (one, two) = pair()?;
            let decision = match value {
                [0] => Decision::Different,
                [1] => Decision::Same,
                _ => return Err(bad),
            };
            Ok(Row::Decision(RecordId(one), RecordId(two), decision))
        }
        RowKind::Record
        | RowKind::Event
        | RowKind::Identity
        | RowKind::Listed
        | RowKind::Alerted
        | RowKind::Counters
        | RowKind::AuditHead
        | RowKind::Redaction
        | RowKind::MadeWith
        | RowKind::Agreement
        | RowKind::ToldWith => Err(bad),
    }
}
