//! Looks at the cluster's access lists and changes them.

use std::time::{Duration, Instant};

use kafka_protocol::error::{ParseResponseErrorCode, ResponseError};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId,
    MetadataRequest, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::acls::{Acl, AclChange, FoundAcl, Kind, Operation};
use super::settings::{KafkaSettings, daemon_prefix};
use super::transactor::Transactor;
use super::wire::Wire;
use crate::log::LogError;

/// The side of a cluster that keeps the access lists.
pub struct KafkaAccess(Wire);

/// The oldest form that every broker since 2.0 knows, and Kafka 4 still does.
const ACLS_VERSION: i16 = 2;
/// Tells what we may do to each topic.
const METADATA_VERSION: i16 = 9;

/// Finds the coordinators of several groups, and tells what we may do to a group.
const COORDINATOR_VERSION: i16 = 4;
const GROUPS_VERSION: i16 = 5;

/// The wire form's numbers for filters and permissions.
const ANY: i8 = 1;
const DENY: i8 = 2;
const ALLOW: i8 = 3;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;

impl KafkaAccess {
    /// Connects to the first broker that answers.
    pub fn open(settings: &KafkaSettings) -> Result<Self, LogError> {
        Wire::connect(settings).map(Self)
    }

    /// Connects to each broker of the settings, and tells how it went. For checks: one that answers is enough to work.
    #[must_use]
    pub fn open_each(settings: &KafkaSettings) -> Vec<(String, Result<Self, LogError>)> {
        let addresses = settings.bootstrap.split(',').map(str::trim);
        addresses.map(|address| (address.to_owned(), Wire::connect_to(settings, address).map(Self))).collect()
    }

    /// Everything on the access lists.
    pub fn describe(&mut self) -> Result<Vec<FoundAcl>, LogError> {
        const DOING: &str = "looking at the access lists";
        let all = DescribeAclsRequest::default()
            .with_resource_type_filter(ANY)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(ANY)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(ANY)
            .with_permission_type(ANY);
        let answer = self.0.call(&all, ACLS_VERSION)?;
        ok(DOING, answer.error_code)?;
        let mut found = Vec::new();
        for resource in answer.resources {
            for entry in resource.acls {
                let acl = Acl {
                    principal: entry.principal.to_string(),
                    host: entry.host.to_string(),
                    operation: Operation(entry.operation),
                    kind: Kind(resource.resource_type),
                    name: resource.resource_name.to_string(),
                    prefixed: resource.pattern_type == PREFIXED,
                };
                found.push(if entry.permission_type == DENY { FoundAcl::Deny(acl) } else { FoundAcl::Allow(acl) });
            }
        }
        Ok(found)
    }

    /// Makes the changes: first what is granted, so that nobody is locked out in between.
    pub fn apply(&mut self, changes: &[AclChange]) -> Result<(), LogError> {
        const DOING: &str = "changing the access lists";
        let granted = changes.iter().filter_map(|change| match change {
            AclChange::Grant(acl) => Some(creation(acl)),
            AclChange::Revoke(_) | AclChange::Wider(_) | AclChange::Denied(_) => None,
        });
        let granted = CreateAclsRequest::default().with_creations(granted.collect());
        if !granted.creations.is_empty() {
            let answer = self.0.call(&granted, ACLS_VERSION)?;
            answer.results.iter().try_for_each(|result| ok(DOING, result.error_code))?;
        }
        let revoked = changes.iter().filter_map(|change| match change {
            AclChange::Revoke(acl) => Some(filter(acl)),
            AclChange::Grant(_) | AclChange::Wider(_) | AclChange::Denied(_) => None,
        });
        let revoked = DeleteAclsRequest::default().with_filters(revoked.collect());
        if !revoked.filters.is_empty() {
            let answer = self.0.call(&revoked, ACLS_VERSION)?;
            answer.filter_results.iter().try_for_each(|result| ok(DOING, result.error_code))?;
        }
        Ok(())
    }

    /// Which of these entries' rights to topics we do not have ourselves, as whoever we came in as.
    pub fn lacking<'a>(&mut self, needed: &[&'a Acl]) -> Result<Vec<&'a Acl>, LogError> {
        let topics = needed.iter().filter(|acl| acl.kind == Kind::TOPIC && !acl.prefixed);
        let mut names: Vec<_> = topics.clone().map(|acl| acl.name.as_str()).collect();
        names.dedup();
        let names = names.into_iter().map(|name| {
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
        });
        let request = MetadataRequest::default()
            .with_topics(Some(names.collect()))
            .with_allow_auto_topic_creation(false)
            .with_include_topic_authorized_operations(true);
        let answer = self.0.call(&request, METADATA_VERSION)?;
        let may = |acl: &Acl| {
            let topic = answer.topics.iter().find(|topic| topic.name.as_ref().is_some_and(|name| *name.0 == *acl.name));
            // What is not there at all is told elsewhere.
            let missing = ResponseError::UnknownTopicOrPartition.code();
            topic.is_none_or(|topic| {
                topic.error_code == missing || topic.topic_authorized_operations & (1 << acl.operation.0) != 0
            })
        };
        Ok(topics.copied().filter(|acl| !may(acl)).collect())
    }

    /// May we be a member of the settings' group? Whoever asks first on a new cluster is told to come again, by the broker
    /// that names the coordinator and by the coordinator.
    pub fn try_group(&mut self, settings: &KafkaSettings) -> Result<(), LogError> {
        let deadline = Instant::now() + settings.call_timeout;
        loop {
            match self.try_group_once(settings) {
                Err(LogError::Retriable(_)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                outcome => return outcome,
            }
        }
    }

    fn try_group_once(&mut self, settings: &KafkaSettings) -> Result<(), LogError> {
        const DOING: &str = "looking at the group";
        let request = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(&settings.group)]);
        let answer = self.0.call(&request, COORDINATOR_VERSION)?;
        let found = answer.coordinators.into_iter().next();
        let found = found.ok_or_else(|| LogError::Fatal(format!("{DOING}: no coordinator")))?;
        ok(DOING, found.error_code)?;
        // It alone knows.
        let mut coordinator = Wire::connect_to(settings, &format!("{}:{}", found.host, found.port))?;
        let request = DescribeGroupsRequest::default()
            .with_groups(vec![GroupId(text(&settings.group))])
            .with_include_authorized_operations(true);
        let answer = coordinator.call(&request, GROUPS_VERSION)?;
        let group = answer.groups.first().ok_or_else(|| LogError::Fatal(format!("{DOING}: no answer")))?;
        ok(DOING, group.error_code)?;
        if group.authorized_operations & (1 << Operation::READ.0) == 0 {
            return ok(DOING, ResponseError::GroupAuthorizationFailed.code());
        }
        Ok(())
    }

    /// May we use the daemon's transactional ids? Tries it with one that no daemon has.
    pub fn try_transactions(settings: &KafkaSettings) -> Result<(), LogError> {
        Transactor::open(settings, &(daemon_prefix(&settings.group) + "check.live")).map(drop)
    }
}

fn pattern(acl: &Acl) -> i8 {
    if acl.prefixed { PREFIXED } else { LITERAL }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn creation(acl: &Acl) -> AclCreation {
    AclCreation::default()
        .with_resource_type(acl.kind.0)
        .with_resource_name(text(&acl.name))
        .with_resource_pattern_type(pattern(acl))
        .with_principal(text(&acl.principal))
        .with_host(text(&acl.host))
        .with_operation(acl.operation.0)
        .with_permission_type(ALLOW)
}

fn filter(acl: &Acl) -> DeleteAclsFilter {
    DeleteAclsFilter::default()
        .with_resource_type_filter(acl.kind.0)
        .with_resource_name_filter(Some(text(&acl.name)))
        .with_pattern_type_filter(pattern(acl))
        .with_principal_filter(Some(text(&acl.principal)))
        .with_host_filter(Some(text(&acl.host)))
        .with_operation(acl.operation.0)
        .with_permission_type(ALLOW)
}

fn ok(doing: &str, code: i16) -> Result<(), LogError> {
    let Some(error) = code.err() else { return Ok(()) };
    Err(match error {
        ResponseError::ClusterAuthorizationFailed => {
            LogError::Denied(format!("{doing}: an ACL for the cluster is missing"))
        }
        ResponseError::GroupAuthorizationFailed => {
            LogError::Denied(format!("{doing}: the ACL for the group is missing"))
        }
        ResponseError::CoordinatorNotAvailable
        | ResponseError::CoordinatorLoadInProgress
        | ResponseError::NotCoordinator => LogError::Retriable(format!("{doing}: its coordinator does not answer yet")),
        ResponseError::SecurityDisabled => {
            let fix = "everybody may do everything; set authorizer.class.name on the brokers";
            LogError::Fatal(format!("{doing}: the cluster has no authorizer, so {fix}"))
        }
        other => LogError::Fatal(format!("{doing}: {other:?}")),
    })
}
