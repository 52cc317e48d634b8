//! Allegation, caution, charge, conviction, acquittal: each shown as what it is, and told to whoever was told otherwise.

use serde_json::{Value, json};

use super::{I1, I2, IDVA, UP2U, played};
use crate::support::events::events;

/// What the High Harm team reads of where the allegations against the one listed person stand.
fn standings(lines: &[&str]) -> (Value, Value) {
    let lines = [&[I1, I2], lines].concat();
    let entry = played(&lines).desk("high_harm_team").list.into_values().next().expect("dean");
    (entry["standing"].clone(), entry["standings"].clone())
}

#[test]
fn each_allegation_stands_where_it_stands() {
    let both = |first: &str, then: &str| {
        json!([
            {"standing": first, "count": 1, "last_date": "2025-04-01"},
            {"standing": then, "count": 1, "last_date": "2025-03-01"},
        ])
    };
    let alleged = json!([{"standing": "allegation", "count": 2, "last_date": "2025-04-01"}]);
    assert_eq!(standings(&[]), (json!("allegation"), alleged.clone()));
    assert_eq!(
        standings(&["a1 police.arrest 2025-04-02 perpetrator=dean incident=i2"]),
        (json!("allegation"), alleged)
    );
    let charged = "h1 police.charge 2025-04-03 perpetrator=dean incident=i2";
    assert_eq!(standings(&[charged]), (json!("charged"), both("charged", "allegation")));
    let caution = "n1 police.conditional_caution 2025-04-03 perpetrator=dean incident=i2";
    assert_eq!(standings(&[caution]).1, both("cautioned", "allegation"));
    let court =
        |result: &str| format!("t1 police.court_outcome 2025-09-03 perpetrator=dean incident=i2 result={result}");
    assert_eq!(standings(&[charged, &court("convicted")]).1, both("convicted", "allegation"));
    let (furthest, all) = standings(&[charged, &court("acquitted")]);
    assert_eq!(furthest, "allegation", "the other allegation stands");
    assert_eq!(all[1], json!({"standing": "acquitted", "count": 1, "last_date": "2025-04-01"}));
    assert_eq!(standings(&[charged, &court("discontinued")]).1[1]["standing"], "no_further_action");
    assert_eq!(standings(&[charged, &court("other")]).0, "charged", "that says nothing of guilt");
    let nfa = "n1 police.no_further_action 2025-04-03 perpetrator=dean incident=i2";
    let reopened = "h1 police.charge 2025-06-03 perpetrator=dean incident=i2";
    assert_eq!(standings(&[nfa]).1[1]["standing"], "no_further_action");
    assert_eq!(standings(&[nfa, reopened]).0, "charged", "the last word counts");
    let of_nothing_known = "t1 police.court_outcome 2025-02-03 perpetrator=dean incident=i99";
    assert_eq!(standings(&[of_nothing_known]).0, "convicted");
    assert_eq!(standings(&["o1 crc.order_start 2025-05-01 perpetrator=dean2"]).0, "convicted", "probation supervises");
}

#[test]
fn an_outcome_speaks_of_the_incident_by_way_of_its_crime() {
    let lines = [
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "c1 police.crime 2025-03-02 victim=sarah perpetrator=dean incident=i1",
        "i2 police.incident 2025-04-01 victim=sarah perpetrator=dean",
    ];
    for about in ["i1", "c1"] {
        let outcome = format!("t1 police.court_outcome 2025-09-03 perpetrator=dean incident={about}");
        let hub = played(&[&lines[..], &[&outcome]].concat());
        let entry = hub.desk("high_harm_team").list.into_values().next().expect("dean");
        let expected = json!([
            {"standing": "convicted", "count": 1, "last_date": "2025-03-01"},
            {"standing": "allegation", "count": 1, "last_date": "2025-04-01"},
        ]);
        assert_eq!(entry["standings"], expected, "{about}");
    }
}

#[test]
fn who_was_told_of_an_allegation_is_told_that_it_is_none_any_more() {
    let mut hub = played(&[IDVA, UP2U, I1]);
    for service in ["up2u", "idva"] {
        assert!(hub.desk(service).live().values().all(|alert| alert.get("standing").is_none()), "{service}");
    }
    hub.send(&events(&[
        "t1 police.court_outcome 2025-09-03 victim=sarah perpetrator=dean incident=i1 result=acquitted",
    ]));
    for service in ["up2u", "idva"] {
        let desk = hub.desk(service);
        assert_eq!(desk.corrections(), ["changed"], "{service}");
        let alerts = desk.live();
        assert_eq!(alerts.len(), 1, "{service}");
        assert!(alerts.values().all(|alert| alert["standing"] == "acquitted"), "{service}");
    }
    hub.send(&events(&["x1 police.cancel 2025-09-04 supersedes=t1"]));
    for service in ["up2u", "idva"] {
        assert!(hub.desk(service).live().values().all(|alert| alert.get("standing").is_none()), "{service}");
    }
}

#[test]
fn a_charge_or_arrest_alone_lists_nobody() {
    let hub = played(&[
        "a1 police.arrest 2025-04-02 perpetrator=dean victim=sarah",
        "h1 police.charge 2025-04-03 perpetrator=dean victim=sarah",
        "n1 police.conditional_caution 2025-04-03 perpetrator=tom victim=sarah",
    ]);
    for (recipient, desk) in hub.desks() {
        assert!(desk.list.is_empty() && desk.inbox.is_empty(), "{recipient}");
    }
}
