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
    /// Records in one transaction at the most
    #[arg(long, default_value_t = 2_000)]
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
    seconds: f64,
    /// Beyond what the city that makes the events takes.
    memory_mb: f64,
}

/// Measures and prints.
pub(super) fn run(args: &LoadArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let house = Wish { name: "load", dir: None, kafka: None, partitions: 1, seed: args.seed }.build()?;
    let deployment = &house.deployment;
    let city = City::new(args.seed, args.events / 2, MONTHS);
    let stage = city.stage();
    let before_mb = measure::rss_mb().unwrap_or(0.0);
    let setup = Arc::new(deployment.setup());
    let (mut publisher, mut log) = (deployment.publisher()?, deployment.log()?);
    let mut engine = restored(log.as_mut(), &setup)?;
    let now = Now { as_of: city.end, at: Timestamp::now() };
    let mut events = 0;
    let mut measure = |what, publisher: &mut dyn Client, lines: &[Line], engine: &mut Engine, log: &mut dyn Log| {
        publish(publisher, &city.scope, lines)?;
        let (cpu, begun) = (measure::cpu_seconds().unwrap_or(0.0), Instant::now());
        let done = drain(log, engine, args.batch_records, now)?;
        events += done;
        let told = Checkpoint {
            what,
            events,
            cpu_us_per_event: (measure::cpu_seconds().unwrap_or(0.0) - cpu) * 1e6 / done.max(1) as f64,
            seconds: begun.elapsed().as_secs_f64(),
            memory_mb: measure::rss_mb().unwrap_or(0.0) - before_mb,
        };
        print(&told, args.format, out)
    };
    let (mut portion, mut again) = (Vec::new(), Vec::new());
    for line in stage.lines().take(args.events as usize) {
        portion.push(line);
        if portion.len() == args.checkpoint as usize {
            measure("steady", publisher.as_mut(), &portion, &mut engine, log.as_mut())?;
            let room = (args.events as usize / 10).saturating_sub(again.len());
            again.extend(portion.drain(..).take(room));
            portion.clear();
        }
    }
    measure("burst", publisher.as_mut(), &again, &mut engine, log.as_mut())?;
    drop((engine, log));
    let (mut log, begun) = (deployment.log()?, Instant::now());
    let engine = restored(log.as_mut(), &setup)?;
    writeln!(out, "restart: {:.2} s", begun.elapsed().as_secs_f64())?;
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

/// An engine with what the log holds.
pub(super) fn restored(log: &mut dyn Log, setup: &Arc<Setup>) -> Result<Engine, Failure> {
    let mut engine = Engine::new(Arc::clone(setup), 0);
    if !matches!(log.poll(1, Duration::ZERO)?, Polled::Gained(_)) {
        return Err(Failure::new(Kind::Bug, "a log that was just opened announces its partition"));
    }
    let mut bad = None;
    log.restore(0, &mut |key, value| bad = bad.or(engine.restore_row(key, value).err()))?;
    if let Some(bad) = bad {
        return Err(Failure::new(Kind::Bug, bad.to_string()));
    }
    engine.finish_restore().map_err(|bad| Failure::new(Kind::Bug, bad.to_string()))?;
    Ok(engine)
}

/// Takes in whatever is there; how many records that were.
pub(super) fn drain(log: &mut dyn Log, engine: &mut Engine, batch: usize, now: Now) -> Result<u64, Failure> {
    let (mut events, rng) = (0, &mut UnwrapErr(SysRng));
    loop {
        let polled = {
            let _stage = tracing::trace_span!(target: "stage", "poll").entered();
            log.poll(batch, Duration::ZERO)?
        };
        let Polled::Records(records) = polled else {
            return Err(Failure::new(Kind::Bug, "the partition stays while it is measured"));
        };
        if records.is_empty() {
            return Ok(events);
        }
        let (transaction, report) = engine.process(&records, now, rng);
        events += report.outcomes.read;
        let _stage = tracing::trace_span!(target: "stage", "commit").entered();
        log.commit(transaction)?;
    }
}

fn print(told: &Checkpoint, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    let Checkpoint { what, events, cpu_us_per_event, seconds, memory_mb } = told;
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(told).expect("it has a JSON form"))?,
        Format::Human => writeln!(
            out,
            "{what:<7} {events:>9} events, {cpu_us_per_event:>6.1} us of processor time an event, {memory_mb:>7.0} MB, {seconds:.1} s"
        )?,
    }
    Ok(())
}
