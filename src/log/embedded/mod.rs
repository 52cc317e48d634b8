//! The embedded log: one SQLite file holds feeds, topics, register and positions; one of its transactions is one of ours.
//!
//! No server is needed. The daemon owns the file's lock; agencies and services publish and subscribe from other
//! processes through the same file. What is clear (feed records) is sealed before it touches the disk, and every row
//! read back is checked, so that damage is told and never taken for data.
//!
//! Invariants: offsets are never reused; a commit is durable when it returns; after an error nothing of it is visible.

mod ahead;
mod client;
mod frame;
mod migrate;
mod register;
mod store;
mod sweep;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use rustc_hash::FxHashMap;

use self::register::Places;
use self::store::{Stream, damaged, explain};
use self::sweep::{Due, Latest};
use crate::log::{
    AtRest, ClockMs, FeedRecord, Log, LogError, POLL_BYTES, Polled, Position, Rewrite, TopicRecord, Transaction,
    feed_topic, is_compacted, system_clock,
};
use crate::model::ids::PartyId;

pub use self::client::EmbeddedClient;

/// How long the file keeps what it no longer needs, and what time it is.
#[derive(Clone)]
pub struct EmbeddedSettings {
    /// Processed feed records hold clear identity (sealed), so they go soon; long enough to look into a rejection.
    pub feed_retention: Duration,
    /// Superseded versions and tombstones of compacted topics: long enough for every subscriber to have seen them.
    pub delete_retention: Duration,
    /// Alerts and rejections.
    pub message_retention: Duration,
    /// The time of appends, and what the three above are measured by.
    pub clock: ClockMs,
}

impl Default for EmbeddedSettings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { feed_retention: 7 * DAY, delete_retention: 30 * DAY, message_retention: 30 * DAY, clock: system_clock() }
    }
}

/// The daemon's side of the file. One at a time: its lock is held until it is dropped, and freed by the system when
/// the process dies.
pub struct EmbeddedLog {
    path: PathBuf,
    connection: Connection,
    feeds: Vec<Feed>,
    /// Where the register's rows lie, once they were restored.
    places: Places,
    /// And where the latest records of the compacted topics do.
    latest: Latest,
    /// The number of the stream that was the last in turn to be swept.
    swept: i64,
    /// The offset after the last of each topic. Topics have no other writer: where one ends elsewhere, there is a second daemon.
    ends: FxHashMap<String, i64>,
    state: State,
    /// Which feed the next poll starts with, so that a small poll serves each feed in turn.
    turn: usize,
    at_rest: Arc<dyn AtRest>,
    settings: EmbeddedSettings,
    _lock: File,
}

/// A feed and where polling stands in it.
struct Feed {
    party: PartyId,
    name: String,
    next_offset: i64,
}

/// What the owner has to do next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing was polled yet: the partition has to be announced.
    New,
    /// Register state outside is missing or no longer ours: it has to be restored.
    Unrestored,
    Ready,
}

impl EmbeddedLog {
    /// Opens the file with the usual settings, creating it where it is missing. `feeds` are the feeds to read.
    pub fn open(path: &Path, feeds: Vec<PartyId>, at_rest: Arc<dyn AtRest>) -> Result<Self, LogError> {
        Self::open_with(path, feeds, at_rest, EmbeddedSettings::default())
    }

    /// Opens the file with settings of one's own.
    pub fn open_with(
        path: &Path,
        feeds: Vec<PartyId>,
        at_rest: Arc<dyn AtRest>,
        settings: EmbeddedSettings,
    ) -> Result<Self, LogError> {
        let lock = lock(path)?;
        let connection = store::open(path, CACHE_KIB)?;
        store::mark_used(&lock, path)?;
        let feed = |party: PartyId| Feed { name: feed_topic(&party), party, next_offset: 0 };
        let feeds = feeds.into_iter().map(feed).collect();
        Ok(Self {
            path: path.to_owned(),
            connection,
            feeds,
            places: Places::default(),
            latest: Latest::default(),
            swept: 0,
            ends: FxHashMap::default(),
            state: State::New,
            turn: 0,
            at_rest,
            settings,
            _lock: lock,
        })
    }

    fn ready(&self) -> Result<(), LogError> {
        match self.state {
            State::Ready => Ok(()),
            State::New | State::Unrestored => Err(LogError::Aborted("partition 0 has to be restored first".into())),
        }
    }

    /// One round over the feeds: each up to its share, then what is left to those that have more.
    fn read_feeds(&mut self, max_records: usize) -> Result<Vec<FeedRecord>, LogError> {
        let mut round = Round { taken: Vec::new(), max_records, bytes_left: POLL_BYTES };
        let count = self.feeds.len().max(1);
        let mut cursors: Vec<i64> = self.feeds.iter().map(|feed| feed.next_offset).collect();
        for share in [max_records.div_ceil(count), max_records] {
            for index in (0..self.feeds.len()).map(|step| (self.turn + step) % count) {
                let (feed, cursor) = (&self.feeds[index], &mut cursors[index]);
                round.take(&self.connection, feed, cursor, share, self.at_rest.as_ref())?;
            }
        }
        // Only now that nothing can fail: a record read before an error is read again.
        for (feed, cursor) in self.feeds.iter_mut().zip(cursors) {
            feed.next_offset = cursor;
        }
        self.turn = (self.turn + 1) % count;
        Ok(round.taken)
    }

    fn about(&self, error: LogError) -> LogError {
        store::about(&self.path, error)
    }

    fn read_or_wait(&mut self, max_records: usize, wait: Duration) -> Result<Polled, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            // Before reading: what comes between the two is then seen as a change.
            let version = store::data_version(&self.connection)?;
            let records = self.read_feeds(max_records)?;
            if !records.is_empty() || Instant::now() >= deadline {
                return Ok(Polled::Records(records));
            }
            store::wait_for_change(&self.connection, version, deadline)?;
        }
    }

    fn read_back(&mut self, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        for feed in &mut self.feeds {
            feed.next_offset = match store::stream(&self.connection, &feed.name)? {
                Some(stream) => store::position(&self.connection, stream)?,
                None => 0,
            };
        }
        let streams = store::streams(&self.connection)?;
        self.latest = Latest::read_back(&self.connection, &streams)?;
        self.ends = streams.into_iter().map(|(name, stream)| (name, stream.next_offset)).collect();
        register::read_back(&self.connection, &mut self.places, row)
    }

    fn write(&mut self, transaction: Transaction) -> Result<(), LogError> {
        let Transaction { outputs, register, positions, rewrites, forwards } = transaction;
        forwards.iter().try_for_each(|forward| only_partition(forward.partition))?;
        let now_ms = (self.settings.clock)();
        let sqlite = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
        let limit = SWEEP_RECORDS.max(i64::try_from(2 * outputs.len()).unwrap_or(i64::MAX));
        let mut streams = write_outputs(&sqlite, &mut self.latest, &mut self.ends, outputs, now_ms)?;
        rewrites.iter().try_for_each(|rewrite| write_again(&sqlite, rewrite))?;
        register::write(&sqlite, &mut self.places, register)?;
        let mut advanced = 0;
        for position in positions {
            let (name, feed, step) = write_position(&sqlite, &position)?;
            streams.insert(name, feed);
            advanced += step;
        }
        // In their turn the others too: one that has fallen silent is not to keep what it said.
        streams.extend(sweep::in_turn(&sqlite, &mut self.swept)?);
        let due = |retention: Duration, limit: i64| Due { cutoff_ms: cutoff(now_ms, retention), now_ms, limit };
        sweep::processed(&sqlite, &streams, due(self.settings.feed_retention, SWEEP_RECORDS.max(2 * advanced)))?;
        sweep::superseded(&sqlite, &mut self.latest, due(self.settings.delete_retention, limit))?;
        sweep::passed(&sqlite, &streams, due(self.settings.message_retention, limit))?;
        sqlite.commit().map_err(explain)
    }
}

/// Page cache of the daemon: all that one commit changes, and the ends of everything that grows. What lies in the middle is
/// read from the system's cache as cheaply; more memory only takes time to fill.
const CACHE_KIB: i64 = 32 << 10;

/// How many records of a feed or a list one commit sweeps at least, and twice as many as it adds where those are more.
const SWEEP_RECORDS: i64 = 2_000;

/// A poll in the making.
struct Round {
    taken: Vec<FeedRecord>,
    max_records: usize,
    bytes_left: usize,
}

impl Round {
    fn take(
        &mut self,
        connection: &Connection,
        feed: &Feed,
        cursor: &mut i64,
        share: usize,
        at_rest: &dyn AtRest,
    ) -> Result<(), LogError> {
        let limit = share.min(self.max_records - self.taken.len());
        if limit == 0 || self.bytes_left == 0 {
            return Ok(());
        }
        let Some(stream) = store::stream(connection, &feed.name)? else { return Ok(()) };
        if *cursor >= stream.next_offset {
            return Ok(());
        }
        let mut read = connection
            .prepare_cached(
                "SELECT place, appended_ms, sealed FROM feed_records WHERE place >= ? AND place < ?
                 ORDER BY place LIMIT ?",
            )
            .map_err(explain)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = read.query((stream.place(*cursor), stream.end(), limit)).map_err(explain)?;
        let until = stream.next_offset.min(cursor.saturating_add(limit));
        while *cursor < until {
            // Only what was processed is ever deleted, so from here on no offset may be missing.
            let row = rows.next().map_err(explain)?.ok_or_else(damaged)?;
            let offset = *cursor;
            if row.get::<_, i64>(0).map_err(explain)? != stream.place(offset) {
                return Err(damaged());
            }
            let sealed = row.get_ref(2).map_err(explain)?.as_blob().map_err(|_| damaged())?;
            if sealed.len() > self.bytes_left && !self.taken.is_empty() {
                self.bytes_left = 0;
                return Ok(());
            }
            self.bytes_left = self.bytes_left.saturating_sub(sealed.len());
            let appended_ms = row.get(1).map_err(explain)?;
            let context = frame::context(&feed.name, offset, appended_ms);
            let (headers, payload) = frame::open(at_rest, &context, sealed).ok_or_else(|| {
                LogError::Fatal(format!(
                    "{} offset {offset} cannot be opened: sealed under another key, or damaged",
                    feed.name
                ))
            })?;
            self.taken.push(FeedRecord {
                feed: feed.party.clone(),
                partition: 0,
                partitions: 1,
                offset,
                appended_ms,
                headers,
                payload,
            });
            *cursor = offset + 1;
        }
        Ok(())
    }
}

impl Log for EmbeddedLog {
    fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, LogError> {
        if self.state == State::New {
            self.state = State::Unrestored;
            return Ok(Polled::Gained(vec![0]));
        }
        self.ready()?;
        self.read_or_wait(max_records, wait).map_err(|error| self.about(error))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), LogError> {
        self.ready()?;
        self.write(transaction).map_err(|error| {
            self.state = State::Unrestored;
            match self.about(error) {
                // The transaction was consumed: there is nothing left to try again with.
                LogError::Retriable(why) => LogError::Aborted(why),
                error => error,
            }
        })
    }

    fn restore(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        only_partition(partition)?;
        self.state = State::Unrestored;
        self.read_back(row).map_err(|error| self.about(error))?;
        self.state = State::Ready;
        Ok(())
    }
}

/// Takes the daemon's lock, which lies beside the file. An operating system lock: a killed process leaves none behind.
fn lock(path: &Path) -> Result<File, LogError> {
    let lock = store::owner_only(&store::lock_file(path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(LogError::Fatal(format!("another daemon runs on {}: one file has one daemon", path.display())))
        }
        Err(TryLockError::Error(error)) => {
            Err(LogError::Fatal(format!("{} cannot be locked: {}", path.display(), error.kind())))
        }
    }
}

fn only_partition(partition: i32) -> Result<(), LogError> {
    if partition == 0 { Ok(()) } else { Err(LogError::Fatal("the embedded log has partition 0 only".into())) }
}

fn cutoff(now_ms: i64, retention: Duration) -> i64 {
    now_ms.saturating_sub(i64::try_from(retention.as_millis()).unwrap_or(i64::MAX))
}

fn write_outputs(
    sqlite: &Connection,
    latest: &mut Latest,
    ends: &mut FxHashMap<String, i64>,
    outputs: Vec<TopicRecord>,
    now_ms: i64,
) -> Result<BTreeMap<String, Stream>, LogError> {
    let mut streams: BTreeMap<String, Stream> = BTreeMap::new();
    let mut insert = sqlite.prepare_cached("INSERT INTO topic_records VALUES (?, ?, ?, ?, ?)").map_err(explain)?;
    for record in outputs {
        only_partition(record.partition)?;
        let TopicRecord { topic, partition: _, key, value } = record;
        if !streams.contains_key(&topic) {
            let stream = store::stream_or_new(sqlite, &topic)?;
            if stream.next_offset != ends.get(&topic).copied().unwrap_or(0) {
                return Err(LogError::Fenced("it has written to the file since this one read it".into()));
            }
            streams.insert(topic.clone(), stream);
        }
        let stream = streams.get_mut(&topic).expect("it was put there above");
        let place = stream.place(stream.take_offset()?);
        let sum = topic_sum(place, now_ms, &key, value.as_deref());
        insert.execute((place, now_ms, sum, &key, value.as_deref())).map_err(explain)?;
        if is_compacted(&topic) {
            if key.is_empty() {
                return Err(LogError::Fatal(format!("a record of the compacted topic {topic} has no key")));
            }
            sweep::note_latest(sqlite, latest, &key, place, value.is_none(), now_ms)?;
        }
    }
    for (name, stream) in &streams {
        store::store_stream(sqlite, name, *stream)?;
        ends.insert(name.clone(), stream.next_offset);
    }
    Ok(streams)
}

/// Overwrites a record where it lies; `secure_delete` wipes what does not fit there any more.
fn write_again(sqlite: &Connection, rewrite: &Rewrite) -> Result<(), LogError> {
    let Rewrite { offset, record: TopicRecord { topic, partition, key, value } } = rewrite;
    only_partition(*partition)?;
    let gone = || LogError::Fatal("a record to be rewritten is not there".into());
    let place = store::stream(sqlite, topic)?.ok_or_else(gone)?.place(*offset);
    let appended_ms: Option<i64> = sqlite
        .prepare_cached("SELECT appended_ms FROM topic_records WHERE place = ? AND key = ?")
        .and_then(|mut find| find.query_row((place, key), |row| row.get(0)).optional())
        .map_err(explain)?;
    let sum = topic_sum(place, appended_ms.ok_or_else(gone)?, key, value.as_deref());
    sqlite
        .prepare_cached("UPDATE topic_records SET value = ?, xxh3 = ? WHERE place = ?")
        .and_then(|mut update| update.execute((value.as_deref(), sum, place)))
        .map_err(explain)?;
    Ok(())
}

fn topic_sum(place: i64, appended_ms: i64, key: &[u8], value: Option<&[u8]>) -> i64 {
    let presence = [u8::from(value.is_some())];
    let parts = [&place.to_be_bytes(), &appended_ms.to_be_bytes(), key, &presence, value.unwrap_or_default()];
    store::sum("topic", &parts)
}

/// Stores a position, and says of which feed and how far it moved.
fn write_position(sqlite: &Connection, position: &Position) -> Result<(String, Stream, i64), LogError> {
    only_partition(position.partition)?;
    let name = feed_topic(&position.feed);
    let Some(feed) = store::stream(sqlite, &name)? else {
        return Err(LogError::Fatal(format!("{name} was never written, so it has no position")));
    };
    let earlier = store::position(sqlite, feed)?;
    // Backwards would process records twice, past the end would skip some: either is a fault of the caller.
    if !(earlier..=feed.next_offset).contains(&position.next_offset) {
        return Err(LogError::Fatal(format!("the position of {name} left what was read")));
    }
    store::store_position(sqlite, feed, position.next_offset)?;
    Ok((name, feed, position.next_offset - earlier))
}
