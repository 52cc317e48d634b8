//! The vault key: AES-256-GCM (NIST SP 800-38D) for what must lie on disk and be opened again by us alone.
//!
//! Nonces are random, so one epoch may seal at most 2^32 times (SP 800-38D §8.3): rotate before, at a million seals a day
//! within eleven years.

use std::fmt;

use aes_gcm::aead::{Aead, AeadInOut, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use crate::model::sealed::Sealed;

/// What AES-GCM adds to a text.
const TAG_BYTES: usize = 16;

/// The key of one epoch. Never shown, never copied.
pub struct VaultKey {
    epoch: u32,
    cipher: Aes256Gcm,
}

impl VaultKey {
    /// Takes a secret read from a key file.
    #[must_use]
    pub fn new(epoch: u32, secret: &[u8; 32]) -> Self {
        Self { epoch, cipher: Aes256Gcm::new(secret.into()) }
    }

    /// Its epoch, from 1.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Encrypts `clear`, bound to `purpose`, this key's epoch and `context`. The nonce must come from a random generator.
    #[must_use]
    pub fn seal(&self, purpose: &str, context: &[&[u8]], nonce: [u8; 12], clear: &[u8]) -> Sealed {
        let aad = self.associated_data(purpose, context);
        // Encrypted where it will lie: nothing is moved, and no copy of what is clear is left behind.
        let mut bytes = Vec::with_capacity(nonce.len() + clear.len() + TAG_BYTES);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(clear);
        let text = bytes[nonce.len()..].as_mut().into();
        let tag = self.cipher.encrypt_inout_detached(&Nonce::from(nonce), &aad, text);
        bytes.extend_from_slice(&tag.expect("a sealed record is far below AES-GCM's 64 GiB"));
        Sealed { epoch: self.epoch, bytes: bytes.into() }
    }

    /// Decrypts. `None` when it was sealed under another key, for another purpose or context, or was changed.
    #[must_use]
    pub fn open(&self, purpose: &str, context: &[&[u8]], sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<12>()?;
        let aad = self.associated_data(purpose, context);
        let clear = self.cipher.decrypt(&Nonce::from(*nonce), Payload { msg: ciphertext, aad: &aad }).ok()?;
        (sealed.epoch == self.epoch).then(|| Zeroizing::new(clear))
    }

    fn associated_data(&self, purpose: &str, context: &[&[u8]]) -> Vec<u8> {
        let epoch = self.epoch.to_be_bytes();
        let parts = [b"priorityd/v1/vault".as_slice(), purpose.as_bytes(), &epoch];
        let mut aad = Vec::with_capacity(128);
        for part in parts.iter().chain(context) {
            let length = u32::try_from(part.len()).expect("associated data is far below 4 GiB");
            aad.extend_from_slice(&length.to_be_bytes());
            aad.extend_from_slice(part);
        }
        aad
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VaultKey(epoch {})", self.epoch)
    }
}
