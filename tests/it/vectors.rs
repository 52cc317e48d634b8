//! Keyed hashing against vectors of an independent implementation (`tests/vectors/pseudonymise.py`).

use priorityd::keys::linkage::LinkageKey;
use priorityd::model::ids::PartyId;
use priorityd::normalise::{NormalIdentity, normalise_identity};
use priorityd::pseudonymise::Pseudonymiser;
use priorityd::validate::identity::{ClearIdentity, ClearName, ClearText};
use serde_json::Value;
use zeroize::Zeroizing;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/pseudonymise.json")).expect("the vectors are JSON")
}

fn key(vectors: &Value) -> LinkageKey {
    let secret = |name: &str| {
        let hex = vectors[name].as_str().expect("hex");
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
        Zeroizing::new(std::array::from_fn(byte))
    };
    let scope = vectors["scope"].as_str().expect("a scope").parse().expect("a scope");
    LinkageKey::new(scope, 3, secret("secret")).with_identifiers(&secret("identifiers"))
}

fn text(text: &str) -> Option<ClearText> {
    Some(ClearText::new(text.to_owned()))
}

fn sarah() -> NormalIdentity {
    normalise_identity(ClearIdentity {
        given_names: vec![ClearText::new("LIZ  Jane".to_owned())],
        family_name: text("Whitcombe-Jones"),
        former_names: vec![ClearName { given_names: Vec::new(), family_name: text("Smith") }],
        date_of_birth: text("1985-03-07"),
        sex: text("female"),
        postcode: text("PO4 8RA"),
        address: text("12 Festing Road, Southsea"),
        uprn: text("001775001234"),
        nhs_number: text("943 476 5919"),
        noms_number: text("a1234bc"),
        pnc_id: text("1999/0000000A"),
        ..ClearIdentity::default()
    })
}

fn hash(value: &Value) -> &str {
    value["hash"].as_str().expect("hex")
}

#[test]
fn field_keys_and_ids_agree() {
    let vectors = vectors();
    let key = key(&vectors);
    for (field, expected) in vectors["field_keys"].as_object().expect("fields") {
        let hex: String = key.field(field).mac([""; 0]).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(Some(hex.as_str()), expected.as_str(), "{field}");
    }
    let hasher = Pseudonymiser::new(&key);
    let police: PartyId = "police".parse().expect("a party");
    assert_eq!(hasher.event_id("urn:priorityd:police", "e-1").to_string(), hash(&vectors["event_id"]));
    assert_eq!(hasher.local_ref(&police, "P-77").to_string(), hash(&vectors["local_ref"]));
    let fingerprint: String = hasher.fingerprint(b"{\"a\":1}").iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fingerprint, hash(&vectors["fingerprint"]));
    assert_eq!(Some(hasher.record(&police, "P-77", &sarah()).to_string().as_str()), vectors["record"].as_str());
}

#[test]
fn tokens_agree() {
    let vectors = vectors();
    let identity = sarah();
    assert_eq!(identity.dropped_identifiers, 1, "the PNC id's check letter does not hold");
    let tokens = serde_json::to_value(Pseudonymiser::new(&key(&vectors)).tokens(&identity)).expect("tokens are JSON");
    for (field, expected) in vectors["tokens"].as_object().expect("fields") {
        assert_eq!(&tokens[field], expected, "{field}");
    }
    assert_eq!(tokens.as_object().map(serde_json::Map::len), vectors["tokens"].as_object().map(serde_json::Map::len));
}
