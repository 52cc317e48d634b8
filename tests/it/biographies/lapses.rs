//! Everything as of a date: windows by event time, a late event changes the past, entries lapse.

use jiff::civil::date;
use priorityd::model::finding::Tier;
use serde_json::Value;

use super::{I1, I2, I3, IDVA, played};
use crate::support::events::events;
use crate::support::hub::Hub;

#[test]
fn as_of_a_day_nothing_later_is_known() {
    let lines = [IDVA, I1, I2, I3, "r1 police.risk_assessment 2025-03-02 victim=sarah grade=high"];
    let hub = played(&lines);
    let on = |day| hub.findings_on(day, &lines);
    let none = Vec::<String>::new();
    assert_eq!(on(date(2025, 2, 28)), none);
    assert!(hub.people_on(date(2025, 2, 28)).iter().all(|person| person.profiles.is_empty()));
    assert_eq!(on(date(2025, 3, 8)), none, "one report is no repeat, and the grade may wait for a week");
    assert_eq!(on(date(2025, 3, 9)), none, "and the IDVA has her");
    let repeats =
        ["dean repeat_perpetrator i2", "dean same_pair_again i2", "sarah repeat_victim i2", "sarah same_pair_again i2"];
    assert_eq!(on(date(2025, 4, 30)), repeats);
    let listed = |day| {
        let people = hub.people_on(day);
        let tiers = people.iter().flat_map(|person| &person.profiles).filter_map(|profile| profile.tier);
        tiers.collect::<Vec<_>>()
    };
    assert_eq!(listed(date(2025, 4, 30)), [Tier::Repeat]);
    assert!(on(date(2025, 5, 1)).contains(&"dean serial_perpetrator i3".to_owned()));
    assert_eq!(listed(date(2025, 5, 1)), [Tier::Serial]);
}

#[test]
fn a_late_event_changes_the_past_and_everybody_told_hears_of_it() {
    let (first, last) = (
        "i1 police.incident 2025-01-01 victim=sarah perpetrator=dean",
        "i3 police.incident 2025-06-01 victim=sarah perpetrator=dean",
    );
    let late = "i2 police.incident 2025-03-01 recorded=2025-12-01 victim=sarah perpetrator=mark";
    let mut hub = played(&[IDVA, first, last]);
    let before = hub.desk("idva").kinds();
    assert!(!before.contains(&"three_in_twelve_months".to_owned()));
    hub.send(&events(&[late]));
    let lines = [IDVA, first, last, late];
    let found = hub.findings(&lines);
    for expected in [
        "sarah repeat_victim i2",
        "sarah repeat_victim i3",
        "sarah successive_perpetrators i2",
        "sarah three_in_twelve_months i3",
    ] {
        assert!(found.contains(&expected.to_owned()), "{expected}: {found:?}");
    }
    let desk = hub.desk("idva");
    assert!(desk.kinds().contains(&"three_in_twelve_months".to_owned()));
    assert!(desk.corrections().contains(&"changed"), "the repeat of June rests on two earlier reports now");
    let said = |hub: &Hub<'_>| {
        let mut said: Vec<_> = hub.desk("idva").live().into_values().collect();
        said.iter_mut().for_each(|alert| alert["alert_id"] = Value::Null);
        said.sort_by_key(Value::to_string);
        said
    };
    assert_eq!(said(&hub), said(&played(&lines)), "as if it had come in time");
}

#[test]
fn a_tombstone_ends_an_entry_whose_last_report_is_too_old() {
    let mut hub = played(&[I1, I2]);
    assert_eq!(hub.desk("high_harm_team").list.len(), 1);
    hub.wake_on(date(2028, 4, 2));
    let last = hub.topic("list.high-harm-team.v1").pop().expect("a record");
    assert!(last.value.is_none(), "deleted for whoever reads the list");
    // A late report of an earlier day does not bring it back, and one within the window does.
    hub.send(&events(&["i0 police.crime 2025-02-01 victim=kelly perpetrator=dean"]));
    assert!(hub.desk("high_harm_team").list.is_empty());
    hub.send(&events(&["i4 police.crime 2025-12-20 victim=kelly perpetrator=dean"]));
    assert_eq!(hub.desk("high_harm_team").list.len(), 1);
}
