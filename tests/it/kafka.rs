//! The log on a real Kafka: the common promises, and what only a cluster can do to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use priorityd::log::kafka::{KafkaClient, KafkaLog, KafkaSettings, REGISTER_TOPIC};
use priorityd::log::{Client, Header, Log, LogError, Polled, TopicRecord, Transaction, feed_topic};
use priorityd::model::ids::PartyId;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use zeroize::Zeroizing;

use crate::broker::{Broker, Topic};
use crate::conformance::{
    self, ALERTS, House, LIST, all, feeds, output, party, positions, publish, ready, restored, row, scope, take, values,
};

/// Topics and a group of our own on the shared broker.
struct Cluster {
    broker: Arc<Broker>,
    prefix: String,
}

impl Cluster {
    fn with_partitions(partitions: i32) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}.", NUMBER.fetch_add(1, Ordering::Relaxed));
        let broker = Broker::shared();
        let mut names: Vec<_> = feeds().iter().map(|feed| (feed_topic(feed), [].as_slice())).collect();
        names.push((LIST.into(), &[("cleanup.policy", "compact")]));
        names.push((REGISTER_TOPIC.into(), &[("cleanup.policy", "compact")]));
        // Smaller than what the producer lets through, so that the broker refuses in the middle of a transaction.
        names.push((ALERTS.into(), &[("max.message.bytes", "2000000")]));
        let topic = |(name, settings)| Topic { name: format!("{prefix}{name}"), partitions, settings };
        broker.create(&names.into_iter().map(topic).collect::<Vec<_>>());
        Self { broker, prefix }
    }

    fn new() -> Self {
        Self::with_partitions(1)
    }

    fn settings(&self, instance: &str) -> KafkaSettings {
        settings(&self.broker.bootstrap(), &self.prefix, instance)
    }

    fn open(&self, instance: &str) -> KafkaLog {
        KafkaLog::open(self.settings(instance), feeds()).expect("opens")
    }

    fn open_client(&self) -> KafkaClient {
        KafkaClient::new(self.settings("client"))
    }
}

fn settings(bootstrap: &str, prefix: &str, instance: &str) -> KafkaSettings {
    let mut settings = KafkaSettings::new(bootstrap, &format!("{prefix}group"), instance);
    settings.topic_prefix = prefix.into();
    settings.session_timeout = Duration::from_millis(2_000);
    settings.transaction_timeout = Duration::from_secs(10);
    settings
}

impl House for Cluster {
    fn log(&self) -> Box<dyn Log> {
        Box::new(self.open("one"))
    }

    fn client(&self) -> Box<dyn Client> {
        Box::new(self.open_client())
    }

    fn publish_with_headers(&self, feed: &PartyId, headers: Vec<Header>, payload: &[u8]) {
        let record = (headers, Zeroizing::new(payload.to_vec()));
        KafkaClient::new(self.settings("other")).publish_with_headers(feed, &scope(), &[record]).expect("publish");
    }

    fn poison(&self, transaction: &mut Transaction) {
        let value = Some(vec![0; 3_000_000]);
        transaction.outputs.push(TopicRecord { topic: ALERTS.into(), partition: 0, key: Vec::new(), value });
    }
}

#[test]
fn conforms() {
    conformance::suite(Cluster::new);
}
