//! Who was referred where, in time or not; what a perpetrator could be offered; how a MATAC ranks.

use jiff::civil::date;
use serde_json::{Value, json};

use super::{I1, I2, IDVA, Life, assert_found, played};
use crate::support::events::{events, local_ref};
use crate::support::hub::{Hub, Office, text};

const MEDIUM: &str = "r1 police.risk_assessment 2025-12-01 victim=sarah grade=medium";
const HIGH: &str = "r1 police.risk_assessment 2025-12-01 victim=sarah grade=high";

const LIVES: &[Life] = &[
    ("graded, and nobody heard of it", &[MEDIUM], &["sarah unrouted r1"]),
    ("referred the next day", &[MEDIUM, "f1 stop_domestic_abuse.referral_received 2025-12-02 victim=sara"], &[]),
    ("the service for a higher grade will do", &[MEDIUM, "f1 idva.engaged 2025-12-02 victim=sarah"], &[]),
    (
        "that for a lower one will not",
        &[MEDIUM, "f1 victim_care_service.referral_received 2025-12-02 victim=sarah"],
        &["sarah unrouted r1"],
    ),
    (
        "nor will one for perpetrators",
        &[MEDIUM, "f1 up2u.referral_received 2025-12-02 victim=sarah"],
        &["sarah unrouted r1"],
    ),
    (
        "counselling is support for standard risk, and for no more",
        &[
            "r1 police.risk_assessment 2025-11-01 victim=sarah grade=standard",
            "f1 parcs.referral_received 2025-11-02 victim=sarah",
            "r2 police.risk_assessment 2025-11-03 victim=kelly grade=medium",
            "f2 parcs.referral_received 2025-11-04 victim=kelly",
        ],
        &["kelly unrouted r2"],
    ),
    ("who supports her already need not be told again", &[IDVA, HIGH], &[]),
    (
        "but one who has closed the case does",
        &[IDVA, "k9 idva.caseload_entry 2025-06-01 victim=sarah state=closed", HIGH],
        &["sarah unrouted r1"],
    ),
    ("an offer that was declined was an offer", &[HIGH, "f1 idva.declined 2025-12-03 victim=sarah"], &[]),
    ("a referral that came late has come", &[HIGH, "f1 idva.referral_received 2025-12-28 victim=sarah"], &[]),
    (
        "a lower grade does not take the higher one's place",
        &[HIGH, "r2 police.risk_assessment 2025-12-20 victim=sarah grade=standard"],
        &["sarah unrouted r1"],
    ),
    (
        "fourteen answers are high risk, whatever was graded",
        &[
            "r1 police.risk_assessment 2025-12-01 victim=sarah grade=standard tool=dash_ric yes_count=14",
            "f1 victim_care_service.referral_received 2025-12-02 victim=sarah",
            "r2 police.risk_assessment 2025-12-01 victim=kelly grade=standard tool=dash_ric yes_count=13",
            "f2 victim_care_service.referral_received 2025-12-02 victim=kelly",
        ],
        &["sarah unrouted r1"],
    ),
];

#[test]
fn a_grade_waits_for_its_service() {
    assert_found(LIVES);
}

/// Questions of a kind that stand.
fn questions(hub: &Hub<'_>, kind: &str) -> Vec<Value> {
    hub.reviews().into_values().filter(|review| review["kind"] == kind).collect()
}

#[test]
fn the_unrouted_are_asked_about_from_the_eighth_day_until_somebody_has_looked() {
    let mut hub = played(&[MEDIUM]);
    hub.wake_on(date(2025, 12, 8));
    assert!(questions(&hub, "unrouted").is_empty(), "seven days are agreed");
    hub.wake_on(date(2025, 12, 9));
    let [question] = &questions(&hub, "unrouted")[..] else { panic!("one question") };
    let seen = format!(
        "d1 reviewers.decision 2025-12-09 decision=seen reason=referred finding={} records={} decided_by=JS2",
        question["finding"], question["records"]
    );
    let undecided = hub.reviews();
    hub.send(&events(&[&seen]));
    assert!(questions(&hub, "unrouted").is_empty(), "{undecided:?} {:?}", hub.rejections("reviewers"));
    let mut hub = played(&[MEDIUM, "r2 police.risk_assessment 2025-12-01 victim=kelly grade=standard"]);
    assert_eq!(questions(&hub, "unrouted").len(), 1, "standard risk is counted and not asked about");
    hub.wake_on(date(2026, 3, 3));
    assert!(questions(&hub, "unrouted").is_empty(), "after three months it is a figure alone");
    hub.wake_on(date(2026, 3, 2));
    hub.send(&events(&["f1 idva.referral_received 2025-12-30 victim=sarah"]));
    assert!(questions(&hub, "unrouted").is_empty(), "and where a referral came there is nothing to ask");
}

#[test]
fn the_service_that_has_her_hears_where_to_refer_and_nothing_else() {
    let hub = played(&["k1 victim_care_service.caseload_entry 2025-11-01 victim=sarah", I1, MEDIUM]);
    let alerts = hub.desk("victim_care_service").live();
    let [alert] = &alerts.values().collect::<Vec<_>>()[..] else { panic!("one alert: {alerts:?}") };
    assert_eq!(text(&alert["kind"]), "unrouted");
    assert_eq!(alert["own_reference"], local_ref("victim_care_service", "sarah"));
    assert_eq!(alert["risk"], json!({"from": "medium", "to": "medium"}));
    assert_eq!(alert["service"], "stop_domestic_abuse");
    assert!(["offence_family", "reports", "date"].iter().all(|field| alert.get(*field).is_none()), "{alert}");
}

/// The one entry of the High Harm team's list.
fn listed(lines: &[&str]) -> Value {
    let list = played(lines).desk("high_harm_team").list;
    assert_eq!(list.len(), 1, "{list:?}");
    list.into_values().next().expect("one")
}

#[test]
fn a_pathway_is_hinted_at_by_eligibility_and_not_once_it_is_begun() {
    let pathways = |lines: &[&str]| listed(&[&[I1, I2], lines].concat())["pathways"].clone();
    let wants = "a1 police.arrest 2025-04-02 perpetrator=dean wants_change=yes";
    let order = "o1 crc.order_start 2025-05-01 perpetrator=dean2";
    assert_eq!(pathways(&[]), json!([]));
    assert_eq!(pathways(&[wants]), json!(["up2u"]));
    assert_eq!(pathways(&[wants, "a2 police.arrest 2025-05-02 perpetrator=dean"]), json!(["up2u"]), "not asked again");
    assert_eq!(pathways(&[wants, "a2 police.arrest 2025-05-02 perpetrator=dean wants_change=no"]), json!([]));
    assert_eq!(pathways(&["v1 crc.risk_review 2025-04-02 perpetrator=dean wants_change=yes"]), json!(["up2u"]));
    assert_eq!(pathways(&["n1 police.conditional_caution 2025-04-09 perpetrator=dean"]), json!(["op_cara"]));
    assert_eq!(
        pathways(&["n1 police.conditional_caution 2025-04-09 perpetrator=dean conditions=[\"compensation\"]"]),
        json!([])
    );
    assert_eq!(pathways(&[order]), json!(["bbr", "one_to_one"]));
    assert_eq!(pathways(&[order, "p1 crc.programme_start 2025-06-01 perpetrator=dean2"]), json!(["one_to_one"]));
    assert_eq!(pathways(&["p0 crc.requirement 2025-06-01 perpetrator=dean2"]), json!(["bbr"]));
    assert_eq!(pathways(&[order, "o2 crc.order_end 2025-06-01 perpetrator=dean2"]), json!([]), "no longer supervised");
    assert_eq!(pathways(&["o1 crc.order_start 2025-05-01 perpetrator=dean2 ends_on=2025-12-30"]), json!([]));
    assert_eq!(
        pathways(&["o1 crc.order_start 2025-05-01 perpetrator=dean2 ends_on=2025-12-31"]),
        json!(["bbr", "one_to_one"])
    );
}

#[test]
fn a_matac_sees_recency_frequency_gravity_and_victims() {
    let serious = "i2 police.crime 2025-04-01 victim=sarah perpetrator=dean most_serious_violence=true";
    let no_crime = "i3 police.incident 2025-05-01 victim=kelly perpetrator=dean";
    let long_ago = "i0 police.crime 2023-12-31 victim=priya perpetrator=dean";
    let score = |lines: &[&str]| listed(lines)["score"].clone();
    // Violence 20, most serious violence 1,000, and 5 for what is no crime; 244 days since the last.
    let expected = json!({
        "recency": {"last_date": "2025-05-01", "points": 3},
        "frequency": {"value": 3, "points": 4},
        "gravity": {"value": 1025, "points": 8},
        "victims": {"value": 2, "points": 6},
        "total": 21,
        "weights_version": "illustrative-2026-01",
        "harm_version": "illustrative-2026-01",
    });
    assert_eq!(score(&[I1, serious, no_crime]), expected);
    assert_eq!(score(&[long_ago, I1, serious, no_crime]), expected, "731 days ago is outside of two years");
    let inside = score(&["i0 police.crime 2024-01-01 victim=priya perpetrator=dean", I1, serious, no_crime]);
    assert_eq!((&inside["frequency"]["value"], &inside["victims"]["value"]), (&json!(4), &json!(3)));
    let acquitted = "t1 police.court_outcome 2025-06-01 perpetrator=dean incident=i2 result=acquitted";
    let left = score(&[I1, serious, no_crime, acquitted]);
    assert_eq!(
        (&left["frequency"]["value"], &left["gravity"]["value"]),
        (&json!(2), &json!(25)),
        "nothing of it counts"
    );
    let ended = "t1 police.no_further_action 2025-06-01 perpetrator=dean incident=i2";
    assert_eq!(score(&[I1, serious, no_crime, ended]), expected, "what victims do not support still happened");
}

#[test]
fn the_score_follows_the_day_and_is_nobody_elses() {
    let hub = played(&["k2 up2u.caseload_entry 2024-01-02 perpetrator=dean", I1, I2]);
    let points = |day| {
        let people = hub.people_on(day);
        let score = people.iter().flat_map(|person| &person.profiles).find_map(|profile| profile.score);
        score.map(|score| score.points.recency)
    };
    for (day, expected) in [
        (date(2025, 4, 29), Some(10)),
        (date(2025, 4, 30), Some(7)),
        (date(2026, 4, 1), Some(3)),
        (date(2026, 4, 2), Some(1)),
        (date(2027, 4, 2), None),
    ] {
        assert_eq!(points(day), expected, "{day}");
    }
    let up2u = hub.desk("up2u");
    assert!(!up2u.list.is_empty() && !up2u.everything().contains("score"));
}

#[test]
fn cohorts_mappa_and_the_basis_of_a_grade_are_on_the_entry() {
    let entry = listed(&[
        I1,
        I2,
        "d1 police.cohort 2025-04-03 perpetrator=dean",
        "d2 police.cohort 2025-04-03 perpetrator=dean cohort=matac",
        "d3 police.cohort 2025-09-03 perpetrator=dean cohort=matac state=left",
        "m1 crc.mappa_level 2025-04-03 perpetrator=dean2 level=2",
        "v1 crc.risk_review 2025-04-03 perpetrator=dean2 level=very_high",
        "v2 crc.risk_review 2025-08-03 perpetrator=dean2 level=medium tool=rosh",
    ]);
    assert_eq!(
        (&entry["tier"], &entry["reviewed_risk"]),
        (&json!("repeat"), &json!({"tool": "rosh", "level": "medium"}))
    );
    assert_eq!(entry["cohorts"], json!([{"cohort": "drive"}, {"cohort": "mappa", "level": 2}]));
    let let_go = listed(&[
        I1,
        I2,
        "m1 crc.mappa_level 2025-04-03 perpetrator=dean2 level=2",
        "m2 crc.mappa_level 2025-08-03 perpetrator=dean2 level=0",
    ]);
    assert_eq!(let_go["cohorts"], json!([]));
    let hub = played(&[
        IDVA,
        I1,
        "r1 police.risk_assessment 2025-03-02 victim=sarah grade=medium tool=dara tool_version=v1.2 \
         raised_by_judgement=true grader=specialist_unit",
    ]);
    let entry = hub.desk("idva").list.into_values().next().expect("sarah");
    assert_eq!(entry["risk"], "medium");
    let basis = json!({"tool": "dara", "tool_version": "v1.2", "grader": "specialist_unit", "raised_by_judgement": true,
        "raised_by_answers": false});
    assert_eq!(entry["risk_basis"], basis);
    assert!(entry.get("cohorts").is_none() && entry.get("score").is_none());
}

#[test]
fn what_housing_says_of_whereabouts_is_in_nothing_that_is_kept() {
    let office = Office::shipped();
    let keeps = |lines: &[&str]| {
        let token = office.place("PO4 8QT");
        played(lines).register().values().any(|row| row.windows(8).any(|bytes| bytes == token))
    };
    assert!(keeps(&["x1 local_authority.mash_contact 2025-03-01 victim=sarah"]), "otherwise the test is blind");
    assert!(!keeps(&["h1 local_authority.housing 2025-03-01 victim=sarah matter=homelessness"]));
    let hub = played(&[I1, "h1 local_authority.housing 2025-03-05 victim=sarah"]);
    let people = hub.people();
    assert_eq!(people.len(), 2, "she is recognised by her name and date of birth");
    assert!(people.iter().all(|person| person.findings.iter().all(|finding| finding.kind.as_str() == "new_report")));
}
