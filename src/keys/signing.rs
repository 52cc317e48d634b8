//! The signing key (ECDSA on P-256 with SHA-256, `ES256` of RFC 7518) and what others check its signatures with.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::{NonceType, PkeyCtx};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::file;
use super::jwk::{self, Jwk, Material};
use super::meta::{KeyMeta, KeyProblem, KeyState, Purpose};

/// Our private key for signing messages. Never shown, never copied; wiped on drop by OpenSSL, which signs a good deal faster
/// than `p256` does: signatures are most of what a message costs.
pub struct SigningKey {
    kid: String,
    expires: Option<Timestamp>,
    key: PKey<Private>,
}

impl SigningKey {
    pub(super) fn new(kid: String, expires: Option<Timestamp>, key: &SecretKey) -> Self {
        Self { kid, expires, key: for_signing(key).expect("OpenSSL knows P-256 and every key of it") }
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
        self.try_sign(&Sha256::digest(message)).expect("OpenSSL signs a digest of 32 bytes")
    }

    fn try_sign(&self, digest: &[u8]) -> Result<[u8; 64], ErrorStack> {
        let mut signing = PkeyCtx::new(&self.key)?;
        signing.sign_init()?;
        signing.set_signature_md(Md::sha256())?;
        signing.set_nonce_type(NonceType::DETERMINISTIC_K)?;
        // A sequence of two integers of at most 33 bytes.
        let mut der = [0; 72];
        let length = signing.sign(digest, Some(&mut der))?;
        let signature = EcdsaSig::from_der(&der[..length])?;
        let mut plain = [0; 64];
        plain[..32].copy_from_slice(&signature.r().to_vec_padded(32)?);
        plain[32..].copy_from_slice(&signature.s().to_vec_padded(32)?);
        Ok(plain)
    }
}

/// The key as OpenSSL takes it.
fn for_signing(key: &SecretKey) -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let mut private = BigNum::new_secure()?;
    private.copy_from_slice(Zeroizing::new(<[u8; 32]>::from(key.to_bytes())).as_ref())?;
    let public = EcPoint::from_bytes(&group, &key.public_key().to_sec1_bytes(), &mut *BigNumContext::new()?)?;
    PKey::from_ec_key(EcKey::from_private_components(&group, &private, &public)?)
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

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Signer;
    use p256::elliptic_curve::Generate;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn a_signature_is_the_one_that_rfc_6979_says() {
        let mut rng = ChaCha20Rng::seed_from_u64(6979);
        for _ in 0..50 {
            let secret = SecretKey::generate_from_rng(&mut rng);
            let ours = SigningKey::new("key".to_owned(), None, &secret);
            let theirs = p256::ecdsa::SigningKey::from(&secret);
            for message in ["", "sample", "test"] {
                let expected: Signature = theirs.sign(message.as_bytes());
                assert_eq!(ours.sign(message.as_bytes()), <[u8; 64]>::from(expected.to_bytes()));
            }
        }
    }
}
