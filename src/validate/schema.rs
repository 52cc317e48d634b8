//! The published schemas, compiled. The daemon minds everything that they say except `unevaluatedProperties`: a field
//! that we do not know is ignored and counted, so that an agency may send more than we read; `unknown` minds it.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use jsonschema::{Draft, JsonType, PatternOptions, Registry, ValidationError};
use rustc_hash::{FxHashMap, FxHashSet};
use serde_json::{Map, Value};

use super::document::Node;
use super::instance::Borrowed;
use super::problem::{Check, KnownNames, Path, Problem};
use super::types::{COMMON_SCHEMA, EVENT_TYPES, EventType};
use crate::model::outcome::RejectCode;

const OWN_SCHEMA: &str = "the schemas are part of this program, and tests compile them";

/// Errors of one record that are told: more help nobody, and a record made to be wrong must not cost much.
const MAX_TOLD: usize = 1000;

/// The schema of one type, compiled.
struct Compiled {
    kind: &'static EventType,
    validator: jsonschema::Validator<Borrowed>,
    /// Names of the event's own fields, `persons` and the like left out.
    own_fields: Vec<String>,
}

/// Every schema of events.
pub(super) struct Schemas {
    types: Vec<Compiled>,
    /// Every property name that any schema has.
    pub(super) known: KnownNames,
    /// Properties of each shared part, by the part's name under `$defs` in the common schema.
    parts: FxHashMap<String, FxHashSet<String>>,
    /// Descriptions by absolute location, e.g. `urn:priorityd:schema:common.v1#/$defs/person/properties/local_ref`.
    descriptions: FxHashMap<String, String>,
}

impl Schemas {
    /// Compiles all of them.
    pub(super) fn compile() -> Self {
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect(OWN_SCHEMA);
        let common = parse(COMMON_SCHEMA);
        let documents: Vec<Value> = EVENT_TYPES.iter().map(|kind| parse(kind.schema)).collect();

        let mut known = FxHashSet::default();
        let mut descriptions = FxHashMap::default();
        for document in documents.iter().chain([&common]) {
            collect(document, id_of(document), &mut known, &mut descriptions);
        }
        let parts = common["$defs"].as_object().expect(OWN_SCHEMA).iter();
        let parts = parts.map(|(name, part)| (name.clone(), property_names(part).cloned().collect())).collect();

        let mut registry = Registry::new();
        for document in documents.iter().chain([&common]) {
            registry = registry.add(id_of(document), loosened(document.clone())).expect(OWN_SCHEMA);
        }
        let registry = registry.prepare().expect(OWN_SCHEMA);
        let compile = |(kind, document): (&'static EventType, &Value)| Compiled {
            kind,
            // The plain engine: its time is linear in the text, whatever the text.
            validator: jsonschema::options_for::<Borrowed>()
                .with_draft(Draft::Draft202012)
                .with_registry(&registry)
                .with_pattern_options(PatternOptions::regex())
                .should_validate_formats(true)
                .build(&loosened(document.clone()))
                .expect(OWN_SCHEMA),
            own_fields: property_names(&document["$defs"]["data"])
                .filter(|name| !matches!(name.as_str(), "persons" | "amended_type"))
                .cloned()
                .collect(),
        };
        let types = EVENT_TYPES.iter().zip(&documents).map(compile).collect();
        Self { types, known: KnownNames(known), parts, descriptions }
    }

    /// Names of the own fields of a type.
    pub(super) fn own_fields(&self, kind: &EventType) -> &[String] {
        self.compiled(kind).map_or(&[], |compiled| &compiled.own_fields)
    }

    /// The type that an amendment names.
    pub(super) fn amended(&self, event: &str) -> Option<&'static EventType> {
        let amendable = |kind: &EventType| kind.feed.as_str() == "police" && !matches!(kind.event, "amend" | "cancel");
        EVENT_TYPES.iter().find(|kind| kind.event == event && amendable(kind))
    }

    /// Does a shared part of the schemas have the property?
    pub(super) fn part_has(&self, part: &str, property: &str) -> bool {
        self.parts.get(part).is_some_and(|names| names.contains(property))
    }

    /// Is the whole envelope as its type's schema says, unknown fields apart?
    pub(super) fn accepts(&self, kind: &EventType, envelope: &Node<'_>) -> bool {
        self.compiled(kind).is_some_and(|compiled| compiled.validator.is_valid(envelope))
    }

    /// Everything in which it is not, up to a limit.
    pub(super) fn check(&self, kind: &EventType, envelope: &Node<'_>, problems: &mut Vec<Problem>) {
        let Some(compiled) = self.compiled(kind) else { return };
        let errors = compiled.validator.iter_errors(envelope).take(MAX_TOLD);
        problems.extend(errors.map(|error| self.translate(&error, kind)));
    }

    fn compiled(&self, kind: &EventType) -> Option<&Compiled> {
        self.types.iter().find(|compiled| compiled.kind.name == kind.name)
    }

    /// Says a library's error in our words. Only its kind, the limits of our own schema and known names are used.
    fn translate(&self, error: &ValidationError<'_>, kind: &EventType) -> Problem {
        let steps = error.instance_path().iter();
        let path = steps.fold(Path::default(), |path, step| match step {
            LocationSegment::Property(name) => path.cut(&name, &self.known),
            LocationSegment::Index(index) => path.index(index),
        });
        let told = |code, path, rule: String| {
            let help = self.described(error, "").unwrap_or_else(|| format!("see schemas/events/{}", kind.file));
            Problem::new(Check::Schema, code, path, rule, help)
        };
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let help = self.described(error, &format!("/properties/{name}"));
                let help = help.unwrap_or_else(|| format!("see schemas/events/{}", kind.file));
                let path = path.cut(name, &self.known);
                Problem::new(Check::Schema, RejectCode::Missing, path, "the field is required", help)
            }
            ValidationErrorKind::Type { kind } => {
                let rule = match kind {
                    TypeKind::Single(kind) => format!("the value is {}", type_name(*kind)),
                    TypeKind::Multiple(_) => "the value has one of the types of the schema".to_owned(),
                };
                told(RejectCode::WrongType, path, rule)
            }
            ValidationErrorKind::Enum { options } => {
                let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
                let options: Vec<_> = options.iter().filter_map(Value::as_str).collect();
                told(RejectCode::NotListed, path, format!("one of: {}", options.join(", ")))
            }
            ValidationErrorKind::Constant { expected_value } => {
                let rule = format!("always: {}", expected_value.as_str().unwrap_or("as in the schema"));
                told(RejectCode::NotListed, path, rule)
            }
            ValidationErrorKind::MaxLength { limit } => {
                told(RejectCode::OutOfRange, path, at_most(limit, "characters"))
            }
            ValidationErrorKind::MinLength { limit } => {
                told(RejectCode::OutOfRange, path, at_least(limit, "character"))
            }
            ValidationErrorKind::MaxItems { limit } => told(RejectCode::OutOfRange, path, at_most(limit, "items")),
            ValidationErrorKind::MinItems { limit } => told(RejectCode::OutOfRange, path, at_least(limit, "item")),
            ValidationErrorKind::Maximum { limit } => {
                told(RejectCode::OutOfRange, path, at_most(limit, "").trim().into())
            }
            ValidationErrorKind::Minimum { limit } => {
                told(RejectCode::OutOfRange, path, at_least(limit, "").trim().into())
            }
            ValidationErrorKind::Pattern { .. } => told(RejectCode::WrongForm, path, "the form of the schema".into()),
            ValidationErrorKind::Format { format } if format == "date" => {
                let help = "YYYY-MM-DD, e.g. 2025-02-28";
                Problem::new(Check::Schema, RejectCode::BadDate, path, "a day that exists", help)
            }
            ValidationErrorKind::Format { format } if format == "date-time" => {
                let help = "RFC 3339 with an offset, e.g. 2025-03-01T21:40:00Z, of a day and hour that exist";
                Problem::new(Check::Schema, RejectCode::BadDate, path, "an instant that exists", help)
            }
            // Our schemas use each of these once: what an identity must have, and whom an event must name.
            ValidationErrorKind::AnyOf { .. } => {
                let help = "give a family name, given names or an identifier that is not blank";
                Problem::new(Check::Schema, RejectCode::Missing, path, "an identity has a name or an identifier", help)
            }
            ValidationErrorKind::Contains => {
                let rule = "the event names the parties that its type needs";
                let help = self.described(error, "").unwrap_or_else(|| format!("see schemas/events/{}", kind.file));
                Problem::new(Check::Persons, RejectCode::PersonsContradict, path, rule, help)
            }
            // The other keywords of JSON Schema: not in our schemas today.
            _ => told(RejectCode::Schema, path, "the schema of the type".to_owned()),
        }
    }

    /// What our schema says of the place that an error speaks of.
    fn described(&self, error: &ValidationError<'_>, below: &str) -> Option<String> {
        let location = error.absolute_keyword_location()?.as_str();
        let (schema, _keyword) = location.rsplit_once('/')?;
        self.descriptions.get(&format!("{schema}{below}")).cloned()
    }
}

/// The rule for an upper limit of our schema.
fn at_most(limit: &impl std::fmt::Display, of: &str) -> String {
    format!("at most {limit} {of}")
}

/// The rule for a lower limit of our schema.
fn at_least(limit: &impl std::fmt::Display, of: &str) -> String {
    format!("at least {limit} {of}")
}

fn type_name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "null",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a text",
        JsonType::Array => "a list",
        JsonType::Object => "an object",
    }
}

fn id_of(document: &Value) -> &str {
    document["$id"].as_str().expect(OWN_SCHEMA)
}

fn property_names(schema: &Value) -> impl Iterator<Item = &String> {
    schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys)
}

/// Gathers property names and descriptions of a schema and everything below it.
fn collect(
    schema: &Value,
    location: &str,
    known: &mut FxHashSet<String>,
    descriptions: &mut FxHashMap<String, String>,
) {
    let below =
        |step: &str| if location.contains('#') { format!("{location}/{step}") } else { format!("{location}#/{step}") };
    match schema {
        Value::Object(fields) => {
            known.extend(property_names(schema).cloned());
            if let Some(Value::String(description)) = fields.get("description") {
                descriptions.insert(location.to_owned(), description.clone());
            }
            for (name, value) in fields {
                collect(value, &below(name), known, descriptions);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(item, &below(&index.to_string()), known, descriptions);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The same schema without the rule on unknown fields.
pub(super) fn loosened(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(fields) => {
            fields.remove("unevaluatedProperties");
            fields.values_mut().for_each(|value| *value = loosened(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = loosened(item.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    schema
}
