//! Who is told what of a life, and what they must never read.

use std::collections::BTreeSet;

use jiff::civil::date;
use priorityd::log::memory::Faults;
use serde_json::{Value, json};

use super::{I1, I2, I3, IDVA, PARCS, UP2U, played};
use crate::support::events::{Sent, events, local_ref};
use crate::support::hub::{Hub, Office, TODAY, amended, amended_all, text};

/// The names of a body's fields.
pub(super) fn fields(body: &Value) -> Vec<&str> {
    let mut names: Vec<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn idva_reads_its_own_reference_and_who_the_perpetrator_is() {
    let hub = played(&[IDVA, I1, I2]);
    let idva = hub.desk("idva");
    assert_eq!(idva.kinds(), ["new_report", "new_report", "repeat_victim", "same_pair_again"]);
    let dean = json!([{"given_names": ["Dean"], "family_name": "Ashgrove", "date_of_birth": "1985-11-02"}]);
    for alert in idva.live().values() {
        assert_eq!(alert["own_reference"], local_ref("idva", "sarah"));
        assert_eq!(alert["perpetrators"], dean);
        assert_eq!(alert["offence_family"], "violence");
        assert_eq!(alert["clause"], "IDVA-1");
        assert!(alert.get("person").is_none() && alert.get("date").is_none());
    }
    let entry = idva.list.values().next().expect("sarah");
    assert_eq!((&entry["own_reference"], &entry["reports"]), (&json!(local_ref("idva", "sarah")), &json!(2)));
}

#[test]
fn what_a_charge_names_is_known_whichever_comes_first() {
    let crime = "i1 police.crime 2025-03-01 victim=sarah perpetrator=dean";
    let amended = |id, recorded| {
        format!(
            "{id} police.amend 2025-03-01 recorded={recorded} supersedes=i1 amended_type=crime victim=sarah perpetrator=dean"
        )
    };
    // It loses against the other, which then stands for it.
    let (won, lost) = (amended("a1", "2025-03-09"), amended("b1", "2025-03-04"));
    let charge = "h1 police.charge 2025-03-10 victim=sarah perpetrator=dean incident=b1";
    let told = |lines: [&str; 4]| {
        let mut hub = Hub::on(Office::shipped(), Faults::default(), 1);
        hub.publish(&events(&[I2, I3]));
        hub.publish(&events(&lines));
        hub.work();
        let team = hub.desk("high_harm_team");
        assert_eq!(team.list.len(), 1);
        (team.live(), team.list)
    };
    assert_eq!(told([crime, &won, charge, &lost]), told([crime, &won, &lost, charge]));
}

#[test]
fn nobody_is_told_twice_of_what_an_event_says_twice() {
    let hub = played(&[
        IDVA,
        UP2U,
        "o1 police.protection_order 2025-03-01 victim=sarah victim=sarah perpetrator=dean order=dvpn",
    ]);
    for recipient in hub.desks().keys() {
        let alerts: Vec<_> = hub.opened(recipient.as_str(), "alerts").into_iter().map(|(id, _)| id).collect();
        assert_eq!(alerts.iter().collect::<BTreeSet<_>>().len(), alerts.len(), "{recipient}");
    }
    assert!(hub.desk("idva").kinds().contains(&"order_made".to_owned()), "{:?}", hub.desk("idva").kinds());
}

#[test]
fn parcs_reads_its_own_reference_and_the_week() {
    let hub = played(&[PARCS, I1, I2]);
    let parcs = hub.desk("parcs");
    assert_eq!(parcs.kinds(), ["repeat_victim"]);
    let alert = parcs.live().into_values().next().expect("one");
    let promised = [
        "agreement_version",
        "alert_id",
        "clause",
        "headline",
        "kind",
        "own_reference",
        "role",
        "rules_version",
        "week",
    ];
    assert_eq!(fields(&alert), promised);
    assert_eq!(alert["week"], "2025-W14");
    assert!(parcs.list.is_empty());
}

#[test]
fn high_harm_reads_names_and_standing() {
    let hub = played(&[I1, I2, I3]);
    let team = hub.desk("high_harm_team");
    assert_eq!(team.kinds(), ["right_to_know", "serial_perpetrator"]);
    assert_eq!(team.list.len(), 1);
    let entry = team.list.values().next().expect("dean");
    let person = json!({"given_names": ["Dean"], "family_name": "Ashgrove", "date_of_birth": "1985-11-02"});
    assert_eq!(entry["person"], person);
    assert_eq!((text(&entry["tier"]), text(&entry["standing"])), ("serial", "allegation"));
    assert_eq!((&entry["reports"], &entry["counterparts"]), (&json!(3), &json!(2)));
    assert_eq!(entry["agencies"], json!(["police"]));
    assert_eq!(entry["flags"], json!([]));
}

#[test]
fn nobody_reads_an_address_a_number_or_another_agencys_reference() {
    let everybody: Vec<String> =
        ["idva", "stop_domestic_abuse", "victim_care_service", "parcs", "childrens_social_care"]
            .map(|service| format!("k-{service} {service}.caseload_entry 2024-01-02 victim=sarah"))
            .into_iter()
            .chain(
                ["up2u", "hampton_trust", "probation"]
                    .map(|service| format!("k-{service} {service}.caseload_entry 2024-01-02 perpetrator=dean")),
            )
            .collect();
    let mut lines: Vec<&str> = everybody.iter().map(String::as_str).collect();
    lines.extend([I1, I2, I3]);
    lines.extend([
        "m1 local_authority.marac_referral 2025-02-01 victim=sarah perpetrator=dean",
        "o1 police.protection_order 2025-03-15 victim=sarah perpetrator=dean",
        "p1 crc.programme_complete 2025-03-16 perpetrator=dean",
        "r1 police.risk_assessment 2025-03-17 victim=sarah grade=standard",
        "r2 police.risk_assessment 2025-03-18 victim=sarah grade=high",
    ]);
    let hub = played(&lines);
    let names_of_victims = ["Sarah", "Whitcombe", "Kelly", "Ormsby", "1988-04-17", "1991-02-11"];
    let homes = ["Kestrel", "PO4", "8QT", "Copnor", "PO2", "7LD", "Wymering"];
    let numbers = ["2003/0123456", "20030123456", "0123456L"];
    for (recipient, desk) in hub.desks() {
        let said = desk.everything();
        let is_told = !["encompass", "steering_group"].contains(&recipient.as_str());
        assert_eq!(!desk.inbox.is_empty(), is_told, "{recipient} is told something");
        for never in names_of_victims.iter().chain(&homes).chain(&numbers) {
            assert!(!said.contains(never), "{recipient} reads {never}");
        }
        let agencies =
            ["police", "crc", "local_authority", "idva", "stop_domestic_abuse", "victim_care_service", "parcs"];
        for agency in
            agencies.into_iter().chain(["up2u", "hampton_trust"]).filter(|agency| *agency != recipient.as_str())
        {
            for name in ["sarah", "dean", "kelly"] {
                assert!(!said.contains(&local_ref(agency, name)), "{recipient} reads a reference of {agency}");
            }
        }
        let may_name = ["idva", "high_harm_team"].contains(&recipient.as_str());
        assert_eq!(said.contains("Ashgrove"), may_name, "{recipient}");
    }
    let ids = |recipient: &str| -> Vec<String> {
        let desk = hub.desk(recipient);
        desk.list.keys().cloned().chain(desk.inbox.iter().map(|event| text(&event["id"]).to_owned())).collect()
    };
    let (idva, team) = (ids("idva"), ids("stop_domestic_abuse"));
    assert!(idva.iter().all(|id| !team.contains(id)), "two services can join what they were told");
}

#[test]
fn people_in_both_roles_await_a_human_and_stay_off_the_named_list() {
    let mut hub = played(&[I1, I2]);
    assert_eq!(hub.desk("high_harm_team").list.len(), 1);
    hub.send(&events(&["i9 police.incident 2025-06-01 victim=dean perpetrator=sarah"]));
    assert!(hub.desk("high_harm_team").list.is_empty(), "dean is held until somebody has looked");
    let reviews: Vec<_> = hub.reviews().into_values().filter(|review| review["kind"] == "both_roles").collect();
    assert_eq!(reviews.len(), 2, "sarah and dean");
    assert!(hub.held["both_roles_awaiting_review"] > 0);
    hub.send(&events(&["x9 police.cancel 2025-06-02 supersedes=i9 reason=wrong_person"]));
    assert_eq!(hub.desk("high_harm_team").list.len(), 1, "the counter-allegation was withdrawn");
}

#[test]
fn nobody_under_16_comes_on_the_adult_list() {
    let lines = ["sarah", "kelly", "priya"].map(|victim| {
        format!("i-{victim} police.crime 2025-03-01 victim={victim} perpetrator=tom most_serious_violence=true")
    });
    let hub = played(&lines.each_ref().map(String::as_str));
    let team = hub.desk("high_harm_team");
    assert!(team.list.is_empty() && team.inbox.is_empty());
}

#[test]
fn an_amendment_changes_what_was_found_and_everybody_told_hears_of_it() {
    let mut hub = played(&[IDVA, I1, I2]);
    assert_eq!(hub.desk("idva").kinds(), ["new_report", "new_report", "repeat_victim", "same_pair_again"]);
    let amended = "a1 police.amend 2025-04-01 recorded=2025-04-10 supersedes=i2 amended_type=crime victim=kelly \
                   perpetrator=dean";
    hub.send(&events(&[amended]));
    let found = hub.findings(&[IDVA, I1, amended]);
    assert_eq!(found, ["dean repeat_perpetrator a1", "dean right_to_know a1", "dean serial_perpetrator a1"]);
    let idva = hub.desk("idva");
    assert_eq!(idva.kinds(), ["new_report"]);
    assert_eq!(idva.corrections(), ["withdrawn"; 3]);
    assert_eq!(idva.list.values().next().expect("sarah")["reports"], 1);
    let entry = hub.desk("high_harm_team").list.into_values().next().expect("dean");
    assert_eq!(text(&entry["tier"]), "serial");
}

#[test]
fn a_cancelled_event_is_taken_back_from_everybody() {
    let mut hub = played(&[IDVA, I1, I2]);
    assert_eq!(hub.desk("high_harm_team").list.len(), 1);
    hub.send(&events(&["x1 police.cancel 2025-04-02 supersedes=i2", "x2 police.cancel 2025-04-02 supersedes=i1"]));
    assert_eq!(hub.findings(&[IDVA]), Vec::<String>::new());
    let idva = hub.desk("idva");
    assert!(idva.live().is_empty() && idva.list.is_empty());
    assert_eq!(idva.corrections(), ["withdrawn"; 4]);
    assert!(hub.desk("high_harm_team").list.is_empty());
}

#[test]
fn a_case_opened_later_hears_what_is_known_and_a_closed_one_nothing_new() {
    let mut hub = played(&[I1, I2]);
    assert_eq!(hub.desk("idva").inbox.len(), 0);
    hub.send(&events(&["k1 idva.caseload_entry 2025-06-01 victim=sarah"]));
    let idva = hub.desk("idva");
    assert_eq!((idva.kinds().len(), idva.list.len()), (4, 1));
    hub.send(&events(&["k9 idva.caseload_entry 2025-07-01 victim=sarah state=closed"]));
    let closed = hub.desk("idva");
    assert!(closed.list.is_empty(), "the entry ends with the case");
    hub.send(&events(&["i4 police.crime 2025-08-01 victim=sarah perpetrator=mark"]));
    assert_eq!(hub.desk("idva"), closed, "a closed case hears nothing");
    hub.send(&events(&["ka idva.caseload_entry 2025-09-01 victim=sarah"]));
    let opened = hub.desk("idva");
    assert_eq!(opened.list.len(), 1);
    assert!(opened.kinds().len() > closed.kinds().len(), "opened again, it hears what it missed");
}

#[test]
fn a_service_that_has_both_parties_is_not_told_of_the_perpetrator() {
    let alone = played(&[UP2U, I1]).desk("up2u");
    assert_eq!(alone.kinds(), ["new_report"]);
    let hub = played(&[UP2U, "k9 up2u.caseload_entry 2024-01-02 victim=sarah", I1]);
    assert!(hub.desk("up2u").inbox.is_empty());
    assert!(hub.held["both_parties_in_one_caseload"] > 0);
}

#[test]
fn a_victim_who_becomes_a_client_too_takes_back_what_was_said() {
    let mut hub = played(&[UP2U, I1]);
    hub.send(&events(&["k9 up2u.caseload_entry 2025-06-01 victim=sarah"]));
    assert!(hub.desk("up2u").live().is_empty());
    assert_eq!(hub.desk("up2u").corrections(), ["withdrawn"]);
}

#[test]
fn what_an_expired_agreement_holds_is_delivered_under_the_next() {
    let expired = Office::with(&amended("expires_on = 2030-12-31", "expires_on = 2025-12-30"));
    let renewed = Office::shipped();
    let lines = events(&[IDVA, I1, I2, I3]);
    let hub = Hub::played(&expired, &lines);
    assert_eq!(hub.outcomes().accepted, 4, "taken in and kept");
    for (recipient, desk) in hub.desks() {
        assert!(desk.inbox.is_empty() && desk.list.is_empty(), "{recipient} is told under no agreement");
    }
    assert!(hub.held["agreement_not_in_force"] > 0);
    let hub = hub.under(renewed);
    let fresh = Hub::played(renewed, &lines);
    for (recipient, desk) in fresh.desks() {
        assert_eq!(hub.desk(recipient.as_str()).live(), desk.live(), "{recipient}");
        assert_eq!(hub.desk(recipient.as_str()).list, desk.list, "{recipient}");
    }
}

#[test]
fn an_entry_lapses_when_its_day_comes() {
    let mut hub = played(&[I1, I2]);
    let entry = hub.desk("high_harm_team").list.into_values().next().expect("dean");
    assert_eq!(entry["drops_off"], "2028-04-01");
    hub.wake_on(date(2028, 4, 1));
    assert_eq!(hub.desk("high_harm_team").list.len(), 1);
    hub.wake_on(date(2028, 4, 2));
    assert!(hub.desk("high_harm_team").list.is_empty());
}

#[test]
fn an_entry_is_sealed_again_before_its_message_expires() {
    let mut hub = played(&[I1, I2, I3]);
    let listed = hub.desk("high_harm_team").list;
    let mut day = TODAY;
    for _ in 0..100 {
        day = day.tomorrow().expect("a day");
        hub.wake_on(day);
        // The desk opens the list as it stands on the day; an expired message is refused.
        assert_eq!(hub.desk("high_harm_team").list, listed, "{day}");
    }
    let sent = hub.topic("list.high-harm-team.v1").len();
    assert!((5..=9).contains(&sent), "a hundred days of messages that last a month: {sent}");
}

/// The agreement with a register of the IDVA project's staff, and somebody who stands in when it concerns one of them.
fn with_staff(stand_in: bool) -> Office {
    let feed = "[[feed]]\nparty = \"idva_staff\"\nkind = \"service\"\nregime = \"general\"\ngateway = \"UK GDPR Article 6(1)(f)\"\n\
                sources = [\"urn:priorityd:idva_staff\"]\n\n[[feed]]\nparty = \"reviewers\"";
    let lead = "[[recipient]]\nparty = \"idva_lead\"\nname = \"Safeguarding lead\"\ngateway = \"as the IDVA project\"\n\
                purpose = \"What concerns its staff\"\n\n[[recipient]]\nparty = \"parcs\"";
    let conflicts = if stand_in {
        "party = \"idva\"\nstaff = \"idva_staff\"\nconflicts_to = \"idva_lead\"\nname"
    } else {
        "party = \"idva\"\nstaff = \"idva_staff\"\nname"
    };
    Office::with(&amended_all(&[
        ("[[feed]]\nparty = \"reviewers\"", feed),
        ("[[recipient]]\nparty = \"parcs\"", lead),
        ("party = \"idva\"\nname", conflicts),
    ]))
}

const STAFF: &str = "s1 idva_staff.caseload_entry 2024-01-01 perpetrator=dean2";

#[test]
fn what_concerns_a_colleague_goes_to_the_stand_in() {
    let office = with_staff(true);
    let mut hub = Hub::played(&office, &events(&[IDVA, I1, I2]));
    assert!(hub.desk("idva_lead").inbox.is_empty(), "dean works for nobody yet");
    let told = hub.desk("idva").kinds();
    assert!(!told.is_empty() && hub.desk("idva").list.len() == 1);
    hub.send(&events(&[STAFF]));
    assert!(hub.desk("idva").live().is_empty(), "where dean works, nothing is said of sarah");
    assert!(hub.desk("idva").list.is_empty());
    let lead = hub.desk("idva_lead");
    assert_eq!(lead.kinds(), told, "the stand-in hears it all");
    assert!(lead.live().values().all(|alert| alert["own_reference"] == local_ref("idva", "sarah")));
    assert!(hub.held["staff_conflict"] > 0);
    hub.send(&events(&["s2 idva_staff.caseload_entry 2025-07-01 perpetrator=dean2 state=closed"]));
    assert_eq!(hub.desk("idva").kinds(), told, "dean has left");
    assert!(hub.desk("idva_lead").live().is_empty());
}

#[test]
fn what_concerns_a_colleague_is_held_where_nobody_stands_in() {
    let office = with_staff(false);
    let hub = Hub::played(&office, &events(&[STAFF, IDVA, I1, I2]));
    assert!(hub.desk("idva").inbox.is_empty() && hub.desk("idva").list.is_empty());
    assert!(hub.desk("idva_lead").inbox.is_empty());
    assert!(hub.held["staff_conflict"] > 0);
    assert!(!hub.desk("high_harm_team").list.is_empty(), "other recipients are told as ever");
}

#[test]
fn what_the_stand_in_is_forbidden_it_does_not_get() {
    let office = with_staff(true);
    let mut package = office.package.clone();
    let forbid = "@id(\"LEAD-N1\")\nforbid (principal == Recipient::\"idva_lead\", action, resource == Field::\"risk\");\n\
                  @id(\"LEAD-N2\")\nforbid (principal == Recipient::\"idva_lead\", action, resource == Field::\"perpetrator_identity\");\n";
    package.policies.push(("policies/lead.cedar".to_owned(), forbid.to_owned()));
    let office = Office::with(&package);
    let hub = Hub::played(&office, &events(&[STAFF, IDVA, I1, I2]));
    let alerts = hub.desk("idva_lead").live();
    assert!(!alerts.is_empty());
    assert!(alerts.values().all(|alert| alert.get("perpetrators").is_none() && alert["offence_family"] == "violence"));
}

#[test]
fn somebody_in_both_roles_is_named_to_nobody_and_accused_to_nobody_before_a_human_has_looked() {
    let hub = played(&[IDVA, UP2U, I1, I2, I3, "i9 police.incident 2025-06-01 victim=dean perpetrator=mark"]);
    assert!(hub.desk("high_harm_team").live().is_empty() && hub.desk("high_harm_team").list.is_empty());
    assert!(hub.desk("up2u").live().is_empty() && hub.desk("up2u").list.is_empty());
    let idva = hub.desk("idva");
    assert!(!idva.live().is_empty(), "the service that supports a victim hears of her all the same");
    assert!(idva.live().values().all(|alert| alert.get("perpetrators").is_none()), "and no name is put to it");
}

#[test]
fn a_service_that_has_both_parties_has_neither_on_its_list_as_perpetrator() {
    let hub = played(&[UP2U, "k9 up2u.caseload_entry 2024-01-02 victim=sarah", I1, I2]);
    assert!(hub.desk("up2u").list.is_empty());
}

#[test]
fn dates_are_weeks_unless_days_are_agreed() {
    let hub = played(&[
        IDVA,
        UP2U,
        I1,
        I2,
        I3,
        "o1 police.protection_order 2025-03-15 victim=sarah perpetrator=dean expires_on=2025-12-31",
    ]);
    for service in ["idva", "up2u"] {
        let said = hub.desk(service).everything();
        for day in ["2025-03-01", "2025-04-01", "2025-05-01", "2025-12-31", "2028-04-01", "2028-05-01"] {
            assert!(!said.contains(day), "{service} reads the day {day}");
        }
        assert!(said.contains("\"until_week\":\"2026-W01\"") && said.contains("drops_off_week"), "{said}");
    }
    let team = hub.desk("high_harm_team").everything();
    assert!(
        team.contains("\"drops_off\":\"2028-05-01\"") && team.contains("\"until\":\"2025-12-31\""),
        "days are agreed"
    );
}

#[test]
fn a_refuge_is_in_nothing_that_is_kept_or_said() {
    let shown = Office::shipped();
    let hidden = Office::hiding(&["po4 8qt", "PO27LD"]);
    let lines = events(&[IDVA, I1, I2, I3]);
    let keeps = |hub: &Hub<'_>, place: &str| {
        let token = shown.place(place);
        hub.register().values().any(|row| row.windows(8).any(|bytes| bytes == token))
    };
    let hub = Hub::played(shown, &lines);
    assert!(keeps(&hub, "PO4 8QT") && keeps(&hub, "PO2 7LD") && keeps(&hub, "PO6 3TR"), "otherwise the test is blind");
    let hub = Hub::played(&hidden, &lines);
    assert!(!keeps(&hub, "PO4 8QT") && !keeps(&hub, "PO2 7LD"), "a refuge's postcode is not even hashed");
    assert!(keeps(&hub, "PO6 3TR"), "other addresses are as ever");
    assert_eq!(
        hub.desk("idva").kinds(),
        Hub::played(shown, &lines).desk("idva").kinds(),
        "people are found all the same"
    );
    // Where an agency writes it into a name, the name goes.
    let written = |text: &str| -> Vec<Sent> {
        lines.iter().map(|(feed, line)| (feed.clone(), line.replace("\"Ashgrove\"", &format!("\"{text}\"")))).collect()
    };
    for text in ["c/o PO2 7LD", "Ashgrove (po27ld)"] {
        let team = Hub::played(&hidden, &written(text)).desk("high_harm_team").everything();
        assert!(team.contains("Dean") && !team.to_lowercase().contains("7ld"), "{text}: {team}");
        let team = Hub::played(shown, &written(text)).desk("high_harm_team").everything();
        assert!(team.to_lowercase().contains("7ld"), "otherwise the test is blind");
    }
}
