//! Our documents as the schema library reads them: in place, without another copy of who somebody is.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jsonschema::JsonType;
use jsonschema::json::{Array, Json, Node as Instance, NodeIdentity, Object, cmp, unique};
use serde_json::{Number, Value};

use super::document::{Fields, Node, RecordText};

static NOTHING: Value = Value::Null;

/// The representation.
pub(super) struct Borrowed;

impl Json for Borrowed {
    type Node<'a> = &'a Node<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Self::Node<'_>) -> T) -> T {
        f(&Node::Text(RecordText::borrowed(string)))
    }
}

impl<'a> Instance<'a, Borrowed> for &'a Node<'a> {
    type Object = &'a Fields<'a>;
    type Array = &'a [Node<'a>];
    type Number = &'a Number;

    fn as_object(&self) -> Option<Self::Object> {
        Node::as_object(self)
    }

    fn as_array(&self) -> Option<Self::Array> {
        Node::as_list(self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        Node::as_str(self).map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self {
            Node::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        match self {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Node::Null)
    }

    fn json_type(&self) -> JsonType {
        match self {
            Node::Null => JsonType::Null,
            Node::Bool(_) => JsonType::Boolean,
            Node::Number(_) => JsonType::Number,
            Node::Text(_) => JsonType::String,
            Node::List(_) => JsonType::Array,
            Node::Object(_) => JsonType::Object,
        }
    }

    fn string_length(&self) -> Option<u64> {
        let text = Node::as_str(self)?;
        Some(if text.is_ascii() { text.len() } else { text.chars().count() } as u64)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self, expected) {
            (Node::Text(text), Value::String(expected)) => **text == **expected,
            (Node::Text(_), _) | (_, Value::String(_)) => false,
            _ => cmp::equal(&value(self), expected),
        }
    }

    /// What errors quote: nothing. Where they are is what is told.
    fn to_value(&self) -> Cow<'a, Value> {
        Cow::Borrowed(&NOTHING)
    }

    /// Schemas of events hold no schema of themselves: there is no cycle to find.
    fn identity(&self) -> Option<NodeIdentity> {
        None
    }
}

impl<'a> Object<'a, Borrowed> for &'a Fields<'a> {
    type Node = &'a Node<'a>;
    type MemberName = &'a str;
    type MembersIter = Members<'a>;

    fn len(&self) -> usize {
        Fields::len(self)
    }

    fn get(&self, key: &String) -> Option<&'a Node<'a>> {
        Fields::get(self, key)
    }

    fn members(&self) -> Members<'a> {
        Members(self.iter())
    }
}

/// The properties of an object.
pub(super) struct Members<'a>(std::slice::Iter<'a, (RecordText<'a>, Node<'a>)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Node<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (&**name, value))
    }
}

impl<'a> Array<'a, Borrowed> for &'a [Node<'a>] {
    type Node = &'a Node<'a>;
    type ElementsIter = std::slice::Iter<'a, Node<'a>>;

    fn len(&self) -> usize {
        <[Node<'_>]>::len(self)
    }

    fn elements(&self) -> Self::ElementsIter {
        self.iter()
    }

    fn is_unique(&self) -> bool {
        let mut seen = BTreeSet::new();
        match self.iter().map(Node::as_str).collect::<Option<Vec<_>>>() {
            Some(texts) => texts.into_iter().all(|text| seen.insert(text)),
            None => unique::is_unique(&self.iter().map(value).collect::<Vec<_>>()),
        }
    }
}

/// A copy, for the few comparisons that are not of texts.
fn value(node: &Node<'_>) -> Value {
    serde_json::to_value(node).expect("what was JSON is JSON")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jsonschema::error::ValidationErrorKind;
    use jsonschema::{Draft, PatternOptions, Registry};
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::super::Validator;
    use super::super::feed::FeedContext;
    use super::super::read::read;
    use super::super::schema::{Schemas, loosened};
    use super::super::types::{COMMON_SCHEMA, EVENT_TYPES, EventType};
    use super::*;
    use crate::model::outcome::RejectCode;

    /// After everything: 2200-01-01.
    const LATE: Timestamp = Timestamp::constant(7_258_118_400, 0);

    /// Of every way of saying something: texts and numbers, dates, persons, tokens, lists, an amendment, a decision.
    const EXAMPLES: [&str; 8] = [
        include_str!("../../schemas/examples/events/police.crime.v1.json"),
        include_str!("../../schemas/examples/events/police.amend.v1.json"),
        include_str!("../../schemas/examples/events/police.risk_assessment.v1.json"),
        include_str!("../../schemas/examples/events/police.protection_order.v1.json"),
        include_str!("../../schemas/examples/events/local_authority.marac_outcome.v1.json"),
        include_str!("../../schemas/examples/events/service.caseload_entry.v1.json"),
        include_str!("../../schemas/examples/events/review.decision.v1.json"),
        include_str!("../../schemas/examples/events/review.erasure.v1.json"),
    ];

    /// The schemas, as they are published or loosened, as the library checks them on `serde_json`'s own values.
    fn stock(form: fn(Value) -> Value) -> Vec<jsonschema::Validator> {
        let parse = |text: &str| form(serde_json::from_str::<Value>(text).expect("a schema is JSON"));
        let documents = EVENT_TYPES.iter().map(|kind| kind.schema).chain([COMMON_SCHEMA]).map(parse);
        let registry = documents.fold(Registry::new(), |registry, document| {
            let id = document["$id"].as_str().expect("a schema has an id").to_owned();
            registry.add(id, document).expect("a schema")
        });
        let registry = registry.prepare().expect("schemas");
        let options = jsonschema::options().with_draft(Draft::Draft202012).with_registry(&registry);
        let options = options.with_pattern_options(PatternOptions::regex()).should_validate_formats(true);
        EVENT_TYPES.iter().map(|kind| options.build(&parse(kind.schema)).expect("a schema")).collect()
    }

    /// How many fields no schema has, by the library's own account of the schemas as they are published: so many are to be
    /// taken out until nothing is wrong. From the inside out, since around an object with one no field counts as known.
    fn unknown_fields(published: &jsonschema::Validator, event: &Value) -> usize {
        let (mut event, mut unknown) = (event.clone(), 0);
        loop {
            let inmost = published.iter_errors(&event).max_by_key(|error| error.instance_path().iter().count());
            let Some(error) = inmost else { return unknown };
            let ValidationErrorKind::UnevaluatedProperties { unexpected } = error.kind() else {
                panic!("the event is as the schema says, unknown fields apart: {error}")
            };
            let (names, object) = (unexpected.clone(), error.instance_path().as_str().to_owned());
            drop(error);
            let fields = event.pointer_mut(&object).and_then(Value::as_object_mut).expect("an object");
            names.iter().for_each(|name| drop(fields.shift_remove(name)));
            unknown += names.len();
        }
    }

    /// Checks what the feed sends that may send it.
    fn validator_of(kind: &EventType) -> Validator {
        let sources = EXAMPLES.iter().map(|text| {
            let event: Value = serde_json::from_str(text).expect("an example is JSON");
            event["source"].as_str().expect("a source").to_owned()
        });
        Validator::new([FeedContext {
            party: "feed".parse().expect("a name"),
            kind: kind.feed,
            sources: sources.collect(),
            scopes: vec!["portsmouth".parse().expect("a name")],
        }])
    }

    fn scalar() -> impl Strategy<Value = Value> {
        let texts = [
            "",
            " ",
            "\u{2003}",
            "victim",
            "perpetrator",
            "yes",
            "crime",
            "arrest",
            "1.0",
            "2024-02-29",
            "2025-02-29",
            "20250301",
            "2025-03-01T10:00:00Z",
            "2025-03-01t10:00:00.5+01:00",
            "2025-03-01T24:00:00Z",
            "O'Brien\n\"\\",
            "\u{1f600}",
            "0123456789abcdef",
            "0123456789abcdef0123456789abcdef",
            "seen",
            "same",
        ];
        let long = (0_usize..520, prop::sample::select(vec!["x", "é", "😀"]));
        prop_oneof![
            prop::sample::select(texts.to_vec()).prop_map(Value::from),
            long.prop_map(|(letters, letter)| Value::from(letter.repeat(letters))),
            prop::sample::select(vec![0.0, -0.0, 3.0, 3.5, 40.0, 41.0, 255.0, 256.0, 1e300, -1.0])
                .prop_map(Value::from),
            prop::sample::select(vec![0_u64, 1, 40, 41, 255, 256, u64::from(u32::MAX), 1 << 32, u64::MAX])
                .prop_map(Value::from),
            prop::sample::select(vec![Value::Null, Value::Bool(true), Value::Bool(false), Value::from(i64::MIN)]),
        ]
    }

    fn anything() -> impl Strategy<Value = Value> {
        scalar().prop_recursive(2, 6, 3, |inner| {
            let names = prop::sample::select(vec!["role", "tokens", "decision", "finding", "exact", "deletions", "zz"]);
            let fields = prop::collection::vec((names, inner.clone()), 0..3);
            prop_oneof![
                prop::collection::vec(inner, 0..3).prop_map(Value::from),
                fields.prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            ]
        })
    }

    /// Every value in an event, from the outside in.
    fn places(value: &Value, at: &str, found: &mut Vec<String>) {
        found.push(at.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(name, field)| places(field, &format!("{at}/{name}"), found))
            }
            _ => {}
        }
    }

    /// Changes one place: another value, none, one more field, items again, or what stands elsewhere.
    fn edit(event: &mut Value, how: u8, place: usize, other: usize, with: Value) {
        let mut found = Vec::new();
        places(event, "", &mut found);
        let (place, other) = (&found[place % found.len()], &found[other % found.len()]);
        let elsewhere = event.pointer(other).cloned().unwrap_or_default();
        let (outside, name) = place.rsplit_once('/').unwrap_or_default();
        let (outside, name) = (outside.to_owned(), name.to_owned());
        match (how % 5, event.pointer_mut(place)) {
            (0, Some(value)) => *value = with,
            (1, Some(value)) => *value = elsewhere,
            (2, Some(Value::Object(fields))) => {
                let name = if how.is_multiple_of(2) { "pseudonymised" } else { "of another version" };
                drop(fields.insert(name.to_owned(), with));
            }
            (2 | 3, Some(Value::Array(items))) => {
                let again = items.first().cloned().unwrap_or(with);
                items.extend(std::iter::repeat_n(again, 1 + usize::from(how)));
            }
            _ => match event.pointer_mut(&outside) {
                Some(Value::Object(fields)) => drop(fields.shift_remove(&name)),
                Some(Value::Array(items)) => drop(items.pop()),
                _ => {}
            },
        }
    }

    #[test]
    fn what_lies_in_a_record_is_checked_as_the_library_checks_a_value() {
        let (ours, loose, published) = (Schemas::compile(), stock(loosened), stock(|schema| schema));
        let kinds = EXAMPLES.map(|text| {
            let event: Value = serde_json::from_str(text).expect("an example is JSON");
            EVENT_TYPES.iter().position(|known| known.name == event["type"]).expect("a type of ours")
        });
        let validators = kinds.map(|kind| validator_of(&EVENT_TYPES[kind]));
        let edits = prop::collection::vec((any::<u8>(), any::<usize>(), any::<usize>(), anything()), 0..4);
        let mut runner = TestRunner::new_with_rng(
            Config { cases: 4_000, failure_persistence: None, ..Config::default() },
            prop::test_runner::TestRng::deterministic_rng(prop::test_runner::RngAlgorithm::ChaCha),
        );
        let told = std::cell::Cell::new([0; 4]);
        runner
            .run(&(0..EXAMPLES.len(), edits), |(example, edits)| {
                let mut event: Value = serde_json::from_str(EXAMPLES[example]).expect("an example is JSON");
                edits.into_iter().for_each(|(how, place, other, with)| edit(&mut event, how, place, other, with));
                let text = event.to_string();
                let Ok(mut node) = read(text.as_bytes(), &ours.known) else {
                    return Err(TestCaseError::reject("too many values"));
                };
                let at = kinds[example];
                let (is_ours, is_stock) = (ours.accepts(&EVENT_TYPES[at], &node), loose[at].is_valid(&event));
                prop_assert_eq!(is_ours, is_stock, "{}", text);
                // What the schema accepts and no rule minds becomes a typed event, with everybody in it.
                let typed = validators[example].validate(
                    &"feed".parse().expect("a name"),
                    &[],
                    text.as_bytes(),
                    LATE.as_millisecond(),
                );
                let mut counts = told.get();
                counts[usize::from(!is_stock)] += 1;
                match typed {
                    Ok(typed) => {
                        prop_assert!(is_stock, "{}", text);
                        let persons = event["data"]["persons"].as_array().map_or(0, Vec::len);
                        match &typed.pseudonymised {
                            Some(source) => prop_assert_eq!(source.persons.len(), persons, "{}", text),
                            None => {
                                prop_assert_eq!(typed.persons.len(), persons, "{}", text);
                                let unknown = unknown_fields(&published[at], &event);
                                prop_assert_eq!(typed.ignored_fields as usize, unknown, "{}", text);
                                counts[3] += unknown;
                            }
                        }
                        counts[2] += 1;
                    }
                    // A bug of ours: the schema accepts what the program cannot read.
                    Err(refused) => prop_assert!(!is_stock || refused.code != RejectCode::Schema, "{}", text),
                }
                told.set(counts);
                prop_assert_eq!(serde_json::to_value(&node).expect("JSON"), event.clone());
                node.sort_all_objects();
                event.sort_all_objects();
                prop_assert_eq!(serde_json::to_string(&node).expect("JSON"), event.to_string());
                Ok(())
            })
            .expect("both say the same");
        let [yes, no, typed, unknown] = told.get();
        assert!(yes > 500 && no > 500, "both answers are tried: {yes} yes, {no} no");
        assert!(typed > 500 && unknown > 25, "of both there are some: {typed} typed, {unknown} unknown fields");
    }
}
