//! Whatever leaves has the published form: every alert, correction, list entry, rejection, review and audit line of a
//! small city is valid under `schemas/outputs/`, and those schemas let nothing else through.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::date;
use jsonschema::Validator;
use priorityd::pipeline::{AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC};
use priorityd::simulate::City;
use serde_json::{Value, json};

use crate::convergence::LIFE;
use crate::support::events::{Sent, envelope, events};
use crate::support::hub::{Hub, Office, signed, text};

/// The published schemas of outputs, by name.
struct Schemas(BTreeMap<&'static str, Validator>);

impl Schemas {
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/outputs");
        let names =
            ["alert", "audit", "audit_head", "correction", "heartbeat", "list_entry", "message", "rejection", "review"];
        let read = |name: &'static str| {
            let text = std::fs::read_to_string(folder.join(format!("{name}.v1.json"))).expect("a published schema");
            let schema = serde_json::from_str(&text).expect("JSON");
            let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&schema);
            (name, validator.expect("the schema compiles"))
        };
        Self(names.map(read).into_iter().collect())
    }

    fn assert_valid(&self, name: &str, value: &Value) {
        let problems: Vec<_> = self.0[name].iter_errors(value).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}\n{value:#}");
        // One thing more, and it is another form: nobody's address can ride along.
        let mut more = value.clone();
        more["address"] = json!("12 Kestrel Walk");
        assert!(!self.0[name].is_valid(&more), "{name} lets an address through");
    }
}

fn everything() -> Vec<Sent> {
    let mut all = City { bad_share: 0.05, ..City::new(11, 900, 4) }.play().feeds;
    // The life in two portions, so that there is something to correct.
    let (first, then) = LIFE.split_at(8);
    all.extend(events(first));
    all.extend(events(then));
    all
}

#[test]
fn every_record_that_leaves_has_its_published_form() {
    let schemas = Schemas::read();
    let mut hub = Hub::new(Office::shipped());
    for portion in everything().chunks(50) {
        hub.send(portion);
    }
    let mut seen = BTreeSet::new();
    for (recipient, messages) in hub.messages() {
        for event in messages {
            schemas.assert_valid("message", &event);
            assert_eq!(event["recipient"], recipient.as_str());
            let kind = text(&event["type"]).strip_prefix("uk.priorityd.").and_then(|kind| kind.strip_suffix(".v1"));
            let kind = kind.expect("a type of ours");
            schemas.assert_valid(kind, &event["data"]);
            let name = if kind == "list_entry" { "entry" } else { "alert_id" };
            assert!(kind == "correction" || event["data"][name] == event["id"], "{event}");
            seen.insert(kind.to_owned());
            seen.extend(event["data"].as_object().expect("an object").keys().map(|field| format!("{kind} {field}")));
        }
    }
    for feed in ["police", "crc", "local_authority", "idva", "up2u"] {
        for rejection in hub.rejections(feed) {
            schemas.assert_valid("rejection", &rejection);
            seen.insert(format!("rejection {}", text(&rejection["code"])));
        }
    }
    for record in hub.topic(REVIEW_TOPIC) {
        let Some(value) = record.value else { continue };
        let review: Value = serde_json::from_slice(&value).expect("JSON");
        schemas.assert_valid("review", &review);
        assert_eq!(text(&review["review_id"]).as_bytes(), record.key);
        seen.insert(format!("review {}", text(&review["kind"])));
    }
    let person = hub.person("police", "i1", 0);
    let (feed, mut erasure) = envelope("e1 reviewers.erasure 2025-12-01");
    erasure["data"]["records"] = json!(person.records);
    erasure["data"]["local_refs"] = json!(person.local_refs);
    hub.send(&[(feed, erasure.to_string())]);
    hub.send(&events(&["d1 reviewers.consultation 2025-12-02"]));
    hub.wake_on(date(2026, 1, 2));
    hub.beat("2026-01-02T00:01:00Z".parse().expect("a time"));
    let heartbeat = hub.heartbeat("high_harm_team");
    schemas.assert_valid("heartbeat", &heartbeat);
    let head = signed(&hub.topic(HEADS_TOPIC)[0]);
    schemas.assert_valid("audit_head", &head);
    for record in hub.topic(AUDIT_TOPIC) {
        let line: Value = serde_json::from_slice(&record.value.expect("a line")).expect("JSON");
        schemas.assert_valid("audit", &line);
        seen.insert(format!("audit {}", text(&line["kind"])));
        seen.extend(
            (line.get("commitment").is_some() && line.get("subject").is_none()).then(|| "audit redacted".to_owned()),
        );
    }
    for wanted in [
        "alert own_reference",
        "alert person",
        "alert perpetrators",
        "alert risk",
        "alert order",
        "alert offence_family",
        "alert standing",
        "alert service",
        "correction reason",
        "list_entry person",
        "list_entry own_reference",
        "list_entry orders",
        "list_entry programmes",
        "list_entry score",
        "list_entry standings",
        "list_entry cohorts",
        "list_entry intelligence",
        "list_entry pathways",
        "list_entry risk_basis",
        "rejection EVT-003",
        "rejection EVT-030",
        "review possible_match",
        "review both_roles",
        "review unrouted",
        "audit collection",
        "audit alteration",
        "audit combination",
        "audit disclosure",
        "audit rejection",
        "audit agreement",
        "audit erasure",
        "audit consultation",
        "audit redacted",
    ] {
        assert!(seen.contains(wanted), "nothing to look at of `{wanted}`: {seen:?}");
    }
}
