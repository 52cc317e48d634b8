//! Opening: the recipient's side of sealing, and the only reader that we trust with our own promises. Strict: one choice
//! of algorithms, nothing critical that we do not know, and every refusal has a name.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aes_kw::KwAes256;
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

/// Opens one message that must be for `recipient`, signed by one of `signers` and not over at `now`.
pub fn open(
    message: &str,
    key: &RecipientPrivateKey,
    signers: &SignerKeys,
    recipient: &PartyId,
    now: Timestamp,
) -> Result<Opened, OpenError> {
    Opener::new(std::slice::from_ref(key), signers, recipient).open(message, now)
}

/// Opens many messages. Those of one interval share a protected header, ephemeral key included, byte for byte; the last
/// one that opened a message is remembered together with what it came to.
pub struct Opener<'a> {
    keys: &'a [RecipientPrivateKey],
    signers: &'a SignerKeys,
    recipient: &'a PartyId,
    agreed: Option<(String, KwAes256)>,
}

impl<'a> Opener<'a> {
    /// Opens messages that must be for `recipient` and signed by one of `signers`. A message names its key: after a
    /// rotation earlier ones are among `keys` for as long as there are messages sealed to them.
    #[must_use]
    pub fn new(keys: &'a [RecipientPrivateKey], signers: &'a SignerKeys, recipient: &'a PartyId) -> Self {
        Self { keys, signers, recipient, agreed: None }
    }

    /// Opens a message that must not be over at `now`.
    pub fn open(&mut self, message: &str, now: Timestamp) -> Result<Opened, OpenError> {
        let signed = self.decrypt(message)?;
        let (event, signer) = verify(&signed, self.signers, now, (jose::SIGNED_TYPE, jose::CONTENT_TYPE))?;
        let attributes: Attributes = serde_json::from_slice(&event).map_err(|_| OpenError::NotAMessage)?;
        if attributes.recipient != self.recipient.as_str() {
            return Err(OpenError::ReAddressed);
        }
        if attributes.expirytime <= now {
            return Err(OpenError::Expired);
        }
        Ok(Opened { event, signer, expires: attributes.expirytime })
    }

    /// The encryption: RFC 7516 §5.2.
    fn decrypt(&mut self, message: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let parts: Vec<&str> = message.split('.').collect();
        let [protected, wrapped, nonce, ciphertext, tag] = parts[..] else {
            return Err(OpenError::NotEncrypted);
        };
        let (header, wrapping) = match self.agreed.take() {
            Some(agreed) if agreed.0 == protected => agreed,
            Some(_) | None => (protected.to_owned(), agree(protected, self.keys)?),
        };
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
        wrapping.unwrap_key(&wrapped, content_key.as_mut()).map_err(|_| OpenError::ContentKeyRefused)?;
        let cipher = Aes256Gcm::new_from_slice(content_key.as_ref()).expect("256 bits are a key");
        let payload = Payload { msg: &sealed, aad: protected.as_bytes() };
        let clear = cipher.decrypt(&Nonce::from(nonce), payload).map_err(|_| OpenError::Tampered)?;
        self.agreed = Some((header, wrapping));
        Ok(Zeroizing::new(clear))
    }
}

impl fmt::Debug for Opener<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Opener({})", self.recipient)
    }
}

/// Checks a protected header and agrees on the key that wraps content keys.
fn agree(protected: &str, keys: &[RecipientPrivateKey]) -> Result<KwAes256, OpenError> {
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
    let named = keys.iter().find(|key| header.kid.as_deref() == Some(key.kid()));
    let key = named.ok_or(OpenError::WrongKey)?;
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
    Ok(jose::key_encryption_key(&key.agree(&ephemeral), key.kid()))
}

/// The signature: RFC 7515 §5.2.
pub(super) fn verify(
    signed: &[u8],
    signers: &SignerKeys,
    now: Timestamp,
    (typ, cty): (&str, &str),
) -> Result<(Zeroizing<Vec<u8>>, String), OpenError> {
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
    if header.typ.as_deref() != Some(typ) || header.cty.as_deref() != Some(cty) {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use p256::elliptic_curve::Generate;
    use p256::{PublicKey, SecretKey};
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;
    use serde_json::{Value, json};

    use super::*;
    use crate::disclose::seal::Sealer;
    use crate::keys::KeyRing;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);
    const EVENT: &str = r#"{"specversion":"1.0","recipient":"up2u","expirytime":"2027-06-01T00:00:00Z","data":{}}"#;

    struct Parties {
        ring: KeyRing,
        up2u: RecipientPrivateKey,
        stop: RecipientPrivateKey,
    }

    impl Parties {
        fn new(seed: u64) -> Self {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let (ring, services) = (dir.path().join("ring"), dir.path().join("services"));
            let scope = "portsmouth".parse().expect("a name");
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let ring = KeyRing::create(&ring, &services, &scope, &["up2u", "stop"].map(party), NOW, &mut rng);
            let key = |name: &str| RecipientPrivateKey::read(&services.join(name)).expect("a key");
            Self { ring: ring.expect("made"), up2u: key("up2u.jwk.json"), stop: key("stop.jwk.json") }
        }

        fn seal(&self, event: &str) -> String {
            let up2u = self.ring.recipient(&party("up2u")).expect("a key");
            let mut rng = ChaCha20Rng::seed_from_u64(3);
            Sealer::default().seal(event.as_bytes(), up2u, self.ring.signing(), NOW, &mut rng).expect("sealed")
        }

        fn open(&self, message: &str) -> Result<Opened, OpenError> {
            open(message, &self.up2u, self.ring.signers(), &party("up2u"), NOW)
        }

        /// A JWS as anybody could write it who has our signing key.
        fn signed(&self, header: &Value, event: &str) -> String {
            let input = format!("{}.{}", jose::encode(header.to_string()), jose::encode(event));
            let signature = jose::encode(self.ring.signing().sign(input.as_bytes()));
            format!("{input}.{signature}")
        }

        fn signed_header(&self) -> Value {
            json!({"alg": "ES256", "kid": self.ring.signing().kid(), "typ": jose::SIGNED_TYPE, "cty": jose::CONTENT_TYPE})
        }

        /// A JWE as anybody can write it to up2u, with members of the header replaced (`null` takes one away).
        fn encrypted(&self, signed: &str, replaced: &Value) -> String {
            let to = self.ring.recipient(&party("up2u")).expect("a key");
            encrypted(to.public(), to.kid(), signed, replaced)
        }
    }

    fn encrypted(to: &PublicKey, kid: &str, signed: &str, replaced: &Value) -> String {
        let ephemeral = SecretKey::generate_from_rng(&mut ChaCha20Rng::seed_from_u64(4));
        let [x, y] = jwk::coordinates(&ephemeral.public_key());
        let mut header = json!({"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "kid": kid, "cty": "JOSE",
            "epk": {"kty": "EC", "crv": "P-256", "x": x, "y": y},
            "apu": jose::encode(jose::SENDER), "apv": jose::encode(kid)});
        for (name, value) in replaced.as_object().expect("members") {
            header[name] = value.clone();
        }
        let members: serde_json::Map<_, _> =
            header.as_object().expect("members").clone().into_iter().filter(|(_, value)| !value.is_null()).collect();
        let header = jose::encode(Value::Object(members).to_string());
        let shared = (*ephemeral.diffie_hellman(to).raw_secret_bytes()).into();
        let wrapping: KwAes256 = jose::key_encryption_key(&shared, kid);
        let mut wrapped = [0; 40];
        wrapping.wrap_key(&[5; 32], &mut wrapped).expect("wraps");
        let cipher = Aes256Gcm::new_from_slice(&[5; 32]).expect("a key");
        let payload = Payload { msg: signed.as_bytes(), aad: header.as_bytes() };
        let sealed = cipher.encrypt(&Nonce::from([6; 12]), payload).expect("encrypted");
        let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
        [header, jose::encode(wrapped), jose::encode([6; 12]), jose::encode(ciphertext), jose::encode(tag)].join(".")
    }

    fn party(name: &str) -> PartyId {
        name.parse().expect("a name")
    }

    #[test]
    fn opens_what_was_sealed_byte_for_byte() {
        let parties = Parties::new(1);
        let opened = parties.open(&parties.seal(EVENT)).expect("opened");
        assert_eq!(opened.event(), EVENT.as_bytes());
        assert_eq!(opened.signer(), parties.ring.signing().kid());
        assert!(!format!("{opened:?}").contains("specversion"));
        let forged = parties.encrypted(&parties.signed(&parties.signed_header(), EVENT), &json!({}));
        assert!(parties.open(&forged).is_ok(), "the refusals below are for the changed member and nothing else");
    }

    #[test]
    fn a_changed_byte_in_any_part_is_refused() {
        let parties = Parties::new(1);
        let message = parties.seal(EVENT);
        for (part, expected) in [
            (1, OpenError::ContentKeyRefused),
            (2, OpenError::Tampered),
            (3, OpenError::Tampered),
            (4, OpenError::Tampered),
        ] {
            let mut parts: Vec<String> = message.split('.').map(str::to_owned).collect();
            let mut bytes = jose::decode(&parts[part]).expect("base64url");
            bytes[0] ^= 1;
            parts[part] = jose::encode(bytes);
            assert_eq!(parties.open(&parts.join(".")).err(), Some(expected), "part {part}");
        }
        for position in 0..message.len() {
            let mut changed = message.clone().into_bytes();
            changed[position] = if changed[position] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(parties.open(&changed).is_err(), "character {position}");
        }
    }

    #[test]
    fn an_opener_remembers_nothing_that_it_should_not() {
        let parties = Parties::new(1);
        let (first, party) = (parties.seal(EVENT), party("up2u"));
        let second = parties.encrypted(&parties.signed(&parties.signed_header(), EVENT), &json!({}));
        let downgraded = parties.encrypted(&parties.signed(&parties.signed_header(), EVENT), &json!({"zip": "DEF"}));
        let mut spliced: Vec<&str> = first.split('.').collect();
        spliced[1] = second.split('.').nth(1).expect("five parts");
        let spliced = spliced.join(".");
        let mut opener = Opener::new(std::slice::from_ref(&parties.up2u), parties.ring.signers(), &party);
        for (message, expected) in [
            (&first, None),
            (&first, None),
            (&spliced, Some(OpenError::ContentKeyRefused)),
            (&first, None),
            (&second, None),
            (&downgraded, Some(OpenError::Compressed)),
            (&second, None),
        ] {
            assert_eq!(opener.open(message, NOW).err(), expected);
        }
    }

    #[test]
    fn every_downgrade_of_the_encryption_has_its_name() {
        let parties = Parties::new(1);
        let signed = parties.signed(&parties.signed_header(), EVENT);
        let epk = json!({"kty": "EC", "crv": "P-256", "x": jose::encode([1; 32]), "y": jose::encode([1; 32])});
        let okp = json!({"kty": "OKP", "crv": "X25519", "x": jose::encode([1; 32])});
        for (replaced, expected) in [
            (json!({"alg": "dir", "epk": null}), OpenError::KeyAlgorithmRefused),
            (json!({"alg": "none"}), OpenError::KeyAlgorithmRefused),
            (json!({"alg": "RSA1_5"}), OpenError::KeyAlgorithmRefused),
            (json!({"alg": "RSA-OAEP"}), OpenError::KeyAlgorithmRefused),
            (json!({"alg": "ECDH-ES"}), OpenError::KeyAlgorithmRefused),
            (json!({"alg": "ECDH-ES+A128KW"}), OpenError::KeyAlgorithmRefused),
            (json!({"alg": "PBES2-HS256+A128KW", "p2c": 1_000_000_000}), OpenError::KeyAlgorithmRefused),
            (json!({"alg": "ecdh-es+a256kw"}), OpenError::KeyAlgorithmRefused),
            (json!({"enc": "A128GCM"}), OpenError::ContentEncryptionRefused),
            (json!({"enc": "A256CBC-HS512"}), OpenError::ContentEncryptionRefused),
            (json!({"enc": null}), OpenError::ContentEncryptionRefused),
            (json!({"crit": ["exp"], "exp": 1}), OpenError::CriticalMember),
            (json!({"crit": []}), OpenError::CriticalMember),
            (json!({"zip": "DEF"}), OpenError::Compressed),
            (json!({"kid": parties.stop.kid()}), OpenError::WrongKey),
            (json!({"kid": null}), OpenError::WrongKey),
            (json!({"epk": epk}), OpenError::BadEphemeralKey),
            (json!({"epk": okp}), OpenError::BadEphemeralKey),
            (json!({"epk": null}), OpenError::BadEphemeralKey),
            (json!({"apu": jose::encode("somebody")}), OpenError::BadHeader),
            (json!({"apv": null}), OpenError::BadHeader),
            (json!({"cty": "JWT"}), OpenError::NotSigned),
        ] {
            assert_eq!(parties.open(&parties.encrypted(&signed, &replaced)).err(), Some(expected), "{replaced}");
        }
    }

    #[test]
    fn every_downgrade_of_the_signature_has_its_name() {
        let parties = Parties::new(1);
        for (name, value, expected) in [
            ("alg", json!("none"), OpenError::SignatureAlgorithmRefused),
            ("alg", json!("HS256"), OpenError::SignatureAlgorithmRefused),
            ("alg", json!("ES384"), OpenError::SignatureAlgorithmRefused),
            ("alg", json!("RS256"), OpenError::SignatureAlgorithmRefused),
            ("crit", json!(["b64"]), OpenError::CriticalMember),
            ("crit", json!(null), OpenError::CriticalMember),
            ("typ", json!("priorityd-audit-head+jws"), OpenError::WrongType),
            ("cty", json!("json"), OpenError::WrongType),
            ("kid", json!("priorityd#unknown"), OpenError::UnknownSigner),
        ] {
            let mut header = parties.signed_header();
            header[name] = value;
            let message = parties.encrypted(&parties.signed(&header, EVENT), &json!({}));
            assert_eq!(parties.open(&message).err(), Some(expected), "{header}");
        }
        let unsigned = format!("{}.{}.", jose::encode(parties.signed_header().to_string()), jose::encode(EVENT));
        assert_eq!(parties.open(&parties.encrypted(&unsigned, &json!({}))).err(), Some(OpenError::BadSignature));
        assert_eq!(parties.open(&parties.encrypted(EVENT, &json!({}))).err(), Some(OpenError::NotSigned));
    }

    #[test]
    fn wrong_keys_wrong_signers_and_wrong_addressees_are_told_apart() {
        let (parties, others) = (Parties::new(1), Parties::new(2));
        let message = parties.seal(EVENT);
        let (up2u, stop) = (party("up2u"), party("stop"));
        let signers = parties.ring.signers();
        assert_eq!(open(&message, &parties.stop, signers, &stop, NOW).err(), Some(OpenError::WrongKey));
        assert_eq!(open(&message, &others.up2u, signers, &up2u, NOW).err(), Some(OpenError::WrongKey));
        let unknown = open(&message, &parties.up2u, others.ring.signers(), &up2u, NOW);
        assert_eq!(unknown.err(), Some(OpenError::UnknownSigner));

        // Sealed to another key under this key's name.
        let stop_key = parties.ring.recipient(&stop).expect("a key").public();
        let signed = parties.signed(&parties.signed_header(), EVENT);
        let misnamed = encrypted(stop_key, parties.up2u.kid(), &signed, &json!({}));
        assert_eq!(parties.open(&misnamed).err(), Some(OpenError::ContentKeyRefused));

        // What we signed for stop, encrypted to up2u by whoever opened it.
        let for_stop = parties.signed(&parties.signed_header(), &EVENT.replace("up2u", "stop"));
        assert_eq!(parties.open(&parties.encrypted(&for_stop, &json!({}))).err(), Some(OpenError::ReAddressed));

        let nothing = parties.signed(&parties.signed_header(), "{}");
        assert_eq!(parties.open(&parties.encrypted(&nothing, &json!({}))).err(), Some(OpenError::NotAMessage));
        for not_encrypted in ["", "a.b.c", "....", "a.b.c.d.e.f"] {
            assert!(parties.open(not_encrypted).is_err());
        }
    }

    #[test]
    fn time_ends_messages_and_signers() {
        let parties = Parties::new(1);
        let message = parties.seal(EVENT);
        let (up2u, end) = (party("up2u"), "2027-06-01T00:00:00Z".parse().expect("a time"));
        let late = open(&message, &parties.up2u, parties.ring.signers(), &up2u, end);
        assert_eq!(late.err(), Some(OpenError::Expired));

        let published = String::from_utf8(parties.ring.signing_jwks().to_vec()).expect("UTF-8");
        let with = |from: &str, to: &str| {
            let text = published.replace(from, to);
            SignerKeys::parse(Path::new("published"), text.as_bytes()).expect("in order")
        };
        let retired = with("\"active\"", "\"retired\"");
        let result = open(&message, &parties.up2u, &retired, &up2u, NOW);
        assert_eq!(result.err(), Some(OpenError::ExpiredSigner));
        let expired = with("\"epoch\": 1,", &format!("\"epoch\": 1, \"expires\": \"{NOW}\","));
        let result = open(&message, &parties.up2u, &expired, &up2u, NOW);
        assert_eq!(result.err(), Some(OpenError::ExpiredSigner));
        let rotated = with("\"active\"", "\"lookup_only\"");
        assert!(open(&message, &parties.up2u, &rotated, &up2u, NOW).is_ok());
    }
}
