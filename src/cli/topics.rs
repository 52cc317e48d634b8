//! `priorityd topics plan|apply`: the topics that the agreement needs on Kafka, and what is to be changed to get there.

use std::io::Write;

use clap::{Args, Subcommand};

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use crate::log::kafka::KafkaAdmin;
use crate::log::kafka::topics::{Layout, wanted};

/// Plans and makes the topics of a deployment on Kafka.
#[derive(Debug, Args)]
pub(super) struct TopicsArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: TopicsCommand,
    /// Partitions of every topic, fixed for good: a scope has the same one everywhere
    #[arg(long, default_value_t = 6, global = true, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// Copies of each partition
    #[arg(long, default_value_t = 3, global = true, value_parser = clap::value_parser!(i32).range(1..=9))]
    replicas: i32,
}

#[derive(Debug, Subcommand)]
enum TopicsCommand {
    /// Print what would be changed
    Plan,
    /// Change it; a second time there is nothing to do
    Apply,
}

/// Plans, and applies if asked to.
pub(super) fn run(args: &TopicsArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let deployment = Deployment::load(&args.config.config)?;
    let Some(settings) = deployment.kafka() else {
        let line = "log: it is \"embedded\", which makes its own topics; set it to \"kafka\"";
        return Err(Failure::new(Kind::Configuration, line));
    };
    let agreement = &deployment.agreement;
    let feeds: Vec<_> = agreement.feeds.iter().map(|feed| feed.party.clone()).collect();
    let recipients: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
    // A write counts once all copies but one have it, so that one broker may be away.
    let in_sync_replicas = (args.replicas - 1).max(1);
    let layout = Layout { partitions: args.partitions, replicas: args.replicas, in_sync_replicas, ..Layout::default() };
    let admin = KafkaAdmin::open(settings)?;
    let changes = admin.plan(&wanted(&layout, &feeds, &recipients))?;
    for change in &changes {
        writeln!(out, "{change}")?;
    }
    match args.command {
        TopicsCommand::Plan => writeln!(out, "{} changes", changes.len())?,
        TopicsCommand::Apply => {
            admin.apply(&changes)?;
            writeln!(out, "{} changes made", changes.len())?;
        }
    }
    Ok(())
}
