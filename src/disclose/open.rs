//! Opening: the recipient's side of sealing, and the only reader that we trust with our own promises. Strict: one choice
//! of algorithms, nothing critical that we do not know, and every refusal has a name.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::jose;
use crate::keys::jwk;
use crate::keys::recipient::RecipientPrivateKey;
use crate::keys::signing::{SignerKeys, Verdict};
use crate::model::ids::PartyId;

/// Why a message was refused. Says nothing of what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum OpenError {
    /// Not five parts of base64url.
    #[error("not a compact JWE")]
    NotEncrypted,
    /// A header is not JSON of the right form.
    #[error("a header has not the right form")]
    BadHeader,
    /// A header asks for an extension (`crit`).
    #[error("a header has critical members, which are refused")]
    CriticalMember,
    /// The content is compressed (`zip`).
    #[error("compressed content is refused")]
    Compressed,
    /// `alg` of the encryption is not `ECDH-ES+A256KW`.
    #[error("the key algorithm is not ECDH-ES+A256KW")]
    KeyAlgorithmRefused,
    /// `enc` is not `A256GCM`.
    #[error("the content encryption is not A256GCM")]
    ContentEncryptionRefused,
    /// `kid` names another key.
    #[error("sealed to another key")]
    WrongKey,
    /// `epk` is no point of P-256.
    #[error("the ephemeral key is no point of P-256")]
    BadEphemeralKey,
    /// The content key does not unwrap: changed, or sealed to another key under this key's name.
    #[error("the content key does not unwrap: changed, or sealed to another key")]
    ContentKeyRefused,
    /// Header, nonce, content or tag was changed.
    #[error("the message was changed")]
    Tampered,
    /// What was encrypted is not a compact JWS.
    #[error("the content is not signed")]
    NotSigned,
    /// `alg` of the signature is not `ES256`.
    #[error("the signature algorithm is not ES256")]
    SignatureAlgorithmRefused,
    /// `typ` or `cty` says that it is something else than a message.
    #[error("signed as something else than a message")]
    WrongType,
    /// No trusted key has this `kid`.
    #[error("signed with an unknown key")]
    UnknownSigner,
    /// The key that signed is retired or its time is over.
    #[error("signed with a key whose time is over")]
    ExpiredSigner,
    /// The named key did not sign this.
    #[error("the signature is wrong")]
    BadSignature,
    /// What was signed is no CloudEvent with `recipient` and `expirytime`.
    #[error("the signed content is not a message")]
    NotAMessage,
    /// Signed for somebody else, and encrypted to us by somebody in between.
    #[error("addressed to somebody else")]
    ReAddressed,
    /// `expirytime` is over.
    #[error("the message has expired")]
    Expired,
}

/// A message that was opened: checked from the outside to the inside. Its content may identify a person, so it is wiped
/// on drop and `Debug` does not show it.
pub struct Opened {
    event: Zeroizing<Vec<u8>>,
    signer: String,
    expires: Timestamp,
}

impl Opened {
    /// The CloudEvent, byte for byte as it was signed.
    #[must_use]
    pub fn event(&self) -> &[u8] {
        &self.event
    }

    /// The id of the key that signed it.
    #[must_use]
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// Until when it holds.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Opened({} bytes, signed by {})", self.event.len(), self.signer)
    }
}

/// Opens a message that must be for `recipient`, signed by one of `signers` and not over at `now`.
pub fn open(
    message: &str,
    key: &RecipientPrivateKey,
    signers: &SignerKeys,
    recipient: &PartyId,
    now: Timestamp,
) -> Result<Opened, OpenError> {
    let signed = decrypt(message, key)?;
    let (event, signer) = verify(&signed, signers, now)?;
    let attributes: Attributes = serde_json::from_slice(&event).map_err(|_| OpenError::NotAMessage)?;
    if attributes.recipient != recipient.as_str() {
        return Err(OpenError::ReAddressed);
    }
    if attributes.expirytime <= now {
        return Err(OpenError::Expired);
    }
    Ok(Opened { event, signer, expires: attributes.expirytime })
}

/// The encryption: RFC 7516 §5.2.
fn decrypt(message: &str, key: &RecipientPrivateKey) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let parts: Vec<&str> = message.split('.').collect();
    let [protected, wrapped, nonce, ciphertext, tag] = parts[..] else {
        return Err(OpenError::NotEncrypted);
    };
    let header: EncryptionHeader = read_header(protected, OpenError::NotEncrypted)?;
    if header.crit {
        return Err(OpenError::CriticalMember);
    }
    if header.alg != jose::KEY_ALGORITHM {
        return Err(OpenError::KeyAlgorithmRefused);
    }
    if header.enc != jose::CONTENT_ENCRYPTION {
        return Err(OpenError::ContentEncryptionRefused);
    }
    if header.zip {
        return Err(OpenError::Compressed);
    }
    if header.kid.as_deref() != Some(key.kid()) {
        return Err(OpenError::WrongKey);
    }
    let ours = |member: Option<&str>, expected: &str| member == Some(jose::encode(expected).as_str());
    if !ours(header.apu.as_deref(), jose::SENDER) || !ours(header.apv.as_deref(), key.kid()) {
        return Err(OpenError::BadHeader);
    }
    if header.cty.as_deref() != Some(jose::ENCRYPTED_TYPE) {
        return Err(OpenError::NotSigned);
    }
    let ephemeral = header.epk.and_then(|epk| EphemeralKey::deserialize(epk).ok());
    let ephemeral = ephemeral.filter(|epk| epk.kty == "EC" && epk.crv == "P-256");
    let ephemeral =
        ephemeral.and_then(|epk| jwk::from_coordinates(&epk.x, &epk.y)).ok_or(OpenError::BadEphemeralKey)?;

    let part = |text| jose::decode(text).ok_or(OpenError::NotEncrypted);
    let (wrapped, nonce, mut sealed, tag) = (part(wrapped)?, part(nonce)?, part(ciphertext)?, part(tag)?);
    let (Ok(nonce), Ok(tag)) = (<[u8; 12]>::try_from(nonce), <[u8; 16]>::try_from(tag)) else {
        return Err(OpenError::NotEncrypted);
    };
    sealed.extend_from_slice(&tag);
    let mut content_key = Zeroizing::new([0; 32]);
    if wrapped.len() != content_key.len() + aes_kw::IV_LEN {
        return Err(OpenError::ContentKeyRefused);
    }
    jose::key_encryption_key(&key.agree(&ephemeral), key.kid())
        .unwrap_key(&wrapped, content_key.as_mut())
        .map_err(|_| OpenError::ContentKeyRefused)?;
    let cipher = Aes256Gcm::new_from_slice(content_key.as_ref()).expect("256 bits are a key");
    let payload = Payload { msg: &sealed, aad: protected.as_bytes() };
    cipher.decrypt(&Nonce::from(nonce), payload).map(Zeroizing::new).map_err(|_| OpenError::Tampered)
}

/// The signature: RFC 7515 §5.2.
fn verify(signed: &[u8], signers: &SignerKeys, now: Timestamp) -> Result<(Zeroizing<Vec<u8>>, String), OpenError> {
    let text = std::str::from_utf8(signed).map_err(|_| OpenError::NotSigned)?;
    let (input, signature) = text.rsplit_once('.').ok_or(OpenError::NotSigned)?;
    let (protected, payload) = input.split_once('.').ok_or(OpenError::NotSigned)?;
    let header: SignatureHeader = read_header(protected, OpenError::NotSigned)?;
    if header.crit {
        return Err(OpenError::CriticalMember);
    }
    if header.alg != jose::SIGNATURE_ALGORITHM {
        return Err(OpenError::SignatureAlgorithmRefused);
    }
    if header.typ.as_deref() != Some(jose::SIGNED_TYPE) || header.cty.as_deref() != Some(jose::CONTENT_TYPE) {
        return Err(OpenError::WrongType);
    }
    let kid = header.kid.ok_or(OpenError::UnknownSigner)?;
    let signature = jose::decode(signature).ok_or(OpenError::NotSigned)?;
    match signers.verify(&kid, input.as_bytes(), &signature, now) {
        Verdict::Good => {}
        Verdict::UnknownSigner => return Err(OpenError::UnknownSigner),
        Verdict::ExpiredSigner => return Err(OpenError::ExpiredSigner),
        Verdict::BadSignature => return Err(OpenError::BadSignature),
    }
    let event = jose::decode(payload).map(Zeroizing::new).ok_or(OpenError::NotSigned)?;
    Ok((event, kid))
}

fn read_header<T: for<'de> Deserialize<'de>>(text: &str, not_encoded: OpenError) -> Result<T, OpenError> {
    let json = jose::decode(text).ok_or(not_encoded)?;
    serde_json::from_slice(&json).map_err(|_| OpenError::BadHeader)
}

/// Members that RFC 7516 does not make critical and that we do not know are ignored, as it asks; a member that comes
/// twice is refused.
#[derive(Deserialize)]
struct EncryptionHeader {
    alg: String,
    #[serde(default)]
    enc: String,
    kid: Option<String>,
    epk: Option<serde_json::Value>,
    apu: Option<String>,
    apv: Option<String>,
    cty: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    #[serde(default, deserialize_with = "present")]
    zip: bool,
}

#[derive(Deserialize)]
struct EphemeralKey {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

#[derive(Deserialize)]
struct SignatureHeader {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    cty: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

#[derive(Deserialize)]
struct Attributes {
    recipient: String,
    expirytime: Timestamp,
}

/// That a member is there is enough, whatever it is: even `null` is refused.
fn present<'de, D: Deserializer<'de>>(input: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(input).map(|_| true)
}
