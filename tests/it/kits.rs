//! What vendors are given: `priorityd try`, the AsyncAPI document, and the codes of rejections with what to do about them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use priorityd::model::finding::FindingKind;
use priorityd::model::outcome::RejectCode;
use priorityd::pipeline::preview::preview;
use priorityd::simulate::City;
use serde_json::Value;

use crate::convergence::LIFE;
use crate::support::deployed::priorityd;
use crate::support::events::{Sent, events};
use crate::support::hub::{Hub, Office, text};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn try_event(file: &Path, agency: &str) -> crate::support::deployed::Ran {
    let (file, agreement) = (file.display().to_string(), repository("deploy/agreement.toml").display().to_string());
    priorityd(&["try", &file, "--agency", agency, "--agreement", &agreement, "--format", "json"])
}

/// Whose example a file is: a service's and a reviewer's are sent by a party of that kind.
fn agency_of(file: &Path) -> &'static str {
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    match name.split('.').next() {
        Some("police") => "police",
        Some("crc") => "crc",
        Some("local_authority") => "local_authority",
        Some("review") => "reviewers",
        _ => "idva",
    }
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository(folder)).expect("the folder is there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Every text that says who somebody is, wherever it stands in an event.
fn identities(event: &Value, found: &mut BTreeSet<String>) {
    match event {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_clear = ["identity", "local_ref", "reference"].contains(&name.as_str());
                if is_clear { texts(value, found) } else { identities(value, found) }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| identities(item, found)),
        _ => {}
    }
}

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        // Words of our own vocabulary are nobody's: sexes have one letter or are words of the schema.
        Value::String(text) if text.len() > 3 && !["male", "female", "unknown"].contains(&text.as_str()) => {
            found.insert(text.clone());
        }
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        _ => {}
    }
}

#[test]
fn every_example_is_tried_and_nobody_is_named() {
    let mut names = BTreeSet::new();
    for file in files("schemas/examples/events") {
        let ran = try_event(&file, agency_of(&file));
        // A source of the examples need not be the party that tries them.
        let event: Value = serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
        identities(&event, &mut names);
        let told: Value = serde_json::from_str(&ran.out).expect("JSON");
        let accepted = told["outcome"] == "accepted";
        assert_eq!(ran.code, i32::from(!accepted), "{file:?}: {ran:?}");
        for name in &names {
            assert!(!ran.out.contains(name.as_str()) && !ran.err.contains(name.as_str()), "{file:?} shows {name}");
        }
    }
    assert!(names.len() > 20, "the examples name people: {names:?}");
    for file in files("schemas/examples/bad") {
        let code = file.file_name().and_then(|name| name.to_str()).expect("a name").split('.').next().expect("a code");
        let event: Value = serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
        let kind = event["type"].as_str().unwrap_or_default().split('.').nth(2).unwrap_or("police").to_owned();
        let ran = try_event(&file, agency_of(Path::new(&kind)));
        // An unknown field is ignored and told, and so is what is doubtful; every other code sends the event back.
        assert_eq!(ran.code, i32::from(!["EVT-025", "EVT-070"].contains(&code)), "{file:?}: {ran:?}");
        assert!(ran.out.contains(code), "{file:?} is not told by {code}: {ran:?}");
    }
}

#[test]
fn an_incident_is_previewed_person_by_person() {
    let ran = try_event(&repository("schemas/examples/events/police.incident.v1.json"), "police");
    let told: Value = serde_json::from_str(&ran.out).expect("JSON");
    let victim = &told["persons"][0];
    assert_eq!((text(&victim["role"]), &told["scope"]), ("victim", &Value::from("portsmouth")));
    let has = |of: &Value, word: &str| of.as_array().expect("a list").iter().any(|one| one == word);
    assert!(has(&victim["tokens"], "family name") && has(&victim["findings"], "repeat_victim"));
    assert!(!has(&victim["findings"], "serial_perpetrator"));
    let recipients = victim["recipients"].as_array().expect("a list");
    let idva = recipients.iter().find(|told| told["recipient"] == "idva" && told["view"] == "alert").expect("it may");
    assert_eq!((text(&idva["named_by"]), text(&idva["clause"])), ("own_reference", "IDVA-1"));
    assert!(recipients.iter().all(|told| told["named_by"] == "own_reference"), "no victim is named to anybody");
    assert!(recipients.iter().all(|told| told["recipient"] != "steering_group"));
}

/// What `try` foretells, against what the rules find in a city: no finding comes that was not foretold.
#[test]
fn what_comes_was_foretold() {
    let office = Office::shipped();
    let mut all: Vec<Sent> = City::new(5, 600, 6).play().feeds;
    all.extend(events(LIFE));
    let hub = Hub::played(office, &all);
    let mut by_id = BTreeMap::new();
    for sent in &all {
        // What cannot be read was rejected, and triggers nothing.
        let Ok(event) = serde_json::from_str::<Value>(&sent.1) else { continue };
        by_id.insert(office.event_id(sent.0.as_str(), text(&event["id"])), sent);
    }
    let mut seen = BTreeSet::new();
    for finding in hub.people().into_iter().flat_map(|person| person.findings) {
        let (feed, line) = by_id[&finding.trigger];
        let event: Value = serde_json::from_str(line).expect("JSON");
        if !seen.insert((text(&event["type"]).to_owned(), finding.kind, finding.role)) {
            continue;
        }
        let foretold = preview(&office.agreement, feed, line.as_bytes(), i64::MAX / 2).map_err(|_| "rejected");
        let foretold = foretold.expect("it was accepted");
        let mut persons = foretold.persons.iter().filter(|person| person.role == finding.role);
        let kind = finding.kind;
        assert!(persons.any(|person| person.findings.contains(&kind)), "{kind} of {}", event["type"]);
    }
    let kinds: BTreeSet<FindingKind> = seen.into_iter().map(|(_, kind, _)| kind).collect();
    assert!(kinds.len() + 3 >= FindingKind::ALL.len(), "the city brings about most of what there is: {kinds:?}");
}

#[test]
fn the_asyncapi_document_is_what_the_program_prints() {
    let ran = priorityd(&["asyncapi"]);
    assert_eq!(ran.code, 0);
    let committed = fs::read_to_string(repository("schemas/asyncapi.json")).expect("read");
    assert!(ran.out == committed, "write it anew: cargo run -- asyncapi > schemas/asyncapi.json");
    let document: Value = serde_json::from_str(&committed).expect("JSON");
    for folder in ["schemas/events", "schemas/outputs"] {
        for file in files(folder) {
            let name = file.file_stem().and_then(|name| name.to_str()).expect("a name");
            assert!(document["components"]["schemas"][name].is_object(), "{name} is missing");
        }
    }
    // Every reference leads somewhere.
    let mut waiting = vec![&document];
    let mut references = 0;
    while let Some(value) = waiting.pop() {
        if let Some(target) = value["$ref"].as_str() {
            let place = target.strip_prefix('#').expect("nothing outside is needed");
            assert!(document.pointer(place).is_some(), "{target} leads nowhere");
            references += 1;
        }
        waiting.extend(value.as_object().into_iter().flat_map(|fields| fields.values()));
        waiting.extend(value.as_array().into_iter().flatten());
    }
    assert!(references > 100);
}

/// The parser of the AsyncAPI initiative finds nothing wrong with it.
#[test]
fn the_asyncapi_parser_takes_the_document() {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let folder = repository(&target).join("tests");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("node")
        .env("PATH", format!("{}:{path}", folder.join("venv/bin").display()))
        .arg(folder.join("asyncapi/check.mjs"))
        .arg(repository("schemas/asyncapi.json"))
        .output()
        .expect("tests/setup installs node");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.trim() == "12 channels", "{out}{err}");
}

#[test]
fn every_code_of_rejection_is_explained_with_what_to_do() {
    let readme = fs::read_to_string(repository("schemas/README.md")).expect("read");
    let mut rows: Vec<(&str, usize)> = Vec::new();
    for line in readme.lines().filter(|line| line.starts_with("| EVT-")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 3 && cells.iter().all(|cell| !cell.is_empty()), "code, meaning, what to do: {line}");
        rows.push((cells[0], cells.len()));
    }
    let told: Vec<_> = rows.into_iter().map(|(code, _)| code).collect();
    let codes: BTreeSet<_> = RejectCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), codes);
    assert_eq!(told.len(), codes.len(), "each once");
}
