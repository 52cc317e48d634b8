//! The daemon as an operator runs it: real processes on one file, stopped, killed, misfed and misconfigured.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;

use priorityd::audit::{self, AuditRecord};
use priorityd::config::agreement::Agreement;
use priorityd::log::topic_name;
use priorityd::model::ids::PartyId;
use priorityd::model::register::RowKind;
use priorityd::pipeline::AUDIT_TOPIC;
use priorityd::simulate::{City, Nature};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::jose::Client;
use crate::support::deployed::{Deployed, PATIENCE, priorityd};
use crate::support::events::{Sent, envelope, event, events, local_ref};
use crate::support::hub::{AGREEMENT, text};
use crate::support::told::told_once;

const CASES: &[&str] =
    &["k1 idva.caseload_entry 2024-01-02 victim=sarah", "k2 up2u.caseload_entry 2024-01-02 perpetrator=dean"];
const INCIDENT: &str = "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean";
const CRIME: &str = "i2 police.crime 2025-04-01 victim=sarah perpetrator=dean";
const LATER: &str = "i3 police.crime 2025-05-01 victim=kelly perpetrator=dean";

fn lines(events: &[Sent]) -> Vec<&str> {
    events.iter().map(|(_, line)| line.as_str()).collect()
}

#[test]
fn a_working_day() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(CASES));
    house.wait_for(&mut daemon, 2);
    // A file, from another process, while the daemon runs.
    let file = house.path("police.ndjson");
    fs::write(&file, lines(&events(&[INCIDENT, CRIME])).join("\n")).expect("written");
    let ran = house.run(&["publish", "--feed", "police", &file.display().to_string()]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "published 2 to feeds of police\n"), "{}", ran.err);
    house.wait_for(&mut daemon, 4);

    let idva = house.subscribe("idva");
    assert_eq!(idva.kinds(), ["new_report", "new_report", "repeat_victim", "same_pair_again"]);
    assert_eq!(idva.list.len(), 1);
    assert!(idva.everything().contains("Ashgrove") && !idva.everything().contains("Whitcombe"));
    assert_eq!(house.subscribe("up2u").kinds(), ["new_report", "new_report"]);
    assert!(house.subscribe("parcs").inbox.is_empty());

    opened_by_a_stock_library(&house, &idva.inbox);

    // One who follows hears of what comes later.
    let mut follower = house.spawn(&["subscribe", "--recipient", "up2u", "--key", &house.key("up2u"), "--follow"]);
    let (sender, heard) = mpsc::sync_channel(1024);
    let out = BufReader::new(follower.stdout.take().expect("piped"));
    let reader = std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
    let next = || -> Value {
        let line = heard.recv_timeout(PATIENCE).expect("the follower hears something");
        serde_json::from_str(&line).expect("a JSON object a line")
    };
    let known: Vec<Value> = (0..3).map(|_| next()).collect();
    assert!(known.iter().all(|event| event["recipient"] == "up2u"));
    house.publish("police", &lines(&events(&[LATER])));
    let mut kinds: Vec<String> = Vec::new();
    while !["new_report", "serial_perpetrator"].iter().all(|kind| kinds.iter().any(|heard| heard == kind)) {
        let event = next();
        kinds.push(event["data"]["kind"].as_str().unwrap_or("list entry").to_owned());
        assert_eq!(event["data"]["own_reference"], local_ref("up2u", "dean"));
    }
    follower.kill().and_then(|()| follower.wait()).expect("it runs until it is stopped");
    reader.join().expect("it ends with the pipe");

    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    assert_eq!(house.outcomes().accepted, 5);
    let verified = house.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}

/// What `subscribe --sealed` prints is what a client of one's own can open.
fn opened_by_a_stock_library(house: &Deployed, expected: &[Value]) {
    let ran = house.run(&["subscribe", "--recipient", "idva", "--sealed", "--topic", "alerts"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let record = |line: &str| -> Value { serde_json::from_str(line).expect("a JSON object a line") };
    let messages: Vec<Value> = ran.out.lines().map(|line| record(line)["value"].clone()).collect();
    let json = |path: String| -> Value { serde_json::from_slice(&fs::read(path).expect("read")).expect("JSON") };
    let (key, signers) = (json(house.key("idva")), json(house.path("keys/signing.jwks.json").display().to_string()));
    let now = jiff::Timestamp::now().to_string();
    let task = json!({"key": key, "signers": signers, "recipient": "idva", "now": now, "messages": messages});
    for client in Client::ALL {
        let opened: Vec<Value> = client.run(&task).iter().map(|result| result["opened"].clone()).collect();
        assert_eq!(opened, expected, "{client:?}");
    }
}

#[test]
fn stopped_in_the_middle_it_goes_on_where_it_was() {
    let house = Deployed::with(&[("batch_records", "batch_records = 10")]);
    let city = City::new(3, 400, 3).play();
    let distinct = city.truth.events.iter().filter(|event| event.nature != Nature::Duplicate).count();
    house.publish_all(&city.feeds);
    let mut daemon = house.start();
    house.wait_for(&mut daemon, distinct / 4);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    let stopped = house.outcomes();
    assert!(stopped.read >= distinct as u64 / 4);
    let mut daemon = house.start();
    house.wait_for(&mut daemon, distinct);
    assert_eq!(daemon.terminate().code(), Some(0));
    let done = house.outcomes();
    assert_eq!(done.read, city.feeds.len() as u64);
    assert_eq!(done.accepted + done.rejected + done.superseded, distinct as u64);
}

/// A city in sixteen portions, each ended by a line that must come back, so that it can be seen that all was read.
pub(crate) fn portions() -> Vec<Vec<Sent>> {
    let city = City { bad_share: 0.05, ..City::new(5, 600, 4) }.play();
    let mut feeds = city.feeds;
    feeds.extend(events(CASES));
    feeds.extend(events(&[INCIDENT, CRIME, LATER, "x1 police.cancel 2025-06-01 supersedes=i2"]));
    let mut portions: Vec<Vec<Sent>> = feeds.chunks(feeds.len().div_ceil(16)).map(<[Sent]>::to_vec).collect();
    for portion in &mut portions {
        let fed: BTreeSet<_> = portion.iter().map(|(feed, _)| feed.clone()).collect();
        portion.extend(fed.into_iter().map(|feed| (feed, "the end".to_owned())));
    }
    portions
}

/// How many records come in that are no replay of an earlier one.
pub(crate) fn distinct(sent: &[Sent], seen: &mut BTreeSet<Sent>) -> usize {
    sent.iter().filter(|event| event.1 == "the end" || seen.insert((*event).clone())).count()
}

#[test]
fn killed_again_and_again_it_says_what_it_would_have_said() {
    let portions = portions();
    let (mut seen, mut total) = (BTreeSet::new(), 0);
    let calm = Deployed::new();
    let mut daemon = calm.start();
    for portion in &portions {
        total += distinct(portion, &mut seen);
        calm.publish_all(portion);
        calm.wait_for(&mut daemon, total);
    }
    assert_eq!(daemon.terminate().code(), Some(0));

    let (mut seen, mut total) = (BTreeSet::new(), 0);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let killed = Deployed::with(&[("batch_records", "batch_records = 3")]);
    let mut daemon = killed.start();
    for portion in &portions {
        killed.publish_all(portion);
        let more = distinct(portion, &mut seen);
        killed.wait_for(&mut daemon, total + random.random_range(0..=more));
        total += more;
        daemon.kill();
        daemon = killed.start();
    }
    for house in [&calm, &killed] {
        house.publish("police", &["the very end"]);
    }
    let mut last = calm.start();
    calm.wait_for(&mut last, total + 1);
    assert_eq!(last.terminate().code(), Some(0));
    killed.wait_for(&mut daemon, total + 1);
    assert_eq!(daemon.terminate().code(), Some(0));

    same_as_calm(&calm, &killed, &portions);
}

/// The deployment that was killed says what the other says: nothing lost, nothing twice. Both had the portions and one more.
pub(crate) fn same_as_calm(calm: &Deployed, killed: &Deployed, portions: &[Vec<Sent>]) {
    let published = portions.iter().map(Vec::len).sum::<usize>() + 1;
    let (one, other) = (calm.outcomes(), killed.outcomes());
    assert_eq!((one.read, other.read), (published as u64, published as u64));
    assert_eq!((one.rejected, one.duplicate), (other.rejected, other.duplicate));
    for (recipient, desk) in calm.desks() {
        let other = killed.subscribe(recipient.as_str());
        assert_eq!(other.list, desk.list, "{recipient}");
        // `live` refuses an alert that comes twice and a correction of what was never said.
        let (live, other) = (said(desk.live()), said(other.live()));
        // Whoever has a caseload may hear a little more or less while a case is open, as portions fall; what everybody
        // heard is held to the audit below.
        assert!(live == other || recipient.as_str() != "high_harm_team", "{live:?} {other:?}");
    }
    for feed in one_of_each(portions) {
        let places = |house: &Deployed| -> Vec<(u64, String)> {
            let rejections = house.rejections(&feed);
            let place = |rejection: &Value| rejection["offset"].as_u64().expect("an offset");
            rejections.iter().map(|rejection| (place(rejection), text(&rejection["code"]).to_owned())).collect()
        };
        let (one, other) = (places(calm), places(killed));
        assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), one.len(), "{feed}: each rejection once");
        assert_eq!(one, other, "{feed}");
    }
    for house in [calm, killed] {
        let chain: Vec<_> = house.topic(AUDIT_TOPIC).into_iter().filter_map(|record| record.value).collect();
        audit::verify(&chain, None).expect("an unbroken chain");
        let lines: Vec<_> = chain.iter().map(|line| AuditRecord::read(line).expect("as written")).collect();
        told_once(&lines, messages(house));
        assert_eq!(house.run(&["audit", "verify"]).code, 0);
    }
}

/// Every message that stands on a recipient's topics: to whom, whether on its list, and its key.
fn messages(house: &Deployed) -> Vec<(PartyId, bool, String)> {
    let recipients = Agreement::check(&AGREEMENT).expect("the agreement is in order").recipients;
    let mut messages = Vec::new();
    for recipient in recipients.into_iter().map(|recipient| recipient.party) {
        for (topic, on_list) in [("alerts", false), ("list", true)] {
            let records = house.topic(&topic_name(topic, &recipient)).into_iter();
            let key = |key: Vec<u8>| String::from_utf8(key).expect("a text");
            messages.extend(records.map(|record| (recipient.clone(), on_list, key(record.key))));
        }
    }
    messages
}

/// What alerts say beside their ids, which tell how often something was raised and taken back on the way.
fn said(live: BTreeMap<String, Value>) -> Vec<String> {
    let without_id = live.into_values().map(|mut body| {
        body.as_object_mut().and_then(|body| body.remove("alert_id")).expect("an alert has an id");
        body.to_string()
    });
    let mut said: Vec<_> = without_id.collect();
    said.sort();
    said
}

fn one_of_each(portions: &[Vec<Sent>]) -> BTreeSet<String> {
    portions.iter().flatten().map(|(feed, _)| feed.to_string()).collect()
}

/// One line of a bad file, and what must become of it: a code, or an outcome in lower case.
type Bad = (&'static str, Vec<u8>, &'static str);

fn bad_lines() -> Vec<Bad> {
    let good = || envelope("b1 police.incident 2025-03-01 victim=sarah perpetrator=dean").1;
    let changed = |id: &str, pointer: &str, value: Value| -> Vec<u8> {
        let mut event = good();
        event["id"] = json!(id);
        *event.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        event.to_string().into_bytes()
    };
    let without = |pointer: &str, name: &str| -> Vec<u8> {
        let mut event = good();
        event.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object").remove(name).expect("a member");
        event.to_string().into_bytes()
    };
    let text = || good().to_string();
    let born = "/data/persons/0/identity/date_of_birth";
    let sent = |line: &str| event(line).1.into_bytes();
    vec![
        ("cut off", text().as_bytes()[..200].to_vec(), "EVT-003"),
        ("not JSON", b"Sarah Whitcombe, 17.4.1988".to_vec(), "EVT-003"),
        ("two in a line", (text() + &text()).into_bytes(), "EVT-003"),
        ("Latin-1", text().replace("Whitcombe", "Whitc\u{f6}mbe").chars().map(|c| c as u32 as u8).collect(), "EVT-002"),
        ("UTF-16", text().replace('W', "\u{d6}").encode_utf16().flat_map(u16::to_le_bytes).collect(), "EVT-002"),
        ("a byte order mark", ["\u{feff}".as_bytes(), &changed("b14", "/id", json!("b14"))].concat(), "accepted"),
        ("ten megabytes", text().replace("Whitcombe", &"Whitcombe".repeat(1_200_000)).into_bytes(), "EVT-001"),
        ("nested without end", "[".repeat(100_000).into_bytes(), "EVT-004"),
        ("a property twice", text().replacen("{", r#"{"id":"Whitcombe","#, 1).into_bytes(), "EVT-005"),
        ("no object", b"[\"Whitcombe\"]".to_vec(), "EVT-010"),
        ("no envelope", without("", "specversion"), "EVT-010"),
        ("unknown type", changed("b2", "/type", json!("uk.priorityd.police.whitcombe.v1")), "EVT-011"),
        ("a type of another feed", changed("b3", "/type", json!("uk.priorityd.crc.order_start.v1")), "EVT-012"),
        ("another's source", changed("b4", "/source", json!("urn:priorityd:crc")), "EVT-013"),
        ("no time", without("/data", "occurred_at"), "EVT-020"),
        ("a number for a name", changed("b5", "/data/persons/0/identity/family_name", json!(19_880_417)), "EVT-021"),
        ("a role that is none", changed("b6", "/data/persons/0/role", json!("Whitcombe")), "EVT-022"),
        ("30 February", changed("b7", "/data/occurred_at", json!("2025-02-30T12:00:00Z")), "EVT-030"),
        ("a birthday that is none", changed("b8", born, json!("1988-04-31")), "EVT-030"),
        ("recorded in the future", changed("b9", "/data/recorded_at", json!("2099-01-01T00:00:00Z")), "EVT-031"),
        ("another partnership", changed("b10", "/data/scope", json!("southampton")), "EVT-040"),
        (
            "supersedes itself",
            changed("b11", "/data", {
                let mut data = good()["data"].take();
                data["supersedes"] = json!("b11");
                data
            }),
            "EVT-051",
        ),
        (
            "a check letter that fails",
            changed("b12", "/data/persons/1/identity/pnc_id", json!("2003/0123456A")),
            "accepted",
        ),
        (
            "a field that we do not know",
            changed("b13", "/data/persons/0/identity", {
                let mut identity = good()["data"]["persons"][0]["identity"].take();
                identity["whitcombe"] = json!("Whitcombe");
                identity
            }),
            "accepted",
        ),
        ("an event", text().into_bytes(), "accepted"),
        ("its replay", text().into_bytes(), "duplicate"),
        ("its id for something else", changed("b1", "/data/children_present", json!("yes")), "EVT-050"),
        (
            "an amendment before its original",
            sent("a1 police.amend 2025-04-01 recorded=2025-04-09 supersedes=late amended_type=incident victim=sarah"),
            "accepted",
        ),
        ("a cancellation before its original", sent("x1 police.cancel 2025-04-02 supersedes=later"), "accepted"),
        ("the original after its amendment", sent("late police.incident 2025-04-01 victim=kelly"), "superseded"),
        ("the original after its cancellation", sent("later police.incident 2025-04-02 victim=kelly"), "superseded"),
        ("the end", sent("z1 police.incident 2025-04-03 victim=priya"), "accepted"),
    ]
}

#[test]
fn every_bad_line_has_one_outcome_and_is_answered_without_its_contents() {
    let house = Deployed::new();
    let bad = bad_lines();
    let payloads: Vec<_> = bad.iter().map(|(_, line, _)| line).collect();
    let mut daemon = house.start();
    house.publish("police", &payloads);
    house.wait_for(&mut daemon, bad.len() - 1);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());

    let rejections = house.rejections("police");
    let answered: Vec<_> =
        rejections.iter().map(|rejection| (rejection["offset"].as_u64(), text(&rejection["code"]))).collect();
    let expected: Vec<_> = (bad.iter().enumerate())
        .filter(|(_, (_, _, outcome))| outcome.starts_with("EVT"))
        .map(|(offset, (_, _, code))| (Some(offset as u64), *code))
        .collect();
    assert_eq!(answered, expected);
    let counts = house.outcomes();
    let count = |outcome: &str| bad.iter().filter(|(_, _, expected)| *expected == outcome).count() as u64;
    assert_eq!(counts.read, bad.len() as u64);
    assert_eq!((counts.accepted, counts.rejected), (count("accepted"), expected.len() as u64));
    assert_eq!((counts.duplicate, counts.superseded), (count("duplicate"), count("superseded")));
    for rejection in &rejections {
        let fields: BTreeSet<_> = rejection.as_object().expect("an object").keys().map(String::as_str).collect();
        assert!(["code", "path", "rule", "help"].iter().all(|field| fields.contains(field)), "{rejection}");
        assert!(!text(&rejection["rule"]).is_empty() && !text(&rejection["help"]).is_empty());
    }
    let said = json!(rejections).to_string() + &house.log();
    for never in ["hitc", "Sarah", "1988", "04-31", "02-30", "PO4", "Kestrel", "POLICE~", "southampton", "0123456A"] {
        assert!(!said.contains(never), "{never}");
    }
}

#[test]
fn two_daemons_on_one_file_are_one_too_many() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(CASES));
    house.wait_for(&mut daemon, 2);
    let second = house.run(&["run"]);
    assert_eq!(second.code, 69, "{}", second.err);
    assert!(second.err.contains("another daemon"), "{}", second.err);
    assert!(daemon.is_alive());
    house.publish("police", &lines(&events(&[INCIDENT])));
    house.wait_for(&mut daemon, 3);
    assert_eq!(daemon.terminate().code(), Some(0));
}

/// A new model is taken over by a register that another one made: nothing is sent again, and every reader ends with what a
/// deployment has that never knew another.
#[test]
fn a_new_model_links_the_register_anew() {
    let city = City { bad_share: 0.0, ..City::new(11, 300, 2) }.play();
    let distinct = city.truth.events.iter().filter(|event| event.nature != Nature::Duplicate).count();
    let lists = |house: &Deployed| ["idva", "stop_domestic_abuse", "up2u"].map(|reader| house.subscribe(reader).list);
    let house = Deployed::new();
    house.publish_all(&city.feeds);
    let mut daemon = house.start();
    house.wait_for(&mut daemon, distinct);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    let before = lists(&house);
    // In so large a place hardly anybody is linked by a name alone.
    let config = fs::read_to_string(house.path("priorityd.toml")).expect("text");
    let config = format!("linkage_population = 1000000000\n{config}");
    let fresh = Deployed::new();
    fresh.publish_all(&city.feeds);
    for changed in [&house, &fresh] {
        fs::write(changed.path("priorityd.toml"), &config).expect("written");
        changed.publish_all(&events(&[INCIDENT]));
        let mut daemon = changed.start();
        changed.wait_for(&mut daemon, distinct + 1);
        assert_eq!(daemon.terminate().code(), Some(0), "{}", changed.log());
    }
    assert_eq!(lists(&house), lists(&fresh));
    assert_ne!(lists(&house), before, "another model, another list");
    let changes = house.run(&["audit", "export"]).out;
    assert!(changes.contains("model.changed") && changes.contains("cluster.split"), "the difference is on record");
    let verified = house.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}

/// Whoever steals the log and no key cannot even count how often a token occurs, nor a name.
#[test]
fn a_stolen_log_shows_no_token() {
    let city = City { bad_share: 0.0, ..City::new(5, 300, 2) }.play();
    let distinct = city.truth.events.iter().filter(|event| event.nature != Nature::Duplicate).count();
    let house = Deployed::new();
    house.publish_all(&city.feeds);
    let mut daemon = house.start();
    house.wait_for(&mut daemon, distinct);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    // Eight bytes that stand in the rows of several records, as a token of a name that several people have does.
    let repeated = |rows: BTreeMap<Vec<u8>, Vec<u8>>| {
        let mut seen: BTreeMap<[u8; 8], usize> = BTreeMap::new();
        for (_, value) in rows.iter().filter(|(key, _)| key[0] == RowKind::Record as u8) {
            let windows: BTreeSet<[u8; 8]> = value
                .windows(8)
                .map(|bytes| bytes.try_into().expect("eight"))
                .filter(|bytes| *bytes != [0; 8])
                .collect();
            windows.into_iter().for_each(|bytes| *seen.entry(bytes).or_default() += 1);
        }
        assert!(seen.len() > 10_000, "there are records");
        seen.values().filter(|records| **records > 1).count()
    };
    assert!(repeated(house.opened_register()) > 1_000, "the register knows people by their tokens");
    assert_eq!(repeated(house.register()), 0);
    // Under another key, the register is refused.
    fs::remove_file(house.path("keys/register.1.jwk.json")).expect("it was there");
    let ring = house.path("keys").display().to_string();
    assert_eq!(priorityd(&["keys", "new", "register", "--ring", &ring]).code, 0);
    let ran = house.run(&["run"]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("a row of the register cannot be opened"), "{}", ran.err);
}

#[test]
fn nobody_reads_with_another_key() {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(&[CASES, &[INCIDENT]].concat()));
    house.wait_for(&mut daemon, 3);
    assert_eq!(daemon.terminate().code(), Some(0));
    let up2u = house.key("up2u");
    let refused = house.run(&["subscribe", "--recipient", "idva", "--key", &up2u]);
    assert_eq!((refused.code, refused.out.as_str()), (77, ""));
    assert!(refused.err.contains("up2u") && refused.err.contains("idva"), "{}", refused.err);
    fs::set_permissions(&up2u, Permissions::from_mode(0o644)).expect("set");
    let refused = house.run(&["subscribe", "--recipient", "up2u", "--key", &up2u]);
    assert_eq!((refused.code, refused.out.as_str()), (78, ""));
    assert!(refused.err.contains("chmod 600"), "{}", refused.err);
    // Signed by somebody whom the service does not trust.
    let stranger = house.path("stranger");
    let ring = stranger.display().to_string();
    assert_eq!(priorityd(&["keys", "new", "all", "--scope", "portsmouth", "--ring", &ring]).code, 0);
    let signers = stranger.join("signing.jwks.json").display().to_string();
    let idva = house.key("idva");
    let refused = house.run(&["subscribe", "--recipient", "idva", "--key", &idva, "--signers", &signers]);
    assert_eq!(refused.code, 65);
    assert!(refused.err.contains("unknown key") && !refused.out.contains("Ashgrove"), "{}", refused.err);
}

#[test]
fn exit_codes_say_what_kind_of_failure_it_is() {
    let house = Deployed::with(&[("listen", "listen = \"127.0.0.1:1\"")]);
    let nowhere = house.path("nowhere").display().to_string();
    for (words, code) in [
        (vec!["check"], 0),
        (vec!["run", "--unknown"], 2),
        (vec!["publish", "--feed", "police", &nowhere], 65),
        (vec!["healthcheck"], 69),
        (vec!["publish", "--feed", "nobody", "-"], 78),
        (vec!["check", "--feed", "nobody", "--events", &nowhere], 78),
        (vec!["subscribe", "--recipient", "up2u", "--key", &nowhere], 78),
    ] {
        let ran = house.run(&words);
        assert_eq!(ran.code, code, "{words:?}: {}", ran.err);
        assert_eq!(ran.err.is_empty(), code == 0, "{words:?}");
    }
    assert_eq!(priorityd(&["run", "--config", &nowhere]).code, 78);
    assert_eq!(priorityd(&[]).code, 2);
    assert_eq!(priorityd(&["--help"]).code, 0);
}

#[test]
fn check_tells_everything_at_once() {
    let house = Deployed::with(&[("batch_records", "batch_records = 0"), ("log_level", "log_level = \"loud\"")]);
    let agreement = house.path("agreement.toml");
    let text = fs::read_to_string(&agreement).expect("read");
    let text = text.replace("valid_from = 2020-01-01", "valid_from = \"soon\"");
    fs::write(&agreement, text).expect("written");
    let policy = house.path("policies/everybody.cedar");
    let text = fs::read_to_string(&policy).expect("read");
    fs::write(&policy, text.replacen("Role::\"perpetrator\"", "Role::\"culprit\"", 1)).expect("written");
    fs::set_permissions(house.path("keys/vault.1.jwk.json"), Permissions::from_mode(0o644)).expect("set");
    let checked = house.run(&["check"]);
    assert_eq!(checked.code, 78);
    for told in ["batch_records", "log_level", "valid_from", "everybody.cedar: policy ALL-1", "vault.1.jwk.json"] {
        assert!(checked.err.contains(told), "nothing of {told}:\n{}", checked.err);
    }
    assert!(!checked.err.contains("soon") && !checked.err.contains("loud"), "no value is repeated");
}

#[test]
fn check_names_the_lines_of_bad_events() {
    let house = Deployed::new();
    let good = event(INCIDENT).1;
    let future = good.replace("2025-03-01T12:00:00Z", "2025-02-30T12:00:00Z");
    let unknown = good.replacen("\"family_name\"", "\"surname_of\":\"Whitcombe\",\"family_name\"", 1);
    let file = house.path("events.ndjson");
    fs::write(&file, [good.as_str(), &future, "", "{", &unknown].join("\n")).expect("written");
    let name = file.display().to_string();
    let checked = house.run(&["check", "--feed", "police", "--events", &name]);
    assert_eq!(checked.code, 1, "{}", checked.err);
    for told in [format!("{name}:2: EVT-030"), format!("{name}:4: EVT-003"), format!("{name}:5: EVT-025")] {
        assert!(checked.err.contains(&told), "nothing of {told}:\n{}", checked.err);
    }
    assert!(!checked.err.contains(&format!("{name}:1:")) && !checked.err.contains("Whitcombe"), "{}", checked.err);
    fs::write(&file, good).expect("written");
    assert_eq!(house.run(&["check", "--feed", "police", "--events", &name]).code, 0);
    assert!(!house.path("data").exists(), "a check touches no log");
}

/// A file that has lost its line feeds must not fill the memory: it may be larger than that.
#[test]
fn a_line_without_an_end_is_refused_by_its_number_and_what_was_before_it_is_published() {
    let house = Deployed::new();
    let file = house.path("events.ndjson");
    let other = event("i2 police.incident 2025-03-02 victim=kelly perpetrator=mark").1;
    fs::write(&file, format!("{}\n{other}\n", event(INCIDENT).1)).expect("written");
    let endless = fs::OpenOptions::new().append(true).open(&file).expect("opens");
    endless.set_len(256 << 20).expect("a hole of zeros");
    let name = file.display().to_string();
    let handed_over = house.path("handed-over").display().to_string();
    let made = house.keys(&["new", "intake", "--party", "police", "--out", &handed_over]);
    assert_eq!(made.code, 0, "{}", made.err);
    for key in fs::read_dir(&handed_over).expect("a folder") {
        let key = key.expect("listed");
        fs::rename(key.path(), house.path("keys").join(key.file_name())).expect("moved");
    }
    let told = format!("{name}: line 3: it is longer than the 16777216 bytes");
    for words in [
        vec!["publish", "--feed", "police", &name],
        vec!["check", "--feed", "police", "--events", &name],
        vec!["pseudonymise", "--feed", "police", &name],
        vec!["audit", "--file", &name, "verify"],
    ] {
        let ran = house.run(&words);
        assert_eq!(ran.code, 65, "{words:?}: {}", ran.err);
        assert!(ran.err.contains(&told), "{words:?}: {}", ran.err);
        assert_eq!(ran.err.contains("events before it that are published: 2,"), words[0] == "publish", "{}", ran.err);
    }
    let mut daemon = house.start();
    house.wait_for(&mut daemon, 2);
}

#[test]
fn an_event_that_is_too_large_only_with_its_headers_is_refused_by_its_line_too() {
    let house = Deployed::new();
    let file = house.path("events.ndjson");
    fs::write(&file, format!("{{}}\n{}\n{{}}\n", "x".repeat(16 << 20))).expect("written");
    let name = file.display().to_string();
    let ran = house.run(&["publish", "--feed", "police", &name]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    let told = "line 2: it is longer than the 16777216 bytes";
    assert!(ran.err.contains(told) && ran.err.contains("events before it that are published: 1,"), "{}", ran.err);
}

/// Whatever they name, no file fills the memory.
#[test]
fn files_beyond_their_bound_are_refused_by_name() {
    let house = Deployed::with(&[
        ("# intake", "intake = \"tokens-only\""),
        ("# frequencies", "frequencies = [\"frequencies.json\"]\nlinkage_model = \"model.toml\""),
        ("# refuge_addresses", "refuge_addresses = \"refuges.txt\""),
    ]);
    let huge = |file: &str| {
        let opened = fs::OpenOptions::new().append(true).create(true).open(house.path(file));
        opened.expect("opens").set_len(1 << 40).expect("a hole of zeros");
    };
    let told = |file: &str, most: &str| {
        let ran = house.run(&["check"]);
        assert_eq!(ran.code, 78, "{}", ran.err);
        assert!(ran.err.contains(&format!("{file}: it is larger than {most}")), "{file}: {}", ran.err);
    };
    ["model.toml", "frequencies.json", "refuges.txt"].into_iter().for_each(huge);
    told("model.toml", "1024 KiB");
    told("frequencies.json", "65536 KiB");
    told("refuges.txt", "1024 KiB");
    huge("agreement.toml");
    told("agreement.toml", "1024 KiB");
    huge("priorityd.toml");
    told("priorityd.toml", "1024 KiB");
}
