//! Another agreement comes into force: what it closes is taken back, what it opens is told, and it never goes back. The
//! lists are those of a hub that never had another.

use crate::support::deployed::{Deployed, priorityd};
use crate::support::events::{Sent, events};
use crate::support::hub::{Hub, Office, amended, amended_all};
use priorityd::config::agreement::Agreement;

const LINES: &[&str] = &[
    "k1 idva.caseload_entry 2024-01-02 victim=sarah",
    "k2 up2u.caseload_entry 2024-01-02 perpetrator=dean",
    "i1 police.crime 2025-03-01 victim=sarah perpetrator=dean",
    "i2 police.crime 2025-04-01 victim=sarah perpetrator=dean",
    "i3 police.crime 2025-05-01 victim=kelly perpetrator=dean",
];

/// IDVA's list and Up2U's alerts end, the High Harm team is told of new reports.
fn second() -> Office {
    Office::with(&amended_all(&[
        ("serial = 1", "serial = 2"),
        ("version = \"portsmouth-2026-01\"", "version = \"portsmouth-2026-02\""),
        (
            "permit (principal == Recipient::\"idva\", action == Action::\"list\", resource)",
            "forbid (principal == Recipient::\"idva\", action == Action::\"list\", resource)",
        ),
        (
            "permit (principal == Recipient::\"up2u\", action == Action::\"alert\", resource)",
            "forbid (principal == Recipient::\"up2u\", action == Action::\"alert\", resource)",
        ),
        (
            "Finding::\"serial_perpetrator\", Finding::\"order_breached\", Finding::\"marac_repeat\", Finding::\"right_to_know\",",
            "Finding::\"serial_perpetrator\", Finding::\"new_report\", Finding::\"right_to_know\",",
        ),
    ]))
}

fn sent() -> Vec<Sent> {
    events(LINES)
}

/// The same of every desk, but for the version that bodies name.
fn assert_same(one: &Hub<'_>, other: &Hub<'_>) {
    for (recipient, desk) in other.desks() {
        let reached = one.desk(recipient.as_str());
        assert_eq!(reached.list, desk.list, "{recipient}");
        assert_eq!(reached.kinds(), desk.kinds(), "{recipient}");
    }
}

#[test]
fn what_closes_is_taken_back_and_what_opens_is_told() {
    let (first, second) = (Office::shipped(), second());
    let mut hub = Hub::played(first, &sent());
    assert_eq!(hub.desk("idva").list.len(), 1);
    assert!(!hub.desk("up2u").live().is_empty());
    assert_eq!(hub.desk("high_harm_team").kinds(), ["right_to_know", "serial_perpetrator"]);
    hub.adopt(&second);
    assert!(hub.desk("idva").list.is_empty(), "a tombstone ended the entry");
    assert!(hub.desk("up2u").live().is_empty());
    assert!(hub.desk("up2u").corrections().iter().all(|reason| *reason == "clause_closed"));
    let told = ["new_report", "new_report", "new_report", "right_to_know", "serial_perpetrator"];
    assert_eq!(hub.desk("high_harm_team").kinds(), told);
    let fresh = Hub::played(&second, &sent());
    assert_same(&hub, &fresh);
    // A restart under the other agreement comes to the same.
    let restarted = Hub::played(first, &sent()).under(&second);
    assert_same(&restarted, &fresh);
    // And nothing more is said when nothing is new.
    let before = hub.desk("high_harm_team");
    hub.adopt(&second);
    assert_eq!(hub.desk("high_harm_team"), before);
}

#[test]
fn what_was_read_under_the_agreement_before_is_read_anew() {
    let narrower = Office::with(&amended_all(&[
        ("serial = 1", "serial = 2"),
        ("sources = [\"urn:priorityd:police\"]", "sources = [\"urn:priorityd:constabulary\"]"),
    ]));
    let mut hub = Hub::new(Office::shipped());
    hub.work();
    hub.publish(&sent());
    assert!(hub.step(), "the records are read, and in no engine");
    assert_eq!(hub.outcomes().read, 0);
    hub.adopt(&narrower);
    let outcomes = hub.outcomes();
    assert_eq!((outcomes.accepted, outcomes.rejected), (2, 3), "the police's events come from a source not agreed");
}

#[test]
fn who_is_no_recipient_any_more_is_told_that_it_is_over() {
    let third = Office::with(&amended_all(&[
        ("serial = 1", "serial = 3"),
        ("party = \"high_harm_team\"", "party = \"harm_desk\""),
        // Its policies speak of somebody who may have them: nobody may follow with a policy about a stranger.
        (
            "@id(\"HH-1\")\npermit (principal == Recipient::\"high_harm_team\"",
            "@id(\"HH-1\")\npermit (principal == Recipient::\"harm_desk\"",
        ),
        (
            "@id(\"HH-2\")\npermit (principal == Recipient::\"high_harm_team\"",
            "@id(\"HH-2\")\npermit (principal == Recipient::\"harm_desk\"",
        ),
        (
            "@id(\"HH-3\")\npermit (principal == Recipient::\"high_harm_team\"",
            "@id(\"HH-3\")\npermit (principal == Recipient::\"harm_desk\"",
        ),
        (
            "@id(\"HH-N1\")\nforbid (principal == Recipient::\"high_harm_team\"",
            "@id(\"HH-N1\")\nforbid (principal == Recipient::\"harm_desk\"",
        ),
        ("unless { principal == Recipient::\"high_harm_team\" }", "unless { principal == Recipient::\"harm_desk\" }"),
    ]));
    let third = third.with_keys_of(Office::shipped());
    let mut hub = Hub::played(Office::shipped(), &sent());
    assert!(!hub.desk("high_harm_team").list.is_empty() && !hub.desk("high_harm_team").live().is_empty());
    hub.adopt(&third);
    assert!(hub.desk("high_harm_team").list.is_empty());
    assert!(hub.desk("high_harm_team").live().is_empty());
}

#[test]
fn an_older_agreement_holds_everything_until_a_newer_one_comes() {
    let (first, second) = (Office::shipped(), second());
    let hub = Hub::played(&second, &sent());
    let mut hub = hub.under(first);
    let told: usize = hub.desks().values().map(|desk| desk.inbox.len()).sum();
    hub.send(&events(&["i9 police.crime 2025-06-01 victim=sarah perpetrator=dean"]));
    assert!(hub.held["agreement_older_than_register"] > 0);
    assert_eq!(hub.desks().values().map(|desk| desk.inbox.len()).sum::<usize>(), told, "nothing leaves");
    let same_serial = Office::with(&amended("serial = 1", "serial = 2"));
    let hub = hub.under(&same_serial);
    assert_eq!(hub.desks().values().map(|desk| desk.inbox.len()).sum::<usize>(), told, "another of the same serial");
    let hub = hub.under(&second);
    let mut fresh = Hub::played(&second, &sent());
    fresh.send(&events(&["i9 police.crime 2025-06-01 victim=sarah perpetrator=dean"]));
    assert_same(&hub, &fresh);
}

#[test]
fn an_agreement_that_nobody_signed_holds_everything() {
    let unsigned = Office::under(Agreement::check(&crate::support::hub::AGREEMENT).expect("in order"));
    let mut hub = Hub::played(&unsigned, &sent());
    assert_eq!(hub.outcomes().accepted, LINES.len() as u64, "taken in and kept");
    assert!(hub.desks().values().all(|desk| desk.inbox.is_empty() && desk.list.is_empty()));
    assert!(hub.held["agreement_not_signed"] > 0);
    hub.adopt(Office::shipped());
    assert_same(&hub, &Hub::played(Office::shipped(), &sent()));
}

#[test]
fn the_daemon_takes_another_agreement_without_a_restart_and_refuses_a_bad_one() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&sent());
    house.wait_for(&mut daemon, LINES.len());
    let has_list = || !house.subscribe("idva").list.is_empty();
    assert!(has_list());
    let agreement = house.path("agreement.toml");
    let policy = house.path("policies/victims_services.cedar");
    let edit = |file: &std::path::Path, from: &str, to: &str| {
        let text = std::fs::read_to_string(file).expect("read");
        assert!(text.contains(from), "{from}");
        std::fs::write(file, text.replacen(from, to, 1)).expect("written");
    };
    let key = house.path("signers/ig_lead.jwk.json").display().to_string();
    let sign =
        || assert_eq!(priorityd(&["agreement", "sign", &agreement.display().to_string(), "--key", &key]).code, 0);
    let idva_list = "permit (principal == Recipient::\"idva\", action == Action::\"list\", resource)";
    edit(&policy, idva_list, &idva_list.replace("permit", "forbid"));
    daemon.hang_up();
    house.wait_for_log(&mut daemon, "changed after signing");
    sign();
    daemon.hang_up();
    house.wait_for_log(&mut daemon, "raise it");
    assert!(has_list(), "what was refused changes nothing");
    edit(&agreement, "serial = 1", "serial = 2");
    sign();
    daemon.hang_up();
    house.wait_for_log(&mut daemon, "another agreement is in force");
    house.wait_for_audit(&mut daemon, "\"serial\":2");
    assert!(!has_list());
    assert!(daemon.terminate().success());
    // An unsigned one: `check` says so, and so does the daemon.
    std::fs::remove_file(house.path("agreement.toml.jws")).expect("it was there");
    let checked = house.run(&["check"]);
    assert_eq!(checked.code, 78);
    assert!(checked.err.contains("everything is held: it is not signed"), "{}", checked.err);
}
