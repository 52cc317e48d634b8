//! Repeats, series, pairs, agencies, MARAC, programmes, and people in both roles.

use super::{IDVA, Life, UP2U, assert_found};

const LIVES: &[Life] = &[
    (
        "one report is none too many and finds nothing",
        &["i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"],
        &[],
    ),
    (
        "a corrected incident and the crime recorded of it are one report",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "a1 police.amend 2025-03-01 recorded=2025-03-02 supersedes=i1 amended_type=incident victim=sarah perpetrator=dean",
            "c1 police.crime 2025-03-01 victim=sarah perpetrator=dean incident=i1",
        ],
        &[],
    ),
    (
        "repeat victim on the 365th day",
        &[
            "i1 police.incident 2024-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-03-01 victim=sarah perpetrator=mark",
        ],
        &["sarah repeat_victim i2", "sarah successive_perpetrators i2"],
    ),
    (
        "no repeat victim on the 366th",
        &[
            "i1 police.incident 2024-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-03-02 victim=sarah perpetrator=mark",
        ],
        &["sarah successive_perpetrators i2"],
    ),
    (
        "repeat perpetrator with the same victim: the pair again, and not serial",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-04-01 victim=sarah perpetrator=dean",
        ],
        &[
            "dean repeat_perpetrator i2",
            "dean same_pair_again i2",
            "sarah repeat_victim i2",
            "sarah same_pair_again i2",
        ],
    ),
    (
        "another victim within the year: repeat and serial, and not the pair",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-04-01 victim=kelly perpetrator=dean",
        ],
        &["dean repeat_perpetrator i2", "dean right_to_know i2", "dean serial_perpetrator i2"],
    ),
    (
        "another victim on the 1096th day: serial, not repeat",
        &[
            "i1 police.incident 2022-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-03-01 victim=kelly perpetrator=dean",
        ],
        &["dean right_to_know i2", "dean serial_perpetrator i2"],
    ),
    (
        "another victim on the 1097th",
        &[
            "i1 police.incident 2022-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-03-02 victim=kelly perpetrator=dean",
        ],
        &[],
    ),
    (
        "a third victim is news again, the second time of the second is not",
        &[
            "i1 police.incident 2023-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2024-04-01 victim=kelly perpetrator=dean",
            "i3 police.incident 2025-05-01 victim=kelly perpetrator=dean",
            "i4 police.incident 2025-12-01 victim=priya perpetrator=mark",
        ],
        &["dean right_to_know i2", "dean serial_perpetrator i2"],
    ),
    (
        "children of one household do not make their father serial",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-04-01 victim=sarah perpetrator=dean child=ellie child=tom",
        ],
        &[
            "dean repeat_perpetrator i2",
            "dean same_pair_again i2",
            "sarah repeat_victim i2",
            "sarah same_pair_again i2",
        ],
    ),
    (
        "one victim under two references and spellings does not make two",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-04-01 victim=sara@POLICE~twice perpetrator=dean",
            "x1 local_authority.mash_contact 2025-04-02 victim=sara domestic_abuse=not_asked",
        ],
        &[
            "dean repeat_perpetrator i2",
            "dean same_pair_again i2",
            "sarah known_to_several_agencies x1",
            "sarah repeat_victim i2",
            "sarah same_pair_again i2",
        ],
    ),
    (
        "several agencies, each once",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "o1 crc.order_start 2025-04-01 perpetrator=dean2",
            "o2 crc.programme_start 2025-04-02 perpetrator=dean2",
        ],
        &["dean known_to_several_agencies o1"],
    ),
    (
        "a service's caseload is not an agency's knowledge",
        &["i1 police.incident 2025-03-01 victim=sarah perpetrator=dean", UP2U, IDVA],
        &[],
    ),
    (
        "risk from standard to medium to high, and down without a word",
        &[
            "r1 police.risk_assessment 2025-03-01 victim=sarah grade=standard",
            "r2 police.risk_assessment 2025-03-02 victim=sarah grade=medium",
            "r3 police.risk_assessment 2025-03-03 victim=sarah grade=high",
            "r4 police.risk_assessment 2025-03-04 victim=sarah grade=medium",
            "r5 police.risk_assessment 2025-03-05 victim=sarah grade=medium",
        ],
        &["sarah risk_escalated r2", "sarah risk_escalated r3", "sarah unrouted r3"],
    ),
    (
        "a MARAC repeat on the 364th day",
        &[
            "m1 local_authority.marac_referral 2024-03-01 victim=sarah perpetrator=dean",
            "i1 police.incident 2025-02-28 victim=sarah perpetrator=dean",
        ],
        &[
            "dean known_to_several_agencies i1",
            "dean marac_repeat i1",
            "sarah known_to_several_agencies i1",
            "sarah marac_repeat i1",
        ],
    ),
    (
        "a new referral, not a repeat, on the 366th",
        &[
            "m1 local_authority.marac_referral 2024-03-01 victim=sarah perpetrator=dean",
            "i1 police.incident 2025-03-02 victim=sarah perpetrator=dean",
        ],
        &["dean known_to_several_agencies i1", "sarah known_to_several_agencies i1"],
    ),
    (
        "a MARAC repeat by a MASH contact, crime or not",
        &[
            "m1 local_authority.marac_referral 2025-03-01 victim=sarah perpetrator=dean",
            "x1 local_authority.mash_contact 2025-04-01 victim=sarah perpetrator=dean",
            "x2 local_authority.mash_contact 2025-04-02 victim=sarah perpetrator=dean domestic_abuse=no",
            "x3 local_authority.mash_contact 2025-04-03 victim=sarah perpetrator=mark",
        ],
        &["dean marac_repeat x1", "sarah marac_repeat x1"],
    ),
    (
        "three in twelve months",
        &[
            "i1 police.incident 2025-01-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-02-01 victim=sarah perpetrator=mark",
            "i3 police.incident 2025-03-01 victim=sarah perpetrator=kelly",
        ],
        &[
            "sarah repeat_victim i2",
            "sarah repeat_victim i3",
            "sarah successive_perpetrators i2",
            "sarah successive_perpetrators i3",
            "sarah three_in_twelve_months i3",
        ],
    ),
    (
        "three, but not in twelve months",
        &[
            "i1 police.incident 2024-01-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2024-12-01 victim=sarah perpetrator=mark",
            "i3 police.incident 2025-03-01 victim=sarah perpetrator=kelly",
        ],
        &[
            "sarah repeat_victim i2",
            "sarah repeat_victim i3",
            "sarah successive_perpetrators i2",
            "sarah successive_perpetrators i3",
        ],
    ),
    (
        "an order's breach, recorded",
        &[
            "o1 police.protection_order 2025-03-01 victim=sarah perpetrator=dean expires_on=2025-03-28",
            "o2 police.protection_order 2025-03-10 victim=sarah perpetrator=dean served_on=2025-03-01 \
             expires_on=2025-03-28 breached_on=2025-03-10",
        ],
        &["dean order_breached o2", "dean order_made o1", "sarah order_breached o2", "sarah order_made o1"],
    ),
    (
        "an order's breach, indicated by a report on its last day",
        &[
            "o1 police.protection_order 2025-03-01 victim=sarah perpetrator=dean expires_on=2025-03-28",
            "i1 police.incident 2025-03-28 victim=sarah perpetrator=dean",
        ],
        &["dean order_breached i1", "dean order_made o1", "sarah order_breached i1", "sarah order_made o1"],
    ),
    (
        "no breach before the order, after it, or by somebody else",
        &[
            "i1 police.incident 2024-02-01 victim=sarah perpetrator=dean",
            "o1 police.protection_order 2025-03-01 victim=sarah perpetrator=dean expires_on=2025-03-28",
            "i2 police.incident 2025-03-10 victim=kelly perpetrator=mark",
            "i3 police.incident 2025-03-29 victim=sarah perpetrator=dean",
        ],
        &["dean order_made o1", "sarah order_made o1"],
    ),
    (
        "a report after a completed programme",
        &[
            "i1 police.incident 2023-01-01 victim=sarah perpetrator=dean",
            "p1 crc.programme_complete 2024-02-01 perpetrator=dean",
            "i2 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        ],
        &["dean known_to_several_agencies p1", "dean report_after_programme i2"],
    ),
    (
        "a report after a programme that its service says was completed; one broken off is none",
        &[
            "i1 police.incident 2023-01-01 victim=sarah perpetrator=dean",
            "e1 up2u.closed 2024-02-01 perpetrator=dean",
            "e2 up2u.closed 2023-02-01 perpetrator=mark reason=disengaged",
            "i2 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "i3 police.incident 2025-03-01 victim=kelly perpetrator=mark",
        ],
        &["dean report_after_programme i2"],
    ),
    (
        "a crime without the flag is no report, and no repeat of anything",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "m1 local_authority.marac_referral 2025-03-02 victim=sarah perpetrator=dean",
            "c1 police.crime 2025-04-01 victim=sarah perpetrator=dean domestic_abuse=false",
        ],
        &["dean known_to_several_agencies m1", "sarah known_to_several_agencies m1"],
    ),
    (
        "under 16 is nobody's perpetrator",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=tom",
            "i2 police.incident 2025-04-01 victim=kelly perpetrator=tom",
        ],
        &[],
    ),
    (
        "an incident and the crime recorded from it are one report",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "c1 police.crime 2025-03-02 victim=sarah perpetrator=dean incident=i1",
        ],
        &[],
    ),
    (
        "an incident and another crime are two",
        &[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "c1 police.crime 2025-03-02 victim=sarah perpetrator=dean",
        ],
        &[
            "dean repeat_perpetrator c1",
            "dean same_pair_again c1",
            "sarah repeat_victim c1",
            "sarah same_pair_again c1",
        ],
    ),
    (
        "both roles",
        &[
            "i1 police.incident 2023-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-04-01 victim=dean perpetrator=sarah",
        ],
        &["dean both_roles i2", "sarah both_roles i2"],
    ),
];

#[test]
fn each_life_has_its_findings_and_no_others() {
    assert_found(LIVES);
}
