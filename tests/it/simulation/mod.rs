//! Simulation from one seed: the real engine on the log in memory, and on a real file that loses and tears writes, with
//! much going wrong that can; at the end the invariants hold, and the lists are those of a run where nothing did.
//!
//! What happens to a seed: a small world's events in any order, cut into batches of any size, some twice; people decide
//! and are erased; the day and the machine's clock jump, forwards and back, the day also to some days before all was
//! sent; retention ends, and the file sweeps; heartbeats and heads of the audit are signed between any two turns; the
//! agreement is followed by another, the linkage and vault keys by others; a batch is read ahead and taken in a turn
//! later; daemons restart between any two turns, and at every step of a commit are told that it was undone, or die
//! before or after it took effect.
//!
//! What is not played: the daemon's own loop with three batches in hand, its reload and its signals (`daemon`,
//! `under_fire`, `reload` and `kafka_exactly_once` run it); Kafka, and more partitions than one; rotation of
//! recipients', output and signing keys (`rekey`); keys and agreements that expire, and an older agreement than before
//! (`biographies`, `reload`); another linkage model (`linkage`); hashing at the source (`source`); full disks, and
//! damage that is no lost write (`under_fire`). One id sent with two contents is left out: the first counts, so that
//! the order shows, by design. Lists are compared with the other run; alerts that were taken back on the way, and those
//! of cases that are closed, are compared with the audit alone.
//!
//! `tests/run` plays the seeds of [`USUAL`]. `PRIORITYD_SEEDS=0..100000 cargo test --test it simulation::` plays
//! others, and a seed that fails is played alone by the command that its failure prints.
//!
//! Deterministic is what a seed decides: the world, its order, batches, clock, faults, what is torn, nonces of what is
//! sealed (but for the file's rows at rest). What is not: the threads that read a batch and that assess people (their
//! results are put in order before they count); hash maps' order, which is fixed per build and must not show; SQLite's
//! own work on the file; nonces of signatures, which are OpenSSL's; which seeds meet on the machine.

mod invariants;
mod universe;

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};

use jiff::ToSpan;
use jiff::civil::Date;
use priorityd::config::agreement::Package;
use priorityd::keys::meta::Purpose;
use priorityd::log::memory::Faults;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use self::invariants::Seen;
use crate::convergence::{Alerted, Outcome, assert_same, outcome};
use crate::support::events::{Sent, envelope, event};
use crate::support::hub::{AGREEMENT, Hub, Office, TODAY};
use crate::support::seam::Store;

/// Seeds that every run of the tests plays on the log in memory, and on a file.
const USUAL: (Range<u64>, Range<u64>) = (0..1_000, 0..60);

/// So many seeds have something of everything that is looked at.
const ENOUGH: u64 = 50;

/// So many days the clock goes back at the most, behind the day on which all is sent.
const BACK: i32 = 20;

/// The agreement that ships, with so short a retention of what some feeds tell, or of everything, that events end while
/// it plays; with everything, what is remembered of them ends too.
fn short(of_everything: bool) -> Package {
    let mut package = AGREEMENT.clone();
    let mut line_of = |line: &str| match line {
        line if line.starts_with("retention_days = ") && of_everything => String::new(),
        line if line.starts_with("retention_days = ") => "retention_days = 365\n".to_owned(),
        line if line.starts_with("sources = ") && of_everything => format!("{line}\nretention_days = 365\n"),
        line => format!("{line}\n"),
    };
    package.agreement = package.agreement.lines().map(&mut line_of).collect();
    package
}

/// Another agreement follows it, that forbids what it permitted.
fn second(first: &Package) -> Package {
    let mut package = first.clone();
    package.agreement = package.agreement.replacen("serial = 1", "serial = 2", 1);
    let forbid =
        "@id(\"UP2U-N9\")\nforbid (principal == Recipient::\"up2u\", action == Action::\"alert\", resource);\n";
    package.policies.push(("policies/simulation.cedar".to_owned(), forbid.to_owned()));
    package
}

/// Three offices: the first, one under another agreement, and one that has other keys as well.
fn offices(of_everything: bool) -> [Office; 3] {
    let first = short(of_everything);
    let second = second(&first);
    let rotated = Office::with_rotated(&second, &[Purpose::Linkage, Purpose::Vault]);
    [Office::with(&first), Office::with(&second), rotated]
}

static WILD: LazyLock<[Office; 3]> = LazyLock::new(|| offices(false));
static ORDERLY: LazyLock<[Office; 3]> = LazyLock::new(|| offices(true));

/// What a seed decides before anything goes wrong.
struct Story {
    events: Vec<Sent>,
    last_day: Date,
    /// Offices, one after another.
    offices: Vec<&'static Office>,
}

impl Story {
    fn of(random: &mut ChaCha8Rng) -> Self {
        let is_orderly = random.random_bool(0.3);
        let [first, second, last] = if is_orderly { &*ORDERLY } else { &*WILD };
        let mut events = universe::events(is_orderly, random);
        let undecided = Hub::played(first, &events);
        events.extend(decisions(&undecided, random));
        events.extend(erasures(&undecided, random));
        let last_day = TODAY.saturating_add((*[0, 1, 45, 400, 900].choose(random).expect("some")).days());
        let mut offices: Vec<&'static Office> = vec![first];
        if random.random_bool(0.5) {
            offices.push(second);
        }
        if random.random_bool(0.4) {
            offices.push(last);
        }
        Self { events, last_day, offices }
    }

    fn last_office(&self) -> &'static Office {
        self.offices.last().expect("the first at least")
    }

    /// Nothing goes wrong, and everything comes at once.
    fn undisturbed(&self) -> (Outcome, Alerted) {
        let mut hub = Hub::played(self.offices[0], &self.events);
        for office in &self.offices[1..] {
            hub.adopt(office);
        }
        hub.wake_on(self.last_day);
        invariants::check(&hub, self.last_office());
        outcome(&hub)
    }

    /// Everything goes wrong.
    fn disturbed(&self, store: Store, random: &mut ChaCha8Rng) -> Hub<'static> {
        let mut hub = Hub::at(self.offices[0], store, random.random_range(1..=40)).beating(3);
        let mut order = universe::disordered(&self.events, random);
        let mut offices = self.offices[1..].iter();
        while !order.is_empty() {
            let rest = order.split_off(order.len().min(random.random_range(1..=15)));
            hub.publish(&std::mem::replace(&mut order, rest));
            match random.random_range(0..9) {
                0 => hub.restart(),
                1 => {
                    if let Some(office) = offices.next() {
                        hub.change(office, random.random_bool(0.5));
                    }
                }
                2 | 3 => {
                    let span = TODAY.until(self.last_day).expect("days").get_days();
                    hub.set_day(TODAY.saturating_add(random.random_range(-BACK..=span).days()));
                }
                _ => {}
            }
            hub.work_for(if random.random_bool(0.5) { usize::MAX } else { random.random_range(0..4) });
        }
        for office in offices {
            hub.change(office, random.random_bool(0.5));
            hub.work_for(random.random_range(0..4));
        }
        hub.wake_on(self.last_day);
        hub
    }
}

/// Answers to some of the questions, some of them twice and otherwise, some taken back.
fn decisions(hub: &Hub<'_>, random: &mut ChaCha8Rng) -> Vec<Sent> {
    let mut decided = Vec::new();
    for (number, review) in hub.reviews().into_values().enumerate() {
        for (round, month) in [("a", 7), ("b", 8)] {
            if !random.random_bool(0.3) {
                continue;
            }
            let about = match review["kind"].as_str() {
                Some("both_roles") => format!("decision=seen reason=both_directions finding={}", review["finding"]),
                _ if review.get("bars").is_some() || random.random_bool(0.5) => {
                    "decision=different reason=relatives".to_owned()
                }
                _ => "decision=same reason=records_compared".to_owned(),
            };
            let records = review["records"].to_string();
            let id = format!("d{number}{round}");
            let line = format!("{id} reviewers.decision 2025-{month:02}-01 {about} records={records} decided_by=JS2");
            decided.push(event(&line));
            if random.random_bool(0.2) {
                decided.push(event(&format!("x{id} reviewers.cancel 2025-09-01 supersedes={id}")));
            }
        }
    }
    decided
}

/// Somebody may be erased, as of some day.
fn erasures(hub: &Hub<'_>, random: &mut ChaCha8Rng) -> Vec<Sent> {
    let people = hub.linked();
    let erase = |number: usize, random: &mut ChaCha8Rng| {
        let (cluster, _) = people.choose(random)?;
        let person = hub.held_of(*cluster)?;
        let day = random.random_range(1..=28);
        let (feed, mut event) = envelope(&format!("e{number} reviewers.erasure 2025-06-{day:02}"));
        event["data"]["records"] = json!(person.records);
        event["data"]["local_refs"] = json!(person.local_refs);
        Some((feed, event.to_string()))
    };
    (0..random.random_range(0..3)).filter_map(|number| erase(number, random)).collect()
}

/// Plays one seed to its end.
fn play(seed: u64, store: impl FnOnce(u64) -> Store) -> Seen {
    let mut seen = Seen::default();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let story = Story::of(&mut random);
    let mut expected = story.undisturbed();
    let mut hub = story.disturbed(store(seed), &mut random);
    for again in ["as it stands", "read back"] {
        // What comes again after it is forgotten that it came is counted again.
        expected.0.events = hub.outcomes().accepted + hub.outcomes().superseded;
        assert_same(&hub, &expected, again);
        seen += invariants::check(&hub, story.last_office());
        hub.restart();
        hub.work();
    }
    invariants::reversible(&mut hub, &story.events);
    seen
}

/// Plays seeds on all cores; all that fail are named. Says how much there was to look at.
fn play_all(seeds: Range<u64>, test: &str, store: impl Fn(u64) -> Store + Sync) -> Seen {
    let (first, count) = (seeds.start, seeds.end - seeds.start);
    let (next, failed) = (AtomicU64::new(first), Mutex::new(BTreeMap::new()));
    let seen = Mutex::new(Seen::default());
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            match catch_unwind(AssertUnwindSafe(|| play(seed, &store))) {
                Ok(more) => *seen.lock().expect("no panic while it is held") += more,
                Err(caught) => {
                    let why = format!("{}\n  PRIORITYD_SEEDS={seed} cargo test --test it {test}", why(caught.as_ref()));
                    failed.lock().expect("no panic while it is held").insert(seed, format!("seed {seed}: {why}"));
                }
            }
        }
    };
    // Threads of our own: the pipeline's wait for each other, and must not take up another seed meanwhile.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    let failed = failed.into_inner().expect("no panic while it was held");
    let told: Vec<String> = failed.into_values().collect();
    assert!(told.is_empty(), "{} of {count} seeds failed:\n{}", told.len(), told.join("\n"));
    let seen = seen.into_inner().expect("no panic while it was held");
    if count >= ENOUGH {
        seen.is_enough();
    }
    seen
}

fn why(caught: &(dyn Any + Send)) -> &str {
    let text = caught.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| caught.downcast_ref::<&str>().copied()).unwrap_or("no reason given")
}

/// `17` or `0..100000`, if anybody asks for others than the usual.
fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(asked) = std::env::var("PRIORITYD_SEEDS") else { return usual };
    let number = |text: &str| text.parse::<u64>().expect("PRIORITYD_SEEDS is a number, or FROM..TO");
    match asked.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&asked)..number(&asked) + 1,
    }
}

#[test]
fn in_memory() {
    play_all(seeds(USUAL.0), "simulation::in_memory", |seed| Store::memory(Faults::storm(seed)));
}

#[test]
fn on_a_file_that_loses_and_tears_writes() {
    let seeds = seeds(USUAL.1);
    let count = seeds.end - seeds.start;
    let seen = play_all(seeds, "simulation::on_a_file", |seed| Store::file(seed, 150));
    assert!(count < ENOUGH || seen.swept > 0, "{seen:?}");
}
