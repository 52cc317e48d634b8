//! Which topics there have to be and how they are set, and what is to be changed to get there. Pure; `admin` does it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::REGISTER_TOPIC;
use crate::log::{AUDIT_TOPIC, HEADS_TOPIC, MAX_RECORD_BYTES, REVIEW_TOPIC, feed_topic, is_compacted, topic_name};
use crate::model::ids::PartyId;

/// What all topics have in common, and how long each kind is kept.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Partitions of every topic: a scope has the same one everywhere. Fixed for good, see [`TopicChange::Repartition`].
    pub partitions: i32,
    /// Copies of each partition.
    pub replicas: i32,
    /// How many of them have a record before it counts as written.
    pub in_sync_replicas: i32,
    /// Raw feeds hold clear identity: as short as the longest standstill that has to be survived.
    pub feed_retention: Duration,
    /// Tombstones of the lists: long enough for every subscriber to have seen them.
    pub delete_retention: Duration,
    /// Alerts, status messages and rejections.
    pub message_retention: Duration,
}

impl Default for Layout {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self {
            partitions: 6,
            replicas: 3,
            in_sync_replicas: 2,
            feed_retention: 7 * DAY,
            delete_retention: 30 * DAY,
            message_retention: 30 * DAY,
        }
    }
}

/// A topic as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Name without a prefix.
    pub name: String,
    /// Partitions.
    pub partitions: i32,
    /// Copies of each.
    pub replicas: i32,
    /// Settings that matter to us; others are left as they are.
    pub settings: BTreeMap<&'static str, String>,
}

/// A topic as the cluster has it.
#[derive(Debug, Clone, Default)]
pub struct FoundTopic {
    /// Partitions.
    pub partitions: i32,
    /// Every setting, inherited ones included.
    pub settings: BTreeMap<String, String>,
}

/// The topics of a deployment: those that parties feed, those that recipients read, and our own.
#[must_use]
pub fn wanted(layout: &Layout, feeds: &[PartyId], recipients: &[PartyId]) -> Vec<Topic> {
    const FOR_EVER: &str = "-1";
    let (feed_ms, message_ms) = (milliseconds(layout.feed_retention), milliseconds(layout.message_retention));
    let mut names: Vec<(String, String)> = Vec::new();
    for feed in feeds {
        names.push((feed_topic(feed), feed_ms.clone()));
        names.push((topic_name("rejections", feed), message_ms.clone()));
    }
    for recipient in recipients {
        names.extend(["alerts", "list", "status"].map(|kind| (topic_name(kind, recipient), message_ms.clone())));
    }
    let kept = [AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC, REGISTER_TOPIC];
    names.extend(kept.map(|name| (name.to_owned(), FOR_EVER.to_owned())));
    names.sort();
    names.into_iter().map(|(name, retention_ms)| topic(layout, name, retention_ms)).collect()
}

fn topic(layout: &Layout, name: String, retention_ms: String) -> Topic {
    let mut settings = BTreeMap::from([
        ("min.insync.replicas", layout.in_sync_replicas.to_string()),
        // The time of a record is when the log took it, whatever the sender's clock says.
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        // A little more than the largest record, for what Kafka puts around it.
        ("max.message.bytes", (MAX_RECORD_BYTES + (64 << 10)).to_string()),
    ]);
    // Audit records have keys of their own; what compaction removes is what an erased person's records said of them.
    if is_compacted(&name) || name == REGISTER_TOPIC || name == AUDIT_TOPIC {
        settings.insert("cleanup.policy", "compact".to_owned());
        settings.insert("delete.retention.ms", milliseconds(layout.delete_retention));
    } else {
        settings.insert("cleanup.policy", "delete".to_owned());
        settings.insert("retention.ms", retention_ms);
    }
    Topic { name, partitions: layout.partitions, replicas: layout.replicas, settings }
}

fn milliseconds(time: Duration) -> String {
    time.as_millis().to_string()
}

/// One step from what the cluster has to what it has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicChange {
    /// The topic is missing.
    Create(Topic),
    /// A setting differs.
    Set {
        /// Of this topic.
        topic: String,
        /// Its name.
        setting: &'static str,
        /// What it is now.
        from: Option<String>,
        /// What it has to be.
        to: String,
    },
    /// The number of partitions differs. Never done: another number would send a scope's records to another partition
    /// than its register lies in.
    Repartition {
        /// Of this topic.
        topic: String,
        /// How many there are.
        from: i32,
        /// How many were asked for.
        to: i32,
    },
}

impl fmt::Display for TopicChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(Topic { name, partitions, replicas, settings }) => {
                write!(out, "create {name} with {partitions} partitions, {replicas} replicas")?;
                settings.iter().try_for_each(|(setting, value)| write!(out, ", {setting}={value}"))
            }
            Self::Set { topic, setting, from: Some(from), to } => write!(out, "{topic}: {setting} from {from} to {to}"),
            Self::Set { topic, setting, from: None, to } => write!(out, "{topic}: {setting} to {to}"),
            Self::Repartition { topic, from, to } => {
                write!(
                    out,
                    "{topic}: has {from} partitions, not {to}; this cannot be changed without losing its scopes' place"
                )
            }
        }
    }
}

/// What has to be done; nothing, where everything is as wanted.
#[must_use]
pub fn changes(wanted: &[Topic], found: &BTreeMap<String, FoundTopic>) -> Vec<TopicChange> {
    let mut changes = Vec::new();
    for topic in wanted {
        let Some(there) = found.get(&topic.name) else {
            changes.push(TopicChange::Create(topic.clone()));
            continue;
        };
        let name = || topic.name.clone();
        if there.partitions != topic.partitions {
            changes.push(TopicChange::Repartition { topic: name(), from: there.partitions, to: topic.partitions });
        }
        for (setting, value) in &topic.settings {
            let from = there.settings.get(*setting);
            if from != Some(value) {
                changes.push(TopicChange::Set { topic: name(), setting, from: from.cloned(), to: value.clone() });
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parties(names: &[&str]) -> Vec<PartyId> {
        names.iter().map(|name| name.parse().expect("a valid name")).collect()
    }

    #[test]
    fn every_topic_of_a_deployment_is_wanted_once() {
        let topics = wanted(&Layout::default(), &parties(&["police", "local_authority", "up2u"]), &parties(&["up2u"]));
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let expected = [
            "alerts.up2u.v1",
            "audit-heads.v1",
            "audit.v1",
            "feeds.local-authority.v1",
            "feeds.police.v1",
            "feeds.up2u.v1",
            "list.up2u.v1",
            "register.v1",
            "rejections.local-authority.v1",
            "rejections.police.v1",
            "rejections.up2u.v1",
            "review.v1",
            "status.up2u.v1",
        ];
        assert_eq!(names, expected);
        let setting = |name: &str, setting: &str| {
            let topic = topics.iter().find(|topic| topic.name == name).expect("wanted");
            topic.settings.get(setting).map(String::as_str)
        };
        assert_eq!(setting("feeds.police.v1", "retention.ms"), Some("604800000"));
        assert_eq!(setting("audit-heads.v1", "retention.ms"), Some("-1"));
        assert_eq!(setting("audit.v1", "cleanup.policy"), Some("compact"));
        assert_eq!(setting("list.up2u.v1", "cleanup.policy"), Some("compact"));
        assert_eq!(setting("list.up2u.v1", "delete.retention.ms"), Some("2592000000"));
        assert_eq!(setting("register.v1", "retention.ms"), None);
    }

    #[test]
    fn changes_are_what_differs_and_nothing_else() {
        let topics = wanted(&Layout::default(), &[], &[]);
        let as_wanted = |topic: &Topic| FoundTopic {
            partitions: topic.partitions,
            settings: topic.settings.iter().map(|(setting, value)| ((*setting).to_owned(), value.clone())).collect(),
        };
        let mut found: BTreeMap<_, _> = topics.iter().map(|topic| (topic.name.clone(), as_wanted(topic))).collect();
        assert!(changes(&topics, &found).is_empty());
        let audit = found.get_mut("audit.v1").expect("wanted");
        audit.partitions = 1;
        audit.settings.insert("cleanup.policy".into(), "delete".into());
        found.remove("review.v1");
        let lines: Vec<String> = changes(&topics, &found).iter().map(ToString::to_string).collect();
        assert!(lines[0].starts_with("audit.v1: has 1 partitions, not 6"));
        assert_eq!(lines[1], "audit.v1: cleanup.policy from delete to compact");
        assert!(lines[2].starts_with("create review.v1 with 6 partitions, 3 replicas, cleanup.policy=compact"));
        assert_eq!(lines.len(), 3);
    }
}
