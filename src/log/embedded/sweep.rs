//! What may go: superseded versions of compacted topics, alerts and rejections that are over, and feed records long processed;
//! a bounded portion per commit.

use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;

use super::store::{self, damaged, explain};
use crate::log::{LogError, is_compacted, is_feed, is_passing};

/// Deletes up to `limit` processed records of each feed that were appended before `cutoff_ms`.
pub(super) fn processed(connection: &Connection, cutoff_ms: i64, limit: i64) -> Result<(), LogError> {
    for (_, feed) in store::streams(connection)?.iter().filter(|(name, _)| is_feed(name)) {
        let until = store::position(connection, *feed)?;
        oldest(connection, "feed_records", (feed.place(0), feed.place(until)), cutoff_ms, limit)?;
    }
    Ok(())
}

/// Deletes up to `limit` records of each topic of passing ones that were appended before `cutoff_ms`.
pub(super) fn passed(connection: &Connection, cutoff_ms: i64, limit: i64) -> Result<(), LogError> {
    for (_, topic) in store::streams(connection)?.iter().filter(|(name, _)| is_passing(name)) {
        let places = (topic.place(0), topic.end());
        if let Some(last) = oldest(connection, "topic_records", places, cutoff_ms, limit)? {
            store::store_position(connection, *topic, store::offset_of(last) + 1)?;
        }
    }
    Ok(())
}

/// Returns the place of the last that was deleted.
fn oldest(
    connection: &Connection,
    table: &str,
    (from_place, to_place): (i64, i64),
    cutoff_ms: i64,
    limit: i64,
) -> Result<Option<i64>, LogError> {
    let find = format!("SELECT place, appended_ms FROM {table} WHERE place >= ? AND place < ? ORDER BY place LIMIT ?");
    let mut find = connection.prepare_cached(&find).map_err(explain)?;
    let mut rows = find.query((from_place, to_place, limit)).map_err(explain)?;
    // From the front only, and no further than the first that stays: a gap behind it would be damage to whoever reads.
    let mut last = None;
    while let Some(row) = rows.next().map_err(explain)?
        && row.get::<_, i64>(1).map_err(explain)? < cutoff_ms
    {
        last = Some(row.get::<_, i64>(0).map_err(explain)?);
    }
    if let Some(last) = last {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE place >= ? AND place <= ?"))
            .and_then(|mut delete| delete.execute((from_place, last)))
            .map_err(explain)?;
    }
    Ok(last)
}

/// How far back a clock may go: a year. Further, and it was wrong before, or the row is damaged.
const CLOCK_BACK_MS: i64 = 366 * 24 * 60 * 60 * 1_000;

/// Where the latest record of each key of the compacted topics lies. In memory: keys are keyed ids, that is random, and an index
/// of them in the file would have a page to write for nearly every record. Made by reading those topics.
#[derive(Default)]
pub(super) struct Latest {
    by_stream: FxHashMap<i64, FxHashMap<Box<[u8]>, i64>>,
    /// When something was last superseded, in milliseconds.
    since_ms: i64,
}

impl Latest {
    pub(super) fn read_back(sqlite: &Connection, now_ms: i64) -> Result<Self, LogError> {
        let last = sqlite.query_row(
            "SELECT max(since_ms) FROM superseded WHERE since_ms < ?",
            [now_ms + CLOCK_BACK_MS],
            |row| row.get(0),
        );
        let mut latest = Self { since_ms: last.map(Option::unwrap_or_default).map_err(explain)?, ..Self::default() };
        let mut read = sqlite
            .prepare_cached("SELECT place, key FROM topic_records WHERE place >= ? AND place < ? ORDER BY place")
            .map_err(explain)?;
        for (_, stream) in store::streams(sqlite)?.iter().filter(|(name, _)| is_compacted(name)) {
            let mut rows = read.query((stream.place(0), stream.end())).map_err(explain)?;
            while let Some(row) = rows.next().map_err(explain)? {
                let key = row.get_ref(1).map_err(explain)?.as_blob().map_err(|_| damaged())?;
                latest.put(key, row.get(0).map_err(explain)?);
            }
        }
        Ok(latest)
    }

    /// Notes that `place` now holds the latest record of `key`, and says where the one before lies.
    fn put(&mut self, key: &[u8], place: i64) -> Option<i64> {
        let of_stream = self.by_stream.entry(store::stream_of(place)).or_default();
        if let Some(latest) = of_stream.get_mut(key) {
            return Some(std::mem::replace(latest, place));
        }
        of_stream.insert(key.into(), place);
        None
    }

    /// Since when what is superseded now is. A clock that went back must not let a tombstone go before the versions that it ended:
    /// they would stand again.
    fn since(&mut self, now_ms: i64) -> i64 {
        let last = Some(self.since_ms).filter(|last| *last < now_ms + CLOCK_BACK_MS);
        self.since_ms = last.map_or(now_ms, |last| last.max(now_ms));
        self.since_ms
    }

    /// May a record go? If a later one of its key is there or was, or if it is a tombstone. What stands is kept, whatever a
    /// damaged row may say of it.
    fn lets_go(&mut self, key: &[u8], place: i64, is_tombstone: bool) -> bool {
        let Some(of_stream) = self.by_stream.get_mut(&store::stream_of(place)) else { return false };
        let is_latest = of_stream.get(key) == Some(&place);
        if is_latest && is_tombstone {
            of_stream.remove(key);
        }
        !is_latest || is_tombstone
    }
}

/// Notes that `place` now holds the latest record of `key`, and what it supersedes. A tombstone is superseded by its
/// own age: it goes like the version that it ended.
pub(super) fn note_latest(
    connection: &Connection,
    latest: &mut Latest,
    key: &[u8],
    place: i64,
    tombstone: bool,
    now_ms: i64,
) -> Result<(), LogError> {
    let (earlier, since_ms) = (latest.put(key, place), latest.since(now_ms));
    let mut supersede = connection.prepare_cached("INSERT OR IGNORE INTO superseded VALUES (?, ?)").map_err(explain)?;
    for gone in earlier.into_iter().chain(tombstone.then_some(place)) {
        supersede.execute((since_ms, gone)).map_err(explain)?;
    }
    Ok(())
}

/// Deletes up to `limit` records of compacted topics that were superseded before `cutoff_ms`.
pub(super) fn superseded(
    connection: &Connection,
    latest: &mut Latest,
    cutoff_ms: i64,
    limit: i64,
) -> Result<(), LogError> {
    let due: Vec<(i64, i64)> = connection
        .prepare_cached("SELECT since_ms, place FROM superseded WHERE since_ms < ? ORDER BY since_ms, place LIMIT ?")
        .and_then(|mut find| find.query_map((cutoff_ms, limit), |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(explain)?;
    for (since_ms, place) in due {
        let there: Option<(Vec<u8>, bool)> = connection
            .prepare_cached("SELECT key, value IS NULL FROM topic_records WHERE place = ?")
            .and_then(|mut find| find.query_row([place], |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .map_err(explain)?;
        if there.is_some_and(|(key, is_tombstone)| latest.lets_go(&key, place, is_tombstone)) {
            connection
                .prepare_cached("DELETE FROM topic_records WHERE place = ?")
                .and_then(|mut delete| delete.execute([place]))
                .map_err(explain)?;
        }
        connection
            .prepare_cached("DELETE FROM superseded WHERE since_ms = ? AND place = ?")
            .and_then(|mut delete| delete.execute((since_ms, place)))
            .map_err(explain)?;
    }
    Ok(())
}
