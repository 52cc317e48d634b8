//! Nobody's name, date, address, number or reference is in anything that is written (invariant I4): every byte of every
//! file, database pages and write-ahead log included, and every word on stdout, stderr, in trace logs and in traces is searched
//! for people whose every particular is a word that nothing else could contain. Only what `subscribe` opens may name them.

use std::fs;
use std::path::Path;
use std::process::Command;

use priorityd::simulate::{City, Play};
use serde_json::{Value, json};

use crate::support::deployed::{Deployed, priorityd};
use crate::support::search::Search;
use crate::traces::Collector;

/// Every file under a directory, with what it holds.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push((path.display().to_string(), fs::read(&path).expect("read")));
        }
    }
    all
}

fn assert_blind(search: &Search, what: &str, bytes: &[u8]) {
    let found = search.find(bytes);
    assert!(found.is_empty(), "{what} says {:?} and {} more", found[0], found.len() - 1);
}

fn canaries(play: &Play) -> Search {
    let texts = play.canaries.iter().map(|canary| canary.text.as_str());
    let search = Search::for_texts(texts);
    let sent: String = play.feeds.iter().map(|(_, line)| line.as_str()).collect();
    let flying = search.find(sent.as_bytes()).len();
    assert!(flying > 200, "{flying} canaries are in the feeds to be found");
    search
}

#[test]
fn a_demonstration_says_nothing_of_anybody() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let kept = dir.path().join("kept");
    let play = City { canaries: 40, ..City::new(9, 150, 3) }.play();
    let search = canaries(&play);
    let words = "demo --seed 9 --people 150 --months 3 --canaries 40 --log-level trace --dir";
    let mut words: Vec<&str> = words.split(' ').collect();
    let path = kept.display().to_string();
    words.push(&path);
    let ran = priorityd(&words);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains(&format!("{} read = ", play.feeds.len())), "the canaries were played:\n{}", ran.out);
    assert!(ran.err.contains("TRACE") || ran.err.contains("DEBUG"), "there are logs to search");
    assert_blind(&search, "stdout", ran.out.as_bytes());
    assert_blind(&search, "stderr", ran.err.as_bytes());
    let written = files(&kept);
    assert!(written.iter().any(|(name, bytes)| name.ends_with(".sqlite") && bytes.len() > 100_000));
    for (name, bytes) in &written {
        assert_blind(&search, name, bytes);
    }
    // The search would have found one, in the same file: a name put into the log the way a careless line would.
    let (_, mut bytes) = written.into_iter().find(|(name, _)| name.ends_with(".sqlite")).expect("the log");
    let middle = bytes.len() / 2;
    let name = play.canaries[0].text.as_bytes();
    bytes.splice(middle..middle, name.iter().copied());
    assert_eq!(search.find(&bytes).len(), 1);
    // And a service that may read names does read them, so they were there to leak.
    let (config, key) = (format!("{path}/priorityd.toml"), format!("{path}/services/high_harm_team.jwk.json"));
    let read = priorityd(&["subscribe", "--config", &config, "--recipient", "high_harm_team", "--key", &key]);
    assert!(!search.find(read.out.as_bytes()).is_empty(), "no canary on the list: take another seed");
}

/// Words for every place of an event, longer and shorter, with punctuation that parsers like to quote.
const WORDS: [&str; 6] = [
    "Quxzvyxofjaqvyz",
    "quxzvyxof",
    "QUXZVYXOF",
    "zvyquxjaq'xofkqe\"\\wuq",
    "Kqewuqpzo Ghybxufyq",
    "<fyqzij>&qomxev%s{}",
];

/// Every valid example with one of its values, or names, replaced by a canary: for each place and each word one event.
fn spoilt_examples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/examples/events");
    let mut spoilt = Vec::new();
    for (_, example) in files(&folder) {
        let example: Value = serde_json::from_slice(&example).expect("JSON");
        let source = example["source"].as_str().expect("a source");
        let feed = source.strip_prefix("urn:priorityd:").expect("ours").to_owned();
        for (place, word) in places(&example).iter().flat_map(|place| WORDS.map(|word| (place, word))) {
            // Each its own id, a UUID still: those are what a rejection may repeat.
            let mut event = example.clone();
            event["id"] = json!(format!("6f0c1a52-8d1e-4b7a-9c3d-{:012}", spoilt.len()));
            *event.pointer_mut(place).expect("a place of its own") = json!(word);
            spoilt.push((feed.clone(), event.to_string()));
            let (parent, name) = place.rsplit_once('/').expect("a pointer");
            if let Some(members) = event.pointer_mut(parent).and_then(Value::as_object_mut) {
                let value = members.remove(name).expect("a member");
                members.insert(word.to_owned(), value);
                if event["id"].is_string() {
                    event["id"] = json!(format!("6f0c1a52-8d1e-4b7a-9c3d-{:012}", spoilt.len()));
                }
                spoilt.push((feed.clone(), event.to_string()));
            }
        }
    }
    spoilt
}

/// JSON Pointers to every value but the whole.
fn places(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = |(name, child): (String, &Value)| -> Vec<String> {
        let deeper = places(child).into_iter().map(|place| format!("/{name}{place}"));
        [format!("/{name}")].into_iter().chain(deeper).collect()
    };
    children.into_iter().flat_map(below).collect()
}

#[test]
fn a_daemon_that_is_sent_canaries_in_every_field_repeats_none() {
    let traces = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::keeping(traces.path().join("spans"));
    let house = Deployed::with(&[("log_level", "log_level = \"trace\""), ("# [telemetry]", &collector.section())]);
    // By their parts, so that it does not matter how somebody quotes or cuts what is between.
    let parts = WORDS.into_iter().flat_map(|word| word.split(|letter: char| !letter.is_alphanumeric()));
    let search = Search::for_texts(parts.filter(|part| part.len() > 5));
    let mut spoilt = spoilt_examples();
    assert!(spoilt.len() > 3_000, "{} events", spoilt.len());
    for word in WORDS {
        let raw = [
            word.to_owned(),
            format!("{{\"{word}\""),
            format!("{{\"id\":\"{word}\",\"id\":\"{word}\"}}"),
            format!("[{word}]"),
            format!("\u{feff}{word}"),
        ];
        spoilt.extend(raw.into_iter().map(|line| ("police".to_owned(), line)));
    }
    let mut daemon = house.start();
    let mut feeds: Vec<&String> = spoilt.iter().map(|(feed, _)| feed).collect();
    feeds.sort();
    feeds.dedup();
    for feed in feeds {
        let lines: Vec<&String> = spoilt.iter().filter(|(other, _)| other == feed).map(|(_, line)| line).collect();
        house.publish(feed, &lines);
    }
    house.wait_for(&mut daemon, spoilt.len());
    // While it runs: the write-ahead log and the shared memory are there too.
    for (name, bytes) in files(&house.path("data")) {
        assert_blind(&search, &name, &bytes);
    }
    assert_eq!(daemon.terminate().code(), Some(0));
    // Every byte that went to a collector, and what it read there.
    for (name, bytes) in files(traces.path()) {
        assert!(bytes.len() > 1_000, "{name}: there are traces to search");
        assert_blind(&search, &name, &bytes);
    }
    let outcomes = house.outcomes();
    assert!(outcomes.rejected > 2_000 && outcomes.accepted > 500, "{outcomes:?}");
    for (name, bytes) in files(&house.path("")) {
        assert_blind(&search, &name, &bytes);
    }
    for rejection in house.rejections("police") {
        assert_blind(&search, "a rejection", rejection.to_string().as_bytes());
    }
    for words in [["audit", "verify"], ["audit", "export"], ["audit", "find"]] {
        let ran = house.run(&words);
        assert_eq!(ran.code, 0);
        assert_blind(&search, "the audit", (ran.out + &ran.err).as_bytes());
    }
    // The door does not repeat them either.
    let file = house.path("spoilt.ndjson");
    let lines: Vec<&str> = spoilt.iter().map(|(_, line)| line.as_str()).collect();
    fs::write(&file, lines.join("\n")).expect("written");
    let checked = house.run(&["check", "--feed", "police", "--events", &file.display().to_string()]);
    assert_eq!(checked.code, 1);
    assert_blind(&search, "check", (checked.out + &checked.err).as_bytes());
}

/// Run again by itself, this test dies with a canary in its message, as code does that has a record in hand.
#[test]
fn a_panic_says_where_and_not_what() {
    if std::env::var_os("PANIC_WITH_A_CANARY").is_some() {
        priorityd::cli::run(["priorityd", "--version"].map(Into::into));
        panic!("unexpected value: {}", WORDS[0]);
    }
    let mut again = Command::new(std::env::current_exe().expect("this program"));
    again.args(["--exact", "--nocapture", "blindness::a_panic_says_where_and_not_what"]);
    let output = again.env("PANIC_WITH_A_CANARY", "1").output().expect("it starts");
    assert!(!output.status.success());
    let said = [output.stdout, output.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("a fault of ours at tests/it/blindness.rs"));
    assert_blind(&Search::for_texts([WORDS[0]]), "a panic", &said);
}
