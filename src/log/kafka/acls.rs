//! Who may do what on the cluster, from the agreement's parties and their principals, and what is to be changed to get
//! there. Pure; `access` does it. Whoever is not named here may do nothing: the cluster has to deny by default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::REGISTER_TOPIC;
use super::settings::{KafkaSettings, daemon_prefix, party_prefix};
use crate::log::{AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC, feed_topic, topic_name};
use crate::model::ids::PartyId;

/// Who takes part, and as which principal each comes in.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Who feeds.
    pub feeds: Vec<PartyId>,
    /// Those of them whose staff answer the questions for review; they read audit and register as well.
    pub reviewers: Vec<PartyId>,
    /// Who receives.
    pub recipients: Vec<PartyId>,
    /// The daemon's principal, e.g. `User:priorityd`.
    pub daemon: String,
    /// The parties' principals; who has none may do nothing.
    pub principals: BTreeMap<PartyId, String>,
}

/// Declares what the wire form numbers: constant, number and word.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($constant:ident = $number:literal $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(pub(super) i8);

        impl $name {
            $(#[doc = concat!("`", $word, "`")] pub const $constant: Self = Self($number);)+
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    $($number => out.write_str($word),)+
                    other => write!(out, "number {other}"),
                }
            }
        }
    };
}

numbered! {
    /// What is done.
    Operation {
        ALL = 2 "All", READ = 3 "Read", WRITE = 4 "Write", CREATE = 5 "Create", DELETE = 6 "Delete", ALTER = 7 "Alter",
        DESCRIBE = 8 "Describe", CLUSTER_ACTION = 9 "ClusterAction", DESCRIBE_CONFIGS = 10 "DescribeConfigs",
        ALTER_CONFIGS = 11 "AlterConfigs", IDEMPOTENT_WRITE = 12 "IdempotentWrite",
    }
}

numbered! {
    /// To what kind of thing.
    Kind { TOPIC = 2 "topic", GROUP = 3 "group", CLUSTER = 4 "cluster", TRANSACTIONAL_ID = 5 "transactional id" }
}

/// One entry of the access lists that allows something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Acl {
    /// Who.
    pub principal: String,
    /// From which host; `*` is any.
    pub host: String,
    /// May do what.
    pub operation: Operation,
    /// To what kind of thing.
    pub kind: Kind,
    /// By which name, as the cluster has it.
    pub name: String,
    /// All whose names begin so.
    pub prefixed: bool,
}

impl Acl {
    fn covers(&self, kind: Kind, name: &str) -> bool {
        let by_name = if self.prefixed { name.starts_with(&self.name) } else { self.name == name || self.name == "*" };
        self.kind == kind && by_name
    }
}

impl fmt::Display for Acl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, host, operation, kind, name, prefixed } = self;
        write!(out, "{principal} {operation} on {kind} {name}{}", if *prefixed { "*" } else { "" })?;
        if host == "*" { Ok(()) } else { write!(out, " from {host}") }
    }
}

/// An entry as the cluster has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundAcl {
    /// It allows.
    Allow(Acl),
    /// It denies.
    Deny(Acl),
}

/// The one resource of kind cluster.
const CLUSTER: &str = "kafka-cluster";

/// What every principal of a deployment may do.
#[must_use]
pub fn wanted(settings: &KafkaSettings, access: &Access) -> BTreeSet<Acl> {
    let mut acls = BTreeSet::new();
    let mut allow = |principal: &str, operation, kind, name: String, prefixed| {
        acls.insert(Acl { principal: principal.to_owned(), host: "*".to_owned(), operation, kind, name, prefixed });
    };
    let (group, daemon) = (settings.group.as_str(), access.daemon.as_str());
    let (read, written) = daemons_topics(access);
    for topic in &read {
        allow(daemon, Operation::READ, Kind::TOPIC, settings.topic(topic), false);
    }
    for topic in &written {
        allow(daemon, Operation::WRITE, Kind::TOPIC, settings.topic(topic), false);
    }
    // With these two it can tell whether topics and access lists are as they have to be.
    for topic in read.union(&written) {
        allow(daemon, Operation::DESCRIBE_CONFIGS, Kind::TOPIC, settings.topic(topic), false);
    }
    allow(daemon, Operation::DESCRIBE, Kind::CLUSTER, CLUSTER.to_owned(), false);
    allow(daemon, Operation::READ, Kind::GROUP, group.to_owned(), false);
    allow(daemon, Operation::WRITE, Kind::TRANSACTIONAL_ID, daemon_prefix(group), true);
    for (party, principal) in &access.principals {
        let (reads, writes) = partys_topics(access, party);
        for topic in reads {
            allow(principal, Operation::READ, Kind::TOPIC, settings.topic(&topic), false);
        }
        // Whoever reads may do so with a consumer group.
        allow(principal, Operation::READ, Kind::GROUP, party_prefix(group, party), true);
        if let Some(topic) = writes {
            allow(principal, Operation::WRITE, Kind::TOPIC, settings.topic(&topic), false);
            allow(principal, Operation::WRITE, Kind::TRANSACTIONAL_ID, party_prefix(group, party), true);
        }
    }
    acls
}

fn daemons_topics(access: &Access) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut read: BTreeSet<_> = access.feeds.iter().map(feed_topic).collect();
    // The register to restore it, the audit to take out whom an erasure concerned.
    read.extend([AUDIT_TOPIC, REGISTER_TOPIC].map(str::to_owned));
    let mut written = BTreeSet::from(FOR_STAFF.map(str::to_owned));
    written.extend(access.feeds.iter().map(|feed| topic_name("rejections", feed)));
    // To send on what came in a partition that is not its scope's.
    written.extend(access.feeds.iter().map(feed_topic));
    written.extend(access.recipients.iter().flat_map(|party| TO_RECIPIENTS.map(|kind| topic_name(kind, party))));
    (read, written)
}

/// What the partnership's own staff work with, and look people up in: ids, codes and tokens.
const FOR_STAFF: [&str; 4] = [AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC, REGISTER_TOPIC];
const TO_RECIPIENTS: [&str; 3] = ["alerts", "list", "status"];

fn partys_topics(access: &Access, party: &PartyId) -> (Vec<String>, Option<String>) {
    let mut reads = Vec::new();
    let feeds = access.feeds.contains(party);
    if feeds {
        reads.push(topic_name("rejections", party));
    }
    if access.reviewers.contains(party) {
        reads.extend(FOR_STAFF.map(str::to_owned));
    }
    if access.recipients.contains(party) {
        reads.extend(TO_RECIPIENTS.map(|kind| topic_name(kind, party)));
    }
    (reads, feeds.then(|| feed_topic(party)))
}

/// Topics of ours: those that are wanted, and those of parties that are no longer in the agreement, which can be told
/// by what the daemon may do there.
fn our_topics<'a>(daemon: &str, wanted: &'a BTreeSet<Acl>, found: &'a [FoundAcl]) -> BTreeSet<&'a str> {
    let left_behind = found.iter().filter_map(|found| match found {
        FoundAcl::Allow(acl) if acl.principal == daemon => Some(acl),
        FoundAcl::Allow(_) | FoundAcl::Deny(_) => None,
    });
    let topics = wanted.iter().chain(left_behind).filter(|acl| acl.kind == Kind::TOPIC && !acl.prefixed);
    topics.map(|acl| acl.name.as_str()).filter(|name| *name != "*").collect()
}

/// Is it about something of ours alone, so that it is ours to take away?
fn is_ours(settings: &KafkaSettings, topics: &BTreeSet<&str>, acl: &Acl) -> bool {
    let of_group = |name: &str| name.starts_with(&format!("{}.", settings.group));
    match acl.kind {
        Kind::TOPIC if !acl.prefixed => topics.contains(acl.name.as_str()),
        Kind::GROUP if !acl.prefixed && acl.name == settings.group => true,
        Kind::TRANSACTIONAL_ID if acl.name == daemon_prefix(&settings.group) => true,
        Kind::GROUP | Kind::TRANSACTIONAL_ID => of_group(&acl.name),
        _ => false,
    }
}

/// One difference between the access lists and what they have to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AclChange {
    /// It is missing.
    Grant(Acl),
    /// The agreement allows this to nobody, or not to them.
    Revoke(Acl),
    /// Allows more than what is ours, and something of ours with it. Never changed: it may be there for others' sake.
    Wider(Acl),
    /// Denies something of ours. Never changed: it may be meant.
    Denied(Acl),
}

impl AclChange {
    /// Is it for us to make?
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Grant(_) | Self::Revoke(_))
    }
}

impl fmt::Display for AclChange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant(acl) => write!(out, "grant {acl}"),
            Self::Revoke(acl) => write!(out, "revoke {acl}"),
            Self::Wider(acl) => write!(
                out,
                "left alone: {acl} lets in more than the agreement does; remove it with kafka-acls.sh if it is not meant"
            ),
            Self::Denied(acl) => {
                write!(out, "left alone: {acl} is denied by hand; remove it with kafka-acls.sh if it is not meant")
            }
        }
    }
}

/// What has to be done; nothing, where everything is as wanted.
#[must_use]
pub fn changes(settings: &KafkaSettings, daemon: &str, wanted: &BTreeSet<Acl>, found: &[FoundAcl]) -> Vec<AclChange> {
    let topics = our_topics(daemon, wanted, found);
    let allowed = |acl: &Acl| found.iter().any(|found| matches!(found, FoundAcl::Allow(there) if there == acl));
    let mut changes: Vec<_> = wanted.iter().filter(|acl| !allowed(acl)).cloned().map(AclChange::Grant).collect();
    for found in found {
        match found {
            FoundAcl::Allow(acl) if wanted.contains(acl) => {}
            FoundAcl::Allow(acl) if is_ours(settings, &topics, acl) => changes.push(AclChange::Revoke(acl.clone())),
            FoundAcl::Allow(acl) if lets_in(acl, wanted) => changes.push(AclChange::Wider(acl.clone())),
            FoundAcl::Deny(acl) if wanted.iter().any(|ours| acl.covers(ours.kind, &ours.name)) => {
                changes.push(AclChange::Denied(acl.clone()));
            }
            FoundAcl::Allow(_) | FoundAcl::Deny(_) => {}
        }
    }
    changes
}

/// Does it let anybody at the records of a topic of ours?
fn lets_in(acl: &Acl, wanted: &BTreeSet<Acl>) -> bool {
    let harmless = [Operation::DESCRIBE, Operation::DESCRIBE_CONFIGS];
    let ours = wanted.iter().any(|ours| ours.kind == Kind::TOPIC && acl.covers(Kind::TOPIC, &ours.name));
    ours && !harmless.contains(&acl.operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(name: &str) -> PartyId {
        name.parse().expect("a valid name")
    }

    fn access() -> Access {
        let principal = |name: &str| (party(name), format!("User:{name}"));
        Access {
            feeds: vec![party("police"), party("up2u"), party("staff")],
            reviewers: vec![party("staff")],
            recipients: vec![party("up2u"), party("idva")],
            daemon: "User:priorityd".into(),
            principals: ["police", "up2u", "staff"].map(principal).into(),
        }
    }

    fn of<'a>(acls: &'a BTreeSet<Acl>, principal: &'a str) -> Vec<String> {
        acls.iter().filter(|acl| acl.principal == principal).map(ToString::to_string).collect()
    }

    #[test]
    fn each_may_do_its_own_and_nothing_else() {
        let settings = KafkaSettings::new("host:1", "hub", "1");
        let acls = wanted(&settings, &access());
        let police = [
            "User:police Read on topic rejections.police.v1",
            "User:police Read on group hub.police.*",
            "User:police Write on topic feeds.police.v1",
            "User:police Write on transactional id hub.police.*",
        ];
        assert_eq!(of(&acls, "User:police"), police);
        let reads = |principal: &str, kind: Kind| -> Vec<&str> {
            let own = acls.iter().filter(|acl| acl.principal == principal && acl.kind == kind);
            own.filter(|acl| acl.operation == Operation::READ).map(|acl| acl.name.as_str()).collect()
        };
        let of_up2u = ["alerts.up2u.v1", "list.up2u.v1", "rejections.up2u.v1", "status.up2u.v1"];
        assert_eq!(reads("User:up2u", Kind::TOPIC), of_up2u);
        assert_eq!(
            reads("User:staff", Kind::TOPIC),
            ["audit-heads.v1", "audit.v1", "register.v1", "rejections.staff.v1", "review.v1"]
        );
        let of_daemon = ["audit.v1", "feeds.police.v1", "feeds.staff.v1", "feeds.up2u.v1", "register.v1"];
        assert_eq!(reads("User:priorityd", Kind::TOPIC), of_daemon);
        assert_eq!(of(&acls, "User:idva"), [""; 0]);
        // Nobody but the daemon writes what it writes.
        let writers = acls.iter().filter(|acl| acl.operation == Operation::WRITE && acl.name == "alerts.idva.v1");
        assert!(writers.map(|acl| acl.principal.as_str()).eq(["User:priorityd"]));
    }

    #[test]
    fn what_is_ours_is_put_right_and_what_is_not_is_left_alone() {
        let settings = KafkaSettings::new("host:1", "hub", "1");
        let wanted = wanted(&settings, &access());
        let mut found: Vec<_> = wanted.iter().cloned().map(FoundAcl::Allow).collect();
        assert_eq!(changes(&settings, "User:priorityd", &wanted, &found), []);
        let Some(FoundAcl::Allow(missing)) = found.pop() else { panic!("there are some") };
        let acl = |principal: &str, operation, name: &str, prefixed| Acl {
            principal: principal.into(),
            host: "*".into(),
            operation,
            kind: Kind::TOPIC,
            name: name.into(),
            prefixed,
        };
        let gone = acl("User:gone", Operation::READ, "list.gone.v1", false);
        let wide = acl("User:else", Operation::ALL, "alerts.", true);
        let denied = acl("User:police", Operation::WRITE, "feeds.police.v1", false);
        let once = acl("User:priorityd", Operation::WRITE, "list.gone.v1", false);
        found.extend([gone.clone(), once.clone(), wide.clone()].map(FoundAcl::Allow));
        found.push(FoundAcl::Deny(denied.clone()));
        // Other people's.
        found.push(FoundAcl::Allow(acl("User:else", Operation::READ, "orders.v1", false)));
        found.push(FoundAcl::Allow(acl("User:else", Operation::DESCRIBE, "*", false)));
        let expected = [
            AclChange::Grant(missing),
            AclChange::Revoke(gone),
            AclChange::Revoke(once),
            AclChange::Wider(wide),
            AclChange::Denied(denied),
        ];
        assert_eq!(changes(&settings, "User:priorityd", &wanted, &found), expected);
    }
}
