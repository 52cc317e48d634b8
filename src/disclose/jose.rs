//! The message form, once for both sides: JWE (RFC 7516) around JWS (RFC 7515) around a CloudEvent, and the one choice
//! of algorithms (RFC 7518) that we make and accept.

use aes_kw::{KeyInit, KwAes256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Key management: ephemeral-static ECDH on P-256, then AES key wrap with 256 bits.
pub(super) const KEY_ALGORITHM: &str = "ECDH-ES+A256KW";
/// Content encryption: AES-GCM with 256 bits.
pub(super) const CONTENT_ENCRYPTION: &str = "A256GCM";
/// Signature: ECDSA on P-256 with SHA-256.
pub(super) const SIGNATURE_ALGORITHM: &str = "ES256";
/// Type of the signed part (RFC 8725 §3.11), so that nothing else that is signed with the key can pass for a message.
pub(super) const SIGNED_TYPE: &str = "priorityd-message+jws";
/// Type of what is signed.
pub(super) const CONTENT_TYPE: &str = "cloudevents+json";
/// Type of what is encrypted: a compact JWS (RFC 7515 §4.1.9).
pub(super) const ENCRYPTED_TYPE: &str = "JOSE";
/// Who agrees on a key, PartyUInfo of the derivation. PartyVInfo is the recipient's key id.
pub(super) const SENDER: &str = "priorityd";

/// Base64url without padding, the only encoding in compact forms.
pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The same, appended.
pub(super) fn encode_to(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Its reverse. Strict: no padding, no white space, no stray bits at the end, so that a text has one form only.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The key that wraps content keys between one ephemeral key and one recipient.
pub(super) fn key_encryption_key(shared: &[u8; 32], recipient_kid: &str) -> KwAes256 {
    let key = concat_kdf(shared, KEY_ALGORITHM, SENDER.as_bytes(), recipient_kid.as_bytes(), 256);
    KwAes256::new_from_slice(key.as_ref()).expect("256 bits are a key")
}

/// Concat KDF of RFC 7518 §4.6.2 for keys of at most 256 bits, which take one round: the key is the first `key_bits` of
/// what this returns.
fn concat_kdf(shared: &[u8], algorithm: &str, party_u: &[u8], party_v: &[u8], key_bits: u32) -> Zeroizing<[u8; 32]> {
    let mut hash = Sha256::new();
    hash.update(1_u32.to_be_bytes());
    hash.update(shared);
    for part in [algorithm.as_bytes(), party_u, party_v] {
        let length = u32::try_from(part.len()).expect("a header member is far below 4 GiB");
        hash.update(length.to_be_bytes());
        hash.update(part);
    }
    hash.update(key_bits.to_be_bytes());
    Zeroizing::new(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use p256::{PublicKey, SecretKey};

    use super::*;

    /// RFC 7518 Appendix C, from the two keys to the derived one.
    #[test]
    fn rfc_7518_appendix_c() {
        let bytes = |text| decode(text).expect("base64url");
        let alice = SecretKey::from_slice(&bytes("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo")).expect("a scalar");
        let (x, y) = ("weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck");
        let bob = PublicKey::from_sec1_bytes(&[vec![4], bytes(x), bytes(y)].concat()).expect("a point");
        let shared = alice.diffie_hellman(&bob);
        let key = concat_kdf(shared.raw_secret_bytes(), "A128GCM", b"Alice", b"Bob", 128);
        assert_eq!(encode(&key[..16]), "VqqN6vgjbSBcIijNcacQGg");
    }
}
