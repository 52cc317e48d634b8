//! A table of bad input: each row is one record, the code it comes back with, and the place that is named.

use priorityd::model::outcome::RejectCode;
use serde_json::{Value, json};

use super::{APPENDED_MS, example, party, validator};

/// One record and what is expected of it: `None` for accepted.
struct Row {
    what: &'static str,
    feed: &'static str,
    headers: Vec<(String, Vec<u8>)>,
    payload: Vec<u8>,
    expected: Option<(RejectCode, &'static str)>,
}

fn row(what: &'static str, payload: impl Into<Vec<u8>>, code: RejectCode, path: &'static str) -> Row {
    Row { what, feed: "police", headers: Vec::new(), payload: payload.into(), expected: Some((code, path)) }
}

/// An example with one thing set (`null` removes it), and how that ends.
fn changed(
    what: &'static str,
    name: &str,
    pointer: &str,
    value: Value,
    expected: Option<(RejectCode, &'static str)>,
) -> Row {
    let mut event = example(name);
    let source = event["source"].as_str().expect("an example has a source");
    let feed = match source {
        "urn:priorityd:police" => "police",
        "urn:priorityd:crc" => "crc",
        "urn:priorityd:local_authority" => "local_authority",
        "urn:priorityd:up2u" => "up2u",
        _ => "idva",
    };
    set(&mut event, pointer, value);
    Row { what, feed, headers: Vec::new(), payload: event.to_string().into_bytes(), expected }
}

fn set(event: &mut Value, pointer: &str, value: Value) {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer into the event");
    match event.pointer_mut(parent).expect("the parent is there") {
        Value::Object(fields) if value.is_null() => drop(fields.remove(last)),
        Value::Object(fields) => drop(fields.insert(last.to_owned(), value)),
        Value::Array(items) => items[last.parse::<usize>().expect("an index")] = value,
        _ => panic!("{parent} holds nothing"),
    }
}

/// The incident as text, with one piece of text replaced: for what `Value` cannot hold.
fn edited(from: &str, to: &str) -> String {
    let text = example("police.incident").to_string();
    assert!(text.contains(from), "{from} is in the example");
    text.replacen(from, to, 1)
}

fn assert_outcomes(rows: Vec<Row>) {
    let validator = validator();
    for Row { what, feed, headers, payload, expected } in rows {
        let feed = party(feed);
        let outcome = validator.validate(&feed, &headers, &payload, APPENDED_MS).err();
        let problems = validator.problems(&feed, &headers, &payload, APPENDED_MS);
        assert_eq!(outcome, problems.first().cloned(), "{what}: validate tells the first problem");
        match (expected, outcome) {
            (None, None) => {}
            (Some((code, path)), Some(rejection)) => {
                assert_eq!((rejection.code, rejection.path.as_str()), (code, path), "{what}: {rejection:?}");
                assert!(!rejection.rule.is_empty() && !rejection.help.is_empty(), "{what}: rule and help");
            }
            (expected, outcome) => panic!("{what}: expected {expected:?}, found {outcome:?}"),
        }
    }
}

#[test]
fn records_that_cannot_be_read() {
    use RejectCode::*;
    let incident = example("police.incident").to_string();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| incident.encode_utf16().flat_map(bytes).collect::<Vec<_>>();
    let mut marked_utf16 = vec![0xff, 0xfe];
    marked_utf16.extend(utf16(u16::to_le_bytes));
    let mut latin1 = edited("Whitcombe", "Gar_on").into_bytes();
    let at = latin1.windows(6).position(|word| word == b"Gar_on").expect("just put in");
    latin1[at + 3] = 0xe7;
    let mut marked_utf8 = b"\xef\xbb\xbf".to_vec();
    marked_utf8.extend(incident.bytes());
    let nested = |depth: usize| edited("\"Deano\"", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
    assert_outcomes(vec![
        row("10 MB", vec![b' '; 10_000_000], TooLarge, ""),
        row("one byte over", vec![b' '; (1 << 20) + 1], TooLarge, ""),
        Row {
            what: "headers count",
            feed: "police",
            headers: vec![("ce_id".into(), vec![b'a'; 2_000_000])],
            payload: b"{}".to_vec(),
            expected: Some((TooLarge, "")),
        },
        row("UTF-16 with a mark", marked_utf16, NotUtf8, ""),
        row("UTF-16 LE without a mark", utf16(u16::to_le_bytes), NotUtf8, ""),
        row("UTF-16 BE without a mark", utf16(u16::to_be_bytes), NotUtf8, ""),
        row("Latin-1", latin1, NotUtf8, ""),
        row("overlong UTF-8", b"\xc0\xaf".to_vec(), NotUtf8, ""),
        Row { expected: None, ..row("UTF-8 with a mark is read", marked_utf8, NotUtf8, "") },
        row("empty", "", NotJson, ""),
        row("spaces", "   \n", NotJson, ""),
        row("text", "Sarah Whitcombe", NotJson, ""),
        row("XML", "<event/>", NotJson, ""),
        row("cut short", &incident.as_bytes()[..incident.len() / 2], NotJson, ""),
        row("two documents", format!("{incident}{incident}"), NotJson, ""),
        row("trailing comma", edited("\"data\":{", "\"data\":{,"), NotJson, ""),
        row("comment", format!("/* no */{incident}"), NotJson, ""),
        row("single quotes", "{'specversion':'1.0'}", NotJson, ""),
        row("NaN", edited("\"Deano\"", "NaN"), NotJson, ""),
        row("a number beyond a double", edited("\"Deano\"", "1e999"), NotJson, ""),
        row("a lone surrogate", edited("Deano", "\\ud800"), NotJson, ""),
        row("a raw control character", edited("Deano", "De\u{1}ano"), NotJson, ""),
        row("a raw NUL", edited("Deano", "De\0ano"), NotJson, ""),
        row(
            "an escaped NUL",
            edited("Deano", "De\\u0000ano"),
            WrongForm,
            "/data/persons/1/identity/aliases/0/given_names/0",
        ),
        row(
            "an escaped NUL in a name",
            edited("\"given_names\"", "\"given\\u0000names\""),
            WrongForm,
            "/data/persons/0/identity/former_names/0/?",
        ),
        row("deep nesting", nested(100), TooDeep, "/data/persons/1/identity/aliases/0/given_names/0"),
        row("nesting beyond any stack", "[".repeat(500_000), TooDeep, "/0/0/0/0/0/0/0/0"),
        row(
            "a property twice",
            edited("\"scope\"", "\"scope\":\"portsmouth\",\"scope\""),
            DuplicateProperty,
            "/data/scope",
        ),
        row(
            "an unknown property twice",
            edited("\"scope\"", "\"Sarah\":1,\"Sarah\":2,\"scope\""),
            DuplicateProperty,
            "/data/?",
        ),
    ]);
}

#[test]
fn envelopes_that_are_none() {
    use RejectCode::*;
    let rows = vec![
        row("null", "null", NotCloudEvent, ""),
        row("a list", "[]", NotCloudEvent, ""),
        row("a number", "12345678901234567890123", NotCloudEvent, ""),
        row("an empty object", "{}", NotCloudEvent, "/id"),
        changed("no version", "police.incident", "/specversion", json!(null), Some((NotCloudEvent, "/specversion"))),
        changed("version 0.3", "police.incident", "/specversion", json!("0.3"), Some((NotCloudEvent, "/specversion"))),
        changed(
            "a number as version",
            "police.incident",
            "/specversion",
            json!(1.0),
            Some((NotCloudEvent, "/specversion")),
        ),
        changed("no id", "police.incident", "/id", json!(null), Some((NotCloudEvent, "/id"))),
        changed("an empty id", "police.incident", "/id", json!(""), Some((NotCloudEvent, "/id"))),
        changed("a number as id", "police.incident", "/id", json!(7), Some((NotCloudEvent, "/id"))),
        changed("a long id", "police.incident", "/id", json!("7".repeat(129)), Some((OutOfRange, "/id"))),
        changed("no source", "police.incident", "/source", json!(null), Some((NotCloudEvent, "/source"))),
        changed(
            "another's source",
            "police.incident",
            "/source",
            json!("urn:priorityd:crc"),
            Some((SourceNotOfFeed, "/source")),
        ),
        changed("no type", "police.incident", "/type", json!(null), Some((NotCloudEvent, "/type"))),
        changed(
            "unknown type",
            "police.incident",
            "/type",
            json!("uk.priorityd.police.parking.v1"),
            Some((UnknownType, "/type")),
        ),
        changed(
            "a version to come",
            "police.incident",
            "/type",
            json!("uk.priorityd.police.incident.v2"),
            Some((UnknownType, "/type")),
        ),
        changed(
            "another feed's type",
            "police.incident",
            "/type",
            json!("uk.priorityd.crc.order_start.v1"),
            Some((TypeNotOfFeed, "/type")),
        ),
        changed("no data", "police.incident", "/data", json!(null), Some((Missing, "/data"))),
        changed("data as text", "police.incident", "/data", json!("{}"), Some((WrongType, "/data"))),
        changed("time that is none", "police.incident", "/time", json!("noon"), Some((BadDate, "/time"))),
        changed(
            "XML inside",
            "police.incident",
            "/datacontenttype",
            json!("application/xml"),
            Some((WrongForm, "/datacontenttype")),
        ),
        Row { feed: "somebody", ..row("an unknown feed", "{}", SourceNotOfFeed, "") },
    ];
    assert_outcomes(rows);
}

#[test]
fn fields_against_the_schema() {
    use RejectCode::*;
    let person = |field: &str| format!("/data/persons/0/{field}");
    let identity = |field: &str| format!("/data/persons/0/identity/{field}");
    let incident = |what, pointer: &str, value, expected| changed(what, "police.incident", pointer, value, expected);
    assert_outcomes(vec![
        incident("no scope", "/data/scope", json!(null), Some((Missing, "/data/scope"))),
        incident("no law", "/data/regime", json!(null), Some((Missing, "/data/regime"))),
        incident("no persons", "/data/persons", json!(null), Some((Missing, "/data/persons"))),
        incident("nobody", "/data/persons", json!([]), Some((OutOfRange, "/data/persons"))),
        incident(
            "a crowd",
            "/data/persons",
            json!(vec![example("police.incident")["data"]["persons"][0].clone(); 51]),
            Some((OutOfRange, "/data/persons")),
        ),
        incident("persons as object", "/data/persons", json!({"0": 1}), Some((WrongType, "/data/persons"))),
        incident("a person as text", "/data/persons/0", json!("Sarah"), Some((WrongType, "/data/persons/0"))),
        incident("no role", &person("role"), json!(null), Some((Missing, "/data/persons/0/role"))),
        incident("a new role", &person("role"), json!("aggressor"), Some((NotListed, "/data/persons/0/role"))),
        incident("a role in capitals", &person("role"), json!("Victim"), Some((NotListed, "/data/persons/0/role"))),
        incident("no local_ref", &person("local_ref"), json!(null), Some((Missing, "/data/persons/0/local_ref"))),
        incident(
            "an empty local_ref",
            &person("local_ref"),
            json!(""),
            Some((OutOfRange, "/data/persons/0/local_ref")),
        ),
        incident(
            "a long local_ref",
            &person("local_ref"),
            json!("é".repeat(65)),
            Some((OutOfRange, "/data/persons/0/local_ref")),
        ),
        incident("no identity", &person("identity"), json!(null), Some((Missing, "/data/persons/0/identity"))),
        incident("an empty identity", &person("identity"), json!({}), Some((Missing, "/data/persons/0/identity"))),
        incident(
            "a place only",
            &person("identity"),
            json!({"postcode": "PO1 2AB"}),
            Some((Missing, "/data/persons/0/identity")),
        ),
        incident(
            "a blank name only",
            &person("identity"),
            json!({"family_name": "  ", "given_names": [""]}),
            Some((Missing, "/data/persons/0/identity")),
        ),
        incident("an identifier only", &person("identity"), json!({"pnc_id": "03/123456L"}), None),
        incident("one given name only", &person("identity"), json!({"given_names": ["Sarah"]}), None),
        incident(
            "given names as text",
            &identity("given_names"),
            json!("Sarah Jane"),
            Some((WrongType, "/data/persons/0/identity/given_names")),
        ),
        incident(
            "a family name as number",
            &identity("family_name"),
            json!(12),
            Some((WrongType, "/data/persons/0/identity/family_name")),
        ),
        incident(
            "a long name",
            &identity("family_name"),
            json!("x".repeat(201)),
            Some((OutOfRange, "/data/persons/0/identity/family_name")),
        ),
        incident(
            "many given names",
            &identity("given_names"),
            json!(vec!["x"; 21]),
            Some((OutOfRange, "/data/persons/0/identity/given_names")),
        ),
        incident("a name of all planes", &identity("family_name"), json!("Ó Brîain-李 𐍈🦊"), None),
        incident("a new sex", &identity("sex"), json!("F"), Some((NotListed, "/data/persons/0/identity/sex"))),
        incident("any postcode", &identity("postcode"), json!("nfa - c/o refuge"), None),
        incident("an empty postcode", &identity("postcode"), json!(""), None),
        incident("failed check letter, PNC", &identity("pnc_id"), json!("2003/0123456Q"), None),
        incident("failed check letter, CRO", &identity("cro_number"), json!("123456/03Z"), None),
        incident("failed check digit, NHS", &identity("nhs_number"), json!("9991234567"), None),
        incident("an identifier of no form", &identity("crn"), json!("see notes"), None),
        incident(
            "an essay for a PNC id",
            &identity("pnc_id"),
            json!("x".repeat(33)),
            Some((OutOfRange, "/data/persons/0/identity/pnc_id")),
        ),
        incident("an unknown field is ignored", "/data/weather", json!({"rain": true}), None),
        incident("an unknown part of identity is ignored", &identity("eyes"), json!("blue"), None),
        incident("an answer as boolean", "/data/alcohol", json!(true), Some((NotListed, "/data/alcohol"))),
        changed(
            "a word for a code",
            "police.crime",
            "/data/offence_code",
            json!("Whitcombe"),
            Some((WrongForm, "/data/offence_code")),
        ),
        changed(
            "a text for a flag",
            "police.crime",
            "/data/most_serious_violence",
            json!("no"),
            Some((WrongType, "/data/most_serious_violence")),
        ),
        changed(
            "a count below nought",
            "police.risk_assessment",
            "/data/yes_count",
            json!(-1),
            Some((OutOfRange, "/data/yes_count")),
        ),
        changed(
            "a count beyond the tool",
            "police.risk_assessment",
            "/data/yes_count",
            json!(41),
            Some((OutOfRange, "/data/yes_count")),
        ),
        changed(
            "a broken count",
            "police.risk_assessment",
            "/data/yes_count",
            json!(14.5),
            Some((WrongType, "/data/yes_count")),
        ),
        changed("a whole count with a point", "police.risk_assessment", "/data/yes_count", json!(14.0), None),
        changed(
            "a huge count",
            "police.risk_assessment",
            "/data/yes_count",
            json!(1e300),
            Some((OutOfRange, "/data/yes_count")),
        ),
        changed(
            "a cancel of nothing",
            "police.cancel",
            "/data/supersedes",
            json!(null),
            Some((Missing, "/data/supersedes")),
        ),
        changed(
            "a cancel with a person",
            "police.cancel",
            "/data/persons",
            example("police.incident")["data"]["persons"].clone(),
            Some((OutOfRange, "/data/persons")),
        ),
        changed(
            "an amendment of nothing",
            "police.amend",
            "/data/supersedes",
            json!(null),
            Some((Missing, "/data/supersedes")),
        ),
        changed(
            "an amendment without a type",
            "police.amend",
            "/data/amended_type",
            json!(null),
            Some((Missing, "/data/amended_type")),
        ),
        changed(
            "an amended cancel",
            "police.amend",
            "/data/amended_type",
            json!("cancel"),
            Some((NotListed, "/data/amended_type")),
        ),
        changed(
            "an amendment of another type",
            "police.amend",
            "/data/amended_type",
            json!("crime"),
            Some((Missing, "/data/most_serious_violence")),
        ),
        changed(
            "a client accused",
            "service.caseload_entry",
            "/data/persons/0/status",
            json!("suspect"),
            Some((NotListed, "/data/persons/0/status")),
        ),
        changed(
            "a client as witness",
            "service.caseload_entry",
            "/data/persons/0/role",
            json!("witness"),
            Some((NotListed, "/data/persons/0/role")),
        ),
        changed(
            "a name for an alert",
            "service.alert_acknowledged",
            "/data/alert",
            json!("Whitcombe"),
            Some((WrongForm, "/data/alert")),
        ),
    ]);
}

#[test]
fn dates_scopes_persons_and_history() {
    use RejectCode::*;
    let incident = |what, pointer: &str, value, expected| changed(what, "police.incident", pointer, value, expected);
    let order =
        |what, pointer: &str, value, expected| changed(what, "police.protection_order", pointer, value, expected);
    let born = "/data/persons/0/identity/date_of_birth";
    assert_outcomes(vec![
        incident("no occurred_at", "/data/occurred_at", json!(null), Some((Missing, "/data/occurred_at"))),
        incident("no offset", "/data/occurred_at", json!("2025-03-01T21:40:00"), Some((BadDate, "/data/occurred_at"))),
        incident("a day only", "/data/occurred_at", json!("2025-03-01"), Some((BadDate, "/data/occurred_at"))),
        incident(
            "30 February",
            "/data/occurred_at",
            json!("2025-02-30T21:40:00Z"),
            Some((BadDate, "/data/occurred_at")),
        ),
        incident(
            "25 o'clock",
            "/data/occurred_at",
            json!("2025-03-01T25:00:00Z"),
            Some((BadDate, "/data/occurred_at")),
        ),
        incident(
            "milliseconds since 1970",
            "/data/occurred_at",
            json!(1_740_865_200_000_u64),
            Some((WrongType, "/data/occurred_at")),
        ),
        incident(
            "before 1900",
            "/data/occurred_at",
            json!("1899-12-31T23:00:00Z"),
            Some((OutOfRange, "/data/occurred_at")),
        ),
        incident(
            "year nought",
            "/data/recorded_at",
            json!("0000-01-01T00:00:00Z"),
            Some((OutOfRange, "/data/recorded_at")),
        ),
        incident(
            "happened after it was recorded",
            "/data/occurred_at",
            json!("2025-03-03T00:00:00Z"),
            Some((DatesContradict, "/data/occurred_at")),
        ),
        incident("a few hours after it was recorded", "/data/occurred_at", json!("2025-03-02T09:00:00Z"), None),
        incident(
            "recorded in the future",
            "/data/recorded_at",
            json!("2026-01-03T00:00:00Z"),
            Some((DatesContradict, "/data/recorded_at")),
        ),
        incident(
            "a birthday that is none",
            born,
            json!("1988-02-30"),
            Some((BadDate, "/data/persons/0/identity/date_of_birth")),
        ),
        incident(
            "a British birthday",
            born,
            json!("17/04/1988"),
            Some((BadDate, "/data/persons/0/identity/date_of_birth")),
        ),
        incident(
            "a basic-format birthday",
            born,
            json!("19880417"),
            Some((BadDate, "/data/persons/0/identity/date_of_birth")),
        ),
        incident(
            "born the year after",
            born,
            json!("2026-04-17"),
            Some((DatesContradict, "/data/persons/0/identity/date_of_birth")),
        ),
        incident("born that day", born, json!("2025-03-01"), None),
        incident("a placeholder birthday", born, json!("1900-01-01"), None),
        order(
            "ends before it starts",
            "/data/expires_on",
            json!("2025-03-02"),
            Some((DatesContradict, "/data/expires_on")),
        ),
        order(
            "breached before it starts",
            "/data/breached_on",
            json!("2025-03-02"),
            Some((DatesContradict, "/data/breached_on")),
        ),
        order(
            "breached in the future",
            "/data/breached_on",
            json!("2025-03-20"),
            Some((DatesContradict, "/data/breached_on")),
        ),
        order("served in 1066", "/data/served_on", json!("1066-10-14"), Some((OutOfRange, "/data/served_on"))),
        order(
            "an order against nobody",
            "/data/persons/1/role",
            json!("witness"),
            Some((PersonsContradict, "/data/persons")),
        ),
        order("no end", "/data/expires_on", json!(null), None),
        changed(
            "an assessment of nobody",
            "police.risk_assessment",
            "/data/persons/0/role",
            json!("witness"),
            Some((PersonsContradict, "/data/persons")),
        ),
        changed(
            "an order of no perpetrator",
            "crc.order_start",
            "/data/persons/0/role",
            json!("child"),
            Some((PersonsContradict, "/data/persons")),
        ),
        incident("an unserved scope", "/data/scope", json!("atlantis"), Some((UnknownScope, "/data/scope"))),
        incident("a scope of no form", "/data/scope", json!("Portsmouth!"), Some((WrongForm, "/data/scope"))),
        incident(
            "both roles",
            "/data/persons/1/local_ref",
            json!("N-204417"),
            Some((PersonsContradict, "/data/persons/1/local_ref")),
        ),
        incident("child and victim", "/data/persons/2/local_ref", json!("N-204417"), None),
        incident(
            "a convicted victim",
            "/data/persons/0/status",
            json!("convicted"),
            Some((PersonsContradict, "/data/persons/0/status")),
        ),
        incident(
            "a perpetrator as victim",
            "/data/persons/1/status",
            json!("victim"),
            Some((PersonsContradict, "/data/persons/1/status")),
        ),
        incident(
            "supersedes itself",
            "/data/supersedes",
            json!("6f0c1a52-8d1e-4b7a-9c3d-000000000001"),
            Some((BadSupersedes, "/data/supersedes")),
        ),
        incident("supersedes one that may still come", "/data/supersedes", json!("not-yet-seen"), None),
    ]);
}

#[test]
fn binary_mode() {
    use RejectCode::*;
    let event = example("police.incident");
    let data = event["data"].to_string();
    let mut good: Vec<(String, Vec<u8>)> = ["specversion", "id", "source", "type"]
        .map(|name| (format!("ce_{name}"), event[name].as_str().expect("a text").as_bytes().to_vec()))
        .into();
    good.push(("content-type".into(), b"application/json; charset=utf-8".to_vec()));
    let with = |what, change: &dyn Fn(&mut Vec<(String, Vec<u8>)>), expected| {
        let mut headers = good.clone();
        change(&mut headers);
        Row { what, feed: "police", headers, payload: data.clone().into_bytes(), expected }
    };
    let position = |headers: &[(String, Vec<u8>)], name: &str| {
        headers.iter().position(|(header, _)| header == name).expect("set above")
    };
    let replace = |headers: &mut Vec<(String, Vec<u8>)>, name: &str, value: &[u8]| {
        let at = position(headers, name);
        headers[at].1 = value.to_vec();
    };
    assert_outcomes(vec![
        with("good", &|_| {}, None),
        with(
            "capitals in header names",
            &|headers| headers.iter_mut().for_each(|header| header.0.make_ascii_uppercase()),
            None,
        ),
        with("no content type", &|headers| drop(headers.pop()), None),
        with("no ce_type", &|headers| headers.retain(|(name, _)| name != "ce_type"), Some((NotCloudEvent, "/type"))),
        with(
            "no ce_specversion",
            &|headers| headers.retain(|(name, _)| name != "ce_specversion"),
            Some((NotCloudEvent, "/specversion")),
        ),
        with("an id in Latin-1", &|headers| replace(headers, "ce_id", b"caf\xe9"), Some((NotCloudEvent, "/id"))),
        with("an id with NUL", &|headers| replace(headers, "ce_id", b"a\0b"), Some((WrongForm, "/id"))),
        with("two ids", &|headers| headers.push(("ce_id".into(), b"another".to_vec())), Some((NotCloudEvent, "/id"))),
        with(
            "data in a header",
            &|headers| headers.push(("ce_data".into(), b"{}".to_vec())),
            Some((NotCloudEvent, "/data")),
        ),
        with("an unknown extension", &|headers| headers.push(("ce_whitcombe".into(), b"1".to_vec())), None),
        with(
            "two unknown extensions alike",
            &|headers| headers.extend([("ce_whitcombe".into(), b"1".to_vec()), ("ce_whitcombe".into(), b"2".to_vec())]),
            Some((NotCloudEvent, "/?")),
        ),
        with(
            "an unknown extension in Latin-1",
            &|headers| headers.push(("ce_whitcombe".into(), b"\xe9".to_vec())),
            Some((NotCloudEvent, "/?")),
        ),
        with("other headers", &|headers| headers.push(("trace".into(), b"\xff".to_vec())), None),
        with(
            "XML",
            &|headers| replace(headers, "content-type", b"application/xml"),
            Some((NotCloudEvent, "/datacontenttype")),
        ),
        with(
            "a batch",
            &|headers| replace(headers, "content-type", b"application/cloudevents-batch+json"),
            Some((NotCloudEvent, "/datacontenttype")),
        ),
        with(
            "Avro",
            &|headers| replace(headers, "content-type", b"application/cloudevents+avro"),
            Some((NotCloudEvent, "/datacontenttype")),
        ),
        with(
            "content type twice",
            &|headers| headers.push(("Content-Type".into(), b"application/json".to_vec())),
            Some((NotCloudEvent, "/datacontenttype")),
        ),
        with(
            "structured by its content type, so data alone is none",
            &|headers| replace(headers, "content-type", b"application/cloudevents+json"),
            Some((NotCloudEvent, "/id")),
        ),
        Row {
            payload: data.replacen("\"scope\"", "\"scope\":1,\"scope\"", 1).into_bytes(),
            ..with("a property twice", &|_| {}, Some((DuplicateProperty, "/data/scope")))
        },
        Row { payload: b"{".to_vec(), ..with("data cut short", &|_| {}, Some((NotJson, ""))) },
        Row { payload: b"[]".to_vec(), ..with("data a list", &|_| {}, Some((WrongType, "/data"))) },
        Row { payload: Vec::new(), ..with("no data", &|_| {}, Some((NotJson, ""))) },
        Row {
            what: "structured with its content type",
            feed: "police",
            headers: vec![("content-type".into(), b"application/cloudevents+json; charset=UTF-8".to_vec())],
            payload: event.to_string().into_bytes(),
            expected: None,
        },
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
