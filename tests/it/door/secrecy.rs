//! Whatever comes in, there is one outcome, no panic, and no rejection repeats anything that the record says.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

use super::{APPENDED_MS, feed_of, files, party, validator};
use priorityd::model::ids::PartyId;
use priorityd::validate::Validator;
use priorityd::validate::types::EVENT_TYPES;

/// A word that is no name of our schemas and stands in none of our texts.
const CANARY: &str = "Zwqjxk";

fn examples() -> Vec<(PartyId, Value)> {
    let events = files("examples/events").into_iter().map(|(_, text)| serde_json::from_str::<Value>(&text));
    events.map(|event| event.expect("the example is JSON")).map(|event| (feed_of(&event), event)).collect()
}

/// Every problem as it would leave: none may hold the canary.
fn assert_silent(validator: &Validator, feed: &PartyId, headers: &[(String, Vec<u8>)], payload: &[u8], what: &str) {
    for problem in validator.problems(feed, headers, payload, APPENDED_MS) {
        let told = serde_json::to_string(&problem).expect("a rejection is JSON").to_lowercase();
        assert!(!told.contains(&CANARY.to_lowercase()), "{what}: {told}");
    }
}

/// Calls `visit` with the pointer of every value below `value`, and of `value` itself.
fn walk(value: &Value, pointer: &str, visit: &mut dyn FnMut(&str)) {
    visit(pointer);
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| walk(value, &format!("{pointer}/{name}"), visit))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| walk(value, &format!("{pointer}/{at}"), visit));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn pointers(value: &Value) -> Vec<String> {
    let mut pointers = Vec::new();
    walk(value, "", &mut |pointer| pointers.push(pointer.to_owned()));
    pointers
}

/// Replaces one value, if it is there.
fn put(event: &mut Value, pointer: &str, with: Value) {
    if let Some(place) = event.pointer_mut(pointer) {
        *place = with;
    }
}

#[test]
fn no_rejection_repeats_a_value_or_an_unknown_name() {
    let validators = [validator(), validator().strict()];
    // The canary as every kind of value, in every place, beside names that we do not know.
    let canaries = [
        json!(CANARY),
        json!([CANARY]),
        json!([[CANARY], { CANARY: CANARY }]),
        json!({ CANARY: { CANARY: [CANARY] } }),
        json!(CANARY.repeat(300)),
        json!(format!("2025-02-30T00:00:00Z{CANARY}")),
    ];
    for (feed, event) in examples() {
        for pointer in pointers(&event) {
            for canary in &canaries {
                let mut bad = event.clone();
                put(&mut bad, &pointer, canary.clone());
                for validator in &validators {
                    assert_silent(validator, &feed, &[], bad.to_string().as_bytes(), &pointer);
                }
            }
            let mut bad = event.clone();
            if let Some(Value::Object(fields)) = bad.pointer_mut(&pointer) {
                fields.insert(CANARY.to_owned(), json!(CANARY));
                for validator in &validators {
                    assert_silent(validator, &feed, &[], bad.to_string().as_bytes(), &pointer);
                }
            }
        }
    }
}

#[test]
fn no_rejection_repeats_broken_bytes_or_headers() {
    let validator = validator();
    let feed = party("police");
    let texts = [
        format!("{{\"{CANARY}\": \"{CANARY}\""),
        format!("{{\"{CANARY}\": {CANARY}}}"),
        format!("{{\"{CANARY}\": 1, \"{CANARY}\": 2}}"),
        format!("{{\"{CANARY}\": {{\"{CANARY}\": \"\\u0000\"}}}}"),
        format!("{{\"{CANARY}\": {}", format!("{{\"{CANARY}\":").repeat(200)),
        CANARY.to_owned(),
        format!("\"{CANARY}\""),
        format!("\"\\ud800{CANARY}\""),
    ];
    let headers = [
        vec![],
        vec![("ce_id".to_owned(), CANARY.into()), (format!("ce_{CANARY}"), CANARY.into())],
        vec![("ce_type".to_owned(), CANARY.into()), ("ce_source".to_owned(), CANARY.into())],
        vec![("content-type".to_owned(), format!("application/{CANARY}").into()), ("ce_id".to_owned(), CANARY.into())],
        vec![("content-type".to_owned(), format!("application/cloudevents+{CANARY}").into())],
        vec![(format!("ce_{CANARY}"), b"\xff".to_vec())],
        vec![(format!("ce_{CANARY}"), b"\0".to_vec())],
    ];
    for text in &texts {
        for headers in &headers {
            assert_silent(&validator, &feed, headers, text.as_bytes(), text);
        }
        let mut cut = text.clone().into_bytes();
        cut.push(0xff);
        assert_silent(&validator, &feed, &[], &cut, text);
    }
}

/// A value of any form, with dates, roles and other words that mean something to us among it.
fn any_value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "victim",
        "perpetrator",
        "police",
        "incident",
        "crime",
        "cancel",
        "portsmouth",
        "1900-01-01",
        "2025-02-29",
        "9999-12-31",
        "9999-12-31T23:59:59Z",
        "-009999-01-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2025-03-01T21:40:00+23:59",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<u64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        words.prop_map(|word| json!(word)),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z_]{0,12}", inner, 0..4)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// `validate` and `problems` agree: either an event and no problem, or the first of some problems.
fn assert_one_outcome(validator: &Validator, feed: &PartyId, headers: &[(String, Vec<u8>)], payload: &[u8], at: i64) {
    let problems = validator.problems(feed, headers, payload, at);
    match validator.validate(feed, headers, payload, at) {
        Ok(_) => assert!(problems.is_empty()),
        Err(rejection) => assert_eq!(Some(&rejection), problems.first()),
    }
}

/// Compiled once for all cases.
fn shared() -> &'static [Validator; 2] {
    static SHARED: std::sync::OnceLock<[Validator; 2]> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| [validator(), validator().strict()])
}

proptest! {
    #[test]
    fn any_bytes_have_one_outcome(payload in prop::collection::vec(any::<u8>(), 0..400), name in "(ce_)?[a-z]{0,12}", value: Vec<u8>, at: i64) {
        for validator in shared() {
            assert_one_outcome(validator, &party("police"), &[], &payload, at);
            assert_one_outcome(validator, &party("police"), &[(name.clone(), value.clone())], &payload, at);
        }
    }

    #[test]
    fn changed_bytes_of_an_example_have_one_outcome(
        which: Index,
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let examples = examples();
        let (feed, event) = which.get(&examples);
        let mut payload = event.to_string().into_bytes();
        for (at, byte) in edits {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        for validator in shared() {
            assert_one_outcome(validator, feed, &[], &payload, APPENDED_MS);
        }
    }

    #[test]
    fn changed_values_of_an_example_have_one_outcome(
        which: Index,
        edits in prop::collection::vec((any::<Index>(), any_value()), 1..4),
        kind: Index,
        change_kind: bool,
    ) {
        let examples = examples();
        let (feed, event) = which.get(&examples);
        let mut event = event.clone();
        for (at, value) in edits {
            let pointers = pointers(&event);
            put(&mut event, at.get(&pointers).as_str(), value);
        }
        if change_kind {
            put(&mut event, "/type", json!(kind.get(EVENT_TYPES).name));
        }
        for validator in shared() {
            assert_one_outcome(validator, feed, &[], event.to_string().as_bytes(), APPENDED_MS);
        }
    }

    /// What the daemon counts is what `check` minds: the two ways of finding unknown fields agree.
    #[test]
    fn strict_and_lenient_differ_only_in_unknown_fields(which: Index, places in prop::collection::vec(any::<Index>(), 0..4)) {
        let [lenient, strict] = shared();
        let examples = examples();
        let (feed, event) = which.get(&examples);
        let mut event = event.clone();
        for place in places {
            let pointers = pointers(&event);
            if let Some(Value::Object(fields)) = event.pointer_mut(place.get(&pointers).as_str()) {
                fields.insert(CANARY.to_owned(), json!({ CANARY: 1 }));
            }
        }
        let payload = event.to_string().into_bytes();
        let accepted = lenient.validate(feed, &[], &payload, APPENDED_MS).ok();
        let ignored = accepted.map(|validated| validated.ignored_fields);
        let problems = strict.problems(feed, &[], &payload, APPENDED_MS);
        prop_assert!(problems.iter().all(|problem| problem.code.as_str() == "EVT-025"));
        prop_assert_eq!(ignored.map(|fields| fields > 0), Some(!problems.is_empty()));
    }
}
