//! What an accepted event becomes.

use priorityd::model::event::{Answer, Detail, OffenceFamily, Risk, Role};
use priorityd::validate::Validator;
use priorityd::validate::event::Validated;
use serde_json::{Value, json};

use super::table::set;
use super::{APPENDED_MS, example, feed_of, validator};

fn accepted(validator: &Validator, event: &Value, text: &str) -> Validated {
    match validator.validate(&feed_of(event), &[], text.as_bytes(), APPENDED_MS) {
        Ok(validated) => validated,
        Err(rejection) => panic!("{rejection:?}"),
    }
}

#[test]
fn a_crime_keeps_its_fields_and_hands_its_incident_on_in_clear() {
    let event = example("police.crime");
    let crime = accepted(&validator(), &event, &event.to_string());
    let Detail::Crime { offence_code, offence_family, incident, .. } = &crime.facts.detail else { panic!("a crime") };
    assert_eq!((&**offence_code, *offence_family, *incident), ("8N", OffenceFamily::Violence, None));
    assert_eq!(crime.incident.as_ref().map(|id| id.expose()), event["data"]["incident"].as_str());
    assert_eq!(crime.id.expose(), event["id"]);
    assert_eq!(crime.source, "urn:priorityd:police");
    assert_eq!(crime.facts.scope.as_str(), "portsmouth");
    assert_eq!(crime.facts.occurred_at.to_string(), "2025-03-01T21:40:00Z");
    assert_eq!(crime.persons.iter().map(|person| person.role).collect::<Vec<_>>(), [Role::Victim, Role::Perpetrator]);
    let victim = &crime.persons[0];
    let given: Vec<_> = victim.identity.given_names.iter().map(|name| name.expose()).collect();
    assert_eq!((victim.local_ref.expose(), given), ("N-204417", vec!["Sarah", "Jane"]));
    assert_eq!(victim.identity.former_names.len(), 1);
    assert_eq!(victim.identity.date_of_birth.as_ref().map(|date| date.expose()), Some("1988-04-17"));
}

#[test]
fn an_amendment_is_an_event_of_the_amended_type() {
    let mut event = example("police.risk_assessment");
    set(&mut event, "/type", json!("uk.priorityd.police.amend.v1"));
    set(&mut event, "/data/amended_type", json!("risk_assessment"));
    set(&mut event, "/data/supersedes", json!("earlier"));
    set(&mut event, "/data/yes_count", json!(16.0));
    let amended = accepted(&validator().strict(), &event, &event.to_string());
    let Detail::RiskAssessment { yes_count, grade, .. } = amended.facts.detail else { panic!("an assessment") };
    assert_eq!((yes_count, grade), (Some(16), Risk::High));
    assert_eq!(amended.supersedes.as_ref().map(|id| id.expose()), Some("earlier"));
    assert_eq!(amended.ignored_fields, 0);
}

#[test]
fn a_type_to_amend_says_nothing_in_an_event_that_amends_nothing() {
    let mut event = example("police.incident");
    set(&mut event, "/data/amended_type", json!("crime"));
    let incident = accepted(&validator(), &event, &event.to_string());
    assert!(matches!(incident.facts.detail, Detail::Incident { .. }));
    assert_eq!(incident.ignored_fields, 1);
}

#[test]
fn blank_parts_of_an_identity_are_missing() {
    let mut event = example("police.incident");
    let identity = "/data/persons/0/identity";
    set(&mut event, &format!("{identity}/given_names"), json!(["", "Sarah", " "]));
    set(&mut event, &format!("{identity}/postcode"), json!("  "));
    set(&mut event, &format!("{identity}/aliases"), json!([{}, { "family_name": "" }, { "family_name": "Sal" }]));
    let incident = accepted(&validator(), &event, &event.to_string());
    let identity = &incident.persons[0].identity;
    assert_eq!(identity.given_names.len(), 1);
    assert!(identity.postcode.is_none());
    assert_eq!(identity.aliases.len(), 1);
}

#[test]
fn content_is_the_same_however_the_event_is_written_and_sent() {
    let validator = validator();
    let event = example("police.incident");
    let plain = accepted(&validator, &event, &event.to_string());
    // As published, the keys stand in another order, with spaces between them.
    let path = super::schemas_dir().join("examples/events/police.incident.v1.json");
    let published = std::fs::read_to_string(path).expect("the example is text");
    assert_ne!(published, event.to_string());
    assert!(accepted(&validator, &event, &published).content == plain.content);
    // Escapes are a way of writing too.
    let escaped = event.to_string().replace("Whitcombe", "Whit\\u0063ombe");
    assert!(accepted(&validator, &event, &escaped).content == plain.content);
    // Binary mode carries the same data.
    let headers = ["specversion", "id", "source", "type"]
        .map(|name| (format!("ce_{name}"), event[name].as_str().expect("a text").as_bytes().to_vec()));
    let payload = event["data"].to_string();
    let binary = validator.validate(&feed_of(&event), &headers, payload.as_bytes(), APPENDED_MS);
    assert!(binary.expect("binary mode is read").content == plain.content);
    // Another id alone says nothing else; another answer and another type do.
    let mut other = event.clone();
    set(&mut other, "/id", json!("another"));
    assert!(accepted(&validator, &other, &other.to_string()).content == plain.content);
    set(&mut other, "/data/alcohol", json!("yes"));
    assert!(accepted(&validator, &other, &other.to_string()).content != plain.content);
    let start = example("crc.programme_start");
    let mut complete = start.clone();
    set(&mut complete, "/type", json!("uk.priorityd.crc.programme_complete.v1"));
    let contents = [start, complete].map(|event| accepted(&validator, &event, &event.to_string()).content.to_vec());
    assert!(contents[0] != contents[1]);
}

#[test]
fn what_housing_says_of_whereabouts_stops_at_the_door() {
    let mut event = example("local_authority.housing");
    set(&mut event, "/data/persons/0/identity/address", json!("12 Kestrel Walk"));
    set(&mut event, "/data/persons/0/identity/uprn", json!("100062400117"));
    let housing = accepted(&validator().strict(), &event, &event.to_string());
    let identity = &housing.persons[0].identity;
    assert!(identity.family_name.is_some());
    assert!(identity.postcode.is_none() && identity.address.is_none() && identity.uprn.is_none());
}

#[test]
fn what_is_doubtful_is_accepted_as_sent_and_told_at_the_producers_door() {
    let mut order = example("police.protection_order");
    let mut grade = example("police.risk_assessment");
    set(&mut grade, "/data/tool", json!("dash_ric"));
    let lengths = [("dvpn", 2, 28), ("dapn", 2, 3), ("dvpo", 28, 13), ("dvpo", 14, 29)];
    for (kind, lawful, doubtful) in lengths {
        set(&mut order, "/data/order", json!(kind));
        for (days, codes) in [(lawful, vec![]), (doubtful, vec!["EVT-070"])] {
            let expires = jiff::civil::date(2025, 3, 3).saturating_add(jiff::Span::new().days(days));
            set(&mut order, "/data/expires_on", json!(expires));
            assert_eq!(strictly(&order), codes, "{kind} of {days} days");
            accepted(&validator(), &order, &order.to_string());
        }
    }
    for (tool, count, graded, codes) in [
        ("dash_ric", 14, "high", vec![]),
        ("dash_ric", 13, "medium", vec![]),
        ("dash_ric", 2, "high", vec![]),
        ("dash_ric", 14, "medium", vec!["EVT-070"]),
        ("dash", 14, "medium", vec![]),
    ] {
        set(&mut grade, "/data/tool", json!(tool));
        set(&mut grade, "/data/yes_count", json!(count));
        set(&mut grade, "/data/grade", json!(graded));
        assert_eq!(strictly(&grade), codes, "{tool} {count} {graded}");
        accepted(&validator(), &grade, &grade.to_string());
    }
}

/// The codes of everything that the producer's door tells.
fn strictly(event: &Value) -> Vec<&'static str> {
    let text = event.to_string();
    let problems = validator().strict().problems(&feed_of(event), &[], text.as_bytes(), APPENDED_MS);
    problems.iter().map(|problem| problem.code.as_str()).collect()
}

#[test]
fn not_asked_is_kept_apart_from_no() {
    let mut event = example("local_authority.substance_misuse");
    for (said, expected) in [("not_asked", Answer::NotAsked), ("no", Answer::No)] {
        set(&mut event, "/data/alcohol", json!(said));
        let taken = accepted(&validator().strict(), &event, &event.to_string());
        let Detail::SubstanceMisuse { alcohol, .. } = taken.facts.detail else { panic!("what was asked") };
        assert_eq!(alcohol, expected);
    }
    // What may be left out was not asked either.
    let mut arrest = example("police.arrest");
    set(&mut arrest, "/data/wants_change", json!(null));
    let taken = accepted(&validator().strict(), &arrest, &arrest.to_string());
    assert!(matches!(taken.facts.detail, Detail::Arrest { wants_change: Answer::NotAsked, .. }));
}

#[test]
fn one_validator_serves_every_thread() {
    fn serves<T: Send + Sync>(_: &T) {}
    serves(&validator());
}
