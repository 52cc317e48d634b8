//! What a school hears, and what children's social care hears of repeated contacts and of adults near an open plan.

use super::{Life, assert_found, played};
use crate::support::events::local_ref;
use crate::support::hub::text;

const X1: &str = "x1 local_authority.mash_contact 2025-01-01 child=ellie victim=sarah domestic_abuse=no";
const X2: &str = "x2 local_authority.mash_contact 2025-03-01 child=ellie victim=sarah domestic_abuse=no";
const X3: &str = "x3 local_authority.mash_contact 2025-06-01 child=ellie victim=sarah domestic_abuse=no";
const X4: &str = "x4 local_authority.mash_contact 2025-09-01 child=ellie domestic_abuse=no";
const X5: &str = "x5 local_authority.mash_contact 2025-12-01 child=ellie victim=sarah domestic_abuse=no";
const PLAN: &str = "s1 local_authority.social_care_assessment 2025-01-10 child=ellie victim=sarah perpetrator=dean";

const LIVES: &[Life] = &[
    ("four contacts are no pattern", &[X1, X2, X3, X4], &[]),
    (
        "five are: of the child, not yet of her mother, whom one did not name",
        &[X1, X2, X3, X4, X5],
        &["ellie mash_contacts x5"],
    ),
    (
        "the sixth is no news, and by then it is the family",
        &[X1, X2, X3, X4, X5, "x6 local_authority.mash_contact 2025-12-20 child=ellie victim=sara domestic_abuse=no"],
        &["ellie mash_contacts x5", "sarah mash_contacts x6"],
    ),
    (
        "five in more than a year are none",
        &["x0 local_authority.mash_contact 2024-01-01 child=ellie domestic_abuse=no", X2, X3, X4, X5],
        &[],
    ),
    (
        "adults of a child with an open plan are reported",
        &[PLAN, "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"],
        &[
            "dean known_to_several_agencies i1",
            "dean linked_to_open_child i1",
            "sarah known_to_several_agencies i1",
            "sarah linked_to_open_child i1",
        ],
    ),
    (
        "but not once it is closed, or before it was opened",
        &[
            "i0 police.incident 2021-03-01 victim=sarah perpetrator=dean",
            PLAN,
            "s2 local_authority.social_care_assessment 2025-02-10 child=ellie victim=sarah perpetrator=dean state=closed",
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        ],
        &["dean known_to_several_agencies s1", "sarah known_to_several_agencies s1"],
    ),
];

#[test]
fn contacts_and_plans() {
    assert_found(LIVES);
}

#[test]
fn a_school_hears_the_child_the_day_and_the_bare_fact() {
    let hub = played(&[
        "k1 encompass.caseload_entry 2024-09-01 child=ellie",
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean child=ellie child=tom children_present=yes",
        "i2 police.incident 2025-04-01 victim=sarah perpetrator=dean",
        PLAN,
        X1,
        X2,
        X3,
        X4,
        X5,
    ]);
    let desk = hub.desk("encompass");
    let alerts = desk.live();
    let [alert] = &alerts.values().collect::<Vec<_>>()[..] else { panic!("one prompt, of her own child: {alerts:?}") };
    let promised = [
        "agreement_version",
        "alert_id",
        "clause",
        "date",
        "headline",
        "kind",
        "own_reference",
        "role",
        "rules_version",
    ];
    assert_eq!(super::told::fields(alert), promised);
    assert_eq!(
        (text(&alert["kind"]), text(&alert["role"]), text(&alert["date"])),
        ("new_report", "child", "2025-03-01")
    );
    assert_eq!(alert["own_reference"], local_ref("encompass", "ellie"));
    assert!(desk.list.is_empty());
    for never in ["Ashgrove", "Whitcombe", "Brackley", "1985", "2016", "violence"] {
        assert!(!desk.everything().contains(never), "a school reads {never}");
    }
}

#[test]
fn social_care_hears_of_its_own_child_and_of_the_adults_around_one() {
    let hub = played(&[
        "k1 childrens_social_care.caseload_entry 2024-09-01 child=ellie",
        "k2 childrens_social_care.caseload_entry 2024-09-01 perpetrator=dean",
        "k3 idva.caseload_entry 2024-09-01 victim=sarah",
        PLAN,
        X1,
        X2,
        X3,
        X4,
        X5,
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean child=ellie",
    ]);
    let desk = hub.desk("childrens_social_care");
    assert_eq!(desk.kinds(), ["linked_to_open_child", "mash_contacts", "new_report", "new_report"]);
    for alert in desk.live().values() {
        let name = if text(&alert["kind"]) == "linked_to_open_child" || alert["role"] == "perpetrator" {
            "dean"
        } else {
            "ellie"
        };
        assert_eq!(alert["own_reference"], local_ref("childrens_social_care", name));
    }
    for (recipient, desk) in
        hub.desks().into_iter().filter(|(recipient, _)| recipient.as_str() != "childrens_social_care")
    {
        let said = desk.everything();
        assert!(!said.contains("mash_contacts") && !said.contains("linked_to_open_child"), "{recipient}");
    }
}
