//! The signing key (ECDSA on P-256 with SHA-256, `ES256` of RFC 7518) and what others check its signatures with.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, VerifyingKey};
use p256::{PublicKey, SecretKey};

use super::file;
use super::jwk::{self, Jwk, Material};
use super::meta::{KeyMeta, KeyProblem, KeyState, Purpose};

/// Our private key for signing messages. Never shown, never copied; wiped on drop by `p256`.
pub struct SigningKey {
    kid: String,
    expires: Option<Timestamp>,
    key: p256::ecdsa::SigningKey,
}

impl SigningKey {
    pub(super) fn new(kid: String, expires: Option<Timestamp>, key: &SecretKey) -> Self {
        Self { kid, expires, key: key.into() }
    }

    /// Its id: `priorityd#` and the RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// From when on it must not sign.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Signs: `r || s`, 64 bytes. Deterministic (RFC 6979), because a nonce that repeats or leans gives the private key
    /// away, and a generator that fails once must not cost more than the message it failed on.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.key.sign(message);
        signature.to_bytes().into()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SigningKey({})", self.kid)
    }
}

/// The public keys that a recipient trusts to have signed its messages: `signing.jwks.json`.
#[derive(Debug, Clone)]
pub struct SignerKeys {
    keys: Vec<SignerKey>,
}

#[derive(Debug, Clone)]
struct SignerKey {
    kid: String,
    meta: KeyMeta,
    key: VerifyingKey,
}

/// What came of checking a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The named key made it, and may still be trusted.
    Good,
    /// No key of that id.
    UnknownSigner,
    /// The key is retired or its time is over.
    ExpiredSigner,
    /// The named key did not make it.
    BadSignature,
}

impl SignerKeys {
    /// Reads a set of public signing keys from a file, with every problem in one report.
    pub fn read(path: &Path) -> Result<Self, Vec<KeyProblem>> {
        let text = file::read_public(path).map_err(|problem| vec![problem])?;
        Self::parse(path, &text)
    }

    /// Reads the set of public audit keys from a file: `audit.jwks.json`.
    pub fn read_audit(path: &Path) -> Result<Self, Vec<KeyProblem>> {
        let text = file::read_public(path).map_err(|problem| vec![problem])?;
        Self::parse_of(Purpose::Audit, path, &text)
    }

    /// Reads a set of public signing keys; `origin` is named in problems.
    pub fn parse(origin: &Path, text: &[u8]) -> Result<Self, Vec<KeyProblem>> {
        Self::parse_of(Purpose::Signing, origin, text)
    }

    fn parse_of(purpose: Purpose, origin: &Path, text: &[u8]) -> Result<Self, Vec<KeyProblem>> {
        let (keys, mut problems) = jwk::parse_set(origin, text);
        let mut signers = Vec::new();
        for Jwk { meta, kid, material } in keys {
            match (meta.purpose, material) {
                (found, Material::Public(key)) if found == purpose => signers.push((kid, meta, key)),
                _ => problems.push(KeyProblem::new(
                    origin,
                    "holds a key of another purpose",
                    format!("only {purpose} keys belong here"),
                )),
            }
        }
        if signers.is_empty() && problems.is_empty() {
            problems.push(KeyProblem::new(origin, "holds no key", "at least one signing key belongs here"));
        }
        if problems.is_empty() { Ok(Self::new(signers)) } else { Err(problems) }
    }

    pub(super) fn new(keys: Vec<(String, KeyMeta, PublicKey)>) -> Self {
        let keys = keys.into_iter().map(|(kid, meta, key)| SignerKey { kid, meta, key: key.into() });
        Self { keys: keys.collect() }
    }

    /// Checks a signature of the key named `kid`, as of `now`.
    #[must_use]
    pub fn verify(&self, kid: &str, message: &[u8], signature: &[u8], now: Timestamp) -> Verdict {
        let Some(signer) = self.keys.iter().find(|key| key.kid == kid) else {
            return Verdict::UnknownSigner;
        };
        if signer.meta.state == KeyState::Retired || signer.meta.expired(now) {
            return Verdict::ExpiredSigner;
        }
        let good =
            Signature::from_slice(signature).is_ok_and(|signature| signer.key.verify(message, &signature).is_ok());
        if good { Verdict::Good } else { Verdict::BadSignature }
    }
}
