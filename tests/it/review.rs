//! What people are asked and what they answer: decisions as events, in any order, undone, after a restart; and the
//! commands on a daemon that really runs.

use std::collections::BTreeMap;
use std::time::Instant;

use priorityd::model::register::RowKind;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

use crate::support::deployed::{Deployed, PATIENCE};
use crate::support::events::{Sent, envelope, events, party};
use crate::support::hub::{Desk, Hub, Office, text};

/// The police know Sarah in full; her support worker has no date of birth and spells her otherwise, so that what agrees
/// is mostly what a household shares: not enough to link, enough to ask.
pub(crate) fn asked() -> Vec<Sent> {
    let mut sent = events(&[
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "i2 police.incident 2025-04-01 victim=sarah perpetrator=dean",
    ]);
    let (feed, mut client) = envelope("k1 idva.caseload_entry 2024-01-02 victim=sarah");
    let identity = client["data"]["persons"][0]["identity"].as_object_mut().expect("an identity");
    identity.remove("date_of_birth");
    identity.insert("given_names".to_owned(), json!(["Sara"]));
    identity.insert("family_name".to_owned(), json!("Whitcomb"));
    sent.push((feed, client.to_string()));
    sent
}

/// An answer to a question, at a minute of one hour.
fn answer(id: &str, minute: u8, question: &Value, answer: &str, supersedes: Option<&str>) -> Sent {
    let reason = if answer == "seen" { "both_directions" } else { "records_compared" };
    let mut data = json!({
        "decision": answer, "records": question["records"], "reason": reason, "decided_by": "JS2",
    });
    if answer == "seen" {
        data["finding"] = question["finding"].clone();
    }
    reviewed(id, "decision", minute, data, supersedes)
}

fn undone(id: &str, minute: u8, supersedes: &str) -> Sent {
    reviewed(id, "cancel", minute, json!({"reason": "entered_in_error"}), Some(supersedes))
}

fn reviewed(id: &str, kind: &str, minute: u8, mut data: Value, supersedes: Option<&str>) -> Sent {
    let at = format!("2025-12-01T10:{minute:02}:00Z");
    (data["scope"], data["regime"]) = (json!("portsmouth"), json!("law-enforcement"));
    (data["occurred_at"], data["recorded_at"]) = (json!(at), json!(at));
    if let Some(earlier) = supersedes {
        data["supersedes"] = json!(earlier);
    }
    let event = json!({
        "specversion": "1.0",
        "id": id,
        "source": "urn:priorityd:reviewers",
        "type": format!("uk.priorityd.review.{kind}.v1"),
        "data": data,
    });
    (party("reviewers"), event.to_string())
}

fn question(hub: &Hub<'_>, kind: &str) -> Value {
    let mut found = hub.reviews().into_values().filter(|review| review["kind"] == kind);
    let question = found.next().unwrap_or_else(|| panic!("there is no {kind}"));
    assert!(found.next().is_none(), "one {kind} is enough");
    question
}

/// Rows of the register by key, but for events themselves and what depends on the way.
fn state(hub: &Hub<'_>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = hub.register();
    rows.retain(|key, _| {
        matches!(
            RowKind::from_byte(key[0]),
            Some(RowKind::Record | RowKind::Edge | RowKind::Decision | RowKind::Listed)
        )
    });
    rows
}

fn idva(hub: &Hub<'_>) -> Desk {
    hub.desk("idva")
}

#[test]
fn an_answer_wins_over_the_score_and_undoing_it_restores_what_was() {
    let mut hub = Hub::played(Office::shipped(), &asked());
    let asked_about = question(&hub, "possible_match");
    let before = state(&Hub::played(Office::shipped(), &asked()));
    assert!(idva(&hub).live().is_empty(), "nobody knows that this is the worker's client");

    hub.send(&[answer("d1", 0, &asked_about, "same", None)]);
    assert!(hub.reviews().is_empty(), "the question is answered");
    assert!(!idva(&hub).live().is_empty(), "now the worker hears of the reports");
    let together = |hub: &Hub<'_>| hub.participants("police", "i1").expect("in force")[0];
    assert_eq!(hub.participants("idva", "k1").expect("in force")[0], together(&hub));

    // Another report re-links the person; the answer stands.
    hub.send(&events(&["i3 police.incident 2025-05-01 victim=sarah perpetrator=dean"]));
    assert_eq!(hub.participants("idva", "k1").expect("in force")[0], together(&hub));
    hub.send(&events(&["x3 police.cancel 2025-05-02 supersedes=i3"]));

    hub.send(&[undone("x1", 1, "d1")]);
    assert!(idva(&hub).live().is_empty(), "what was told is taken back");
    assert_eq!(question(&hub, "possible_match"), asked_about, "the question is open again");
    assert_eq!(state(&hub), before);
}

#[test]
fn who_was_decided_to_be_another_is_not_asked_about_again() {
    let mut hub = Hub::played(Office::shipped(), &asked());
    let asked_about = question(&hub, "possible_match");
    hub.send(&[answer("d1", 0, &asked_about, "different", None)]);
    assert!(hub.reviews().is_empty());
    // The same two people in other words.
    hub.send(&events(&["i4 police.incident 2025-06-01 victim=sara perpetrator=dean"]));
    assert_ne!(hub.participants("idva", "k1"), hub.participants("police", "i4"));
    assert!(hub.reviews().is_empty(), "whoever is linked with one of the two is decided about too");
    // A daemon with the same register knows it, and so does the next answer, which replaces this one.
    let mut hub = hub.under(Office::shipped());
    assert!(hub.reviews().is_empty());
    hub.send(&[answer("d2", 1, &asked_about, "same", Some("d1"))]);
    assert!(!idva(&hub).live().is_empty());
}

#[test]
fn somebody_in_both_roles_is_named_again_when_a_person_has_looked() {
    let mut hub = Hub::played(
        Office::shipped(),
        &events(&[
            "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
            "i2 police.incident 2025-04-01 victim=kelly perpetrator=dean",
        ]),
    );
    let named = |hub: &Hub<'_>| hub.desk("high_harm_team").list.len();
    assert_eq!(named(&hub), 1);
    hub.send(&events(&["i9 police.incident 2025-06-01 victim=dean perpetrator=mark"]));
    assert_eq!(named(&hub), 0);
    let asked_about = question(&hub, "both_roles");
    hub.send(&[answer("d1", 0, &asked_about, "seen", None)]);
    assert_eq!((named(&hub), hub.reviews().len()), (1, 0));
    let mut hub = hub.under(Office::shipped());
    assert_eq!((named(&hub), hub.reviews().len()), (1, 0), "a restart forgets no decision");
    hub.send(&[undone("x1", 1, "d1")]);
    assert_eq!((named(&hub), hub.reviews().len()), (0, 1));
    hub.send(&events(&["x9 police.cancel 2025-06-02 supersedes=i9"]));
    assert_eq!((named(&hub), hub.reviews().len()), (1, 0), "a question that fell away is not asked");
}

#[test]
fn no_question_and_no_answer_says_who_it_is_about() {
    let mut hub = Hub::played(Office::shipped(), &asked());
    let asked_about = question(&hub, "possible_match");
    hub.send(&[answer("d1", 0, &asked_about, "same", None)]);
    let topics = ["review.v1", "audit.v1"].map(|topic| hub.topic(topic));
    let said: Vec<u8> = topics.into_iter().flatten().filter_map(|record| record.value).flatten().collect();
    let said = String::from_utf8(said).expect("text").to_lowercase();
    for clear in ["sarah", "whitcombe", "1988", "po4", "kestrel", "dean", "ashgrove", "0123456l"] {
        assert!(!said.contains(clear), "{clear}");
    }
    assert!(said.contains("\"decided_by\":\"js2\""), "who decided is on record");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decisions_count_whatever_order_they_come_in(
        shapes in prop::collection::vec((any::<bool>(), 0u8..5, prop::option::of(0usize..5), any::<bool>()), 1..5),
        seed in any::<u64>(),
        batch in 1usize..5,
    ) {
        let office = Office::shipped();
        let asked_about = question(&Hub::played(office, &asked()), "possible_match");
        let mut all = asked();
        for (at, (same, minute, supersedes, cancels)) in shapes.into_iter().enumerate() {
            let (id, earlier) = (format!("d{at}"), supersedes.filter(|earlier| *earlier != at).map(|earlier| format!("d{earlier}")));
            all.push(match (&earlier, cancels) {
                (Some(earlier), true) => undone(&id, minute, earlier),
                _ => answer(&id, minute, &asked_about, if same { "same" } else { "different" }, earlier.as_deref()),
            });
        }
        let whole = Hub::played(office, &all);
        all.shuffle(&mut ChaCha20Rng::seed_from_u64(seed));
        let mut parts = Hub::new(office);
        for some in all.chunks(batch) {
            parts.send(some);
            if batch == 2 {
                parts = parts.under(office);
            }
        }
        prop_assert_eq!(state(&whole), state(&parts));
        prop_assert_eq!(whole.reviews(), parts.reviews());
        prop_assert_eq!(idva(&whole).list, idva(&parts).list);
        prop_assert_eq!(idva(&whole).kinds(), idva(&parts).kinds());
    }
}

/// Waits until the list of open questions is so long.
fn wait_for_questions(house: &Deployed, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let list = house.run(&["review", "list", "--format", "json"]);
        assert_eq!((list.code, list.err.as_str()), (0, ""));
        let open: Vec<Value> = list.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        if open.len() == count {
            return open;
        }
        assert!(Instant::now() < deadline, "{} questions, not {count}: {}", open.len(), house.log());
    }
}

#[test]
fn the_commands_list_decide_explain_and_undo() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&asked());
    house.wait_for(&mut daemon, asked().len());
    let open = wait_for_questions(&house, 1);
    let (id, records) = (text(&open[0]["review_id"]), &open[0]["records"]);
    let (one, two) = (text(&records[0]), text(&records[1]));
    let human = house.run(&["review", "list"]);
    assert!(human.out.contains(id) && human.out.contains("family name: one letter"), "{}", human.out);

    let explain = |words: &[&str]| {
        let ran = house.run(&[&["explain"], words].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words:?}");
        ran.out
    };
    let waterfall = explain(&[one, two]);
    assert!(waterfall.starts_with("apart") && waterfall.contains("high enough to ask a person"), "{waterfall}");
    assert!(waterfall.contains("household cap"), "{waterfall}");

    let decide = |words: &[&str]| house.run(&[&["review", "decide", id], words].concat());
    let by_name = decide(&["same", "--reason", "agency_confirmed", "--by", "Janet Smith"]);
    assert!(by_name.code == 65 && !by_name.err.contains("Janet"), "{by_name:?}");
    assert_eq!(decide(&["seen", "--reason", "agency_confirmed", "--by", "JS2"]).code, 65, "that is another question");
    assert_eq!(house.run(&["review", "decide", one, "same", "--reason", "relatives", "--by", "JS2"]).code, 65);
    let decided = decide(&["same", "--reason", "agency_confirmed", "--by", "JS2"]);
    assert_eq!(decided.code, 0, "{}", decided.err);
    let event = decided.out.split([' ', ';']).nth(1).expect("`published ID; …`").to_owned();
    wait_for_questions(&house, 0);

    // The worker is told, and the alert is explained by the clause, the events and the link that a person made.
    let desk = house.subscribe("idva");
    let alert = desk.live().into_keys().next().expect("an alert");
    let told = explain(&[&alert]);
    for part in ["recipient   idva", "clause      ", "evidence    event ", " of police", "a person decided: same"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json: Value = serde_json::from_str(&explain(&[&alert, "--format", "json"])).expect("JSON");
    assert_eq!((&json["about"], &json["person"]["unexplained"]), (&json!("alert"), &json!(0)));
    let links = json["person"]["links"].as_array().expect("links");
    for link in links {
        let steps = link["steps"].as_array().expect("steps");
        let sum: f64 = steps.iter().map(|step| step["bits"].as_f64().expect("bits")).sum();
        assert!((sum - link["total"].as_f64().expect("a total")).abs() < 1e-9, "{link}");
    }
    assert!(links.iter().any(|link| link["decided"] == "same"));
    let person = text(&json["person"]["person"]).to_owned();
    assert!(explain(&[&person]).contains("cluster.merged") && explain(&[one]).contains(&person));
    assert!(explain(&[two, one]).starts_with(&format!("together    in person {person}")));

    let undone = house.run(&["review", "undo", &event]);
    assert_eq!(undone.code, 0, "{}", undone.err);
    assert_eq!(wait_for_questions(&house, 1), open);
    assert_eq!(daemon.terminate().code(), Some(0));

    // An export explains as well, without configuration; what split is told, and so is what was taken back.
    let file = house.path("audit.ndjson");
    std::fs::write(&file, house.run(&["audit", "export"]).out).expect("written");
    let file = file.display().to_string();
    let pair = explain(&["--file", &file, one, two]);
    assert!(pair.starts_with("apart") && pair.contains("replaced or taken back since"), "{pair}");
    assert!(explain(&["--file", &file, &person]).contains("cluster.split"));
    assert_eq!(explain(&["--file", &file, &alert]), explain(&[&alert]));
    let drawing = explain(&["--file", &file, one, two, "--format", "svg"]);
    assert!(drawing.starts_with("<svg") && drawing.contains("<title") && drawing.contains("<desc"), "{drawing}");
    let nobody = house.run(&["explain", &"0".repeat(32)]);
    assert!(nobody.code == 1 && nobody.err.contains("no audit record"), "{nobody:?}");
}

/// No decision makes one person of two NHS numbers: the command says so, and the daemon heeds no event that claims it.
#[test]
fn two_valid_numbers_are_two_persons_whatever_is_decided() {
    let mut sent = asked();
    let with_number = |line: &str, number: &str| {
        let mut event: Value = serde_json::from_str(line).expect("JSON");
        event["data"]["persons"][0]["identity"]["nhs_number"] = json!(number);
        event
    };
    // The police have a number, on another record of hers; the worker has another, on another record of her client's.
    let numbered = with_number(&sent[1].1, "943 476 5919");
    sent[1].1 = numbered.to_string();
    let mut client = with_number(&sent[2].1, "987 654 3210");
    client["id"] = json!("k2");
    sent.push((sent[2].0.clone(), client.to_string()));
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&sent);
    house.wait_for(&mut daemon, sent.len());
    let open = wait_for_questions(&house, 1);
    assert_eq!(open[0]["bars"], json!(["different_numbers"]), "{}", open[0]);
    assert!(house.run(&["review", "list"]).out.contains("can't be the same: different numbers"));
    let id = text(&open[0]["review_id"]);
    let refused = house.run(&["review", "decide", id, "same", "--reason", "relatives", "--by", "JS2"]);
    assert_eq!(refused.code, 77, "{}", refused.err);
    assert!(refused.err.contains("two different numbers") && refused.err.contains("`different`"), "{}", refused.err);

    house.publish_all(&[answer("d1", 0, &open[0], "same", None)]);
    house.wait_for(&mut daemon, sent.len() + 1);
    house.publish_all(&[undone("x1", 1, "d1")]);
    house.wait_for(&mut daemon, sent.len() + 2);
    assert_eq!(wait_for_questions(&house, 1), open, "undone, everything is as it was");
    let decided = house.run(&["review", "decide", id, "different", "--reason", "relatives", "--by", "JS2"]);
    assert_eq!(decided.code, 0, "{}", decided.err);
    wait_for_questions(&house, 0);
    assert_eq!(daemon.terminate().code(), Some(0));
}
