//! Ciphertext at rest. Opaque here: only pseudonymise seals and only disclose opens, each with the vault key.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The purpose under which a person's reference, names and date of birth are sealed; the context is scope and record.
pub const PERSON: &str = "person";

/// AES-256-GCM ciphertext with the epoch of the vault key that made it: `nonce (12 bytes) || ciphertext || tag (16)`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Epoch of the vault key.
    pub epoch: u32,
    /// Nonce, ciphertext and tag.
    pub bytes: Box<[u8]>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Sealed(epoch {}, {} bytes)", self.epoch, self.bytes.len())
    }
}
