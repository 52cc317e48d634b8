//! `priorityd demo`: the whole job on a synthetic city. The real daemon on a temporary embedded log, the agencies' feeds
//! played into it, and every specialist service reading with its own key.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::agreement::sign;
use super::daemon::Worker;
use super::deployment::{Deployment, subscriber};
use super::failure::{Failure, Kind};
use super::reload::AgreementWatch;
use super::shipped;
use super::show::{Reader, Seen};
use crate::config::agreement::Agreement;
use crate::keys::recipient::RecipientPrivateKey;
use crate::keys::signing::SignerKeys;
use crate::keys::{KeyRing, NewKeys};
use crate::log::{Client, LogError};
use crate::model::ids::PartyId;
use crate::ops::health::Health;
use crate::ops::metrics::Metrics;
use crate::ops::telemetry;
use crate::pipeline::Engine;
use crate::simulate::{City, Play};
use summary::Summary;

mod print;
mod summary;

/// How long one commit may take before the demonstration says that the daemon hangs.
const PATIENCE: Duration = Duration::from_secs(120);

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
    /// Keep everything in this directory [default: a temporary one, removed at the end]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a person
    Human,
    /// One JSON object on stdout
    Json,
}

/// Plays the city.
pub(super) fn run(args: &DemoArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(level) = args.log_level {
        telemetry::start(level, false);
    }
    let started = Instant::now();
    let house = House::build(args)?;
    let city = City { canaries: args.canaries, ..City::new(args.seed, args.people, args.months) };
    let mut play = city.play();
    if let Some(seed) = args.shuffle {
        play.feeds.shuffle(&mut ChaCha20Rng::seed_from_u64(seed));
    }
    let show = args.format == Format::Human;
    if show {
        print::opening(out, &city, &play, house.deployment.agreement.recipients.len())?;
    }
    let mut services = house.services()?;
    let daemon = Daemon::start(&house.deployment, city.end)?;
    let engine = act(&house.deployment, daemon, &play, &mut services, args, out)?;
    let summary = Summary::of(&engine, &services, &play, &city, started.elapsed());
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&summary).expect("a summary has a JSON form"))?,
        Format::Human => print::closing(out, &summary, &services, house.kept.as_deref())?,
    }
    Ok(())
}

/// Publishes month by month; after each, every service reads what is new.
fn act(
    deployment: &Deployment,
    daemon: Daemon,
    play: &Play,
    services: &mut [Service],
    args: &DemoArgs,
    out: &mut dyn Write,
) -> Result<Engine, Failure> {
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
        daemon.wait_for(published, &progress)?;
        for service in services.iter_mut() {
            let new = service.read()?;
            if show {
                progress.suspend(|| print::alerts(out, act + 1, service, &new))?;
            }
        }
    }
    progress.finish_and_clear();
    daemon.stop()
}

/// The demonstration's own deployment in a directory.
struct House {
    deployment: Deployment,
    private_keys: PathBuf,
    /// The directory, if it is kept.
    kept: Option<PathBuf>,
    temporary: Option<PathBuf>,
}

impl House {
    fn build(args: &DemoArgs) -> Result<Self, Failure> {
        let dir = args.dir.clone().unwrap_or_else(temporary_dir);
        if dir.join("data/priorityd.sqlite").exists() {
            let line = format!("{}: there is a log in it already; name a new directory", dir.display());
            return Err(Failure::new(Kind::Configuration, line));
        }
        let cannot = |error: std::io::Error| {
            Failure::new(Kind::Configuration, format!("{}: it cannot be written ({})", dir.display(), error.kind()))
        };
        fs::create_dir_all(&dir).map_err(cannot)?;
        let temporary = args.dir.is_none().then(|| dir.clone());
        shipped::write_agreement(&dir).map_err(cannot)?;
        let config = shipped::CONFIG.replace("# as_of = 2025-12-31", &format!("as_of = {}", City::new(0, 1, 1).end));
        fs::write(dir.join("priorityd.toml"), config).map_err(cannot)?;
        let agreement = Agreement::load(&dir.join("agreement.toml"))?;
        let private_keys = dir.join("services");
        let scope = agreement.scopes.first().expect("the shipped agreement names a scope");
        let parties: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.clone()).collect();
        // From the seed, so that the same seed gives the same list byte for byte. These keys protect nobody.
        let mut rng = ChaCha20Rng::seed_from_u64(args.seed);
        KeyRing::create(&dir.join("keys"), &private_keys, scope, &parties, Timestamp::UNIX_EPOCH, &mut rng)?;
        // Nobody but ourselves agrees to the demonstration's agreement, so it is signed with a key of its own.
        let signer = "ig_lead".parse().expect("a name of the right form");
        NewKeys::new(&dir, Timestamp::UNIX_EPOCH, None, &mut rng).agreement(&signer, &dir.join("signers"))?;
        sign(&dir.join("agreement.toml"), &dir.join("signers/ig_lead.jwk.json"))?;
        let mut deployment = Deployment::load(&dir.join("priorityd.toml"))?;
        deployment.settings.listen = None;
        deployment.settings.batch_records = 2_000;
        Ok(Self { deployment, private_keys, kept: args.dir.clone(), temporary })
    }

    /// A desk for every recipient, with its own key.
    fn services(&self) -> Result<Vec<Service>, Failure> {
        let signers = self.deployment.settings.keys.join("signing.jwks.json");
        let recipients = self.deployment.agreement.recipients.iter();
        recipients
            .map(|recipient| {
                let key = self.private_keys.join(format!("{}.jwk.json", recipient.party));
                let (key, signers) = (RecipientPrivateKey::read(&key)?, SignerKeys::read(&signers)?);
                Ok(Service {
                    party: recipient.party.clone(),
                    name: recipient.name.clone(),
                    client: subscriber(&self.deployment.settings.log)?,
                    reader: Reader::new(recipient.party.clone(), key, signers),
                    alerts: 0,
                    corrections: 0,
                    list: BTreeMap::new(),
                })
            })
            .collect()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(dir) = &self.temporary {
            // Whatever cannot be removed lies in the system's own folder for temporary files.
            fs::remove_dir_all(dir).ok();
        }
    }
}

fn temporary_dir() -> PathBuf {
    std::env::temp_dir().join(format!("priorityd-demo-{}", std::process::id()))
}

/// One specialist service at its desk.
struct Service {
    party: PartyId,
    name: String,
    client: Box<dyn Client>,
    reader: Reader,
    alerts: u64,
    corrections: u64,
    /// Its list as it stands, by entry.
    list: BTreeMap<String, serde_json::Value>,
}

impl Service {
    /// Reads what is new; gives the new alerts back.
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
        match seen {
            Seen::Event(event) => Ok(Some(event)),
            Seen::Tombstone(entry) => {
                self.list.remove(&entry);
                Ok(None)
            }
            Seen::Refused(offset, error) => {
                let line = format!("{} cannot open its message at offset {offset}: {error}", self.party);
                Err(Failure::new(Kind::BadData, line))
            }
        }
    }
}

/// The daemon on a thread of its own.
struct Daemon {
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
    worker: JoinHandle<Result<BTreeMap<i32, Engine>, LogError>>,
}

impl Daemon {
    fn start(deployment: &Deployment, as_of: jiff::civil::Date) -> Result<Self, Failure> {
        let (metrics, stop) = (Arc::new(Metrics::default()), Arc::new(AtomicBool::new(false)));
        let worker = Worker {
            setup: Arc::new(deployment.setup()),
            watch: AgreementWatch::new(deployment.settings.clone(), Arc::default()),
            log: deployment.log()?,
            batch_records: deployment.settings.batch_records,
            poll_wait: Duration::from_millis(deployment.settings.poll_ms),
            as_of: Some(as_of),
            metrics: Arc::clone(&metrics),
            health: Arc::new(Health::default()),
            stop: Arc::clone(&stop),
        };
        let worker = std::thread::Builder::new().name("worker".to_owned()).spawn(move || worker.work())?;
        Ok(Self { metrics, stop, worker })
    }

    /// Waits until so many events are processed and committed.
    fn wait_for(&self, events: u64, progress: &ProgressBar) -> Result<(), Failure> {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            let read = self.metrics.events_read();
            progress.set_position(read);
            if read >= events {
                return Ok(());
            }
            if read != seen {
                (seen, since) = (read, Instant::now());
            }
            if self.worker.is_finished() || since.elapsed() > PATIENCE {
                return Err(Failure::new(Kind::Bug, "the daemon stopped before it had read everything"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn stop(self) -> Result<Engine, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.worker.join().map_err(|_| Failure::new(Kind::Bug, "the daemon ended by a fault of ours"))?;
        let engine = ended?.into_values().next();
        engine.ok_or_else(|| Failure::new(Kind::Bug, "the daemon had no partition"))
    }
}

/// Where a kept demonstration's parts are, for the closing words.
fn paths(dir: &Path) -> (PathBuf, PathBuf) {
    (dir.join("priorityd.toml"), dir.join("services"))
}
