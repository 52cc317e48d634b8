//! The disclosure scheme's clock and prompts, and intelligence, which lists and alerts nobody by itself.

use jiff::civil::date;
use serde_json::json;

use super::{I1, I2, Life, assert_found, played};

const REPORT: &str = "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean";
const AGAIN: &str = "i2 police.incident 2025-12-01 victim=kelly perpetrator=dean";
const ASKED: &str = "q1 police.dvds_request 2025-12-03 victim=kelly perpetrator=dean";

const LIVES: &[Life] = &[
    ("asked, and undecided on the 28th day", &[ASKED], &[]),
    (
        "undecided on the 29th",
        &["q1 police.dvds_request 2025-12-02 victim=kelly perpetrator=dean route=right_to_know"],
        &["dean dvds_overdue q1"],
    ),
    (
        "decided, late or not",
        &["q1 police.dvds_request 2025-03-01 recorded=2025-08-02 victim=kelly perpetrator=dean decision=disclosed \
           decided_on=2025-08-01"],
        &[],
    ),
    (
        "somebody with a history has somebody new: think of the right to know",
        &[REPORT, AGAIN],
        &["dean repeat_perpetrator i2", "dean right_to_know i2", "dean serial_perpetrator i2"],
    ),
    (
        "unless somebody has asked for her",
        &[REPORT, AGAIN, ASKED],
        &["dean repeat_perpetrator i2", "dean serial_perpetrator i2"],
    ),
    (
        "for her, and not for somebody else",
        &[REPORT, AGAIN, "q1 police.dvds_request 2025-12-20 victim=priya perpetrator=dean"],
        &["dean repeat_perpetrator i2", "dean right_to_know i2", "dean serial_perpetrator i2"],
    ),
    (
        "or the history is none",
        &[REPORT, AGAIN, "t1 police.court_outcome 2025-09-01 perpetrator=dean incident=i1 result=acquitted"],
        &["dean repeat_perpetrator i2", "dean serial_perpetrator i2"],
    ),
    (
        "intelligence and requests say nothing alone, not even that an agency knows somebody",
        &[
            "p1 police.cpi_report 2025-03-01 perpetrator=dean",
            "p2 police.cpi_report 2025-04-01 victim=sarah perpetrator=dean",
            "p3 police.cpi_report 2025-05-01 victim=kelly perpetrator=dean",
            ASKED,
            "o1 crc.order_start 2025-04-01 perpetrator=dean2",
        ],
        &[],
    ),
];

#[test]
fn requests_prompts_and_intelligence() {
    assert_found(LIVES);
}

#[test]
fn a_decision_that_comes_by_amendment_stops_the_clock() {
    let mut hub = played(&["q1 police.dvds_request 2025-03-01 victim=kelly perpetrator=dean"]);
    assert_eq!(hub.desk("high_harm_team").kinds(), ["dvds_overdue"]);
    let decided = "q2 police.dvds_request 2025-03-01 recorded=2025-12-30 supersedes=q1 victim=kelly perpetrator=dean \
                   decision=not_disclosed decided_on=2025-12-30";
    hub.send(&crate::support::events::events(&[decided]));
    let desk = hub.desk("high_harm_team");
    assert!(desk.live().is_empty() && desk.corrections() == ["withdrawn"]);
}

#[test]
fn the_clock_runs_by_the_day() {
    let mut hub = played(&[ASKED]);
    hub.wake_on(date(2025, 12, 31));
    assert!(hub.desk("high_harm_team").live().is_empty());
    hub.wake_on(date(2026, 1, 1));
    assert_eq!(hub.desk("high_harm_team").kinds(), ["dvds_overdue"]);
}

#[test]
fn the_scheme_is_nobody_elses_than_the_polices() {
    let hub = played(&[
        "k1 idva.caseload_entry 2024-01-02 victim=kelly",
        "k2 up2u.caseload_entry 2024-01-02 perpetrator=dean",
        "k3 probation.caseload_entry 2024-01-02 perpetrator=dean",
        "q0 police.dvds_request 2024-03-01 victim=priya perpetrator=dean",
        REPORT,
        AGAIN,
    ]);
    for (recipient, desk) in hub.desks() {
        let said = desk.everything();
        let told = said.contains("right_to_know") || said.contains("dvds");
        assert_eq!(told, recipient.as_str() == "high_harm_team", "{recipient}");
    }
}

#[test]
fn intelligence_is_seen_by_grade_where_it_may_be_shared_of_somebody_who_is_listed_anyway() {
    let listed = |lines: &[&str]| {
        let hub = played(&[&[I1, I2, "k2 up2u.caseload_entry 2024-01-02 perpetrator=dean"], lines].concat());
        assert!(!hub.desk("up2u").everything().contains("intelligence"));
        hub.desk("high_harm_team").list.into_values().next().expect("dean")
    };
    let graded = listed(&[
        "p1 police.cpi_report 2025-03-05 perpetrator=dean source_evaluation=untested",
        "p2 police.cpi_report 2025-03-06 perpetrator=dean assessment=known_indirectly",
        "p3 police.cpi_report 2025-03-07 perpetrator=dean assessment=suspected_false",
        "p4 police.cpi_report 2025-03-08 perpetrator=dean handling=conditions",
    ]);
    let expected = json!({"reports": 2, "source_evaluation": "reliable", "assessment": "known_indirectly"});
    assert_eq!(graded["intelligence"], expected);
    let none = listed(&["p4 police.cpi_report 2025-03-08 perpetrator=dean handling=conditions"]);
    assert!(none.get("intelligence").is_none());
    let hub = played(&[
        "p1 police.cpi_report 2025-03-05 perpetrator=dean",
        "p2 police.cpi_report 2025-03-06 perpetrator=dean",
    ]);
    for (recipient, desk) in hub.desks() {
        assert!(desk.list.is_empty() && desk.inbox.is_empty(), "{recipient}");
    }
}
