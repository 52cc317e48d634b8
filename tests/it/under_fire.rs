//! The daemon on its embedded log while everything is done to it from outside: killed at any moment, its disk full, its
//! directory read-only, its file cut, flipped, emptied or already taken, its readers asleep. It recovers, or it says
//! what is wrong, with which file, and what to do; nothing is lost, and nothing is said twice.
//!
//! `PRIORITYD_KILLS=500` is the long form. What a disk may show of writes that were not synced is in `simulation`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use priorityd::pipeline::AUDIT_TOPIC;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::daemon::{distinct, portions, same_as_calm};
use crate::support::deployed::{Deployed, PATIENCE};
use crate::support::events::events;

const LOG: &str = "data/priorityd.sqlite";

const LINES: [&str; 3] = [
    "k1 idva.caseload_entry 2024-01-02 victim=sarah",
    "i1 police.incident 2025-03-01 victim=sarah perpetrator=dean",
    "i2 police.incident 2025-06-01 victim=kelly perpetrator=dean",
];

/// A deployment that has worked and was stopped.
fn worked() -> Deployed {
    let house = Deployed::new();
    let mut daemon = house.start();
    house.publish_all(&events(&LINES));
    house.wait_for(&mut daemon, LINES.len());
    assert_eq!(daemon.terminate().code(), Some(0));
    house
}

/// How many kills: few, or as many as `PRIORITYD_KILLS` says.
fn kills() -> usize {
    let asked = std::env::var("PRIORITYD_KILLS").ok();
    asked.map_or(48, |kills| kills.parse().expect("PRIORITYD_KILLS is a number"))
}

/// How many records the audit has; so many are known already, and a little while is waited for more.
fn audited(house: &Deployed, known: i64) -> i64 {
    let more = house.client().read(AUDIT_TOPIC, 0, known, usize::MAX, Duration::from_millis(20));
    more.expect("the log is there").last().map_or(known, |record| record.offset + 1)
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_says_nothing_twice() {
    let (portions, kills) = (portions(), kills());
    // Small batches, so that whenever it dies there is much left to do.
    let killed = Deployed::with(&[("batch_records", "batch_records = 1")]);
    let all: Vec<_> = portions.iter().flatten().cloned().collect();
    let (mut published, mut seen, mut at_work, mut random) = (0, 0, 0, ChaCha8Rng::seed_from_u64(3));
    for kill in 0..kills {
        let daemon = killed.start();
        // New events arrive while it starts, works or dies.
        let due = all.len() * (kill + 1) / kills;
        killed.publish_all(&all[published..due]);
        let new = i64::try_from(due - published).expect("few");
        published = due;
        let before = audited(&killed, seen);
        seen = before;
        if kill % 2 == 0 {
            // A wait for what does not come: some daemons die before they opened the file, some when there is nothing
            // to do.
            let moment = Duration::from_millis(random.random_range(0..400));
            killed.client().read("nothing.v1", 0, 0, 1, moment).expect("the log is there");
        } else {
            // The others once they have done some of it.
            let (until, deadline) =
                (before + random.random_range(1..=1 + 2 * new), Instant::now() + Duration::from_secs(2));
            while seen < until && Instant::now() < deadline {
                seen = audited(&killed, seen);
            }
        }
        daemon.kill();
        seen = audited(&killed, seen);
        at_work += usize::from(seen > before && killed.outcomes().read < published as u64);
    }
    // In the long form each brings little that is new, and most find little to do.
    assert!(at_work * 8 >= kills.min(48), "{at_work} of {kills} daemons died at work");
    // The calm run comes last: services would miss the heartbeats of one that had ended long before they read.
    let calm = Deployed::new();
    portions.iter().for_each(|portion| calm.publish_all(portion));
    let mut seen = BTreeSet::new();
    let total: usize = portions.iter().map(|portion| distinct(portion, &mut seen)).sum::<usize>() + 1;
    for house in [&killed, &calm] {
        house.publish("police", &["the very end"]);
        let mut daemon = house.start();
        house.wait_for(&mut daemon, total);
        assert_eq!(daemon.terminate().code(), Some(0));
    }
    same_as_calm(&calm, &killed, &portions);
}

#[test]
fn a_full_disk_ends_it_with_the_files_name_and_with_room_it_goes_on() {
    let portions = portions();
    let house = Deployed::with(&[("batch_records", "batch_records = 2")]);
    portions.iter().for_each(|portion| house.publish_all(portion));
    house.publish("police", &["the very end"]);
    // No file may grow beyond a little more than what is there. The system says so in another word than of a full disk, and the
    // daemon answers both alike.
    let blocks = fs::metadata(house.path(LOG)).expect("published").len() / 512 + 400;
    let limited = house.start_limited(&format!("trap '' XFSZ; ulimit -f {blocks}"));
    assert_eq!(limited.end_within(PATIENCE).code(), Some(69));
    let told = house.log();
    assert!(told.contains("priorityd.sqlite: the disk") && told.contains("start again"), "{told}");

    let calm = Deployed::new();
    let (mut daemon, mut seen) = (calm.start(), BTreeSet::new());
    portions.iter().for_each(|portion| calm.publish_all(portion));
    calm.publish("police", &["the very end"]);
    let total = portions.iter().map(|portion| distinct(portion, &mut seen)).sum::<usize>() + 1;
    calm.wait_for(&mut daemon, total);
    assert_eq!(daemon.terminate().code(), Some(0));
    let mut daemon = house.start();
    house.wait_for(&mut daemon, total);
    assert_eq!(daemon.terminate().code(), Some(0));
    same_as_calm(&calm, &house, &portions);
}

#[test]
fn a_directory_that_cannot_be_written_to_is_named() {
    let house = worked();
    for name in ["data", "data/priorityd.sqlite", "data/priorityd.sqlite.lock"] {
        let mode = if name == "data" { 0o555 } else { 0o444 };
        fs::set_permissions(house.path(name), fs::Permissions::from_mode(mode)).expect("ours");
    }
    // Permissions do not bind the administrator, so there the daemon runs as nobody, to whom all is given.
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout.starts_with(b"0\n"));
    let ran = if is_root {
        let given = Command::new("chown").args(["-R", "65534:65534"]).arg(house.path("")).status();
        assert!(given.is_ok_and(|status| status.success()));
        house.run_as_nobody(&["run"])
    } else {
        house.run(&["run"])
    };
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("data/priorityd.sqlite") && ran.err.contains("permission denied"), "{}", ran.err);
    let restored = [("data", 0o755), ("data/priorityd.sqlite", 0o600), ("data/priorityd.sqlite.lock", 0o600)];
    for (name, mode) in restored {
        fs::set_permissions(house.path(name), fs::Permissions::from_mode(mode)).expect("ours");
    }
    assert_eq!(house.outcomes().read, LINES.len() as u64, "nothing was harmed");
}

#[test]
fn a_file_that_was_cut_flipped_or_emptied_is_never_taken_for_a_whole_one() {
    let house = worked();
    let (whole, desks) = (fs::read(house.path(LOG)).expect("reads"), house.desks());
    // The head of an SQLite file says how large its pages are.
    let page = usize::from(u16::from_be_bytes([whole[16], whole[17]]));
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut told = 0;
    for round in 0..12 {
        let mut bytes = whole.clone();
        match round {
            0 => bytes.clear(),
            1 => bytes.truncate(bytes.len() / 2),
            2 => bytes.truncate(bytes.len() - page),
            3 => bytes[..100].fill(0),
            _ => {
                let at = random.random_range(0..bytes.len());
                bytes[at] ^= 1 << random.random_range(0..8);
            }
        }
        fs::write(house.path(LOG), &bytes).expect("writes");
        let mut daemon = house.start();
        let before = house.log().matches("restored the register").count();
        while daemon.is_alive() && house.log().matches("restored the register").count() == before {
            std::thread::yield_now();
        }
        let ended = if daemon.is_alive() { daemon.terminate() } else { daemon.end_within(PATIENCE) };
        match ended.code() {
            Some(0) => {
                // What nobody reads may be damaged; what is read is right, or the reader is told.
                for (party, desk) in &desks {
                    let ran =
                        house.run(&["subscribe", "--recipient", party.as_str(), "--key", &house.key(party.as_str())]);
                    assert!(ran.code != 0 || house.subscribe(party.as_str()) == *desk, "round {round}: {party}");
                }
            }
            Some(65) => {
                told += 1;
                let log = house.log();
                let said = log.lines().last().expect("it said why");
                assert!(said.contains("priorityd.sqlite") && said.contains("put back a copy"), "round {round}: {said}");
            }
            other => panic!("round {round}: {other:?}: {}", house.log()),
        }
    }
    assert!(told >= 4, "{told} were told");
    // The copy is put back, and all is as it was.
    fs::write(house.path(LOG), &whole).expect("writes");
    assert_eq!(house.desks(), desks);
    assert_eq!(house.outcomes().read, LINES.len() as u64);
}

#[test]
fn a_second_daemon_on_a_file_is_refused_and_the_first_goes_on() {
    let house = Deployed::new();
    let mut first = house.start();
    house.publish_all(&events(&LINES[..2]));
    house.wait_for(&mut first, 2);
    let second = house.run(&["run"]);
    assert_eq!(second.code, 69);
    assert!(second.err.contains("another daemon runs on") && second.err.contains("priorityd.sqlite"), "{}", second.err);
    house.publish_all(&events(&LINES[2..]));
    house.wait_for(&mut first, LINES.len());
    assert_eq!(first.terminate().code(), Some(0));
}

#[test]
fn subscribers_that_stop_reading_hold_nobody_up_and_miss_nothing() {
    let house = Deployed::new();
    let mut daemon = house.start();
    // One whose output nobody takes, and one that the system has put to sleep.
    let words = ["subscribe", "--recipient", "high_harm_team", "--sealed", "--follow"];
    let (mut stuck, asleep) = (house.spawn(&words), house.spawn(&words));
    let signal = |name: &str, id: u32| {
        let sent = Command::new("kill").args([name, &id.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    };
    signal("-STOP", asleep.id());
    let portions = portions();
    portions.iter().for_each(|portion| house.publish_all(portion));
    let mut seen = BTreeSet::new();
    let total: usize = portions.iter().map(|portion| distinct(portion, &mut seen)).sum();
    house.wait_for(&mut daemon, total);
    let expected = house.topic("list.high-harm-team.v1").len() + house.topic("alerts.high-harm-team.v1").len();
    assert_eq!(daemon.terminate().code(), Some(0));
    signal("-CONT", asleep.id());
    // Whatever was not taken then is there to be taken.
    let mut output = stuck.stdout.take().expect("piped");
    let (mut lines, mut bytes) = (0, [0; 4096]);
    while lines < expected {
        let count = output.read(&mut bytes).expect("it goes on");
        assert!(count > 0, "{lines} of {expected}");
        lines += bytes[..count].iter().filter(|byte| **byte == b'\n').count();
    }
    for mut reader in [stuck, asleep] {
        reader.kill().and_then(|()| reader.wait()).expect("it follows until it is stopped");
    }
}
