//! Pseudonymised at the source: the same links and lists as when the hub hashes, by a hub that cannot hash.

use std::collections::BTreeMap;
use std::fs;

use priorityd::model::ids::PartyId;
use priorityd::model::outcome::OutcomeCounts;
use priorityd::pipeline::feed_contexts;
use priorityd::pipeline::source::Source;
use priorityd::simulate::City;
use priorityd::validate::Validator;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use crate::broker::Broker;
use crate::support::deployed::Deployed;
use crate::support::events::{Sent, event, events};
use crate::support::hub::{Hub, Office, text};
use crate::support::search::Search;

/// When every event is pseudonymised: 2026-01-01.
const AT_MS: i64 = 1_767_225_600_000;

/// Every event as it leaves its agency; what is wrong stays there.
fn leaving(sources: &BTreeMap<PartyId, Source>, sent: &[Sent]) -> (Vec<Sent>, usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let (mut left, mut refused) = (Vec::new(), 0);
    for (feed, line) in sent {
        match sources[feed].pseudonymise(&[], line.as_bytes(), AT_MS, &mut rng) {
            Ok(leaving) => left.push((feed.clone(), String::from_utf8(leaving.event).expect("JSON"))),
            Err(_) => refused += 1,
        }
    }
    (left, refused)
}

#[test]
fn the_same_list_as_when_the_hub_hashes() {
    let city = City { canaries: 5, ..City::new(4, 600, 6) }.play();
    let hashing = Hub::played(Office::shipped(), &city.feeds);
    let (office, sources) = Office::at_source();
    let (left, refused) = leaving(&sources, &city.feeds);
    let blind = Hub::played(&office, &left);
    for recipient in &office.agreement.recipients {
        let party = recipient.party.as_str();
        let (there, here) = (hashing.desk(party), blind.desk(party));
        assert_eq!(there.list, here.list, "the list of {party}");
        assert_eq!(there.live(), here.live(), "the alerts of {party}");
    }
    assert!(!hashing.desk("high_harm_team").list.is_empty(), "the city is too quiet to show anything");
    assert_eq!(hashing.people().len(), blind.people().len());
    assert_eq!(hashing.reviews(), blind.reviews());
    let (there, here) = (hashing.outcomes(), blind.outcomes());
    let refused = u64::try_from(refused).expect("few");
    assert!(refused > 0 && there.duplicate > 0);
    assert_eq!(OutcomeCounts { read: there.read - refused, rejected: there.rejected - refused, ..there }, here);
}

#[test]
fn nothing_in_clear_leaves_the_agency() {
    let city = City { canaries: 40, ..City::new(5, 200, 3) }.play();
    let (office, sources) = Office::at_source();
    let (left, _) = leaving(&sources, &city.feeds);
    let everything: String = left.iter().map(|(_, line)| line.as_str()).collect();
    let search = Search::for_texts(city.canaries.iter().map(|canary| canary.text.as_str()));
    let sent: String = city.feeds.iter().map(|(_, line)| line.as_str()).collect();
    assert!(search.find(sent.as_bytes()).len() > 200, "canaries are in the feeds to be found");
    assert!(search.find(everything.as_bytes()).is_empty(), "a canary left");
    // What leaves keeps to the published schema, unknown fields refused.
    let strict = Validator::new(feed_contexts(&office.agreement)).tokens_only().strict();
    for (feed, line) in &left {
        let problems = strict.problems(feed, &[], line.as_bytes(), AT_MS);
        assert!(problems.is_empty(), "{problems:?} in {line}");
    }
}

#[test]
fn a_hub_without_a_linkage_key_refuses_what_is_clear_or_changed() {
    let (office, sources) = Office::at_source();
    let clear = event("i1 police.incident 2025-03-01 victim=sarah perpetrator=dean");
    let (left, _) = leaving(&sources, std::slice::from_ref(&clear));
    let good: Value = serde_json::from_str(&left[0].1).expect("JSON");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut event = good.clone();
        change(&mut event);
        vec![(left[0].0.clone(), event.to_string())]
    };
    let other_seal = good["data"]["persons"][1]["sealed"].clone();
    for (sent, code, path) in [
        (vec![clear], "EVT-060", "/data/pseudonymised"),
        (
            with(&|event| event["data"]["persons"][0]["identity"] = json!({"family_name": "x"})),
            "EVT-060",
            "/data/persons/0/identity",
        ),
        (with(&|event| event["id"] = json!("i1")), "EVT-024", "/id"),
        (
            with(&|event| event["data"]["persons"][0]["local_ref"] = json!("P-77")),
            "EVT-024",
            "/data/persons/0/local_ref",
        ),
        (
            with(&|event| event["data"]["persons"][0]["tokens"]["given"]["exact"] = json!("sarah")),
            "EVT-024",
            "/data/persons/0/tokens/given/exact",
        ),
        (
            with(&|event| {
                drop(event["data"]["persons"][0]["tokens"]["date"]["wildcards"].as_array_mut().expect("a list").pop())
            }),
            "EVT-023",
            "/data/persons/0/tokens/date/wildcards",
        ),
        (
            with(&|event| drop(event["data"]["persons"][0].as_object_mut().expect("members").remove("sealed"))),
            "EVT-020",
            "/data/persons/0/sealed",
        ),
        (
            with(&|event| event["data"]["pseudonymised"]["linkage_epoch"] = json!(2)),
            "EVT-061",
            "/data/pseudonymised/linkage_epoch",
        ),
        (with(&|event| event["data"]["persons"][0]["sealed"] = other_seal.clone()), "EVT-062", "/data/persons"),
    ] {
        let hub = Hub::played(&office, &sent);
        let rejections = hub.rejections("police");
        let told: Vec<_> = rejections.iter().map(|told| (text(&told["code"]), text(&told["path"]))).collect();
        assert_eq!(told, [(code, path)]);
        assert_eq!(hub.outcomes().accepted, 0);
    }
    assert_eq!(Hub::played(&office, &left).outcomes().accepted, 1);
}

#[test]
fn a_hub_that_hashes_takes_tokens_of_its_own_epoch_too() {
    let (_, sources) = Office::at_source();
    let office = Office::shipped();
    let cases = events(&["k1 idva.caseload_entry 2024-01-02 victim=sarah"]);
    let (left, _) = leaving(&sources, &cases);
    // The shipped office has no intake key: it could not open what was sealed, so nothing is half taken.
    let hub = Hub::played(office, &left);
    assert_eq!(text(&hub.rejections("idva")[0]["code"]), "EVT-062");
}

/// The hub makes the intake keys and hands them over; who hashes keeps the keys that hash, and says how common what is.
fn ceremony(hub: &Deployed, agency: &Deployed) {
    fs::remove_dir_all(agency.path("keys")).expect("removed");
    let keys = agency.path("keys").display().to_string();
    for party in ["police", "idva"] {
        let made = hub.keys(&["new", "intake", "--party", party, "--out", &keys]);
        assert_eq!((made.code, made.err.as_str()), (0, ""));
    }
    for file in ["linkage.portsmouth.1.jwk.json", "identifier.portsmouth.1.jwk.json"] {
        fs::rename(hub.path("keys").join(file), agency.path("keys").join(file)).expect("moved");
    }
    let table = hub.path("frequencies.json").display().to_string();
    let ran = agency.run(&["pseudonymise", "--feed", "police", "--frequencies", &table]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

/// From a topic of the agency's own Kafka, and from a file, to the feeds of a hub on another.
#[test]
fn from_the_agencys_topic_to_the_hubs_feed() {
    let broker = Broker::shared();
    let (hub, agency) = (Deployed::on_kafka(&broker, 2), Deployed::on_kafka(&broker, 2));
    let incidents = [
        "i1 police.incident 2025-03-01 victim=sara perpetrator=dean",
        "i2 police.incident 2025-04-01 victim=kelly perpetrator=dean",
    ];
    agency.publish_all(&events(&incidents));
    ceremony(&hub, &agency);
    let config = hub.path("priorityd.toml");
    let blind = fs::read_to_string(&config).expect("text");
    let blind = format!("intake = \"tokens-only\"\nfrequencies = [\"frequencies.json\"]\n{blind}");
    fs::write(&config, blind).expect("written");
    let config = config.display().to_string();
    let relay = [
        "pseudonymise",
        "--feed",
        "police",
        "--from-topic",
        "feeds.police.v1",
        "--position",
        "position.json",
        "--publish",
        &config,
    ];
    for expected in ["pseudonymised 2, refused 0;", "pseudonymised 0, refused 0;"] {
        let ran = agency.run(&relay);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        assert!(ran.out.starts_with(expected), "{}", ran.out);
    }
    // Before it was noted how far the topic was sent: it is sent again, and the hub knows it.
    fs::remove_file(agency.path("position.json")).expect("it was written");
    assert_eq!(agency.run(&relay).code, 0);
    fs::write(agency.path("cases.ndjson"), event("k1 idva.caseload_entry 2024-01-02 victim=sarah").1).expect("written");
    let ran = agency.run(&["pseudonymise", "--feed", "idva", "cases.ndjson", "--publish", &config]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut daemon = hub.start();
    hub.wait_for(&mut daemon, 3);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", hub.log());
    assert_eq!(hub.subscribe("idva").kinds(), ["new_report"]);
    assert_eq!(hub.subscribe("high_harm_team").list.len(), 1, "one perpetrator of two");
    assert!(hub.rejections("police").is_empty());
}

#[test]
fn from_the_agencys_file_to_the_hubs_list_with_the_commands() {
    let hub = Deployed::with(&[
        ("# intake", "intake = \"tokens-only\""),
        ("# frequencies", "frequencies = [\"frequencies.json\"]"),
    ]);
    let agency = Deployed::new();
    let refused = hub.run(&["check"]);
    assert_eq!(refused.code, 78);
    assert!(refused.err.contains("linkage.portsmouth.1, that hashes identity"), "{}", refused.err);
    assert!(refused.err.contains("frequencies.json: it cannot be read"), "{}", refused.err);

    ceremony(&hub, &agency);
    assert_eq!(hub.run(&["check"]).code, 0);

    let mut daemon = hub.start();
    let cases = events(&["k1 idva.caseload_entry 2024-01-02 victim=sarah"]);
    let incidents = events(&["i1 police.incident 2025-03-01 victim=sara perpetrator=dean"]);
    for (feed, sent) in [("idva", &cases), ("police", &incidents)] {
        let (file, out) = (agency.path("in.ndjson"), agency.path("out.ndjson"));
        let mut lines: Vec<&str> = sent.iter().map(|(_, line)| line.as_str()).collect();
        lines.push("no event");
        fs::write(&file, lines.join("\n")).expect("written");
        let (file, out) = (file.display().to_string(), out.display().to_string());
        let ran = agency.run(&["pseudonymise", "--feed", feed, &file, "--out", &out]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.out.starts_with("pseudonymised 1, refused 1;"), "{}", ran.out);
        assert!(ran.err.contains("line 2: EVT-003"), "{}", ran.err);
        let ran = hub.run(&["publish", "--feed", feed, &out]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    }
    hub.publish_all(&incidents);
    hub.wait_for(&mut daemon, 3);
    assert!(daemon.terminate().success(), "{}", hub.log());
    let idva = hub.subscribe("idva");
    assert_eq!(idva.kinds(), ["new_report"]);
    assert!(
        idva.everything().contains("Ashgrove"),
        "what was sealed at the source reaches whom the agreement lets see it"
    );
    assert_eq!(text(&hub.rejections("police")[0]["code"]), "EVT-060");
}
