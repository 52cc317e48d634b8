//! `priorityd demo`: the whole job on a synthetic city. The real daemon on a temporary embedded log or on topics of its own
//! on a Kafka cluster, the agencies' feeds played into it, and every specialist service reading with its own key.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::daemon::Running;
use super::deployment::{Deployment, subscriber};
use super::failure::{Failure, Kind};
use super::format::Format;
use super::house::{House, Wish};
use super::show::{Reader, Seen};
use crate::keys::recipient::RecipientPrivateKey;
use crate::keys::signing::SignerKeys;
use crate::log::Client;
use crate::model::ids::PartyId;
use crate::ops::telemetry;
use crate::pipeline::Engine;
use crate::simulate::{City, Play};
use summary::Summary;

mod print;
mod summary;

/// Partitions of its topics on a cluster. Its scope lies in one of them; whoever reads, reads all.
const PARTITIONS: i32 = 3;

/// How long messages that were sent may take to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays months of a synthetic city and shows what each service learns. Everything is made up; the same seed gives the
/// same list, in whatever order the events come.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Everything that is left to chance in the city
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many months it plays, up to the end of 2025
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=240))]
    months: u32,
    /// How many people agencies may come to know
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000_000))]
    people: u32,
    /// Publish in an order shuffled by this seed
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// Play through this Kafka cluster, on topics of the demonstration's own [default: an embedded log]
    #[arg(long, value_name = "BOOTSTRAP")]
    kafka: Option<String>,
    /// Keep everything in this directory, and the topics [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Further people whose every particular is a distinctive made-up string, to search for afterwards
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=40_000))]
    canaries: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Log to stderr at this level
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<tracing::Level>,
}

/// Plays the city.
pub(super) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(level) = args.log_level {
        drop(telemetry::start(level, false, None));
    }
    let started = Instant::now();
    let wish = Wish {
        name: "demo",
        dir: args.dir.clone(),
        kafka: args.kafka.clone(),
        partitions: PARTITIONS,
        seed: args.seed,
    };
    let house = wish.build()?;
    let city = City { canaries: args.canaries, ..City::new(args.seed, args.people, args.months) };
    let mut play = city.play();
    if let Some(seed) = args.shuffle {
        play.feeds.shuffle(&mut ChaCha20Rng::seed_from_u64(seed));
    }
    let show = args.format == Format::Human;
    if show {
        print::opening(out, &city, &play, house.deployment.agreement.recipients.len())?;
    }
    let mut services = services(&house)?;
    let daemon = Running::start(&house.deployment, house.deployment.log()?, Some(city.end))?;
    let engines = act(&house.deployment, daemon, &play, &mut services, args, out)?;
    let summary = Summary::of(&engines, &services, &play, &city, started.elapsed());
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&summary).expect("a summary has a JSON form"))?,
        Format::Human => print::closing(out, &summary, &services, house.kept.as_deref())?,
    }
    drop(services);
    house.clear_away()
}

/// Publishes month by month; after each, every service reads what is new.
fn act(
    deployment: &Deployment,
    daemon: Running,
    play: &Play,
    services: &mut [Service],
    args: &DemoArgs,
    out: &mut dyn Write,
) -> Result<Vec<Engine>, Failure> {
    let show = args.format == Format::Human;
    let progress = if show { ProgressBar::new(play.feeds.len() as u64) } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{elapsed_precise} {bar:40} {pos}/{len} events, {per_sec}");
    progress.set_style(style.expect("the template is well formed"));
    let mut publisher = deployment.publisher()?;
    let scope = deployment.agreement.scopes.first().expect("the shipped agreement names a scope");
    let mut published = 0;
    let act_len = play.feeds.len().div_ceil(args.months as usize).max(1);
    for (act, events) in play.feeds.chunks(act_len).enumerate() {
        // Events of one feed in their order, feed by feed: between feeds there is no order to keep.
        let mut by_feed: BTreeMap<&PartyId, Vec<Zeroizing<Vec<u8>>>> = BTreeMap::new();
        for (feed, line) in events {
            by_feed.entry(feed).or_default().push(Zeroizing::new(line.as_bytes().to_vec()));
        }
        for (feed, mut lines) in by_feed {
            while !lines.is_empty() {
                let rest = lines.split_off(lines.len().min(1000));
                publisher.publish(feed, scope, std::mem::replace(&mut lines, rest))?;
            }
        }
        published += events.len() as u64;
        daemon.wait_for(published, |read| progress.set_position(read))?;
        for service in services.iter_mut() {
            let new = service.read_all_of(&daemon)?;
            if show {
                progress.suspend(|| print::alerts(out, act + 1, service, &new))?;
            }
        }
    }
    progress.finish_and_clear();
    Ok(daemon.stop()?.into_values().collect())
}

/// A desk for every recipient, with its own key.
fn services(house: &House) -> Result<Vec<Service>, Failure> {
    let signers = house.deployment.settings.keys.join("signing.jwks.json");
    let recipients = house.deployment.agreement.recipients.iter();
    recipients
        .map(|recipient| {
            let key = house.private_keys.join(format!("{}.jwk.json", recipient.party));
            let (key, signers) = (RecipientPrivateKey::read(&key)?, SignerKeys::read(&signers)?);
            Ok(Service {
                party: recipient.party.clone(),
                name: recipient.name.clone(),
                client: subscriber(&house.deployment.settings.log)?,
                reader: Reader::new(recipient.party.clone(), vec![key], signers),
                seen: 0,
                alerts: 0,
                corrections: 0,
                list: BTreeMap::new(),
            })
        })
        .collect()
}

/// One specialist service at its desk.
struct Service {
    party: PartyId,
    name: String,
    client: Box<dyn Client>,
    reader: Reader,
    /// Records read, on both topics.
    seen: u64,
    alerts: u64,
    corrections: u64,
    /// Its list as it stands, by entry.
    list: BTreeMap<String, serde_json::Value>,
}

impl Service {
    /// Reads until nothing is missing that the daemon says it sent; gives the new alerts back. On a cluster a transaction
    /// that was committed is seen a moment later.
    fn read_all_of(&mut self, daemon: &Running) -> Result<Vec<serde_json::Value>, Failure> {
        let (mut new, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            new.extend(self.read()?);
            let sent = ["alerts", "list"].map(|topic| daemon.messages_sent(&self.party, topic)).iter().sum();
            if self.seen >= sent {
                return Ok(new);
            }
            if Instant::now() >= deadline {
                let line = format!("{} has not received all that was sent to it", self.party);
                return Err(Failure::new(Kind::Bug, line));
            }
        }
    }

    fn read(&mut self) -> Result<Vec<serde_json::Value>, Failure> {
        let mut new = Vec::new();
        for seen in self.reader.read(self.client.as_mut(), "alerts", Duration::ZERO)? {
            let event = self.opened(seen)?.unwrap_or_default();
            if event["type"] == "uk.priorityd.alert.v1" {
                self.alerts += 1;
                new.push(event);
            } else {
                self.corrections += 1;
            }
        }
        for seen in self.reader.read(self.client.as_mut(), "list", Duration::ZERO)? {
            if let Some(mut event) = self.opened(seen)? {
                let entry = event["id"].as_str().unwrap_or_default().to_owned();
                self.list.insert(entry, event["data"].take());
            }
        }
        Ok(new)
    }

    fn opened(&mut self, seen: Seen) -> Result<Option<serde_json::Value>, Failure> {
        self.seen += 1;
        match seen {
            Seen::Event(event) => Ok(Some(event)),
            Seen::Tombstone(entry) => {
                self.list.remove(&entry);
                Ok(None)
            }
            Seen::Refused { partition, offset, why, .. } => {
                let line = format!(
                    "{} cannot open its message in partition {partition} at offset {offset}: {why}",
                    self.party
                );
                Err(Failure::new(Kind::BadData, line))
            }
        }
    }
}

/// Where a kept demonstration's parts are, for the closing words.
fn paths(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("priorityd.toml"), dir.join("services"))
}
