//! The signature of a data-sharing agreement: a detached JWS (RFC 7515, Appendix F) by somebody who may sign agreements.
//!
//! Such a key is nobody's but the signer's: its private half is never in the ring, and the configuration pins the public
//! one. It signs agreements alone, as the header's type says, so that no message can pass for one.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::file;
use super::jwk::{self, Jwk, Material};
use super::meta::{KeyProblem, KeyState, Purpose};
use super::signing::{SignerKeys, SigningKey, Verdict};

/// Type of what is signed (RFC 8725 §3.11).
const TYPE: &str = "priorityd-agreement";

/// Why a signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// There is none beside the agreement.
    #[error("it is not signed")]
    Missing,
    /// It is no detached compact JWS by ES256 of the type that agreements have.
    #[error("its signature is not a detached JWS of an agreement, by ES256")]
    Form,
    /// No key that the configuration pins has its id.
    #[error("it is signed by a key that the configuration does not pin")]
    UnknownSigner,
    /// The key is retired or its time is over.
    #[error("the key that signed it is retired or its time is over")]
    ExpiredSigner,
    /// The agreement or a policy was changed after it was signed, or the signature is somebody else's.
    #[error("its signature does not fit: the agreement or a policy was changed after signing")]
    BadSignature,
}

/// The protected header. Nothing else may stand in it: a member that we do not know could change the meaning.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Reads the private key of somebody who signs agreements; refuses one that others than its owner could read.
pub fn read_signer(path: &Path) -> Result<SigningKey, Vec<KeyProblem>> {
    let text = file::read_private(path).map_err(|problem| vec![problem])?;
    let Jwk { meta, kid, material } = jwk::parse_key(path, &text)?;
    match (meta.purpose, meta.state, material) {
        (Purpose::Agreement, KeyState::Active, Material::Private(key)) => Ok(SigningKey::new(kid, meta.expires, &key)),
        _ => {
            let remedy = "name a key that `priorityd keys new agreement` made";
            Err(vec![KeyProblem::new(path, "is not an active private key for signing agreements", remedy)])
        }
    }
}

/// Reads the public keys that may have signed an agreement, with every problem in one report.
pub fn read_signers(files: &[PathBuf]) -> Result<SignerKeys, Vec<KeyProblem>> {
    let (mut signers, mut problems) = (Vec::new(), Vec::new());
    for path in files {
        let (keys, found) = match file::read_public(path) {
            Ok(text) => jwk::parse_set(path, &text),
            Err(problem) => (Vec::new(), vec![problem]),
        };
        problems.extend(found);
        for Jwk { meta, kid, material } in keys {
            match (meta.purpose, material) {
                (Purpose::Agreement, Material::Public(key)) => signers.push((kid, meta, key)),
                _ => {
                    let remedy = "only keys for signing agreements belong here";
                    problems.push(KeyProblem::new(path, "holds a key that signs no agreement", remedy));
                }
            }
        }
    }
    if problems.is_empty() { Ok(SignerKeys::new(signers)) } else { Err(problems) }
}

/// Signs a manifest: `header..signature`.
#[must_use]
pub fn sign(key: &SigningKey, manifest: &str) -> String {
    let header = Header { alg: "ES256".to_owned(), kid: key.kid().to_owned(), typ: TYPE.to_owned() };
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&header).expect("a header has a JSON form"));
    let signature = key.sign(signing_input(&header, manifest).as_bytes());
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Verifies a signature; gives the id of the key that made it.
///
/// # Errors
/// Why it does not count.
pub fn verify(
    signature: Option<&str>,
    manifest: &str,
    signers: &SignerKeys,
    now: Timestamp,
) -> Result<String, NotSigned> {
    let (header, rest) = signature.ok_or(NotSigned::Missing)?.trim_ascii().split_once('.').ok_or(NotSigned::Form)?;
    let signature = rest.strip_prefix('.').and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let signature = signature.ok_or(NotSigned::Form)?;
    let decoded = URL_SAFE_NO_PAD.decode(header).map_err(|_| NotSigned::Form)?;
    let Header { alg, kid, typ } = serde_json::from_slice(&decoded).map_err(|_| NotSigned::Form)?;
    if alg != "ES256" || typ != TYPE {
        return Err(NotSigned::Form);
    }
    match signers.verify(&kid, signing_input(header, manifest).as_bytes(), &signature, now) {
        Verdict::Good => Ok(kid),
        Verdict::UnknownSigner => Err(NotSigned::UnknownSigner),
        Verdict::ExpiredSigner => Err(NotSigned::ExpiredSigner),
        Verdict::BadSignature => Err(NotSigned::BadSignature),
    }
}

fn signing_input(header: &str, manifest: &str) -> String {
    format!("{header}.{}", URL_SAFE_NO_PAD.encode(manifest))
}
