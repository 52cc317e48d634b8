//! Undo: a person is erased, an event's retention ends. Register, lists, findings and audit follow, everybody who was told
//! is told, what comes late does not bring anybody back, and whoever is reported anew begins anew.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::civil::date;
use priorityd::audit::{self, AuditKind, AuditRecord};
use priorityd::log::memory::Faults;
use priorityd::model::register::RowKind;
use priorityd::ops::stages::Stages;
use priorityd::pipeline::AUDIT_TOPIC;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use crate::support::events::{Sent, envelope, events};
use crate::support::hub::{Hub, Office, amended};

const LINES: &[&str] = &[
    "k1 idva.caseload_entry 2025-01-02 victim=sarah",
    "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
    "i2 police.incident 2025-06-01 victim=kelly perpetrator=dean2",
    "x1 local_authority.mash_contact 2025-07-02 victim=sarah perpetrator=dean2",
    "i3 police.incident 2025-08-01 victim=priya perpetrator=mark",
];

/// Erases a participant of an event as of a day, as `priorityd erase` does.
fn erasure(hub: &Hub<'_>, event: &str, at: usize, on: &str) -> Sent {
    let person = hub.person("police", event, at);
    let (feed, mut event) = envelope(&format!("e-{event}-{at} reviewers.erasure {on}"));
    event["data"]["records"] = json!(person.records);
    event["data"]["local_refs"] = json!(person.local_refs);
    (feed, event.to_string())
}

fn audit(hub: &Hub<'_>) -> Vec<AuditRecord> {
    let lines = hub.topic(AUDIT_TOPIC).into_iter().map(|record| record.value.expect("a line"));
    lines.map(|line| AuditRecord::read(&line).expect("as written")).collect()
}

/// Rows of the register of one kind.
fn rows(hub: &Hub<'_>, kind: RowKind) -> usize {
    hub.register().keys().filter(|key| key[0] == kind as u8).count()
}

#[test]
fn an_erased_person_is_nowhere_and_everybody_who_was_told_is_told() {
    let mut hub = Hub::played(Office::shipped(), &events(LINES));
    let dean = hub.person("police", "i1", 1);
    assert_eq!((dean.records.len(), dean.events.len()), (3, 3));
    let before = hub.desk("high_harm_team");
    assert!(before.list.values().any(|entry| entry.to_string().contains("Ashgrove")));
    let corrections = before.corrections().len();
    hub.send(&[erasure(&hub, "i1", 1, "2025-12-01")]);

    // Nobody has him on a list, and whoever was alerted was corrected.
    for (recipient, desk) in hub.desks() {
        assert!(!desk.list.values().any(|entry| entry.to_string().contains("Ashgrove")), "{recipient}");
        assert!(!desk.live().values().any(|alert| alert.to_string().contains("Ashgrove")), "{recipient}");
    }
    assert!(hub.desk("high_harm_team").corrections().len() > corrections);
    // The others keep what is theirs: Sarah was reported as a victim twice, by somebody.
    assert_eq!(hub.participants("police", "i1").map(|people| people.len()), Some(1));
    let sarah = hub.person("police", "i1", 0);
    assert_eq!(sarah.events.len(), 3);
    // Nothing of the register opens any more, or names a record of his.
    let register = hub.register();
    for record in &dean.records {
        let named = |kind: RowKind| move |(key, _): &(&Vec<u8>, &Vec<u8>)| key[0] == kind as u8;
        let has = |bytes: &[u8]| bytes.windows(16).any(|window| window == record.0);
        for kind in [RowKind::Identity, RowKind::Record, RowKind::Listed, RowKind::Alerted] {
            assert!(!register.iter().filter(named(kind)).any(|(key, value)| has(key) || has(value)), "{kind:?}");
        }
    }
    // The audit says that it was done, by whom and on what ground.
    let erased = audit(&hub).into_iter().rfind(|record| record.kind == AuditKind::Erasure).expect("an erasure");
    assert_eq!(erased.body["authority"], "ER-2025/014");
    assert_eq!((erased.body["records_erased"].as_u64(), erased.body["events_narrowed"].as_u64()), (Some(3), Some(3)));

    // The next day's sweep takes him out of the audit, and the chain still holds.
    let names_him =
        |record: &AuditRecord| dean.records.iter().any(|id| record.body.to_string().contains(&id.to_string()));
    assert!(audit(&hub).iter().any(names_him));
    let lines = hub.topic(AUDIT_TOPIC).len();
    hub.wake_on(date(2026, 1, 2));
    assert!(!audit(&hub).iter().any(names_him));
    assert!(!audit(&hub).iter().any(|record| record.body["person"] == json!(dean.person)));
    assert!(hub.topic(AUDIT_TOPIC).len() > lines, "what was done stays");
    let lines = || hub.topic(AUDIT_TOPIC).into_iter().map(|record| record.value.expect("a line"));
    let verified = audit::verify(lines(), None).expect("the chain holds");
    assert!(verified.redacted > 0);
    assert_eq!(rows(&hub, RowKind::Redaction), 0);
    // A subject that somebody else takes out shows. The first record is of the agreement, and about nobody.
    let whole = AuditRecord::read(&lines().nth(1).expect("a line")).expect("as written");
    assert!(!whole.is_redacted);
    let cut = lines().enumerate().map(|(at, line)| match at {
        1 => {
            let mut line: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
            line.as_object_mut().expect("an object").remove("subject");
            audit::canonical_json(&line)
        }
        _ => line,
    });
    let faults = audit::verify(cut, None).expect_err("somebody took out a subject");
    assert!(faults.iter().all(|fault| matches!(fault, audit::AuditFault::Redacted { .. })), "{faults:?}");
}

#[test]
fn what_comes_late_brings_nobody_back_and_what_is_new_begins_anew() {
    let mut hub = Hub::played(Office::shipped(), &events(LINES));
    hub.send(&[erasure(&hub, "i1", 1, "2025-12-01")]);
    let outcomes = hub.outcomes();
    // The same again is a duplicate; an event of that time that was on its way leaves him out.
    hub.send(&events(&LINES[1..2]));
    hub.send(&events(&["i0 police.incident 2025-02-01 victim=kelly perpetrator=dean"]));
    assert_eq!(hub.outcomes().duplicate, outcomes.duplicate + 1);
    assert_eq!(hub.participants("police", "i0").map(|people| people.len()), Some(1));
    // Somebody who is only he is nobody.
    hub.send(&events(&["o0 police.incident 2025-02-01 perpetrator=dean"]));
    assert!(hub.participants("police", "o0").is_none());
    assert_eq!(hub.outcomes().superseded, outcomes.superseded + 1, "taken, and nothing of it kept");
    // He is reported anew, after the erasure: one report, no history.
    hub.send(&events(&["i9 police.incident 2025-12-05 victim=kelly perpetrator=dean"]));
    let anew = hub.person("police", "i9", 1);
    assert_eq!(anew.events.iter().map(|event| event.what.as_str()).collect::<Vec<_>>(), ["incident"]);
    assert_eq!(anew.listed_to, BTreeSet::new(), "one report is no repeat");
    // Withdrawn, the erasure stands: nothing is left to bring back.
    hub.send(&events(&["e-x reviewers.cancel 2025-12-06 supersedes=e-i1-1"]));
    hub.send(&events(&["i7 police.incident 2025-02-03 victim=kelly perpetrator=dean"]));
    assert_eq!(hub.participants("police", "i7").map(|people| people.len()), Some(1));
}

#[test]
fn an_erasure_comes_when_it_comes() {
    let hub = Hub::played(Office::shipped(), &events(LINES));
    let mut all = events(LINES);
    all.push(erasure(&hub, "i1", 1, "2025-12-01"));
    all.extend(events(&[
        "i9 police.incident 2025-12-05 victim=kelly perpetrator=dean",
        "d1 reviewers.consultation 2025-12-06",
    ]));
    let state = |order: &[Sent], faults: Faults| {
        let mut hub = Hub::on(Office::shipped(), faults, 2);
        hub.send(order);
        let lists: Vec<_> = hub.desks().into_iter().map(|(party, desk)| (party, desk.list)).collect();
        let kept = |key: &Vec<u8>| {
            [RowKind::Event, RowKind::Record, RowKind::Edge, RowKind::Decision, RowKind::Listed]
                .iter()
                .any(|kind| key[0] == *kind as u8)
        };
        let register: Vec<_> = hub.register().into_iter().filter(|(key, _)| kept(key)).collect();
        (lists, register)
    };
    let expected = state(&all, Faults::default());
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for seed in 0..6 {
        let mut order = all.clone();
        order.shuffle(&mut rng);
        assert!(state(&order, Faults::storm(seed)) == expected, "order {seed}");
    }
}

/// The shipped agreement, with what police tell held for a year.
static A_YEAR: LazyLock<Office> =
    LazyLock::new(|| Office::with(&amended("retention_days = 2192", "retention_days = 365")));

#[test]
fn retention_ends_by_the_day_whoever_was_told_is_told_and_a_late_copy_stays_away() {
    let mut hub = Hub::played(&A_YEAR, &events(LINES));
    let mark = hub.person("police", "i3", 1);
    assert_eq!(mark.events[0].held_until, date(2026, 8, 1));
    hub.wake_on(date(2026, 8, 1));
    assert!(hub.participants("police", "i3").is_some());
    hub.wake_on(date(2026, 8, 2));
    assert!(hub.participants("police", "i3").is_none());
    for (recipient, desk) in hub.desks() {
        assert!(!desk.list.values().any(|entry| entry.to_string().contains("Pettifer")), "{recipient}");
        assert!(!desk.live().values().any(|alert| alert.to_string().contains("Pettifer")), "{recipient}");
    }
    let erased = audit(&hub).into_iter().rfind(|record| record.body["reason"] == "retention").expect("an erasure");
    assert_eq!((erased.body["events_erased"].as_u64(), erased.body["records_erased"].as_u64()), (Some(1), Some(2)));
    hub.send(&events(&LINES[4..]));
    assert!(hub.participants("police", "i3").is_none());
    // Swept once a day, and the audit with it; the second sweep finds nothing.
    hub.wake_on(date(2026, 8, 3));
    assert!(!audit(&hub).iter().any(|record| record.body.to_string().contains(&mark.person.to_string())));
    let lines = hub.topic(AUDIT_TOPIC).len();
    hub.wake_on(date(2026, 8, 4));
    assert_eq!(hub.topic(AUDIT_TOPIC).len(), lines);
    // The same events, all at once and a day late: the same register.
    let mut late = Hub::new(&A_YEAR);
    late.wake_on(date(2026, 8, 4));
    late.send(&events(LINES));
    late.wake_on(date(2026, 8, 5));
    hub.wake_on(date(2026, 8, 5));
    let of = |hub: &Hub<'_>, kind: RowKind| -> Vec<_> {
        hub.register().into_iter().filter(|(key, _)| key[0] == kind as u8).collect()
    };
    for kind in [RowKind::Event, RowKind::Record, RowKind::Edge] {
        assert!(of(&hub, kind) == of(&late, kind), "{kind:?}");
    }
}

#[test]
fn nothing_of_anybody_is_remembered_after_an_erasure_nor_on_another_day() {
    // An office of its own: what is remembered is its setup's.
    let office = Office::with(&amended("serial = 1", "serial = 2"));
    let mut hub = Hub::new(&office);
    hub.work();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread starts");
    // Of whoever is remembered nothing is hashed again.
    let hashed = |hub: &mut Hub<'_>, line: &str| {
        let (stages, sent) = (Stages::default(), events(&[line]));
        one_thread.install(|| stages.during(|| hub.send(&sent)));
        stages.took().get("tokens").map_or(0, |took| took.times)
    };
    assert_eq!(hashed(&mut hub, "i1 police.incident 2025-09-01 victim=sarah perpetrator=dean"), 2, "both are new");
    assert_eq!(hashed(&mut hub, "i2 police.incident 2025-09-02 victim=sarah perpetrator=dean"), 0, "both are known");
    hub.send(&[erasure(&hub, "i1", 1, "2025-12-01")]);
    assert_eq!(hashed(&mut hub, "i3 police.incident 2025-09-03 victim=sarah perpetrator=dean"), 2, "he was erased");
    assert_eq!(
        hashed(&mut hub, "i4 police.incident 2025-09-04 victim=sarah perpetrator=dean"),
        2,
        "he was named again"
    );
    assert_eq!(hashed(&mut hub, "i5 police.incident 2025-09-05 victim=kelly perpetrator=mark"), 2, "both are new");
    assert_eq!(hashed(&mut hub, "i6 police.incident 2025-09-06 victim=kelly perpetrator=mark"), 0, "both are known");
    hub.wake_on(date(2026, 1, 1));
    assert_eq!(hashed(&mut hub, "i7 police.incident 2025-09-07 victim=kelly perpetrator=mark"), 2, "it is another day");
}
