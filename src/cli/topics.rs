//! `priorityd topics plan|apply`: topics and access lists that the agreement needs on Kafka, and what is to be changed to
//! get there.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use crate::config::settings::{KafkaSettings as Configured, LogSettings};
use crate::log::kafka::acls::{self, Access, Acl};
use crate::log::kafka::topics::{self, Layout, Topic};
use crate::log::kafka::{KafkaAccess, KafkaAdmin, KafkaSettings};
use crate::model::feed::FeedKind;

/// Plans and makes the topics and access lists of a deployment on Kafka.
#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: TopicsCommand,
    /// Partitions of every topic, fixed for good: a scope has the same one everywhere [default: kafka.partitions]
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    partitions: Option<u32>,
    /// Copies of each partition [default: kafka.replicas]
    #[arg(long, global = true, value_parser = clap::value_parser!(u32).range(1..=9))]
    replicas: Option<u32>,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Print what would be changed
    Plan,
    /// Change it; a second time there is nothing to do
    Apply,
}

/// What the cluster has to be like for a deployment.
pub(super) struct Wanted {
    /// How it is reached.
    pub settings: KafkaSettings,
    /// The topics.
    pub topics: Vec<Topic>,
    /// The access lists, where the settings name the daemon's principal.
    pub access: Option<WantedAccess>,
    /// What the daemon itself has to be allowed.
    pub needs: Vec<Acl>,
    /// What of the agreement comes to nothing.
    pub notes: Vec<String>,
}

/// The access lists as they have to be.
pub(super) struct WantedAccess {
    /// The daemon's principal.
    pub daemon: String,
    /// All entries.
    pub acls: BTreeSet<Acl>,
}

impl Wanted {
    /// Works it out; `None` where the log is not Kafka.
    pub(super) fn of(deployment: &Deployment) -> Option<Self> {
        let LogSettings::Kafka(configured) = &deployment.settings.log else { return None };
        Some(Self::with(deployment, deployment.kafka()?, configured))
    }

    fn with(deployment: &Deployment, settings: KafkaSettings, configured: &Configured) -> Self {
        let agreement = &deployment.agreement;
        let feeds: Vec<_> = agreement.feeds.iter().map(|feed| feed.party.clone()).collect();
        let recipients: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
        let signed = |number: u32| i32::try_from(number).expect("the settings keep it small");
        let layout = Layout {
            partitions: signed(configured.partitions),
            replicas: signed(configured.replicas),
            // A write counts once all copies but one have it, so that one broker may be away.
            in_sync_replicas: signed(configured.replicas - 1).max(1),
            feed_retention: Duration::from_secs(configured.feed_hours * 60 * 60),
            ..Layout::default()
        };
        let topics = topics::wanted(&layout, &feeds, &recipients);
        let parties: BTreeSet<_> = feeds.iter().chain(&recipients).collect();
        let without = parties.into_iter().filter(|party| !configured.principals.contains_key(*party));
        let notes = without.map(|party| format!("note: kafka.principals does not name {party}: it may do nothing"));
        let mut notes: Vec<_> = notes.collect();
        let reviewing = agreement.feeds.iter().filter(|feed| feed.kind == FeedKind::Review);
        let reviewers = reviewing.map(|feed| feed.party.clone()).collect();
        let principals = configured.principals.clone();
        let daemon = configured.principal.clone().unwrap_or_default();
        let acls = acls::wanted(&settings, &Access { feeds, reviewers, recipients, daemon, principals });
        let daemon = configured.principal.clone();
        let needs = acls.iter().filter(|acl| acl.principal == daemon.as_deref().unwrap_or_default()).cloned().collect();
        if daemon.is_none() {
            notes =
                vec!["note: access lists are left alone, for kafka.principal does not name the daemon's".to_owned()];
        }
        Self { settings, topics, access: daemon.map(|daemon| WantedAccess { daemon, acls }), needs, notes }
    }
}

/// Plans, and applies if asked to.
pub(super) fn run(args: &TopicsArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let mut deployment = Deployment::load(&args.config.config)?;
    if let LogSettings::Kafka(settings) = &mut deployment.settings.log {
        settings.partitions = args.partitions.unwrap_or(settings.partitions);
        settings.replicas = args.replicas.unwrap_or(settings.replicas);
    }
    let Some(wanted) = Wanted::of(&deployment) else {
        let line = "log: it is \"embedded\", which makes its own topics; set it to \"kafka\"";
        return Err(Failure::new(Kind::Configuration, line));
    };
    for note in &wanted.notes {
        writeln!(out, "{note}")?;
    }
    let admin = KafkaAdmin::open(wanted.settings.clone())?;
    let topics = admin.plan(&wanted.topics)?;
    let mut lists = None;
    let mut acls = Vec::new();
    if let Some(access) = &wanted.access {
        let lists = lists.insert(KafkaAccess::open(&wanted.settings)?);
        acls = acls::changes(&wanted.settings, &access.daemon, &access.acls, &lists.describe()?);
    }
    topics.iter().try_for_each(|change| writeln!(out, "{change}"))?;
    acls.iter().try_for_each(|change| writeln!(out, "{change}"))?;
    let count = topics.len() + acls.iter().filter(|change| change.is_ours()).count();
    match args.command {
        TopicsCommand::Plan => writeln!(out, "{count} changes")?,
        TopicsCommand::Apply => {
            admin.apply(&topics)?;
            if let Some(mut lists) = lists {
                lists.apply(&acls)?;
            }
            writeln!(out, "{count} changes made")?;
        }
    }
    Ok(())
}
