//! The batches that a worker has in hand, each a stage further than the one that was polled after it: polled, read, taken
//! in, committed.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use getrandom::SysRng;
use rand::rand_core::UnwrapErr;
use rayon::{ThreadPool, ThreadPoolBuilder};
use tracing::field::Empty;
use tracing::{Span, info_span};

use super::failure::{Failure, Kind};
use crate::log::{FeedRecord, LogError, Polled, Transaction};
use crate::pipeline::{BatchReport, Engine, Now, ReadBatch, Reader};

/// The engines of the partitions that are ours; `None` until restored.
pub(super) type Engines = BTreeMap<i32, Option<Engine>>;

/// What was polled and is not committed yet.
#[derive(Default)]
pub(super) struct InHand {
    /// No engine has seen it yet: it may be dropped whenever the log is read again from what was committed.
    pub(super) read: Option<Read>,
    /// The engines hold it already.
    pub(super) computed: Option<Computed>,
}

impl InHand {
    pub(super) fn is_empty(&self) -> bool {
        self.read.is_none() && self.computed.is_none()
    }
}

/// Records as they were polled, by partition, and what reads them.
pub(super) struct Fresh {
    span: Span,
    parts: Vec<(i32, Vec<FeedRecord>, Reader)>,
}

/// Records that were read.
pub(super) struct Read {
    span: Span,
    parts: Vec<(i32, Vec<FeedRecord>, ReadBatch)>,
}

/// What a batch came to, of all its partitions together: one transaction.
#[derive(Default)]
pub(super) struct Computed {
    pub(super) transaction: Transaction,
    pub(super) report: BatchReport,
    /// The batch of records that it is of, in a trace.
    pub(super) batch: Option<Span>,
}

/// Polls within its own span. How many records came is noted: of a batch without any no trace is kept.
pub(super) fn polled(batch: &Span, poll: impl FnOnce() -> Result<Polled, LogError>) -> Result<Polled, LogError> {
    let span = info_span!(parent: batch, "poll", records = Empty, otel.status_code = Empty);
    let polled = span.in_scope(poll);
    match &polled {
        Ok(Polled::Records(records)) if !records.is_empty() => {
            span.record("records", records.len());
            batch.record("records", records.len());
        }
        Ok(_) => {}
        Err(_) => {
            span.record("otel.status_code", "ERROR");
        }
    }
    polled
}

impl Fresh {
    /// Records for the engines as they are now; `None` where there are no records.
    ///
    /// # Errors
    /// A record is of a partition that is not ours.
    pub(super) fn of(records: Vec<FeedRecord>, engines: &Engines, span: Span) -> Result<Option<Self>, LogError> {
        let mut by_partition: BTreeMap<i32, Vec<FeedRecord>> = BTreeMap::new();
        for record in records {
            by_partition.entry(record.partition).or_default().push(record);
        }
        let with_reader = |(partition, records)| match engines.get(&partition) {
            Some(Some(engine)) => Ok((partition, records, engine.reader())),
            Some(None) | None => Err(not_ours()),
        };
        let parts = by_partition.into_iter().map(with_reader).collect::<Result<Vec<_>, _>>()?;
        Ok((!parts.is_empty()).then_some(Self { span, parts }))
    }

    /// Reads them.
    pub(super) fn read(self) -> Read {
        let Self { span: batch, parts } = self;
        let in_span = info_span!(parent: &batch, "read").entered();
        let read = |(partition, records, reader): (i32, Vec<FeedRecord>, Reader)| {
            let read = reader.read(&records, &mut UnwrapErr(SysRng));
            (partition, records, read)
        };
        let parts = parts.into_iter().map(read).collect();
        drop(in_span);
        Read { span: batch, parts }
    }
}

impl Read {
    /// Takes them into their engines.
    ///
    /// # Errors
    /// A record is of a partition that is not ours any more.
    pub(super) fn take_in(self, engines: &mut Engines, now: Now) -> Result<Computed, LogError> {
        let Self { span: batch, parts } = self;
        let span = info_span!(parent: &batch, "process", accepted = Empty, rejected = Empty).entered();
        let mut computed = Computed::default();
        for (partition, records, read) in parts {
            let Some(Some(engine)) = engines.get_mut(&partition) else { return Err(not_ours()) };
            let (transaction, report) = engine.take(&records, read, now, &mut UnwrapErr(SysRng));
            computed.transaction.append(transaction);
            computed.report.add(report);
        }
        span.record("accepted", computed.report.outcomes.accepted);
        span.record("rejected", computed.report.outcomes.rejected);
        drop(span);
        Ok(Computed { batch: Some(batch), ..computed })
    }
}

/// The threads that read ahead while one takes in what was read: one fewer than there are cores, since taking in needs them too.
pub(super) struct Readers(ThreadPool);

impl Readers {
    /// Starts them.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn start() -> Result<Arc<Self>, Failure> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let pool = ThreadPoolBuilder::new().num_threads(cores.saturating_sub(1).max(1)).build();
        let cannot = |_| Failure::new(Kind::Bug, "no thread can be started to read on");
        pool.map(|pool| Arc::new(Self(pool))).map_err(cannot)
    }

    /// Reads on them.
    pub(super) fn read(&self, fresh: Fresh) -> Read {
        self.0.install(|| fresh.read())
    }
}

fn not_ours() -> LogError {
    LogError::Aborted("a record of a partition that is not ours".to_owned())
}
