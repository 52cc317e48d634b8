//! The same set of events in any order, in batches of any size, sent twice, through aborts and crashes with restores in
//! between: the same lists and the same register (invariants I2 and I3).

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use priorityd::disclose::told::{Digest, ToldAlert};
use priorityd::log::memory::Faults;
use priorityd::model::feed::FeedKind;
use priorityd::model::ids::{ClusterId, FindingId, PartyId};
use priorityd::model::register::RowKind;
use priorityd::simulate::City;
use priorityd::validate::types::EVENT_TYPES;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::events::{Sent, event, events};
use crate::support::hub::{Hub, Office};

/// A life with everything that happens to records: amended, amended again, cancelled, closed, spelt otherwise.
pub(crate) const LIFE: &[&str] = &[
    "k1 idva.caseload_entry 2024-01-02 victim=sarah",
    "k2 up2u.caseload_entry 2024-01-02 perpetrator=dean",
    "k3 parcs.caseload_entry 2024-01-02 victim=kelly",
    "k4 stop_domestic_abuse.caseload_entry 2024-02-02 victim=sara",
    "k5 stop_domestic_abuse.caseload_entry 2025-02-02 victim=sara state=closed",
    "i1 police.incident 2024-03-01 victim=sarah perpetrator=dean",
    "c1 police.crime 2024-03-02 victim=sarah perpetrator=dean incident=i1",
    "i2 police.incident 2024-06-01 victim=kelly perpetrator=dean",
    "a2 police.amend 2024-06-01 recorded=2024-06-05 supersedes=i2 amended_type=incident victim=kelly perpetrator=mark",
    "b2 police.amend 2024-06-01 recorded=2024-06-09 supersedes=a2 amended_type=incident victim=kelly2 perpetrator=dean2",
    "i3 police.incident 2024-09-01 victim=sarah perpetrator=dean",
    "a3 police.amend 2024-09-01 recorded=2024-09-05 supersedes=i3 amended_type=incident victim=sarah perpetrator=mark",
    "b3 police.amend 2024-09-01 recorded=2024-09-04 supersedes=i3 amended_type=incident victim=priya perpetrator=mark",
    "i4 police.incident 2024-10-01 victim=dean perpetrator=sarah",
    "x4 police.cancel 2024-10-02 supersedes=i4 reason=wrong_person",
    "i5 police.incident 2025-01-01 victim=dean perpetrator=kelly",
    "o1 crc.order_start 2024-05-01 perpetrator=dean2",
    "p1 crc.programme_complete 2024-08-01 perpetrator=dean",
    "x1 local_authority.mash_contact 2024-08-02 victim=sara perpetrator=dean2",
    "m1 local_authority.marac_referral 2024-07-01 victim=sarah perpetrator=dean",
    "r1 police.risk_assessment 2024-03-03 victim=sarah grade=standard",
    "r2 police.risk_assessment 2024-09-03 victim=sarah grade=high",
    "o2 police.protection_order 2024-09-02 victim=sarah perpetrator=dean expires_on=2025-09-02",
    // Of every other type one at least.
    "k6 encompass.caseload_entry 2024-01-03 child=ellie",
    "k7 childrens_social_care.caseload_entry 2024-01-03 child=ellie",
    "i6 police.incident 2024-11-01 victim=sarah perpetrator=dean child=ellie children_present=yes",
    "n6 police.arrest 2024-11-02 victim=sarah perpetrator=dean incident=i6 wants_change=yes",
    "h6 police.charge 2024-11-05 victim=sarah perpetrator=dean incident=i6",
    "t6 police.court_outcome 2025-02-05 victim=sarah perpetrator=dean incident=i6 result=acquitted",
    "f1 police.no_further_action 2024-04-01 victim=sarah perpetrator=dean incident=c1",
    "v1 police.conditional_caution 2025-02-01 perpetrator=kelly incident=i5",
    "q1 police.dvds_request 2024-06-03 victim=kelly perpetrator=dean",
    "q2 police.dvds_request 2024-06-03 recorded=2024-06-20 supersedes=q1 victim=kelly perpetrator=dean decision=disclosed \
     decided_on=2024-06-19",
    "q3 police.dvds_request 2025-06-03 victim=priya perpetrator=mark route=right_to_know",
    "g1 police.cpi_report 2024-06-04 perpetrator=dean",
    "g2 police.cohort 2024-06-05 perpetrator=dean cohort=matac",
    "g3 police.cohort 2024-08-05 perpetrator=dean2 cohort=matac state=left",
    "p0 crc.programme_start 2024-05-02 perpetrator=dean2",
    "p2 crc.programme_breach 2024-05-20 perpetrator=dean",
    "p3 crc.requirement 2024-05-01 perpetrator=dean",
    "p4 crc.risk_review 2024-05-03 perpetrator=dean",
    "p5 crc.mappa_level 2024-05-03 perpetrator=dean level=2",
    "p6 crc.recall 2024-12-01 perpetrator=dean",
    "p7 crc.release 2025-03-01 perpetrator=dean",
    "p8 crc.order_end 2025-09-01 perpetrator=dean2",
    "m2 local_authority.marac_outcome 2024-07-20 victim=sara perpetrator=dean",
    "s1 local_authority.social_care_assessment 2024-10-02 child=ellie victim=sara perpetrator=dean2",
    "s2 local_authority.social_care_assessment 2025-03-02 child=ellie victim=sara perpetrator=dean2 state=closed",
    "x2 local_authority.mash_contact 2024-10-01 victim=sara child=ellie",
    "x3 local_authority.mash_contact 2024-10-02 victim=sara child=ellie",
    "x5 local_authority.mash_contact 2024-10-03 victim=sara child=ellie",
    "x6 local_authority.mash_contact 2024-10-04 victim=sara child=ellie",
    "x7 local_authority.mash_contact 2024-10-05 victim=sara child=ellie",
    "y1 local_authority.housing 2024-10-06 victim=sara",
    "y2 local_authority.yot 2024-10-07 child=tom",
    "y3 local_authority.substance_misuse 2024-10-08 perpetrator=dean2",
    "i8 police.incident 2025-02-01 victim=priya perpetrator=mark",
    "g4 police.cpi_report 2025-02-02 perpetrator=mark",
    "k8 victim_care_service.caseload_entry 2024-01-02 victim=priya",
    "r3 police.risk_assessment 2025-12-01 victim=priya grade=medium",
    "e1 idva.referral_received 2024-09-04 victim=sarah",
    "e2 idva.contact_attempt 2024-09-05 victim=sarah reached=false",
    "e3 idva.engaged 2024-09-06 victim=sarah",
    "e4 idva.risk_at_start 2024-09-07 victim=sarah",
    "e5 victim_care_service.declined 2024-09-08 victim=kelly",
    "e6 up2u.closed 2025-05-08 perpetrator=dean",
    "i7 police.crime 2025-06-08 victim=kelly perpetrator=dean most_serious_violence=true",
];

/// The life above beside a small city.
fn everything() -> Vec<Sent> {
    let mut all = City::new(11, 600, 4).play().feeds;
    all.extend(events(LIFE));
    all
}

/// What must come out the same.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Opened, by recipient and entry.
    pub(crate) lists: BTreeMap<PartyId, BTreeMap<String, Value>>,
    /// Events, records, links and what lists say, byte for byte; of sealed identities the key.
    pub(crate) register: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Possible matches that await a human.
    pub(crate) matches: BTreeMap<String, Value>,
    /// Events accepted, in force or not. What is sent again is a duplicate, but what is rejected is so each time.
    pub(crate) events: u64,
}

/// What holds of each finding, by recipient.
pub(crate) type Alerted = BTreeMap<(FindingId, PartyId), Digest>;

pub(crate) fn outcome(hub: &Hub<'_>) -> (Outcome, Alerted) {
    let (mut register, mut alerted) = (BTreeMap::new(), Alerted::new());
    for (key, value) in hub.register() {
        match RowKind::from_byte(key[0]).expect("a kind of row") {
            RowKind::MadeWith
            | RowKind::ToldWith
            | RowKind::Agreement
            | RowKind::Event
            | RowKind::Record
            | RowKind::Edge
            | RowKind::Decision
            | RowKind::Listed => {
                register.insert(key, value);
            }
            RowKind::Identity => drop(register.insert(key, Vec::new())),
            // How often something was raised and taken back on the way depends on the way; what holds does not.
            RowKind::Alerted => {
                let finding = FindingId(key[key.len() - 16..].try_into().expect("16 bytes"));
                let (_, told): (ClusterId, BTreeMap<PartyId, ToldAlert>) =
                    postcard::from_bytes(&value).expect("the row's form");
                let live = told.into_iter().filter(|(_, alert)| alert.live);
                alerted.extend(live.map(|(recipient, alert)| ((finding, recipient), alert.digest)));
            }
            RowKind::Counters | RowKind::AuditHead | RowKind::Redaction => {}
        }
    }
    let counts = hub.outcomes();
    let matches = hub.reviews().into_iter().filter(|(_, review)| review["kind"] == "possible_match").collect();
    let lists = hub.desks().into_iter().map(|(recipient, desk)| (recipient, desk.list)).collect();
    (Outcome { lists, register, matches, events: counts.accepted + counts.superseded }, alerted)
}

/// Findings that a service may have heard of while its case was open, and would not hear of now.
fn closed(hub: &Hub<'_>) -> BTreeSet<(FindingId, PartyId)> {
    let mut closed = BTreeSet::new();
    for person in hub.people() {
        for (service, _) in person.cases.iter().filter(|(_, case)| !case.open) {
            closed.extend(person.findings.iter().map(|finding| (finding.id, service.clone())));
        }
    }
    closed
}

pub(crate) fn assert_same(hub: &Hub<'_>, expected: &(Outcome, Alerted), how: &str) {
    let (found, alerted) = outcome(hub);
    assert_eq!(found.lists, expected.0.lists, "lists, {how}");
    let rows = found.register.keys().chain(expected.0.register.keys());
    let differ: BTreeSet<_> = rows.filter(|key| found.register.get(*key) != expected.0.register.get(*key)).collect();
    let differ: Vec<_> =
        differ.into_iter().map(|key| format!("{} {}", char::from(key[0]), key.escape_ascii())).collect();
    assert!(differ.is_empty(), "rows that differ, {how}: {differ:?}");
    assert_eq!(found.matches, expected.0.matches, "possible matches, {how}");
    assert_eq!(found.events, expected.0.events, "events, {how}");
    let closed = closed(hub);
    let told = |alerted: &Alerted| -> Alerted {
        alerted
            .iter()
            .filter(|(about, _)| !closed.contains(about))
            .map(|(about, digest)| (about.clone(), *digest))
            .collect()
    };
    let (found, expected) = (told(&alerted), told(&expected.1));
    let differ: Vec<_> =
        found.keys().chain(expected.keys()).filter(|about| found.get(about) != expected.get(about)).collect();
    assert!(differ.is_empty(), "live alerts that differ, {how}: {differ:?}");
}

fn reference(all: &[Sent]) -> (Outcome, Alerted) {
    let hub = Hub::played(Office::shipped(), all);
    let (outcome, alerted) = outcome(&hub);
    assert!(outcome.lists.values().filter(|list| !list.is_empty()).count() > 2, "lists to compare");
    assert!(alerted.len() > 30, "{} alerts to compare", alerted.len());
    (outcome, alerted)
}

#[test]
fn the_life_has_an_event_of_every_type() {
    let of_life: BTreeSet<_> = LIFE.iter().map(|line| line.split_whitespace().nth(1).expect("a type")).collect();
    let named = |feed: FeedKind, event: &str| {
        of_life.iter().any(|kind| {
            let (sender, kind) = kind.split_once('.').expect("feed.event");
            let is_agency = ["police", "crc", "local_authority"].contains(&sender);
            kind == event && if is_agency { sender == feed.as_str() } else { feed == FeedKind::Service }
        })
    };
    for kind in EVENT_TYPES.iter().filter(|kind| kind.feed != FeedKind::Review) {
        // An acknowledgement names nobody, and every feed withdraws in the same way.
        let is_tried = matches!(kind.event, "alert_acknowledged" | "cancel") || named(kind.feed, kind.event);
        assert!(is_tried, "{}", kind.name);
    }
}

#[test]
fn any_order_in_any_batches() {
    let all = everything();
    let expected = reference(&all);
    for seed in 0..5 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut shuffled = all.clone();
        shuffled.shuffle(&mut random);
        let batch = random.random_range(1..=40);
        let mut hub = Hub::on(Office::shipped(), Faults::default(), batch);
        // In portions, with duplicates of some that went before.
        while !shuffled.is_empty() {
            let rest = shuffled.split_off(shuffled.len().min(random.random_range(1..=60)));
            let portion = std::mem::replace(&mut shuffled, rest);
            hub.send(&portion);
            hub.send(&portion[..portion.len().min(random.random_range(0..4))]);
        }
        assert_same(&hub, &expected, &format!("seed {seed}, batches of {batch}"));
    }
}

#[test]
fn through_a_storm_of_aborts_and_crashes() {
    let all = everything();
    let expected = reference(&all);
    for seed in 0..6 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut shuffled = all.clone();
        if seed % 2 == 0 {
            shuffled.shuffle(&mut random);
        }
        let batch = random.random_range(1..=30);
        let mut hub = Hub::on(Office::shipped(), Faults::storm(seed), batch);
        hub.send(&shuffled);
        assert_same(&hub, &expected, &format!("storm {seed}, batches of {batch}"));
    }
}

#[test]
fn every_single_step_of_a_life_may_be_the_last_before_a_crash() {
    let all = events(LIFE);
    let expected = outcome(&Hub::played(Office::shipped(), &all));
    for seed in 0..6 {
        let mut shuffled = all.clone();
        shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        // A crash on every commit but the last: each event meets an engine that was only just restored.
        let faults = Faults { seed, crash_after: if seed % 2 == 0 { 1_000 } else { 500 }, ..Faults::default() };
        let mut hub = Hub::on(Office::shipped(), faults, 1);
        hub.send(&shuffled);
        assert_same(&hub, &expected, &format!("crashes, seed {seed}"));
    }
}

#[test]
fn what_was_withdrawn_leaves_no_trace_of_a_person() {
    let mut hub = Hub::new(Office::shipped());
    hub.send(&events(&["i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"]));
    let kept = |hub: &Hub<'_>, kind: RowKind| hub.register().keys().filter(|key| key[0] == kind as u8).count();
    assert_eq!((kept(&hub, RowKind::Record), kept(&hub, RowKind::Identity)), (2, 2));
    let mut hub = Hub::new(Office::shipped());
    hub.send(&events(&[
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "x1 police.cancel 2025-03-02 supersedes=i1 reason=data_subject_request",
    ]));
    assert_eq!((kept(&hub, RowKind::Record), kept(&hub, RowKind::Identity), kept(&hub, RowKind::Edge)), (0, 0, 0));
}

/// What people decided about the questions of a life: of each kind, and one of them twice.
fn decisions(hub: &Hub<'_>) -> Vec<Sent> {
    let mut decided = Vec::new();
    for (number, review) in hub.reviews().into_values().enumerate() {
        let about = match review["kind"].as_str() {
            Some("both_roles") => format!("decision=seen reason=both_directions finding={}", review["finding"]),
            Some("unrouted") => format!("decision=seen reason=referred finding={}", review["finding"]),
            _ if number % 2 == 0 => "decision=same reason=records_compared".to_owned(),
            _ => "decision=different reason=relatives".to_owned(),
        };
        let records = review["records"].to_string();
        let line = format!("d{number} reviewers.decision 2025-07-01 {about} records={records} decided_by=JS2");
        decided.push(event(&line));
        if number == 0 {
            let other = line.replacen("d0 ", "e0 ", 1).replace("07-01", "08-01");
            decided.push(event(&other.replace("=same", "=different").replace("=records_compared", "=relatives")));
        }
    }
    decided
}

#[test]
fn decisions_of_people_count_the_same_whenever_they_come() {
    let mut all = everything();
    let undecided = Hub::played(Office::shipped(), &all);
    let decisions = decisions(&undecided);
    assert!(decisions.len() > 3, "{} questions to decide", decisions.len());
    all.extend(decisions);
    let expected = reference(&all);
    assert!(Hub::played(Office::shipped(), &all).rejections("reviewers").is_empty());
    assert_ne!(expected.0.register, outcome(&undecided).0.register, "they make a difference");
    for seed in 0..4 {
        let mut shuffled = all.clone();
        shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut hub = Hub::on(Office::shipped(), Faults::storm(seed), 25);
        hub.send(&shuffled);
        assert_same(&hub, &expected, &format!("storm {seed}"));
    }
}

/// A new day is not one transaction: whoever dies between two of its parts begins it anew, and nobody is told twice.
#[test]
fn a_new_day_comes_in_parts_and_may_be_begun_again() {
    let city = City { bad_share: 0.0, ..City::new(12, 1_700, 10) }.play();
    let (first, rest) = city.feeds.split_at(city.feeds.len() / 2);
    let day = date(2026, 9, 1);
    let mut calm = Hub::played(Office::shipped(), first);
    let mut hub = Hub::played(Office::shipped(), first);
    let before = hub.desks();
    calm.wake_on(day);
    hub.set_day(day);
    assert!(hub.people().len() > 1_000, "they are too few for several parts");
    assert!(hub.step() && hub.is_due(), "a part is done");
    hub.restart();
    // It gains its partition, and begins again.
    assert!(hub.step() && hub.step() && hub.is_due());
    hub.work();
    assert!(!hub.is_due());
    assert_eq!(hub.desks(), calm.desks());
    assert_ne!(hub.desks(), before, "the day changes something");

    let next = date(2026, 10, 1);
    calm.wake_on(next);
    calm.send(rest);
    hub.set_day(next);
    assert!(hub.step() && hub.is_due());
    // Events come in the midst of it.
    hub.publish(rest);
    hub.work();
    let lists = |hub: &Hub<'_>| hub.desks().into_iter().map(|(party, desk)| (party, desk.list)).collect::<Vec<_>>();
    assert_eq!(lists(&hub), lists(&calm));
}
