//! A table of bad events: each row changes one thing of a good one, and names the code and the place that come back.

use priorityd::model::outcome::RejectCode;
use serde_json::{Value, json};

use super::table::{Ends, assert_outcomes, example_with, set};
use super::{APPENDED_MS, example, party, validator};

#[test]
fn fields_against_the_schema() {
    use Ends::*;
    use RejectCode::*;
    let person = |field: &str| format!("/data/persons/0/{field}");
    let identity = |field: &str| format!("/data/persons/0/identity/{field}");
    let incident = example_with("police.incident");
    let crime = example_with("police.crime");
    let assessment = example_with("police.risk_assessment");
    let cancel = example_with("police.cancel");
    let amendment = example_with("police.amend");
    let client = example_with("service.caseload_entry");
    let acknowledgement = example_with("service.alert_acknowledged");
    assert_outcomes(vec![
        incident("no scope", "/data/scope", json!(null), Here(Missing)),
        incident("no law", "/data/regime", json!(null), Here(Missing)),
        incident("no persons", "/data/persons", json!(null), Here(Missing)),
        incident("nobody", "/data/persons", json!([]), Here(OutOfRange)),
        incident(
            "a crowd",
            "/data/persons",
            json!(vec![example("police.incident")["data"]["persons"][0].clone(); 51]),
            Here(OutOfRange),
        ),
        incident("persons as object", "/data/persons", json!({"0": 1}), Here(WrongType)),
        incident("a person as text", "/data/persons/0", json!("Sarah"), Here(WrongType)),
        incident("no role", &person("role"), json!(null), Here(Missing)),
        incident("a new role", &person("role"), json!("aggressor"), Here(NotListed)),
        incident("a role in capitals", &person("role"), json!("Victim"), Here(NotListed)),
        incident("no local_ref", &person("local_ref"), json!(null), Here(Missing)),
        incident("an empty local_ref", &person("local_ref"), json!(""), Here(OutOfRange)),
        incident("a long local_ref", &person("local_ref"), json!("é".repeat(65)), Here(OutOfRange)),
        incident("no identity", &person("identity"), json!(null), Here(Missing)),
        incident("an empty identity", &person("identity"), json!({}), Here(Missing)),
        incident("a place only", &person("identity"), json!({"postcode": "PO1 2AB"}), Here(Missing)),
        incident(
            "a blank name only",
            &person("identity"),
            json!({"family_name": "  ", "given_names": [""]}),
            Here(Missing),
        ),
        incident("an identifier only", &person("identity"), json!({"pnc_id": "03/123456L"}), Accepted),
        incident("one given name only", &person("identity"), json!({"given_names": ["Sarah"]}), Accepted),
        incident("given names as text", &identity("given_names"), json!("Sarah Jane"), Here(WrongType)),
        incident("a family name as number", &identity("family_name"), json!(12), Here(WrongType)),
        incident("a long name", &identity("family_name"), json!("x".repeat(201)), Here(OutOfRange)),
        incident("many given names", &identity("given_names"), json!(vec!["x"; 21]), Here(OutOfRange)),
        incident("a name of all planes", &identity("family_name"), json!("Ó Brîain-李 𐍈🦊"), Accepted),
        incident("a new sex", &identity("sex"), json!("F"), Here(NotListed)),
        incident("any postcode", &identity("postcode"), json!("nfa - c/o refuge"), Accepted),
        incident("an empty postcode", &identity("postcode"), json!(""), Accepted),
        incident("failed check letter, PNC", &identity("pnc_id"), json!("2003/0123456Q"), Accepted),
        incident("failed check letter, CRO", &identity("cro_number"), json!("123456/03Z"), Accepted),
        incident("failed check digit, NHS", &identity("nhs_number"), json!("9991234567"), Accepted),
        incident("an identifier of no form", &identity("crn"), json!("see notes"), Accepted),
        incident("an essay for a PNC id", &identity("pnc_id"), json!("x".repeat(33)), Here(OutOfRange)),
        incident("an unknown field is ignored", "/data/weather", json!({"rain": true}), Accepted),
        incident("an unknown part of identity is ignored", &identity("eyes"), json!("blue"), Accepted),
        incident("an answer as boolean", "/data/alcohol", json!(true), Here(NotListed)),
        crime("a word for a code", "/data/offence_code", json!("Whitcombe"), Here(WrongForm)),
        crime("a text for a flag", "/data/most_serious_violence", json!("no"), Here(WrongType)),
        assessment("a count below nought", "/data/yes_count", json!(-1), Here(OutOfRange)),
        assessment("a count beyond the tool", "/data/yes_count", json!(41), Here(OutOfRange)),
        assessment("a broken count", "/data/yes_count", json!(14.5), Here(WrongType)),
        assessment("a whole count with a point", "/data/yes_count", json!(14.0), Accepted),
        assessment("a huge count", "/data/yes_count", json!(1e300), Here(OutOfRange)),
        cancel("a cancel of nothing", "/data/supersedes", json!(null), Here(Missing)),
        cancel(
            "a cancel with a person",
            "/data/persons",
            example("police.incident")["data"]["persons"].clone(),
            Here(OutOfRange),
        ),
        amendment("an amendment of nothing", "/data/supersedes", json!(null), Here(Missing)),
        amendment("an amendment without a type", "/data/amended_type", json!(null), Here(Missing)),
        amendment("an amended cancel", "/data/amended_type", json!("cancel"), Here(NotListed)),
        amendment(
            "an amendment of another type",
            "/data/amended_type",
            json!("crime"),
            At(Missing, "/data/most_serious_violence"),
        ),
        client("a client accused", "/data/persons/0/status", json!("suspect"), Here(NotListed)),
        client("a client as witness", "/data/persons/0/role", json!("witness"), Here(NotListed)),
        acknowledgement("a name for an alert", "/data/alert", json!("Whitcombe"), Here(WrongForm)),
    ]);
}

#[test]
fn dates_scopes_persons_and_history() {
    use Ends::*;
    use RejectCode::*;
    let born = "/data/persons/0/identity/date_of_birth";
    let incident = example_with("police.incident");
    let assessment = example_with("police.risk_assessment");
    let order = example_with("police.protection_order");
    let probation = example_with("crc.order_start");
    assert_outcomes(vec![
        incident("no occurred_at", "/data/occurred_at", json!(null), Here(Missing)),
        incident("no offset", "/data/occurred_at", json!("2025-03-01T21:40:00"), Here(BadDate)),
        incident("a day only", "/data/occurred_at", json!("2025-03-01"), Here(BadDate)),
        incident("30 February", "/data/occurred_at", json!("2025-02-30T21:40:00Z"), Here(BadDate)),
        incident("25 o'clock", "/data/occurred_at", json!("2025-03-01T25:00:00Z"), Here(BadDate)),
        incident("milliseconds since 1970", "/data/occurred_at", json!(1_740_865_200_000_u64), Here(WrongType)),
        incident("before 1900", "/data/occurred_at", json!("1899-12-31T23:00:00Z"), Here(OutOfRange)),
        incident("year nought", "/data/recorded_at", json!("0000-01-01T00:00:00Z"), Here(OutOfRange)),
        incident(
            "happened after it was recorded",
            "/data/occurred_at",
            json!("2025-03-03T00:00:00Z"),
            Here(DatesContradict),
        ),
        incident("a few hours after it was recorded", "/data/occurred_at", json!("2025-03-02T09:00:00Z"), Accepted),
        incident("recorded in the future", "/data/recorded_at", json!("2026-01-03T00:00:00Z"), Here(DatesContradict)),
        incident("a birthday that is none", born, json!("1988-02-30"), Here(BadDate)),
        incident("a British birthday", born, json!("17/04/1988"), Here(BadDate)),
        incident("a basic-format birthday", born, json!("19880417"), Here(BadDate)),
        incident("born the year after", born, json!("2026-04-17"), Here(DatesContradict)),
        incident("born that day", born, json!("2025-03-01"), Accepted),
        incident("a placeholder birthday", born, json!("1900-01-01"), Accepted),
        order("ends before it starts", "/data/expires_on", json!("2025-03-02"), Here(DatesContradict)),
        order("breached before it starts", "/data/breached_on", json!("2025-03-02"), Here(DatesContradict)),
        order("breached in the future", "/data/breached_on", json!("2025-03-20"), Here(DatesContradict)),
        order("served in 1066", "/data/served_on", json!("1066-10-14"), Here(OutOfRange)),
        order(
            "an order against nobody",
            "/data/persons/1/role",
            json!("witness"),
            At(PersonsContradict, "/data/persons"),
        ),
        order("no end", "/data/expires_on", json!(null), Accepted),
        assessment(
            "an assessment of nobody",
            "/data/persons/0/role",
            json!("witness"),
            At(PersonsContradict, "/data/persons"),
        ),
        probation(
            "an order of no perpetrator",
            "/data/persons/0/role",
            json!("child"),
            At(PersonsContradict, "/data/persons"),
        ),
        incident("an unserved scope", "/data/scope", json!("atlantis"), Here(UnknownScope)),
        incident("a scope of no form", "/data/scope", json!("Portsmouth!"), Here(WrongForm)),
        incident("both roles", "/data/persons/1/local_ref", json!("N-204417"), Here(PersonsContradict)),
        incident("child and victim", "/data/persons/2/local_ref", json!("N-204417"), Accepted),
        incident("a convicted victim", "/data/persons/0/status", json!("convicted"), Here(PersonsContradict)),
        incident("a perpetrator as victim", "/data/persons/1/status", json!("victim"), Here(PersonsContradict)),
        incident(
            "supersedes itself",
            "/data/supersedes",
            json!("6f0c1a52-8d1e-4b7a-9c3d-000000000001"),
            Here(BadSupersedes),
        ),
        incident("supersedes one that may still come", "/data/supersedes", json!("not-yet-seen"), Accepted),
    ]);
}

#[test]
fn several_problems_are_told_at_once_and_in_order() {
    let mut event = example("police.incident");
    set(&mut event, "/data/scope", json!("atlantis"));
    set(&mut event, "/data/occurred_at", json!("2025-06-01T00:00:00Z"));
    set(&mut event, "/data/persons/1/status", json!("victim"));
    set(&mut event, "/data/persons/2/role", json!("dog"));
    set(&mut event, "/data/alcohol", json!(null));
    set(&mut event, "/data/whitcombe", json!(1));
    set(&mut event, "/source", json!("urn:priorityd:crc"));
    let problems = validator().strict().problems(&party("police"), &[], event.to_string().as_bytes(), APPENDED_MS);
    let told: Vec<_> = problems.iter().map(|problem| (problem.code.as_str(), problem.path.as_str())).collect();
    let expected = [
        ("EVT-013", "/source"),
        ("EVT-025", "/data/?"),
        ("EVT-020", "/data/alcohol"),
        ("EVT-022", "/data/persons/2/role"),
        ("EVT-031", "/data/occurred_at"),
        ("EVT-040", "/data/scope"),
        ("EVT-041", "/data/persons/1/status"),
    ];
    let mut sorted = told.clone();
    sorted.sort_unstable();
    let mut expected_sorted = expected;
    expected_sorted.sort_unstable();
    assert_eq!(sorted, expected_sorted);
    // Envelope, schema, dates, scope, persons; within the schema by path.
    assert_eq!(told[0], expected[0]);
    assert_eq!(told[4..], expected[4..]);
}

#[test]
fn only_a_uuid_is_repeated_as_id() {
    let validator = validator();
    let mut event = example("police.incident");
    let id_of = |event: &Value| validator.event_uuid(&[], event.to_string().as_bytes());
    assert_eq!(id_of(&event).as_deref(), Some("6f0c1a52-8d1e-4b7a-9c3d-000000000001"));
    event["type"] = json!("nothing of ours");
    assert_eq!(id_of(&event).as_deref(), Some("6f0c1a52-8d1e-4b7a-9c3d-000000000001"));
    for id in [json!("Sarah Whitcombe"), json!(12), json!(null), json!("6f0c1a52-8d1e-4b7a-9c3d-00000000000g")] {
        event["id"] = id;
        assert_eq!(id_of(&event), None);
    }
    assert_eq!(validator.event_uuid(&[], b"{"), None);
    assert_eq!(validator.event_uuid(&[], &vec![b' '; 2_000_000]), None);
}
