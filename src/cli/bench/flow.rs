//! `priorityd bench flow`: the daemon's own code on a synthetic city. First a backlog, for how much it does in a second;
//! then events at a steady rate, for how soon an alert can be read after the event that caused it was published.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use zeroize::Zeroizing;

use super::MONTHS;
use super::latency::{self, Latencies};
use crate::cli::daemon::Running;
use crate::cli::deployment::subscriber;
use crate::cli::failure::Failure;
use crate::cli::format::Format;
use crate::cli::house::Wish;
use crate::log::Client;
use crate::log::kafka::KafkaFeeder;
use crate::model::ids::{PartyId, ScopeId};
use crate::simulate::{City, Line};

/// Events of one append to the backlog.
const CHUNK: usize = 1_000;

/// Measures the daemon on a synthetic city: a backlog as fast as it goes, then a steady rate. On a temporary embedded
/// log, or on a cluster with topics of its own, which are removed at the end.
#[derive(Debug, Args)]
pub(super) struct FlowArgs {
    /// Measure on Kafka at this address rather than on the embedded log
    #[arg(long, value_name = "BOOTSTRAP")]
    kafka: Option<String>,
    /// Events of the backlog
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..=10_000_000))]
    events: u32,
    /// Events a second of the steady part
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// How long the rate is kept up before alerts are timed, in seconds: a broker that was started a moment ago compiles its
    /// code first
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    warm_up: u32,
    /// How long alerts are timed, in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=3_600))]
    seconds: u32,
    /// Records in one transaction at the most [default: as the daemon's]
    #[arg(long)]
    batch_records: Option<usize>,
    /// Everything that is left to chance in the city
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    log: &'static str,
    /// Of the backlog.
    events: u32,
    seconds: f64,
    events_per_second: f64,
    steady: Option<Steady>,
}

/// The steady part.
#[derive(Debug, Serialize)]
struct Steady {
    /// Events a second that were published.
    rate: f64,
    #[serde(flatten)]
    event_to_alert: Latencies,
}

/// Measures and prints.
pub(super) fn run(args: &FlowArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let mut house =
        Wish { name: "bench", dir: None, kafka: args.kafka.clone(), partitions: 1, seed: args.seed }.build()?;
    if let Some(batch_records) = args.batch_records {
        house.deployment.settings.batch_records = batch_records.max(1);
    }
    let [warm_up, timed] = [args.warm_up, args.seconds].map(|seconds| args.rate as usize * seconds as usize);
    let warm_up = if timed == 0 { 0 } else { warm_up };
    let people = (args.events + u32::try_from(warm_up + timed).unwrap_or(0)) / 2;
    let city = City::new(args.seed, people, MONTHS);
    house.known_people(city.people);
    let (deployment, client) = (&house.deployment, || subscriber(&house.deployment.settings.log));
    let stage = city.stage();
    let mut lines = stage.lines().take(args.events as usize + warm_up + timed);
    let backlog: Vec<Line> = lines.by_ref().take(args.events as usize).collect();
    let warm_up: Vec<Line> = lines.by_ref().take(warm_up).collect();
    let timed: Vec<Line> = lines.collect();
    let mut source: Box<dyn Source> = match deployment.kafka() {
        Some(settings) => Box::new(KafkaFeeder::open(settings)?),
        None => Box::new(Publisher(deployment.publisher()?)),
    };
    backlog.chunks(CHUNK).try_for_each(|lines| source.append(lines, &city.scope))?;
    source.finish()?;

    let daemon = Running::start(deployment, deployment.log()?, Some(city.end))?;
    // The clock runs from the first commit: joining the group and reading an empty register are not the flow.
    let (mut begun, total) = (None, backlog.len() as u64);
    daemon.wait_for(total, |read| {
        if read > 0 && begun.is_none() {
            begun = Some((read, Instant::now()));
        }
    })?;
    let (first, begun) = begun.expect("the backlog is not empty");
    let seconds = begun.elapsed().as_secs_f64();
    let events_per_second = (total - first) as f64 / seconds;

    let measured = Measured {
        log: if args.kafka.is_some() { "kafka" } else { "embedded" },
        events: args.events,
        seconds,
        events_per_second,
        steady: if timed.is_empty() {
            None
        } else {
            let recipients: Vec<_> = deployment.agreement.recipients.iter().map(|known| known.party.clone()).collect();
            let readers = latency::Readers::start(&recipients, client)?;
            play(source.as_mut(), &warm_up, &city.scope, args.rate)?;
            let published = play(source.as_mut(), &timed, &city.scope, args.rate)?;
            let rate = timed.len() as f64 / published.took.as_secs_f64();
            daemon.wait_for(total + (warm_up.len() + timed.len()) as u64, |_| ())?;
            let read = readers.finish()?;
            let event_to_alert = latency::match_up(deployment, &city.scope, &published.at, &read, client()?)?;
            Some(Steady { rate, event_to_alert })
        },
    };
    daemon.stop()?;
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&measured).expect("it has a JSON form"))?,
        Format::Human => print(&measured, out)?,
    }
    house.clear_away()
}

fn print(measured: &Measured, out: &mut dyn Write) -> Result<(), Failure> {
    let Measured { log, events, seconds, events_per_second, steady } = measured;
    writeln!(out, "{log} log: {events} events in {seconds:.1} s, {events_per_second:.0} events/s from feed to commit")?;
    if let Some(Steady { rate, event_to_alert: Latencies { alerts, p50_ms, p99_ms, max_ms } }) = steady {
        writeln!(
            out,
            "at {rate:.0} events/s, event to alert readable: p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, longest {max_ms:.1} ms, of {alerts} alerts"
        )?;
    }
    Ok(())
}

/// When events were published, by source and id.
struct Published {
    at: BTreeMap<(String, String), Instant>,
    took: Duration,
}

/// Publishes at a steady rate; an event that is late is sent at once.
fn play(source: &mut dyn Source, lines: &[Line], scope: &ScopeId, rate: u32) -> Result<Published, Failure> {
    let (begun, mut at) = (Instant::now(), BTreeMap::new());
    let mut rest = lines;
    while !rest.is_empty() {
        let sent = lines.len() - rest.len();
        let due = (begun.elapsed().as_secs_f64() * f64::from(rate)) as usize;
        if due <= sent {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        }
        let (now, later) = rest.split_at((due - sent).min(rest.len()));
        let moment = Instant::now();
        at.extend(now.iter().map(|line| ((line.truth.source(), line.truth.id.clone()), moment)));
        source.append(now, scope)?;
        rest = later;
    }
    source.finish()?;
    Ok(Published { at, took: begun.elapsed() })
}

/// Where events are fed in.
pub(super) trait Source {
    fn append(&mut self, lines: &[Line], scope: &ScopeId) -> Result<(), Failure>;
    fn finish(&mut self) -> Result<(), Failure>;
}

/// The embedded log takes an append of each feed as one transaction.
pub(super) struct Publisher(pub(super) Box<dyn Client>);

impl Source for Publisher {
    fn append(&mut self, lines: &[Line], scope: &ScopeId) -> Result<(), Failure> {
        let mut by_feed: BTreeMap<&PartyId, Vec<Zeroizing<Vec<u8>>>> = BTreeMap::new();
        for line in lines {
            by_feed.entry(&line.party).or_default().push(Zeroizing::new(line.json.as_bytes().to_vec()));
        }
        by_feed.into_iter().try_for_each(|(feed, lines)| Ok(self.0.publish(feed, scope, lines)?))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

impl Source for KafkaFeeder {
    fn append(&mut self, lines: &[Line], scope: &ScopeId) -> Result<(), Failure> {
        lines.iter().try_for_each(|line| Ok(self.send(&line.party, scope, line.json.as_bytes())?))
    }

    fn finish(&mut self) -> Result<(), Failure> {
        Ok(KafkaFeeder::finish(self)?)
    }
}
