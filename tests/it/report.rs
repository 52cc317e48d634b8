//! `priorityd report`: from the register alone, the same whatever order events came in, and nothing that was not protected.

use jiff::civil::date;
use priorityd::config::rules::Rules;
use priorityd::log::memory::Faults;
use priorityd::report::disclosure_control::publish;
use priorityd::report::{Period, Report, report};
use priorityd::simulate::City;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::support::deployed::Deployed;
use crate::support::events::events;
use crate::support::hub::{Hub, Office};

fn reported(hub: &Hub<'_>) -> (Report, String) {
    let scope = "portsmouth".parse().expect("the shipped scope");
    let (linked, rules) = (hub.engine().linked_events(&scope), Rules::default());
    let raw = report(&scope, &linked, Period::new(date(2025, 12, 31), None), &rules, &[]);
    let published = publish(&scope, &linked, date(2026, 1, 31), &rules, &[], 5);
    (raw, serde_json::to_string(&published).expect("it has a JSON form"))
}

#[test]
fn the_order_of_events_does_not_show() {
    let all = City::new(11, 900, 6).play().feeds;
    let expected = reported(&Hub::played(Office::shipped(), &all));
    assert!(expected.1.contains("\"count\":") && expected.0.table("demand").is_some());
    for seed in 0..2 {
        let mut shuffled = all.clone();
        shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let mut hub = Hub::on(Office::shipped(), Faults::storm(seed), 40);
        hub.send(&shuffled);
        assert_eq!(reported(&hub), expected, "seed {seed}");
    }
}

#[test]
fn a_crime_of_a_corrected_incident_is_still_the_same_report() {
    let mut hub = Hub::new(Office::shipped());
    hub.send(&events(&[
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "c1 police.crime 2025-03-01 victim=sarah perpetrator=dean incident=i1",
        "a1 police.amend 2025-03-01 recorded=2025-03-05 supersedes=i1 amended_type=incident victim=sarah perpetrator=dean",
    ]));
    let (raw, _) = reported(&hub);
    let demand = raw.table("demand").expect("there is one");
    assert_eq!(demand.figure("incidents_crimed"), Some(priorityd::report::Figure::Share { part: 1, whole: 1 }));
    let repeats = raw.table("repeat_incidents").expect("there is one");
    assert_eq!(repeats.figure("ever_before"), Some(priorityd::report::Figure::Share { part: 0, whole: 1 }));
}

#[test]
fn an_acknowledgement_is_timed_from_what_its_alert_is_about() {
    let mut hub = Hub::new(Office::shipped());
    hub.send(&events(&[
        "k1 idva.caseload_entry 2025-02-01 victim=sarah",
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
    ]));
    let alert = hub.desk("idva").live().into_keys().next().expect("the case is told of the report");
    hub.send(&events(&[
        &format!("a1 idva.alert_acknowledged 2025-03-03 alert={alert} action=contacted"),
        "a2 idva.alert_acknowledged 2025-03-09 alert=00000000000000000000000000000000 action=contacted",
    ]));
    let (raw, _) = reported(&hub);
    let alerts = raw.table("alerts").expect("there is one");
    assert_eq!(alerts.figure("contacted"), Some(priorityd::report::Figure::Share { part: 2, whole: 2 }));
    assert_eq!(alerts.figure("days"), Some(priorityd::report::Figure::Days { median: 2, cases: 1 }));
}

#[test]
fn the_command_prints_every_form_and_no_small_number() {
    let deployed = Deployed::new();
    let mut told = Vec::new();
    for (month, day) in (1..=12).flat_map(|month| (1..=12).map(move |day| (month, day))) {
        told.push(format!("i{month}-{day} police.incident 2025-{month:02}-{day:02} victim=sarah perpetrator=dean"));
    }
    told.push("k1 idva.caseload_entry 2025-03-20 victim=sarah".to_owned());
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let told = events(&told);
    let mut daemon = deployed.start();
    deployed.publish_all(&told);
    deployed.wait_for(&mut daemon, told.len());
    assert!(daemon.terminate().success());

    let print = |format: &str| {
        let ran = deployed.run(&["report", "--as-of", "2026-01-31", "--format", format]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let json: Value = serde_json::from_str(&print("json")).expect("one JSON object");
    let demand = &json["tables"][0]["rows"];
    assert_eq!(demand[0]["id"], "incidents");
    assert_eq!(demand[0]["cells"][0]["count"], 145, "144, rounded");
    assert!(demand[1]["cells"][0]["count"].is_null(), "no crime is withheld as a small number is");
    let text = print("text");
    assert!(text.contains("2025-01-01 to 2025-12-31") && text.contains("[c]") && text.contains("recorded"));
    let csv = print("csv");
    assert!(
        csv.lines().any(|line| line.starts_with("portsmouth,demand,incidents,Incidents,2025-01-01,2025-12-31,145,"))
    );
    assert!(
        csv.lines().any(|line| line.starts_with("portsmouth,monthly,incidents,Incidents,2025-03-01,2025-03-31,10,"))
    );
    let html = print("html");
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<svg") && !html.contains("href=\"/"));
    // Before the year is closed there is nothing of it.
    let early = deployed.run(&["report", "--as-of", "2026-01-30", "--format", "json"]);
    let early: Value = serde_json::from_str(&early.out).expect("one JSON object");
    assert_eq!(early["from"], "2024-01-01");
}

#[test]
fn without_a_register_it_says_so() {
    let ran = Deployed::new().run(&["report"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("there is none of portsmouth yet"), "{}", ran.err);
}
