//! Fields that our schemas do not know: told at the producer's door, where an agency tries its events before it sends
//! them. The daemon ignores and counts them instead.

use super::document::{Fields, Node};
use super::problem::{Check, Path, Problem};
use super::schema::Schemas;
use super::types::EventType;
use crate::model::outcome::RejectCode;

/// Tells every object that has unknown fields, once. Their names are not repeated: a name may be somebody's.
pub(super) fn check(envelope: &Node<'_>, kind: &EventType, schemas: &Schemas, problems: &mut Vec<Problem>) {
    let mut told = |fields: &Fields<'_>, path: Path, known: &dyn Fn(&str) -> bool| {
        let unknown = fields.iter().filter(|(name, _)| !known(name)).count();
        if unknown > 0 {
            let rule = format!("fields of the schema only; {unknown} here are unknown");
            let help = format!("see schemas/events/{}", kind.file);
            problems.push(Problem::new(
                Check::Schema,
                RejectCode::UnknownField,
                path.cut("", &schemas.known),
                rule,
                help,
            ));
        }
    };
    let Some(fields) = envelope.as_object() else { return };
    told(fields, Path::default(), &|name| schemas.part_has("envelope", name));
    let Some(data) = fields.get("data").and_then(Node::as_object) else { return };

    // An amendment has the fields of the type that it amends.
    let amended = data.get("amended_type").and_then(Node::as_str).filter(|_| kind.event == "amend");
    let own = schemas.own_fields(amended.and_then(|event| schemas.amended(event)).unwrap_or(kind));
    let data_has = |name: &str| {
        name == "persons"
            || (name == "amended_type" && kind.event == "amend")
            || schemas.part_has("happening", name)
            || own.iter().any(|own| own == name)
    };
    told(data, Path::of(&["data"]), &data_has);

    let persons = data.get("persons").and_then(Node::as_list);
    for (index, person) in persons.into_iter().flatten().enumerate() {
        let path = || Path::of(&["data", "persons"]).index(index);
        let Some(person) = person.as_object() else { continue };
        told(person, path(), &|name| schemas.part_has("person", name));
        if let Some(tokens) = person.get("tokens").and_then(Node::as_object) {
            told(tokens, path().name("tokens"), &|name| schemas.part_has("tokens", name));
        }
        let Some(identity) = person.get("identity").and_then(Node::as_object) else { continue };
        told(identity, path().name("identity"), &|name| schemas.part_has("identity", name));
        for list in ["former_names", "aliases"] {
            let names = identity.get(list).and_then(Node::as_list);
            for (at, name) in names.into_iter().flatten().enumerate() {
                let Some(name) = name.as_object() else { continue };
                let path = path().name("identity").name(list).index(at);
                told(name, path, &|field| schemas.part_has("name", field));
            }
        }
    }
}
