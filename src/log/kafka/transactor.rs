//! The transactional producer: begin, send, positions, drain, commit, or abort.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header as KafkaHeader, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::util::Timeout;

use super::errors::{sort, sort_code};
use super::events::Events;
use super::settings::{KafkaSettings, daemon_prefix};
use super::watchdog::Watchdog;
use crate::log::{Header, LogError};

/// A record on its way: the cluster's name of the topic, and where the key decides no partition.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: Option<i32>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: &'a [Header],
}

/// The positions that go with a transaction, under the group's generation.
#[derive(Clone, Copy)]
pub(super) struct GroupPositions<'a> {
    pub(super) offsets: &'a TopicPartitionList,
    pub(super) group: &'a ConsumerGroupMetadata,
}

/// One transactional id's producer. An earlier one of the same id is fenced by opening this one.
pub(super) struct Transactor {
    producer: BaseProducer<Events>,
    config: ClientConfig,
    watchdog: Watchdog,
    call_timeout: Duration,
    transaction_timeout: Duration,
    /// The producer is of no more use; see [`Turns::mend`].
    broken: bool,
}

/// A daemon's two producers, which take turns: a transaction begins while the brokers still mark the partitions of the one
/// before as committed. One producer would be told to wait for these marks, and librdkafka waits 20 ms.
///
/// Their transactions never overlap: one begins after the one before was committed or undone, so records and positions of
/// the two have one order. Brokers that mark two commits in another order keep the later position.
pub(super) struct Turns {
    transactors: [Transactor; 2],
}

impl Turns {
    /// Opens both and ends what earlier ones left behind.
    pub(super) fn open(settings: &KafkaSettings) -> Result<Self, LogError> {
        let name = daemon_prefix(&settings.group) + &settings.instance;
        // No instance's name has a slash.
        let second = format!("{name}/2");
        Ok(Self { transactors: [Transactor::open(settings, &name)?, Transactor::open(settings, &second)?] })
    }

    /// Does all of it or nothing, as [`Transactor::run`].
    pub(super) fn run<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        positions: Option<GroupPositions<'_>>,
    ) -> Result<(), LogError> {
        self.mend()?;
        self.transactors.swap(0, 1);
        self.transactors[0].run(records, positions)
    }

    /// Ends what a producer left open that could not undo it: until then nobody sees what comes after, not from the other
    /// producer either, and no position can be read.
    ///
    /// # Errors
    /// [`LogError::Retriable`] while no broker answers.
    pub(super) fn mend(&mut self) -> Result<(), LogError> {
        self.transactors.iter_mut().filter(|transactor| transactor.broken).try_for_each(Transactor::reopen)
    }
}

/// How long to pause while librdkafka's own threads talk to the broker: `BaseProducer::poll` with a wait of its own
/// always waits it out, which would cost more than the whole transaction.
const DRAIN_PAUSE: Duration = Duration::from_micros(100);

/// A broker of whom we ask for less protection than it wants just closes the connection.
const NO_ANSWER: &str = "opening the producer: no broker answers; if one runs there, it may want TLS or SASL";

impl Transactor {
    /// Opens the producer and ends what an earlier one of the same id left behind.
    pub(super) fn open(settings: &KafkaSettings, transactional_id: &str) -> Result<Self, LogError> {
        let config = settings.producer(transactional_id)?;
        let watchdog = Watchdog::start(settings.on_stuck.clone())?;
        let KafkaSettings { call_timeout, transaction_timeout, .. } = *settings;
        let producer = producer(&config)?;
        let transactor = Self { producer, config, watchdog, call_timeout, transaction_timeout, broken: false };
        transactor.fence()?;
        Ok(transactor)
    }

    /// Replaces the producer by a new one of the same id. A record that the broker refused leaves a gap in librdkafka's
    /// sequence numbers, over which the next transaction would stumble.
    fn reopen(&mut self) -> Result<(), LogError> {
        self.producer = producer(&self.config)?;
        self.fence()?;
        self.broken = false;
        Ok(())
    }

    fn fence(&self) -> Result<(), LogError> {
        let deadline = Instant::now() + self.call_timeout;
        loop {
            // In short portions, so that a refusal is told at once and not after the whole timeout.
            let portion = Duration::from_millis(100).min(self.call_timeout);
            let outcome = self
                .watchdog
                .over(self.transaction_timeout + self.call_timeout, || self.producer.init_transactions(portion));
            self.producer.poll(Duration::ZERO);
            let Err(error) = outcome else { return Ok(()) };
            if let Some(refusal) = self.producer.context().refusal("opening the producer") {
                return Err(refusal);
            }
            match sort("opening the producer", &error) {
                LogError::Retriable(_) if Instant::now() < deadline => {}
                LogError::Retriable(_) => {
                    return Err(LogError::Retriable(NO_ANSWER.into()));
                }
                sorted => return Err(sorted),
            }
        }
    }

    /// Does all of it or nothing. A retriable error means that nothing was begun.
    pub(super) fn run<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        positions: Option<GroupPositions<'_>>,
    ) -> Result<(), LogError> {
        let deadline = Instant::now() + self.transaction_timeout;
        let begun = self.producer.begin_transaction().map_err(|error| sort("beginning a transaction", &error));
        let Err(error) = begun.and_then(|()| self.fill_and_commit(records, positions, deadline)) else { return Ok(()) };
        let error = self.cause(error, positions);
        let undone = self.undo();
        Err(match error {
            // Whatever came of undoing it: who is refused is not to try again.
            LogError::Denied(_) => error,
            error => {
                undone?;
                match error {
                    LogError::Retriable(why) => LogError::Aborted(why),
                    error => error,
                }
            }
        })
    }

    /// librdkafka tells why a transaction failed to the next call about it; whoever was sending hears only that it did.
    /// So it is asked by sending the positions, which nobody sees, for the transaction is undone in any case.
    fn cause(&self, error: LogError, positions: Option<GroupPositions<'_>>) -> LogError {
        let (LogError::Retriable(_) | LogError::Aborted(_), Some(GroupPositions { offsets, group })) =
            (&error, positions)
        else {
            return error;
        };
        let patience = Duration::from_secs(1);
        let asked = self
            .watchdog
            .over(self.call_timeout + patience, || self.producer.send_offsets_to_transaction(offsets, group, patience));
        match asked.map_err(|cause| sort("sending", &cause)) {
            Err(cause @ LogError::Denied(_)) => cause,
            Ok(()) | Err(_) => error,
        }
    }

    /// Undoes what was begun: by aborting it, or where not even that can be done, by a new producer, which ends what
    /// the old one left open. Only one that was fenced must not do so: it would fence its heir in turn.
    fn undo(&mut self) -> Result<(), LogError> {
        let aborted = match self.producer.client().fatal_error() {
            Some((code, _)) => Err(sort_code("committing", code)),
            None => self.abort(),
        };
        let Err(error) = aborted else { return Ok(()) };
        match self.producer.client().fatal_error() {
            Some((RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced, _)) => {
                Err(LogError::Fenced(error.into_why()))
            }
            Some(_) | None => {
                self.broken = true;
                // Where this does not succeed, whoever restores tries again, or the broker's patience ends it.
                match self.reopen() {
                    Ok(()) | Err(LogError::Retriable(_)) => Err(LogError::Aborted(error.into_why())),
                    Err(refused) => Err(refused),
                }
            }
        }
    }

    fn fill_and_commit<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        positions: Option<GroupPositions<'_>>,
        deadline: Instant,
    ) -> Result<(), LogError> {
        self.producer.context().forget_undelivered();
        for record in records {
            self.send(&record, deadline)?;
        }
        let stuck = self.transaction_timeout + self.call_timeout;
        // While records are on their way: the group's coordinator takes its time.
        if let Some(GroupPositions { offsets, group }) = positions {
            self.until(deadline, "sending positions", || {
                self.watchdog
                    .over(stuck, || self.producer.send_offsets_to_transaction(offsets, group, self.call_timeout))
            })?;
        }
        self.drain(deadline)?;
        // Without a timeout of its own: it is bounded by the transaction's, and one that ran out would leave open
        // whether the commit happened.
        self.until(deadline, "committing", || {
            self.watchdog.over(stuck, || self.producer.commit_transaction(Timeout::Never))
        })
    }

    fn send(&self, record: &Outgoing<'_>, deadline: Instant) -> Result<(), LogError> {
        let mut outgoing: BaseRecord<'_, [u8], [u8], ()> = BaseRecord::to(record.topic);
        outgoing.partition = record.partition;
        outgoing.key = record.key;
        outgoing.payload = record.value;
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            outgoing.headers = Some(record.headers.iter().fold(headers, |headers, (key, value)| {
                headers.insert(KafkaHeader { key, value: Some(value.as_slice()) })
            }));
        }
        loop {
            outgoing = match self.producer.send(outgoing) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                    if Instant::now() < deadline =>
                {
                    again
                }
                Err((error, _)) => return Err(sort("sending", &error)),
            };
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(DRAIN_PAUSE);
        }
    }

    /// Waits until every record was delivered or failed.
    fn drain(&mut self, deadline: Instant) -> Result<(), LogError> {
        loop {
            self.producer.poll(Duration::ZERO);
            if let Some(code) = self.producer.context().take_undelivered() {
                self.broken = true;
                return Err(sort_code("sending", code));
            }
            if self.producer.in_flight_count() == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(LogError::Aborted("sending: the transaction's time ran out".into()));
            }
            std::thread::sleep(DRAIN_PAUSE);
        }
    }

    fn abort(&self) -> Result<(), LogError> {
        let deadline = Instant::now() + self.transaction_timeout + self.call_timeout;
        // It first waits for what is in flight, whose delivery reports only we can take: so in short portions.
        self.until(deadline, "aborting", || {
            self.producer.poll(Duration::ZERO);
            let limit = self.transaction_timeout + self.call_timeout;
            self.watchdog.over(limit, || self.producer.abort_transaction(Duration::from_millis(100)))
        })?;
        // The reports of what was undone must not be taken for the next transaction's.
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.producer.poll(Duration::ZERO);
        }
        self.producer.context().forget_undelivered();
        Ok(())
    }

    /// Calls again what can be resumed.
    fn until(&self, deadline: Instant, doing: &str, call: impl Fn() -> Result<(), KafkaError>) -> Result<(), LogError> {
        loop {
            let Err(error) = call() else { return Ok(()) };
            match sort(doing, &error) {
                LogError::Retriable(_) if Instant::now() < deadline => self.producer.poll(Duration::ZERO),
                LogError::Retriable(why) => return Err(LogError::Aborted(why)),
                sorted => return Err(sorted),
            }
        }
    }
}

fn producer(config: &ClientConfig) -> Result<BaseProducer<Events>, LogError> {
    BaseProducer::from_config_and_context(config, Events::default())
        .map_err(|error| sort("opening the producer", &error))
}
