//! From checked JSON to the room's own types. Texts are moved out, never copied; what is left in an object when all our
//! fields are taken is what we do not know, and is counted. Ends in `None` only where a schema promised too much.

use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::event::{ClearPerson, Validated};
use super::identity::{ClearIdentity, ClearName, ClearText};
use super::read::{Document, wipe};
use super::rules::instant;
use super::schema::Schemas;
use super::source;
use super::types::EventType;
use crate::model::event::{Detail, Facts};
use crate::model::ids::PartyId;

/// Attributes that CloudEvents and our schemas know and we do not use.
const UNUSED_ATTRIBUTES: [&str; 9] = [
    "specversion",
    "type",
    "time",
    "datacontenttype",
    "dataschema",
    "subject",
    "partitionkey",
    "traceparent",
    "tracestate",
];

/// Takes an event apart. The document was found good by the schema and the rules.
pub(super) fn take(
    mut document: Document,
    kind: &EventType,
    agency: &PartyId,
    schemas: &Schemas,
    record_bytes: usize,
) -> Option<Validated> {
    let envelope = document.0.as_object_mut()?;
    // Room for all of it at once: a vector that grows leaves its earlier self behind, unwiped.
    let mut content = Zeroizing::new(Vec::with_capacity(kind.name.len() + 1 + record_bytes));
    content.extend_from_slice(kind.name.as_bytes());
    content.push(b'\n');
    let data = envelope.get_mut("data")?;
    // Sent again with its keys in another order, it says the same.
    data.sort_all_objects();
    serde_json::to_writer(&mut *content, data).ok()?;
    let mut taker = Taker { ignored_fields: 0 };
    let id = text(envelope, "id")?;
    let Some(Value::String(agency_source)) = envelope.remove("source") else { return None };
    let mut data = Document(envelope.remove("data")?);
    UNUSED_ATTRIBUTES.iter().for_each(|name| discard(envelope, name));
    taker.count(envelope);

    let data = data.0.as_object_mut()?;
    let scope = serde_json::from_value(data.remove("scope")?).ok()?;
    let occurred_at = instant(&data.remove("occurred_at")?)?;
    let recorded_at = instant(&data.remove("recorded_at")?)?;
    let regime = serde_json::from_value(data.remove("regime")?).ok()?;
    let relationship = match data.remove("relationship") {
        Some(value) => Some(serde_json::from_value(value).ok()?),
        None => None,
    };
    let pseudonymised = match data.remove(source::MARK) {
        Some(mark) => Some(source::take(mark, data, id.expose())?),
        None => None,
    };
    let supersedes = text(data, "supersedes");
    discard(data, "reference");
    let persons = match data.remove("persons") {
        Some(Value::Array(persons)) => persons.into_iter().map(|person| taker.person(person)).collect::<Option<_>>()?,
        Some(_) => return None,
        None => Vec::new(),
    };
    let event = match data.remove("amended_type") {
        Some(Value::String(amended)) => schemas.amended(&amended)?,
        Some(_) => return None,
        None => kind,
    };
    let (detail, incident) = detail(data, event, schemas)?;
    let mut persons: Vec<ClearPerson> = persons;
    if matches!(detail, Detail::Housing { .. }) {
        persons.iter_mut().for_each(|person| person.identity.forget_whereabouts());
    }
    taker.count(data);
    Some(Validated {
        source: agency_source,
        id,
        supersedes,
        facts: Facts { scope, agency: agency.clone(), occurred_at, recorded_at, regime, relationship, detail },
        incident,
        persons,
        pseudonymised,
        content,
        ignored_fields: taker.ignored_fields,
    })
}

/// The event's own fields as the variant that its type names.
fn detail(data: &mut Map<String, Value>, kind: &EventType, schemas: &Schemas) -> Option<(Detail, Option<ClearText>)> {
    let mut own = Map::new();
    for name in schemas.own_fields(kind) {
        if let Some(value) = data.remove(name) {
            own.insert(name.clone(), whole_number(value));
        }
    }
    // An id is the agency's own word: it becomes a keyed hash before it may stand in a detail.
    let incident = text(&mut own, "incident");
    let variant = Map::from_iter([(kind.event.to_owned(), Value::Object(own))]);
    Some((Detail::deserialize(Value::Object(variant)).ok()?, incident))
}

/// JSON Schema counts 3.0 as an integer; serde does not.
fn whole_number(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if value.is_f64() && number.fract() == 0.0 && (0.0..=255.0).contains(&number) => {
            Value::from(number as u8)
        }
        Some(_) | None => value,
    }
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Option<ClearText> {
    match fields.remove(name) {
        Some(Value::String(text)) => Some(ClearText::new(text)),
        Some(other) => {
            wipe(other);
            None
        }
        None => None,
    }
}

/// An identity's text; one of spaces only is missing.
fn filled_text(fields: &mut Map<String, Value>, name: &str) -> Option<ClearText> {
    text(fields, name).filter(|text| !text.expose().trim().is_empty())
}

fn discard(fields: &mut Map<String, Value>, name: &str) {
    if let Some(value) = fields.remove(name) {
        wipe(value);
    }
}

/// Takes persons apart and counts what is left over.
struct Taker {
    ignored_fields: u32,
}

impl Taker {
    fn count(&mut self, left: &Map<String, Value>) {
        self.ignored_fields = self.ignored_fields.saturating_add(u32::try_from(left.len()).unwrap_or(u32::MAX));
    }

    fn person(&mut self, person: Value) -> Option<ClearPerson> {
        let mut person = Document(person);
        let fields = person.0.as_object_mut()?;
        let local_ref = text(fields, "local_ref")?;
        let role = serde_json::from_value(fields.remove("role")?).ok()?;
        let status = serde_json::from_value(fields.remove("status")?).ok()?;
        let identity = self.identity(fields.remove("identity")?)?;
        self.count(fields);
        Some(ClearPerson { local_ref, role, status, identity })
    }

    fn identity(&mut self, identity: Value) -> Option<ClearIdentity> {
        let mut identity = Document(identity);
        let fields = identity.0.as_object_mut()?;
        let taken = ClearIdentity {
            given_names: given_names(fields)?,
            family_name: filled_text(fields, "family_name"),
            former_names: self.names(fields, "former_names")?,
            aliases: self.names(fields, "aliases")?,
            date_of_birth: filled_text(fields, "date_of_birth"),
            sex: filled_text(fields, "sex"),
            postcode: filled_text(fields, "postcode"),
            address: filled_text(fields, "address"),
            uprn: filled_text(fields, "uprn"),
            pnc_id: filled_text(fields, "pnc_id"),
            cro_number: filled_text(fields, "cro_number"),
            nhs_number: filled_text(fields, "nhs_number"),
            crn: filled_text(fields, "crn"),
            noms_number: filled_text(fields, "noms_number"),
            national_number: None,
        };
        self.count(fields);
        Some(taken)
    }

    fn names(&mut self, fields: &mut Map<String, Value>, list: &str) -> Option<Vec<ClearName>> {
        let names = match fields.remove(list) {
            Some(Value::Array(names)) => names,
            Some(_) => return None,
            None => return Some(Vec::new()),
        };
        let mut taken = Vec::with_capacity(names.len());
        for name in names {
            let mut name = Document(name);
            let fields = name.0.as_object_mut()?;
            let name = ClearName { given_names: given_names(fields)?, family_name: filled_text(fields, "family_name") };
            self.count(fields);
            if name.family_name.is_some() || !name.given_names.is_empty() {
                taken.push(name);
            }
        }
        Some(taken)
    }
}

fn given_names(fields: &mut Map<String, Value>) -> Option<Vec<ClearText>> {
    let names = match fields.remove("given_names") {
        Some(Value::Array(names)) => names,
        Some(_) => return None,
        None => return Some(Vec::new()),
    };
    let mut taken = Vec::with_capacity(names.len());
    for name in names {
        let Value::String(name) = name else { return None };
        let name = ClearText::new(name);
        if !name.expose().trim().is_empty() {
            taken.push(name);
        }
    }
    Some(taken)
}
