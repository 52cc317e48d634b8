//! The audit chain of a daemon that really ran: found unbroken, found broken wherever somebody laid hands on it, searched
//! and exported.

use std::fs;

use serde_json::Value;

use crate::support::deployed::{Deployed, Ran};
use crate::support::events::events;
use crate::support::hub::text;

const LINES: &[&str] = &[
    "k1 idva.caseload_entry 2024-01-02 victim=sarah",
    "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
    "i2 police.incident 2025-04-01 victim=sarah perpetrator=dean",
    "x2 police.cancel 2025-04-02 supersedes=i2",
    "o1 crc.order_start 2025-05-01 perpetrator=dean",
];

struct Evidence {
    house: Deployed,
    export: Vec<String>,
    head: String,
}

impl Evidence {
    fn new() -> Self {
        let house = Deployed::new();
        let mut daemon = house.start();
        // In two portions, so that something is told before it is taken back.
        let (first, then) = LINES.split_at(3);
        house.publish_all(&events(first));
        house.wait_for(&mut daemon, first.len());
        house.publish_all(&events(then));
        house.publish("police", &["no event"]);
        house.wait_for(&mut daemon, LINES.len() + 1);
        assert_eq!(daemon.terminate().code(), Some(0));
        let verified = house.run(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}", verified.err);
        let head = verified.out.lines().find_map(|line| line.strip_prefix("head ")).expect("the head").to_owned();
        let export = house.run(&["audit", "export"]);
        assert_eq!(export.code, 0, "{}", export.err);
        let export = export.out.lines().map(str::to_owned).collect();
        Self { house, export, head }
    }

    /// Verifies lines as somebody kept them, with the head if it is given.
    fn verify(&self, lines: &[String], head: Option<&str>) -> Ran {
        let file = self.house.path("export.ndjson");
        fs::write(&file, lines.join("\n") + "\n").expect("written");
        let file = file.display().to_string();
        let mut words = vec!["audit", "--file", &file, "verify"];
        words.extend(head.into_iter().flat_map(|head| ["--head", head]));
        self.house.run(&words)
    }
}

#[test]
fn whoever_lays_hands_on_the_chain_is_found_out() {
    let evidence = Evidence::new();
    let (whole, head) = (&evidence.export, evidence.head.as_str());
    assert!(whole.len() > 10, "a chain worth breaking");
    let kept = evidence.verify(whole, Some(head));
    assert_eq!(kept.code, 0, "{}", kept.err);
    assert!(kept.out.contains(&format!("{} records", whole.len())), "{}", kept.out);

    let broken = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        lines
    };
    let flipped = broken(&|lines| {
        let mut bytes = lines[4].clone().into_bytes();
        let at = lines[4].find("\"body\":").expect("a body") + 12;
        bytes[at] ^= 1;
        lines[4] = String::from_utf8(bytes).expect("ASCII stays ASCII");
    });
    for (what, lines, head, told) in [
        ("a byte", flipped, None, "record 5 was changed"),
        ("a record dropped", broken(&|lines| drop(lines.remove(4))), None, "records 5 to 5 are missing"),
        ("two swapped", broken(&|lines| lines.swap(4, 5)), None, "record 5 is out of order"),
        ("one doubled", broken(&|lines| lines.insert(5, lines[4].clone())), None, "record 5 is there more than once"),
        ("the end cut off", broken(&|lines| lines.truncate(7)), Some(head), "the end is cut off: records 8 to"),
        ("the beginning cut off", broken(&|lines| drop(lines.drain(..2))), None, "records 1 to 2 are missing"),
    ] {
        let found = evidence.verify(&lines, head);
        assert_eq!(found.code, 1, "{what}");
        assert!(found.err.contains(told), "{what}: {}", found.err);
    }
    // Without the head a cut end looks whole: that is why it is printed, to be kept elsewhere.
    assert_eq!(evidence.verify(&whole[..7], None).code, 0);
    let other = format!("0:{}:{}", whole.len(), "0".repeat(64));
    assert_eq!(evidence.verify(whole, Some(&other)).code, 1);
    assert_eq!(evidence.verify(whole, Some("7")).code, 2);

    every_byte_counts(&evidence);
}

/// Any one bit of the first records, wherever it is.
fn every_byte_counts(evidence: &Evidence) {
    let whole = &evidence.export;
    let lines: Vec<&[u8]> = whole.iter().map(String::as_bytes).collect();
    assert!(priorityd::audit::verify(&lines, None).is_ok());
    for at in 0..lines[2].len() {
        let mut changed = lines[2].to_vec();
        changed[at] ^= 4;
        let mut lines: Vec<&[u8]> = lines.clone();
        lines[2] = &changed;
        assert!(priorityd::audit::verify(&lines, None).is_err(), "byte {at} of record 3");
    }
}

#[test]
fn what_was_done_can_be_found() {
    let evidence = Evidence::new();
    let house = &evidence.house;
    let find = |words: &[&str]| -> Vec<Value> {
        let found = house.run(&[&["audit", "find"], words].concat());
        assert_eq!(found.code, 0, "{}", found.err);
        found.out.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect()
    };
    let all = find(&[]);
    assert_eq!(all.len(), evidence.export.len());
    assert_eq!(find(&["--kind", "collection"]).len(), 4);
    assert_eq!(find(&["--kind", "alteration"]).len(), 1);
    assert_eq!(find(&["--kind", "rejection"]).len(), 1);
    assert_eq!(find(&["--mentions", "EVT-003"]).len(), 1);

    // Every message that a service has is in the chain, with its clause: from the alert to its audit record.
    let desk = house.subscribe("idva");
    assert!(!desk.inbox.is_empty());
    for event in &desk.inbox {
        let disclosed = find(&["--kind", "disclosure", "--mentions", text(&event["id"])]);
        assert_eq!(disclosed.len(), 1, "{}", event["id"]);
        assert_eq!(disclosed[0]["body"]["recipient"], "idva");
        assert_eq!(disclosed[0]["body"]["clause"], event["data"]["clause"]);
    }
    let disclosures = find(&["--kind", "disclosure", "--mentions", "idva"]).len();
    assert!(disclosures >= desk.inbox.len() + desk.list.len());
    // And from a person to all that was told of them and all that was linked.
    let person = text(&find(&["--kind", "disclosure", "--mentions", "idva"])[0]["subject"]["person"]).to_owned();
    let kinds: Vec<_> = find(&["--mentions", &person]).iter().map(|record| text(&record["kind"]).to_owned()).collect();
    assert!(
        kinds.iter().any(|kind| kind == "disclosure") && kinds.iter().any(|kind| kind == "combination"),
        "{kinds:?}"
    );

    let at = text(&all[0]["at"]).to_owned();
    assert_eq!(find(&["--from", &at]).len(), all.len());
    assert_eq!(find(&["--until", &at]).len(), 0);
    let words = evidence.export.concat();
    for never in ["Sarah", "Whitcombe", "Dean", "Ashgrove", "1988-", "PO4 ", "POLICE~", "IDVA~"] {
        assert!(!words.contains(never), "the chain says {never}");
    }
}
