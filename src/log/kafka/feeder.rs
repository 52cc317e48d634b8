//! Appends events one by one and without a transaction, as an agency's own producer does.

use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::errors::{sort, sort_code};
use super::events::Events;
use super::settings::KafkaSettings;
use crate::log::{LogError, feed_topic};
use crate::model::ids::{PartyId, ScopeId};

/// An idempotent producer of feed records.
pub struct KafkaFeeder {
    settings: KafkaSettings,
    producer: BaseProducer<Events>,
}

const FEEDING: &str = "feeding";

impl KafkaFeeder {
    /// Prepares the producer; it connects by itself.
    pub fn open(settings: KafkaSettings) -> Result<Self, LogError> {
        let config = settings.feeder()?;
        let producer = BaseProducer::from_config_and_context(&config, Events::default());
        Ok(Self { settings, producer: producer.map_err(|error| sort(FEEDING, &error))? })
    }

    /// Hands an event over; it is on its way when this returns.
    pub fn send(&self, feed: &PartyId, scope: &ScopeId, payload: &[u8]) -> Result<(), LogError> {
        let topic = self.settings.topic(&feed_topic(feed));
        let mut record: BaseRecord<'_, [u8], [u8], ()> =
            BaseRecord::to(&topic).key(scope.as_str().as_bytes()).payload(payload);
        loop {
            self.producer.poll(Duration::ZERO);
            record = match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => again,
                Err((error, _)) => return Err(sort(FEEDING, &error)),
            };
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until everything was delivered.
    pub fn finish(&self) -> Result<(), LogError> {
        let deadline = Instant::now() + self.settings.call_timeout;
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::ZERO);
            if Instant::now() >= deadline {
                return Err(LogError::Retriable(format!("{FEEDING}: no broker takes the records")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        match self.producer.context().take_undelivered() {
            Some(code) => Err(sort_code(FEEDING, code)),
            None => Ok(()),
        }
    }
}
