//! Statements that are signed and not sealed, since they are about nobody: heartbeats, heads of the audit. Compact JWS
//! (RFC 7515), `ES256`, each kind with a type of its own, so that none can pass for another or for a message.

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::jose;
use super::open::{OpenError, verify};
use super::seal::sign_as;
use crate::keys::signing::{SignerKeys, SigningKey};
use crate::model::ids::hex;

/// What kind of statement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement {
    /// That we are there, and what a list says; a CloudEvent.
    Heartbeat,
    /// Where the audit stands.
    AuditHead,
}

impl Statement {
    fn types(self) -> (&'static str, &'static str) {
        match self {
            Self::Heartbeat => ("priorityd-heartbeat+jws", jose::CONTENT_TYPE),
            Self::AuditHead => ("priorityd-audit-head+jws", "json"),
        }
    }
}

/// Signs what is said: compact JWS over the bytes as they are.
#[must_use]
pub fn sign(statement: Statement, said: &[u8], signer: &SigningKey) -> String {
    let (typ, cty) = statement.types();
    let signed = sign_as(typ, cty, said, signer);
    signed.as_str().to_owned()
}

/// What was said, if one of `signers` said it and might at `at`; without it, at the moment `at` that the statement itself
/// names, for evidence that outlives its key.
pub fn read(
    statement: Statement,
    signed: &[u8],
    signers: &SignerKeys,
    at: Option<Timestamp>,
) -> Result<Vec<u8>, OpenError> {
    let at = match at {
        Some(at) => at,
        None => own_moment(signed).ok_or(OpenError::NotAMessage)?,
    };
    let (said, _) = verify(signed, signers, at, statement.types())?;
    Ok(said.to_vec())
}

/// Of a statement not yet verified, when it says that it was made: a key is judged as of then.
fn own_moment(signed: &[u8]) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Said {
        at: Timestamp,
    }
    let said = std::str::from_utf8(signed).ok()?.split('.').nth(1)?;
    serde_json::from_slice::<Said>(&jose::decode(said)?).ok().map(|said| said.at)
}

/// What a list should say: how many entries, and a digest of which.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    /// How many entries stand on it.
    pub entries: u64,
    /// SHA-256 over the entries' `revision`s, sorted, each followed by a line feed; lower-case hexadecimal digits.
    pub digest: String,
}

impl Manifest {
    /// Of the `revision`s of the entries that stand, in any order.
    #[must_use]
    pub fn of(revisions: impl Iterator<Item = String>) -> Self {
        let mut revisions: Vec<_> = revisions.collect();
        revisions.sort_unstable();
        let mut hash = Sha256::new();
        for revision in &revisions {
            hash.update(revision.as_bytes());
            hash.update(b"\n");
        }
        Self { entries: revisions.len() as u64, digest: hex(&hash.finalize()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_of_the_set() {
        // Computed with Python: hashlib.sha256(b"aa\nbb\n").
        let digest = "329d670e59ead1543a2d36865895972560bc434204c5f4a0c8219005dd312719";
        let of = |texts: &[&str]| Manifest::of(texts.iter().map(|text| (*text).to_owned()));
        assert_eq!(of(&["bb", "aa"]), Manifest { entries: 2, digest: digest.to_owned() });
        assert_ne!(of(&["bb"]).digest, digest);
    }
}
