//! Is it quiet because nothing happened? The recipient's side of heartbeats: one that is late, a list that differs from
//! its manifest, a signer whose time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::disclose::open::OpenError;
use crate::disclose::statement::{self, Manifest, Statement};
use crate::keys::signing::SignerKeys;
use crate::log::{Client, LogError, StoredRecord, TopicReader, topic_name};
use crate::model::ids::PartyId;
use crate::pipeline::HEARTBEAT;

/// How far the clocks of brokers may disagree: what was appended to the list so shortly before a heartbeat may not be in
/// its manifest, and the next one is waited for.
const SKEW_MS: i64 = 5_000;

/// Follows the heartbeats and the list of one recipient, partition by partition.
pub(super) struct Watch {
    recipient: PartyId,
    status: TopicReader,
    heartbeats: BTreeMap<i32, Heartbeat>,
    refused: BTreeMap<i32, OpenError>,
    lists: BTreeMap<i32, List>,
    /// What was warned of last time: each thing is told once while it lasts.
    told: BTreeSet<String>,
}

#[derive(Default)]
struct List {
    /// Of each entry that stands, by key.
    revisions: BTreeMap<Vec<u8>, String>,
    appended_ms: i64,
}

struct Heartbeat {
    appended_ms: i64,
    data: Data,
}

#[derive(Deserialize)]
struct Event {
    recipient: PartyId,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    next_by: Timestamp,
    #[serde(flatten)]
    manifest: Manifest,
    held: Option<String>,
}

impl Watch {
    /// Begins with nothing read.
    pub(super) fn new(recipient: &PartyId) -> Self {
        Self {
            recipient: recipient.clone(),
            status: TopicReader::new(topic_name("status", recipient)),
            heartbeats: BTreeMap::new(),
            refused: BTreeMap::new(),
            lists: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Reads heartbeats to the last. To be called before the list is read, so that the list is no older than they are.
    pub(super) fn read(
        &mut self,
        client: &mut dyn Client,
        signers: &SignerKeys,
        now: Timestamp,
    ) -> Result<(), LogError> {
        let Self { recipient, status, heartbeats, refused, .. } = self;
        status.read(client, Duration::ZERO, |record: StoredRecord| {
            let Some(value) = record.value else { return Ok::<_, LogError>(()) };
            match read_heartbeat(&value, recipient, signers, now) {
                Ok(data) => {
                    refused.remove(&record.partition);
                    heartbeats.insert(record.partition, Heartbeat { appended_ms: record.appended_ms, data });
                }
                Err(why) => drop(refused.insert(record.partition, why)),
            }
            Ok(())
        })
    }

    /// Takes a record of the list in, with the event that it opened to, if it did.
    pub(super) fn note(&mut self, record: &StoredRecord, event: Option<&Value>) {
        let list = self.lists.entry(record.partition).or_default();
        list.appended_ms = list.appended_ms.max(record.appended_ms);
        match event.and_then(|event| event["revision"].as_str()) {
            Some(revision) => list.revisions.insert(record.key.clone(), revision.to_owned()),
            None => list.revisions.remove(&record.key),
        };
    }

    /// What there is to warn of that was not told before; `with_list` if the list was read.
    pub(super) fn warnings(&mut self, with_list: bool, now: Timestamp) -> Vec<Value> {
        let mut found = Vec::new();
        let mut warn = |code: &str, about: Value| {
            let mut line = json!({"warning": code});
            line.as_object_mut().expect("an object").extend(about.as_object().cloned().unwrap_or_default());
            found.push(line);
        };
        if self.heartbeats.is_empty() && self.refused.is_empty() {
            warn("no_heartbeat", json!({"help": "nothing says that the hub is there: silence is not safety"}));
        }
        for (partition, why) in &self.refused {
            let code = if *why == OpenError::ExpiredSigner { "signer_expired" } else { "heartbeat_refused" };
            warn(code, json!({"partition": partition, "why": why.to_string()}));
        }
        for (partition, Heartbeat { appended_ms, data }) in &self.heartbeats {
            if now.duration_since(data.next_by) > HEARTBEAT {
                warn("heartbeat_missed", json!({"partition": partition, "due": data.next_by}));
            }
            if let Some(held) = &data.held {
                warn("everything_is_held", json!({"partition": partition, "why": held}));
            }
            let none = List::default();
            let list = self.lists.get(partition).unwrap_or(&none);
            let is_settled = list.appended_ms.saturating_add(SKEW_MS) < *appended_ms;
            let here = Manifest::of(list.revisions.values().cloned());
            if with_list && is_settled && here != data.manifest {
                let (expected, found) = (data.manifest.entries, here.entries);
                warn("manifest_mismatch", json!({"partition": partition, "entries": found, "should_be": expected}));
            }
        }
        let now_told: BTreeSet<_> = found.iter().map(Value::to_string).collect();
        found.retain(|line| !self.told.contains(&line.to_string()));
        self.told = now_told;
        found
    }
}

fn read_heartbeat(value: &[u8], recipient: &PartyId, signers: &SignerKeys, now: Timestamp) -> Result<Data, OpenError> {
    let said = statement::read(Statement::Heartbeat, value, signers, Some(now))?;
    let event: Event = serde_json::from_slice(&said).map_err(|_| OpenError::NotAMessage)?;
    if event.recipient == *recipient { Ok(event.data) } else { Err(OpenError::ReAddressed) }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use tempfile::TempDir;

    use super::*;
    use crate::keys::meta::{Purpose, Slot};
    use crate::keys::rotate::rotate;
    use crate::keys::{KeyRing, NewKeys};
    use crate::log::memory::{Faults, MemoryStore};
    use crate::log::{Log, Polled, TopicRecord, Transaction};

    const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

    /// A recipient, its hub's keys, and the topics as somebody in between lets them through.
    struct Street {
        dir: TempDir,
        ring: KeyRing,
        store: MemoryStore,
        log: Box<dyn Log>,
        watch: Watch,
        list: TopicReader,
    }

    impl Street {
        fn new() -> Self {
            let dir = tempfile::tempdir().expect("a temporary directory");
            let (scope, party): (_, PartyId) = ("portsmouth".parse().expect("a name"), "up2u".parse().expect("a name"));
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let ring = KeyRing::create(
                &dir.path().join("keys"),
                &dir.path().join("services"),
                &scope,
                std::slice::from_ref(&party),
                START,
                &mut rng,
            );
            let store = MemoryStore::new(Faults::default());
            let mut log: Box<dyn Log> = Box::new(store.log(Vec::new()));
            assert!(matches!(log.poll(1, Duration::ZERO), Ok(Polled::Gained(_))));
            log.restore(0, &mut |_, _| {}).expect("memory restores");
            let (watch, list) = (Watch::new(&party), TopicReader::new(topic_name("list", &party)));
            Self { dir, ring: ring.expect("a ring"), store, log, watch, list }
        }

        fn append(&mut self, topic: &str, key: &str, value: Option<String>, at: Timestamp) {
            self.store.set_clock(at.as_millisecond());
            let value = value.map(String::into_bytes);
            let record = TopicRecord { topic: topic.to_owned(), partition: 0, key: key.into(), value };
            let transaction = Transaction { outputs: vec![record], ..Transaction::default() };
            self.log.commit(transaction).expect("memory takes it");
        }

        fn beat(&mut self, at: Timestamp, recipient: &str, revisions: &[&str]) {
            let manifest = Manifest::of(revisions.iter().map(|text| (*text).to_owned()));
            let event = json!({
                "recipient": recipient,
                "data": {
                    "next_by": at + HEARTBEAT, "entries": manifest.entries, "digest": manifest.digest, "held": null,
                },
            });
            let signed = statement::sign(Statement::Heartbeat, event.to_string().as_bytes(), self.ring.signing());
            self.append("status.up2u.v1", "0", Some(signed), at);
        }

        /// Reads heartbeats, then the list, and says which warnings there are. Events here are their own revision.
        fn warned(&mut self, now: Timestamp) -> Vec<String> {
            let mut client = self.store.client();
            let Self { watch, list, ring, .. } = self;
            watch.read(&mut client, ring.signers(), now).expect("memory reads");
            let noted = list.read(&mut client, Duration::ZERO, |record| {
                let event = record.value.as_deref().map(|value| json!({"revision": String::from_utf8_lossy(value)}));
                watch.note(&record, event.as_ref());
                Ok::<_, LogError>(())
            });
            noted.expect("memory reads");
            let warnings = self.watch.warnings(true, now);
            warnings.iter().map(|line| line["warning"].as_str().expect("a code").to_owned()).collect()
        }
    }

    fn minutes(count: i64) -> Timestamp {
        START + SignedDuration::from_mins(count)
    }

    #[test]
    fn a_suppressed_tombstone_and_a_missing_entry_are_noticed_once_each() {
        let mut street = Street::new();
        assert_eq!(street.warned(START), ["no_heartbeat"]);
        street.append("list.up2u.v1", "one", Some("a1".into()), START);
        street.append("list.up2u.v1", "two", Some("b1".into()), START);
        street.beat(minutes(1), "up2u", &["b1", "a1"]);
        assert_eq!(street.warned(minutes(1)), [""; 0]);
        // The hub ended entry two; somebody in between kept its tombstone back.
        street.beat(minutes(2), "up2u", &["a1"]);
        assert_eq!(street.warned(minutes(2)), ["manifest_mismatch"]);
        assert_eq!(street.warned(minutes(2)), [""; 0], "told once while it lasts");
        // It comes after all: what is newer than the heartbeat waits for the next.
        street.append("list.up2u.v1", "two", None, minutes(2));
        assert_eq!(street.warned(minutes(2)), [""; 0]);
        street.beat(minutes(3), "up2u", &["a1"]);
        assert_eq!(street.warned(minutes(3)), [""; 0]);
        street.beat(minutes(4), "up2u", &["a1", "c1"]);
        assert_eq!(street.warned(minutes(4)), ["manifest_mismatch"], "an entry never came");
    }

    #[test]
    fn a_signer_whose_time_is_over_is_named() {
        let mut street = Street::new();
        street.beat(minutes(0), "up2u", &[]);
        assert_eq!(street.warned(minutes(1)), [""; 0]);
        // The hub rotates its signing key; what the earlier one signed counts for two minutes more, and it goes on signing.
        let (ring, mut rng) = (street.dir.path().join("keys"), ChaCha8Rng::seed_from_u64(2));
        let keys = NewKeys::new(&ring, minutes(1), None, &mut rng);
        rotate(keys, &Slot::of(Purpose::Signing), None, Some(minutes(3))).expect("rotated");
        let rotated = KeyRing::load(&ring).expect("in order");
        street.beat(minutes(2), "up2u", &[]);
        street.beat(minutes(4), "up2u", &[]);
        street.ring = rotated;
        assert_eq!(street.warned(minutes(4)), ["signer_expired", "heartbeat_missed"]);
        street.beat(minutes(5), "up2u", &[]);
        assert_eq!(street.warned(minutes(5)), [""; 0], "the new key signs");
    }

    #[test]
    fn a_late_heartbeat_and_one_that_is_not_ours_are_named() {
        let mut street = Street::new();
        street.beat(minutes(0), "up2u", &[]);
        assert_eq!(street.warned(minutes(1)), [""; 0]);
        assert_eq!(street.warned(minutes(2)), [""; 0]);
        assert_eq!(street.warned(minutes(3)), ["heartbeat_missed"]);
        street.beat(minutes(3), "idva", &[]);
        assert!(street.warned(minutes(3)).contains(&"heartbeat_refused".to_owned()), "of somebody else");
        street.append("status.up2u.v1", "0", Some("no.jws.here".into()), minutes(4));
        street.warned(minutes(4));
        street.beat(minutes(5), "up2u", &[]);
        assert_eq!(street.warned(minutes(5)), [""; 0]);
        // A message's signature does not pass for a heartbeat's.
        let head = statement::sign(Statement::AuditHead, b"{}", street.ring.signing());
        street.append("status.up2u.v1", "0", Some(head), minutes(6));
        assert_eq!(street.warned(minutes(6)), ["heartbeat_refused"]);
    }
}
