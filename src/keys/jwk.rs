//! JWK and JWKS text (RFC 7517) to checked keys and back. A key file is read by this room's rules only: whatever breaks
//! one is named together with what would be right, and no parser's own words, which quote their input, come through.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::meta::{KeyMeta, KeyProblem, KeyState, Purpose};
use crate::model::ids::{PartyId, ScopeId};

/// Who the service is in key ids.
const OURSELVES: &str = "priorityd";

/// One checked key.
pub(super) struct Jwk {
    pub(super) meta: KeyMeta,
    pub(super) kid: String,
    pub(super) material: Material,
}

/// What a key consists of.
pub(super) enum Material {
    /// A 256-bit secret.
    Secret(Zeroizing<[u8; 32]>),
    /// A P-256 pair.
    Private(SecretKey),
    /// The public half of one.
    Public(PublicKey),
    /// A 256-bit secret that lies in its file encrypted by a PKCS#11 token.
    Wrapped(Wrapped),
    /// A retired key whose secret was destroyed.
    Gone,
}

/// A secret as a PKCS#11 token encrypted it (AES-256-GCM, bound to the key id), and where to find the token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrapped {
    /// The token's library.
    pub(super) module: PathBuf,
    /// The token's label.
    pub(super) token: String,
    /// The label of the token's own AES key.
    pub(super) object: String,
    /// The file with the user PIN.
    pub(super) pin_file: PathBuf,
    /// Nonce, base64url.
    pub(super) iv: String,
    /// Ciphertext and tag, base64url.
    pub(super) ciphertext: String,
}

/// Whether a text may hold secrets: a key file does, a published set does not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Private,
    Public,
}

/// Reads a file with one key.
pub(super) fn parse_key(file: &Path, text: &[u8]) -> Result<Jwk, Vec<KeyProblem>> {
    let raw = from_json(file, text, "one JWK").map_err(|problem| vec![problem])?;
    check(file, raw, Form::Private, "")
}

/// Reads a set of public keys: those that are right, and what is wrong with the others.
pub(super) fn parse_set(file: &Path, text: &[u8]) -> (Vec<Jwk>, Vec<KeyProblem>) {
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    let set: RawSet = match from_json(file, text, "a JWK Set, `{\"keys\": [...]}`") {
        Ok(set) => set,
        Err(problem) => return (keys, vec![problem]),
    };
    for (position, raw) in set.keys.into_iter().enumerate() {
        match check(file, raw, Form::Public, &format!("keys[{position}]: ")) {
            Ok(key) => keys.push(key),
            Err(found) => problems.extend(found),
        }
    }
    (keys, problems)
}

/// The key id: for a pair, its owner and RFC 7638 thumbprint; for a secret its place, since a thumbprint of a secret
/// would be something to guess against.
pub(super) fn kid(meta: &KeyMeta, public: Option<&PublicKey>) -> String {
    match public {
        Some(public) => {
            let owner = meta.party.as_ref().map_or(OURSELVES, PartyId::as_str);
            format!("{owner}#{}", thumbprint(public))
        }
        None => match meta.scope.as_ref().map(ScopeId::as_str).or(meta.party.as_ref().map(PartyId::as_str)) {
            Some(whose) => format!("{}.{whose}.{}", meta.purpose, meta.epoch),
            None => format!("{}.{}", meta.purpose, meta.epoch),
        },
    }
}

/// RFC 7638: SHA-256 over the required members in lexicographic order, without white space.
fn thumbprint(public: &PublicKey) -> String {
    let [x, y] = coordinates(public);
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

/// The members `x` and `y` of a public key.
pub(crate) fn coordinates(public: &PublicKey) -> [String; 2] {
    let point = public.to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    [URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)]
}

/// The public key with these members; `None` unless they are a point of P-256, so that no other curve can be slipped in.
pub(crate) fn from_coordinates(x: &str, y: &str) -> Option<PublicKey> {
    let mut point = vec![4];
    for member in [x, y] {
        let bytes = URL_SAFE_NO_PAD.decode(member).ok().filter(|bytes| bytes.len() == 32)?;
        point.extend_from_slice(&bytes);
    }
    PublicKey::from_sec1_bytes(&point).ok()
}

/// The text of a file that holds one key.
pub(super) fn write(meta: &KeyMeta, material: &Material) -> Zeroizing<Vec<u8>> {
    let public = match material {
        Material::Private(key) => Some(key.public_key()),
        Material::Public(key) => Some(*key),
        Material::Secret(_) | Material::Wrapped(_) | Material::Gone => None,
    };
    let (kid, coordinates) = (kid(meta, public.as_ref()), public.as_ref().map(coordinates));
    let secret = match material {
        Material::Secret(secret) => Some(encode_secret(secret)),
        Material::Private(key) => Some(encode_secret(&Zeroizing::new(<[u8; 32]>::from(key.to_bytes())))),
        Material::Public(_) | Material::Wrapped(_) | Material::Gone => None,
    };
    let secret = secret.as_ref().map(|secret| secret.as_str());
    let wrapped = if let Material::Wrapped(wrapped) = material { Some(wrapped) } else { None };
    to_private_text(&match &coordinates {
        Some([x, y]) => WrittenJwk { d: secret, ..WrittenJwk::pair(meta, &kid, x, y) },
        None => WrittenJwk { kty: "oct", kid: &kid, k: secret, pkcs11: wrapped, ..WrittenJwk::empty(meta) },
    })
}

/// Reads a public JWK as another program made it: the point of P-256 in it.
pub(super) fn parse_public(file: &Path, text: &[u8]) -> Result<PublicKey, Vec<KeyProblem>> {
    let raw: RawJwk = from_json(file, text, "one public JWK").map_err(|problem| vec![problem])?;
    let mut findings = Findings { file, prefix: "", problems: Vec::new() };
    if raw.usage.as_deref().is_some_and(|usage| usage != "enc") {
        findings.add("`use` does not fit the purpose", "a recipient key has `enc`");
    }
    let material = check_pair(&raw, Form::Public, KeyState::Active, &mut findings);
    match material {
        Some(Material::Public(key)) if findings.problems.is_empty() => Ok(key),
        _ => Err(findings.problems),
    }
}

/// The text of a JWK Set of public keys.
pub(super) fn write_set<'a>(keys: impl IntoIterator<Item = (&'a KeyMeta, PublicKey)>) -> Vec<u8> {
    let written: Vec<_> =
        keys.into_iter().map(|(meta, key)| (meta, kid(meta, Some(&key)), coordinates(&key))).collect();
    let keys: Vec<_> = written.iter().map(|(meta, kid, [x, y])| WrittenJwk::pair(meta, kid, x, y)).collect();
    let mut text = serde_json::to_vec_pretty(&WrittenSet { keys }).expect("strings and numbers become JSON");
    text.push(b'\n');
    text
}

fn encode_secret(secret: &[u8; 32]) -> Zeroizing<String> {
    // 43 characters; the room is taken at once so that nothing is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(44));
    URL_SAFE_NO_PAD.encode_string(secret, &mut text);
    text
}

/// The one place where a secret becomes file text.
fn to_private_text(jwk: &WrittenJwk<'_>) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(2048));
    serde_json::to_writer_pretty(&mut *text, jwk).expect("strings and numbers become JSON");
    text.push(b'\n');
    text
}

/// A JWK about to be written. Borrows its secrets and lives for one call.
#[derive(Serialize)]
struct WrittenJwk<'a> {
    kty: &'static str,
    kid: &'a str,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    usage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<&'a str>,
    #[serde(rename = "priorityd_pkcs11", skip_serializing_if = "Option::is_none")]
    pkcs11: Option<&'a Wrapped>,
    priorityd: &'a KeyMeta,
}

impl<'a> WrittenJwk<'a> {
    fn empty(meta: &'a KeyMeta) -> Self {
        Self {
            kty: "",
            kid: "",
            usage: None,
            alg: None,
            crv: None,
            x: None,
            y: None,
            d: None,
            k: None,
            pkcs11: None,
            priorityd: meta,
        }
    }

    fn pair(meta: &'a KeyMeta, kid: &'a str, x: &'a str, y: &'a str) -> Self {
        let (usage, alg) = usage_of(meta.purpose).expect("only signing, audit, agreement and recipient keys are pairs");
        Self {
            kty: "EC",
            kid,
            usage: Some(usage),
            alg: Some(alg),
            crv: Some("P-256"),
            x: Some(x),
            y: Some(y),
            ..Self::empty(meta)
        }
    }
}

#[derive(Serialize)]
struct WrittenSet<'a> {
    keys: Vec<WrittenJwk<'a>>,
}

/// The members `use` and `alg` of a pair; `None` for a secret, which has neither.
fn usage_of(purpose: Purpose) -> Option<(&'static str, &'static str)> {
    match purpose {
        Purpose::Signing | Purpose::Audit | Purpose::Agreement => Some(("sig", "ES256")),
        Purpose::Recipient => Some(("enc", "ECDH-ES+A256KW")),
        Purpose::Linkage
        | Purpose::Identifier
        | Purpose::Vault
        | Purpose::Register
        | Purpose::Intake
        | Purpose::Output => None,
    }
}

/// A secret member while a file is read: wiped on drop, no `Debug`.
struct SecretText(Zeroizing<String>);

impl SecretText {
    fn decode(&self) -> Option<Zeroizing<[u8; 32]>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        URL_SAFE_NO_PAD.decode_vec(self.0.as_bytes(), &mut bytes).ok()?;
        <[u8; 32]>::try_from(bytes.as_slice()).ok().map(Zeroizing::new)
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = SecretText;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("base64url text")
            }

            fn visit_str<E>(self, text: &str) -> Result<SecretText, E> {
                Ok(SecretText(Zeroizing::new(text.into())))
            }
        }
        input.deserialize_str(Visitor)
    }
}

/// A JWK as it came. Members that we do not know are ignored, as RFC 7517 asks.
#[derive(Deserialize)]
struct RawJwk {
    kty: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<SecretText>,
    k: Option<SecretText>,
    #[serde(rename = "priorityd_pkcs11")]
    pkcs11: Option<Wrapped>,
    priorityd: Option<RawMeta>,
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<RawJwk>,
}

/// Our own member as it came.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMeta {
    purpose: Option<String>,
    scope: Option<String>,
    party: Option<String>,
    epoch: Option<u32>,
    state: Option<String>,
    created: Option<String>,
    expires: Option<String>,
}

fn from_json<'de, T: Deserialize<'de>>(file: &Path, text: &'de [u8], what: &str) -> Result<T, KeyProblem> {
    serde_json::from_slice(text).map_err(|error| {
        let problem = format!("is not JSON of the right form, line {} column {}", error.line(), error.column());
        KeyProblem::new(file, problem, format!("the file is {what} as `priorityd keys new` writes it"))
    })
}

/// Collects what is wrong with one key.
struct Findings<'a> {
    file: &'a Path,
    prefix: &'a str,
    problems: Vec<KeyProblem>,
}

impl Findings<'_> {
    fn add(&mut self, problem: &str, remedy: impl Into<String>) {
        self.problems.push(KeyProblem::new(self.file, format!("{}{problem}", self.prefix), remedy));
    }
}

fn check(file: &Path, raw: RawJwk, form: Form, prefix: &str) -> Result<Jwk, Vec<KeyProblem>> {
    let mut findings = Findings { file, prefix, problems: Vec::new() };
    let meta = check_meta(raw.priorityd.as_ref(), &mut findings);
    let Some(meta) = meta.filter(|_| findings.problems.is_empty()) else {
        return Err(findings.problems);
    };
    let material = match usage_of(meta.purpose) {
        Some((usage, alg)) => {
            if raw.usage.as_deref().is_some_and(|found| found != usage) {
                findings.add("`use` does not fit the purpose", format!("a {} key has `{usage}`", meta.purpose));
            }
            if raw.alg.as_deref().is_some_and(|found| found != alg) {
                findings.add("`alg` does not fit the purpose", format!("a {} key has `{alg}`", meta.purpose));
            }
            check_pair(&raw, form, meta.state, &mut findings)
        }
        None => check_secret(&raw, form, meta.state, &mut findings),
    };
    let Some(material) = material.filter(|_| findings.problems.is_empty()) else {
        return Err(findings.problems);
    };
    let public = match &material {
        Material::Private(key) => Some(key.public_key()),
        Material::Public(key) => Some(*key),
        Material::Secret(_) | Material::Wrapped(_) | Material::Gone => None,
    };
    let kid = kid(&meta, public.as_ref());
    if raw.kid.as_deref() != Some(&kid) {
        findings.add("`kid` is missing or belongs to another key", format!("this key's is `{kid}`"));
        return Err(findings.problems);
    }
    Ok(Jwk { meta, kid, material })
}

fn check_meta(raw: Option<&RawMeta>, findings: &mut Findings<'_>) -> Option<KeyMeta> {
    let Some(raw) = raw else {
        findings
            .add("the member `priorityd` is missing", "it says what the key is for: purpose, epoch, state, created");
        return None;
    };
    let purpose = raw.purpose.as_deref().and_then(Purpose::parse);
    if purpose.is_none() {
        let known = Purpose::ALL.map(Purpose::as_str).join(", ");
        findings.add("`priorityd.purpose` is missing or unknown", format!("one of {known}"));
    }
    let state = raw.state.as_deref().and_then(KeyState::parse);
    if state.is_none() {
        findings.add("`priorityd.state` is missing or unknown", "pending, active, lookup_only or retired");
    }
    let epoch = raw.epoch.filter(|epoch| *epoch > 0);
    if epoch.is_none() {
        findings.add("`priorityd.epoch` is missing or 0", "a number from 1");
    }
    let created: Option<Timestamp> = raw.created.as_deref().and_then(|text| text.parse().ok());
    if created.is_none() {
        findings.add("`priorityd.created` is missing or no time", "a time like 2026-01-31T09:00:00Z");
    }
    let expires: Option<Timestamp> = raw.expires.as_deref().and_then(|text| text.parse().ok());
    if raw.expires.is_some() && expires.is_none() {
        findings.add("`priorityd.expires` is no time", "a time like 2027-01-31T09:00:00Z, or leave it out");
    }
    let scope: Option<ScopeId> = raw.scope.as_deref().and_then(|text| text.parse().ok());
    if scope.is_some() != purpose.is_some_and(Purpose::has_scope) || scope.is_none() != raw.scope.is_none() {
        let rule = "a linkage or identifier key names its scope, and no other key does";
        findings.add("`priorityd.scope` does not fit", rule);
    }
    let party: Option<PartyId> = raw.party.as_deref().and_then(|text| text.parse().ok());
    if party.is_some() != purpose.is_some_and(Purpose::has_party) || party.is_none() != raw.party.is_none() {
        let rule = "a recipient, intake or agreement key names its party, and no other key does";
        findings.add("`priorityd.party` does not fit", rule);
    }
    Some(KeyMeta { purpose: purpose?, scope, party, epoch: epoch?, state: state?, created: created?, expires })
}

fn check_secret(raw: &RawJwk, form: Form, state: KeyState, findings: &mut Findings<'_>) -> Option<Material> {
    if form == Form::Public {
        findings.add("a secret in a set of public keys", "take it out, and replace the key: it may have been seen");
        return None;
    }
    if raw.kty.as_deref() != Some("oct") {
        findings.add("`kty` does not fit the purpose", "`oct`");
    }
    match (&raw.k, &raw.pkcs11) {
        (None, None) if state == KeyState::Retired => Some(Material::Gone),
        (None, Some(wrapped)) => Some(Material::Wrapped(wrapped.clone())),
        (Some(_), Some(_)) => {
            findings.add("`k` stands beside `priorityd_pkcs11`", "one of the two; a wrapped key has no `k`");
            None
        }
        (None, None) => {
            findings.add("`k` is missing", "32 random bytes in base64url without padding");
            None
        }
        (Some(k), None) => {
            let secret = k.decode();
            if secret.is_none() {
                findings.add("`k` is not 32 bytes", "32 random bytes in base64url without padding");
            }
            secret.map(Material::Secret)
        }
    }
}

fn check_pair(raw: &RawJwk, form: Form, state: KeyState, findings: &mut Findings<'_>) -> Option<Material> {
    if raw.kty.as_deref() != Some("EC") || raw.crv.as_deref() != Some("P-256") {
        findings.add("`kty` or `crv` does not fit the purpose", "`EC` and `P-256`");
    }
    let public = raw.x.as_deref().zip(raw.y.as_deref()).and_then(|(x, y)| from_coordinates(x, y));
    let Some(public) = public else {
        findings.add("`x` and `y` are no point of P-256", "32 bytes each in base64url without padding");
        return None;
    };
    match (&raw.d, form) {
        (None, Form::Public) => Some(Material::Public(public)),
        (Some(_), Form::Public) => {
            findings.add("`d`, a private key, in a set of public keys", "take it out, and replace the pair");
            None
        }
        // What only verifies needs no private part, and is safer without one.
        (None, Form::Private) if matches!(state, KeyState::LookupOnly | KeyState::Retired) => {
            Some(Material::Public(public))
        }
        (None, Form::Private) => {
            findings.add("`d`, the private part, is missing", "32 bytes in base64url without padding");
            None
        }
        (Some(d), Form::Private) => {
            let key = d.decode().and_then(|scalar| SecretKey::from_slice(scalar.as_ref()).ok());
            let key = key.filter(|key| key.public_key() == public);
            if key.is_none() {
                findings.add("`d` does not belong to `x` and `y`", "the private half of the same pair");
            }
            key.map(Material::Private)
        }
    }
}
