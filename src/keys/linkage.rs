//! The linkage key: one 256-bit secret per scope and epoch, from which HKDF-SHA-256 (RFC 5869) derives one HMAC-SHA-256
//! (RFC 2104) key per field. What two agencies hash alike is alike only under the same scope, epoch and field.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use sha2::block_api::compress256;
use zeroize::{Zeroize, Zeroizing, optimization_barrier};

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

/// SHA-256 works in blocks of so many bytes.
const BLOCK_BYTES: usize = 64;

/// What SHA-256 begins with (FIPS 180-4 §5.3.3).
const BEGINNING: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The HMAC key of one field, as what SHA-256 has come to once it has read the key's inner and outer block: a token then takes
/// two compressions and no more. Wiped on drop.
///
/// RFC 2104 over the compression function of `sha2`: a person has a hundred tokens, and a clone of `hmac`'s own state, filled
/// part by part and wiped, takes as long as the hash. A test holds it to `hmac`.
pub struct FieldKey {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl FieldKey {
    /// HKDF-SHA-256 without salt to 32 bytes, taken as an HMAC-SHA-256 key.
    pub(super) fn derive(secret: &[u8; 32], info: &str) -> Self {
        let mut okm = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, secret)
            .expand(info.as_bytes(), okm.as_mut())
            .expect("32 bytes are within HKDF-SHA-256's bound");
        Self::new(&okm)
    }

    fn new(key: &[u8; 32]) -> Self {
        let begun_with = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK_BYTES]);
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = BEGINNING;
            compress256(&mut state, std::slice::from_ref(&*block));
            state
        };
        Self { inner: begun_with(0x36), outer: begun_with(0x5c) }
    }

    /// HMAC-SHA-256 over the parts, each preceded by its length as four big-endian bytes.
    #[must_use]
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = Hash::after_block(self.inner);
        for part in parts {
            let length = u32::try_from(part.len()).expect("a hashed part is far below 4 GiB");
            inner.update(&length.to_be_bytes());
            inner.update(part);
        }
        let mut outer = Hash::after_block(self.outer);
        outer.update(&inner.finish());
        // It read a hash, which is nothing that must be wiped.
        outer.finish()
    }
}

impl Drop for FieldKey {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

/// SHA-256 that has read one block already.
struct Hash {
    state: [u32; 8],
    block: [u8; BLOCK_BYTES],
    filled: usize,
    bytes: u64,
}

impl Hash {
    fn after_block(state: [u32; 8]) -> Self {
        Self { state, block: [0; BLOCK_BYTES], filled: 0, bytes: BLOCK_BYTES as u64 }
    }

    fn update(&mut self, mut text: &[u8]) {
        self.bytes += text.len() as u64;
        loop {
            let room = &mut self.block[self.filled..];
            if text.len() < room.len() {
                room[..text.len()].copy_from_slice(text);
                self.filled += text.len();
                return;
            }
            let (now, later) = text.split_at(room.len());
            room.copy_from_slice(now);
            compress256(&mut self.state, std::slice::from_ref(&self.block));
            (self.filled, text) = (0, later);
        }
    }

    /// One bit, zeros, and the length in bits (FIPS 180-4 §5.1.1). What was read is overwritten.
    fn finish(&mut self) -> [u8; 32] {
        const LENGTH_AT: usize = BLOCK_BYTES - size_of::<u64>();
        self.block[self.filled..].fill(0);
        self.block[self.filled] = 0x80;
        if self.filled >= LENGTH_AT {
            compress256(&mut self.state, std::slice::from_ref(&self.block));
            self.block.fill(0);
        }
        self.block[LENGTH_AT..].copy_from_slice(&(8 * self.bytes).to_be_bytes());
        compress256(&mut self.state, std::slice::from_ref(&self.block));
        self.block.fill(0);
        optimization_barrier(&self.block);
        let mut hash = [0; 32];
        for (bytes, word) in hash.chunks_exact_mut(4).zip(self.state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        hash
    }
}

impl fmt::Debug for FieldKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("FieldKey")
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit, Mac};

    use super::*;

    #[test]
    fn it_is_the_hmac_of_the_rfc_at_every_length() {
        let key = std::array::from_fn(|at| at as u8 * 7);
        let text: Vec<u8> = (0..400_u32).map(|at| (at * 31 % 251) as u8).collect();
        let ours = FieldKey::new(&key);
        for length in 0..text.len() {
            for cut in [0, length / 3, length.saturating_sub(1), length] {
                let parts = [&text[..cut], &text[cut..length]];
                let mut theirs = Hmac::<Sha256>::new_from_slice(&key).expect("any key");
                for part in parts {
                    theirs.update(&(part.len() as u32).to_be_bytes());
                    theirs.update(part);
                }
                assert_eq!(ours.mac(&parts), <[u8; 32]>::from(theirs.finalize().into_bytes()), "{length} {cut}");
            }
        }
    }
}
