//! `priorityd check`: configuration, agreement, keys and event files, offline; with `--live` the cluster as well. Every
//! problem at once.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::input::Lines;
use super::live;
use super::topics::Wanted;
use crate::model::ids::PartyId;
use crate::pipeline::feed_contexts;
use crate::validate::Validator;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit 0 when nothing is wrong, 78 when configuration, agreement or keys are, 1 when events are; with \
    `--live` also 69 when the cluster cannot be reached, 77 when it refuses us, 1 when topics or access lists \
    are not as they have to be."
)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Go to the Kafka cluster: connection, TLS, credentials, topics, access lists
    #[arg(long)]
    live: bool,
    /// Check these events (NDJSON) as this feed would send them; unknown fields are refused here
    #[arg(long, value_name = "PARTY", requires = "events")]
    feed: Option<PartyId>,
    /// The event files
    #[arg(long, value_name = "FILE", requires = "feed", num_args = 1..)]
    events: Vec<PathBuf>,
}

/// Checks and reports.
pub(super) fn run(args: &CheckArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let deployment = Deployment::load(&args.config.config)?;
    let agreement = &deployment.agreement;
    if let Some(why) = deployment.held() {
        return Err(Failure::new(Kind::Configuration, why));
    }
    writeln!(out, "configuration, agreement {} and keys are in order", agreement.version)?;
    for recipient in deployment.recipients_without_key() {
        writeln!(out, "note: {recipient} has no public key in the ring: everything for it would be held")?;
    }
    if args.live {
        let Some(wanted) = Wanted::of(&deployment) else {
            let line = "--live: the log is \"embedded\", which is no cluster; leave it out, or set log to \"kafka\"";
            return Err(Failure::new(Kind::Configuration, line));
        };
        live::check(&wanted, out)?;
    }
    let Some(feed) = &args.feed else { return Ok(()) };
    if agreement.feed(feed).is_none() {
        let known: Vec<_> = agreement.feeds.iter().map(|feed| feed.party.as_str()).collect();
        let line = format!("--feed: the agreement has no such feed; use one of {}", known.join(", "));
        return Err(Failure::new(Kind::Configuration, line));
    }
    let validator =
        Validator::new(feed_contexts(agreement)).with_max_record_bytes(deployment.settings.record_bytes).strict();
    let mut problems = Vec::new();
    for file in &args.events {
        let count = check_file(&validator, feed, file, &mut problems)?;
        writeln!(out, "{}: {count} events checked", file.display())?;
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::all(Kind::CheckFailed, problems)) }
}

fn check_file(
    validator: &Validator,
    feed: &PartyId,
    file: &Path,
    problems: &mut Vec<String>,
) -> Result<usize, Failure> {
    let now_ms = Timestamp::now().as_millisecond();
    let (mut lines, mut count) = (Lines::of(file)?, 0);
    loop {
        let line = lines.next_filled().map_err(|why| {
            problems.push(why);
            Failure::all(Kind::BadData, std::mem::take(problems))
        })?;
        let Some(line) = line else { return Ok(count) };
        count += 1;
        for rejection in validator.problems(feed, &[], &line, now_ms) {
            let (code, path) = (rejection.code.as_str(), &rejection.path);
            let (file, line) = (file.display(), lines.number());
            problems.push(format!("{file}:{line}: {code} {path}: {}; {}", rejection.rule, rejection.help));
        }
    }
}
