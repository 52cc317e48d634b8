//! The kits of `deploy/clients` on a real broker: what vendors copy publishes, reads, opens and answers, in Python and in
//! Node, and agrees with our own commands on keys, partitions and headers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use priorityd::log::topic_name;
use priorityd::pipeline::AUDIT_TOPIC;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::{Value, json};

use crate::broker::Broker;
use crate::jose::Client;
use crate::support::deployed::{Daemon, Deployed, PATIENCE};
use crate::support::events::{envelope, party};

const PARTITIONS: u32 = 3;

fn read_json(path: impl AsRef<std::path::Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("it can be read")).expect("JSON")
}

fn event(line: &str) -> Value {
    envelope(line).1
}

/// A deployment and the broker that it runs on.
struct House {
    broker: std::sync::Arc<Broker>,
    deployed: Deployed,
}

impl House {
    fn new() -> Self {
        let broker = Broker::shared();
        let deployed = Deployed::on_kafka(&broker, PARTITIONS);
        Self { broker, deployed }
    }

    /// Gives a kit a task on this cluster.
    fn ask(&self, client: Client, mut task: Value) -> Vec<Value> {
        task["bootstrap"] = json!(self.broker.bootstrap());
        task["prefix"] = json!(self.deployed.prefix());
        client.run(&task)
    }

    fn publish(&self, client: Client, feed: &str, binary: bool, events: &[Value]) {
        self.ask(client, json!({"do": "publish", "party": feed, "binary": binary, "events": events}));
    }

    /// How many messages there are for a service, once all that the audit speaks of can be read.
    fn messages_for(&self, service: &str) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let audit = self.deployed.values(AUDIT_TOPIC);
            let told = audit.iter().filter(|line| line["kind"] == "disclosure" && line["body"]["recipient"] == service);
            let count = |kind| self.deployed.topic(&topic_name(kind, &party(service))).len();
            let (told, there) = (told.count(), count("alerts") + count("list"));
            if told == there {
                return there;
            }
            assert!(Instant::now() < deadline, "{there} of {told} messages for {service}");
        }
    }

    /// What a service knows that reads with a kit; the same as it knows from our own command.
    fn desk(&self, client: Client, service: &str, acknowledging: Option<&str>) -> Value {
        let count = self.messages_for(service);
        let signers = read_json(self.deployed.path("keys/signing.jwks.json"));
        let mut task = json!({
            "do": "desk", "party": service, "key": read_json(self.deployed.key(service)), "signers": signers, "count": count,
            "heartbeats": PARTITIONS,
        });
        if let Some(action) = acknowledging {
            task["acknowledging"] = json!(action);
        }
        let desk = self.ask(client, task).remove(0);
        let ours = self.deployed.subscribe(service);
        let of_type = |kind: &str| -> BTreeMap<String, Value> {
            let events = ours.inbox.iter().filter(|event| event["type"] == kind);
            events.map(|event| (event["id"].as_str().expect("an id").to_owned(), event["data"].clone())).collect()
        };
        assert_eq!(desk["alerts"], json!(of_type("uk.priorityd.alert.v1")), "{client:?}");
        assert_eq!(desk["corrections"], json!(of_type("uk.priorityd.correction.v1")), "{client:?}");
        assert_eq!(desk["list"], json!(ours.list), "{client:?}");
        // Heartbeats are opened and compared with the list; the first ones speak of a list without entries.
        let heartbeats = desk["heartbeats"].as_array().expect("an array");
        assert_eq!(heartbeats.len(), PARTITIONS as usize);
        for said in heartbeats.iter().filter(|said| said["entries"] == 0) {
            assert!(said["next_by"].is_string());
            assert!(said["complete"] == true || !ours.list.is_empty(), "{client:?}: {said}");
        }
        desk
    }

    fn wait_for(&self, daemon: &mut Daemon, records: usize) {
        self.deployed.wait_for(daemon, records);
    }
}

fn entries(part: &Value) -> usize {
    part.as_object().expect("an object").len()
}

fn an_agency_and_two_services_with(client: Client) {
    let house = House::new();
    let mut daemon = house.deployed.start();
    let mut nonsense = event("i9 police.incident 2025-04-02 victim=sarah perpetrator=dean");
    nonsense["type"] = json!("uk.priorityd.police.nonsense.v1");
    house.publish(client, "idva", true, &[event("k1 idva.caseload_entry 2024-01-02 victim=sarah")]);
    house.publish(
        client,
        "police",
        false,
        &[event("i1 police.incident 2025-03-01 victim=sarah perpetrator=dean"), nonsense],
    );
    house.publish(client, "police", true, &[event("i2 police.incident 2025-04-01 victim=sarah perpetrator=dean")]);
    house.wait_for(&mut daemon, 4);

    // What was rejected comes back to who sent it, and repeats nothing.
    let topic = format!("{}rejections.police.v1", house.deployed.prefix());
    let rejected = house.ask(client, json!({"do": "read", "party": "police", "topics": [topic], "count": 1})).remove(0);
    let text = rejected["value"].as_str().expect("a text");
    let rejection: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(rejection["path"], "/type", "{client:?}: {text}");
    assert!(!text.contains("nonsense"));

    let told = house.desk(client, "idva", Some("contacted"));
    assert!(entries(&told["alerts"]) > 0 && entries(&told["corrections"]) == 0, "{client:?}: {told}");
    let listed = house.desk(client, "high_harm_team", None);
    assert!(entries(&listed["list"]) > 0 && listed["tombstones"] == 0, "{client:?}: {listed}");
    // The answer to the alert was taken in, beside the caseload.
    house.wait_for(&mut daemon, 5);
    let taken = house.deployed.values(AUDIT_TOPIC);
    let of_idva = taken.iter().filter(|line| line["kind"] == "collection" && line["body"]["agency"] == "idva");
    assert_eq!(of_idva.count(), 2, "{client:?}");
    assert!(house.deployed.rejections("idva").is_empty());

    // What is taken back is taken back everywhere.
    let cancel = ["x1 police.cancel 2025-05-01 supersedes=i1", "x2 police.cancel 2025-05-01 supersedes=i2"].map(event);
    house.publish(client, "police", false, &cancel);
    house.wait_for(&mut daemon, 7);
    let corrected = house.desk(client, "idva", None);
    assert_eq!(entries(&corrected["corrections"]), entries(&corrected["alerts"]), "{client:?}");
    let emptied = house.desk(client, "high_harm_team", None);
    assert!(entries(&emptied["list"]) == 0 && emptied["tombstones"].as_u64() > Some(0), "{client:?}: {emptied}");

    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.deployed.log());
    let verified = house.deployed.run(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}

#[test]
fn an_agency_and_two_services_in_python() {
    an_agency_and_two_services_with(Client::Jwcrypto);
}

#[test]
fn an_agency_and_two_services_in_node() {
    an_agency_and_two_services_with(Client::Node);
}

/// A record as any consumer sees it.
struct Plain {
    partition: i32,
    key: String,
    headers: BTreeMap<String, String>,
    value: Value,
}

/// The first `count` records of a topic, read by somebody who knows nothing of us.
fn plain_records(bootstrap: &str, topic: &str, count: usize) -> Vec<Plain> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "plain").set("isolation.level", "read_committed");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut places = TopicPartitionList::new();
    for partition in 0..i32::try_from(PARTITIONS).expect("few") {
        places.add_partition_offset(topic, partition, Offset::Beginning).expect("a place");
    }
    consumer.assign(&places).expect("assigns");
    let (mut records, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while records.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records", records.len());
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.expect("a record");
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.expect("it is there").to_vec()).expect("text");
        let headers = record.headers().map(|headers| headers.iter().map(|one| (one.key.to_owned(), text(one.value))));
        records.push(Plain {
            partition: record.partition(),
            key: text(record.key()),
            headers: headers.into_iter().flatten().collect(),
            value: serde_json::from_str(&text(record.payload())).expect("JSON"),
        });
    }
    records
}

#[test]
fn whoever_publishes_a_scope_has_one_partition_and_the_headers_say_the_mode() {
    let house = House::new();
    let scopes = ["portsmouth", "southampton", "gosport", "fareham", "havant", "eastleigh"];
    let events: Vec<Value> = (scopes.iter())
        .map(|scope| {
            let mut event = event("i1 police.incident 2025-03-01 victim=sarah perpetrator=dean");
            event["data"]["scope"] = json!(scope);
            event
        })
        .collect();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let file = house.deployed.path("events.ndjson");
    std::fs::write(&file, lines.join("\n")).expect("written");
    for mode in ["structured", "binary"] {
        let words = ["publish", "--feed", "police", "--mode", mode, &file.display().to_string()];
        let ran = house.deployed.run(&words);
        assert_eq!((ran.code, ran.out.as_str()), (0, "published 6 to feeds of police\n"), "{}", ran.err);
        Client::KITS.iter().for_each(|client| house.publish(*client, "police", mode == "binary", &events));
    }
    let topic = format!("{}feeds.police.v1", house.deployed.prefix());
    let records = plain_records(&house.broker.bootstrap(), &topic, 6 * events.len());
    let mut partitions: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    let mut modes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for record in &records {
        partitions.entry(&record.key).or_default().insert(record.partition);
        let event = &events[scopes.iter().position(|scope| *scope == record.key).expect("a scope")];
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        let content_type = record.headers["content-type"].as_str();
        if content_type == "application/json" {
            for (name, value) in event.as_object().expect("an object").iter().filter(|(name, _)| *name != "data") {
                headers.insert(format!("ce_{name}"), value.as_str().expect("a text").to_owned());
            }
            assert_eq!(record.value, event["data"]);
        } else {
            assert_eq!(content_type, "application/cloudevents+json");
            assert_eq!(record.value, *event);
        }
        headers.insert("content-type".to_owned(), content_type.to_owned());
        assert_eq!(record.headers, headers);
        *modes.entry((&record.key, content_type)).or_default() += 1;
    }
    assert!(modes.len() == 2 * scopes.len() && modes.values().all(|count| *count == 3), "{modes:?}");
    assert!(partitions.values().all(|places| places.len() == 1), "{partitions:?}");
    assert!(partitions.values().flatten().collect::<BTreeSet<_>>().len() > 1, "{partitions:?}");
}

#[test]
fn a_service_reads_in_java_with_kafkas_own_client() {
    let house = House::new();
    let mut daemon = house.deployed.start();
    house.deployed.publish_all(&crate::support::events::events(&[
        "k1 idva.caseload_entry 2024-01-02 victim=sarah",
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "i2 police.crime 2025-04-01 victim=sarah perpetrator=dean",
    ]));
    house.deployed.wait_for(&mut daemon, 3);
    house.messages_for("idva");
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = root.join(std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned()));
    let classes = tempfile::tempdir().expect("a temporary directory");
    let libraries = target.join("tests/kafka/libs").display().to_string();
    let compiled = std::process::Command::new("javac")
        .args(["-Xlint:all", "-Werror", "-proc:none", "-cp", &format!("{libraries}/*"), "-d"])
        .arg(classes.path())
        .args(["Open.java", "Read.java"].map(|file| root.join("deploy/clients/java").join(file)))
        .output()
        .expect("javac is installed");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let settings = classes.path().join("client.properties");
    std::fs::write(&settings, format!("bootstrap.servers={}\n", house.broker.bootstrap())).expect("written");
    let topic = |kind| format!("{}{}", house.deployed.prefix(), topic_name(kind, &party("idva")));
    let read = std::process::Command::new("java")
        .args(["-cp", &format!("{libraries}/*:{}", classes.path().display()), "Read"])
        .arg(&settings)
        .args(["idva", &house.deployed.key("idva")])
        .arg(house.deployed.path("keys/signing.jwks.json"))
        .args([topic("alerts"), topic("list")])
        .output()
        .expect("java is installed");
    let (out, err) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
    assert!(read.status.success() && !err.contains("refused"), "{err}");
    let ids = |lines: &mut dyn Iterator<Item = Value>| -> BTreeSet<String> {
        lines.filter_map(|event| Some(event["id"].as_str()?.to_owned())).collect()
    };
    let in_java = ids(&mut out.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")));
    let desk = house.deployed.subscribe("idva");
    let ours = ids(&mut desk.inbox.into_iter());
    assert!(ours.len() >= 4 && in_java.is_superset(&ours) && in_java.len() > ours.len(), "{in_java:?} {ours:?}");
    assert_eq!(daemon.terminate().code(), Some(0));
}
