//! What the daemon does by the clock: a heartbeat each minute; once a day, the audit loses whom was erased.

use std::time::Duration;

use getrandom::SysRng;
use jiff::Timestamp;
use rand::rand_core::UnwrapErr;
use rustc_hash::FxHashSet;

use super::audit::seq_of;
use crate::audit::Unreadable;
use crate::log::{Client, LogError, Rewrite, StoredRecord, Transaction};
use crate::pipeline::{AUDIT_TOPIC, Engine, HEARTBEAT, Now};

/// Audit records read at a time.
const READ: usize = 500;
/// Audit records rewritten in one transaction, or as many more as are read at a time.
const REWRITES: usize = 500;

/// What is due when.
pub(super) struct Duties {
    /// Reads the audit back.
    reader: Box<dyn Client>,
    beaten_at: Option<Timestamp>,
}

impl Duties {
    pub(super) fn new(reader: Box<dyn Client>) -> Self {
        Self { reader, beaten_at: None }
    }

    /// Is a heartbeat due? Asked again before the next minute, no.
    pub(super) fn beats(&mut self, now: Now) -> bool {
        // A clock that was set back must not silence us.
        let due = self.beaten_at.is_none_or(|at| at > now.at || now.at.duration_since(at) >= HEARTBEAT);
        if due {
            self.beaten_at = Some(now.at);
        }
        due
    }

    /// A sweep through one partition's audit, to its end.
    pub(super) fn sweep(&mut self, partition: i32) -> Result<Sweep, LogError> {
        Sweep::of(self.reader.as_mut(), partition)
    }

    /// Takes out of one partition's audit whom an erasure concerned, a transaction at a time: as many as wait for it may be
    /// more than memory, or a broker, has room for. Gives `None` once the last was given.
    pub(super) fn redact(
        &mut self,
        sweep: &mut Sweep,
        engine: &mut Engine,
        now: Now,
    ) -> Result<Option<Transaction>, LogError> {
        let rewrites = sweep.next(self.reader.as_mut(), &|record| engine.redact(record))?;
        Ok(rewrites.map(|rewrites| {
            tracing::info!(
                partition = sweep.partition,
                records = rewrites.len(),
                "took erased people out of the audit"
            );
            engine.redacted(rewrites, sweep.has_ended, now, &mut UnwrapErr(SysRng))
        }))
    }
}

/// One sweep through a partition's audit. Whatever ends it early, the next one finishes it: who is to be taken out stays noted
/// until the last transaction, and no record is rewritten, or counted, twice.
pub(super) struct Sweep {
    partition: i32,
    from: i64,
    /// Records that an earlier sweep rewrote and Kafka has not compacted yet: they lie there twice, the later one rewritten.
    rewritten: FxHashSet<u64>,
    has_ended: bool,
}

impl Sweep {
    fn of(reader: &mut dyn Client, partition: i32) -> Result<Self, LogError> {
        Ok(Self { partition, from: 0, rewritten: rewritten(reader, partition)?, has_ended: false })
    }

    /// The next records that change, together with what stands there from now on.
    fn next(
        &mut self,
        reader: &mut dyn Client,
        redact: &dyn Fn(StoredRecord) -> Result<Option<Rewrite>, Unreadable>,
    ) -> Result<Option<Vec<Rewrite>>, LogError> {
        if self.has_ended {
            return Ok(None);
        }
        let mut rewrites = Vec::new();
        while rewrites.len() < REWRITES && !self.has_ended {
            let records = reader.read(AUDIT_TOPIC, self.partition, self.from, READ, Duration::ZERO)?;
            self.from = records.last().map_or(self.from, |last| last.offset + 1);
            self.has_ended = records.is_empty();
            for record in records.into_iter().filter(|record| !self.rewritten.contains(&seq_of(record))) {
                let (partition, offset) = (self.partition, record.offset);
                match redact(record) {
                    Ok(rewrite) => rewrites.extend(rewrite),
                    // It has been tampered with, and `audit verify` says so; what can be redacted is.
                    Err(_) => tracing::error!(partition, offset, "an audit record is not as it was written"),
                }
            }
        }
        Ok(Some(rewrites))
    }
}

/// The numbers of records that lie there a second time: they are not in their order.
fn rewritten(reader: &mut dyn Client, partition: i32) -> Result<FxHashSet<u64>, LogError> {
    let (mut rewritten, mut from, mut last_seq) = (FxHashSet::default(), 0, 0);
    loop {
        let records = reader.read(AUDIT_TOPIC, partition, from, READ, Duration::ZERO)?;
        let Some(last) = records.last() else { return Ok(rewritten) };
        from = last.offset + 1;
        for seq in records.iter().map(seq_of) {
            if seq <= last_seq {
                rewritten.insert(seq);
            }
            last_seq = last_seq.max(seq);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{TopicRecord, Unsent};
    use crate::model::ids::PartyId;

    /// An audit as Kafka has it: what is rewritten comes at the end, and what it replaces is there still.
    struct Audit(Vec<(u64, &'static [u8])>);

    impl Client for Audit {
        fn append(&mut self, _: &PartyId, _: Vec<Unsent>) -> Result<(), LogError> {
            panic!("the audit is only read")
        }

        fn partitions(&mut self, _: &str) -> Result<usize, LogError> {
            Ok(1)
        }

        fn read(
            &mut self,
            _: &str,
            partition: i32,
            from: i64,
            max: usize,
            _: Duration,
        ) -> Result<Vec<StoredRecord>, LogError> {
            let records = (0..).zip(&self.0).skip_while(|(offset, _)| *offset < from).take(max);
            let record = |(offset, (seq, value)): (i64, &(u64, &[u8]))| StoredRecord {
                partition,
                offset,
                appended_ms: 0,
                key: seq.to_string().into_bytes(),
                value: Some(value.to_vec()),
            };
            Ok(records.map(record).collect())
        }

        fn register(&mut self, _: i32, _: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
            panic!("the audit is only read")
        }
    }

    impl Audit {
        /// Sweeps, and ends before this many transactions are committed; gives how many records each took.
        fn sweep(&mut self, ends_before: usize) -> Vec<usize> {
            let redact = |record: StoredRecord| {
                let names = record.value.as_deref() == Some(b"named");
                let record = |value| TopicRecord {
                    topic: AUDIT_TOPIC.to_owned(),
                    partition: 0,
                    key: record.key.clone(),
                    value: Some(value),
                };
                Ok(names.then(|| Rewrite { offset: 0, record: record(Vec::new()) }))
            };
            let (mut sweep, mut taken) = (Sweep::of(self, 0).expect("it is there"), Vec::new());
            while let Some(rewrites) = sweep.next(self, &redact).expect("it is there") {
                if taken.len() == ends_before {
                    break;
                }
                taken.push(rewrites.len());
                let seqs = rewrites.iter().map(|rewrite| String::from_utf8_lossy(&rewrite.record.key).parse());
                self.0.extend(seqs.map(|seq| (seq.expect("a number"), b"" as &[u8])));
            }
            taken
        }
    }

    #[test]
    fn a_sweep_goes_in_portions_and_one_that_broke_off_is_finished_without_counting_anything_twice() {
        let lines = (1..=1_600).map(|seq| (seq, if seq % 4 == 0 { b"about".as_slice() } else { b"named" }));
        let mut audit = Audit(lines.collect());
        let portions = audit.sweep(1);
        assert!(portions.len() == 1 && (REWRITES..REWRITES + READ).contains(&portions[0]), "{portions:?}");
        let rest = audit.sweep(usize::MAX);
        assert_eq!(portions.iter().chain(&rest).sum::<usize>(), 1_200, "{portions:?} {rest:?}");
        assert_eq!(audit.sweep(usize::MAX), [0]);
    }
}
