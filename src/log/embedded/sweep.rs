//! What may go: superseded versions of compacted topics and feed records long processed, a bounded portion per commit.

use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;

use super::store::{self, Stream, damaged, explain};
use crate::log::{LogError, is_compacted};

/// Deletes up to `limit` processed records of a feed that were appended before `cutoff_ms`.
pub(super) fn processed(
    connection: &Connection,
    feed: Stream,
    position: i64,
    cutoff_ms: i64,
    limit: i64,
) -> Result<(), LogError> {
    let from_place = feed.place(0);
    let to_place = feed.place(position);
    // Most commits have nothing to sweep: the oldest record tells.
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT appended_ms FROM feed_records WHERE place >= ? AND place < ? ORDER BY place LIMIT 1")
        .and_then(|mut find| find.query_row((from_place, to_place), |row| row.get(0)).optional())
        .map_err(explain)?;
    if oldest.is_none_or(|appended_ms| appended_ms >= cutoff_ms) {
        return Ok(());
    }
    connection
        .prepare_cached(
            "DELETE FROM feed_records WHERE place IN (
                 SELECT place FROM (
                     SELECT place, appended_ms FROM feed_records WHERE place >= ? AND place < ? ORDER BY place LIMIT ?)
                 WHERE appended_ms < ?)",
        )
        .and_then(|mut delete| delete.execute((from_place, to_place, limit, cutoff_ms)))
        .map_err(explain)?;
    Ok(())
}

/// Where the latest record of each key of the compacted topics lies. In memory: keys are keyed ids, that is random, and an index
/// of them in the file would have a page to write for nearly every record. Made by reading those topics.
#[derive(Default)]
pub(super) struct Latest {
    by_stream: FxHashMap<i64, FxHashMap<Box<[u8]>, i64>>,
}

impl Latest {
    pub(super) fn read_back(sqlite: &Connection) -> Result<Self, LogError> {
        let mut latest = Self::default();
        let mut read = sqlite
            .prepare_cached("SELECT place, key FROM topic_records WHERE place >= ? AND place < ? ORDER BY place")
            .map_err(explain)?;
        for name in store::stream_names(sqlite)?.iter().filter(|name| is_compacted(name)) {
            let stream = store::stream(sqlite, name)?.ok_or_else(damaged)?;
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

    /// Forgets a key whose latest record, at `place`, has gone.
    fn forget(&mut self, key: &[u8], place: i64) {
        if let Some(of_stream) = self.by_stream.get_mut(&store::stream_of(place))
            && of_stream.get(key) == Some(&place)
        {
            of_stream.remove(key);
        }
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
    let earlier = latest.put(key, place);
    let mut supersede = connection.prepare_cached("INSERT OR IGNORE INTO superseded VALUES (?, ?)").map_err(explain)?;
    for gone in earlier.into_iter().chain(tombstone.then_some(place)) {
        supersede.execute((now_ms, gone)).map_err(explain)?;
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
        let key: Option<Vec<u8>> = connection
            .prepare_cached("DELETE FROM topic_records WHERE place = ? RETURNING key")
            .and_then(|mut delete| delete.query_row([place], |row| row.get(0)).optional())
            .map_err(explain)?;
        if let Some(key) = key {
            latest.forget(&key, place);
        }
        connection
            .prepare_cached("DELETE FROM superseded WHERE since_ms = ? AND place = ?")
            .and_then(|mut delete| delete.execute((since_ms, place)))
            .map_err(explain)?;
    }
    Ok(())
}
