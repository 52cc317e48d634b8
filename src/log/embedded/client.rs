//! The side of agencies and services: other processes append and read through the same file while the daemon runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};

use super::store::{self, Stream, damaged, explain};
use super::{frame, only_partition, register, topic_sum};
use crate::log::{
    AtRest, Client, ClockMs, LogError, POLL_BYTES, StoredRecord, Unsent, check_size, feed_topic, is_compacted,
    is_passing, system_clock,
};
use crate::model::ids::PartyId;

/// Page cache of a client, which reads and writes along.
const CACHE_KIB: i64 = 8 << 10;

/// A publisher or subscriber on the file. Any number of them, in any process that may open the file.
pub struct EmbeddedClient {
    path: PathBuf,
    connection: Connection,
    at_rest: Arc<dyn AtRest>,
    clock: ClockMs,
}

impl EmbeddedClient {
    /// Opens the file, creating it where it is missing: an agency may publish before the daemon's first start.
    pub fn open(path: &Path, at_rest: Arc<dyn AtRest>) -> Result<Self, LogError> {
        Self::open_with(path, at_rest, system_clock())
    }

    /// Opens the file with a clock of one's own.
    pub fn open_with(path: &Path, at_rest: Arc<dyn AtRest>, clock: ClockMs) -> Result<Self, LogError> {
        Ok(Self { path: path.to_owned(), connection: store::open(path, CACHE_KIB)?, at_rest, clock })
    }

    /// Every feed and topic that was ever written, by name.
    pub fn topics(&self) -> Result<Vec<String>, LogError> {
        Ok(store::streams(&self.connection)?.into_iter().map(|(name, _)| name).collect())
    }

    fn read_once(&self, topic: &str, from_offset: i64, max: usize) -> Result<Vec<StoredRecord>, LogError> {
        let Some(stream) = store::stream(&self.connection, topic)? else { return Ok(Vec::new()) };
        if from_offset >= stream.next_offset {
            return Ok(Vec::new());
        }
        let mut read = self
            .connection
            .prepare_cached(
                "SELECT place, appended_ms, xxh3, key, value FROM topic_records WHERE place >= ? AND place < ?
                 ORDER BY place LIMIT ?",
            )
            .map_err(explain)?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        let mut rows = read.query((stream.place(from_offset), stream.end(), limit)).map_err(explain)?;
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.next().map_err(explain)? {
            let (place, appended_ms) = (row.get(0).map_err(explain)?, row.get(1).map_err(explain)?);
            let key: Vec<u8> = row.get(3).map_err(explain)?;
            let value: Option<Vec<u8>> = row.get(4).map_err(explain)?;
            if row.get::<_, i64>(2).map_err(explain)? != topic_sum(place, appended_ms, &key, value.as_deref()) {
                return Err(damaged());
            }
            let offset = store::offset_of(place);
            let follows = records.last().map_or(from_offset.max(0), |earlier: &StoredRecord| earlier.offset + 1);
            let has_gap = offset > follows && !is_compacted(topic);
            // What passed was swept from the front, and that was noted.
            let is_swept = || Ok(records.is_empty() && offset <= self.begin(topic, stream)?);
            if place != stream.place(offset) || offset < follows || (has_gap && !is_swept()?) {
                return Err(damaged());
            }
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            records.push(StoredRecord { partition: 0, offset, appended_ms, key, value });
            if bytes >= POLL_BYTES {
                return Ok(records);
            }
        }
        let next_offset = match records.last() {
            Some(last) => last.offset + 1,
            None => from_offset.max(self.begin(topic, stream)?),
        };
        if records.len() < max && next_offset < stream.next_offset && !is_compacted(topic) {
            return Err(damaged());
        }
        Ok(records)
    }

    /// The offset that a topic begins at now.
    fn begin(&self, topic: &str, stream: Stream) -> Result<i64, LogError> {
        if is_passing(topic) { store::position(&self.connection, stream) } else { Ok(0) }
    }

    fn append_all(&mut self, feed: &PartyId, events: Vec<Unsent>) -> Result<(), LogError> {
        let name = feed_topic(feed);
        let now_ms = (self.clock)();
        let sqlite = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
        let mut stream = store::stream_or_new(&sqlite, &name)?;
        {
            let mut insert = sqlite.prepare_cached("INSERT INTO feed_records VALUES (?, ?, ?)").map_err(explain)?;
            // The scope chooses the partition elsewhere; here there is one.
            for Unsent { scope: _, headers, payload } in events {
                check_size(&headers, &payload)?;
                let offset = stream.take_offset()?;
                let sealed =
                    frame::seal(self.at_rest.as_ref(), &frame::context(&name, offset, now_ms), &headers, &payload);
                insert.execute((stream.place(offset), now_ms, sealed)).map_err(explain)?;
            }
        }
        store::store_stream(&sqlite, &name, stream)?;
        sqlite.commit().map_err(explain)
    }

    fn read_or_wait(
        &self,
        topic: &str,
        from_offset: i64,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<StoredRecord>, LogError> {
        let deadline = Instant::now() + wait;
        loop {
            let version = store::data_version(&self.connection)?;
            let records = self.read_once(topic, from_offset, max)?;
            if !records.is_empty() || max == 0 || Instant::now() >= deadline {
                return Ok(records);
            }
            store::wait_for_change(&self.connection, version, deadline)?;
        }
    }

    fn read_register(&mut self, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        // One view of rows and totals, whatever the daemon commits meanwhile.
        let sqlite = self.connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(explain)?;
        register::read(&sqlite, |_, key, value| row(key, value))?;
        sqlite.commit().map_err(explain)
    }

    fn about(&self, error: LogError) -> LogError {
        store::about(&self.path, error)
    }
}

impl Client for EmbeddedClient {
    fn append(&mut self, feed: &PartyId, events: Vec<Unsent>) -> Result<(), LogError> {
        self.append_all(feed, events).map_err(|error| self.about(error))
    }

    fn partitions(&mut self, _topic: &str) -> Result<usize, LogError> {
        Ok(1)
    }

    fn read(
        &mut self,
        topic: &str,
        partition: i32,
        from_offset: i64,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<StoredRecord>, LogError> {
        only_partition(partition)?;
        self.read_or_wait(topic, from_offset, max, wait).map_err(|error| self.about(error))
    }

    fn register(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        only_partition(partition)?;
        self.read_register(row).map_err(|error| self.about(error))
    }
}
