//! Both ends of pseudonymising at the source: at the agency a blind event becomes the event that leaves it, and at the hub
//! what was sealed for the way is sealed for staying.
//!
//! The agency seals reference, names and date of birth under its intake key, bound to scope and record. The hub opens them
//! on arrival, which proves that this agency sealed them for this record, and seals them under its own vault key. What the
//! hub can never do is hash: it has no key that turns a name, a date or a number into a token or an id.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::keys::vault::VaultKey;
use crate::model::event::{BlindEvent, Facts};
use crate::model::feed::FeedKind;
use crate::model::ids::hex;
use crate::model::sealed::PERSON;
use crate::model::source::SourceEvent;

/// The event that leaves the agency: CloudEvents, in the form of the schemas, with nobody's name in it. Its people are
/// sealed under the agency's intake key.
#[must_use]
pub fn written(
    source: &str,
    feed: FeedKind,
    event: &BlindEvent,
    linkage_epoch: u32,
    dropped_identifiers: u32,
) -> Value {
    let facts = &event.facts;
    let (name, own) = own_fields(facts);
    let mut data = own;
    let persons = event.persons.iter().map(|person| {
        json!({
            "local_ref": person.local_ref,
            "role": person.role,
            "status": person.status,
            "record": person.record,
            "under_16": person.under_16,
            "tokens": *person.tokens,
            "sealed": {"epoch": person.sealed.epoch, "bytes": URL_SAFE_NO_PAD.encode(&person.sealed.bytes)},
        })
    });
    let persons: Vec<_> = persons.collect();
    let envelope = json!({
        "scope": facts.scope,
        "occurred_at": facts.occurred_at,
        "recorded_at": facts.recorded_at,
        "regime": facts.regime,
        "relationship": facts.relationship,
        "supersedes": event.supersedes,
        "persons": (!persons.is_empty()).then_some(persons),
        "pseudonymised": {
            "linkage_epoch": linkage_epoch,
            "fingerprint": hex(&event.fingerprint),
            "dropped_identifiers": dropped_identifiers,
        },
    });
    if let Value::Object(shared) = envelope {
        data.extend(shared);
    }
    let mut event = json!({
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": format!("uk.priorityd.{}.{name}.v1", feed.as_str()),
        "data": data,
    });
    drop_nulls(&mut event);
    event
}

/// The name of the event and its own fields. An amendment leaves as the event that it makes: its type, which supersedes.
fn own_fields(facts: &Facts) -> (String, Map<String, Value>) {
    let detail = serde_json::to_value(&facts.detail).expect("a detail has a JSON form");
    let Value::Object(variant) = detail else { unreachable!("a detail is a variant with fields") };
    let (name, own) = variant.into_iter().next().expect("one variant");
    let Value::Object(own) = own else { unreachable!("every variant has named fields") };
    (name, own)
}

/// What is missing is left out: our schemas have no null.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What the hub takes in: the same event, its people sealed under the hub's own vault key. `None` when a person was not
/// sealed with the agency's intake key for this scope and record. `nonce` must give a new random value at each call.
pub fn admit<'k>(
    facts: Facts,
    event: SourceEvent,
    intake: impl Fn(u32) -> Option<&'k VaultKey>,
    vault: &VaultKey,
    mut nonce: impl FnMut() -> [u8; 12],
) -> Option<BlindEvent> {
    let SourceEvent { id, supersedes, fingerprint, mut persons, .. } = event;
    for person in &mut persons {
        let context: [&[u8]; 2] = [facts.scope.as_str().as_bytes(), &person.record.0];
        let clear = intake(person.sealed.epoch)?.open(PERSON, &context, &person.sealed)?;
        person.sealed = vault.seal(PERSON, &context, nonce(), &clear);
    }
    Some(BlindEvent { id, supersedes, fingerprint, facts, persons })
}
