//! A log whose register is sealed at rest: whoever steals it does not see tokens, nor how often one occurs. Keys of rows
//! stay in clear; they are keyed ids.

use std::sync::Arc;
use std::time::Duration;

use super::{AtRest, Client, Log, LogError, Polled, Standing, StoredRecord, Transaction, Unsent};
use crate::model::ids::PartyId;

/// Seals register rows on their way in and opens them on their way out; all else passes.
pub struct SealedRegister<L> {
    inner: L,
    at_rest: Arc<dyn AtRest>,
}

impl<L> SealedRegister<L> {
    /// Around a log or a client of one.
    pub fn new(inner: L, at_rest: Arc<dyn AtRest>) -> Self {
        Self { inner, at_rest }
    }
}

/// What hands out rows as they lie there, opened; the first row that does not open ends in an error.
fn opened(
    at_rest: &dyn AtRest,
    row: &mut dyn FnMut(&[u8], &[u8]),
    read: impl FnOnce(&mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let mut is_foreign = false;
    read(&mut |key, value| match at_rest.open(key, value) {
        Some(clear) => row(key, &clear),
        None => is_foreign = true,
    })?;
    let why = "a row of the register cannot be opened: its key has left the ring, or it was changed";
    if is_foreign { Err(LogError::Fatal(why.into())) } else { Ok(()) }
}

impl<L: Log> Log for SealedRegister<L> {
    fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, LogError> {
        self.inner.poll(max_records, wait)
    }

    fn commit(&mut self, mut transaction: Transaction) -> Result<(), LogError> {
        for row in &mut transaction.register {
            row.value = row.value.take().map(|clear| self.at_rest.seal(&row.key, &clear));
        }
        self.inner.commit(transaction)
    }

    fn restore(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        let Self { inner, at_rest } = self;
        opened(at_rest.as_ref(), row, |row| inner.restore(partition, row))
    }

    fn standing(&self) -> Standing {
        self.inner.standing()
    }
}

impl Client for SealedRegister<Box<dyn Client>> {
    fn append(&mut self, feed: &PartyId, events: Vec<Unsent>) -> Result<(), LogError> {
        self.inner.append(feed, events)
    }

    fn partitions(&mut self, topic: &str) -> Result<usize, LogError> {
        self.inner.partitions(topic)
    }

    fn read(
        &mut self,
        topic: &str,
        partition: i32,
        from_offset: i64,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<StoredRecord>, LogError> {
        self.inner.read(topic, partition, from_offset, max, wait)
    }

    fn register(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        let Self { inner, at_rest } = self;
        opened(at_rest.as_ref(), row, |row| inner.register(partition, row))
    }
}
