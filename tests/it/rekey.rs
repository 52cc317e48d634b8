//! Keys that change while the daemon works: links, lists and pseudonyms are as before, what was told follows the key, and
//! nothing of the earlier key remains.

use std::collections::{BTreeMap, BTreeSet};

use priorityd::keys::meta::Purpose;
use priorityd::model::ids::ClusterId;
use priorityd::model::register::RowKind;
use priorityd::pipeline::AUDIT_TOPIC;
use priorityd::simulate::City;
use serde_json::Value;

use crate::support::deployed::{Deployed, PATIENCE};
use crate::support::events::events;
use crate::support::hub::{Desk, Hub, Office, text};

fn clusters(hub: &Hub<'_>) -> BTreeSet<ClusterId> {
    hub.people().into_iter().map(|person| person.cluster).collect()
}

/// What a service's live alerts say, sorted. Their ids count how often something was raised and taken back on the way, which
/// depends on how events were batched.
fn said(desk: &Desk) -> Vec<String> {
    let mut said: Vec<_> = desk
        .live()
        .into_values()
        .map(|mut data| {
            data.as_object_mut().expect("an object").remove("alert_id");
            data.to_string()
        })
        .collect();
    said.sort();
    said
}

/// Possible matches that wait for a person.
fn asked(hub: &Hub<'_>) -> BTreeMap<String, Value> {
    hub.reviews().into_iter().filter(|(_, review)| review["kind"] == "possible_match").collect()
}

/// Row keys whose scope carries this epoch.
fn rows_under(hub: &Hub<'_>, epoch: &str) -> usize {
    let mark = format!("portsmouth@{epoch}\0");
    hub.register().keys().filter(|key| key[1..].starts_with(mark.as_bytes())).count()
}

fn audit(hub: &Hub<'_>) -> Vec<Value> {
    let lines = hub.topic(AUDIT_TOPIC).into_iter().filter_map(|record| record.value);
    lines.map(|line| serde_json::from_slice(&line).expect("JSON")).collect()
}

#[test]
fn a_register_is_hashed_anew_while_events_come_in_and_daemons_restart() {
    let city = City { bad_share: 0.0, ..City::new(11, 1_700, 10) }.play();
    let (first, rest) = city.feeds.split_at(city.feeds.len() / 2);
    let (second, third) = rest.split_at(rest.len() / 2);
    let undisturbed = {
        let mut hub = Hub::played(Office::shipped(), first);
        hub.send(second);
        hub.send(third);
        hub
    };
    let rotated = Office::rotated(&[Purpose::Linkage]);
    let mut hub = Hub::played(Office::shipped(), first);
    let before = (clusters(&hub), hub.desks());
    let records = hub.register().keys().filter(|key| key[0] == RowKind::Record as u8).count();
    assert!(records > 500, "{records} records are too few to take several steps");

    hub.follow(&rotated);
    assert!(hub.step(), "hashing has begun");
    assert!(rows_under(&hub, "2") > 0 && rows_under(&hub, "1") > 0);
    assert_eq!((clusters(&hub), hub.desks()), before, "nobody notices");
    // Events in the midst of it, and a daemon that dies.
    hub.publish(second);
    assert!(hub.step());
    hub.restart();
    hub.work();
    assert_eq!((rows_under(&hub, "1"), hub.engine().rekeys()), (0, false));
    assert_eq!(hub.engine().spent_linkage_keys(), [("portsmouth".parse().expect("a scope"), 1)]);
    hub.send(third);
    hub.restart();
    hub.work();

    assert_eq!(clusters(&hub), clusters(&undisturbed), "the same people");
    let by_name = |hub: &Hub<'_>| -> BTreeMap<String, Desk> {
        hub.desks().into_iter().map(|(party, desk)| (party.to_string(), desk)).collect()
    };
    let (there, here) = (by_name(&undisturbed), by_name(&hub));
    for (party, desk) in &there {
        assert_eq!(desk.list, here[party].list, "the list of {party}");
    }
    // A service may have heard of more while a case was open, which depends on the batches; this team has no cases.
    assert_eq!(said(&there["high_harm_team"]), said(&here["high_harm_team"]));
    assert_eq!(asked(&hub), asked(&undisturbed), "the same questions wait for a person");
    assert_eq!(hub.outcomes(), undisturbed.outcomes());
    let changes: Vec<_> = audit(&hub).into_iter().filter(|line| line.to_string().contains("to_epoch")).collect();
    assert_eq!(changes.len(), 1, "the change is told once: {changes:?}");
}

#[test]
fn a_new_recipient_key_seals_the_whole_list_anew_and_says_when_it_is_done() {
    let rotated = Office::rotated(&[Purpose::Recipient]);
    let city = City { bad_share: 0.0, ..City::new(4, 600, 6) }.play();
    let mut hub = Hub::played(Office::shipped(), &city.feeds);
    let before = hub.desk("high_harm_team").list;
    assert!(!before.is_empty());
    hub.follow(&rotated);
    hub.work();
    let messages = hub.opened("high_harm_team", "list");
    let latest: BTreeMap<String, Value> = messages.into_iter().collect();
    assert_eq!(latest, before, "every entry opens with the new key");
    let told = hub.opened("high_harm_team", "alerts");
    let told: Vec<_> = told.iter().filter(|(_, data)| data.get("replaces").is_some()).collect();
    assert_eq!(told.len(), 1, "announced once");
    assert_eq!(told[0].1["entries"], before.len());
    hub.restart();
    hub.work();
    let again = hub.opened("high_harm_team", "alerts");
    assert_eq!(again.iter().filter(|(_, data)| data.get("replaces").is_some()).count(), 1, "and once only");
}

#[test]
fn a_service_reads_across_its_rotation_with_both_keys() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(&[
        "k1 idva.caseload_entry 2024-01-02 victim=sarah",
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
    ]));
    house.wait_for(&mut daemon, 2);
    let before = house.subscribe("idva");
    assert!(!before.inbox.is_empty());
    let out = house.path("second").display().to_string();
    std::fs::create_dir(&out).expect("made");
    let rotated = house.keys(&["rotate", "recipient", "--party", "idva", "--out", &out]);
    assert_eq!((rotated.code, rotated.err.as_str()), (0, ""));
    daemon.hang_up();
    house.wait_for_audit(&mut daemon, "key_rotated");
    assert!(daemon.terminate().success());
    let (first, second) = (house.key("idva"), format!("{out}/idva.2.jwk.json"));
    let subscribe = |keys: &[&str]| {
        let keys: Vec<_> = keys.iter().flat_map(|key| ["--key", key]).collect();
        house.run(&[&["subscribe", "--recipient", "idva"], &keys[..]].concat())
    };
    for one in [&first, &second] {
        let alone = subscribe(&[one]);
        assert_eq!(alone.code, 65, "{}", alone.err);
        assert!(alone.err.contains("sealed to another key; give the key"), "{}", alone.err);
    }
    for both in [[first.as_str(), &second], [&second, &first]] {
        let read = subscribe(&both);
        assert_eq!((read.code, read.err.as_str()), (0, ""));
        for event in &before.inbox {
            assert!(read.out.contains(text(&event["id"])), "an alert of before is missing");
        }
        assert!(read.out.contains("key_rotated"));
    }
    // Each of them must be the service's own, and is looked at.
    assert_eq!(subscribe(&[&second, &house.key("up2u")]).code, 77);
    assert_eq!(subscribe(&[&second, "none", "nothing"]).err.lines().count(), 2);
}

#[test]
fn another_output_key_leaves_nothing_under_the_earlier_pseudonyms() {
    let rotated = Office::rotated(&[Purpose::Output]);
    let city = City { bad_share: 0.0, ..City::new(4, 600, 6) }.play();
    let mut hub = Hub::played(Office::shipped(), &city.feeds);
    let before = hub.desks();
    hub.follow(&rotated);
    hub.work();
    for (party, desk) in hub.desks() {
        let earlier = &before[&party];
        assert_eq!(desk.list.len(), earlier.list.len(), "{party}");
        assert!(desk.list.keys().all(|entry| !earlier.list.contains_key(entry)), "{party} has an entry of before");
        // Whoever closed a case since keeps no alert under the new pseudonyms, and nobody hears anything new.
        let (now, then) = (said(&desk), said(earlier));
        assert!(now.len() * 10 >= then.len() * 8, "{party}: {} of {}", now.len(), then.len());
        assert!(now.iter().all(|alert| then.contains(alert)), "{party}");
        assert!(desk.live().keys().all(|alert| !earlier.live().contains_key(alert)), "{party} has an alert of before");
    }
}

#[test]
fn a_daemon_follows_its_ring_and_destroys_the_earlier_linkage_key() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(&["k1 idva.caseload_entry 2024-01-02 victim=sarah"]));
    house.wait_for(&mut daemon, 1);
    let rotated = house.keys(&["rotate", "linkage", "--scope", "portsmouth"]);
    assert_eq!((rotated.code, rotated.err.as_str()), (0, ""));
    daemon.hangup();
    let earlier = house.path("keys/linkage.portsmouth.1.jwk.json");
    let state = || -> Value {
        let key: Value = serde_json::from_slice(&std::fs::read(&earlier).expect("read")).expect("JSON");
        key["priorityd"]["state"].clone()
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while state() != "retired" {
        assert!(daemon.is_alive() && std::time::Instant::now() < deadline, "{}", house.log());
        std::thread::yield_now();
    }
    assert!(!std::fs::read_to_string(&earlier).expect("read").contains("\"k\""), "the secret is gone");
    // Another spelling is the same person still.
    house.publish_all(&events(&["i1 police.incident 2025-03-01 victim=sara perpetrator=dean"]));
    house.wait_for(&mut daemon, 2);
    assert!(daemon.terminate().success(), "{}", house.log());
    assert_eq!(house.subscribe("idva").kinds(), ["new_report"]);
    let ended = house.values(AUDIT_TOPIC).into_iter().filter(|line| line.to_string().contains("destroyed_epoch"));
    assert_eq!(ended.map(|line| text(&line["kind"]).to_owned()).collect::<Vec<_>>(), ["erasure"]);
}
