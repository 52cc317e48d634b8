//! What a service reads, opened with its key: alerts and its list as they stand.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::silence::Watch;
use crate::disclose::open::{OpenError, Opener};
use crate::keys::recipient::RecipientPrivateKey;
use crate::keys::signing::SignerKeys;
use crate::log::{Client, LogError, StoredRecord, TopicReader, topic_name};
use crate::model::ids::PartyId;

/// A service's desk: its key, and earlier ones, whom it trusts to sign, and how far it has read.
pub(super) struct Reader {
    recipient: PartyId,
    keys: Vec<RecipientPrivateKey>,
    signers: SignerKeys,
    topics: BTreeMap<&'static str, TopicReader>,
    watch: Watch,
}

/// One record as the service sees it.
pub(super) enum Seen {
    /// An event, opened and verified.
    Event(Value),
    /// A list entry's end, by its key.
    Tombstone(String),
    /// A message that could not be opened.
    Refused {
        /// The record's key.
        key: String,
        /// Where it stands.
        partition: i32,
        /// Where in the partition.
        offset: i64,
        /// Why.
        why: OpenError,
    },
}

impl Reader {
    /// Starts at the beginning of both topics.
    pub(super) fn new(recipient: PartyId, keys: Vec<RecipientPrivateKey>, signers: SignerKeys) -> Self {
        let watch = Watch::new(&recipient);
        Self { recipient, keys, signers, topics: BTreeMap::new(), watch }
    }

    /// Reads the heartbeats: to be called before `read`.
    pub(super) fn listen(&mut self, client: &mut dyn Client) -> Result<(), LogError> {
        self.watch.read(client, &self.signers, Timestamp::now())
    }

    /// What there is to warn of, now that `read` has read `kinds`.
    pub(super) fn warnings(&mut self, kinds: &[&str]) -> Vec<Value> {
        self.watch.warnings(kinds.contains(&"list"), Timestamp::now())
    }

    /// Reads what is new on `alerts` or `list`, waiting at most `wait` for the first.
    pub(super) fn read(
        &mut self,
        client: &mut dyn Client,
        kind: &'static str,
        wait: Duration,
    ) -> Result<Vec<Seen>, LogError> {
        let topic = self.topics.entry(kind).or_insert_with(|| TopicReader::new(topic_name(kind, &self.recipient)));
        let mut opener = Opener::new(&self.keys, &self.signers, &self.recipient);
        let mut seen = Vec::new();
        let watch = &mut self.watch;
        topic.read(client, wait, |record| {
            let one = open_one(&record, &mut opener);
            if kind == "list" {
                watch.note(&record, if let Seen::Event(event) = &one { Some(event) } else { None });
            }
            seen.push(one);
            Ok::<_, LogError>(())
        })?;
        Ok(seen)
    }
}

fn open_one(record: &StoredRecord, opener: &mut Opener<'_>) -> Seen {
    let key = String::from_utf8_lossy(&record.key).into_owned();
    let Some(value) = &record.value else { return Seen::Tombstone(key) };
    let message = std::str::from_utf8(value).unwrap_or_default();
    match opener.open(message, Timestamp::now()) {
        // What was signed is a CloudEvent that was read as JSON to check its recipient.
        Ok(opened) => Seen::Event(serde_json::from_slice(opened.event()).unwrap_or_default()),
        Err(why) => Seen::Refused { key, partition: record.partition, offset: record.offset, why },
    }
}
