//! The daemon's side: what is assigned to this instance, where it stands in each feed, and its transactions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use zeroize::Zeroizing;

use super::REGISTER_TOPIC;
use super::errors::{is_passing, sort, sort_code};
use super::events::{Events, Rebalanced};
use super::restore::Changelog;
use super::settings::KafkaSettings;
use super::transactor::{GroupPositions, Outgoing, Turns};
use crate::log::{
    FeedRecord, Header, Lag, Log, LogError, POLL_BYTES, Polled, Position, Standing, Transaction, feed_topic,
};
use crate::model::ids::PartyId;

/// One instance of the group. One owner, one thread.
pub struct KafkaLog {
    settings: KafkaSettings,
    /// The cluster's names of the feeds.
    feeds: BTreeMap<String, PartyId>,
    /// How many partitions each feed has.
    partitions: i32,
    transactors: Turns,
    changelog: Changelog,
    consumer: BaseConsumer<Events>,
    /// Our membership as of the last gain; see [`KafkaLog::membership`].
    group: Option<ConsumerGroupMetadata>,
    /// Partitions assigned to us, and whether they were restored.
    owned: BTreeMap<i32, bool>,
    cursors: BTreeMap<(PartyId, i32), Cursor>,
    /// What librdkafka fetches is not what the cursors say.
    misplaced: bool,
    /// Rebalances that the owner has not heard of yet.
    untold: VecDeque<Polled>,
}

/// Where one feed's partition stands.
#[derive(Clone, Copy)]
struct Cursor {
    committed: i64,
    next: i64,
}

impl KafkaLog {
    /// Joins the group. An earlier instance of the same name is fenced, and what it left open is undone.
    pub fn open(settings: KafkaSettings, feeds: Vec<PartyId>) -> Result<Self, LogError> {
        // Fence first, then look: what is read afterwards cannot be changed by the one before.
        let transactors = Turns::open(&settings)?;
        let changelog = Changelog::open(&settings)?;
        let consumer = BaseConsumer::from_config_and_context(&settings.group_member()?, Events::default())
            .map_err(|error| sort("opening the consumer", &error))?;
        let feeds: BTreeMap<_, _> = feeds.into_iter().map(|feed| (settings.topic(&feed_topic(&feed)), feed)).collect();
        let topics: Vec<&str> = feeds.keys().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|error| sort("subscribing to the feeds", &error))?;
        Ok(Self {
            settings,
            feeds,
            partitions: 1,
            transactors,
            changelog,
            consumer,
            group: None,
            owned: BTreeMap::new(),
            cursors: BTreeMap::new(),
            misplaced: false,
            untold: VecDeque::new(),
        })
    }

    /// Takes in what the callbacks heard; the next thing to tell the owner, if there is one.
    fn rebalanced(&mut self) -> Result<Option<Polled>, LogError> {
        while let Some(event) = self.consumer.context().rebalanced() {
            match event {
                Rebalanced::Gained(gained) => {
                    self.lose();
                    self.gain(&gained)?;
                }
                Rebalanced::Lost => self.lose(),
                Rebalanced::Failed(code) => return Err(sort_code("taking an assignment", code)),
            }
        }
        Ok(self.untold.pop_front())
    }

    fn lose(&mut self) {
        let lost: Vec<i32> = std::mem::take(&mut self.owned).into_keys().collect();
        self.group = None;
        self.cursors.clear();
        self.misplaced = false;
        // What was gained and lost before the owner heard of it needs no telling.
        let unheard = matches!(self.untold.back(), Some(Polled::Gained(_)));
        if unheard {
            self.untold.pop_back();
        } else if !lost.is_empty() {
            self.untold.push_back(Polled::Lost(lost));
        }
    }

    fn gain(&mut self, gained: &BTreeSet<(String, i32)>) -> Result<(), LogError> {
        let partitions: BTreeSet<i32> = gained.iter().map(|(_, partition)| *partition).collect();
        if gained.len() != partitions.len() * self.feeds.len() {
            return Err(LogError::Fatal("the feeds differ in their number of partitions: apply the topics".into()));
        }
        if !partitions.is_empty() {
            self.partitions = self.count_partitions()?;
            self.group = self.membership();
            self.owned = partitions.iter().map(|partition| (*partition, false)).collect();
            self.untold.push_back(Polled::Gained(partitions.into_iter().collect()));
        }
        Ok(())
    }

    /// How many partitions the feeds have: all the same, which a gain has made sure of for those that are ours.
    fn count_partitions(&self) -> Result<i32, LogError> {
        let topic = self.feeds.keys().next().map(String::as_str);
        let metadata = self.consumer.fetch_metadata(topic, self.settings.call_timeout);
        let metadata = metadata.map_err(|error| sort("reading the feeds' partitions", &error))?;
        let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Our membership now. It is kept from a gain until the next loss and not asked for with each transaction: a
    /// member that was thrown out may have forgotten its generation, and not every broker refuses positions without.
    fn membership(&self) -> Option<ConsumerGroupMetadata> {
        let group = self.consumer.group_metadata()?;
        // Forgetting the generation and marking the assignment as lost are one step to who asks for either.
        (!self.consumer.assignment_lost()).then_some(group)
    }

    fn ready(&self) -> Result<(), LogError> {
        match self.owned.iter().find(|(_, restored)| !**restored) {
            None => Ok(()),
            Some((partition, _)) => Err(LogError::Aborted(format!("partition {partition} has to be restored first"))),
        }
    }

    /// Makes librdkafka fetch from where the cursors stand.
    fn place(&mut self) -> Result<(), LogError> {
        let mut places = TopicPartitionList::new();
        for (topic, feed) in &self.feeds {
            for partition in self.owned.keys() {
                let next = self.cursors[&(feed.clone(), *partition)].next;
                places
                    .add_partition_offset(topic, *partition, Offset::Offset(next))
                    .map_err(|error| sort("placing the consumer", &error))?;
            }
        }
        self.consumer.assign(&places).map_err(|error| sort("placing the consumer", &error))?;
        self.misplaced = false;
        Ok(())
    }

    fn take(&self, record: &BorrowedMessage<'_>, batch: &mut Batch) {
        let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
        let Some(feed) = self.feeds.get(topic) else { return };
        let place = (feed.clone(), partition);
        let Some(cursor) = self.cursors.get(&place) else { return };
        let next = batch.next.entry(place).or_insert(cursor.next);
        if offset < *next {
            return;
        }
        *next = offset + 1;
        let payload = record.payload().unwrap_or_default();
        batch.bytes += payload.len();
        batch.records.push(FeedRecord {
            feed: feed.clone(),
            partition,
            partitions: self.partitions,
            offset,
            appended_ms: record.timestamp().to_millis().unwrap_or(0),
            headers: record.headers().map(headers).unwrap_or_default(),
            payload: Zeroizing::new(payload.to_vec()),
        });
    }

    /// The positions a transaction carries. Never none: they are what proves that the partitions are still ours.
    fn offsets(&self, positions: &[Position]) -> Result<TopicPartitionList, LogError> {
        let mut offsets = TopicPartitionList::new();
        let mut add = |feed: &PartyId, partition: i32, offset: i64| {
            let topic = self.settings.topic(&feed_topic(feed));
            offsets
                .add_partition_offset(&topic, partition, Offset::Offset(offset))
                .map_err(|error| sort("sending positions", &error))
        };
        for position in positions {
            let name = feed_topic(&position.feed);
            let Some(cursor) = self.cursors.get(&(position.feed.clone(), position.partition)) else {
                return Err(LogError::Aborted(format!("partition {} of {name} is not ours", position.partition)));
            };
            if !(cursor.committed..=cursor.next).contains(&position.next_offset) {
                return Err(LogError::Fatal(format!("the position of {name} left what was read")));
            }
            add(&position.feed, position.partition, position.next_offset)?;
        }
        if positions.is_empty() {
            let first = self.cursors.first_key_value();
            let ((feed, partition), cursor) = first.ok_or_else(|| LogError::Aborted("no partition is ours".into()))?;
            add(feed, *partition, cursor.committed)?;
        }
        Ok(offsets)
    }

    fn run(&mut self, transaction: &Transaction) -> Result<(), LogError> {
        let Transaction { outputs, register, positions, rewrites, forwards } = transaction;
        let outputs = || outputs.iter().chain(rewrites.iter().map(|rewrite| &rewrite.record));
        if let Some(row) = register.iter().find(|row| !self.owned.contains_key(&row.partition)) {
            return Err(LogError::Aborted(format!("partition {} is not ours", row.partition)));
        }
        let offsets = self.offsets(positions)?;
        let group = self.group.as_ref().ok_or_else(|| LogError::Aborted("the membership was lost".into()))?;
        let names: BTreeMap<&str, String> =
            outputs().map(|record| (record.topic.as_str(), self.settings.topic(&record.topic))).collect();
        let register_topic = self.settings.topic(REGISTER_TOPIC);
        let outputs = outputs().map(|record| Outgoing {
            topic: &names[record.topic.as_str()],
            partition: Some(record.partition),
            key: (!record.key.is_empty()).then_some(&record.key),
            value: record.value.as_deref(),
            headers: &[],
        });
        let register = register.iter().map(|row| Outgoing {
            topic: &register_topic,
            partition: Some(row.partition),
            key: Some(&row.key),
            value: row.value.as_deref(),
            headers: &[],
        });
        let feeds: Vec<String> =
            forwards.iter().map(|forward| self.settings.topic(&feed_topic(&forward.feed))).collect();
        let forwards = forwards.iter().zip(&feeds).map(|(forward, topic)| Outgoing {
            topic,
            partition: Some(forward.partition),
            key: Some(forward.scope.as_str().as_bytes()),
            value: Some(&forward.payload),
            headers: &forward.headers,
        });
        self.transactors.run(outputs.chain(register).chain(forwards), Some(GroupPositions { offsets: &offsets, group }))
    }

    /// Where the group stands in a partition of each feed. Waits for transactions that are about to move it.
    fn positions(&self, partition: i32) -> Result<Vec<(PartyId, i64)>, LogError> {
        const DOING: &str = "reading positions";
        let mut asked = TopicPartitionList::new();
        for topic in self.feeds.keys() {
            asked.add_partition(topic, partition);
        }
        let deadline = Instant::now() + self.settings.transaction_timeout + self.settings.call_timeout;
        let answered = loop {
            let error = match self.consumer.committed_offsets(asked.clone(), self.settings.call_timeout) {
                Ok(answer) => match answer.elements().iter().find_map(|one| one.error().err()) {
                    None => break answer,
                    Some(error) => error,
                },
                Err(error) => error,
            };
            if !is_passing(&error) || Instant::now() >= deadline {
                return Err(sort(DOING, &error));
            }
        };
        let mut positions = Vec::new();
        for (topic, feed) in &self.feeds {
            let found = answered.find_partition(topic, partition).map(|one| one.offset());
            let next = match found {
                Some(Offset::Offset(next)) => next,
                // Never committed: from the first record there is.
                _ => {
                    let watermarks = self.consumer.fetch_watermarks(topic, partition, self.settings.call_timeout);
                    watermarks.map_err(|error| sort(DOING, &error))?.0
                }
            };
            positions.push((feed.clone(), next));
        }
        Ok(positions)
    }
}

impl Log for KafkaLog {
    fn poll(&mut self, max_records: usize, wait: Duration) -> Result<Polled, LogError> {
        if let Some(event) = self.untold.pop_front() {
            return Ok(event);
        }
        self.ready()?;
        if self.misplaced {
            self.place()?;
        }
        let deadline = Instant::now() + wait;
        let mut batch = Batch::default();
        while batch.records.len() < max_records && batch.bytes < POLL_BYTES {
            let left = if batch.records.is_empty() {
                deadline.saturating_duration_since(Instant::now())
            } else {
                Duration::ZERO
            };
            let polled = self.consumer.poll(left);
            let found = polled.is_some();
            match polled {
                Some(Ok(record)) => self.take(&record, &mut batch),
                Some(Err(error)) if !is_passing(&error) => {
                    // What this poll took so far is fetched again.
                    self.misplaced = true;
                    return Err(sort("reading the feeds", &error));
                }
                Some(Err(_)) | None => {}
            }
            if let Some(event) = self.rebalanced()? {
                return Ok(event);
            }
            if let Some(refusal) = self.consumer.context().refusal("reading the feeds") {
                return Err(refusal);
            }
            if !found && (!batch.records.is_empty() || Instant::now() >= deadline) {
                break;
            }
        }
        for (place, next) in batch.next {
            if let Some(cursor) = self.cursors.get_mut(&place) {
                cursor.next = next;
            }
        }
        Ok(Polled::Records(batch.records))
    }

    fn commit(&mut self, transaction: Transaction) -> Result<(), LogError> {
        self.ready()?;
        if let Err(error) = self.run(&transaction) {
            self.owned.values_mut().for_each(|restored| *restored = false);
            return Err(error);
        }
        for position in transaction.positions {
            if let Some(cursor) = self.cursors.get_mut(&(position.feed, position.partition)) {
                cursor.committed = position.next_offset;
            }
        }
        Ok(())
    }

    fn restore(&mut self, partition: i32, row: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), LogError> {
        if !self.owned.contains_key(&partition) {
            return Err(LogError::Aborted(format!("partition {partition} is not ours")));
        }
        self.transactors.mend()?;
        // Positions first: once they are known, whatever may still move them or the changelog is refused.
        for (feed, next) in self.positions(partition)? {
            self.cursors.insert((feed, partition), Cursor { committed: next, next });
        }
        self.misplaced = true;
        self.changelog.restore(partition, row)?;
        self.owned.insert(partition, true);
        Ok(())
    }

    fn standing(&self) -> Standing {
        let seen = self.consumer.context().seen();
        // Fetches are answered all the time, and signs of life within a part of the session.
        let is_silent = u128::try_from(seen.silence_us).is_ok_and(|us| us > self.settings.session_timeout.as_micros());
        let mut lag = Vec::new();
        for (topic, feed) in &self.feeds {
            for partition in self.owned.keys() {
                let cursor = self.cursors.get(&(feed.clone(), *partition));
                let Some((cursor, (end, handed_over))) = cursor.zip(seen.ends.get(&(topic.clone(), *partition))) else {
                    continue;
                };
                // The end lies behind marks of transactions, which nobody gets to read.
                let done = *handed_over && cursor.committed == cursor.next;
                let records = if done { 0 } else { u64::try_from(end - cursor.committed).unwrap_or(0) };
                lag.push(Lag { feed: feed.clone(), partition: *partition, records });
            }
        }
        Standing { cut_off: is_silent.then_some("cut off from the broker"), lag }
    }
}

#[derive(Default)]
struct Batch {
    records: Vec<FeedRecord>,
    bytes: usize,
    next: BTreeMap<(PartyId, i32), i64>,
}

fn headers(headers: &impl Headers) -> Vec<Header> {
    headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
}
