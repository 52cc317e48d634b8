//! What the daemon does by the clock: a heartbeat each minute; once a day, the audit loses whom was erased.

use std::time::Duration;

use getrandom::SysRng;
use jiff::Timestamp;
use rand::rand_core::UnwrapErr;

use crate::log::{Client, LogError, Transaction};
use crate::pipeline::{AUDIT_TOPIC, Engine, HEARTBEAT, Now};

/// Audit records read at a time.
const READ: usize = 500;

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

    /// Takes out of one partition's audit whom an erasure concerned.
    pub(super) fn redact(&mut self, engine: &mut Engine, partition: i32, now: Now) -> Result<Transaction, LogError> {
        let (mut rewrites, mut from) = (Vec::new(), 0);
        loop {
            let records = self.reader.read(AUDIT_TOPIC, partition, from, READ, Duration::ZERO)?;
            let Some(last) = records.last() else { break };
            from = last.offset + 1;
            for record in records {
                let offset = record.offset;
                match engine.redact(record) {
                    Ok(rewrite) => rewrites.extend(rewrite),
                    // It has been tampered with, and `audit verify` says so; what can be redacted is.
                    Err(_) => tracing::error!(partition, offset, "an audit record is not as it was written"),
                }
            }
        }
        tracing::info!(partition, records = rewrites.len(), "took erased people out of the audit");
        Ok(engine.redacted(rewrites, now, &mut UnwrapErr(SysRng)))
    }
}
