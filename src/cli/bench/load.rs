//! `priorityd bench load`: as many events as one likes through one engine on the embedded log, and at every checkpoint what
//! an event took and how much memory is held; then a burst, and a restart.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use getrandom::SysRng;
use jiff::Timestamp;
use rand::rand_core::UnwrapErr;
use serde::Serialize;
use zeroize::Zeroizing;

use super::MONTHS;
use crate::cli::failure::{Failure, Kind};
use crate::cli::format::Format;
use crate::cli::house::Wish;
use crate::cli::measure;
use crate::cli::restart;
use crate::config::settings::BATCH_RECORDS;
use crate::log::{Client, Log, Polled};
use crate::model::ids::{PartyId, ScopeId};
use crate::pipeline::{Engine, Now, Setup};
use crate::simulate::{City, Line};

/// Sends events through one engine and measures at checkpoints: processor time an event, memory beyond the city's own, the
/// log's file. Then a tenth of them again, all at once, and a restart.
#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    /// Events
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=20_000_000))]
    events: u32,
    /// Events between checkpoints
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(500..=1_000_000))]
    checkpoint: u32,
    /// Months that the city plays: twice as many are half as many people, each with twice as many events. What a feed no
    /// longer retains is not held
    #[arg(long, default_value_t = MONTHS, value_parser = clap::value_parser!(u32).range(1..=1_200))]
    months: u32,
    /// Records in one transaction at the most
    #[arg(long, default_value_t = BATCH_RECORDS as usize)]
    batch_records: usize,
    /// Everything that is left to chance in the city
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print: a line, or a JSON object, for each checkpoint
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// One checkpoint.
#[derive(Debug, Serialize)]
struct Checkpoint {
    what: &'static str,
    /// So many since the beginning.
    events: u64,
    /// Of the daemon's side, since the checkpoint before.
    cpu_us_per_event: f64,
    /// Of these: reading the feeds.
    poll_us: f64,
    /// And committing.
    commit_us: f64,
    seconds: f64,
    /// Beyond what the city that makes the events takes.
    memory_mb: f64,
}

/// The register read back.
#[derive(Debug, Serialize)]
struct Restart {
    what: &'static str,
    /// Of the register: about three to an event.
    rows: u64,
    seconds: f64,
    rows_per_second: f64,
    cpu_seconds: f64,
}

/// Measures and prints.
pub(super) fn run(args: &LoadArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let mut house = Wish { name: "load", dir: None, kafka: None, partitions: 1, seed: args.seed }.build()?;
    let people = u64::from(args.events / 2) * u64::from(MONTHS) / u64::from(args.months);
    let city = City::new(args.seed, u32::try_from(people).unwrap_or(u32::MAX), args.months);
    house.known_people(city.people);
    let deployment = &house.deployment;
    let stage = city.stage();
    let mut lines = stage.lines().take(args.events as usize);
    let before_mb = measure::rss_mb().unwrap_or(0.0);
    let setup = Arc::new(deployment.setup());
    let (mut publisher, mut log) = (deployment.publisher()?, deployment.log()?);
    let (mut engine, _) = restored(log.as_mut(), &setup)?;
    let now = Now { as_of: city.end, at: Timestamp::now() };
    let mut events = 0;
    let mut measure = |what, publisher: &mut dyn Client, lines: &[Line], engine: &mut Engine, log: &mut dyn Log| {
        publish(publisher, &city.scope, lines)?;
        let begun = Instant::now();
        let took = drain(log, engine, args.batch_records, now)?;
        events += took.events;
        let per_event = |seconds: f64| seconds * 1e6 / took.events.max(1) as f64;
        let told = Checkpoint {
            what,
            events,
            cpu_us_per_event: per_event(took.poll + took.process + took.commit),
            poll_us: per_event(took.poll),
            commit_us: per_event(took.commit),
            seconds: begun.elapsed().as_secs_f64(),
            memory_mb: measure::rss_mb().unwrap_or(0.0) - before_mb,
        };
        print(&told, args.format, out)
    };
    loop {
        let portion: Vec<Line> = lines.by_ref().take(args.checkpoint as usize).collect();
        if portion.len() < args.checkpoint as usize {
            break;
        }
        measure("steady", publisher.as_mut(), &portion, &mut engine, log.as_mut())?;
    }
    drop(lines);
    let again: Vec<Line> = stage.lines().take(args.events as usize / 10).collect();
    measure("burst", publisher.as_mut(), &again, &mut engine, log.as_mut())?;
    drop((engine, log));
    let mut log = deployment.log()?;
    let (cpu, begun) = (measure::cpu_seconds().unwrap_or(0.0), Instant::now());
    let (engine, rows) = restored(log.as_mut(), &setup)?;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), measure::cpu_seconds().unwrap_or(0.0) - cpu);
    let told = Restart { what: "restart", rows, seconds, rows_per_second: rows as f64 / seconds, cpu_seconds: cpu };
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&told).expect("it has a JSON form"))?,
        Format::Human => writeln!(
            out,
            "restart {rows:>9} rows in {seconds:.2} s, {:.0} a second; {cpu:.2} s of processor time",
            told.rows_per_second
        )?,
    }
    drop((engine, log));
    house.clear_away()
}

/// Publishes lines, each feed's in their order.
pub(super) fn publish(publisher: &mut dyn Client, scope: &ScopeId, lines: &[Line]) -> Result<(), Failure> {
    let mut by_feed: BTreeMap<&PartyId, Vec<Zeroizing<Vec<u8>>>> = BTreeMap::new();
    for line in lines {
        by_feed.entry(&line.party).or_default().push(Zeroizing::new(line.json.as_bytes().to_vec()));
    }
    by_feed.into_iter().try_for_each(|(feed, lines)| Ok(publisher.publish(feed, scope, lines)?))
}

/// An engine with what the log holds, and how many rows that is.
pub(super) fn restored(log: &mut dyn Log, setup: &Arc<Setup>) -> Result<(Engine, u64), Failure> {
    if !matches!(log.poll(1, Duration::ZERO)?, Polled::Gained(_)) {
        return Err(Failure::new(Kind::Bug, "a log that was just opened announces its partition"));
    }
    Ok(restart::restored(log, setup, 0)?)
}

/// What taking in a backlog came to, in seconds of processor time.
#[derive(Default)]
pub(super) struct Drained {
    pub(super) events: u64,
    poll: f64,
    process: f64,
    commit: f64,
}

/// Takes in whatever is there.
pub(super) fn drain(log: &mut dyn Log, engine: &mut Engine, batch: usize, now: Now) -> Result<Drained, Failure> {
    let (mut drained, rng) = (Drained::default(), &mut UnwrapErr(SysRng));
    let cpu = || measure::cpu_seconds().unwrap_or(0.0);
    let mut before = cpu();
    let mut since = || {
        let now = cpu();
        now - std::mem::replace(&mut before, now)
    };
    loop {
        let polled = {
            let _stage = tracing::trace_span!(target: "stage", "poll").entered();
            log.poll(batch, Duration::ZERO)?
        };
        drained.poll += since();
        let Polled::Records(records) = polled else {
            return Err(Failure::new(Kind::Bug, "the partition stays while it is measured"));
        };
        if records.is_empty() {
            return Ok(drained);
        }
        let (transaction, report) = engine.process(&records, now, rng);
        drained.events += report.outcomes.read;
        drained.process += since();
        let _stage = tracing::trace_span!(target: "stage", "commit").entered();
        log.commit(transaction)?;
        drained.commit += since();
    }
}

fn print(told: &Checkpoint, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    let Checkpoint { what, events, cpu_us_per_event, poll_us, commit_us, seconds, memory_mb } = told;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(told).expect("it has a JSON form"))?,
        Format::Human => writeln!(
            out,
            "{what:<7} {events:>9} events, {cpu_us_per_event:>6.1} us of processor time an event ({poll_us:.1} poll, {commit_us:.1} commit), {memory_mb:>7.0} MB, {seconds:.1} s"
        )?,
    }
    Ok(())
}
