//! What may go: superseded versions of compacted topics and feed records long processed, a bounded portion per commit.

use rusqlite::{Connection, OptionalExtension};

use super::store::{self, Stream, explain};
use crate::log::LogError;

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

/// Notes that `place` now holds the latest record of `key`, and what it supersedes. A tombstone is superseded by its
/// own age: it goes like the version that it ended.
pub(super) fn note_latest(
    connection: &Connection,
    topic: Stream,
    key: &[u8],
    place: i64,
    tombstone: bool,
    now_ms: i64,
) -> Result<(), LogError> {
    let earlier: Option<i64> = connection
        .prepare_cached("SELECT place FROM latest WHERE stream = ? AND key = ?")
        .and_then(|mut find| find.query_row((topic.id, key), |row| row.get(0)).optional())
        .map_err(explain)?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO latest VALUES (?, ?, ?)")
        .and_then(|mut put| put.execute((topic.id, key, place)))
        .map_err(explain)?;
    let mut supersede = connection.prepare_cached("INSERT OR IGNORE INTO superseded VALUES (?, ?)").map_err(explain)?;
    for gone in earlier.into_iter().chain(tombstone.then_some(place)) {
        supersede.execute((now_ms, gone)).map_err(explain)?;
    }
    Ok(())
}

/// Deletes up to `limit` records of compacted topics that were superseded before `cutoff_ms`.
pub(super) fn superseded(connection: &Connection, cutoff_ms: i64, limit: i64) -> Result<(), LogError> {
    let due: Vec<(i64, i64)> = connection
        .prepare_cached("SELECT since_ms, place FROM superseded WHERE since_ms < ? ORDER BY since_ms, place LIMIT ?")
        .and_then(|mut find| find.query_map((cutoff_ms, limit), |row| Ok((row.get(0)?, row.get(1)?)))?.collect())
        .map_err(explain)?;
    for (since_ms, place) in due {
        connection
            .prepare_cached(
                "DELETE FROM latest WHERE (stream, key, place) IN (
                 SELECT ?, key, place FROM topic_records WHERE place = ?)",
            )
            .and_then(|mut delete| delete.execute((store::stream_of(place), place)))
            .map_err(explain)?;
        connection
            .prepare_cached("DELETE FROM topic_records WHERE place = ?")
            .and_then(|mut delete| delete.execute([place]))
            .map_err(explain)?;
        connection
            .prepare_cached("DELETE FROM superseded WHERE since_ms = ? AND place = ?")
            .and_then(|mut delete| delete.execute((since_ms, place)))
            .map_err(explain)?;
    }
    Ok(())
}
