//! The file itself: schema, numbering of places, checksums, and what SQLite's errors mean to an operator.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OptionalExtension};
use twox_hash::XxHash3_64;

use super::{ahead, migrate};
use crate::log::LogError;

/// Version of the tables below, kept in `user_version`. Raise it with every change and migrate the older ones.
const SCHEMA_VERSION: i64 = 4;

/// "prlg": tells our file from another program's.
const APPLICATION_ID: i64 = 0x7072_6c67;

/// Bits of a place that are the offset; the rest is the stream. Feeds and topics of one kind thus share one tree, and
/// a stream's records lie beside each other.
const OFFSET_BITS: u32 = 40;

/// Of a new file; an older one keeps its own. Nearly all that a large commit writes is new and lies together, and every page of
/// it costs calls of the system, so pages are large. A commit of a few events writes a score of them whole, so not larger.
const PAGE_BYTES: i64 = 8 << 10;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
    CREATE TABLE streams (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, next_offset INTEGER NOT NULL, xxh3 INTEGER NOT NULL) STRICT;
    CREATE TABLE feed_records (place INTEGER PRIMARY KEY, appended_ms INTEGER NOT NULL, sealed BLOB NOT NULL) STRICT;
    CREATE TABLE topic_records (
        place INTEGER PRIMARY KEY, appended_ms INTEGER NOT NULL, xxh3 INTEGER NOT NULL, key BLOB NOT NULL, value BLOB)
        STRICT;
    CREATE TABLE superseded (since_ms INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (since_ms, place))
        STRICT, WITHOUT ROWID;
    CREATE TABLE register (place INTEGER PRIMARY KEY, xxh3 INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL)
        STRICT;
    CREATE TABLE register_totals (row_count INTEGER NOT NULL, row_sum INTEGER NOT NULL) STRICT;
    INSERT INTO register_totals VALUES (0, 0);
    CREATE TABLE positions (stream INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL, xxh3 INTEGER NOT NULL) STRICT;
";

/// Says of which file an error is.
pub(super) fn about(path: &Path, error: LogError) -> LogError {
    let named = |why: String| {
        let path = path.display().to_string();
        if why.contains(&path) { why } else { format!("{path}: {why}") }
    };
    match error {
        LogError::Retriable(why) => LogError::Retriable(named(why)),
        LogError::Damaged(why) => LogError::Damaged(named(why)),
        LogError::Fatal(why) => LogError::Fatal(named(why)),
        told @ (LogError::Aborted(_) | LogError::Denied(_) | LogError::Fenced(_)) => told,
    }
}

/// The file beside the log that its daemon locks. It stays, and says that the log was in use.
pub(super) fn lock_file(path: &Path) -> PathBuf {
    beside(&real(path), ".lock")
}

/// By whatever links a file is named, it is one file, also before it is there or after it is gone.
fn real(path: &Path) -> PathBuf {
    let mut real = path.to_owned();
    for _ in 0..LINKS {
        match (real.canonicalize(), real.read_link()) {
            (Ok(real), _) => return real,
            (Err(_), Ok(target)) => real = real.parent().unwrap_or(Path::new("")).join(target),
            (Err(_), Err(_)) => break,
        }
    }
    real
}

/// As many as the system follows.
const LINKS: usize = 40;

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Notes in the lock file that there is a log.
pub(super) fn mark_used(mut lock: &File, path: &Path) -> Result<(), LogError> {
    let noted = lock.metadata().is_ok_and(|data| data.len() > 0);
    let note = b"The daemon's lock on the log beside it, which was in use: if that is gone, it is lost.\n";
    let written = if noted { Ok(()) } else { lock.write_all(note).and_then(|()| lock.sync_all()) };
    let told = |error: std::io::Error| LogError::Fatal(format!("the lock cannot be written: {}", error.kind()));
    written.map_err(|error| about(&lock_file(path), told(error)))
}

/// A log that was in use and is empty now must not pass for a new one. Nor must SQLite see it: it deletes the write-ahead log of
/// an empty file.
fn refuse_emptied(path: &Path, ahead: &Path) -> Result<(), LogError> {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
    let lock = lock_file(path);
    // Looked at again at last: another process may have made it meanwhile.
    if length(path) > 0 || (length(ahead) == 0 && length(&lock) == 0) || length(path) > 0 {
        return Ok(());
    }
    Err(LogError::Damaged(format!(
        "the file is empty or gone, but a daemon has used it: {PUT_BACK}; to begin anew, delete {} as well",
        lock.display()
    )))
}

/// Opens the file, creating it for its owner only, and brings its schema up.
pub(super) fn open(path: &Path, cache_kib: i64) -> Result<Connection, LogError> {
    open_any(path, cache_kib).map_err(|error| about(path, error))
}

fn open_any(path: &Path, cache_kib: i64) -> Result<Connection, LogError> {
    let path = &real(path);
    let write_ahead = beside(path, "-wal");
    refuse_emptied(path, &write_ahead)?;
    create(path)?;
    ahead::check(&write_ahead)?;
    let connection = Connection::open(path).map_err(explain)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(explain)?;
    connection.set_prepared_statement_cache_capacity(64);
    let deadline = Instant::now() + BUSY_TIMEOUT;
    // Turning a new file to WAL needs it alone and does not wait for it, so several processes starting at once take turns.
    loop {
        match prepare_file(&connection, cache_kib) {
            Err(LogError::Retriable(_)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome.map(|()| connection),
        }
    }
}

/// Makes the file, for its owner only, where it is missing. One that is there is not opened here: when a process closes a
/// file, the system takes all locks on it from that process, those of a daemon's connection beside this one among them.
fn create(path: &Path) -> Result<(), LogError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(cannot_open(path, &error)),
        _ => Ok(()),
    }
}

/// Opens a file for its owner only; creates it where it is missing.
pub(super) fn owner_only(path: &Path) -> Result<File, LogError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| cannot_open(path, &error))
}

/// The kind only: what else the text of an I/O error says is up to the platform.
fn cannot_open(path: &Path, error: &std::io::Error) -> LogError {
    LogError::Fatal(format!("{} cannot be opened for writing: {}", path.display(), error.kind()))
}

fn prepare_file(connection: &Connection, cache_kib: i64) -> Result<(), LogError> {
    let pragma = |name: &str, value: i64| connection.pragma_update(None, name, value).map_err(explain);
    pragma("page_size", PAGE_BYTES)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(explain)?;
    if mode != "wal" {
        return Err(LogError::Fatal("the file's system cannot keep a write-ahead log".into()));
    }
    // FULL: a commit that was answered survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL").map_err(explain)?;
    connection.pragma_update(None, "secure_delete", "ON").map_err(explain)?;
    connection.pragma_update(None, "temp_store", "MEMORY").map_err(explain)?;
    // What grows, grows at its end, so that hardly a page changes twice: to copy it back soon costs no more in all, and no
    // commit long.
    pragma("wal_autocheckpoint", 1_000)?;
    pragma("journal_size_limit", 128 << 20)?;
    pragma("cache_size", -cache_kib)?;
    bring_up(connection)?;
    check_small_tables(connection)
}

/// The tables that say where everything stands are small enough to look at whole. Rows of the large ones are checked
/// as they are read.
fn check_small_tables(connection: &Connection) -> Result<(), LogError> {
    for table in ["streams", "positions", "register_totals"] {
        let check = format!("PRAGMA quick_check({table})");
        let verdict: String = connection.query_row(&check, [], |row| row.get(0)).map_err(explain)?;
        if verdict != "ok" {
            return Err(damaged());
        }
    }
    Ok(())
}

fn bring_up(connection: &Connection) -> Result<(), LogError> {
    let number = |name: &str| -> Result<i64, LogError> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(explain)
    };
    let version = || match (number("user_version")?, number("application_id")?) {
        // Another process may have made it between the two looks; it is looked at again when that is out of question.
        (0, 0 | APPLICATION_ID) => Ok(0),
        (version @ 1..=SCHEMA_VERSION, APPLICATION_ID) => Ok(version),
        (newer, APPLICATION_ID) if newer > SCHEMA_VERSION => Err(LogError::Fatal(format!(
            "the file has schema version {newer}, this program knows up to {SCHEMA_VERSION}: use a newer priorityd"
        ))),
        _ => Err(LogError::Fatal("the file is not a priorityd log".into())),
    };
    if version()? == SCHEMA_VERSION {
        return Ok(());
    }
    connection.execute_batch("BEGIN IMMEDIATE").map_err(explain)?;
    let migrated = (|| {
        // Another process may have done it while this one waited.
        match version()? {
            SCHEMA_VERSION => return Ok(()),
            0 => {
                let tables = "SELECT count(*) FROM sqlite_schema";
                if connection.query_row(tables, [], |row| row.get::<_, i64>(0)).map_err(explain)? != 0 {
                    return Err(LogError::Fatal("the file is not a priorityd log".into()));
                }
                connection.execute_batch(SCHEMA).map_err(explain)?;
            }
            older => {
                if older == 1 {
                    migrate::from_1(connection)?;
                }
                if older <= 2 {
                    migrate::from_2(connection)?;
                }
                migrate::from_3(connection)?;
            }
        }
        connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(explain)?;
        connection.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(explain)
    })();
    let end = if migrated.is_ok() { "COMMIT" } else { "ROLLBACK" };
    connection.execute_batch(end).map_err(explain)?;
    migrated
}

/// A feed or a topic: its number in the file and the offset its next record gets.
#[derive(Clone, Copy)]
pub(super) struct Stream {
    pub(super) id: i64,
    pub(super) next_offset: i64,
}

impl Stream {
    /// Where a record of this stream lies.
    pub(super) fn place(self, offset: i64) -> i64 {
        (self.id << OFFSET_BITS) | offset.clamp(0, (1 << OFFSET_BITS) - 1)
    }

    /// The first place after this stream's.
    pub(super) fn end(self) -> i64 {
        (self.id + 1) << OFFSET_BITS
    }

    /// The next offset, taken.
    pub(super) fn take_offset(&mut self) -> Result<i64, LogError> {
        let offset = self.next_offset;
        if offset >= (1 << OFFSET_BITS) - 1 {
            return Err(LogError::Fatal("a stream has used all its offsets".into()));
        }
        self.next_offset += 1;
        Ok(offset)
    }
}

/// The offset within its stream of a record at `place`.
pub(super) fn offset_of(place: i64) -> i64 {
    place & ((1 << OFFSET_BITS) - 1)
}

/// The number of the stream of a record at `place`.
pub(super) fn stream_of(place: i64) -> i64 {
    place >> OFFSET_BITS
}

/// A stream by name, if anything was ever appended to it.
pub(super) fn stream(connection: &Connection, name: &str) -> Result<Option<Stream>, LogError> {
    let mut find =
        connection.prepare_cached("SELECT id, next_offset, xxh3 FROM streams WHERE name = ?").map_err(explain)?;
    let row = find
        .query_row([name], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))
        .optional()
        .map_err(explain)?;
    let Some((id, next_offset, sum)) = row else { return Ok(None) };
    if sum != stream_sum(id, name, next_offset) {
        return Err(damaged());
    }
    Ok(Some(Stream { id, next_offset }))
}

/// All streams and their names, sorted by these.
pub(super) fn streams(connection: &Connection) -> Result<Vec<(String, Stream)>, LogError> {
    let mut streams = streams_after(connection, 0, i64::MAX)?;
    streams.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    Ok(streams)
}

/// The next streams after the one of this number, and their names.
pub(super) fn streams_after(connection: &Connection, id: i64, limit: i64) -> Result<Vec<(String, Stream)>, LogError> {
    let mut find = connection
        .prepare_cached("SELECT id, name, next_offset, xxh3 FROM streams WHERE id > ? ORDER BY id LIMIT ?")
        .map_err(explain)?;
    let mut rows = find.query((id, limit)).map_err(explain)?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next().map_err(explain)? {
        let (id, name, next_offset, sum): (i64, String, i64, i64) = row.try_into().map_err(explain)?;
        if sum != stream_sum(id, &name, next_offset) {
            return Err(damaged());
        }
        streams.push((name, Stream { id, next_offset }));
    }
    Ok(streams)
}

/// A stream by name; numbered now if it is new.
pub(super) fn stream_or_new(connection: &Connection, name: &str) -> Result<Stream, LogError> {
    if let Some(known) = stream(connection, name)? {
        return Ok(known);
    }
    let id =
        connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM streams", [], |row| row.get(0)).map_err(explain)?;
    connection
        .execute("INSERT INTO streams VALUES (?, ?, 0, ?)", (id, name, stream_sum(id, name, 0)))
        .map_err(explain)?;
    Ok(Stream { id, next_offset: 0 })
}

/// Stores how far a stream's offsets were taken.
pub(super) fn store_stream(connection: &Connection, name: &str, stream: Stream) -> Result<(), LogError> {
    let sum = stream_sum(stream.id, name, stream.next_offset);
    connection
        .prepare_cached("UPDATE streams SET next_offset = ?, xxh3 = ? WHERE id = ?")
        .and_then(|mut update| update.execute((stream.next_offset, sum, stream.id)))
        .map_err(explain)?;
    Ok(())
}

/// Of a feed, where the daemon stands in it; of a topic whose records pass, where it begins now.
pub(super) fn position(connection: &Connection, stream: Stream) -> Result<i64, LogError> {
    let mut find =
        connection.prepare_cached("SELECT next_offset, xxh3 FROM positions WHERE stream = ?").map_err(explain)?;
    let row = find
        .query_row([stream.id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        .optional()
        .map_err(explain)?;
    match row {
        None => Ok(0),
        Some((next_offset, sum)) if sum == position_sum(stream.id, next_offset) => Ok(next_offset),
        Some(_) => Err(damaged()),
    }
}

/// Stores that.
pub(super) fn store_position(connection: &Connection, stream: Stream, next_offset: i64) -> Result<(), LogError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)")
        .and_then(|mut put| put.execute((stream.id, next_offset, position_sum(stream.id, next_offset))))
        .map_err(explain)?;
    Ok(())
}

/// Checksum of a row, XXH3 with 64 bits. SQLite notices a damaged tree but not a flipped bit within a value; this does. It
/// is against failing disks alone: whoever can write to the file could make a costlier sum without a key anew as well.
pub(super) fn sum(label: &str, parts: &[&[u8]]) -> i64 {
    let parts = || [label.as_bytes()].into_iter().chain(parts.iter().copied());
    let mut framed = Vec::with_capacity(parts().map(|part| size_of::<u64>() + part.len()).sum());
    for part in parts() {
        framed.extend_from_slice(&u64::try_from(part.len()).expect("a length fits 64 bits").to_le_bytes());
        framed.extend_from_slice(part);
    }
    XxHash3_64::oneshot(&framed).cast_signed()
}

pub(super) fn stream_sum(id: i64, name: &str, next_offset: i64) -> i64 {
    sum("stream", &[&id.to_be_bytes(), name.as_bytes(), &next_offset.to_be_bytes()])
}

pub(super) fn position_sum(stream: i64, next_offset: i64) -> i64 {
    sum("position", &[&stream.to_be_bytes(), &next_offset.to_be_bytes()])
}

/// What helps against damage. A write-ahead log is of one file: beside a copy it would damage that too.
const PUT_BACK: &str = "put back a copy of it, with no -wal and no -shm beside it";

/// What is said when something read is not what was written.
pub(super) fn damaged() -> LogError {
    LogError::Damaged(format!("the file does not hold what was written to it: {PUT_BACK}"))
}

/// A counter of other connections' commits: it changed, so there may be something new to read.
pub(super) fn data_version(connection: &Connection) -> Result<i64, LogError> {
    connection
        .prepare_cached("PRAGMA data_version")
        .and_then(|mut pragma| pragma.query_row([], |row| row.get(0)))
        .map_err(explain)
}

/// Returns when another connection has committed something since `version`, or at the deadline.
pub(super) fn wait_for_change(connection: &Connection, version: i64, deadline: Instant) -> Result<(), LogError> {
    // SQLite has no notification between processes; looking at a number in shared memory costs microseconds.
    let mut pause = Duration::from_millis(1);
    while data_version(connection)? == version {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    Ok(())
}

/// Sorts an error of SQLite by what can be done about it. Its text is not repeated: it can hold content.
#[allow(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn explain(error: rusqlite::Error) -> LogError {
    let fatal = |what: &str| LogError::Fatal(what.into());
    let rusqlite::Error::SqliteFailure(failure, _) = &error else {
        // What is left are values of a type that was never written.
        return damaged();
    };
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            LogError::Retriable("another process holds the file".into())
        }
        ErrorCode::DiskFull => fatal("the disk is full: make room and start again, nothing that was committed is lost"),
        ErrorCode::ReadOnly => fatal("the file or its directory is read-only: SQLite must be able to write to both"),
        ErrorCode::CannotOpen => fatal("the file cannot be opened: check the path, its directory and permissions"),
        ErrorCode::PermissionDenied => fatal("permission denied"),
        ErrorCode::SystemIoFailure => {
            fatal("the disk failed to read or write: see to the disk and its room, then start again")
        }
        ErrorCode::DatabaseCorrupt => damaged(),
        ErrorCode::NotADatabase => {
            LogError::Damaged(format!("the file's head is, or it is not a priorityd log: {PUT_BACK}"))
        }
        ErrorCode::TooBig => fatal("a record is larger than the file can hold"),
        ErrorCode::OutOfMemory => fatal("out of memory"),
        _ => LogError::Fatal(format!("SQLite failed with code {}", failure.extended_code)),
    }
}
