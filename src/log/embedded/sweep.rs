//! What may go: superseded versions of compacted topics, alerts and rejections that are over, and feed records long processed;
//! a bounded portion per commit.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};
use rustc_hash::FxHashMap;

use super::store::{self, Stream, damaged, explain};
use crate::log::{LogError, is_compacted, is_feed, is_passing};

/// How many streams each commit sweeps in their turn, besides those that it writes to or moves on in.
const IN_TURN: usize = 8;

/// What may go now.
#[derive(Clone, Copy)]
pub(super) struct Due {
    /// What was appended or superseded before.
    pub(super) cutoff_ms: i64,
    pub(super) now_ms: i64,
    /// So much of each stream at the most.
    pub(super) limit: i64,
}

/// The next few streams after the one of this number, which becomes the last of theirs.
pub(super) fn in_turn(connection: &Connection, last: &mut i64) -> Result<Vec<(String, Stream)>, LogError> {
    let streams = store::streams_after(connection, *last, i64::try_from(IN_TURN).expect("a few"))?;
    *last = streams.last().filter(|_| streams.len() == IN_TURN).map_or(0, |(_, stream)| stream.id);
    Ok(streams)
}

/// Deletes processed records of those that are feeds.
pub(super) fn processed(connection: &Connection, streams: &BTreeMap<String, Stream>, due: Due) -> Result<(), LogError> {
    for (_, feed) in streams.iter().filter(|(name, _)| is_feed(name)) {
        let until = store::position(connection, *feed)?;
        oldest(connection, "feed_records", (feed.place(0), feed.place(until)), due)?;
    }
    Ok(())
}

/// Deletes records of those that are topics of passing ones.
pub(super) fn passed(connection: &Connection, streams: &BTreeMap<String, Stream>, due: Due) -> Result<(), LogError> {
    for (_, topic) in streams.iter().filter(|(name, _)| is_passing(name)) {
        if let Some(last) = oldest(connection, "topic_records", (topic.place(0), topic.end()), due)? {
            store::store_position(connection, *topic, store::offset_of(last) + 1)?;
        }
    }
    Ok(())
}

/// Deletes from the front only, and no further than the first that stays: a gap behind it would be damage to whoever reads.
/// What bears a time to come was appended under a clock that ran ahead, and is no younger than what lies behind it. Returns
/// the place of the last that was deleted.
fn oldest(
    connection: &Connection,
    table: &str,
    (from_place, to_place): (i64, i64),
    Due { cutoff_ms, now_ms, limit }: Due,
) -> Result<Option<i64>, LogError> {
    let find = format!("SELECT place, appended_ms FROM {table} WHERE place >= ? AND place < ? ORDER BY place LIMIT ?");
    let mut find = connection.prepare_cached(&find).map_err(explain)?;
    let (mut last, mut ahead, mut count) = (None, None, 0);
    let mut rows = find.query((from_place, to_place, limit)).map_err(explain)?;
    while let Some(row) = rows.next().map_err(explain)? {
        let (place, appended_ms): (i64, i64) = row.try_into().map_err(explain)?;
        match appended_ms {
            _ if appended_ms < cutoff_ms => last = Some(place),
            _ if appended_ms > now_ms => ahead = Some(place),
            _ => break,
        }
        count += 1;
    }
    drop(rows);
    // All of them from a time to come: further on, in longer and longer steps, something old says that they may go.
    if let (None, Some(end), true) = (last, ahead, count == limit) {
        let (mut place, mut step) = (end + 1, limit);
        while last.is_none() && place < to_place {
            let row = find.query_row((place, to_place, 1), |row| row.get::<_, i64>(1)).optional().map_err(explain)?;
            last = row.filter(|appended_ms| *appended_ms < cutoff_ms).map(|_| end);
            (place, step) = (place.saturating_add(step), step * 2);
        }
    }
    if let Some(last) = last {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE place >= ? AND place <= ?"))
            .and_then(|mut delete| delete.execute((from_place, last)))
            .map_err(explain)?;
    }
    Ok(last)
}

/// Where the latest record of each key of the compacted topics lies. In memory: keys are keyed ids, that is random, and an index
/// of them in the file would have a page to write for nearly every record. Made by reading those topics.
#[derive(Default)]
pub(super) struct Latest {
    by_stream: FxHashMap<i64, FxHashMap<Box<[u8]>, Standing>>,
}

/// The latest record of a key, and how many earlier ones are still there.
struct Standing {
    place: i64,
    earlier: u32,
}

/// Whether a superseded record may go.
enum Verdict {
    Go,
    /// Once those before it have gone.
    Wait,
    /// It stands, whatever a damaged row may say of it.
    Stay,
}

impl Latest {
    pub(super) fn read_back(sqlite: &Connection, streams: &[(String, Stream)]) -> Result<Self, LogError> {
        let mut latest = Self::default();
        let mut read = sqlite
            .prepare_cached("SELECT place, key FROM topic_records WHERE place >= ? AND place < ? ORDER BY place")
            .map_err(explain)?;
        for (_, stream) in streams.iter().filter(|(name, _)| is_compacted(name)) {
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
            latest.earlier += 1;
            return Some(std::mem::replace(&mut latest.place, place));
        }
        of_stream.insert(key.into(), Standing { place, earlier: 0 });
        None
    }

    /// May a record go? If a later one of its key is there, or if it is a tombstone and the last of its key: versions that it
    /// ended would stand again, and whatever the clock was when they were superseded, they may be due after it.
    fn judge(&mut self, key: &[u8], place: i64, is_tombstone: bool) -> Verdict {
        let Some(of_stream) = self.by_stream.get_mut(&store::stream_of(place)) else { return Verdict::Stay };
        let Some(latest) = of_stream.get_mut(key) else { return Verdict::Stay };
        match (latest.place == place, is_tombstone, latest.earlier) {
            (false, ..) => latest.earlier = latest.earlier.saturating_sub(1),
            (true, true, 0) => drop(of_stream.remove(key)),
            (true, true, _) => return Verdict::Wait,
            (true, false, _) => return Verdict::Stay,
        }
        Verdict::Go
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
    earlier.into_iter().chain(tombstone.then_some(place)).try_for_each(|gone| supersede(connection, now_ms, gone))
}

fn supersede(connection: &Connection, now_ms: i64, place: i64) -> Result<(), LogError> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO superseded VALUES (?, ?)")
        .and_then(|mut supersede| supersede.execute((now_ms, place)))
        .map_err(explain)?;
    Ok(())
}

/// Deletes records of compacted topics that were superseded, as many in all as is due of a stream.
pub(super) fn superseded(
    connection: &Connection,
    latest: &mut Latest,
    Due { cutoff_ms, now_ms, limit }: Due,
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
        connection
            .prepare_cached("DELETE FROM superseded WHERE since_ms = ? AND place = ?")
            .and_then(|mut delete| delete.execute((since_ms, place)))
            .map_err(explain)?;
        match there.map(|(key, is_tombstone)| latest.judge(&key, place, is_tombstone)) {
            Some(Verdict::Go) => {
                connection
                    .prepare_cached("DELETE FROM topic_records WHERE place = ?")
                    .and_then(|mut delete| delete.execute([place]))
                    .map_err(explain)?;
            }
            Some(Verdict::Wait) => supersede(connection, now_ms, place)?,
            Some(Verdict::Stay) | None => {}
        }
    }
    Ok(())
}
