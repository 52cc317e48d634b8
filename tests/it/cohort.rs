//! `priorityd cohort`: the MATAC chair ranks the list with its own key, and nobody else can.

use crate::support::deployed::Deployed;
use crate::support::events::events;

#[test]
fn the_chair_ranks_its_list_and_nobody_elses_key_does() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(&[
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "i2 police.incident 2025-06-01 victim=sarah perpetrator=dean",
        "i3 police.crime 2025-03-01 victim=priya perpetrator=mark",
        "i4 police.crime 2025-12-01 victim=kelly perpetrator=mark most_serious_violence=true",
        "i5 police.incident 2025-12-01 victim=sarah perpetrator=tom",
    ]));
    house.wait_for(&mut daemon, 5);
    assert!(daemon.terminate().success());
    let cohort = |recipient: &str, words: &[&str]| {
        let key = house.key(recipient);
        house.run(&[&["cohort", "--key", &key], words].concat())
    };
    let csv = cohort("high_harm_team", &["--format", "csv"]);
    assert_eq!(csv.code, 0, "{}", csv.err);
    let mut table = csv::Reader::from_reader(csv.out.as_bytes());
    let head = table.headers().expect("a head").clone();
    let rows: Vec<_> = table.records().map(|row| row.expect("a row")).collect();
    let column = |name: &str| {
        let at = head.iter().position(|head| head == name).unwrap_or_else(|| panic!("no column {name}"));
        rows.iter().map(|row| row[at].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(column("family_name"), ["Pettifer", "Ashgrove"], "who harmed two, gravely and lately, is first");
    assert_eq!(column("rank"), ["1", "2"]);
    // 30 days ago 7, two reports 3, harm of 1,020 is 8, two victims 6; and 3 + 3 + 1 + 2.
    assert_eq!(column("total"), ["24", "9"]);
    assert_eq!((column("harm"), column("victims")), (vec!["1020".into(), "10".into()], vec!["2".into(), "1".into()]));
    assert_eq!(column("weights_version"), ["illustrative-2026-01"; 2]);
    assert!(!csv.out.contains("Brackley"), "nobody under 16");
    let human = cohort("high_harm_team", &["--top", "1"]);
    assert_eq!(human.code, 0, "{}", human.err);
    assert!(human.out.contains("Pettifer") && !human.out.contains("Ashgrove") && human.out.contains("1 of 2"));
    assert!(human.out.contains("illustrative"), "{}", human.out);
    let refused = cohort("idva", &[]);
    assert_eq!((refused.code, refused.out.as_str()), (77, ""));
    let other = cohort("idva", &["--recipient", "idva", "--format", "csv"]);
    assert_eq!((other.code, other.out.lines().count()), (0, 1), "another list has no scores: {}", other.err);
}
