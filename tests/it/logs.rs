//! What the source says to the logs: static messages, fields from the closed list; and a level that changes while the
//! daemon runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use priorityd::ops::telemetry::FIELDS;
use priorityd::ops::traces::SPANS;

use crate::support::deployed::Deployed;
use crate::support::events::events;

/// The beginnings of calls that log.
const LOGS: &[&str] =
    &["tracing::error!(", "tracing::warn!(", "tracing::info!(", "tracing::debug!(", "tracing::trace!("];
/// And of those that begin a span; those of stages are of another level, and nobody is sent them.
const BEGIN_SPANS: &[&str] = &["info_span!("];

/// The arguments of every call below `src` that begins so, tests left out.
fn calls(starts: &[&str]) -> Vec<(String, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut calls = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
                for start in starts {
                    calls.extend(text.split(start).skip(1).map(|rest| (path.display().to_string(), arguments(rest))));
                }
            }
        }
    }
    calls
}

/// Up to the bracket that closes the call.
fn arguments(rest: &str) -> String {
    let (mut depth, mut in_text) = (1, false);
    let end = rest.find(|letter| {
        match letter {
            '"' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    rest[..end.expect("the call ends")].trim().trim_end_matches(',').to_owned()
}

/// Names of the fields, and the message.
fn parts(arguments: &str) -> (Vec<String>, String) {
    let (fields, message) = match arguments.find('"') {
        Some(at) => arguments.split_at(at),
        None => (arguments, ""),
    };
    let (mut depth, mut names, mut name) = (0, Vec::new(), String::new());
    for letter in fields.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut name)),
            _ => name.push(letter),
        }
    }
    let clean = |name: String| {
        let name = name.split('=').next().unwrap_or_default().trim();
        name.trim_start_matches(['%', '?']).to_owned()
    };
    (names.into_iter().map(clean).collect(), message.to_owned())
}

#[test]
fn every_call_has_a_static_message_and_fields_of_the_list() {
    let calls = calls(LOGS);
    assert!(calls.len() > 25, "{} calls", calls.len());
    for (file, arguments) in calls {
        let (fields, message) = parts(&arguments);
        assert!(message.starts_with('"') && message.ends_with('"'), "{file}: the message comes last: {arguments}");
        assert!(!message.contains('{'), "{file}: the message holds something: {arguments}");
        for field in fields {
            assert!(FIELDS.iter().any(|(name, _)| *name == field), "{file}: {field:?} is not on the list: {arguments}");
        }
    }
}

#[test]
fn every_span_is_on_the_list_with_its_attributes() {
    let calls = calls(BEGIN_SPANS);
    let mut begun = BTreeSet::new();
    for (file, arguments) in &calls {
        let (before, named) = arguments.split_once('"').unwrap_or_else(|| panic!("{file}: no name: {arguments}"));
        assert!(
            ["", "parent: None,", "parent: &batch,", "parent: batch,"].contains(&before.trim()),
            "{file}: {before}"
        );
        let (name, fields) = named.split_once('"').expect("it ends");
        begun.insert(name);
        let fields = fields.split(',').filter_map(|field| field.split('=').next()).map(str::trim);
        for field in fields.filter(|field| !field.is_empty()) {
            let is_known = FIELDS.iter().any(|(name, _)| *name == field);
            let is_otel = ["otel.kind", "otel.status_code"].contains(&field);
            assert!(is_known || is_otel, "{file}: {field:?} is not on the list: {arguments}");
        }
    }
    assert_eq!(begun, SPANS.iter().copied().collect());
}

#[test]
fn the_rules_see_what_breaks_them() {
    assert_eq!(
        parts("%recipient, reason = %f(a, b), \"held\""),
        (vec!["recipient".into(), "reason".into()], "\"held\"".into())
    );
    assert_eq!(
        arguments("place = f(\")\"), \"a (fault) of {ours}\",\n); more()"),
        "place = f(\")\"), \"a (fault) of {ours}\""
    );
}

#[test]
fn sighup_reads_the_level_again() {
    let house = Deployed::new();
    house.publish_all(&events(&["i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"]));
    let mut daemon = house.start();
    house.wait_for(&mut daemon, 1);
    assert!(!house.log().contains("committed a batch"), "{}", house.log());
    let config = house.path("priorityd.toml");
    let text = fs::read_to_string(&config).expect("read");
    fs::write(&config, text.replace("log_level = \"info\"", "log_level = \"loud\"")).expect("written");
    daemon.hang_up();
    house.wait_for_log(&mut daemon, "the configuration on disk is refused");
    fs::write(&config, text.replace("log_level = \"info\"", "log_level = \"debug\"")).expect("written");
    daemon.hang_up();
    house.wait_for_log(&mut daemon, "another level of the logs counts");
    house.publish_all(&events(&["i2 police.incident 2025-04-01 victim=sarah perpetrator=dean"]));
    house.wait_for_log(&mut daemon, "committed a batch");
    assert_eq!(daemon.terminate().code(), Some(0));
}
