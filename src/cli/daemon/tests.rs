//! Three batches in hand and commits that fail, at every commit there is and in storms: nothing is lost, and nothing told
//! twice.

use super::*;
use crate::cli::house::{House, Wish};
use crate::log::memory::{Fault, Faults, MemoryStore};
use crate::log::{AUDIT_TOPIC, Client, topic_name};
use crate::model::register::RowKind;
use crate::pipeline::read_key;
use crate::simulate::{City, Line};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zeroize::Zeroizing;

const EVENTS: usize = 240;
const BATCH: usize = 16;
const STORMS: u64 = 24;

/// What does not change from one run to the next.
struct Stage {
    house: House,
    setup: Arc<Setup>,
    readers: Arc<Readers>,
    city: City,
    lines: Vec<Line>,
    _dir: tempfile::TempDir,
}

/// What a run came to, as the log has it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    read: u64,
    /// Rows of the lists as they were told.
    listed: Vec<(Vec<u8>, Vec<u8>)>,
}

/// One run: what it came to, how many commits it tried, and whether the fault came with three batches in hand.
struct Run {
    outcome: Outcome,
    attempts: u64,
    struck_three: bool,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let wish = Wish { name: "worker", dir: Some(dir.path().join("house")), kafka: None, partitions: 1, seed: 1 };
        let house = wish.build().expect("the shipped files are in order");
        let city = City::new(1, 200, 12);
        let lines: Vec<_> = city.stage().lines().take(EVENTS).collect();
        assert_eq!(lines.len(), EVENTS);
        let setup = Arc::new(house.deployment.setup());
        Self { setup, readers: Readers::start().expect("threads start"), city, lines, house, _dir: dir }
    }

    fn worker(&self, store: &MemoryStore) -> Worker {
        let deployment = &self.house.deployment;
        let feeds = deployment.agreement.feeds.iter().map(|feed| feed.party.clone()).collect();
        Worker {
            setup: Arc::clone(&self.setup),
            keys: deployment.key_watch(Arc::default()),
            watch: AgreementWatch::new(deployment.settings.clone(), Arc::default()),
            log: Box::new(store.log(feeds)),
            duties: Duties::new(Box::new(store.client())),
            batch_records: BATCH,
            readers: Arc::clone(&self.readers),
            poll_wait: Duration::ZERO,
            as_of: Some(self.city.end),
            metrics: Arc::default(),
            health: Arc::new(Health::new(Duration::ZERO)),
            stop: Arc::default(),
            shown: Instant::now(),
            figures: Arc::default(),
            suppress_below: 0,
        }
    }

    /// Turns as the daemon does until everything is committed; a daemon that dies is followed by another. `before_turn`
    /// may change what a turn finds; at the end all is as it began.
    fn run(&self, faults: Faults, mut before_turn: impl FnMut(&mut Worker)) -> Run {
        let store = MemoryStore::new(faults);
        let clock = self.city.end.to_zoned(TimeZone::UTC).expect("a day of our time").timestamp();
        // What is recorded after the log's clock would be sent back.
        store.set_clock(clock.as_millisecond());
        let mut client = store.client();
        for line in &self.lines {
            let payload = Zeroizing::new(line.json.as_bytes().to_vec());
            client.publish(&line.party, &self.city.scope, vec![payload]).expect("memory takes it");
        }
        let mut struck_three = false;
        let mut worker = self.worker(&store);
        let (mut engines, mut hand) = (Engines::new(), InHand::default());
        let read = |engines: &Engines| -> u64 {
            engines.values().flatten().flat_map(|engine| engine.counters().values()).map(|counts| counts.read).sum()
        };
        let mut is_over = false;
        while !is_over {
            if hand.is_empty() && read(&engines) == EVENTS as u64 {
                (worker.as_of, is_over) = (Some(self.city.end), true);
            } else {
                before_turn(&mut worker);
            }
            let has_three = hand.read.is_some() && hand.computed.is_some();
            match worker.turn(&mut engines, &mut hand) {
                Ok(()) => {}
                Err(LogError::Aborted(_)) => {
                    struck_three |= has_three;
                    drop_uncommitted(&mut engines, &mut hand);
                    is_over = false;
                }
                Err(LogError::Fatal(_)) => {
                    struck_three |= has_three;
                    worker = self.worker(&store);
                    (engines, hand) = (Engines::new(), InHand::default());
                    is_over = false;
                }
                Err(error) => panic!("{error}"),
            }
        }
        Run { outcome: self.outcome(&mut client, read(&engines)), attempts: store.commit_attempts(), struck_three }
    }

    fn outcome(&self, client: &mut dyn Client, read: u64) -> Outcome {
        let mut keys = |topic: &str| -> Vec<String> {
            let records = client.read(topic, 0, 0, usize::MAX, Duration::ZERO).expect("memory reads");
            records.into_iter().map(|record| String::from_utf8(record.key).expect("keys are text")).collect()
        };
        let numbers: Vec<_> = keys(AUDIT_TOPIC).iter().map(|key| key.parse::<usize>().expect("a number")).collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len()), "the audit has each number once, in its order");
        for recipient in &self.house.deployment.agreement.recipients {
            let mut alerts = keys(&topic_name("alerts", &recipient.party));
            let told = alerts.len();
            alerts.sort_unstable();
            alerts.dedup();
            assert_eq!(alerts.len(), told, "{} was told something twice", recipient.party);
        }
        let mut listed = Vec::new();
        let mut row = |key: &[u8], value: &[u8]| {
            if matches!(read_key(key), Some((RowKind::Listed, ..))) {
                listed.push((key.to_vec(), value.to_vec()));
            }
        };
        client.register(0, &mut row).expect("memory reads");
        Outcome { read, listed }
    }
}

#[test]
fn a_commit_that_fails_with_three_batches_in_hand_loses_nothing_and_tells_nothing_twice() {
    let stage = Stage::new();
    let quiet = stage.run(Faults::default(), |_| ());
    assert_eq!(quiet.outcome.read, EVENTS as u64);
    let listed = quiet.outcome.listed.len();
    assert!(listed > 3, "{listed} are listed");
    assert!(quiet.attempts as usize >= EVENTS / BATCH, "a commit for each batch");
    for fault in [Fault::Abort, Fault::CrashBefore, Fault::CrashAfter] {
        let mut struck_three = 0;
        for attempt in 0..quiet.attempts {
            let run = stage.run(Faults { at: BTreeMap::from([(attempt, fault)]), ..Faults::default() }, |_| ());
            assert_eq!(run.outcome, quiet.outcome, "{fault:?} at commit {attempt}");
            assert!(run.attempts > attempt, "{fault:?} at commit {attempt} struck");
            struck_three += u64::from(run.struck_three);
        }
        assert!(struck_three >= 5, "{fault:?} struck {struck_three} times with three batches in hand");
    }
}

#[test]
fn a_storm_over_batches_of_any_size_and_days_that_jump_comes_to_the_same() {
    let stage = Stage::new();
    let quiet = stage.run(Faults::default(), |_| ()).outcome;
    let mut struck_three = 0;
    for seed in 0..STORMS {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Read in random portions, batches are mostly too small to be in hand together.
        let faults = Faults { republish: 0, reorder: seed % 3 == 0, ..Faults::storm(seed) };
        let run = stage.run(faults, |worker| {
            worker.batch_records = random.random_range(1..=2 * BATCH);
            if random.random_bool(0.1) {
                worker.as_of = Some(stage.city.end.saturating_sub(random.random_range(0..=20).days()));
            }
        });
        assert_eq!(run.outcome, quiet, "storm {seed}");
        struck_three += u64::from(run.struck_three);
    }
    assert!(struck_three >= STORMS / 2, "{struck_three} of {STORMS} storms struck with three batches in hand");
}
