//! From checked JSON to the room's own types; what is left in an object when all our fields are taken is what we do not know,
//! and is counted. Ends in `None` only where a schema promised too much.

use std::iter::once;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use smallvec::{SmallVec, smallvec};
use zeroize::Zeroizing;

use super::document::{Fields, Node};
use super::event::{ClearPerson, Validated};
use super::identity::{ClearIdentity, ClearName, ClearText};
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
    mut envelope: Node<'_>,
    kind: &EventType,
    agency: &PartyId,
    schemas: &Schemas,
    record_bytes: usize,
) -> Option<Validated> {
    let Node::Object(fields) = &mut envelope else { return None };
    // Room for all of it at once: a vector that grows leaves its earlier self behind, unwiped.
    let mut content = Zeroizing::new(Vec::with_capacity(kind.name.len() + 1 + record_bytes));
    content.extend_from_slice(kind.name.as_bytes());
    content.push(b'\n');
    let data = fields.get_mut("data")?;
    // Sent again with its keys in another order, it says the same.
    data.sort_all_objects();
    serde_json::to_writer(&mut *content, data).ok()?;
    let mut ignored = Ignored(0);
    let mut envelope = Taking::of(&envelope)?;
    let id = envelope.text("id")?;
    let agency_source = envelope.take("source")?.as_str()?.to_owned();
    let mut data = Taking::of(envelope.take("data")?)?;
    UNUSED_ATTRIBUTES.iter().for_each(|name| envelope.discard(name));
    ignored.count(&envelope);

    let scope = Deserialize::deserialize(data.take("scope")?).ok()?;
    let occurred_at = instant(data.take("occurred_at")?)?;
    let recorded_at = instant(data.take("recorded_at")?)?;
    let regime = Deserialize::deserialize(data.take("regime")?).ok()?;
    let relationship = match data.take("relationship") {
        Some(value) => Some(Deserialize::deserialize(value).ok()?),
        None => None,
    };
    let pseudonymised = match data.take(source::MARK) {
        Some(mark) => Some(source::take(mark, &mut data, id.expose())?),
        None => None,
    };
    let supersedes = data.text("supersedes");
    data.discard("reference");
    let mut persons: Vec<ClearPerson> = match data.take("persons") {
        Some(persons) => persons.as_list()?.iter().map(|person| ignored.person(person)).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    // In an event of another type it is a field like any other that we do not know.
    let event = match kind.event {
        "amend" => schemas.amended(data.take("amended_type")?.as_str()?)?,
        _ => kind,
    };
    let (detail, incident) = detail(&mut data, event, schemas)?;
    if matches!(detail, Detail::Housing { .. }) {
        persons.iter_mut().for_each(|person| person.identity.forget_whereabouts());
    }
    ignored.count(&data);
    Some(Validated {
        source: agency_source,
        id,
        supersedes,
        facts: Facts { scope, agency: agency.clone(), occurred_at, recorded_at, regime, relationship, detail },
        incident,
        persons,
        pseudonymised,
        content,
        ignored_fields: ignored.0,
    })
}

/// The event's own fields as the variant that its type names.
fn detail(data: &mut Taking<'_>, kind: &EventType, schemas: &Schemas) -> Option<(Detail, Option<ClearText>)> {
    let own: SmallVec<[_; 8]> =
        schemas.own_fields(kind).iter().filter_map(|name| Some((name.as_str(), data.take(name)?))).collect();
    // An id is the agency's own word: it becomes a keyed hash before it may stand in a detail.
    let incident = own.iter().find(|(name, _)| *name == "incident").and_then(|(_, id)| clear(id));
    let own = own.into_iter().filter(|(name, _)| *name != "incident");
    let fields = MapAccessDeserializer::new(MapDeserializer::<_, serde_json::Error>::new(own));
    let variant = MapAccessDeserializer::new(MapDeserializer::new(once((kind.event, fields))));
    Some((Detail::deserialize(variant).ok()?, incident))
}

fn clear(text: &Node<'_>) -> Option<ClearText> {
    text.as_str().map(|text| ClearText::new(text.to_owned()))
}

/// An object whose fields are taken, each once.
pub(super) struct Taking<'a> {
    fields: &'a Fields<'a>,
    taken: SmallVec<[bool; 32]>,
}

impl<'a> Taking<'a> {
    fn of(object: &'a Node<'a>) -> Option<Self> {
        let fields = object.as_object()?;
        Some(Self { fields, taken: smallvec![false; fields.len()] })
    }

    /// A field that was not taken yet.
    pub(super) fn take(&mut self, name: &str) -> Option<&'a Node<'a>> {
        let position = self.fields.position(name)?;
        let again = std::mem::replace(&mut self.taken[position], true);
        (!again).then(|| self.fields.at(position))
    }

    /// Known, and not used.
    fn discard(&mut self, name: &str) {
        let _ = self.take(name);
    }

    fn text(&mut self, name: &str) -> Option<ClearText> {
        self.take(name).and_then(clear)
    }

    /// An identity's text; one of spaces only is missing.
    fn filled_text(&mut self, name: &str) -> Option<ClearText> {
        self.text(name).filter(|text| !text.expose().trim().is_empty())
    }

    fn given_names(&mut self) -> Option<Vec<ClearText>> {
        let Some(names) = self.take("given_names") else { return Some(Vec::new()) };
        let names = names.as_list()?;
        let mut taken = Vec::with_capacity(names.len());
        for name in names {
            let name = name.as_str()?;
            if !name.trim().is_empty() {
                taken.push(ClearText::new(name.to_owned()));
            }
        }
        Some(taken)
    }
}

/// Fields that were left over, of all objects.
struct Ignored(u32);

impl Ignored {
    fn count(&mut self, object: &Taking<'_>) {
        let left = object.taken.iter().filter(|taken| !**taken).count();
        self.0 = self.0.saturating_add(u32::try_from(left).unwrap_or(u32::MAX));
    }

    fn person(&mut self, person: &Node<'_>) -> Option<ClearPerson> {
        let mut person = Taking::of(person)?;
        let local_ref = person.text("local_ref")?;
        let role = Deserialize::deserialize(person.take("role")?).ok()?;
        let status = Deserialize::deserialize(person.take("status")?).ok()?;
        let identity = self.identity(person.take("identity")?)?;
        self.count(&person);
        Some(ClearPerson { local_ref, role, status, identity })
    }

    fn identity(&mut self, identity: &Node<'_>) -> Option<ClearIdentity> {
        let mut fields = Taking::of(identity)?;
        let taken = ClearIdentity {
            given_names: fields.given_names()?,
            family_name: fields.filled_text("family_name"),
            former_names: self.names(fields.take("former_names"))?,
            aliases: self.names(fields.take("aliases"))?,
            date_of_birth: fields.filled_text("date_of_birth"),
            sex: fields.filled_text("sex"),
            postcode: fields.filled_text("postcode"),
            address: fields.filled_text("address"),
            uprn: fields.filled_text("uprn"),
            pnc_id: fields.filled_text("pnc_id"),
            cro_number: fields.filled_text("cro_number"),
            nhs_number: fields.filled_text("nhs_number"),
            crn: fields.filled_text("crn"),
            noms_number: fields.filled_text("noms_number"),
            national_number: None,
        };
        self.count(&fields);
        Some(taken)
    }

    fn names(&mut self, list: Option<&Node<'_>>) -> Option<Vec<ClearName>> {
        let Some(names) = list else { return Some(Vec::new()) };
        let names = names.as_list()?;
        let mut taken = Vec::with_capacity(names.len());
        for name in names {
            let mut fields = Taking::of(name)?;
            let name = ClearName { given_names: fields.given_names()?, family_name: fields.filled_text("family_name") };
            self.count(&fields);
            if name.family_name.is_some() || !name.given_names.is_empty() {
                taken.push(name);
            }
        }
        Some(taken)
    }
}
