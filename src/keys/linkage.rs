//! The linkage key: one 256-bit secret per scope and epoch, from which HKDF-SHA-256 (RFC 5869) derives one HMAC-SHA-256
//! (RFC 2104) key per field. What two agencies hash alike is alike only under the same scope, epoch and field.

use std::fmt;

use hkdf::GenericHkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::model::ids::ScopeId;

/// The secret of one scope and epoch, and the secret behind the ids of the scope, which outlives the epoch: a register
/// is hashed anew under another epoch without a single id that changes. Never shown, never copied.
pub struct LinkageKey {
    scope: ScopeId,
    epoch: u32,
    secret: Zeroizing<[u8; 32]>,
    identifiers: Option<Zeroizing<[u8; 32]>>,
}

impl LinkageKey {
    /// Takes a secret read from a key file.
    #[must_use]
    pub fn new(scope: ScopeId, epoch: u32, secret: Zeroizing<[u8; 32]>) -> Self {
        Self { scope, epoch, secret, identifiers: None }
    }

    /// With the identifier key of the scope.
    #[must_use]
    pub fn with_identifiers(self, secret: &[u8; 32]) -> Self {
        Self { identifiers: Some(Zeroizing::new(*secret)), ..self }
    }

    /// The partnership whose people it hashes.
    #[must_use]
    pub fn scope(&self) -> &ScopeId {
        &self.scope
    }

    /// Its epoch, from 1.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Derives the key of one field: HKDF-SHA-256, no salt, info `priorityd/v1/<scope>/<epoch>/<field>`.
    #[must_use]
    pub fn field(&self, field: &str) -> FieldKey {
        let info = format!("priorityd/v1/{}/{}/{field}", self.scope, self.epoch);
        FieldKey::derive(&self.secret, &info)
    }

    /// Derives the key of one kind of id from the identifier key: info `priorityd/v1/<scope>/ids/<kind>`. A linkage key
    /// that stands alone, for a table that is linked once, gives its ids too.
    #[must_use]
    pub fn identifier(&self, kind: &str) -> FieldKey {
        match &self.identifiers {
            Some(secret) => FieldKey::derive(secret, &format!("priorityd/v1/{}/ids/{kind}", self.scope)),
            None => self.field(kind),
        }
    }
}

impl fmt::Debug for LinkageKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LinkageKey({}, epoch {})", self.scope, self.epoch)
    }
}

/// The HMAC key of one field, its state computed once. Wiped on drop (feature `zeroize` of `hmac`).
pub struct FieldKey(Hmac<Sha256>);

impl FieldKey {
    /// HKDF-SHA-256 without salt to 32 bytes, taken as an HMAC-SHA-256 key.
    pub(super) fn derive(secret: &[u8; 32], info: &str) -> Self {
        let mut okm = Zeroizing::new([0; 32]);
        // By the `hmac` that wipes its state (feature `zeroize`).
        GenericHkdf::<Hmac<Sha256>>::new(None, secret)
            .expand(info.as_bytes(), okm.as_mut())
            .expect("32 bytes are within HKDF-SHA-256's bound");
        Self(Hmac::new_from_slice(okm.as_ref()).expect("HMAC takes a key of any length"))
    }

    /// HMAC-SHA-256 over the parts, each preceded by its length as four big-endian bytes.
    #[must_use]
    pub fn mac(&self, parts: impl IntoIterator<Item: AsRef<[u8]>>) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in parts {
            let part = part.as_ref();
            let length = u32::try_from(part.len()).expect("a hashed part is far below 4 GiB");
            mac.update(&length.to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for FieldKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FieldKey")
    }
}
