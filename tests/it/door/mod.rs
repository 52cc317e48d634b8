//! The front door: published schemas, examples, bad input.

mod accepted;
mod bad_input;
mod examples;
mod reading;
mod secrecy;
mod table;

use std::path::{Path, PathBuf};

use priorityd::model::feed::FeedKind;
use priorityd::model::ids::PartyId;
use priorityd::validate::Validator;
use priorityd::validate::feed::FeedContext;

/// When the log took every record of these tests: 2026-01-01.
const APPENDED_MS: i64 = 1_767_225_600_000;

fn party(name: &str) -> PartyId {
    name.parse().expect("tests name parties correctly")
}

/// Three agencies, two services and the reviewers, all of Portsmouth.
fn validator() -> Validator {
    let feeds = [
        ("police", FeedKind::Police),
        ("crc", FeedKind::Crc),
        ("local_authority", FeedKind::LocalAuthority),
        ("up2u", FeedKind::Service),
        ("idva", FeedKind::Service),
        ("reviewers", FeedKind::Review),
    ];
    Validator::new(
        feeds.map(|(name, kind)| FeedContext::new(party(name), kind, vec!["portsmouth".parse().expect("a scope")])),
    )
}

fn schemas_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// The JSON files of a folder under `schemas/`, by name.
fn files(folder: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(schemas_dir().join(folder)).expect("the folder is part of the repository");
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("the folder can be listed").path();
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("the file is text"))
        })
        .collect();
    files.sort();
    files
}

/// The feed that an example belongs to: its source says so.
fn feed_of(event: &serde_json::Value) -> PartyId {
    let source = event["source"].as_str().and_then(|source| source.strip_prefix("urn:priorityd:"));
    party(source.expect("an example has a source"))
}

/// The published example of one type, e.g. `police.incident`.
fn example(name: &str) -> serde_json::Value {
    let path = schemas_dir().join(format!("examples/events/{name}.v1.json"));
    let text = std::fs::read_to_string(path).expect("every type has an example");
    serde_json::from_str(&text).expect("the example is JSON")
}
