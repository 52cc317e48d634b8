//! What a reader of committed records sees, and what there would be if nothing had ever gone wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use priorityd::audit::{self, Chain};
use priorityd::config::agreement::Agreement;
use priorityd::config::settings::Settings;
use priorityd::disclose::open::Opener;
use priorityd::keys::KeyRing;
use priorityd::keys::recipient::RecipientPrivateKey;
use priorityd::keys::signing::SignerKeys;
use priorityd::link::LinkageModel;
use priorityd::log::kafka::REGISTER_TOPIC;
use priorityd::log::{FeedRecord, feed_topic, topic_name};
use priorityd::model::ids::{PartyId, hex};
use priorityd::model::outcome::OutcomeCounts;
use priorityd::model::register::RowKind;
use priorityd::pipeline::{AUDIT_TOPIC, Engine, Now, Setup};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::fleet::Fleet;
use super::{PARTITIONS, PATIENCE};
use crate::support::deployed::opened_row;
use crate::support::hub::Desk;

type Record = (Vec<u8>, Option<Vec<u8>>);

/// The recipients' keys, and the hub's.
pub(super) struct Desks {
    ring: KeyRing,
    private: BTreeMap<PartyId, RecipientPrivateKey>,
    signers: SignerKeys,
}

impl Desks {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let parties = fleet.agreement.recipients.iter().map(|recipient| recipient.party.clone());
        let private = parties.map(|party| {
            let file = fleet.path("services").join(format!("{party}.jwk.json"));
            (party, RecipientPrivateKey::read(&file).expect("a private key"))
        });
        let signers = SignerKeys::read(&fleet.path("keys/signing.jwks.json")).expect("public keys");
        let ring = KeyRing::load(&fleet.path("keys")).expect("the ring is in order");
        Self { ring, private: private.collect(), signers }
    }

    /// What every service has read, from what `topic` holds. Each alert once, under its own key; what ends an entry of a
    /// list ends one that is there.
    fn read(&self, topic: impl Fn(&str) -> Vec<Record>) -> BTreeMap<PartyId, Desk> {
        self.private.iter().map(|(party, key)| (party.clone(), self.desk(party, key, &topic))).collect()
    }

    fn desk(&self, party: &PartyId, key: &RecipientPrivateKey, topic: impl Fn(&str) -> Vec<Record>) -> Desk {
        let mut opener = Opener::new(std::slice::from_ref(key), &self.signers, party);
        let mut open = |(key, value): Record| -> (String, Option<Value>) {
            let key = String::from_utf8(key).expect("a text");
            let event = value.map(|value| {
                let message = std::str::from_utf8(&value).expect("a compact message");
                let opened = opener.open(message, Timestamp::now()).expect("it can be opened");
                serde_json::from_slice::<Value>(opened.event()).expect("JSON")
            });
            assert!(event.as_ref().is_none_or(|event| event["id"] == key.as_str()), "{party}: another's key");
            (key, event)
        };
        let mut desk = Desk::default();
        let mut ids = std::collections::BTreeSet::new();
        for record in topic(&topic_name("alerts", party)) {
            let (id, event) = open(record);
            assert!(ids.insert(id), "{party}: an alert came twice");
            desk.inbox.push(event.expect("an alert is never a tombstone"));
        }
        // Also checks that no alert id came twice, and that a correction takes back one that came.
        desk.live();
        let latest: BTreeMap<_, _> = topic(&topic_name("list", party)).into_iter().collect();
        for record in latest {
            if let (entry, Some(mut event)) = open(record) {
                desk.list.insert(entry, event["data"].take());
            }
        }
        desk
    }
}

/// SHA-256 over the opened lists of all recipients in canonical JSON: objects by key, entries by pseudonym.
pub(super) fn list_digest(desks: &BTreeMap<PartyId, Desk>) -> String {
    let lists: BTreeMap<_, _> = desks.iter().map(|(party, desk)| (party.as_str(), &desk.list)).collect();
    hex(&Sha256::digest(serde_json::to_vec(&lists).expect("lists have a JSON form")))
}

/// What is committed on the cluster.
pub(super) struct Committed {
    pub(super) desks: BTreeMap<PartyId, Desk>,
    pub(super) outcomes: OutcomeCounts,
    pub(super) audit_lines: u64,
}

/// Reads everything that is committed and checks what must always hold: alerts once, chains unbroken up to the heads in
/// the register, counters that sum.
pub(super) fn committed(bootstrap: &str, desks: &Desks) -> Committed {
    let parties = desks.private.keys().flat_map(|party| ["alerts", "list"].map(|kind| topic_name(kind, party)));
    let topics: Vec<_> = parties.chain([AUDIT_TOPIC.to_owned(), REGISTER_TOPIC.to_owned()]).collect();
    let mut records = read(bootstrap, &topics);
    let (mut outcomes, mut audit_lines) = (OutcomeCounts::default(), 0);
    for partition in 0..PARTITIONS {
        let mut take = |topic: &str| records.remove(&(topic.to_owned(), partition)).unwrap_or_default();
        let (rows, lines) = (take(REGISTER_TOPIC), take(AUDIT_TOPIC));
        let mut head = None;
        for (key, value) in rows.into_iter().collect::<BTreeMap<_, _>>() {
            let Some(value) = value else { continue };
            let value = opened_row(&desks.ring, &key, &value);
            if key[0] == RowKind::Counters as u8 {
                add(&mut outcomes, postcard::from_bytes(&value).expect("counters"));
            } else if key[0] == RowKind::AuditHead as u8 {
                head = Some(Chain::resume(partition, Some(&value)).expect("a chain").head());
            }
        }
        let lines = lines.into_iter().map(|(_, line)| line.expect("an audit line is never a tombstone"));
        audit_lines += audit::verify(lines, head).unwrap_or_else(|faults| panic!("{partition}: {faults:?}")).records;
    }
    let of_topic = |name: &str| {
        let partitions = (0..PARTITIONS).filter_map(|partition| records.get(&(name.to_owned(), partition)));
        partitions.flatten().cloned().collect::<Vec<_>>()
    };
    Committed { desks: desks.read(of_topic), outcomes, audit_lines }
}

fn add(sum: &mut OutcomeCounts, counts: OutcomeCounts) {
    assert_eq!(counts.read, counts.accepted + counts.rejected + counts.duplicate + counts.superseded);
    *sum += counts;
}

fn consumer(bootstrap: &str) -> BaseConsumer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "priorityd").set("log_level", "0");
    config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    config.set("enable.auto.commit", "false").set("fetch.error.backoff.ms", "50");
    config.create().expect("a consumer")
}

/// All committed records of some topics, by topic and partition, in order.
fn read(bootstrap: &str, topics: &[String]) -> BTreeMap<(String, i32), Vec<Record>> {
    let consumer = consumer(bootstrap);
    let mut places = TopicPartitionList::new();
    let mut records: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    for topic in topics {
        for partition in 0..PARTITIONS {
            places.add_partition_offset(topic, partition, Offset::Beginning).expect("a place");
            records.insert((topic.clone(), partition), Vec::new());
        }
    }
    consumer.assign(&places).expect("assigned");
    // The end of a partition is told by its number alone, so it is counted: once for each of the topics.
    let (mut ended, deadline) = (0, Instant::now() + PATIENCE);
    while ended < records.len() {
        assert!(Instant::now() < deadline, "the topics cannot be read to their ends");
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(record)) => {
                let value = record.payload().map(<[u8]>::to_vec);
                let place = (record.topic().to_owned(), record.partition());
                let of_partition = records.get_mut(&place).expect("assigned");
                of_partition.push((record.key().unwrap_or_default().to_vec(), value));
            }
            Some(Err(KafkaError::PartitionEOF(_))) => ended += 1,
            Some(Err(_)) | None => {}
        }
    }
    records
}

/// How many feed records the group has committed in all.
pub(super) fn progress(bootstrap: &str, agreement: &Agreement) -> i64 {
    let positions = consumer(bootstrap).committed_offsets(feeds(agreement), Duration::from_secs(5));
    let offsets = positions.map(|positions| {
        let offsets = positions.elements().into_iter().map(|place| match place.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        });
        offsets.sum()
    });
    // A broker that does not answer just now is asked again.
    offsets.unwrap_or(0)
}

fn feeds(agreement: &Agreement) -> TopicPartitionList {
    let mut feeds = TopicPartitionList::new();
    for feed in &agreement.feeds {
        for partition in 0..PARTITIONS {
            feeds.add_partition(&feed_topic(&feed.party), partition);
        }
    }
    feeds
}

/// Whether the group has committed everything that was published. Feeds are written without transactions, so that their
/// ends are records.
pub(super) fn is_drained(bootstrap: &str, agreement: &Agreement) -> bool {
    let consumer = consumer(bootstrap);
    let call = Duration::from_secs(5);
    let Ok(positions) = consumer.committed_offsets(feeds(agreement), call) else { return false };
    positions.elements().iter().all(|place| {
        let Ok((low, end)) = consumer.fetch_watermarks(place.topic(), place.partition(), call) else { return false };
        low == end || place.offset() == Offset::Offset(end)
    })
}

/// The same engine, fed the same events by one hand, without a log and without a fault.
pub(super) struct Faultless {
    engine: Engine,
    now: Now,
    rng: ChaCha20Rng,
    offset: i64,
    topics: BTreeMap<String, Vec<Record>>,
}

impl Faultless {
    pub(super) fn new(fleet: &Fleet) -> Self {
        let settings = Settings::load(&fleet.path("priorityd.toml")).expect("settings");
        let keys = Arc::new(KeyRing::load(&fleet.path("keys")).expect("a ring"));
        let model = Arc::new(LinkageModel::compiled_in());
        let setup = Setup::new(fleet.agreement.clone(), settings.rules, keys, model, settings.record_bytes);
        let now = Now { as_of: settings.as_of.expect("a day"), at: Timestamp::now() };
        let (rng, topics) = (ChaCha20Rng::seed_from_u64(1), BTreeMap::new());
        Self { engine: Engine::new(Arc::new(setup), 0), now, rng, offset: 0, topics }
    }

    /// Takes events in.
    pub(super) fn take(&mut self, events: &[(PartyId, String)]) {
        for events in events.chunks(500) {
            let record = |(feed, line): &(PartyId, String)| {
                self.offset += 1;
                FeedRecord {
                    feed: feed.clone(),
                    partition: 0,
                    partitions: 1,
                    offset: self.offset,
                    appended_ms: self.now.at.as_millisecond(),
                    headers: Vec::new(),
                    payload: Zeroizing::new(line.as_bytes().to_vec()),
                }
            };
            let records: Vec<_> = events.iter().map(record).collect();
            let (transaction, _) = self.engine.process(&records, self.now, &mut self.rng);
            for output in transaction.outputs {
                self.topics.entry(output.topic).or_default().push((output.key, output.value));
            }
        }
    }

    pub(super) fn outcomes(&self) -> OutcomeCounts {
        let mut sum = OutcomeCounts::default();
        self.engine.counters().values().for_each(|counts| add(&mut sum, *counts));
        sum
    }

    pub(super) fn desks(&self, desks: &Desks) -> BTreeMap<PartyId, Desk> {
        desks.read(|topic| self.topics.get(topic).cloned().unwrap_or_default())
    }
}
