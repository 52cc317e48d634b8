//! Reading records back: one line parsed strictly, and a query over the fields.

use std::collections::BTreeMap;

use serde_json::Value;

use super::canonical::canonical_json;
use super::chain::{AuditKind, SALT, commitment, record_hash};
use crate::model::ids::{RecordId, ScopeId};

/// A record as read from its line; whole in itself, which says nothing of its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRecord {
    /// Whose chain: there is one for each partition.
    pub partition: i32,
    /// Number in the chain, from 1.
    pub seq: u64,
    /// When, RFC 3339 in UTC with milliseconds; compares as text.
    pub at: String,
    /// What was done.
    pub kind: AuditKind,
    /// In which partnership.
    pub scope: ScopeId,
    /// Codes and counts; and ids, unless whom they were about was erased.
    pub body: Value,
    /// Whom it was about was taken out.
    pub is_redacted: bool,
    /// Hash of the record before.
    pub previous: [u8; 32],
    /// Hash of this one.
    pub hash: [u8; 32],
}

/// A line that is no audit record as it was written. The line is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an audit record as it was written")]
pub struct Unreadable;

impl AuditRecord {
    /// Reads a line. Any byte that differs from what was written makes it unreadable, its hash included.
    pub fn read(line: &[u8]) -> Result<Self, Unreadable> {
        let mut value: Value = serde_json::from_slice(line).map_err(|_| Unreadable)?;
        if canonical_json(&value) != line {
            return Err(Unreadable);
        }
        let fields = value.as_object_mut().ok_or(Unreadable)?;
        let (previous, hash) = (hash_field(fields.remove("previous"))?, hash_field(fields.remove("hash"))?);
        let subject = fields.remove("subject");
        if record_hash(&previous, &value) != hash {
            return Err(Unreadable);
        }
        let fields = value.as_object_mut().ok_or(Unreadable)?;
        let committed = fields.remove("commitment").map(|committed| hash_field(Some(committed))).transpose()?;
        let is_redacted = match (&subject, committed) {
            (Some(subject), Some(committed)) if commitment(subject) == committed => false,
            (None, Some(_)) => true,
            (None, None) => false,
            (Some(_), _) => return Err(Unreadable),
        };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) | None => Err(Unreadable),
        };
        let (at, kind, scope) = (text("at")?, text("kind")?, text("scope")?);
        let mut body = value["body"].take();
        if let (Some(body), Some(Value::Object(subject))) = (body.as_object_mut(), subject) {
            body.extend(subject.into_iter().filter(|(name, _)| name != SALT));
        }
        let partition = value["partition"].as_i64().and_then(|number| i32::try_from(number).ok());
        Ok(Self {
            partition: partition.ok_or(Unreadable)?,
            seq: value["seq"].as_u64().ok_or(Unreadable)?,
            at,
            kind: kind.parse().map_err(|_| Unreadable)?,
            scope: scope.parse().map_err(|_| Unreadable)?,
            body,
            is_redacted,
            previous,
            hash,
        })
    }
}

/// A line without its subject, if the subject names one of these ids, each up to a record's number; `None` if it names none.
pub fn redacted(line: &[u8], ids: &BTreeMap<[u8; 16], u64>) -> Result<Option<Vec<u8>>, Unreadable> {
    let record = AuditRecord::read(line)?;
    let is_meant = |id: &[u8; 16]| ids.get(id).is_some_and(|until| record.seq <= *until);
    if record.is_redacted || !names_any(&record.body, &is_meant) {
        return Ok(None);
    }
    let mut value: Value = serde_json::from_slice(line).map_err(|_| Unreadable)?;
    let had = value.as_object_mut().and_then(|fields| fields.remove("subject"));
    Ok(had.map(|_| canonical_json(&value)))
}

fn names_any(value: &Value, is_meant: &dyn Fn(&[u8; 16]) -> bool) -> bool {
    match value {
        Value::String(text) => text.parse::<RecordId>().is_ok_and(|id| is_meant(&id.0)),
        Value::Array(items) => items.iter().any(|item| names_any(item, is_meant)),
        Value::Object(fields) => fields.values().any(|field| names_any(field, is_meant)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn hash_field(field: Option<Value>) -> Result<[u8; 32], Unreadable> {
    let Some(Value::String(text)) = field else { return Err(Unreadable) };
    hash_of(&text).ok_or(Unreadable)
}

/// Reads 64 lower-case hexadecimal digits.
pub(super) fn hash_of(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Which records are wanted; what is `None` does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of this kind.
    pub kind: Option<AuditKind>,
    /// Of this partnership.
    pub scope: Option<ScopeId>,
    /// At or after this time (RFC 3339 in UTC, any precision).
    pub from: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// With this id, code or name as a value anywhere in the body.
    pub mentions: Option<String>,
}

impl Query {
    /// Whether a record is wanted.
    #[must_use]
    pub fn matches(&self, record: &AuditRecord) -> bool {
        self.kind.is_none_or(|kind| record.kind == kind)
            && self.scope.as_ref().is_none_or(|scope| record.scope == *scope)
            && self.from.as_deref().is_none_or(|from| comparable(&record.at) >= comparable(from))
            && self.until.as_deref().is_none_or(|until| comparable(&record.at) < comparable(until))
            && self.mentions.as_deref().is_none_or(|id| mentions(&record.body, id))
    }
}

/// Without the trailing `Z`, a shorter precision is a prefix and sorts first.
fn comparable(at: &str) -> &str {
    at.trim_end_matches('Z')
}

fn mentions(value: &Value, id: &str) -> bool {
    match value {
        Value::String(text) => text == id,
        Value::Array(items) => items.iter().any(|item| mentions(item, id)),
        Value::Object(fields) => fields.values().any(|field| mentions(field, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::chain::Chain;
    use super::*;

    #[test]
    fn a_record_reads_back_and_queries_narrow_it() {
        let scope: ScopeId = "portsmouth".parse().expect("a valid name");
        let mut chain = Chain::resume(0, None).expect("a new chain");
        let body = json!({"evidence": [{"record": "ab12"}], "count": 3});
        let line = chain.append(1_700_000_000_000, AuditKind::Combination, &scope, body.clone(), [3; 16]);
        let record = AuditRecord::read(&line.json).expect("as written");
        assert!(record.seq == 1 && record.body == body && record.hash == line.hash);
        let with = |change: &dyn Fn(&mut Query)| {
            let mut query = Query::default();
            change(&mut query);
            query.matches(&record)
        };
        assert!(with(&|_| {}));
        assert!(with(&|query| query.kind = Some(AuditKind::Combination)));
        assert!(!with(&|query| query.kind = Some(AuditKind::Erasure)));
        assert!(!with(&|query| query.scope = Some("elsewhere".parse().expect("a valid name"))));
        assert!(with(&|query| query.from = Some("2023-11-14".into())));
        assert!(with(&|query| query.from = Some("2023-11-14T22:13:20Z".into())));
        assert!(!with(&|query| query.until = Some("2023-11-14T22:13:20Z".into())));
        assert!(with(&|query| query.mentions = Some("ab12".into())));
        assert!(!with(&|query| query.mentions = Some("record".into())));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let scope: ScopeId = "portsmouth".parse().expect("a valid name");
        let line = Chain::resume(0, None).expect("a new chain").append(
            0,
            AuditKind::Erasure,
            &scope,
            json!({"n": "x"}),
            [5; 16],
        );
        for at in 0..line.json.len() {
            for bit in 0..8 {
                let mut changed = line.json.clone();
                changed[at] ^= 1 << bit;
                assert_eq!(AuditRecord::read(&changed), Err(Unreadable));
            }
        }
        // Without its subject a record still reads: it says less, and shows that it does.
        let subject = [0xab; 16];
        let said = json!({"person": "ab".repeat(16), "clause": "C-1"});
        let line = Chain::resume(0, None).expect("a new chain").append(0, AuditKind::Disclosure, &scope, said, [5; 16]);
        assert_eq!(redacted(&line.json, &BTreeMap::from([([0xcd; 16], 9)])), Ok(None));
        assert_eq!(redacted(&line.json, &BTreeMap::from([(subject, 0)])), Ok(None), "of a later life");
        let less =
            redacted(&line.json, &BTreeMap::from([(subject, 1)])).expect("as written").expect("it names the person");
        let record = AuditRecord::read(&less).expect("the chain holds without the subject");
        assert!(record.is_redacted && record.hash == line.hash && record.body == json!({"clause": "C-1"}));
        assert!(!String::from_utf8_lossy(&less).contains("abab"));
        assert_eq!(AuditRecord::read(b""), Err(Unreadable));
        assert_eq!(AuditRecord::read(b"{}"), Err(Unreadable));
    }
}
