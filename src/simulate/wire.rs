//! The wire form of events: CloudEvents 1.0, one JSON text a line.

use serde::Serialize;
use serde_json::{Map, Value};

use super::dice::{Dice, Stream};
use super::errors::WireIdentity;
use super::party::Party;
use super::plan::{DAY, Part, Plan, british_offset, day, moment};
use super::truth::BadKind;
use crate::model::event::{Answer, CaseState, Detail, MashOutcome, Regime, Relationship, Role, Status};
use crate::model::ids::ScopeId;

/// The last part of an event's type, and its own fields as they stand in `data`: what is absent is left out.
fn own_fields(detail: &Detail) -> (String, Map<String, Value>) {
    let Ok(Value::Object(tagged)) = serde_json::to_value(detail) else {
        unreachable!("a detail has the form of a map")
    };
    let (event, fields) = tagged.into_iter().next().expect("a detail has a tag");
    let fields = match fields {
        Value::Object(fields) => fields.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    };
    (event, fields)
}

/// May it be corrected or withdrawn by itself? A closing entry is the end of its case already.
pub(super) fn stands_alone(detail: &Detail) -> bool {
    !matches!(detail, Detail::Cancel { .. } | Detail::CaseloadEntry { state: CaseState::Closed })
}

/// The same, with what the clerk got wrong put right.
pub(super) fn corrected(mut detail: Detail, dice: &mut Dice) -> Detail {
    match &mut detail {
        Detail::Incident { alcohol, children_present } => {
            let corrected = if dice.chance(0.5) { alcohol } else { children_present };
            *corrected = if *corrected == Answer::Yes { Answer::No } else { Answer::Yes };
        }
        Detail::RiskAssessment { yes_count: Some(count), .. } => *count = (*count + 1).min(24),
        Detail::MashContact { outcome, .. } => *outcome = MashOutcome::EarlyHelp,
        // The others are corrected in the persons: without the careless hand of the original.
        _ => {}
    }
    detail
}

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    scope: &'a ScopeId,
    occurred_at: String,
    recorded_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    regime: Regime,
    #[serde(skip_serializing_if = "Option::is_none")]
    supersedes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relationship: Option<Relationship>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amended_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incident: Option<String>,
    #[serde(flatten)]
    fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    persons: Vec<WirePerson>,
}

#[derive(Serialize)]
struct WirePerson {
    local_ref: String,
    role: Role,
    status: Status,
    identity: WireIdentity,
}

/// The CloudEvents id of an event. `copy` tells a bad line from the good one it was made of.
pub(super) fn event_id(seed: u64, event: u32, copy: u64) -> String {
    let bytes = Dice::new(seed, Stream::Id, u64::from(event), copy).bytes();
    let number = u128::from_le_bytes(bytes);
    // Version 4, variant 1 (RFC 9562).
    let number = number & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// An event as its agency sends it.
pub(super) fn write(plan: &Plan<'_>, scope: &ScopeId, number: u32) -> String {
    serde_json::to_string(&envelope(plan, scope, number, &event_id(plan.population().seed, number, 0)))
        .expect("the wire form has no map with keys that JSON refuses")
}

/// An event spoilt in one way.
pub(super) fn write_bad(plan: &Plan<'_>, scope: &ScopeId, number: u32, kind: BadKind) -> (String, String) {
    let id = event_id(plan.population().seed, number, 1);
    let event = &plan.events[number as usize];
    let mut json = serde_json::to_value(envelope(plan, scope, number, &id))
        .expect("the wire form has no map with keys that JSON refuses");
    match kind {
        BadKind::Truncated => {
            let text = json.to_string();
            let half = (0..=text.len() / 2).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
            return (id, text[..half].to_owned());
        }
        BadKind::NoEnvelope => drop(json.as_object_mut().and_then(|json| json.remove("specversion"))),
        BadKind::UnknownType => json["type"] = "uk.priorityd.police.rumour.v1".into(),
        BadKind::TypeOfAnotherFeed => {
            let other = if event.party == Party::Crc { "police.incident" } else { "crc.order_start" };
            json["type"] = format!("uk.priorityd.{other}.v1").into();
        }
        BadKind::NotRecorded => drop(json["data"].as_object_mut().and_then(|data| data.remove("recorded_at"))),
        BadKind::WrongType => json["data"]["scope"] = 7.into(),
        BadKind::ImpossibleDate => json["data"]["occurred_at"] = "2025-02-30T10:00:00Z".into(),
        BadKind::NotListed => json["data"]["regime"] = "whatever".into(),
        BadKind::DatesContradict => {
            json["data"]["occurred_at"] = moment(event.recorded + 40 * DAY).to_string().into();
        }
        BadKind::NobodyNamed => {
            json["data"]["persons"] = serde_json::json!([
                { "local_ref": "unknown-1", "role": "victim", "status": "victim", "identity": {} }
            ]);
        }
    }
    (id, json.to_string())
}

fn envelope<'a>(plan: &'a Plan<'_>, scope: &'a ScopeId, number: u32, id: &'a str) -> Envelope<'a> {
    let (registry, event) = (plan.registry, &plan.events[number as usize]);
    let seed = registry.population.seed;
    // A correction keeps the reference of what it corrects.
    let mut first = number;
    while let Some(earlier) = plan.events[first as usize].supersedes {
        first = earlier;
    }
    let filed = day(plan.events[first as usize].recorded);
    let (own_type, fields) = own_fields(&event.detail);
    let kind = if event.amends { "amend" } else { own_type.as_str() };
    let on = day(event.recorded);
    let mut dice = Dice::new(seed, Stream::Slip, u64::from(number), u64::MAX);
    let slipped = dice.below(event.parts.len().max(1) as u32) as usize;
    let person = |(place, part): (usize, &Part)| {
        let slip = (event.slip && place == slipped && !event.party.is_service()).then_some(u64::from(number));
        WirePerson {
            local_ref: registry.local_ref(event.party, part.person, part.nominal),
            role: part.role,
            status: part.status,
            identity: registry.identity(event.party, part.person, part.nominal, on, slip),
        }
    };
    let incident = event.about.map(|other| event_id(seed, other, 0));
    let occurred = moment(event.occurred).display_with_offset(british_offset(event.occurred)).to_string();
    let recorded = moment(event.recorded).to_string();
    Envelope {
        specversion: "1.0",
        id,
        source: format!("urn:priorityd:{}", event.party.as_str()),
        kind: format!("uk.priorityd.{}.{kind}.v1", event.party.feed()),
        time: dice.chance(0.8).then(|| recorded.clone()),
        datacontenttype: "application/json",
        data: Data {
            scope,
            occurred_at: occurred,
            recorded_at: recorded,
            reference: (event.party == Party::Police && !matches!(event.detail, Detail::Cancel { .. }))
                .then(|| format!("44{:02}{:07}", filed.year() % 100, first % 10_000_000)),
            regime: if event.party.feed() == "police" || event.party == Party::Crc {
                Regime::LawEnforcement
            } else {
                Regime::General
            },
            supersedes: event.supersedes.map(|earlier| event_id(seed, earlier, 0)),
            relationship: event.relationship,
            amended_type: event.amends.then_some(own_type),
            incident,
            fields,
            persons: event.parts.iter().enumerate().map(person).collect(),
        },
    }
}
