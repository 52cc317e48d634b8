//! What an information-governance lead does with the commands: finds what was shared about somebody by name, hands them
//! their pack, proves one record to an outsider, erases the person, and finds in the audit who did all that.

use std::fs;

use serde_json::{Value, json};

use crate::support::deployed::Deployed;
use crate::support::events::events;

const LINES: &[&str] = &[
    "k1 idva.caseload_entry 2024-01-02 victim=sarah",
    "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
    "i2 police.incident 2025-04-01 victim=kelly perpetrator=dean",
    "o1 crc.order_start 2025-05-01 perpetrator=dean2",
];

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn from_a_name_to_what_was_shared_to_its_erasure() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(LINES));
    house.wait_for(&mut daemon, LINES.len());
    let dean = json!({"given_names": ["Dean"], "family_name": "Ashgrove", "date_of_birth": "1985-11-02",
        "postcode": "PO2 7LD", "address": "3 Copnor Yard"});
    let file = house.path("dean.json").display().to_string();
    fs::write(&file, dean.to_string()).expect("written");
    let by_name = ["--identity", "--input", &file];
    let run = |words: &[&str]| {
        let ran = house.run(&[words, &by_name].concat());
        assert_eq!(ran.code, 0, "{words:?}: {}", ran.err);
        ran.out
    };

    // What was shared about him, with whom, under which clause.
    let found = run(&["audit", "find"]);
    assert!(found.contains("2 records, 3 events held"), "{found}");
    assert!(found.lines().any(|line| line.contains("high_harm_team") && line.contains("HH-")), "{found}");
    assert!(!found.contains("Ashgrove"));
    // By an agency's own reference it is the same person.
    let reference = house.path("reference").display().to_string();
    fs::write(&reference, "POLICE~dean\n").expect("written");
    let same = house.run(&["audit", "find", "--reference-of", "police", "--input", &reference]);
    assert_eq!(same.out.lines().next(), found.lines().next(), "{}", same.err);
    // Nobody is found by another name, and nothing is said of the name.
    fs::write(house.path("nobody.json"), json!({"given_names": ["Zebedee"], "family_name": "Quill"}).to_string())
        .expect("written");
    let nobody = house.path("nobody.json").display().to_string();
    let nobody = house.run(&["audit", "find", "--identity", "--input", &nobody]);
    assert_eq!(nobody.code, 1);
    assert!(!nobody.err.contains("Quill"), "{}", nobody.err);

    // The pack: what is held, from whom, until when; for him alone to read.
    let dir = house.path("pack").display().to_string();
    run(&["audit", "export", "--out", &dir]);
    let pack = json_of(&fs::read_to_string(house.path("pack/pack.json")).expect("written"));
    assert_eq!(pack["held"]["events"].as_array().map(Vec::len), Some(3));
    assert_eq!(pack["held"]["events"][0]["held_until"], "2031-03-02");
    assert!(pack["who"].as_array().expect("names").iter().any(|who| who["family_name"] == "Ashgrove"));
    assert!(!pack["shared"].as_array().expect("messages").is_empty());
    for others in ["Whitcombe", "Ormsby", "IDVA~", "Kestrel"] {
        assert!(!pack.to_string().contains(others), "the pack names {others}");
    }
    let page = fs::read_to_string(house.path("pack/pack.html")).expect("written");
    assert!(page.contains("Ashgrove") && page.contains("Held until") && !page.contains("http"));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(house.path("pack/pack.json")).expect("there").permissions(),
    );
    assert_eq!(mode & 0o077, 0);

    // Erased: shown first, and done when it is meant.
    let words = ["erase", "--reason", "data_subject_request", "--authority", "ER-2025/014"];
    assert!(run(&words).contains("nothing was done"));
    assert!(run(&[words.as_slice(), &["--yes"]].concat()).contains("published"));
    house.wait_for(&mut daemon, LINES.len() + 1);
    let high_harm = house.run(&["subscribe", "--recipient", "high_harm_team", "--key", &house.key("high_harm_team")]);
    assert!(high_harm.out.contains("tombstone"), "{}", high_harm.out);
    let gone = house.run(&["audit", "find", "--identity", "--input", &file]);
    assert_eq!(gone.code, 1, "{}", gone.out);
    // The audit follows with the next sweep, which a start is, and the chain and its signed heads hold.
    assert_eq!(daemon.terminate().code(), Some(0));
    let mut daemon = house.start();
    house.wait_for(&mut daemon, LINES.len() + 1);
    let deadline = std::time::Instant::now() + crate::support::deployed::PATIENCE;
    let verified = loop {
        let verified = house.run(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}", verified.err);
        if verified.out.contains("were about somebody who was erased") {
            break verified.out;
        }
        assert!(std::time::Instant::now() < deadline, "{}", verified.out);
    };
    assert!(verified.contains("signed heads hold"), "{verified}");
    assert_eq!(daemon.terminate().code(), Some(0));

    // Who looked, and who erased on what ground.
    let consultations = house.run(&["audit", "find", "--kind", "consultation"]).out;
    let consultations: Vec<_> = consultations.lines().map(json_of).collect();
    assert!(consultations.len() >= 4, "{consultations:?}");
    assert!(consultations.iter().all(|line| line["body"]["decided_by"] == "QA1"));
    assert!(consultations.iter().any(|line| line["body"]["reason"] == "subject_access"));
    let erasures = house.run(&["audit", "find", "--kind", "erasure"]).out;
    assert_eq!(json_of(erasures.lines().next().expect("one"))["body"]["authority"], "ER-2025/014");

    prove(&house);
}

/// One record, proved to somebody who sees no other.
fn prove(house: &Deployed) {
    let proof = house.run(&["audit", "prove", "3"]);
    assert_eq!(proof.code, 0, "{}", proof.err);
    let growth = house.run(&["audit", "prove", "20", "--since", "1"]);
    assert_eq!(growth.code, 0, "{}", growth.err);
    let check = |text: &str| {
        let file = house.path("proof.json");
        fs::write(&file, text).expect("written");
        house.run(&["audit", "verify", "--proof", &file.display().to_string()])
    };
    let good = check(&proof.out);
    assert!(good.code == 0 && good.out.contains("record 3 of partition 0 stands"), "{}", good.err);
    assert_eq!(check(&growth.out).code, 0);
    let other = json_of(&house.run(&["audit", "prove", "4"]).out);
    let mut swapped = json_of(&proof.out);
    swapped["record"] = other["record"].clone();
    assert!(check(&swapped.to_string()).err.contains("not in the audit that was signed"));
    let mut changed = json_of(&proof.out);
    let record = changed["record"].as_str().expect("a line").replacen("\"body\":{", "\"body\":{\"added\":1,", 1);
    assert!(record.contains("added"));
    changed["record"] = json!(record);
    let told = check(&changed.to_string());
    assert!(told.code == 1 && told.err.contains("the record: it was changed"), "{}", told.err);
    let forged = proof.out.replace("\"head\": \"ey", "\"head\": \"eY");
    assert_eq!(check(&forged).code, 1);
    assert_eq!(check("{}").code, 65);
    // Nobody looks without saying who.
    let mut anonymous = std::process::Command::new(env!("CARGO_BIN_EXE_priorityd"));
    let config = house.path("priorityd.toml");
    anonymous.args(["audit", "find", "--config"]).arg(config).env_remove("PRIORITYD_BY");
    assert_eq!(anonymous.output().expect("it runs").status.code(), Some(77));
}
