//! `priorityd migrate`: everything that an embedded log holds, onto a cluster where nothing is yet, in one transaction.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::topics::Wanted;
use crate::config::settings::LogSettings;
use crate::log::embedded::{EmbeddedClient, EmbeddedLog};
use crate::log::kafka::{Contents, settle_in};
use crate::log::{Client, Log, LogError, Polled, RegisterRow, TopicReader, TopicRecord, is_feed};

#[derive(Debug, Args)]
#[command(
    after_help = "Moves from the embedded log to Kafka: register, audit, lists, alerts and what is not processed yet, all \
    in one transaction or nothing. Stop the daemon first. The configuration is the new one, with log = \
    \"kafka\" and kafka.partitions = 1, and its topics are made with `priorityd topics apply`; what holds \
    anything already is refused. Exit 77 then."
)]
pub(super) struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The embedded log's file
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// Records read at once.
const PORTION: usize = 2_000;

/// Moves and says what was moved.
pub(super) fn run(args: &MigrateArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let deployment = Deployment::load(&args.config.config)?;
    let config = args.config.config.display();
    let (LogSettings::Kafka(configured), Some(wanted)) = (&deployment.settings.log, Wanted::of(&deployment)) else {
        let line = format!("{config}: log: it is \"embedded\"; set it to \"kafka\", which is where this goes");
        return Err(Failure::new(Kind::Configuration, line));
    };
    if configured.partitions != 1 {
        // The audit's chain says in every record which partition it is of, and a chain cannot be parted.
        let line = format!("{config}: kafka.partitions: an embedded log has one partition; set it to 1");
        return Err(Failure::new(Kind::Configuration, line));
    }
    // Opening a log makes one where there is none.
    if !args.from.is_file() {
        let line = format!("{}: there is no such file; name the one of embedded.path", args.from.display());
        return Err(Failure::new(Kind::BadData, line));
    }
    let topics: Vec<String> = wanted.topics.into_iter().map(|topic| topic.name).collect();
    let (contents, left) = read(args, &deployment, &topics)?;
    settle_in(&wanted.settings, &topics, &contents)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &contents.outputs {
        *counts.entry(&record.topic).or_default() += 1;
    }
    for (topic, count) in counts {
        writeln!(out, "{topic}: {count} records")?;
    }
    for topic in left {
        writeln!(out, "note: {topic} stays behind: the agreement has no such party")?;
    }
    let (rows, unread) = (contents.register.len(), contents.unread.len());
    writeln!(out, "moved {rows} rows of the register and {unread} events that wait to be processed")?;
    Ok(())
}

/// Everything in the file, and the names of what belongs to nobody any more. Holds the daemon's lock meanwhile. Rows of the
/// register go over as they lie there, sealed by the ring that both sides have.
fn read(args: &MigrateArgs, deployment: &Deployment, topics: &[String]) -> Result<(Contents, Vec<String>), Failure> {
    let feeds = deployment.agreement.feeds.iter().map(|feed| feed.party.clone()).collect();
    let mut log = EmbeddedLog::open(&args.from, feeds, deployment.feeds_at_rest())?;
    let mut client = EmbeddedClient::open(&args.from, deployment.feeds_at_rest())?;
    let mut contents = Contents::default();
    // The first poll announces the one partition.
    log.poll(1, Duration::ZERO)?;
    log.restore(0, &mut |key, value| {
        contents.register.push(RegisterRow { partition: 0, key: key.to_vec(), value: Some(value.to_vec()) });
    })?;
    while let Polled::Records(mut records) = log.poll(PORTION, Duration::ZERO)? {
        if records.is_empty() {
            break;
        }
        contents.unread.append(&mut records);
    }
    let mut left = Vec::new();
    for topic in client.topics()? {
        if !topics.contains(&topic) {
            left.push(topic);
        } else if !is_feed(&topic) {
            TopicReader::new(&topic).read(&mut client as &mut dyn Client, Duration::ZERO, |record| {
                let (topic, partition) = (topic.clone(), record.partition);
                contents.outputs.push(TopicRecord { topic, partition, key: record.key, value: record.value });
                Ok::<_, LogError>(())
            })?;
        }
    }
    Ok((contents, left))
}
