//! The README's table of the domain speaks of events, findings, parts of list entries, tables and tests that there are.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::date;
use priorityd::config::rules::Rules;
use priorityd::model::finding::FindingKind;
use priorityd::report::{Period, report};
use priorityd::validate::types::EVENT_TYPES;
use serde_json::Value;

/// Rows of the table: what is asked for, events, what comes of them, tests.
fn rows() -> Vec<[String; 4]> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(readme).expect("the README is there");
    let section = text.split("\n## ").find(|section| section.starts_with("The domain\n")).expect("a section");
    let rows = section.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Asked for"));
    let cells = |row: &str| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("four cells: {cells:?}"))
    };
    rows.map(cells).collect()
}

/// What stands between two marks in a cell.
fn marked(cell: &str, mark: char) -> Vec<&str> {
    cell.split(mark).skip(1).step_by(2).collect()
}

#[test]
fn every_word_of_the_table_is_a_word_of_the_code() {
    let rows = rows();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let events: BTreeSet<_> = EVENT_TYPES.iter().map(|kind| kind.event).collect();
    let findings: BTreeSet<_> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let schema = include_str!("../../schemas/outputs/list_entry.v1.json");
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    let parts = schema["properties"].as_object().expect("an object");
    let scope = "portsmouth".parse().expect("a scope");
    let period = Period::new(date(2025, 12, 31), None);
    let report = report(&scope, &[], period, &Rules::default(), &[]);
    let tests = sources();
    for [about, from, becomes, shown] in &rows {
        for event in marked(from, '`') {
            assert!(events.contains(event), "{about}: no event is called {event}");
        }
        for word in marked(becomes, '`') {
            let is_ours = findings.contains(word) || parts.contains_key(word);
            let is_elsewhere = word.starts_with("priorityd ") || word == "review.v1";
            assert!(is_ours || is_elsewhere, "{about}: no finding or part is called {word}");
        }
        for table in marked(becomes, '*') {
            assert!(report.table(table).is_some(), "{about}: the report has no table {table}");
        }
        for test in marked(shown, '`') {
            assert!(tests.contains(&format!("fn {test}()")), "{about}: no test is called {test}");
        }
    }
    let told: BTreeSet<_> = rows.iter().flat_map(|[_, _, becomes, _]| marked(becomes, '`')).collect();
    let missing: Vec<_> = findings.iter().filter(|kind| !told.contains(**kind)).collect();
    assert!(missing.is_empty(), "findings that the table does not have: {missing:?}");
}

/// The text of every file of these tests.
fn sources() -> String {
    let (mut text, mut folders) = (String::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder can be listed") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).expect("text"));
            }
        }
    }
    text
}
