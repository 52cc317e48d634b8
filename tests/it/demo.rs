//! `priorityd demo`: what it prints, that it counts every line once, and that its list depends on the city alone.

use std::collections::BTreeMap;

use priorityd::simulate::{City, Nature};
use serde_json::Value;

use crate::support::deployed::priorityd;

const SMALL: [&str; 5] = ["demo", "--people", "400", "--months", "3"];

fn demo(more: &[&str]) -> Value {
    let ran = priorityd(&[SMALL.as_slice(), &["--format", "json"], more].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out.lines().count(), 1, "one JSON object");
    serde_json::from_str(&ran.out).expect("JSON")
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

#[test]
fn one_json_object_says_it_all_and_counts_every_line() {
    let shown = demo(&["--seed", "7"]);
    let wanted =
        ["clusters", "events", "findings", "linkage", "list_digest", "messages", "people", "records", "seconds"];
    assert_eq!(keys(&shown), wanted);
    assert_eq!(keys(&shown["events"]), ["accepted", "duplicate", "read", "rejected", "superseded"]);
    let events = &shown["events"];
    let count = |outcome: &str| number(&events[outcome]);
    let sum = count("accepted") + count("rejected") + count("duplicate") + count("superseded");
    assert_eq!(count("read"), sum);

    let city = City::new(7, 400, 3).play();
    let mut natures = BTreeMap::new();
    for event in &city.truth.events {
        let nature = match event.nature {
            Nature::Good => "good",
            Nature::Duplicate => "duplicate",
            Nature::Bad(_) => "bad",
        };
        *natures.entry(nature).or_insert(0) += 1;
    }
    let truth = |nature: &str| natures.get(nature).copied().unwrap_or(0);
    assert_eq!(count("read"), city.feeds.len() as u64);
    assert_eq!(count("accepted") + count("superseded"), truth("good"));
    assert_eq!(count("duplicate"), truth("duplicate"));
    assert_eq!(count("rejected"), truth("bad"));

    let digest = shown["list_digest"].as_str().expect("a text");
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(number(&shown["clusters"]) <= number(&shown["records"]));
    assert!(number(&shown["people"]) > 0 && shown["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0));
    for figure in ["precision", "recall", "f1"] {
        assert!(shown["linkage"][figure].as_f64().is_some_and(|share| (0.5..=1.0).contains(&share)), "{figure}");
    }
    let findings = shown["findings"].as_object().expect("an object");
    assert!(findings.contains_key("repeat_victim") && findings.values().all(Value::is_u64));
    assert!(number(&shown["findings"]["new_report"]) > 0);
    let recipients = ["hampton_trust", "high_harm_team", "idva", "parcs", "stop_domestic_abuse", "up2u"];
    let messages = keys(&shown["messages"]);
    assert!(recipients.iter().all(|recipient| messages.contains(recipient)), "{messages:?}");
    for recipient in messages {
        let sent = &shown["messages"][recipient];
        assert!(sent["alerts"].is_u64() && sent["list"].is_u64(), "{recipient}");
    }
}

#[test]
fn the_list_depends_on_the_city_and_not_on_the_order_of_events() {
    let straight = demo(&["--seed", "3"]);
    let digest = |shown: &Value| shown["list_digest"].clone();
    let entries = |shown: &Value| -> u64 {
        shown["messages"].as_object().expect("an object").values().map(|sent| number(&sent["list"])).sum()
    };
    assert!(entries(&straight) > 3, "a list to compare: {straight}");
    assert_eq!(digest(&demo(&["--seed", "3"])), digest(&straight), "the same again");
    for shuffle in ["1", "2"] {
        let shuffled = demo(&["--seed", "3", "--shuffle", shuffle]);
        assert_eq!(digest(&shuffled), digest(&straight), "shuffled by {shuffle}");
        assert_eq!(shuffled["findings"], straight["findings"]);
        assert_eq!(shuffled["linkage"], straight["linkage"]);
    }
    assert_ne!(digest(&demo(&["--seed", "4"])), digest(&straight), "another city");
}

#[test]
fn a_person_is_shown_the_whole_and_no_name() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let kept = dir.path().join("kept").display().to_string();
    let ran = priorityd(&["demo", "--people", "600", "--months", "4", "--seed", "11", "--dir", &kept]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let parts = [
        "A synthetic city",
        " reads: ",
        "The list of ",
        "events ",
        "people ",
        "links ",
        "findings",
        "messages",
        "list ",
        "took ",
        "priorityd subscribe --config ",
    ];
    for part in parts {
        assert!(ran.out.contains(part), "nothing of `{part}`:\n{}", ran.out);
    }
    for (_, line) in City::new(11, 600, 4).play().feeds {
        let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
        for person in event["data"]["persons"].as_array().into_iter().flatten() {
            for part in ["family_name", "date_of_birth", "address"] {
                let Some(text) = person["identity"][part].as_str().filter(|text| text.len() > 5) else { continue };
                assert!(!ran.out.contains(text), "a {part} is shown");
            }
        }
    }
    // What it says at the end is true: the kept directory can be read as a service does.
    let (config, key) = (format!("{kept}/priorityd.toml"), format!("{kept}/services/high_harm_team.jwk.json"));
    let read = priorityd(&["subscribe", "--config", &config, "--recipient", "high_harm_team", "--key", &key]);
    assert_eq!(read.code, 0, "{}", read.err);
    assert!(read.out.lines().count() > 0);
    assert_eq!(priorityd(&["audit", "--config", &config, "verify"]).code, 0);
    let again = priorityd(&["demo", "--people", "100", "--months", "1", "--dir", &kept]);
    assert_eq!(again.code, 78, "it does not play into somebody's log");
}
