//! Reading a topic as a whole, on whichever log: every partition, in their order, to the end.

use std::time::{Duration, Instant};

use super::{Client, LogError, StoredRecord};

/// Records asked for in one read.
const PORTION: usize = 500;

/// How long one of several partitions is waited for before the next has its turn.
const TURN: Duration = Duration::from_millis(10);

/// How far somebody has read a topic. Knows no consumer group: who reads, keeps the place.
pub struct TopicReader {
    topic: String,
    /// The next offset of each partition; empty until the topic was first asked for.
    next: Vec<i64>,
}

impl TopicReader {
    /// Begins at the first record of every partition.
    #[must_use]
    pub fn new(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), next: Vec::new() }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Hands over every committed record that is new since the last call: partition by partition in their order, each
    /// to its end. Waits at most `wait` if there is none.
    ///
    /// # Errors
    /// The log's, or the first that `each` gives; a record that was handed over counts as read.
    pub fn read<E: From<LogError>>(
        &mut self,
        client: &mut dyn Client,
        wait: Duration,
        mut each: impl FnMut(StoredRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.next.is_empty() {
            self.next = vec![0; client.partitions(&self.topic)?];
        }
        let deadline = Instant::now() + wait;
        // What is there is taken without a wait; then each partition is waited for in turn, a single one all the time.
        let mut patience = if self.next.len() == 1 { wait } else { Duration::ZERO };
        loop {
            let mut found = false;
            for partition in 0..self.next.len() {
                let left = deadline.saturating_duration_since(Instant::now());
                let wait = if found { Duration::ZERO } else { left.min(patience) };
                found |= self.drain(client, partition, wait, &mut each)?;
            }
            if found || Instant::now() >= deadline {
                return Ok(());
            }
            patience = TURN;
        }
    }

    /// Reads one partition to its end; whether there was anything.
    fn drain<E: From<LogError>>(
        &mut self,
        client: &mut dyn Client,
        partition: usize,
        mut wait: Duration,
        each: &mut impl FnMut(StoredRecord) -> Result<(), E>,
    ) -> Result<bool, E> {
        let place = &mut self.next[partition];
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let mut found = false;
        loop {
            let records = client.read(&self.topic, partition, *place, PORTION, wait)?;
            if records.is_empty() {
                return Ok(found);
            }
            (found, wait) = (true, Duration::ZERO);
            for record in records {
                *place = record.offset + 1;
                each(record)?;
            }
        }
    }
}
