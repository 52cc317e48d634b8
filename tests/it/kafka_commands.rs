//! Our own commands on a real broker: the demonstration, and what README.md tells a newcomer to do.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use priorityd::log::feed_topic;
use priorityd::pipeline::AUDIT_TOPIC;
use priorityd::simulate::{City, Nature};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;

use crate::broker::Broker;
use crate::support::deployed::{Deployed, PATIENCE, Ran, priorityd};
use crate::support::events::event;

/// The cluster's topics whose names begin so.
fn topics(broker: &Broker, prefix: &str) -> Vec<String> {
    let mut config = ClientConfig::new();
    let probe: BaseConsumer = config.set("bootstrap.servers", broker.bootstrap()).create().expect("a client");
    let metadata = probe.fetch_metadata(None, Duration::from_secs(30)).expect("it answers");
    let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

#[test]
fn the_demonstration_gives_the_same_list_through_kafka() {
    let broker = Broker::shared();
    let demo = |more: &[&str]| -> Value {
        let words = ["demo", "--people", "400", "--months", "3", "--seed", "3", "--format", "json"];
        let Ran { code, out, err } = priorityd(&[&words, more].concat());
        assert_eq!((code, err.as_str()), (0, ""));
        serde_json::from_str(&out).expect("JSON")
    };
    let (embedded, kafka) = (demo(&[]), demo(&["--kafka", &broker.bootstrap()]));
    for part in ["list_digest", "events", "findings", "messages", "linkage", "clusters"] {
        assert_eq!(kafka[part], embedded[part], "{part}");
    }
    assert_eq!(topics(&broker, "priorityd-demo-"), [] as [String; 0], "it clears its topics away");
}

/// The commands of README.md, "On Kafka", without their comments.
fn words_of_the_readme() -> Vec<Vec<String>> {
    let readme = include_str!("../../README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("On Kafka\n")).expect("the section");
    let lines = section.lines().filter_map(|line| line.strip_prefix("priorityd "));
    let words = lines.map(|line| line.split('#').next().unwrap_or_default().split_whitespace().map(str::to_owned));
    words.map(Iterator::collect).collect()
}

#[test]
fn the_words_of_the_readme_work() {
    let broker = Broker::shared();
    let house = Deployed::on_kafka(&broker, 6);
    let lines = [
        "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
        "i2 police.incident 2025-04-01 victim=sarah perpetrator=dean",
    ];
    fs::write(house.path("today.ndjson"), lines.map(|line| event(line).1).join("\n")).expect("written");
    fs::create_dir(house.path("handover")).expect("made");
    fs::copy(house.key("idva"), house.path("handover/idva.jwk.json")).expect("copied");
    house.publish_all(&[event("k1 idva.caseload_entry 2024-01-02 victim=sarah")]);
    let mut daemon = None;
    let mut seen = Vec::new();
    for words in words_of_the_readme() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        seen.push(words[0].to_owned());
        if words == ["run"] {
            daemon = Some(house.start());
            continue;
        }
        if words[0] == "subscribe" {
            house.wait_for(daemon.as_mut().expect("it runs"), 3);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ran = house.run(&words);
            let expected = match words[0] {
                "topics" => "0 changes",
                "publish" => "published 2 to feeds of police",
                "subscribe" => "uk.priorityd.alert.v1",
                "review" => "open question",
                _ => "head ",
            };
            // What was committed to one topic may be seen before what was committed to another.
            if (ran.code, ran.err.as_str()) == (0, "") && ran.out.contains(expected) {
                break;
            }
            assert!(Instant::now() < deadline, "{words:?}: {ran:?}");
        }
    }
    assert_eq!(seen, ["topics", "topics", "run", "publish", "subscribe", "review", "audit"]);
    assert_eq!(daemon.expect("it was started").terminate().code(), Some(0), "{}", house.log());
}

/// A client that keys by something else, or has another partitioner than Java's, does not part a person in two: what it
/// publishes is sent on to where its scope's records meet.
#[test]
fn records_in_a_wrong_partition_are_sent_on_to_their_scopes() {
    let broker = Broker::shared();
    let city = City { bad_share: 0.0, ..City::new(9, 200, 2) }.play();
    let distinct = city.truth.events.iter().filter(|event| event.nature != Nature::Duplicate).count();
    let embedded = Deployed::new();
    embedded.publish_all(&city.feeds);
    let mut daemon = embedded.start();
    embedded.wait_for(&mut daemon, distinct);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", embedded.log());

    let house = Deployed::on_kafka(&broker, 3);
    let mut config = ClientConfig::new();
    let producer: BaseProducer = config.set("bootstrap.servers", broker.bootstrap()).create().expect("a producer");
    for (at, (feed, line)) in city.feeds.iter().enumerate() {
        let topic = format!("{}{}", house.prefix(), feed_topic(feed));
        let partition = i32::try_from(at % 3).expect("small");
        let record = BaseRecord::<(), str>::to(&topic).payload(line.as_str()).partition(partition);
        producer.send(record).map_err(|(error, _)| error).expect("queued");
    }
    producer.flush(PATIENCE).expect("delivered");
    let mut daemon = house.start();
    house.wait_for(&mut daemon, distinct);
    assert_eq!(daemon.terminate().code(), Some(0), "{}", house.log());
    assert!(house.log().contains("were sent on"), "{}", house.log());
    let lists =
        |house: &Deployed| house.desks().into_iter().map(|(party, desk)| (party, desk.list)).collect::<Vec<_>>();
    assert_eq!(lists(&house), lists(&embedded));
    let figures = |house: &Deployed| {
        let ran = house.run(&["report", "--format", "json", "--as-of", "2026-02-01"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        ran.out
    };
    let ours = figures(&house);
    assert_eq!(ours, figures(&embedded));
    let told = |rest: &str| rest.starts_with(|first: char| first.is_ascii_digit());
    assert!(ours.split("\"count\": ").skip(1).any(told), "nothing to compare: {ours}");
    let records = house.topic(AUDIT_TOPIC).into_iter();
    let collected = records.filter(|record| {
        let line: Value = serde_json::from_slice(record.value.as_deref().unwrap_or_default()).expect("JSON");
        line["kind"] == "collection"
    });
    let homes: BTreeSet<i32> = collected.map(|record| record.partition).collect();
    assert_eq!(homes.len(), 1, "one scope has one register");
}
