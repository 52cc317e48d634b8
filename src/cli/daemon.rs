//! The loop of one worker: poll, read, take in, commit, until told to stop. One log, an engine per partition.
//!
//! Where there is a backlog three batches are in hand: while one is committed the next is taken into the engines, on the
//! state that the commit is about to make good, and the one after it is read, which needs no engine. Batches are committed
//! in their order; when one is not, everything after it is dropped with it, and polled again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, ScopedJoinHandle};
use std::time::{Duration, Instant};

use getrandom::SysRng;
use jiff::Timestamp;
use jiff::civil::Date;
use rand::rand_core::UnwrapErr;
use tracing::field::Empty;
use tracing::{Span, info_span};

use super::batch::{Computed, Engines, Fresh, InHand, Readers, polled};
use super::deployment::{Deployment, subscriber};
use super::duties::Duties;
use super::failure::{Failure, Kind};
use super::figures::{self, Figures};
use super::reload::AgreementWatch;
use super::restart::restored;
use super::rotation::KeyWatch;
use crate::log::{Log, LogError, Polled};
use crate::model::event::day;
use crate::model::ids::{PartyId, ScopeId};
use crate::ops::health::{Health, State};
use crate::ops::metrics::{Metrics, TransactionEnd};
use crate::pipeline::{Engine, Now, Setup};

/// How long to wait before the log is tried again after a failure, doubling up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Everything one worker needs.
pub(super) struct Worker {
    pub setup: Arc<Setup>,
    /// Where other keys would come from.
    pub keys: KeyWatch,
    /// Where another agreement would come from.
    pub watch: AgreementWatch,
    pub log: Box<dyn Log>,
    pub duties: Duties,
    pub batch_records: usize,
    pub readers: Arc<Readers>,
    pub poll_wait: Duration,
    /// Act as if it were this day; today without it.
    pub as_of: Option<Date>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub stop: Arc<AtomicBool>,
    /// When it was last told how far behind we are.
    pub shown: Instant,
    /// Who looks at figures.
    pub figures: Arc<Figures>,
    /// Counts below it are withheld from them.
    pub suppress_below: u64,
}

/// How often it is told how far behind we are.
const SHOWN_EVERY: Duration = Duration::from_millis(500);

impl Worker {
    /// Works until told to stop or the log cannot be used any more; gives the engines back. Of the batches in
    /// hand each is committed or undone whole.
    pub(super) fn work(mut self) -> Result<BTreeMap<i32, Engine>, LogError> {
        let (mut engines, mut hand) = (Engines::new(), InHand::default());
        let mut backoff = BACKOFF.0;
        while !hand.is_empty() || !self.stop.load(Ordering::Relaxed) {
            match self.turn(&mut engines, &mut hand) {
                Ok(()) => backoff = BACKOFF.0,
                Err(
                    error @ (LogError::Denied(_) | LogError::Fenced(_) | LogError::Damaged(_) | LogError::Fatal(_)),
                ) => {
                    self.metrics.log_failure();
                    self.health.set(State::Failed(match error {
                        LogError::Denied(_) => "the log refuses us",
                        LogError::Fenced(_) => "fenced: another instance has taken over",
                        LogError::Damaged(_) => "the log is damaged",
                        _ => "the log cannot be used",
                    }));
                    return Err(error);
                }
                Err(error @ (LogError::Retriable(_) | LogError::Aborted(_))) => {
                    tracing::warn!(%error, "the log failed: nothing of the batch is visible, going on from what was committed");
                    self.health.set(State::Waiting(match error {
                        LogError::Aborted(_) => "a transaction was undone",
                        _ => "cut off from the log",
                    }));
                    self.metrics.log_failure();
                    drop_uncommitted(&mut engines, &mut hand);
                    self.pause(backoff);
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
        self.health.set(State::Stopped);
        Ok(engines.into_iter().filter_map(|(partition, engine)| Some((partition, engine?))).collect())
    }

    fn turn(&mut self, engines: &mut Engines, hand: &mut InHand) -> Result<(), LogError> {
        if self.stop.load(Ordering::Relaxed) {
            // What was only read is there the next time.
            hand.read = None;
            return self.commit_waiting(&mut hand.computed);
        }
        self.adopt(engines, &mut hand.computed)?;
        self.follow_keys(engines, &mut hand.computed)?;
        if engines.values().any(Option::is_none) {
            self.health.set(State::Waiting("restoring the register"));
            self.show_partitions(engines);
        }
        for (partition, engine) in engines.iter_mut().filter(|(_, engine)| engine.is_none()) {
            *engine = Some(self.restore(*partition)?);
        }
        // What is in hand does not wait for what may come.
        let now = self.now();
        let has_more = |engine: &Engine| engine.rekeys() || engine.is_due(now);
        let is_busy = !hand.is_empty() || engines.values().flatten().any(has_more);
        let wait = if is_busy { Duration::ZERO } else { self.poll_wait };
        let batch = info_span!(parent: None, "batch", records = Empty);
        match polled(&batch, || self.log.poll(self.batch_records, wait))? {
            Polled::Gained(partitions) => {
                engines.extend(partitions.into_iter().map(|partition| (partition, None)));
            }
            Polled::Lost(partitions) => {
                // What is in hand cannot be committed any more; whoever gains the partitions does it again.
                if !hand.is_empty() {
                    drop_uncommitted(engines, hand);
                }
                for partition in partitions {
                    engines.remove(&partition);
                }
            }
            Polled::Records(records) => {
                self.advance(engines, &mut hand.computed)?;
                self.rekey(engines, &mut hand.computed)?;
                // A poll that its bytes ended has more behind it too: then batches follow one another without waiting for
                // anything, and without being in hand together.
                let more_behind = records.len() >= self.batch_records;
                let fresh = Fresh::of(records, engines, batch)?;
                self.step(engines, hand, fresh)?;
                // To wait for the next batch pays only where it is there already.
                while !more_behind && !hand.is_empty() {
                    self.step(engines, hand, None)?;
                }
                self.show(engines);
                self.make_figures(engines, more_behind);
            }
        }
        Ok(())
    }

    /// New figures, if somebody looks and they are old. It takes a moment, so it waits for a quiet one.
    fn make_figures(&self, engines: &Engines, is_busy: bool) {
        let as_of = self.now().as_of;
        if !self.figures.are_wanted(as_of, is_busy) {
            return;
        }
        let begun = Instant::now();
        let scopes = &self.setup.agreement().scopes;
        let of = |engine| {
            let here = scopes.iter().filter(move |scope| Engine::has(engine, scope));
            here.map(move |scope| figures::of(engine, scope, as_of, self.setup.rules(), self.suppress_below))
        };
        self.figures.put(as_of, engines.values().flatten().flat_map(of).collect());
        tracing::debug!(took_ms = begun.elapsed().as_millis(), "made the figures");
    }

    /// Another agreement, if a better one is there: what was told is decided anew before the next records are.
    fn adopt(&mut self, engines: &mut Engines, waiting: &mut Option<Computed>) -> Result<(), LogError> {
        let as_of = self.now().as_of;
        if let Some(agreement) = self.watch.look(self.setup.agreement(), as_of) {
            let _span = info_span!("reload_agreement", serial = agreement.serial).entered();
            // What waits was decided under the agreement before.
            self.commit_waiting(waiting)?;
            self.setup = Arc::new(self.setup.under(agreement));
            engines.values_mut().flatten().for_each(|engine| engine.adopt(Arc::clone(&self.setup)));
        }
        Ok(())
    }

    /// Why nothing may leave, for whoever asks whether we are ready.
    fn held(&self, engines: &Engines) -> Option<&'static str> {
        let as_of = self.now().as_of;
        let held = engines.values().flatten().find_map(|engine| engine.holds_everything(as_of));
        let held = held.or_else(|| self.setup.agreement().held(as_of));
        self.metrics.agreement(self.setup.agreement().serial, held.is_some());
        held.map(in_words)
    }

    /// Says that we are ready, or why not, and every now and then how far behind we are.
    fn show(&mut self, engines: &Engines) {
        if self.health.state() == State::Ready && self.shown.elapsed() < SHOWN_EVERY {
            return self.health.set(State::Ready);
        }
        self.shown = Instant::now();
        let standing = self.log.standing();
        self.metrics.lag(standing.lag.iter().map(|lag| (&lag.feed, lag.partition, lag.records)));
        let counters = engines.values().flatten().flat_map(|engine| engine.counters());
        self.metrics.feeds(counters.map(|(feed, counts)| (feed, *counts)));
        self.show_partitions(engines);
        let held = self.held(engines);
        let state = standing.cut_off.or(held).map_or(State::Ready, State::Waiting);
        if let Some(reason) = held.filter(|_| self.health.state() != state) {
            tracing::error!(reason, "nothing is disclosed until the agreement is in order");
        }
        self.health.set(state);
    }

    fn show_partitions(&self, engines: &Engines) {
        self.metrics.partitions(engines.iter().map(|(partition, engine)| (*partition, engine.is_some())));
    }

    /// Moves each batch in hand a stage on, all at once, and takes another one in hand.
    fn step(&mut self, engines: &mut Engines, hand: &mut InHand, fresh: Option<Fresh>) -> Result<(), LogError> {
        let now = self.now();
        let InHand { read, computed } = std::mem::take(hand);
        match (fresh, read, computed) {
            (None, None, None) => {}
            (None, None, Some(computed)) => self.commit(computed)?,
            (None, Some(read), None) => hand.computed = Some(read.take_in(engines, now)?),
            (Some(fresh), None, None) => hand.read = Some(fresh.read()),
            (fresh, read, computed) => std::thread::scope(|threads| {
                let readers = Arc::clone(&self.readers);
                let reading = fresh.map(|fresh| threads.spawn(move || readers.read(fresh)));
                let taking = read.map(|read| threads.spawn(|| read.take_in(engines, now)));
                let committed = computed.map_or(Ok(()), |computed| self.commit(computed));
                let taken = taking.map(done).transpose();
                hand.read = reading.map(done);
                hand.computed = committed.and(taken)?;
                Ok(())
            })?,
        }
        Ok(())
    }

    /// Once a day, and once after a restart, everybody is looked at again, and the audit loses who was erased; each minute
    /// the recipients hear that we are there. What waits is committed before.
    fn advance(&mut self, engines: &mut Engines, waiting: &mut Option<Computed>) -> Result<(), LogError> {
        let now = self.now();
        // Before a partition is ours nobody speaks for one, and the minute is not used up.
        let beats = engines.values().any(Option::is_some) && self.duties.beats(now);
        for (partition, engine) in engines.iter_mut().filter_map(|(at, engine)| Some((*at, engine.as_mut()?))) {
            let is_due = engine.is_due(now);
            let _span = is_due.then(|| info_span!("new_day", partition).entered());
            if let Some((transaction, report)) = engine.advance(now, &mut UnwrapErr(SysRng)) {
                self.commit_waiting(waiting)?;
                self.commit(Computed { transaction, report, batch: None })?;
            }
            if is_due && !engine.is_due(now) && engine.awaits_redaction() {
                self.commit_waiting(waiting)?;
                let mut sweep = self.duties.sweep(partition)?;
                while let Some(transaction) = self.duties.redact(&mut sweep, engine, now)? {
                    self.commit(Computed { transaction, ..Computed::default() })?;
                }
            }
            if let Some(transaction) = beats.then(|| engine.beat(now, &mut UnwrapErr(SysRng))).flatten() {
                self.commit_waiting(waiting)?;
                self.commit(Computed { transaction, ..Computed::default() })?;
            }
        }
        Ok(())
    }

    /// Other keys, if there are any: what was told is told anew where the key is part of it.
    fn follow_keys(&mut self, engines: &mut Engines, waiting: &mut Option<Computed>) -> Result<(), LogError> {
        if let Some(setup) = self.keys.look(&self.setup) {
            let _span = info_span!("reload_keys").entered();
            // What waits was sealed under the keys before.
            self.commit_waiting(waiting)?;
            self.setup = setup;
            engines.values_mut().flatten().for_each(|engine| engine.adopt(Arc::clone(&self.setup)));
        }
        Ok(())
    }

    /// One step towards the active linkage key; keys that nothing needs any more end.
    fn rekey(&mut self, engines: &mut Engines, waiting: &mut Option<Computed>) -> Result<(), LogError> {
        let now = self.now();
        for (partition, engine) in engines.iter_mut().filter_map(|(at, engine)| Some((*at, engine.as_mut()?))) {
            let _span = engine.rekeys().then(|| info_span!("rekey", partition).entered());
            if let Some((transaction, report)) = engine.rekey(now, &mut UnwrapErr(SysRng)) {
                self.commit_waiting(waiting)?;
                self.commit(Computed { transaction, report, batch: None })?;
            }
        }
        let is_needed = |key: &(ScopeId, u32)| {
            engines.values().any(|engine| engine.as_ref().is_none_or(|engine| engine.needs_linkage_key(&key.0, key.1)))
        };
        let spent = engines
            .values()
            .flatten()
            .flat_map(Engine::spent_linkage_keys)
            .find(|key| !self.keys.is_ended(key) && !is_needed(key));
        let Some((scope, epoch)) = spent else { return Ok(()) };
        if let Some(engine) = engines.values_mut().flatten().find(|engine| engine.has(&scope)) {
            let _span = info_span!("rekey").entered();
            let transaction = engine.end_linkage_key(&scope, epoch, now, &mut UnwrapErr(SysRng));
            self.commit_waiting(waiting)?;
            self.commit(Computed { transaction, ..Computed::default() })?;
            self.keys.end((scope, epoch));
        }
        Ok(())
    }

    fn commit_waiting(&mut self, waiting: &mut Option<Computed>) -> Result<(), LogError> {
        waiting.take().map_or(Ok(()), |computed| self.commit(computed))
    }

    fn commit(&mut self, Computed { transaction, report, batch }: Computed) -> Result<(), LogError> {
        let _batch = batch.as_ref().map(Span::enter);
        let span = info_span!("commit", outcome = Empty, otel.status_code = Empty).entered();
        let begun = Instant::now();
        let committed = self.log.commit(transaction);
        let end = end_of(&committed);
        self.metrics.transaction(end, begun.elapsed());
        span.record("outcome", end.code());
        if committed.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        drop(span);
        committed?;
        self.metrics.batch(report.outcomes, report.ignored_fields, report.dropped_identifiers);
        self.metrics.forwarded(report.forwarded);
        if report.forwarded > 0 {
            tracing::warn!(
                records = report.forwarded,
                "records came in a partition that is not their scope's and were sent on: a publisher does not key by the scope, or does not use the murmur2 partitioner"
            );
        }
        for ((recipient, topic), count) in &report.messages {
            self.metrics.messages(recipient, topic, *count);
        }
        for (reason, count) in &report.held {
            self.metrics.held(reason, *count);
        }
        tracing::debug!(
            read = report.outcomes.read,
            accepted = report.outcomes.accepted,
            rejected = report.outcomes.rejected,
            "committed a batch"
        );
        Ok(())
    }

    fn restore(&mut self, partition: i32) -> Result<Engine, LogError> {
        let span = info_span!("restore", partition, rows = Empty).entered();
        let (engine, rows) = restored(self.log.as_mut(), &self.setup, partition)?;
        span.record("rows", rows);
        tracing::info!(partition, rows, "restored the register");
        Ok(engine)
    }

    fn now(&self) -> Now {
        let at = Timestamp::now();
        Now { as_of: self.as_of.unwrap_or_else(|| day(at)), at }
    }

    /// Waits, but not longer than it takes to notice that we should stop.
    fn pause(&self, how_long: Duration) {
        let step = Duration::from_millis(50);
        let mut left = how_long;
        while !left.is_zero() && !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
    }
}

/// Why everything is held, for whoever asks whether we are ready.
fn in_words(held: &str) -> &'static str {
    match held {
        "agreement_not_signed" => "everything is held: the agreement is not signed",
        "agreement_not_in_force" => "everything is held: the agreement is not in force",
        _ => "everything is held: the agreement is older than the one that the register was told under",
    }
}

fn end_of(committed: &Result<(), LogError>) -> TransactionEnd {
    match committed {
        Ok(()) => TransactionEnd::Committed,
        Err(LogError::Retriable(_) | LogError::Aborted(_)) => TransactionEnd::Aborted,
        Err(LogError::Fenced(_)) => TransactionEnd::Fenced,
        Err(LogError::Denied(_)) => TransactionEnd::Denied,
        Err(LogError::Damaged(_) | LogError::Fatal(_)) => TransactionEnd::Failed,
    }
}

/// What the engines hold was not committed, and what comes after it has to be polled again: the next turn restores them.
fn drop_uncommitted(engines: &mut Engines, hand: &mut InHand) {
    *hand = InHand::default();
    engines.values_mut().for_each(|engine| *engine = None);
}

/// What a thread came to; where it panicked, so do we.
fn done<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// How long one commit may take before it is said that the daemon hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A worker on a thread of its own within another command.
pub(super) struct Running {
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    worker: JoinHandle<Result<BTreeMap<i32, Engine>, LogError>>,
}

impl Running {
    /// Starts it on a log.
    pub(super) fn start(deployment: &Deployment, log: Box<dyn Log>, as_of: Option<Date>) -> Result<Self, Failure> {
        let (metrics, stop) = (Arc::new(Metrics::default()), Arc::new(AtomicBool::new(false)));
        let worker = Worker {
            setup: Arc::new(deployment.setup()),
            keys: deployment.key_watch(Arc::default()),
            log,
            duties: Duties::new(subscriber(&deployment.settings.log)?),
            watch: AgreementWatch::new(deployment.settings.clone(), Arc::default()),
            batch_records: deployment.settings.batch_records,
            readers: Readers::start()?,
            poll_wait: Duration::from_millis(deployment.settings.poll_ms),
            as_of,
            metrics: Arc::clone(&metrics),
            health: Arc::new(Health::new(Duration::from_millis(deployment.settings.poll_ms))),
            stop: Arc::clone(&stop),
            shown: Instant::now(),
            figures: Arc::default(),
            suppress_below: deployment.settings.suppress_below,
        };
        let worker = std::thread::Builder::new().name("worker".to_owned()).spawn(move || worker.work())?;
        Ok(Self { metrics, stop, worker })
    }

    /// Waits until so many events are processed and committed; `progress` hears how many there are.
    pub(super) fn wait_for(&self, events: u64, mut progress: impl FnMut(u64)) -> Result<(), Failure> {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            let read = self.metrics.events_read();
            progress(read);
            if read >= events {
                return Ok(());
            }
            if read != seen {
                (seen, since) = (read, Instant::now());
            }
            if self.worker.is_finished() || since.elapsed() > PATIENCE {
                return Err(Failure::new(
                    Kind::Bug,
                    "the daemon: it stopped before it had read everything; its log says why",
                ));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many messages it has committed for a recipient on one kind of topic.
    pub(super) fn messages_sent(&self, recipient: &PartyId, topic: &'static str) -> u64 {
        self.metrics.messages_sent(recipient, topic)
    }

    /// Stops it; what is taken in is committed first.
    pub(super) fn stop(self) -> Result<BTreeMap<i32, Engine>, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self
            .worker
            .join()
            .map_err(|_| Failure::new(Kind::Bug, "the daemon: it ended by a fault of ours; please report it"))?;
        Ok(ended?)
    }
}

#[cfg(test)]
mod tests;
