//! Sealing: signs a CloudEvent and encrypts it to one recipient, so that only this recipient can read it, and can tell
//! that we wrote it, for it, and until when it holds.
//!
//! The costly step of encryption is the key agreement. One agreement serves a recipient's key for a bounded interval, by
//! count and by time; every message has a fresh content key and nonce of its own. Pure: time and randomness are arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aes_kw::KwAes256;
use jiff::{SignedDuration, Timestamp};
use p256::SecretKey;
use p256::elliptic_curve::Generate;
use rand::CryptoRng;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::jose;
use crate::keys::jwk;
use crate::keys::recipient::RecipientKey;
use crate::keys::signing::SigningKey;
use crate::model::ids::PartyId;

/// How long one key agreement serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAgreementInterval {
    /// Messages at most.
    pub max_messages: u32,
    /// Time at most.
    pub max_age: SignedDuration,
}

impl Default for KeyAgreementInterval {
    fn default() -> Self {
        Self { max_messages: 65_536, max_age: SignedDuration::from_hours(1) }
    }
}

/// Why a message was not sealed. It is held and reported, never sent in any other form (invariant I5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The recipient must renew its key.
    #[error("the recipient's key has expired")]
    RecipientKeyExpired,
    /// We must renew our key.
    #[error("our signing key has expired")]
    SigningKeyExpired,
    /// The bytes are no CloudEvent with `recipient` and `expirytime`.
    #[error("not a CloudEvent with recipient and expirytime")]
    NotAMessage,
    /// `recipient` names somebody else.
    #[error("the message is addressed to somebody else")]
    AddressedElsewhere,
    /// `expirytime` is over.
    #[error("the message has expired already")]
    MessageExpired,
}

/// Seals messages, remembering the key agreement with each recipient's key.
#[derive(Default)]
pub struct Sealer {
    interval: KeyAgreementInterval,
    agreements: BTreeMap<String, (Arc<KeyAgreement>, u32)>,
}

impl Sealer {
    /// Seals with agreements that serve for `interval`.
    #[must_use]
    pub fn new(interval: KeyAgreementInterval) -> Self {
        Self { interval, agreements: BTreeMap::new() }
    }

    /// Seals one message: signs `event`, the bytes of a CloudEvent that names this recipient, and encrypts it.
    pub fn seal(
        &mut self,
        event: &[u8],
        recipient: &RecipientKey,
        signer: &SigningKey,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<String, SealError> {
        self.prepare(recipient, now, rng)?.seal(event, signer)
    }

    /// Draws all that one message needs of randomness. What remains, the envelope does alone, on any thread.
    pub fn prepare(
        &mut self,
        recipient: &RecipientKey,
        now: Timestamp,
        rng: &mut dyn CryptoRng,
    ) -> Result<Envelope, SealError> {
        if recipient.expires().is_some_and(|expires| expires <= now) {
            return Err(SealError::RecipientKeyExpired);
        }
        let agreement = self.agreement(recipient, now, rng);
        let (mut content_key, mut nonce) = (Zeroizing::new([0; 32]), [0; 12]);
        rng.fill_bytes(content_key.as_mut());
        rng.fill_bytes(&mut nonce);
        Ok(Envelope { recipient: recipient.party().clone(), agreement, content_key, nonce, now })
    }

    fn agreement(&mut self, recipient: &RecipientKey, now: Timestamp, rng: &mut dyn CryptoRng) -> Arc<KeyAgreement> {
        let interval = self.interval;
        // An agreement from the future means that the clock was set back: its age is not known, so it ends too.
        let fresh = |agreed: &KeyAgreement| {
            (SignedDuration::ZERO..interval.max_age).contains(&now.duration_since(agreed.since))
        };
        self.agreements.retain(|_, (agreed, used)| fresh(agreed) && *used < interval.max_messages);
        let (agreed, used) = match self.agreements.get_mut(recipient.kid()) {
            Some(entry) => entry,
            None => {
                let agreed = Arc::new(KeyAgreement::new(recipient, now, rng));
                self.agreements.entry(recipient.kid().into()).or_insert((agreed, 0))
            }
        };
        *used += 1;
        Arc::clone(agreed)
    }
}

/// A key agreement with one recipient's key: the protected header, ephemeral public key included, and what wraps content
/// keys. The ephemeral private key is gone as soon as this exists.
struct KeyAgreement {
    since: Timestamp,
    header: String,
    wrapping: KwAes256,
}

impl KeyAgreement {
    fn new(recipient: &RecipientKey, now: Timestamp, rng: &mut dyn CryptoRng) -> Self {
        let ephemeral = SecretKey::generate_from_rng(rng);
        let shared = ephemeral.diffie_hellman(recipient.public());
        let shared = Zeroizing::new((*shared.raw_secret_bytes()).into());
        let [x, y] = jwk::coordinates(&ephemeral.public_key());
        let header = serde_json::json!({
            "alg": jose::KEY_ALGORITHM,
            "enc": jose::CONTENT_ENCRYPTION,
            "kid": recipient.kid(),
            "epk": { "kty": "EC", "crv": "P-256", "x": x, "y": y },
            "apu": jose::encode(jose::SENDER),
            "apv": jose::encode(recipient.kid()),
            "cty": jose::ENCRYPTED_TYPE,
        });
        Self {
            since: now,
            header: jose::encode(header.to_string()),
            wrapping: jose::key_encryption_key(&shared, recipient.kid()),
        }
    }
}

/// Everything that one message to one recipient needs, drawn and ready. Serves once: its nonce and key are never used again.
pub struct Envelope {
    recipient: PartyId,
    agreement: Arc<KeyAgreement>,
    content_key: Zeroizing<[u8; 32]>,
    nonce: [u8; 12],
    now: Timestamp,
}

impl Envelope {
    /// Signs and encrypts: compact JWE of a compact JWS of `event`.
    pub fn seal(self, event: &[u8], signer: &SigningKey) -> Result<String, SealError> {
        let attributes: Attributes = serde_json::from_slice(event).map_err(|_| SealError::NotAMessage)?;
        if attributes.recipient != self.recipient {
            return Err(SealError::AddressedElsewhere);
        }
        if attributes.expirytime <= self.now {
            return Err(SealError::MessageExpired);
        }
        if signer.expires().is_some_and(|expires| expires <= self.now) {
            return Err(SealError::SigningKeyExpired);
        }
        Ok(self.encrypt(&sign(event, signer)))
    }

    fn encrypt(&self, signed: &str) -> String {
        let mut wrapped = [0; 40];
        self.agreement.wrapping.wrap_key(self.content_key.as_ref(), &mut wrapped).expect("32 bytes wrap to 40");
        let header = self.agreement.header.as_str();
        let cipher = Aes256Gcm::new_from_slice(self.content_key.as_ref()).expect("256 bits are a key");
        let payload = Payload { msg: signed.as_bytes(), aad: header.as_bytes() };
        let sealed = cipher.encrypt(&Nonce::from(self.nonce), payload).expect("a message is far below 64 GiB");
        let (ciphertext, tag) = sealed.split_last_chunk::<16>().expect("AES-GCM appends 16 bytes");
        [header, &jose::encode(wrapped), &jose::encode(self.nonce), &jose::encode(ciphertext), &jose::encode(tag)]
            .join(".")
    }
}

/// What must stand inside the signature. Nothing else of the event is looked at here.
#[derive(Deserialize)]
struct Attributes {
    recipient: PartyId,
    expirytime: Timestamp,
}

fn sign(event: &[u8], signer: &SigningKey) -> Zeroizing<String> {
    sign_as(jose::SIGNED_TYPE, jose::CONTENT_TYPE, event, signer)
}

/// Compact JWS over the bytes as they are.
pub(super) fn sign_as(typ: &str, cty: &str, event: &[u8], signer: &SigningKey) -> Zeroizing<String> {
    let header = serde_json::json!({
        "alg": jose::SIGNATURE_ALGORITHM,
        "kid": signer.kid(),
        "typ": typ,
        "cty": cty,
    });
    let header = jose::encode(header.to_string());
    // Room for all of it at once: the event may hold a sealed identity in clear, and growing would leave copies behind.
    let mut signed = Zeroizing::new(String::with_capacity(header.len() + event.len().div_ceil(3) * 4 + 100));
    signed.push_str(&header);
    signed.push('.');
    jose::encode_to(event, &mut signed);
    let signature = signer.sign(signed.as_bytes());
    signed.push('.');
    jose::encode_to(&signature, &mut signed);
    signed
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;
    use crate::keys::KeyRing;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    fn ring() -> KeyRing {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let parties = ["up2u", "stop"].map(party);
        let (ring, services) = (dir.path().join("ring"), dir.path().join("services"));
        let scope = "portsmouth".parse().expect("a name");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        KeyRing::create(&ring, &services, &scope, &parties, NOW, &mut rng).expect("made")
    }

    fn party(name: &str) -> PartyId {
        name.parse().expect("a name")
    }

    fn event(recipient: &str, expires: Timestamp) -> String {
        format!(r#"{{"specversion":"1.0","recipient":"{recipient}","expirytime":"{expires}"}}"#)
    }

    fn in_a_day() -> Timestamp {
        NOW + SignedDuration::from_hours(24)
    }

    /// Protected header, encrypted key and nonce of a message.
    fn front(message: &str) -> [String; 3] {
        let mut parts = message.split('.').map(str::to_owned);
        std::array::from_fn(|_| parts.next().expect("five parts"))
    }

    #[test]
    fn an_agreement_serves_its_interval_and_no_longer() {
        let ring = ring();
        let (up2u, stop) =
            (ring.recipient(&party("up2u")).expect("a key"), ring.recipient(&party("stop")).expect("a key"));
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut sealer = Sealer::new(KeyAgreementInterval { max_messages: 3, max_age: SignedDuration::from_mins(10) });
        let mut seal = |recipient: &RecipientKey, now| {
            let event = event(recipient.party().as_str(), in_a_day());
            let message = sealer.seal(event.as_bytes(), recipient, ring.signing(), now, &mut rng);
            front(&message.expect("sealed"))
        };
        let first: [_; 3] = std::array::from_fn(|_| seal(up2u, NOW));
        assert!(first.iter().all(|message| message[0] == first[0][0]), "one agreement serves three messages");
        assert!(first[0][1] != first[1][1] && first[0][2] != first[1][2], "keys and nonces are each message's own");
        let fourth = seal(up2u, NOW);
        assert_ne!(fourth[0], first[0][0], "the count is over");
        assert_ne!(seal(stop, NOW)[0], fourth[0], "recipients share nothing");
        assert_eq!(seal(up2u, NOW + SignedDuration::from_mins(9))[0], fourth[0]);
        let later = seal(up2u, NOW + SignedDuration::from_mins(10));
        assert_ne!(later[0], fourth[0], "the time is over");
        assert_ne!(seal(up2u, NOW)[0], later[0], "the clock was set back");
    }

    #[test]
    fn what_must_not_leave_is_not_sealed() {
        let ring = ring();
        let up2u = ring.recipient(&party("up2u")).expect("a key");
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let mut seal =
            |event: &str| Sealer::default().seal(event.as_bytes(), up2u, ring.signing(), NOW, &mut rng).err();
        assert_eq!(seal(&event("up2u", in_a_day())), None);
        assert_eq!(seal(&event("stop", in_a_day())), Some(SealError::AddressedElsewhere));
        assert_eq!(seal(&event("up2u", NOW)), Some(SealError::MessageExpired));
        assert_eq!(seal(r#"{"recipient":"up2u"}"#), Some(SealError::NotAMessage));
        assert_eq!(seal("not JSON"), Some(SealError::NotAMessage));
    }

    #[test]
    fn an_expired_key_holds_the_message() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (ring, services) = (dir.path().join("ring"), dir.path().join("services"));
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let tomorrow = Some(in_a_day());
        let mut keys = crate::keys::NewKeys::new(&ring, NOW, tomorrow, &mut rng);
        keys.all_missing(&"portsmouth".parse().expect("a name")).expect("made");
        keys.recipient(&party("up2u"), &services).expect("made");
        let ring = KeyRing::load(&ring).expect("in order");
        let up2u = ring.recipient(&party("up2u")).expect("a key");
        let refused = Sealer::default().prepare(up2u, in_a_day(), &mut rng).err();
        assert_eq!(refused, Some(SealError::RecipientKeyExpired));
        let mut envelope = Sealer::default().prepare(up2u, NOW, &mut rng).expect("not expired");
        envelope.now = in_a_day();
        let event = event("up2u", in_a_day() + SignedDuration::from_hours(1));
        assert_eq!(envelope.seal(event.as_bytes(), ring.signing()), Err(SealError::SigningKeyExpired));
    }
}
