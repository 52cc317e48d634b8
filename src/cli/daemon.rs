//! The loop of one worker: poll, process, commit, until told to stop. One thread, one log, an engine per partition.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use getrandom::SysRng;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rand::rand_core::UnwrapErr;

use super::reload::AgreementWatch;
use crate::log::{FeedRecord, Log, LogError, Polled, Transaction};
use crate::ops::health::{Health, State};
use crate::ops::metrics::Metrics;
use crate::pipeline::{BatchReport, Engine, Now, Setup};

/// How long to wait before the log is tried again after a failure, doubling up to the second.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// The engines of the partitions that are ours; `None` until restored.
type Engines = BTreeMap<i32, Option<Engine>>;

/// Everything one worker needs.
pub(super) struct Worker {
    pub setup: Arc<Setup>,
    /// Where another agreement would come from.
    pub watch: AgreementWatch,
    pub log: Box<dyn Log>,
    pub batch_records: usize,
    pub poll_wait: Duration,
    /// Act as if it were this day; today without it.
    pub as_of: Option<Date>,
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    pub stop: Arc<AtomicBool>,
}

impl Worker {
    /// Works until told to stop or the log cannot be used any more; gives the engines back. The batch in hand is always
    /// finished or undone whole.
    pub(super) fn work(mut self) -> Result<BTreeMap<i32, Engine>, LogError> {
        let mut engines = Engines::new();
        let mut backoff = BACKOFF.0;
        while !self.stop.load(Ordering::Relaxed) {
            match self.turn(&mut engines) {
                Ok(()) => backoff = BACKOFF.0,
                Err(LogError::Fatal(what)) => {
                    self.health.set(State::Failed("the log cannot be used"));
                    return Err(LogError::Fatal(what));
                }
                Err(error @ (LogError::Retriable(_) | LogError::Aborted(_))) => {
                    tracing::warn!(%error, "the log failed: nothing of the batch is visible, going on from what was committed");
                    self.health.set(State::Waiting("the log is out of reach"));
                    self.metrics.abort();
                    // What the engines hold was not committed: the next turn restores them.
                    engines.values_mut().for_each(|engine| *engine = None);
                    self.pause(backoff);
                    backoff = (backoff * 2).min(BACKOFF.1);
                }
            }
        }
        self.health.set(State::Stopped);
        Ok(engines.into_iter().filter_map(|(partition, engine)| Some((partition, engine?))).collect())
    }

    fn turn(&mut self, engines: &mut Engines) -> Result<(), LogError> {
        self.adopt(engines);
        for (partition, engine) in engines.iter_mut().filter(|(_, engine)| engine.is_none()) {
            *engine = Some(self.restore(*partition)?);
        }
        match self.log.poll(self.batch_records, self.poll_wait)? {
            Polled::Gained(partitions) => {
                engines.extend(partitions.into_iter().map(|partition| (partition, None)));
            }
            Polled::Lost(partitions) => {
                for partition in partitions {
                    engines.remove(&partition);
                }
            }
            Polled::Records(records) => {
                self.advance(engines)?;
                if !records.is_empty() {
                    self.process(records, engines)?;
                }
                self.tell_state(engines);
            }
        }
        Ok(())
    }

    /// Another agreement, if a better one is there: what was told is decided anew before the next records are.
    fn adopt(&mut self, engines: &mut Engines) {
        let as_of = self.now().as_of;
        if let Some(agreement) = self.watch.look(self.setup.agreement(), as_of) {
            self.setup = Arc::new(self.setup.under(agreement));
            engines.values_mut().flatten().for_each(|engine| engine.adopt(Arc::clone(&self.setup)));
        }
    }

    /// Ready, unless nothing may leave.
    fn tell_state(&mut self, engines: &Engines) {
        let as_of = self.now().as_of;
        let held = engines.values().flatten().find_map(|engine| engine.held(as_of));
        let held = held.or_else(|| self.setup.agreement().held(as_of));
        self.metrics.agreement(self.setup.agreement().serial, held.is_some());
        let state = held.map_or(State::Ready, |why| State::Waiting(in_words(why)));
        if held.is_some() && self.health.state() != state {
            tracing::error!(reason = held, "everything is held: nothing is disclosed until the agreement is in order");
        }
        self.health.set(state);
    }

    fn process(&mut self, records: Vec<FeedRecord>, engines: &mut Engines) -> Result<(), LogError> {
        let now = self.now();
        let mut by_partition: BTreeMap<i32, Vec<FeedRecord>> = BTreeMap::new();
        for record in records {
            by_partition.entry(record.partition).or_default().push(record);
        }
        for (partition, batch) in by_partition {
            let Some(Some(engine)) = engines.get_mut(&partition) else {
                return Err(LogError::Aborted("a record of a partition that is not ours".to_owned()));
            };
            let (transaction, report) = engine.process(&batch, now, &mut UnwrapErr(SysRng));
            self.commit(transaction, &report)?;
        }
        Ok(())
    }

    /// Once a day, and once after a restart, everybody is looked at again.
    fn advance(&mut self, engines: &mut Engines) -> Result<(), LogError> {
        let now = self.now();
        for engine in engines.values_mut().flatten() {
            if let Some((transaction, report)) = engine.advance(now, &mut UnwrapErr(SysRng)) {
                self.commit(transaction, &report)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, transaction: Transaction, report: &BatchReport) -> Result<(), LogError> {
        self.log.commit(transaction)?;
        self.metrics.batch(report.outcomes, report.ignored_fields, report.dropped_identifiers);
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
        self.health.set(State::Waiting("restoring the register"));
        let mut engine = Engine::new(Arc::clone(&self.setup), partition);
        let (mut rows, mut bad) = (0_u64, None);
        self.log.restore(partition, &mut |key, value| {
            rows += 1;
            bad = bad.or(engine.restore_row(key, value).err());
        })?;
        if let Some(bad) = bad {
            return Err(LogError::Fatal(bad.to_string()));
        }
        engine.finish_restore();
        tracing::info!(partition, rows, "restored the register");
        Ok(engine)
    }

    fn now(&self) -> Now {
        let at = Timestamp::now();
        Now { as_of: self.as_of.unwrap_or_else(|| at.to_zoned(TimeZone::UTC).date()), at }
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
