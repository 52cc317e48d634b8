//! The chain as it grows: a record is hashed together with the hash of the one before it.

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::canonical::canonical_json;
use crate::model::ids::{ScopeId, hex};

/// What was done, in the words of section 62 of the Data Protection Act 2018; a rejection is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuditKind {
    /// An event was taken in.
    Collection,
    /// Something held was changed: an amendment, a cancellation, a decision.
    Alteration,
    /// A person looked something up; the body says who and why.
    Consultation,
    /// Something left for a recipient; the body names the clause of the agreement.
    Disclosure,
    /// Records of different agencies were linked, or a link was undone.
    Combination,
    /// Something held was removed.
    Erasure,
    /// An event was sent back to its agency.
    Rejection,
    /// What was told rests on another agreement from here on.
    Agreement,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Collection,
        Self::Alteration,
        Self::Consultation,
        Self::Disclosure,
        Self::Combination,
        Self::Erasure,
        Self::Rejection,
        Self::Agreement,
    ];

    /// As written in a record.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Alteration => "alteration",
            Self::Consultation => "consultation",
            Self::Disclosure => "disclosure",
            Self::Combination => "combination",
            Self::Erasure => "erasure",
            Self::Rejection => "rejection",
            Self::Agreement => "agreement",
        }
    }
}

impl fmt::Display for AuditKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl FromStr for AuditKind {
    type Err = BadKind;

    fn from_str(text: &str) -> Result<Self, BadKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(BadKind)
    }
}

/// A word that is no kind of audit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a kind is collection, alteration, consultation, disclosure, combination, erasure or rejection")]
pub struct BadKind;

/// Where a chain ends: its last record's number and hash. Number 0 is before the first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    /// Sequence number of the last record.
    pub seq: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

impl Head {
    /// The register row's value, and what is signed: version, number, hash.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        [[1].as_slice(), &self.seq.to_be_bytes(), &self.hash].concat()
    }

    /// Reads back what [`Head::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadHead> {
        let [1, rest @ ..] = bytes else { return Err(BadHead) };
        let (seq, hash) = rest.split_first_chunk::<8>().ok_or(BadHead)?;
        let hash = hash.try_into().map_err(|_| BadHead)?;
        Ok(Self { seq: u64::from_be_bytes(*seq), hash })
    }
}

/// Bytes that are no head of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the head of the audit chain cannot be read")]
pub struct BadHead;

/// A record of the chain, ready for its topic.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Number in the chain, from 1.
    pub seq: u64,
    /// Hash of the record before; zeros for the first.
    pub previous: [u8; 32],
    /// Hash of this one.
    pub hash: [u8; 32],
    /// The whole record as canonical JSON, without a line end.
    pub json: Vec<u8>,
}

/// One partition's chain, at its end.
#[derive(Clone)]
pub struct Chain {
    head: Head,
}

impl Chain {
    /// Goes on where the head in the register says, or starts a chain.
    pub fn resume(head: Option<&[u8]>) -> Result<Self, BadHead> {
        let head = head.map_or(Ok(Head::default()), Head::from_bytes)?;
        Ok(Self { head })
    }

    /// Where the chain ends now.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// Adds a record. The body holds ids, codes and counts, and says all that explains the operation.
    pub fn append(&mut self, at_ms: i64, kind: AuditKind, scope: &ScopeId, body: &Value) -> AuditLine {
        let previous = self.head;
        let seq = previous.seq + 1;
        let record = json!({
            "seq": seq,
            "at": timestamp(at_ms),
            "kind": kind.as_str(),
            "scope": scope.as_str(),
            "body": body,
        });
        let hash = record_hash(&previous.hash, &record);
        self.head = Head { seq, hash };
        AuditLine { seq, previous: previous.hash, hash, json: render(record, &previous.hash, &hash) }
    }
}

/// The hash of a record without its two hashes: SHA-256 over the length-prefixed label, previous hash, canonical JSON.
pub(super) fn record_hash(previous: &[u8; 32], record: &Value) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [b"priorityd/v1/audit".as_slice(), previous, &canonical_json(record)] {
        hash.update(u64::try_from(part.len()).expect("a length fits 64 bits").to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

/// The whole line: the record with its hashes.
pub(super) fn render(mut record: Value, previous: &[u8; 32], hash: &[u8; 32]) -> Vec<u8> {
    record["previous"] = hex(previous).into();
    record["hash"] = hex(hash).into();
    canonical_json(&record)
}

/// RFC 3339 in UTC with milliseconds always, so that times compare as text.
fn timestamp(at_ms: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{instant:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_is_this() {
        let scope: ScopeId = "portsmouth".parse().expect("a valid name");
        let mut chain = Chain::resume(None).expect("a new chain");
        let body = json!({"recipient": "up2u", "clause": "c1"});
        let line = chain.append(1_700_000_000_000, AuditKind::Disclosure, &scope, &body);
        // Computed with Python: hashlib.sha256 over the three length-prefixed parts.
        let hash = "3b34750ce5391756e6ffe853a925a369f47c3e2eedaad4f7f2f5665f50ac85f5";
        assert_eq!(hex(&line.hash), hash);
        let expected = format!(
            r#"{{"at":"2023-11-14T22:13:20.000Z","body":{{"clause":"c1","recipient":"up2u"}},"hash":"{hash}","kind":"disclosure","previous":"{}","scope":"portsmouth","seq":1}}"#,
            "0".repeat(64)
        );
        assert_eq!(String::from_utf8(line.json).expect("JSON is text"), expected);
    }

    #[test]
    fn a_resumed_chain_goes_on() {
        let scope: ScopeId = "portsmouth".parse().expect("a valid name");
        let mut chain = Chain::resume(None).expect("a new chain");
        chain.append(0, AuditKind::Collection, &scope, &json!({}));
        let mut resumed = Chain::resume(Some(&chain.head().to_bytes())).expect("its own head");
        let (one, other) = (
            chain.append(1, AuditKind::Erasure, &scope, &json!({"n": 1})),
            resumed.append(1, AuditKind::Erasure, &scope, &json!({"n": 1})),
        );
        assert!(one == other && one.seq == 2);
        assert!(Chain::resume(Some(b"short")).is_err());
        assert!(Chain::resume(Some(&[&[2], [0; 40].as_slice()].concat())).is_err());
    }

    #[test]
    fn kinds_read_back() {
        assert!(AuditKind::ALL.into_iter().all(|kind| kind.as_str().parse() == Ok(kind)));
        assert_eq!("Disclosure".parse::<AuditKind>(), Err(BadKind));
    }
}
