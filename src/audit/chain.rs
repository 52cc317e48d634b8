//! The chain as it grows: a record is hashed together with the hash of the one before it.
//!
//! A record says in its body what was done and under which clause, and in its subject to whose data: keyed ids. Of the
//! subject only a salted commitment is hashed, so that an erased person's subjects can be taken out of the records and
//! the chain still holds. Without the salt, no key that is left tells whom the commitment was about.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::canonical::canonical_json;
use super::merkle::Edge;
use super::said::Said;
use crate::model::ids::{ScopeId, push_hex};

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
    partition: i32,
    head: Head,
    edge: Edge,
}

impl Chain {
    /// Goes on where the register's row says, or starts a chain.
    pub fn resume(partition: i32, row: Option<&[u8]>) -> Result<Self, BadHead> {
        let Some(row) = row else { return Ok(Self { partition, head: Head::default(), edge: Edge::default() }) };
        let [2, rest @ ..] = row else { return Err(BadHead) };
        let (seq, rest) = rest.split_first_chunk::<8>().ok_or(BadHead)?;
        let (hash, rest) = rest.split_first_chunk::<32>().ok_or(BadHead)?;
        let (subtrees, []) = rest.as_chunks::<32>() else { return Err(BadHead) };
        let head = Head { seq: u64::from_be_bytes(*seq), hash: *hash };
        Ok(Self { partition, head, edge: Edge::resume(head.seq, subtrees.to_vec()).ok_or(BadHead)? })
    }

    /// Goes on after a head, as somebody would who forges what follows.
    #[cfg(test)]
    pub(super) fn after(head: Head) -> Self {
        Self { partition: 0, head, edge: Edge::default() }
    }

    /// The register row's value: version, number, hash, and the edge of the tree.
    #[must_use]
    pub fn row(&self) -> Vec<u8> {
        let edge = self.edge.subtrees().as_flattened();
        [[2].as_slice(), &self.head.seq.to_be_bytes(), &self.head.hash, edge].concat()
    }

    /// Where the chain ends now.
    #[must_use]
    pub fn head(&self) -> Head {
        self.head
    }

    /// The root of the Merkle tree over the hashes of all records.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.edge.root()
    }

    /// Adds a record. What is said holds ids, codes and counts, and all that explains the operation; `salt` must be random.
    pub fn append(
        &mut self,
        at_ms: i64,
        kind: AuditKind,
        scope: &ScopeId,
        said: impl Into<Said>,
        salt: [u8; 16],
    ) -> AuditLine {
        self.push(&Draft::of(&timestamp(at_ms), kind, scope, &said.into(), salt))
    }

    /// Adds a record that was drafted. Its canonical form as it is hashed lies within the one that is kept, around what is
    /// rendered once.
    pub fn push(&mut self, draft: &Draft) -> AuditLine {
        let Draft { kind, scope, begun, subject } = draft;
        let previous = self.head;
        let seq = previous.seq + 1;
        // Kinds and scopes have nothing in them that JSON would escape.
        let amid = format!(r#","kind":"{kind}","partition":{}"#, self.partition);
        let ended = format!(r#","scope":"{}","seq":{seq}"#, scope.as_str());
        let hash = hash_of(&previous.hash, &[begun, amid.as_bytes(), ended.as_bytes(), b"}"]);
        self.head = Head { seq, hash };
        self.edge.push(&hash);
        let mut json = Vec::with_capacity(begun.len() + amid.len() + ended.len() + subject.len() + 192);
        json.extend_from_slice(begun);
        json.extend_from_slice(b",\"hash\":\"");
        push_hex(&hash, &mut json);
        json.push(b'"');
        json.extend_from_slice(amid.as_bytes());
        json.extend_from_slice(b",\"previous\":\"");
        push_hex(&previous.hash, &mut json);
        json.push(b'"');
        json.extend_from_slice(ended.as_bytes());
        if !subject.is_empty() {
            json.extend_from_slice(b",\"subject\":");
            json.extend_from_slice(subject);
        }
        json.push(b'}');
        AuditLine { seq, previous: previous.hash, hash, json }
    }
}

/// A record before it has its place in the chain: what takes time of it, and can be done for many at once.
pub struct Draft {
    kind: AuditKind,
    scope: ScopeId,
    /// The record up to its commitment.
    begun: Vec<u8>,
    /// Empty where it is about nobody.
    subject: Vec<u8>,
}

impl Draft {
    /// Renders what a record says. `at` is a [`timestamp`].
    #[must_use]
    pub fn of(at: &str, kind: AuditKind, scope: &ScopeId, said: &Said, salt: [u8; 16]) -> Self {
        let mut quoted = Vec::with_capacity(34);
        quoted.push(b'"');
        push_hex(&salt, &mut quoted);
        quoted.push(b'"');
        let (mut begun, mut subject) = (Vec::with_capacity(384), Vec::with_capacity(768));
        begun.extend_from_slice(b"{\"at\":\"");
        begun.extend_from_slice(at.as_bytes());
        begun.extend_from_slice(b"\",\"body\":");
        said.render(is_nobodys, None, &mut begun);
        if said.render(|name| !is_nobodys(name), Some((SALT, &quoted)), &mut subject) {
            begun.extend_from_slice(b",\"commitment\":\"");
            push_hex(&commitment_of(&subject), &mut begun);
            begun.push(b'"');
        } else {
            subject.clear();
        }
        Self { kind, scope: scope.clone(), begun, subject }
    }
}

/// RFC 3339 in UTC with milliseconds always, so that times compare as text.
#[must_use]
pub fn timestamp(at_ms: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{instant:.3}")
}

/// What makes a commitment tell nothing.
pub(super) const SALT: &str = "salt";

/// May a body say it: codes, counts, versions and parties? Everything else is somebody's, and goes to the subject.
fn is_nobodys(name: &[u8]) -> bool {
    matches!(
        name,
        b"action"
            | b"agency"
            | b"agreement_version"
            | b"authority"
            | b"change"
            | b"clause"
            | b"code"
            | b"decided_by"
            | b"decision"
            | b"events_erased"
            | b"events_narrowed"
            | b"feed"
            | b"kind"
            | b"lines_redacted"
            | b"link_bits"
            | b"model_version"
            | b"offset"
            | b"outcome"
            | b"partition"
            | b"population"
            | b"reason"
            | b"recipient"
            | b"records_erased"
            | b"review_bits"
            | b"role"
            | b"rules_version"
            | b"serial"
            | b"serial_before"
            | b"sha256"
            | b"signed_by"
            | b"type"
            | b"version"
    )
}

/// What the chain keeps of a subject: SHA-256 over the length-prefixed label and canonical JSON, salt included.
pub(super) fn commitment(subject: &Value) -> [u8; 32] {
    commitment_of(&canonical_json(subject))
}

fn commitment_of(subject: &[u8]) -> [u8; 32] {
    labelled_hash(&[&[b"priorityd/v1/audit-subject"], &[subject]])
}

/// The hash of a record without its two hashes: SHA-256 over the length-prefixed label, previous hash, canonical JSON.
pub(super) fn record_hash(previous: &[u8; 32], record: &Value) -> [u8; 32] {
    hash_of(previous, &[&canonical_json(record)])
}

/// The record comes in pieces.
fn hash_of(previous: &[u8; 32], record: &[&[u8]]) -> [u8; 32] {
    labelled_hash(&[&[b"priorityd/v1/audit"], &[previous], record])
}

fn labelled_hash(parts: &[&[&[u8]]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for pieces in parts {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        hash.update(u64::try_from(length).expect("a length fits 64 bits").to_be_bytes());
        pieces.iter().for_each(|piece| hash.update(piece));
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::ids::hex;

    #[test]
    fn the_first_record_is_this() {
        let scope: ScopeId = "portsmouth".parse().expect("a valid name");
        let mut chain = Chain::resume(0, None).expect("a new chain");
        let body = json!({"recipient": "up2u", "clause": "c1"});
        let line = chain.append(1_700_000_000_000, AuditKind::Disclosure, &scope, body, [0; 16]);
        // Computed with Python: hashlib.sha256 over the three length-prefixed parts.
        let hash = "3eda93de77766b825337d4dc5d038073b3721bfb54801ca1d87d172103140e70";
        assert_eq!(hex(&line.hash), hash);
        let expected = format!(
            r#"{{"at":"2023-11-14T22:13:20.000Z","body":{{"clause":"c1","recipient":"up2u"}},"hash":"{hash}","kind":"disclosure","partition":0,"previous":"{}","scope":"portsmouth","seq":1}}"#,
            "0".repeat(64)
        );
        assert_eq!(String::from_utf8(line.json).expect("JSON is text"), expected);
    }

    #[test]
    fn a_resumed_chain_goes_on() {
        let scope: ScopeId = "portsmouth".parse().expect("a valid name");
        let mut chain = Chain::resume(0, None).expect("a new chain");
        chain.append(0, AuditKind::Collection, &scope, json!({}), [0; 16]);
        let mut resumed = Chain::resume(0, Some(&chain.row())).expect("its own row");
        let (one, other) = (
            chain.append(1, AuditKind::Erasure, &scope, json!({"n": 1}), [7; 16]),
            resumed.append(1, AuditKind::Erasure, &scope, json!({"n": 1}), [7; 16]),
        );
        assert!(one == other && one.seq == 2 && chain.root() == resumed.root());
        assert!(Chain::resume(0, Some(b"short")).is_err());
        assert!(Chain::resume(0, Some(&[&[2], [1; 40].as_slice()].concat())).is_err());
    }

    #[test]
    fn kinds_read_back() {
        assert!(AuditKind::ALL.into_iter().all(|kind| kind.as_str().parse() == Ok(kind)));
        assert_eq!("Disclosure".parse::<AuditKind>(), Err(BadKind));
    }
}
