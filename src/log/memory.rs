//! The log in memory, with faults from a seed: what the simulation tests run the daemon on.
//!
//! Same promises as the real ones, and the same duty to restore after an error, which it enforces. Nothing waits:
//! a poll or a read that finds nothing returns at once. What is random follows from the seed alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zeroize::Zeroizing;

use crate::log::{
    Client, FeedRecord, Forward, Header, Log, LogError, Polled, Position, Rewrite, StoredRecord, TopicRecord,
    Transaction, Unsent, check_size, feed_topic, home, is_compacted,
};
use crate::model::ids::PartyId;

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is undone and the daemon told so.
    Abort,
    /// The daemon dies before it took effect.
    CrashBefore,
    /// The daemon dies after it took effect and before it heard so.
    CrashAfter,
}

/// Which faults to inject. Chances are per mille.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// All that is random follows from it.
    pub seed: u64,
    /// What happens to the n-th commit attempted (from 0, counted over all daemons), whatever the chances say.
    pub at: BTreeMap<u64, Fault>,
    /// Chance of an abort, per commit.
    pub abort: u32,
    /// Chance of a crash before the commit took effect.
    pub crash_before: u32,
    /// Chance of a crash after it.
    pub crash_after: u32,
    /// Chance, per feed and start of a daemon, that the agency sends its last few records a second time.
    pub republish: u32,
    /// Feeds are read in random order and in portions of random size.
    pub reorder: bool,
}

impl Faults {
    /// A storm of everything.
    #[must_use]
    pub fn storm(seed: u64) -> Self {
        Self { seed, at: BTreeMap::new(), abort: 60, crash_before: 40, crash_after: 40, republish: 300, reorder: true }
    }
}

/// Everything that outlives a daemon. Clones share it.
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    partitions: i32,
    feeds: BTreeMap<(PartyId, i32), Vec<Kept>>,
    topics: BTreeMap<(String, i32), Vec<StoredRecord>>,
    register: BTreeMap<i32, BTreeMap<Vec<u8>, Vec<u8>>>,
    positions: BTreeMap<(PartyId, i32), i64>,
    faults: Faults,
    random: ChaCha8Rng,
    now_ms: i64,
    attempts: u64,
    /// The daemon opened last; earlier ones are fenced.
    owner: u64,
}

/// A feed record in memory: nothing here reaches a disk.
struct Kept {
    appended_ms: i64,
    headers: Vec<Header>,
    payload: Zeroizing<Vec<u8>>,
}

impl MemoryStore {
    /// An empty log; the clock of its appends starts at 0 and moves by a millisecond per append.
    #[must_use]
    pub fn new(faults: Faults) -> Self {
        Self::with_partitions(1, faults)
    }

    /// An empty log whose topics have several partitions; one daemon owns them all.
    #[must_use]
    pub fn with_partitions(partitions: i32, faults: Faults) -> Self {
        let random = ChaCha8Rng::seed_from_u64(faults.seed);
        let shared = Shared {
            partitions,
            feeds: BTreeMap::new(),
            topics: BTreeMap::new(),
            register: BTreeMap::new(),
            positions: BTreeMap::new(),
            faults,
            random,
            now_ms: 0,
            attempts: 0,
            owner: 0,
        };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Starts a daemon's side. One opened earlier is fenced: its calls fail.
    #[must_use]
    pub fn log(&self, feeds: Vec<PartyId>) -> MemoryLog {
        let mut shared = self.lock();
        shared.owner += 1;
        if shared.owner > 1 {
            shared.republish();
        }
        let partitions = 0..shared.partitions;
        let places = feeds.iter().flat_map(|feed| partitions.clone().map(|partition| (feed.clone(), partition)));
        let feeds = places.map(|place| (place, 0)).collect();
        MemoryLog {
            store: self.clone(),
            owner: shared.owner,
            feeds,
            turn: 0,
            state: State::New,
            unrestored: BTreeSet::new(),
        }
    }

    /// Starts an agency's or service's side.
    #[must_use]
    pub fn client(&self) -> MemoryClient {
        MemoryClient { store: self.clone() }
    }

    /// Sets the clock of appends.
    pub fn set_clock(&self, now_ms: i64) {
        self.lock().now_ms = now_ms;
    }

    /// From now on nothing fails: to let a simulation run to its end.
    pub fn calm(&self) {
        let mut shared = self.lock();
        shared.faults = Faults { seed: shared.faults.seed, ..Faults::default() };
    }

    /// How many records all feeds together were given, those that agencies sent again included.
    #[must_use]
    pub fn fed(&self) -> u64 {
        self.lock().feeds.values().map(|records| records.len() as u64).sum()
    }

    /// How many commits were attempted so far.
    #[must_use]
    pub fn commit_attempts(&self) -> u64 {
        self.lock().attempts
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // A panicking test elsewhere must not hide its own message behind a poisoned lock.
        self.shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Shared {
    fn tick(&mut self) -> i64 {
        self.now_ms += 1;
        self.now_ms
    }

    fn chance(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.random.random_range(0..1000) < per_mille
    }

    /// Agencies that were not answered send again what they sent last.
    fn republish(&mut self) {
        let places: Vec<_> = self.feeds.keys().cloned().collect();
        for place in places {
            if !self.chance(self.faults.republish) {
                continue;
            }
            let again = self.random.random_range(1..=8);
            let appended_ms = self.tick();
            let feed = self.feeds.entry(place).or_default();
            for index in feed.len().saturating_sub(again)..feed.len() {
                let (headers, payload) = (feed[index].headers.clone(), feed[index].payload.clone());
                feed.push(Kept { appended_ms, headers, payload });
            }
        }
    }

    fn next_fault(&mut self) -> Option<Fault> {
        let attempt = self.attempts;
        self.attempts += 1;
        if let Some(fault) = self.faults.at.get(&attempt) {
            return Some(*fault);
        }
        let chances = [
            (Fault::Abort, self.faults.abort),
            (Fault::CrashBefore, self.faults.crash_before),
            (Fault::CrashAfter, self.faults.crash_after),
        ];
        chances.into_iter().find(|(_, per_mille)| self.chance(*per_mille)).map(|(fault, _)| fault)
    }

    fn check(&self, transaction: &Transaction) -> Result<(), LogError> {
        let Transaction { outputs, register, positions, rewrites, forwards } = transaction;
        let partitions = (outputs.iter().map(|record| record.partition))
            .chain(rewrites.iter().map(|rewrite| rewrite.record.partition))
            .chain(register.iter().map(|row| row.partition))
            .chain(positions.iter().map(|position| position.partition))
            .chain(forwards.iter().map(|forward| forward.partition));
        for partition in partitions {
            self.has_partition(partition)?;
        }
        if rewrites.iter().any(|rewrite| self.rewritten(rewrite).is_none()) {
            return Err(LogError::Fatal("a record to be rewritten is not there".into()));
        }
        if outputs.iter().any(|record| is_compacted(&record.topic) && record.key.is_empty()) {
            return Err(LogError::Fatal("a record of a compacted topic has no key".into()));
        }
        for Position { feed, partition, next_offset } in positions {
            let place = (feed.clone(), *partition);
            let earlier = self.positions.get(&place).copied().unwrap_or(0);
            let end = self.feeds.get(&place).map_or(0, |records| offset_at(records.len()));
            if !(earlier..=end).contains(next_offset) {
                return Err(LogError::Fatal(format!("the position of {} left what was read", feed_topic(feed))));
            }
        }
        Ok(())
    }

    /// Where a rewritten record lies in its topic.
    fn rewritten(&self, rewrite: &Rewrite) -> Option<usize> {
        let index = usize::try_from(rewrite.offset).ok()?;
        let earlier = self.topics.get(&(rewrite.record.topic.clone(), rewrite.record.partition))?.get(index)?;
        (earlier.key == rewrite.record.key).then_some(index)
    }

    fn apply(&mut self, transaction: Transaction) {
        let appended_ms = self.tick();
        for Forward { feed, partition, scope: _, headers, payload } in transaction.forwards {
            self.feeds.entry((feed, partition)).or_default().push(Kept { appended_ms, headers, payload });
        }
        for rewrite in transaction.rewrites {
            let index = self.rewritten(&rewrite).expect("checked before");
            let TopicRecord { topic, partition, value, .. } = rewrite.record;
            let records = self.topics.get_mut(&(topic, partition)).expect("checked before");
            records[index].value = value;
        }
        for TopicRecord { topic, partition, key, value } in transaction.outputs {
            let records = self.topics.entry((topic, partition)).or_default();
            let offset = offset_at(records.len());
            records.push(StoredRecord { partition, offset, appended_ms, key, value });
        }
        for row in transaction.register {
            let rows = self.register.entry(row.partition).or_default();
            match row.value {
                Some(value) => rows.insert(row.key, value),
                None => rows.remove(&row.key),
            };
        }
        self.positions.extend(transaction.positions.into_iter().map(|at| ((at.feed, at.partition), at.next_offset)));
    }

    fn has_partition(&self, partition: i32) -> Result<(), LogError> {
        let count = self.partitions;
        if (0..count).contains(&partition) {
            return Ok(());
        }
        Err(LogError::Fatal(format!("the log in memory has no partition {partition}, but {count}")))
    }
}

fn offset_at(index: usize) -> i64 {
    i64::try_from(index).expect("memory ends far below 2^63 records")
}

/// A daemon's side of the log in memory.
pub struct MemoryLog {
    store: MemoryStore,
    owner: u64,
    /// Where it reads each feed's partitions.
    feeds: Vec<((PartyId, i32), i64)>,
    turn: usize,
    state: State,
    /// Partitions that have to be restored first.
    unrestored: BTreeSet<i32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Running,
    Crashed,
}

impl MemoryLog {
    /// Whether an injected crash ended this daemon: drop everything it held and start another.
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.state == State::Crashed
    }

    fn usable(&self, shared: &Shared) -> Result<(), LogError> {
        match self.state {
            State::Crashed => Err(LogError::Fatal("the daemon crashed here: an injected fault".into())),
            _ if shared.owner != self.owner => Err(LogError::Fatal("another daemon took over".into())),
            State::New | State::Running => Ok(()),
        }
    }

    fn ready(&self, shared: &Shared) -> Result<(), LogError> {
        self.usable(shared)?;
        let waiting = if self.state == State::New { Some(&0) } else { self.unrestored.first() };
        waiting.map_or(Ok(()), |partition| {
            Err(LogError::Aborted(format!("partition {partition} has to be restored first")))
        })
    }
}

impl Log for MemoryLog {
    fn poll(&mut self, max_records: usize, _wait: Duration) -> Result<Polled, LogError> {
        let store = self.store.clone();
        let mut shared = store.lock();
        self.usable(&shared)?;
        if self.state == State::New {
            self.state = State::Running;
            self.unrestored = (0..shared.partitions).collect();
            return Ok(Polled::Gained((0..shared.partitions).collect()));
        }
        self.ready(&shared)?;
        let count = self.feeds.len();
        let mut order: Vec<usize> = (0..count).map(|step| (self.turn + step) % count).collect();
        self.turn = (self.turn + 1) % count.max(1);
        let mut max_records = max_records;
        if shared.faults.reorder && max_records > 0 {
            for index in (1..order.len()).rev() {
                order.swap(index, shared.random.random_range(0..=index));
            }
            max_records = shared.random.random_range(1..=max_records);
        }
        let mut taken = Vec::new();
        for share in [max_records.div_ceil(count.max(1)), max_records] {
            for index in &order {
                let (place, next) = &mut self.feeds[*index];
                let Some(records) = shared.feeds.get(place) else { continue };
                let limit = share.min(max_records - taken.len());
                let from = usize::try_from(*next).expect("offsets start at 0");
                for kept in records.iter().skip(from).take(limit) {
                    taken.push(FeedRecord {
                        feed: place.0.clone(),
                        partition: place.1,
                        partitions: shared.partitions,
                        offset: *next,
                        appended_ms: kept.appended_ms,
                        headers: kept.headers.clone(),
                        payload: kept.payload.clone(),
                    });
                    *next += 1;
                }
            }
        }
        Ok(Polled::Records(taken))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), LogError> {
        let store = self.store.clone();
        let mut shared = store.lock();
        self.ready(&shared)?;
        let fault = shared.next_fault();
        if !matches!(fault, None | Some(Fault::Abort)) {
            self.state = State::Crashed;
        }
        self.unrestored = (0..shared.partitions).collect();
        match fault {
            Some(Fault::Abort) => return Err(LogError::Aborted("an injected fault".into())),
            Some(Fault::CrashBefore) => return self.usable(&shared),
            Some(Fault::CrashAfter) | None => {}
        }
        shared.check(&transaction)?;
        shared.apply(transaction);
        if fault.is_none() {
            self.unrestored.clear();
        }
        self.usable(&shared)
    }

    fn restore(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        let store = self.store.clone();
        let shared = store.lock();
        self.usable(&shared)?;
        shared.has_partition(partition)?;
        for (place, next) in self.feeds.iter_mut().filter(|(place, _)| place.1 == partition) {
            *next = shared.positions.get(place).copied().unwrap_or(0);
        }
        for (key, value) in shared.register.get(&partition).into_iter().flatten() {
            row(key, value);
        }
        self.unrestored.remove(&partition);
        Ok(())
    }
}

/// An agency's or service's side of the log in memory.
pub struct MemoryClient {
    store: MemoryStore,
}

impl Client for MemoryClient {
    fn append(&mut self, feed: &PartyId, events: Vec<Unsent>) -> Result<(), LogError> {
        for Unsent { headers, payload, .. } in &events {
            check_size(headers, payload)?;
        }
        let mut shared = self.store.lock();
        let appended_ms = shared.tick();
        for Unsent { scope, headers, payload } in events {
            let place = (feed.clone(), home(&scope, shared.partitions));
            shared.feeds.entry(place).or_default().push(Kept { appended_ms, headers, payload });
        }
        Ok(())
    }

    fn partitions(&mut self, _topic: &str) -> Result<usize, LogError> {
        Ok(usize::try_from(self.store.lock().partitions).unwrap_or(0))
    }

    fn read(
        &mut self,
        topic: &str,
        partition: i32,
        from_offset: i64,
        max: usize,
        _wait: Duration,
    ) -> Result<Vec<StoredRecord>, LogError> {
        let shared = self.store.lock();
        shared.has_partition(partition)?;
        let records = shared.topics.get(&(topic.to_owned(), partition)).map(Vec::as_slice).unwrap_or_default();
        let from = usize::try_from(from_offset).unwrap_or(0);
        Ok(records.iter().skip(from).take(max).cloned().collect())
    }

    fn register(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        let shared = self.store.lock();
        shared.has_partition(partition)?;
        shared.register.get(&partition).into_iter().flatten().for_each(|(key, value)| row(key, value));
        Ok(())
    }
}
