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
