//! Keyed hashing and sealing at rest against vectors that Python computed (`tests/vectors/keys.py`), and against RFC 5869.

use std::fs;
use std::path::Path;

use hkdf::Hkdf;
use jiff::Timestamp;
use priorityd::keys::linkage::LinkageKey;
use priorityd::keys::vault::VaultKey;
use priorityd::keys::{KeyRing, NewKeys};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::Value;
use sha2::Sha256;
use zeroize::Zeroizing;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/keys.json")).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = text(value).as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hexadecimal");
    digits.map(byte).collect()
}

fn secret(vectors: &Value) -> [u8; 32] {
    bytes(&vectors["secret"]).try_into().expect("32 bytes")
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| number.try_into().ok()).expect("a number")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

/// RFC 5869 A.3: the form that we use, without salt.
#[test]
fn hkdf_is_that_of_rfc_5869() {
    let mut okm = [0; 42];
    Hkdf::<Sha256>::new(None, &[0x0b; 22]).expand(b"", &mut okm).expect("within the bound");
    let hex: String = okm.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

#[test]
fn linkage_macs_are_those_of_python() {
    let vectors = vectors();
    for vector in list(&vectors["linkage"]) {
        let scope = text(&vector["scope"]).parse().expect("a name");
        let key = LinkageKey::new(scope, number(&vector["epoch"]), Zeroizing::new(secret(&vectors)));
        let parts: Vec<&[u8]> = list(&vector["parts"]).iter().map(|part| text(part).as_bytes()).collect();
        assert_eq!(key.field(text(&vector["field"])).mac(&parts).as_slice(), bytes(&vector["mac"]), "{vector}");
    }
}

#[test]
fn vault_seals_are_those_of_python() {
    let vectors = vectors();
    for vector in list(&vectors["vault"]) {
        let key = VaultKey::new(number(&vector["epoch"]), &secret(&vectors));
        let context: Vec<Vec<u8>> = list(&vector["context"]).iter().map(bytes).collect();
        let context: Vec<&[u8]> = context.iter().map(Vec::as_slice).collect();
        let (purpose, clear) = (text(&vector["purpose"]), bytes(&vector["clear"]));
        let nonce = bytes(&vector["nonce"]).try_into().expect("12 bytes");
        let sealed = key.seal(purpose, &context, nonce, &clear);
        assert_eq!(*sealed.bytes, *bytes(&vector["sealed"]), "{vector}");
        assert_eq!(key.open(purpose, &context, &sealed).as_deref(), Some(&clear));
        assert!(key.open("another purpose", &context, &sealed).is_none());
        assert!(key.open(purpose, &[b"another context"], &sealed).is_none());
    }
}

/// Through a ring on disk, so that the key file's form is tested too: `k` comes from Python.
#[test]
fn output_pseudonyms_are_those_of_python() {
    let vectors = vectors();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let ring = dir.path().join("ring");
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let mut new = NewKeys::new(&ring, Timestamp::UNIX_EPOCH, None, &mut rng);
    new.all_missing(&"portsmouth".parse().expect("a name")).expect("made");
    replace_secret(&ring.join("output.1.jwk.json"), &vectors["k"]);
    let ring = KeyRing::load(&ring).expect("in order");
    for vector in list(&vectors["output"]) {
        let key = ring.output(&text(&vector["recipient"]).parse().expect("a name"));
        let id = bytes(&vector["id"]).try_into().expect("16 bytes");
        assert_eq!(key.pseudonym(text(&vector["label"]), &id).as_slice(), bytes(&vector["pseudonym"]), "{vector}");
    }
}

fn replace_secret(path: &Path, k: &Value) {
    let mut key: Value = serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON");
    key["k"] = k.clone();
    fs::write(path, key.to_string()).expect("written");
}
