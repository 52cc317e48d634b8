//! Our own commands on a real broker: the demonstration, and what README.md tells a newcomer to do.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

use crate::broker::Broker;
use crate::support::deployed::{Ran, priorityd};

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
