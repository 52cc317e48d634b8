//! The lives of notices and orders: served, in force, varied, breached, over.

use jiff::civil::{Date, date};
use serde_json::json;

use super::{I1, I2, Life, assert_found, played};

const LIVES: &[Life] = &[
    (
        "a notice without an end runs for 48 hours",
        &[
            "o1 police.protection_order 2025-03-01 victim=sarah perpetrator=dean order=dvpn",
            "i1 police.incident 2025-03-03 victim=sarah perpetrator=dean",
        ],
        &["dean order_breached i1", "dean order_made o1", "sarah order_breached i1", "sarah order_made o1"],
    ),
    (
        "whoever is named twice is found once",
        &["o1 police.protection_order 2025-03-01 victim=sarah victim=sarah perpetrator=dean order=dvpn"],
        &["dean order_made o1", "sarah order_made o1"],
    ),
    (
        "and no longer",
        &[
            "o1 police.protection_order 2025-03-01 victim=sarah perpetrator=dean order=dapn",
            "i1 police.incident 2025-03-04 victim=sarah perpetrator=dean",
        ],
        &["dean order_made o1", "sarah order_made o1"],
    ),
    (
        "unless it was recorded so: what breaks a rule is not known to be wrong",
        &[
            "o1 police.protection_order 2025-03-01 victim=sarah perpetrator=dean order=dvpn expires_on=2025-03-04",
            "i1 police.incident 2025-03-04 victim=sarah perpetrator=dean",
        ],
        &["dean order_breached i1", "dean order_made o1", "sarah order_breached i1", "sarah order_made o1"],
    ),
    (
        "an order has 28 days at the most where its end is not said",
        &[
            "o1 police.protection_order 2025-03-01 victim=sarah perpetrator=dean",
            "i1 police.incident 2025-03-30 victim=sarah perpetrator=dean",
        ],
        &["dean order_made o1", "sarah order_made o1"],
    ),
    (
        "a protection order of the new kind has no end",
        &[
            "o1 police.protection_order 2021-03-01 victim=sarah perpetrator=dean order=dapo",
            "i1 police.incident 2025-12-30 victim=sarah perpetrator=dean",
        ],
        &["dean order_breached i1", "dean order_made o1", "sarah order_breached i1", "sarah order_made o1"],
    ),
];

#[test]
fn each_kind_has_its_length() {
    assert_found(LIVES);
}

/// The perpetrator's orders in force, day by day: until when, breached or not, doubtful or not.
fn orders(lines: &[&str], days: &[Date]) -> Vec<Vec<(Option<Date>, bool, bool)>> {
    let hub = played(&[&[I1, I2], lines].concat());
    let on = |day: &Date| {
        let people = hub.people_on(*day);
        let perpetrators = people.iter().flat_map(|person| &person.profiles).filter(|profile| profile.tier.is_some());
        let orders = perpetrators.flat_map(|profile| &profile.orders);
        orders.map(|order| (order.until, order.breached, order.doubtful)).collect()
    };
    days.iter().map(on).collect()
}

#[test]
fn an_order_is_in_force_from_its_service_to_its_last_day() {
    let made = "o1 police.protection_order 2025-05-01 victim=sarah perpetrator=dean expires_on=2025-05-28";
    let days = [date(2025, 4, 30), date(2025, 5, 1), date(2025, 5, 28), date(2025, 5, 29)];
    let in_force = vec![(Some(date(2025, 5, 28)), false, false)];
    assert_eq!(orders(&[made], &days), [vec![], in_force.clone(), in_force, vec![]]);
}

#[test]
fn what_was_recorded_last_of_an_order_counts() {
    let made = "o1 police.protection_order 2025-05-01 victim=sarah perpetrator=dean order=dapo expires_on=2025-06-30";
    let breached = "o2 police.protection_order 2025-05-10 victim=sarah perpetrator=dean order=dapo served_on=2025-05-01 \
                    breached_on=2025-05-10";
    let varied = "o3 police.protection_order 2025-05-20 victim=sarah perpetrator=dean order=dapo served_on=2025-05-01 \
                  expires_on=2025-05-25";
    let days = [date(2025, 5, 9), date(2025, 5, 12), date(2025, 5, 21), date(2025, 5, 26)];
    let told = |until: Date, breached: bool| vec![(Some(until), breached, false)];
    let june = date(2025, 6, 30);
    let expected = [told(june, false), told(june, true), told(date(2025, 5, 25), true), vec![]];
    assert_eq!(orders(&[made, breached, varied], &days), expected);
}

#[test]
fn a_length_that_its_kind_cannot_have_is_shown_as_doubtful() {
    let notice = "o1 police.protection_order 2025-05-01 victim=sarah perpetrator=dean order=dvpn expires_on=2025-05-04";
    let until = date(2025, 5, 4);
    assert_eq!(orders(&[notice], &[until]), [vec![(Some(until), false, true)]]);
    let long = "o1 police.protection_order 2025-12-28 victim=sarah perpetrator=dean order=dvpn expires_on=2026-01-03";
    let entry = played(&[I1, I2, long]).desk("high_harm_team").list.into_values().next().expect("dean");
    assert_eq!(entry["orders"], json!([{"kind": "dvpn", "until": "2026-01-03", "breached": false, "doubtful": true}]));
}
