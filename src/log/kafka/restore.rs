//! Reads a partition's register back from its changelog.

use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rustc_hash::FxHashMap;

use super::REGISTER_TOPIC;
use super::errors::{is_passing, sort};
use super::events::Events;
use super::settings::{KafkaSettings, OnRestore};
use crate::log::LogError;

/// The changelog topic, for reading.
pub(super) struct Changelog {
    topic: String,
    reader: BaseConsumer<Events>,
    /// Sees open transactions, too; asked for ends only.
    uncommitted: BaseConsumer<Events>,
    call_timeout: Duration,
    transaction_timeout: Duration,
    on_restore: OnRestore,
}

const DOING: &str = "restoring the register";

/// After so many records it is said how far restoring is.
const SAID_EVERY: i64 = 1_000;

impl Changelog {
    pub(super) fn open(settings: &KafkaSettings) -> Result<Self, LogError> {
        let consumer = |isolation: &str| -> Result<BaseConsumer<Events>, LogError> {
            let mut config = settings.reader()?;
            config.set("isolation.level", isolation).set("enable.partition.eof", "true");
            BaseConsumer::from_config_and_context(&config, Events::default()).map_err(|error| sort(DOING, &error))
        };
        Ok(Self {
            topic: settings.topic(REGISTER_TOPIC),
            reader: consumer("read_committed")?,
            uncommitted: consumer("read_uncommitted")?,
            call_timeout: settings.call_timeout,
            transaction_timeout: settings.transaction_timeout,
            on_restore: settings.on_restore.clone(),
        })
    }

    /// Hands every live row to `row`, in the order of the first bytes of keys. To be called after the positions of the partition were read.
    pub(super) fn restore(&self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        (self.on_restore)(partition, 0.0);
        let Some((low, end)) = self.wait_for_open_transactions(partition)? else {
            (self.on_restore)(partition, 1.0);
            return Ok(());
        };
        // Offsets leave gaps where records were compacted away, so this is about how much it is.
        let share = |offset: i64| (offset - low) as f64 / (end - low) as f64;
        let rows = self.read(partition, &|offset| (self.on_restore)(partition, share(offset).min(1.0)))?;
        (self.on_restore)(partition, 1.0);
        let mut rows: Vec<(Vec<u8>, Vec<u8>)> = rows.into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| key.first().copied());
        // Each is freed once it is handed over, for the owner now holds its own form of it.
        for (key, value) in rows {
            row(&key, &value);
        }
        Ok(())
    }

    /// Returns when all that was in the changelog at the beginning is decided: where it begins and ends, if there is
    /// anything at all.
    fn wait_for_open_transactions(&self, partition: i32) -> Result<Option<(i64, i64)>, LogError> {
        let ends = |consumer: &BaseConsumer<Events>| {
            consumer.fetch_watermarks(&self.topic, partition, self.call_timeout).map_err(|error| sort(DOING, &error))
        };
        let (low, end) = ends(&self.uncommitted)?;
        if low == end {
            return Ok(None);
        }
        let deadline = Instant::now() + self.transaction_timeout + self.call_timeout;
        let mut pause = Duration::from_millis(5);
        while ends(&self.reader)?.1 < end {
            if Instant::now() >= deadline {
                return Err(LogError::Retriable(format!("{DOING}: a transaction in the changelog does not end")));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
        Ok(Some((low, end)))
    }

    fn read(&self, partition: i32, reached: &dyn Fn(i64)) -> Result<FxHashMap<Vec<u8>, Vec<u8>>, LogError> {
        let mut start = TopicPartitionList::new();
        start
            .add_partition_offset(&self.topic, partition, Offset::Beginning)
            .and_then(|()| self.reader.assign(&start))
            .map_err(|error| sort(DOING, &error))?;
        let outcome = self.read_to_end(reached);
        self.reader.unassign().map_err(|error| sort(DOING, &error))?;
        outcome
    }

    fn read_to_end(&self, reached: &dyn Fn(i64)) -> Result<FxHashMap<Vec<u8>, Vec<u8>>, LogError> {
        let mut rows = FxHashMap::default();
        let mut heard = Instant::now();
        loop {
            match self.reader.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => {
                    heard = Instant::now();
                    if record.offset() % SAID_EVERY == 0 {
                        reached(record.offset());
                    }
                    let key = record.key().unwrap_or_default();
                    match record.payload() {
                        Some(value) => rows.insert(key.to_vec(), value.to_vec()),
                        None => rows.remove(key),
                    };
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(rows),
                Some(Err(error)) if !is_passing(&error) => return Err(sort(DOING, &error)),
                Some(Err(_)) | None if heard.elapsed() > self.call_timeout => {
                    return Err(LogError::Retriable(format!("{DOING}: no broker answers")));
                }
                Some(Err(_)) | None => {}
            }
        }
    }
}
