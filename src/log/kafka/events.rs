//! What librdkafka tells us besides records: rebalances, delivery failures, the state of its connections, log lines.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::errors::sort_code;
use crate::log::LogError;

/// A change of what is assigned to us: topics with partitions, as the cluster names them.
pub(super) enum Rebalanced {
    Gained(BTreeSet<(String, i32)>),
    Lost,
    Failed(RDKafkaErrorCode),
}

/// Takes what the callbacks say and keeps it until somebody asks.
#[derive(Default)]
pub(super) struct Events {
    rebalances: Mutex<VecDeque<Rebalanced>>,
    undelivered: Mutex<Option<RDKafkaErrorCode>>,
    connection: Mutex<Option<RDKafkaErrorCode>>,
    seen: Mutex<Seen>,
}

/// What the client last said of the cluster.
#[derive(Default, Clone)]
pub(super) struct Seen {
    /// For how long no broker has said anything, microseconds; 0 where nothing is known yet.
    pub(super) silence_us: i64,
    /// By topic and partition: where it ends, and whether the client has handed over all that is before.
    pub(super) ends: BTreeMap<(String, i32), (i64, bool)>,
}

impl Events {
    /// The next rebalance not yet dealt with.
    pub(super) fn rebalanced(&self) -> Option<Rebalanced> {
        lock(&self.rebalances).pop_front()
    }

    /// Whether a record could not be delivered since the last time this was asked.
    pub(super) fn take_undelivered(&self) -> Option<RDKafkaErrorCode> {
        lock(&self.undelivered).take()
    }

    /// What could not be delivered belongs to a transaction that is over.
    pub(super) fn forget_undelivered(&self) {
        *lock(&self.undelivered) = None;
    }

    /// What was last heard of the cluster.
    pub(super) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// Why the cluster will not have us, if it said so.
    pub(super) fn refusal(&self, doing: &str) -> Option<LogError> {
        lock(&self.connection).map(|code| sort_code(doing, code))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is always whole: every use is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        // Its lines speak of brokers, partitions and states, never of what a record holds.
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::warn!(facility, line, "the Kafka client reports an error");
            }
            RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, line, "the Kafka client reports")
            }
        }
    }

    fn stats(&self, statistics: Statistics) {
        let up = statistics.brokers.values().filter(|broker| broker.state == "UP").map(|broker| broker.rxidle.max(0));
        let silence_us = up.min().unwrap_or(i64::MAX);
        let mut ends = BTreeMap::new();
        for (name, topic) in statistics.topics {
            for (number, partition) in topic.partitions {
                let end = partition.ls_offset;
                let handed_over = partition.fetchq_cnt == 0 && partition.next_offset >= end;
                if end >= 0 && partition.desired {
                    ends.insert((name.clone(), number), (end, handed_over));
                }
            }
        }
        *lock(&self.seen) = Seen { silence_us, ends };
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        // A broker that ends the handshake after its own half of it; there is no code of its own for this.
        if code == RDKafkaErrorCode::BrokerTransportFailure && reason.contains("SSL routines") {
            *lock(&self.connection) = Some(RDKafkaErrorCode::SSL);
        }
        if matches!(
            code,
            RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL
        ) {
            *lock(&self.connection) = Some(code);
        }
    }
}

impl ConsumerContext for Events {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        // Nothing is fetched yet after a gain: each partition starts where its restoring says.
        let (event, outcome) = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let gained =
                    partitions.elements().iter().map(|one| (one.topic().to_owned(), one.partition())).collect();
                (Rebalanced::Gained(gained), consumer.assign(&TopicPartitionList::new()))
            }
            _ => (Rebalanced::Lost, consumer.unassign()),
        };
        let failed = outcome.err().and_then(|error| error.rdkafka_error_code()).map(Rebalanced::Failed);
        lock(&self.rebalances).extend([Some(event), failed].into_iter().flatten());
    }
}

impl ProducerContext for Events {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _opaque: ()) {
        if let Err((error, _)) = result {
            let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
            let mut undelivered = lock(&self.undelivered);
            // The first one is the cause; purged ones follow from it.
            *undelivered = undelivered.or(Some(code));
        }
    }
}
