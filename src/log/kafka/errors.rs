//! Kafka's errors, sorted by what can be done about them. Only the code's own text is passed on.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::log::LogError;

/// Sorts an error that came up while `doing`.
pub(super) fn sort(doing: &str, error: &KafkaError) -> LogError {
    if let KafkaError::Transaction(transaction) = error {
        let text = describe(doing, transaction.code());
        let by_code = sort_code(doing, transaction.code());
        // A refusal stays one, whatever can be done about the transaction.
        return if matches!(by_code, LogError::Denied(_)) || transaction.is_fatal() {
            final_of(by_code)
        } else if transaction.txn_requires_abort() {
            LogError::Aborted(text)
        } else if transaction.is_retriable() {
            LogError::Retriable(text)
        } else {
            by_code
        };
    }
    match error {
        KafkaError::MessageConsumptionFatal(code) => final_of(sort_code(doing, *code)),
        // Its text repeats settings, which may hold a secret.
        KafkaError::ClientConfig(_, _, key, _) => LogError::Fatal(format!("{doing}: the setting {key} is refused")),
        KafkaError::ClientCreation(_) => {
            LogError::Fatal(format!("{doing}: the client refuses its settings; look at certificates and keys"))
        }
        other => match other.rdkafka_error_code() {
            Some(code) => sort_code(doing, code),
            None => LogError::Fatal(format!("{doing}: the Kafka client failed")),
        },
    }
}

/// What is final has no milder reading.
fn final_of(sorted: LogError) -> LogError {
    match sorted {
        LogError::Retriable(why) | LogError::Aborted(why) | LogError::Fatal(why) => LogError::Fatal(why),
        sorted @ (LogError::Denied(_) | LogError::Fenced(_) | LogError::Damaged(_)) => sorted,
    }
}

/// Sorts a bare code.
pub(super) fn sort_code(doing: &str, code: RDKafkaErrorCode) -> LogError {
    use RDKafkaErrorCode as Code;
    let text = describe(doing, code);
    match code {
        Code::AllBrokersDown
        | Code::BrokerNotAvailable
        | Code::BrokerTransportFailure
        | Code::ConcurrentTransactions
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::LeaderNotAvailable
        | Code::MessageTimedOut
        | Code::NetworkException
        | Code::NotCoordinator
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::NotLeaderForPartition
        | Code::OffsetNotAvailable
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::Resolve
        | Code::State
        | Code::TimedOutQueue
        | Code::UnstableOffsetCommit
        | Code::WaitingForCoordinator => LogError::Retriable(text),
        Code::AssignmentLost
        | Code::FencedInstanceId
        | Code::IllegalGeneration
        | Code::PurgeInflight
        | Code::PurgeQueue
        | Code::RebalanceInProgress
        | Code::UnknownMemberId => LogError::Aborted(text),
        Code::Authentication
        | Code::ClusterAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::TopicAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => LogError::Denied(text),
        Code::Fenced | Code::InvalidProducerEpoch | Code::ProducerFenced => LogError::Fenced(text),
        _ => LogError::Fatal(text),
    }
}

/// The code in words an operator can act on.
fn describe(doing: &str, code: RDKafkaErrorCode) -> String {
    use RDKafkaErrorCode as Code;
    let hint = match code {
        Code::Authentication | Code::SaslAuthenticationFailed => "the broker refused our credentials",
        Code::SSL => "TLS failed: look at the CA, the certificate and the broker's name",
        Code::TopicAuthorizationFailed => "an ACL for a topic is missing",
        Code::GroupAuthorizationFailed => "the ACL for the group is missing",
        Code::ClusterAuthorizationFailed => "an ACL for the cluster is missing",
        Code::TransactionalIdAuthorizationFailed => "the ACL for the transactional id is missing",
        Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
            "a topic or partition is missing: apply the topics"
        }
        Code::AutoOffsetReset | Code::OffsetOutOfRange | Code::NoOffset => {
            "records were deleted before they were read: look at the feed's retention"
        }
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => {
            "another instance has taken our name, or we were cut off for too long"
        }
        Code::AllBrokersDown | Code::BrokerTransportFailure | Code::Resolve => "no broker answers",
        _ => return format!("{doing}: {code:?}"),
    };
    format!("{doing}: {hint} ({code:?})")
}

/// Errors that only say that no broker answers just now; librdkafka goes on trying by itself.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    matches!(sort("", error), LogError::Retriable(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_what_can_be_done() {
        let sorted = |code| sort("polling", &KafkaError::MessageConsumption(code));
        assert!(matches!(sorted(RDKafkaErrorCode::AllBrokersDown), LogError::Retriable(_)));
        assert!(matches!(sorted(RDKafkaErrorCode::IllegalGeneration), LogError::Aborted(_)));
        assert!(matches!(sorted(RDKafkaErrorCode::ProducerFenced), LogError::Fenced(_)));
        assert!(matches!(sorted(RDKafkaErrorCode::SSL), LogError::Fatal(_)));
        let LogError::Denied(why) = sorted(RDKafkaErrorCode::TopicAuthorizationFailed) else { panic!("not denied") };
        assert_eq!(why, "polling: an ACL for a topic is missing (TopicAuthorizationFailed)");
    }
}
