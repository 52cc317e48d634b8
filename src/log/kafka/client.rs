//! The side of agencies and services on a cluster.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::errors::{is_passing, sort, sort_code};
use super::events::Events;
use super::restore::Changelog;
use super::settings::{KafkaSettings, party_prefix};
use super::transactor::{Outgoing, Transactor};
use crate::log::{Client, LogError, POLL_BYTES, StoredRecord, Unsent, check_size, feed_topic};
use crate::model::ids::{PartyId, hex};

/// A publisher or subscriber. Each half connects when it is first used.
pub struct KafkaClient {
    settings: KafkaSettings,
    /// One for each feed, since a party may only use transactional ids of its own.
    transactors: BTreeMap<PartyId, Transactor>,
    reader: Option<Reader>,
}

/// A consumer and the place it was put to.
struct Reader {
    consumer: BaseConsumer<Events>,
    place: Option<(String, i32, i64)>,
    /// The end was reached at that place: what comes next is not there yet.
    at_end: bool,
    /// Where the partition of that place ended when the consumer was put there.
    end: i64,
    /// By topic and partition: from the one offset to the other there is nothing to read, only marks of transactions.
    quiet: BTreeMap<(String, i32), (i64, i64)>,
}

const READING: &str = "reading a topic";

impl KafkaClient {
    /// Prepares a client; nothing connects yet.
    #[must_use]
    pub fn new(settings: KafkaSettings) -> Self {
        Self { settings, transactors: BTreeMap::new(), reader: None }
    }

    fn reader(&mut self) -> Result<&mut Reader, LogError> {
        if self.reader.is_none() {
            let mut config = self.settings.reader()?;
            config.set("enable.partition.eof", "true").set("auto.offset.reset", "earliest");
            let consumer = BaseConsumer::from_config_and_context(&config, Events::default())
                .map_err(|error| sort(READING, &error))?;
            let quiet = BTreeMap::new();
            self.reader = Some(Reader { consumer, place: None, at_end: false, end: 0, quiet });
        }
        Ok(self.reader.as_mut().expect("it was put there above"))
    }
}

/// A transactional id that no other publisher has, so that two of one party do not fence each other. An heir of the same
/// name is of no use to a publisher: what it left open nobody sees, and what was sent twice the daemon drops.
fn own_transactional_id(group: &str, party: &PartyId) -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    format!("{}{}", party_prefix(group, party), hex(&random))
}

impl Reader {
    /// Puts the consumer to a place, unless it stands there already. `false` where nothing is to be read there yet.
    fn put(&mut self, topic: &str, partition: i32, offset: i64, call_timeout: Duration) -> Result<bool, LogError> {
        let stands = |place: &(String, i32, i64)| place.0 == topic && place.1 == partition && place.2 == offset;
        if self.place.as_ref().is_some_and(stands) {
            return Ok(true);
        }
        // Asked beforehand: an offset beyond the end would be answered with the topic's first record.
        let end = self.end(topic, partition, call_timeout)?;
        let quiet = self.quiet.get(&(topic.to_owned(), partition));
        if offset > end || quiet.is_some_and(|(from, to)| (*from..=*to).contains(&offset) && end <= *to) {
            return Ok(false);
        }
        let mut start = TopicPartitionList::new();
        start
            .add_partition_offset(topic, partition, Offset::Offset(offset))
            .and_then(|()| self.consumer.assign(&start))
            .map_err(|error| sort(READING, &error))?;
        self.place = Some((topic.to_owned(), partition, offset));
        (self.at_end, self.end) = (false, end);
        Ok(true)
    }

    /// Where a topic's partition ends.
    fn end(&mut self, topic: &str, partition: i32, call_timeout: Duration) -> Result<i64, LogError> {
        let ask = |consumer: &BaseConsumer<_>, wait| consumer.fetch_watermarks(topic, partition, wait);
        self.ask(topic, call_timeout, ask).map(|(_, end)| end)
    }

    /// How many partitions a topic has.
    fn partitions(&mut self, topic: &str, call_timeout: Duration) -> Result<usize, LogError> {
        let count = self.ask(topic, call_timeout, |consumer, wait| {
            let metadata = consumer.fetch_metadata(Some(topic), wait)?;
            let found = metadata.topics().first();
            let code = found.and_then(|topic| topic.error()).map(RDKafkaErrorCode::from);
            code.map_or(Ok(()), |code| Err(KafkaError::MetadataFetch(code)))?;
            Ok(found.map_or(0, |topic| topic.partitions().len()))
        })?;
        if count == 0 { Err(sort_code(READING, RDKafkaErrorCode::UnknownTopicOrPartition)) } else { Ok(count) }
    }

    /// Asks the cluster. In short portions, so that a refusal is told at once and not after the timeout.
    fn ask<T>(
        &mut self,
        topic: &str,
        call_timeout: Duration,
        question: impl Fn(&BaseConsumer<Events>, Duration) -> KafkaResult<T>,
    ) -> Result<T, LogError> {
        let begun = Instant::now();
        loop {
            let error = match question(&self.consumer, Duration::from_millis(500)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            // Serves what the connection reported; there are no records to take while nothing is read.
            self.place = None;
            self.consumer.unassign().map_err(|error| sort(READING, &error))?;
            while self.consumer.poll(Duration::ZERO).is_some() {}
            if let Some(refusal) = self.consumer.context().refusal(READING) {
                return Err(refusal);
            }
            if !is_passing(&error) || begun.elapsed() >= call_timeout {
                return Err(self.explain(&error, topic));
            }
        }
    }

    fn explain(&self, error: &KafkaError, topic: &str) -> LogError {
        if let Some(refusal) = self.consumer.context().refusal(READING) {
            return refusal;
        }
        // A topic that we may not see looks like one that is not there, but for what is said of the topic itself.
        let known = self.consumer.fetch_metadata(Some(topic), Duration::from_secs(5));
        let said = known.ok().and_then(|metadata| metadata.topics().first().and_then(|topic| topic.error()));
        said.map_or_else(|| sort(READING, error), |code| sort_code(READING, code.into()))
    }

    /// Reads what is there, however short `deadline` is; it bounds the wait for what is not there yet.
    fn read(&mut self, max: usize, deadline: Instant, patience: Duration) -> Result<Vec<StoredRecord>, LogError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        let fetched_by = deadline.max(Instant::now() + patience);
        while records.len() < max && bytes < POLL_BYTES {
            let deadline = if self.at_end { deadline } else { fetched_by };
            let left = deadline.saturating_duration_since(Instant::now());
            // Once something came, only what is already here: the end of the topic or of the buffer ends the read.
            let polled = self.consumer.poll(if records.is_empty() { left } else { Duration::ZERO });
            match polled {
                Some(Ok(record)) => {
                    self.at_end = false;
                    let (key, value) =
                        (record.key().unwrap_or_default().to_vec(), record.payload().map(<[u8]>::to_vec));
                    bytes += key.len() + value.as_ref().map_or(0, Vec::len);
                    let (partition, offset) = (record.partition(), record.offset());
                    let appended_ms = record.timestamp().to_millis().unwrap_or(0);
                    if let Some(place) = &mut self.place {
                        place.2 = offset + 1;
                    }
                    records.push(StoredRecord { partition, offset, appended_ms, key, value });
                }
                // The group is a name without a function here: partitions are taken and positions kept by hand.
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::GroupAuthorizationFailed))) => {}
                Some(Err(error)) if !matches!(error, KafkaError::PartitionEOF(_)) && !is_passing(&error) => {
                    let topic = self.place.take().map(|(topic, _, _)| topic).unwrap_or_default();
                    return Err(self.explain(&error, &topic));
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.at_end = true;
                    if let Some((topic, partition, next)) = &self.place {
                        self.quiet.insert((topic.clone(), *partition), (*next, self.end));
                    }
                    if !records.is_empty() {
                        break;
                    }
                }
                Some(Err(_)) | None if !records.is_empty() || Instant::now() >= deadline => break,
                Some(Err(_)) | None => {}
            }
        }
        Ok(records)
    }
}

impl Client for KafkaClient {
    fn append(&mut self, feed: &PartyId, events: Vec<Unsent>) -> Result<(), LogError> {
        for Unsent { headers, payload, .. } in &events {
            check_size(headers, payload)?;
        }
        let topic = self.settings.topic(&feed_topic(feed));
        let outgoing = events.iter().map(|Unsent { scope, headers, payload }| Outgoing {
            topic: &topic,
            partition: None,
            key: Some(scope.as_str().as_bytes()),
            value: Some(payload.as_slice()),
            headers,
        });
        let mut transactor = match self.transactors.remove(feed) {
            Some(transactor) => transactor,
            None => Transactor::open(&self.settings, &own_transactional_id(&self.settings.group, feed))?,
        };
        let outcome = transactor.run(outgoing, None);
        // One that failed for good is opened anew next time.
        if matches!(outcome, Ok(()) | Err(LogError::Retriable(_) | LogError::Aborted(_))) {
            self.transactors.insert(feed.clone(), transactor);
        }
        outcome
    }

    fn partitions(&mut self, topic: &str) -> Result<usize, LogError> {
        let (topic, call_timeout) = (self.settings.topic(topic), self.settings.call_timeout);
        self.reader()?.partitions(&topic, call_timeout)
    }

    fn read(
        &mut self,
        topic: &str,
        partition: i32,
        from_offset: i64,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<StoredRecord>, LogError> {
        let deadline = Instant::now() + wait;
        let (topic, call_timeout) = (self.settings.topic(topic), self.settings.call_timeout);
        let reader = self.reader()?;
        while !reader.put(&topic, partition, from_offset.max(0), call_timeout)? {
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()).min(Duration::from_millis(50)));
        }
        reader.read(max, deadline, call_timeout)
    }

    fn register(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        Changelog::open(&self.settings)?.restore(partition, row)
    }
}
