//! One row of bad input: a record, and how it ends.

use std::sync::OnceLock;

use priorityd::model::outcome::{RejectCode, Rejection};
use serde_json::{Value, json};

use super::{APPENDED_MS, example, feed_of, party, schemas_dir, validator};

/// How a record ends.
#[derive(Clone, Copy)]
pub(super) enum Ends {
    /// In the next room.
    Accepted,
    /// Sent back, with the place that the row changed.
    Here(RejectCode),
    /// Sent back, with another place.
    At(RejectCode, &'static str),
}

pub(super) type Headers = Vec<(String, Vec<u8>)>;

/// One record and its end.
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) feed: String,
    pub(super) headers: Headers,
    pub(super) payload: Vec<u8>,
    /// What the row changed, if it changed one thing.
    pub(super) place: String,
    pub(super) ends: Ends,
}

/// A record of the police in structured mode.
pub(super) fn row(what: &'static str, payload: impl Into<Vec<u8>>, ends: Ends) -> Row {
    let (feed, headers, payload) = ("police".to_owned(), Vec::new(), payload.into());
    Row { what, feed, headers, payload, place: String::new(), ends }
}

/// Rows that set one thing in an example; `null` removes it.
pub(super) fn example_with(name: &'static str) -> impl Fn(&'static str, &str, Value, Ends) -> Row {
    move |what, place, value, ends| {
        let mut event = example(name);
        let feed = feed_of(&event).to_string();
        set(&mut event, place, value);
        Row { feed, place: place.to_owned(), ..row(what, event.to_string(), ends) }
    }
}

/// Sets one thing; `null` removes it.
pub(super) fn set(event: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer into the event");
    match event.pointer_mut(parent).expect("the parent is there") {
        Value::Object(fields) if value.is_null() => drop(fields.remove(last)),
        Value::Object(fields) => drop(fields.insert(last.to_owned(), value)),
        Value::Array(items) => items[last.parse::<usize>().expect("an index")] = value,
        _ => panic!("{parent} holds nothing"),
    }
}

/// The incident as text, with one piece of text replaced: for what `Value` cannot hold.
pub(super) fn edited(from: &str, to: &str) -> String {
    let text = example("police.incident").to_string();
    assert!(text.contains(from), "{from} is in the example");
    text.replacen(from, to, 1)
}

/// Every row ends as it says, and its rejection is one as published.
pub(super) fn assert_outcomes(rows: Vec<Row>) {
    let validator = validator();
    for Row { what, feed, headers, payload, place, ends } in rows {
        let feed = party(&feed);
        let outcome = validator.validate(&feed, &headers, &payload, APPENDED_MS).err();
        let problems = validator.problems(&feed, &headers, &payload, APPENDED_MS);
        assert_eq!(outcome, problems.first().cloned(), "{what}: validate tells the first problem");
        let expected = match ends {
            Ends::Accepted => None,
            Ends::Here(code) => Some((code, place.as_str())),
            Ends::At(code, path) => Some((code, path)),
        };
        let found = outcome.as_ref().map(|rejection| (rejection.code, rejection.path.as_str()));
        assert_eq!(found, expected, "{what}: {outcome:?}");
        problems.iter().for_each(assert_as_published);
    }
}

fn assert_as_published(rejection: &Rejection) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| {
        let path = schemas_dir().join("outputs/rejection.v1.json");
        let text = std::fs::read_to_string(path).expect("the schema is part of the repository");
        let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
        jsonschema::draft202012::new(&schema).expect("the schema is a schema")
    });
    let mut told = serde_json::to_value(rejection).expect("a rejection is JSON");
    for (name, value) in [
        ("feed", json!("police")),
        ("partition", json!(0)),
        ("offset", json!(1)),
        ("record_sha256", json!("0".repeat(64))),
    ] {
        told[name] = value;
    }
    assert!(schema.is_valid(&told), "{told}");
}
