//! Everything published under `schemas/` agrees with itself, with the daemon, and with somebody else's validator.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use priorityd::model::outcome::RejectCode;
use priorityd::validate::types::{COMMON_SCHEMA, EVENT_TYPES};
use serde_json::Value;

use super::{APPENDED_MS, feed_of, files, schemas_dir, validator};

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("the file is JSON")
}

#[test]
fn every_schema_of_events_is_registered_as_published() {
    let mut registered: Vec<_> =
        EVENT_TYPES.iter().map(|kind| (kind.file.to_owned(), kind.schema.to_owned())).collect();
    registered.push(("common.v1.json".to_owned(), COMMON_SCHEMA.to_owned()));
    registered.sort();
    assert!(registered == files("events"), "schemas/events/ and the table of types differ");
    for kind in EVENT_TYPES {
        let schema = json(kind.schema);
        assert_eq!(schema["$id"], format!("urn:priorityd:schema:{}.{}.v1", kind.feed.as_str(), kind.event));
        assert_eq!(schema["properties"]["type"]["const"], kind.name);
    }
}

#[test]
fn every_type_has_an_example_that_becomes_its_detail() {
    let strict = validator().strict();
    let examples = files("examples/events");
    let expected: BTreeSet<_> = EVENT_TYPES.iter().map(|kind| kind.file.to_owned()).collect();
    assert_eq!(examples.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), expected);
    for (name, text) in examples {
        let event = json(&text);
        let feed = feed_of(&event);
        let validated = match strict.validate(&feed, &[], text.as_bytes(), APPENDED_MS) {
            Ok(validated) => validated,
            Err(rejection) => panic!("{name}: {rejection:?}"),
        };
        let detail = serde_json::to_value(&validated.facts.detail).expect("a detail has a JSON form");
        let detail = detail.as_object().and_then(|fields| fields.keys().next()).expect("a variant").as_str();
        let named =
            event["data"]["amended_type"].as_str().unwrap_or(name.split('.').nth(1).expect("feed.event.v1.json"));
        assert_eq!(detail, named, "{name}");
        assert_eq!(validated.ignored_fields, 0, "{name}");
        assert_eq!(validated.facts.agency, feed, "{name}");
        assert_eq!(validated.supersedes.is_some(), event["data"].get("supersedes").is_some(), "{name}");
        let persons = event["data"]["persons"].as_array().map_or(0, Vec::len);
        assert_eq!(validated.persons.len(), persons, "{name}");
    }
}

#[test]
fn bad_examples_are_rejected_with_the_code_in_their_name() {
    let strict = validator().strict();
    for (name, text) in files("examples/bad") {
        let code = name.split('.').next().expect("code.what.json");
        let feed = feed_of(&json(&text));
        let problems = strict.problems(&feed, &[], text.as_bytes(), APPENDED_MS);
        let codes: Vec<_> = problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(codes, [code], "{name}");
    }
}

#[test]
fn every_output_has_a_schema_and_an_example() {
    let schemas = files("outputs");
    let examples = files("examples/outputs");
    assert_eq!(schemas.len(), examples.len());
    for ((name, schema), (example_name, example)) in schemas.iter().zip(&examples) {
        assert_eq!(name, example_name);
        let schema = json(schema);
        jsonschema::draft202012::meta::validate(&schema).expect("the schema is a schema");
        let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
        let validator = validator.expect("the schema compiles");
        assert!(validator.is_valid(&json(example)), "{name}");
    }
}

#[test]
fn the_readme_explains_every_code() {
    let text = std::fs::read_to_string(schemas_dir().join("README.md")).expect("schemas/ has a README");
    for code in RejectCode::ALL {
        assert!(text.contains(code.as_str()), "{} is missing", code.as_str());
    }
    for kind in EVENT_TYPES {
        assert!(text.contains(kind.event), "{} is missing", kind.event);
    }
}

/// Another implementation, in another language, reads the same files as we do.
#[test]
fn a_stock_validator_agrees() {
    let script = schemas_dir().with_file_name("tests").join("it/door/stock_validator.py");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let python = target.join("tests/venv/bin/python");
    let output = Command::new(python).arg(script).arg(schemas_dir()).output();
    let output = output.unwrap_or_else(|error| panic!("Python cannot be started ({error}): run tests/setup"));
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}{}", String::from_utf8_lossy(&output.stderr));
}
