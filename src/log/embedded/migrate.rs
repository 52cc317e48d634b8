//! How files of earlier versions become today's. Forms that have gone are spelled out here as they were and nowhere else.

use rusqlite::{Connection, OptionalExtension, Row};
use sha2::{Digest, Sha256};

use super::register::{self, Totals};
use super::store::{damaged, explain, position_sum, stream_sum};
use super::topic_sum;
use crate::log::LogError;

/// From version 1, whose register lay in the order of its keys.
pub(super) fn from_1(sqlite: &Connection) -> Result<(), LogError> {
    let before = "ALTER TABLE register RENAME TO register_by_key;
        CREATE TABLE register (place INTEGER PRIMARY KEY, sum INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL)
        STRICT;";
    sqlite.execute_batch(before).map_err(explain)?;
    shelve(sqlite)?;
    sqlite.execute_batch("DROP TABLE register_by_key").map_err(explain)
}

fn shelve(sqlite: &Connection) -> Result<(), LogError> {
    let mut totals = Totals::EMPTY;
    let mut read = sqlite.prepare("SELECT sum, key, value FROM register_by_key ORDER BY key").map_err(explain)?;
    let mut insert = sqlite.prepare("INSERT INTO register VALUES (?, ?, ?, ?)").map_err(explain)?;
    let mut rows = read.query([]).map_err(explain)?;
    let mut place = 0;
    while let Some(found) = rows.next().map_err(explain)? {
        let key = found.get_ref(1).map_err(explain)?.as_blob().map_err(|_| damaged())?;
        let value = found.get_ref(2).map_err(explain)?.as_blob().map_err(|_| damaged())?;
        if found.get::<_, i64>(0).map_err(explain)? != sha256("register", &[key, value]) {
            return Err(damaged());
        }
        place = (place + 1).max(register::first_place(key));
        let sum = sha256("register", &[&place.to_be_bytes(), key, value]);
        totals.add(sum);
        insert.execute((place, sum, key, value)).map_err(explain)?;
    }
    if totals.row_count != Totals::read(sqlite)?.row_count {
        return Err(damaged());
    }
    totals.write(sqlite)
}

/// From version 2, whose checksums were SHA-256: each row is checked by the old one before it gets its new one.
pub(super) fn from_2(sqlite: &Connection) -> Result<(), LogError> {
    sum_anew(sqlite, ("streams", "id"), "name, next_offset", |id, row| {
        let (name, next_offset): (String, i64) = (row.get(2)?, row.get(3)?);
        let old = sha256("stream", &[&id.to_be_bytes(), name.as_bytes(), &next_offset.to_be_bytes()]);
        Ok(Sums { old, new: stream_sum(id, &name, next_offset) })
    })?;
    sum_anew(sqlite, ("positions", "stream"), "next_offset", |stream, row| {
        let next_offset: i64 = row.get(2)?;
        let old = sha256("position", &[&stream.to_be_bytes(), &next_offset.to_be_bytes()]);
        Ok(Sums { old, new: position_sum(stream, next_offset) })
    })?;
    sum_anew(sqlite, ("topic_records", "place"), "appended_ms, key, value", |place, row| {
        let (appended_ms, key) = (row.get::<_, i64>(2)?, row.get_ref(3)?.as_blob()?);
        let value = row.get_ref(4)?.as_blob_or_null()?;
        let (presence, bytes) = ([u8::from(value.is_some())], value.unwrap_or_default());
        let old = sha256("topic", &[&place.to_be_bytes(), &appended_ms.to_be_bytes(), key, &presence, bytes]);
        Ok(Sums { old, new: topic_sum(place, appended_ms, key, value) })
    })?;
    let (mut before, mut after) = (Totals::EMPTY, Totals::EMPTY);
    sum_anew(sqlite, ("register", "place"), "key, value", |place, row| {
        let (key, value) = (row.get_ref(2)?.as_blob()?, row.get_ref(3)?.as_blob()?);
        let old = sha256("register", &[&place.to_be_bytes(), key, value]);
        let new = register::row_sum(place, key, value);
        before.add(old);
        after.add(new);
        Ok(Sums { old, new })
    })?;
    if before != Totals::read(sqlite)? {
        return Err(damaged());
    }
    after.write(sqlite)?;
    // By another name, so that an earlier program which still has the file open ends instead of writing sums of its own.
    ["streams", "positions", "topic_records", "register"].iter().try_for_each(|table| {
        sqlite.execute_batch(&format!("ALTER TABLE {table} RENAME COLUMN sum TO xxh3")).map_err(explain)
    })
}

/// From version 3, which had an index of the latest records of compacted topics.
pub(super) fn from_3(sqlite: &Connection) -> Result<(), LogError> {
    sqlite.execute_batch("DROP TABLE latest").map_err(explain)
}

/// A row's checksum as it was made and as it is made now.
struct Sums {
    old: i64,
    new: i64,
}

/// Gives each row of a table its new checksum. One is looked for when the one before it is done, so that nothing is read
/// while it changes.
fn sum_anew(
    sqlite: &Connection,
    (table, number): (&str, &str),
    columns: &str,
    mut sums: impl FnMut(i64, &Row<'_>) -> rusqlite::Result<Sums>,
) -> Result<(), LogError> {
    let find = format!("SELECT {number}, sum, {columns} FROM {table} WHERE {number} > ? ORDER BY {number} LIMIT 1");
    let mut find = sqlite.prepare(&find).map_err(explain)?;
    let mut update = sqlite.prepare(&format!("UPDATE {table} SET sum = ? WHERE {number} = ?")).map_err(explain)?;
    let mut last = i64::MIN;
    loop {
        let row = find.query_row([last], |row| {
            let (number, stands): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((number, stands, sums(number, row)?))
        });
        let Some((number, stands, Sums { old, new })) = row.optional().map_err(explain)? else { return Ok(()) };
        if stands != old {
            return Err(damaged());
        }
        update.execute((new, number)).map_err(explain)?;
        last = number;
    }
}

/// The checksum of versions 1 and 2: the first 64 bits of SHA-256.
fn sha256(label: &str, parts: &[&[u8]]) -> i64 {
    let mut hash = Sha256::new();
    for part in [label.as_bytes()].iter().chain(parts) {
        hash.update(u64::try_from(part.len()).expect("a length fits 64 bits").to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let (first, _) = digest.split_first_chunk::<8>().expect("a SHA-256 digest has 32 bytes");
    i64::from_be_bytes(*first)
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::super::register::Places;
    use super::super::{EmbeddedClient, store};
    use super::*;
    use crate::log::{AtRest, Client};

    /// A file as version 3 left it, empty.
    fn version_3(path: &Path) -> Connection {
        drop(store::open(path, 1_000).expect("opens"));
        let file = Connection::open(path).expect("opens");
        file.execute_batch(
            "CREATE TABLE latest (
                 stream INTEGER NOT NULL, key BLOB NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (stream, key))
                 STRICT, WITHOUT ROWID;
             PRAGMA user_version = 3",
        )
        .expect("as it was");
        file
    }

    /// A file as version 2 left it: two streams, a position, records with and without a value, and a register.
    fn version_2(path: &Path) -> Connection {
        let file = version_3(path);
        for table in ["streams", "positions", "topic_records", "register"] {
            file.execute_batch(&format!("ALTER TABLE {table} RENAME COLUMN xxh3 TO sum")).expect("as it was");
        }
        file.execute_batch("PRAGMA user_version = 2").expect("as it was");
        let be = i64::to_be_bytes;
        for (id, name, next_offset) in [(1, "feeds.police.v1", 3), (2, "status.v1", 2)] {
            let sum = sha256("stream", &[&be(id), name.as_bytes(), &be(next_offset)]);
            file.execute("INSERT INTO streams VALUES (?, ?, ?, ?)", (id, name, next_offset, sum)).expect("inserts");
        }
        let sum = sha256("position", &[&be(1), &be(2)]);
        file.execute("INSERT INTO positions VALUES (1, 2, ?)", [sum]).expect("inserts");
        for (offset, value) in [(0, Some(b"v".as_slice())), (1, None)] {
            let place = (2 << 40) | offset;
            let (presence, bytes) = ([u8::from(value.is_some())], value.unwrap_or_default());
            let sum = sha256("topic", &[&be(place), &be(9), b"k", &presence, bytes]);
            file.execute("INSERT INTO topic_records VALUES (?, 9, ?, ?, ?)", (place, sum, b"k", value))
                .expect("inserts");
        }
        let mut totals = Totals::EMPTY;
        for (key, value) in [(b"a1", b"x"), (b"b1", b"y")] {
            let place = register::first_place(key);
            let sum = sha256("register", &[&be(place), key, value]);
            totals.add(sum);
            file.execute("INSERT INTO register VALUES (?, ?, ?, ?)", (place, sum, key, value)).expect("inserts");
        }
        totals.write(&file).expect("writes");
        file
    }

    fn rows(file: &Connection) -> Result<Vec<String>, LogError> {
        let mut rows = Vec::new();
        let mut note = |key: &[u8], value: &[u8]| {
            rows.push(format!("{}={}", String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
        };
        register::read_back(file, &mut Places::<RandomState>::default(), &mut note)?;
        Ok(rows)
    }

    #[test]
    fn rows_of_the_first_version_are_put_on_shelves() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("log");
        let file = version_2(&path);
        file.execute_batch(
            "DROP TABLE register; PRAGMA user_version = 1;
             CREATE TABLE register (key BLOB PRIMARY KEY NOT NULL, sum INTEGER NOT NULL, value BLOB NOT NULL)
             STRICT, WITHOUT ROWID;",
        )
        .expect("as it was");
        let mut totals = Totals::EMPTY;
        for (key, value) in [(b"b1", b"x"), (b"a2", b"y"), (b"a1", b"z")] {
            let sum = sha256("register", &[key, value]);
            totals.add(sum);
            file.execute("INSERT INTO register VALUES (?, ?, ?)", (key, sum, value)).expect("inserts");
        }
        totals.write(&file).expect("writes");
        drop(file);
        assert_eq!(rows(&store::open(&path, 1_000).expect("migrates")).expect("whole"), ["a1=z", "a2=y", "b1=x"]);
        assert_eq!(rows(&store::open(&path, 1_000).expect("opens")).expect("whole"), ["a1=z", "a2=y", "b1=x"]);
    }

    #[test]
    fn the_third_version_had_an_index_of_its_own() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("log");
        drop(version_3(&path));
        for opened in ["migrates", "opens"] {
            let file = store::open(&path, 1_000).expect(opened);
            let index = "SELECT count(*) FROM sqlite_schema WHERE name = 'latest'";
            let indices: i64 = file.query_row(index, [], |row| row.get(0)).expect("reads");
            assert_eq!(indices, 0, "{opened}");
        }
    }

    #[test]
    fn rows_of_the_second_version_are_summed_anew() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("log");
        drop(version_2(&path));
        let file = store::open(&path, 1_000).expect("migrates");
        let feed = store::stream(&file, "feeds.police.v1").expect("whole").expect("is there");
        assert_eq!((feed.next_offset, store::position(&file, feed).expect("whole")), (3, 2));
        assert_eq!(rows(&file).expect("whole"), ["a1=x", "b1=y"]);
        let mut client = EmbeddedClient::open(&path, Arc::new(NoFeeds)).expect("opens");
        let records = client.read("status.v1", 0, 0, 9, Duration::ZERO).expect("whole");
        let values: Vec<_> = records.into_iter().map(|record| record.value).collect();
        assert_eq!(values, [Some(b"v".to_vec()), None]);
        let of_version_2 = file.prepare("SELECT sum FROM streams");
        assert!(of_version_2.is_err(), "what an earlier program asks for that has the file open");
    }

    #[test]
    fn what_was_damaged_before_is_not_given_a_checksum() {
        let damages = [
            "UPDATE streams SET next_offset = 4 WHERE id = 1",
            "UPDATE positions SET next_offset = 1",
            "UPDATE topic_records SET appended_ms = 8 WHERE value IS NULL",
            "UPDATE register SET value = x'00' WHERE key = x'6231'",
            "DELETE FROM register WHERE key = x'6231'",
        ];
        for damage in damages {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let path = folder.path().join("log");
            assert_eq!(version_2(&path).execute(damage, []).expect("damages"), 1, "{damage}");
            assert!(matches!(store::open(&path, 1_000), Err(LogError::Damaged(_))), "{damage}");
            let version: i64 = Connection::open(&path)
                .and_then(|file| file.pragma_query_value(None, "user_version", |row| row.get(0)))
                .expect("reads");
            assert_eq!(version, 2, "{damage}");
        }
    }

    /// The file's feeds are not read here.
    struct NoFeeds;

    impl AtRest for NoFeeds {
        fn seal(&self, _: &[u8], clear: &[u8]) -> Vec<u8> {
            clear.to_vec()
        }

        fn open(&self, _: &[u8], _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
            None
        }
    }
}
