//! Keys of recipients: the public half, which seals, lies in the ring; the private half, which opens, is the service's own.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use p256::{PublicKey, SecretKey};
use zeroize::Zeroizing;

use super::file;
use super::jwk::{self, Jwk, Material};
use super::meta::{KeyMeta, KeyProblem, Purpose};
use crate::model::ids::PartyId;

/// What messages to one recipient are sealed to. Public.
#[derive(Debug, Clone)]
pub struct RecipientKey {
    party: PartyId,
    kid: String,
    expires: Option<Timestamp>,
    key: PublicKey,
}

impl RecipientKey {
    pub(super) fn new(party: PartyId, kid: String, expires: Option<Timestamp>, key: PublicKey) -> Self {
        Self { party, kid, expires, key }
    }

    /// Whose key it is.
    #[must_use]
    pub fn party(&self) -> &PartyId {
        &self.party
    }

    /// Its id: the party, `#` and the RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// From when on nothing may be sealed to it.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The point of P-256.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.key
    }
}

/// A recipient's private key, which opens its messages. Never shown, never copied; wiped on drop by `p256`.
pub struct RecipientPrivateKey {
    party: PartyId,
    kid: String,
    key: SecretKey,
}

impl RecipientPrivateKey {
    /// Reads the JWK file that `priorityd keys new recipient` made; refuses one that others than its owner could read.
    pub fn read(path: &Path) -> Result<Self, Vec<KeyProblem>> {
        let text = file::read_private(path).map_err(|problem| vec![problem])?;
        let Jwk { meta, kid, material } = jwk::parse_key(path, &text)?;
        match (meta, material) {
            (KeyMeta { purpose: Purpose::Recipient, party: Some(party), .. }, Material::Private(key)) => {
                Ok(Self { party, kid, key })
            }
            _ => {
                Err(vec![KeyProblem::new(path, "is not the private key of a recipient", "name the service's own key")])
            }
        }
    }

    /// Whose key it is.
    #[must_use]
    pub fn party(&self) -> &PartyId {
        &self.party
    }

    /// Its id: the party, `#` and the RFC 7638 thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The secret that this key and the other side's ephemeral key have in common (ECDH).
    #[must_use]
    pub fn agree(&self, ephemeral: &PublicKey) -> Zeroizing<[u8; 32]> {
        let shared = self.key.diffie_hellman(ephemeral);
        Zeroizing::new((*shared.raw_secret_bytes()).into())
    }
}

impl fmt::Debug for RecipientPrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RecipientPrivateKey({})", self.kid)
    }
}
