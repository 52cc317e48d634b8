//! What a hub in a test stands on: the log in memory with its faults, or a real file that loses and tears what was being
//! written when the daemon dies.
//!
//! The file's crashes are those that a disk can show after the power went. What was synced is there. Of what was being
//! written, each sector of 512 bytes is there or is not: the image is put together from the file as it was before a commit
//! and as it was after it. While a daemon ends in good order, SQLite copies the write-ahead log back into the database; a
//! crash in the midst of that leaves the log whole and the database a mixture.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use priorityd::log::embedded::{EmbeddedClient, EmbeddedLog, EmbeddedSettings};
use priorityd::log::memory::{Faults, MemoryLog, MemoryStore};
use priorityd::log::{Client, Log, LogError, Polled, Transaction};
use priorityd::model::ids::PartyId;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::embedded::{self, TestKey};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Bytes of the write-ahead log's header.
const WAL_HEADER: usize = 32;

/// What outlives a daemon.
pub(crate) enum Store {
    Memory(MemoryStore),
    File(FileStore),
}

/// A daemon's side of it.
pub(crate) enum Daemon {
    Memory(MemoryLog),
    File(FileLog),
}

impl Store {
    pub(crate) fn memory(faults: Faults) -> Self {
        Self::Memory(MemoryStore::new(faults))
    }

    /// A new file whose daemon dies at that many commits of a thousand, and at as many of its restarts.
    pub(crate) fn file(seed: u64, crashes: u32) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let random = Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed)));
        Self::File(FileStore {
            dir,
            random,
            crashes: Arc::new(AtomicU32::new(crashes)),
            clock: Arc::new(AtomicI64::new(0)),
        })
    }

    pub(crate) fn log(&self, feeds: Vec<PartyId>) -> Daemon {
        match self {
            Self::Memory(store) => Daemon::Memory(store.log(feeds)),
            Self::File(store) => Daemon::File(store.log(feeds)),
        }
    }

    pub(crate) fn client(&self) -> Box<dyn Client> {
        match self {
            Self::Memory(store) => Box::new(store.client()),
            Self::File(store) => {
                let clock = store.settings().clock;
                Box::new(EmbeddedClient::open_with(&store.path(), TestKey::shared(1), clock).expect("opens"))
            }
        }
    }

    pub(crate) fn set_clock(&self, now_ms: i64) {
        match self {
            Self::Memory(store) => store.set_clock(now_ms),
            Self::File(store) => store.clock.store(now_ms, Ordering::Relaxed),
        }
    }

    /// From now on nothing fails.
    pub(crate) fn calm(&self) {
        match self {
            Self::Memory(store) => store.calm(),
            Self::File(store) => store.crashes.store(0, Ordering::Relaxed),
        }
    }
}

impl Daemon {
    /// Whether an injected crash ended it.
    pub(crate) fn crashed(&self) -> bool {
        match self {
            Self::Memory(log) => log.crashed(),
            Self::File(log) => log.inner.is_none(),
        }
    }

    /// Ends it in good order, which may go wrong.
    pub(crate) fn end(&mut self) {
        if let Self::File(log) = self {
            log.end();
        }
    }

    fn log(&mut self) -> &mut dyn Log {
        match self {
            Self::Memory(log) => log,
            Self::File(log) => log,
        }
    }

    pub(crate) fn poll(&mut self, max_records: usize) -> Result<Polled, LogError> {
        self.log().poll(max_records, Duration::ZERO)
    }

    pub(crate) fn commit(&mut self, transaction: Transaction) -> Result<(), LogError> {
        self.log().commit(transaction)
    }

    pub(crate) fn restore(&mut self, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        self.log().restore(0, row)
    }
}

/// A file and its write-ahead log in a directory of their own.
pub(crate) struct FileStore {
    dir: TempDir,
    random: Arc<Mutex<ChaCha8Rng>>,
    /// Per mille.
    crashes: Arc<AtomicU32>,
    clock: Arc<AtomicI64>,
}

impl FileStore {
    fn path(&self) -> PathBuf {
        self.dir.path().join("log.db")
    }

    fn settings(&self) -> EmbeddedSettings {
        // Shorter than most steps of the clock, so that much is swept before the daemon dies, and while it does.
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        // What was said to each recipient is held to the audit at the end, so messages stay.
        EmbeddedSettings { message_retention: 3_660 * DAY, ..embedded::settings(&self.clock, DAY, 2 * DAY) }
    }

    fn log(&self, feeds: Vec<PartyId>) -> FileLog {
        FileLog {
            inner: Some(Box::new(embedded::open_again(&self.path(), feeds, &self.settings()))),
            path: self.path(),
            random: Arc::clone(&self.random),
            crashes: Arc::clone(&self.crashes),
        }
    }
}

/// A daemon's side of a file; nothing is left of it after a crash.
pub(crate) struct FileLog {
    inner: Option<Box<EmbeddedLog>>,
    path: PathBuf,
    random: Arc<Mutex<ChaCha8Rng>>,
    crashes: Arc<AtomicU32>,
}

/// The bytes of the database and of its write-ahead log.
struct Image {
    database: Vec<u8>,
    ahead: Vec<u8>,
}

impl FileLog {
    fn end(&mut self) {
        if self.inner.is_none() {
            return;
        }
        let before = self.is_crash().then(|| self.image());
        self.inner = None;
        if let Some(before) = before {
            // The write-ahead log goes only after the database was synced.
            let database = self.mixed(&before.database, &self.image().database);
            self.write(&Image { database, ahead: before.ahead });
        }
    }

    fn is_crash(&self) -> bool {
        self.random().random_range(0..1_000) < self.crashes.load(Ordering::Relaxed)
    }

    fn random(&self) -> MutexGuard<'_, ChaCha8Rng> {
        self.random.lock().expect("nobody panics while it is held")
    }

    fn image(&self) -> Image {
        Image { database: read(&self.path), ahead: read(&beside(&self.path, "-wal")) }
    }

    fn write(&self, image: &Image) {
        std::fs::write(&self.path, &image.database).expect("writes");
        std::fs::write(beside(&self.path, "-wal"), &image.ahead).expect("writes");
        // An index of what is in the write-ahead log; it lives in memory and dies with the machine.
        let index = beside(&self.path, "-shm");
        if index.exists() {
            std::fs::remove_file(index).expect("removes");
        }
    }

    /// A write-ahead log while a commit was written to it. One that begins anew has its header synced before all else.
    fn mixed_ahead(&self, before: &[u8], after: &[u8]) -> Vec<u8> {
        let mut mixed = self.mixed(before, after);
        let header = after.len().min(WAL_HEADER);
        if mixed != before && before.get(..header) != Some(&after[..header]) {
            mixed[..header].copy_from_slice(&after[..header]);
        }
        mixed
    }

    /// Of what differs, each sector as it was or as it was to be; of what was appended, perhaps less.
    fn mixed(&self, before: &[u8], after: &[u8]) -> Vec<u8> {
        let mut random = self.random();
        // A disk that lost nearly all, nearly nothing, or anything between.
        let kept = random.random_range(0..=100);
        let longest = before.len().max(after.len());
        let mut mixed = Vec::with_capacity(longest);
        for start in (0..longest).step_by(SECTOR) {
            let sector = |bytes: &[u8]| -> Vec<u8> {
                let end = bytes.len().min(start + SECTOR);
                bytes.get(start..end).unwrap_or_default().to_vec()
            };
            let (old, new) = (sector(before), sector(after));
            let takes = old == new || random.random_range(0..100) < kept;
            let mut chosen = if takes { new } else { old };
            // A hole that nothing was written to reads as zeros.
            chosen.resize(SECTOR.min(longest - start), 0);
            mixed.append(&mut chosen);
        }
        if random.random_bool(0.5) && after.len() > before.len() {
            mixed.truncate(random.random_range(before.len()..=after.len()));
        }
        mixed
    }

    fn gone<T>() -> Result<T, LogError> {
        Err(LogError::Fatal("the daemon crashed here: an injected fault".into()))
    }
}

impl Log for FileLog {
    fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, LogError> {
        self.inner.as_mut().map_or_else(Self::gone, |log| log.poll(max_records, wait))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), LogError> {
        let before = self.is_crash().then(|| self.image());
        let Some(log) = &mut self.inner else { return Self::gone() };
        log.commit(transaction)?;
        let Some(before) = before else { return Ok(()) };
        let after = self.image();
        self.inner = None;
        let image = if before.database == after.database {
            Image { ahead: self.mixed_ahead(&before.ahead, &after.ahead), database: before.database }
        } else {
            // The commit was synced before it was copied back.
            Image { database: self.mixed(&before.database, &after.database), ahead: after.ahead }
        };
        self.write(&image);
        Self::gone()
    }

    fn restore(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        self.inner.as_mut().map_or_else(Self::gone, |log| log.restore(partition, row))
    }
}

fn beside(path: &std::path::Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn read(path: &std::path::Path) -> Vec<u8> {
    if path.exists() { std::fs::read(path).expect("reads") } else { Vec::new() }
}
