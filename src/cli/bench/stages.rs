//! `priorityd bench stages`: the pipeline on one core, from the embedded log and back to it, stage by stage; beside it the
//! bound, which is what cannot be spared: to parse the same records, and to hash the same people.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;

use super::MONTHS;
use super::load::{drain, publish, restored};
use crate::cli::failure::{Failure, Kind};
use crate::cli::format::Format;
use crate::cli::house::Wish;
use crate::cli::measure;
use crate::cli::tables::ClearPeople;
use crate::config::settings::BATCH_RECORDS;
use crate::ops::stages::Stages;
use crate::pipeline::{Now, feed_contexts};
use crate::pseudonymise::Pseudonymiser;
use crate::simulate::{City, Line};
use crate::validate::Validator;

/// Measures the pipeline on a synthetic city, on one core: every stage, the whole, and the bound.
#[derive(Debug, Args)]
pub(super) struct StagesArgs {
    /// Events
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    events: u32,
    /// Records in one transaction at the most
    #[arg(long, default_value_t = BATCH_RECORDS as usize)]
    batch_records: usize,
    /// Everything that is left to chance in the city
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What was measured, times per event in microseconds of one core.
#[derive(Debug, Serialize)]
struct Measured {
    events: u64,
    stages: Vec<Stage>,
    whole_us: f64,
    bound_parse_us: f64,
    bound_tokens_us: f64,
    /// How many times the bound the whole takes.
    times_bound: f64,
    events_per_second: f64,
}

#[derive(Debug, Serialize)]
struct Stage {
    stage: &'static str,
    times: u64,
    us: f64,
    share: f64,
}

/// Measures and prints.
pub(super) fn run(args: &StagesArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let mut house = Wish { name: "stages", dir: None, kafka: None, partitions: 1, seed: args.seed }.build()?;
    let city = City::new(args.seed, args.events / 2, MONTHS);
    house.known_people(city.people);
    let deployment = &house.deployment;
    let lines: Vec<Line> = city.stage().lines().take(args.events as usize).collect();
    let mut publisher = deployment.publisher()?;
    publish(publisher.as_mut(), &city.scope, &lines)?;

    let cannot = |_| Failure::new(Kind::Bug, "no thread can be started to measure on");
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(cannot)?;
    let (stages, setup) = (Stages::default(), Arc::new(deployment.setup()));
    let mut log = deployment.log()?;
    let (mut engine, _) = restored(log.as_mut(), &setup)?;
    let now = Now { as_of: city.end, at: Timestamp::now() };
    let flow = || timed(|| stages.during(|| drain(log.as_mut(), &mut engine, args.batch_records, now)));
    let begun = Instant::now();
    let (events, whole) = one_core.install(flow);
    // Stages are measured by the clock and the whole by its processor time: a stage's part is taken of the latter, so that a
    // busy machine does not show.
    let wall = begun.elapsed();
    let events = events?.events;
    let hash = deployment.keys.linkage(&city.scope).map(Pseudonymiser::new);
    let hash = hash.ok_or_else(|| Failure::new(Kind::Bug, "the house has no linkage key"))?;
    let validator = Validator::new(feed_contexts(&deployment.agreement));
    let (parse, tokens) = one_core.install(|| bound(&validator, &hash, &lines));

    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / events as f64;
    let stage = |(stage, took): (&'static str, crate::ops::stages::Took)| Stage {
        stage,
        times: took.times,
        us: per_event(whole) * took.own.as_secs_f64() / wall.as_secs_f64(),
        share: took.own.as_secs_f64() / wall.as_secs_f64(),
    };
    let mut stages: Vec<Stage> = stages.took().into_iter().map(stage).collect();
    stages.sort_by(|one, other| other.us.total_cmp(&one.us));
    let measured = Measured {
        events,
        stages,
        whole_us: per_event(whole),
        bound_parse_us: per_event(parse),
        bound_tokens_us: per_event(tokens),
        times_bound: whole.as_secs_f64() / (parse + tokens).as_secs_f64(),
        events_per_second: events as f64 / whole.as_secs_f64(),
    };
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&measured).expect("it has a JSON form"))?,
        Format::Human => print(&measured, out)?,
    }
    drop(log);
    house.clear_away()
}

/// Time of this thread on its core where the system tells it, so that a busy machine does not show; wall clock elsewhere.
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let (before, begun) = (measure::thread_cpu_seconds(), Instant::now());
    let done = work();
    let on_core =
        measure::thread_cpu_seconds().zip(before).map(|(after, before)| Duration::from_secs_f64(after - before));
    (done, on_core.unwrap_or_else(|| begun.elapsed()))
}

/// What parsing the same lines and hashing the same people takes, and nothing else.
fn bound(validator: &Validator, hash: &Pseudonymiser, lines: &[Line]) -> (Duration, Duration) {
    let ((), parse) = timed(|| {
        for line in lines {
            drop(std::hint::black_box(serde_json::from_str::<serde_json::Value>(&line.json)));
        }
    });
    let mut tokens = Duration::ZERO;
    for chunk in lines.chunks(BATCH_RECORDS as usize) {
        let now_ms = Timestamp::now().as_millisecond();
        let valid =
            chunk.iter().filter_map(|line| validator.validate(&line.party, &[], line.json.as_bytes(), now_ms).ok());
        let people = ClearPeople::of(valid);
        let ((), took) = timed(|| people.hash(hash));
        tokens += took;
    }
    (parse, tokens)
}

fn print(measured: &Measured, out: &mut dyn Write) -> Result<(), Failure> {
    for Stage { stage, times, us, share } in &measured.stages {
        writeln!(out, "{stage:<14} {us:>8.2} us an event {:>5.1} %   {times} times", share * 100.0)?;
    }
    let Measured { events, whole_us, bound_parse_us, bound_tokens_us, times_bound, events_per_second, .. } = measured;
    writeln!(
        out,
        "{:<14} {whole_us:>8.2} us an event, {events_per_second:.0} events/s on one core, of {events}",
        "whole"
    )?;
    writeln!(
        out,
        "{:<14} {:>8.2} us an event: parse {bound_parse_us:.2}, tokens {bound_tokens_us:.2}; the whole takes {times_bound:.1} times it",
        "bound",
        bound_parse_us + bound_tokens_us
    )?;
    Ok(())
}
