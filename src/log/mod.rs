//! The seam to the outside: feeds in, topics out, the register's changelog, positions; one transaction for all of them.
//!
//! Three logs stand behind it: Kafka, embedded (one SQLite file) and memory (simulation tests). What passes here is
//! bytes: this room reads neither events nor messages. Whoever opens a log wraps it in [`SealedRegister`].

pub mod embedded;
pub mod kafka;
pub mod memory;
mod reader;
mod sealed;

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

pub use self::reader::TopicReader;
pub use self::sealed::SealedRegister;
use crate::model::ids::{PartyId, ScopeId};

/// The largest feed record taken, headers included. Larger ones are refused where they are published.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// How many bytes one poll or read returns at most; a single larger record comes alone.
pub const POLL_BYTES: usize = 32 << 20;

/// A header of a record: its name and value, as they came.
pub type Header = (String, Vec<u8>);

/// An event on its way to a feed. It holds clear identity, so there is no `Debug` and it is wiped on drop.
pub struct Unsent {
    /// The record key: a scope's records meet in one partition.
    pub scope: ScopeId,
    /// Names and values.
    pub headers: Vec<Header>,
    /// The record's value.
    pub payload: Zeroizing<Vec<u8>>,
}

impl Unsent {
    /// A whole event, as the CloudEvents binding for Kafka has it in structured mode.
    #[must_use]
    pub fn structured(scope: ScopeId, event: Zeroizing<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), b"application/cloudevents+json".to_vec())];
        Self { scope, headers, payload: event }
    }

    /// Whether the log takes a record of this size.
    #[must_use]
    pub fn fits(&self) -> bool {
        check_size(&self.headers, &self.payload).is_ok()
    }
}

/// Tells the time of appends, milliseconds since 1970 UTC.
pub type ClockMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's clock.
#[must_use]
pub fn system_clock() -> ClockMs {
    Arc::new(|| jiff::Timestamp::now().as_millisecond())
}

/// The name of a party's topic, e.g. `alerts.up2u.v1`. Names with `.` and `_` can collide in Kafka's metrics, so a
/// party's `_` is written `-`: `feeds.local-authority.v1`.
#[must_use]
pub fn topic_name(kind: &str, party: &PartyId) -> String {
    format!("{kind}.{}.v1", party.as_str().replace('_', "-"))
}

/// The topic that a party feeds.
#[must_use]
pub fn feed_topic(party: &PartyId) -> String {
    topic_name("feeds", party)
}

/// Every collection, combination, disclosure and rejection, chained by hashes.
pub const AUDIT_TOPIC: &str = "audit.v1";
/// Signed heads of the audit's trees.
pub const HEADS_TOPIC: &str = "audit-heads.v1";
/// Questions that wait for a person.
pub const REVIEW_TOPIC: &str = "review.v1";

/// Whether a topic keeps only the latest record of each key: lists, heartbeats, and the questions that wait for a person.
#[must_use]
pub fn is_compacted(topic: &str) -> bool {
    topic.starts_with("list.") || topic.starts_with("status.") || topic == REVIEW_TOPIC
}

/// Is it the topic that a party feeds?
#[must_use]
pub fn is_feed(topic: &str) -> bool {
    topic.starts_with("feeds.")
}

/// Is it a topic whose records are for the time being: alerts, which lapse, and rejections?
#[must_use]
pub fn is_passing(topic: &str) -> bool {
    topic.starts_with("alerts.") || topic.starts_with("rejections.")
}

/// Refuses a record that is larger than [`MAX_RECORD_BYTES`].
fn check_size(headers: &[Header], payload: &[u8]) -> Result<(), LogError> {
    let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if header_bytes + payload.len() > MAX_RECORD_BYTES {
        return Err(LogError::Fatal(format!("a record is larger than {MAX_RECORD_BYTES} bytes")));
    }
    Ok(())
}

/// One record of a feed as it came. The payload holds clear identity, so there is no `Debug` and it is wiped on drop.
pub struct FeedRecord {
    /// Whose feed: `feeds.<party>.v1`.
    pub feed: PartyId,
    /// Partition; always 0 on the embedded log.
    pub partition: i32,
    /// How many partitions the feed has.
    pub partitions: i32,
    /// Offset within the feed's partition, from 0.
    pub offset: i64,
    /// When the log took it, milliseconds since 1970 UTC.
    pub appended_ms: i64,
    /// CloudEvents binary mode carries attributes as `ce_*` headers; names and values as they came.
    pub headers: Vec<Header>,
    /// The record's value.
    pub payload: Zeroizing<Vec<u8>>,
}

/// A feed record that came in a partition which is not its scope's, to be appended in the one that is: not every client
/// takes Java's partitioner, and two registers of one scope would each see half of a person. It holds clear identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Forward {
    /// Whose feed.
    pub feed: PartyId,
    /// Where the scope's records belong: [`home`].
    pub partition: i32,
    /// The key that it should have had.
    pub scope: ScopeId,
    /// Headers, as they came.
    pub headers: Vec<Header>,
    /// The record's value, as it came.
    pub payload: Zeroizing<Vec<u8>>,
}

/// The partition in which a scope's records meet, as Kafka's Java client places a key: murmur2 over the number of partitions.
#[must_use]
pub fn home(scope: &ScopeId, partitions: i32) -> i32 {
    let hash = murmur2::murmur2(scope.as_str().as_bytes(), murmur2::KAFKA_SEED) & 0x7fff_ffff;
    i32::try_from(hash).expect("31 bits") % partitions.max(1)
}

/// A record to append to a topic.
#[derive(Clone, PartialEq, Eq)]
pub struct TopicRecord {
    /// Full topic name, e.g. `alerts.up2u.v1`.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Key; compacted topics need one.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// A record read back from a topic by a subscriber.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// When the log took it, milliseconds since 1970 UTC.
    pub appended_ms: i64,
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// A record that takes the place of an earlier one of the same topic, partition and key, for good.
#[derive(Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// Where the earlier one was read.
    pub offset: i64,
    /// What stands there from now on. On Kafka it comes at the end, and compaction removes the earlier one.
    pub record: TopicRecord,
}

/// One changed row of the register: `RowKind`, scope and id already encoded in the key.
#[derive(Clone, PartialEq, Eq)]
pub struct RegisterRow {
    /// Partition whose state it is.
    pub partition: i32,
    /// Encoded key.
    pub key: Vec<u8>,
    /// New value, or `None` for removal.
    pub value: Option<Vec<u8>>,
}

/// The next offset to read of one feed's partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Whose feed.
    pub feed: PartyId,
    /// Partition.
    pub partition: i32,
    /// The offset after the last one processed.
    pub next_offset: i64,
}

/// Everything that one batch causes; it happens whole or not at all (invariant I3).
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Lists, alerts, rejections, review, audit, status.
    pub outputs: Vec<TopicRecord>,
    /// Changes of the register.
    pub register: Vec<RegisterRow>,
    /// How far the feeds were read.
    pub positions: Vec<Position>,
    /// Records that lose what was erased.
    pub rewrites: Vec<Rewrite>,
    /// Feed records that came in another partition than their scope's.
    pub forwards: Vec<Forward>,
}

impl Transaction {
    /// Adds another's; the positions of the two are of different partitions.
    pub fn append(&mut self, mut other: Self) {
        self.outputs.append(&mut other.outputs);
        self.register.append(&mut other.register);
        self.positions.append(&mut other.positions);
        self.forwards.append(&mut other.forwards);
    }
}

/// What a poll found.
pub enum Polled {
    /// Records, in order within each feed partition; may be empty when the wait ran out.
    Records(Vec<FeedRecord>),
    /// Partitions were gained: restore each before the next poll.
    Gained(Vec<i32>),
    /// Partitions were lost: drop their state, commit nothing for them.
    Lost(Vec<i32>),
}

/// How the log stands, for those who watch: from what is known already, without asking anybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why nothing can come or go just now.
    pub cut_off: Option<&'static str>,
    /// How far behind each feed's partition is, where that is known.
    pub lag: Vec<Lag>,
}

/// How many records of a feed's partition are there and not yet committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// Whose feed.
    pub feed: PartyId,
    /// Partition.
    pub partition: i32,
    /// So many.
    pub records: u64,
}

/// The daemon's side: read feeds, commit what they caused. One owner, one thread.
pub trait Log: Send {
    /// Reads up to `max_records` after the committed positions and the ones polled since, waiting at most `wait`.
    fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, LogError>;

    /// Commits a transaction. After an error nothing of it is visible, and the owner restores before polling again.
    fn commit(&mut self, transaction: Transaction) -> Result<(), LogError>;

    /// Hands every live register row of a partition to `row`, once each and in the order of the first bytes of their keys,
    /// and rewinds polling to the committed positions.
    fn restore(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError>;

    /// How it stands; a log that cannot be away and is never behind need not say.
    fn standing(&self) -> Standing {
        Standing::default()
    }
}

/// The side of agencies and services: append to feeds, read topics. Usable from other processes while the daemon runs.
pub trait Client: Send {
    /// Appends events to a feed, in order, atomically.
    fn append(&mut self, feed: &PartyId, events: Vec<Unsent>) -> Result<(), LogError>;

    /// Appends whole events of one scope.
    fn publish(&mut self, feed: &PartyId, scope: &ScopeId, events: Vec<Zeroizing<Vec<u8>>>) -> Result<(), LogError> {
        self.append(feed, events.into_iter().map(|event| Unsent::structured(scope.clone(), event)).collect())
    }

    /// How many partitions a topic has; they count from 0. [`TopicReader`] reads them all.
    fn partitions(&mut self, topic: &str) -> Result<usize, LogError>;

    /// Reads committed records of a topic's partition from `from_offset` on, waiting at most `wait` if there are none.
    fn read(
        &mut self,
        topic: &str,
        partition: i32,
        from_offset: i64,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<StoredRecord>, LogError>;

    /// Hands every committed register row of a partition to `row`, as [`Log::restore`] does, for looking things up.
    fn register(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError>;
}

/// Protects what must lie on disk in a form that says nothing: AES-256-GCM in earnest.
pub trait AtRest: Send + Sync {
    /// Encrypts, bound to `context`.
    fn seal(&self, context: &[u8], clear: &[u8]) -> Vec<u8>;
    /// Decrypts; `None` when the bytes were changed or belong to another context.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>>;
}

/// What went wrong at the seam, by what can be done about it. Carries no record's content.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Try the same again.
    #[error("the log is busy or out of reach: {0}")]
    Retriable(String),
    /// The transaction was undone: restore and go on.
    #[error("the transaction was undone: {0}")]
    Aborted(String),
    /// We may not: credentials or access lists are in the way, and trying again would only trouble the broker.
    #[error("the log refuses us: {0}")]
    Denied(String),
    /// Another instance has our name, or our place in the group for good: leave the field to it.
    #[error("another instance has taken over: {0}")]
    Fenced(String),
    /// What was read is not what was written: a copy has to take its place.
    #[error("the log is damaged: {0}")]
    Damaged(String),
    /// Leave and start afresh, or call a person.
    #[error("the log cannot be used: {0}")]
    Fatal(String),
}

impl LogError {
    /// What went wrong, without what follows from it.
    #[must_use]
    pub fn into_why(self) -> String {
        match self {
            Self::Retriable(why)
            | Self::Aborted(why)
            | Self::Denied(why)
            | Self::Fenced(why)
            | Self::Damaged(why)
            | Self::Fatal(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of Kafka's own test of its partitioner (UtilsTest.testMurmur2).
    #[test]
    fn a_scope_is_at_home_where_javas_partitioner_puts_it() {
        for (key, hash) in [("foobar", -790_332_482), ("abc", 479_470_107)] {
            let scope = key.parse().expect("a scope");
            for partitions in [1, 6, 1_000] {
                assert_eq!(home(&scope, partitions), (hash & 0x7fff_ffff) % partitions, "{key}");
            }
        }
    }
}
