//! The embedded log: the common promises, and what a file of one's own has to stand: other processes, kills, damage.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use priorityd::log::embedded::{EmbeddedClient, EmbeddedLog, EmbeddedSettings};
use priorityd::log::{AtRest, Client, Log, LogError, Polled, Position, Transaction, Unsent};
use priorityd::model::ids::PartyId;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::conformance::{
    self, ALERTS, House, LIST, all, feeds, output, party, payloads, positions, publish, ready, row, scope, take, values,
};
use crate::support::deployed::PATIENCE;

/// AES-256-GCM under a test key.
pub(crate) struct TestKey(Aes256Gcm);

impl TestKey {
    pub(crate) fn shared(secret: u8) -> Arc<dyn AtRest> {
        Arc::new(Self(Aes256Gcm::new(&[secret; 32].into())))
    }
}

impl AtRest for TestKey {
    fn seal(&self, context: &[u8], clear: &[u8]) -> Vec<u8> {
        let nonce: [u8; 12] = rand_nonce();
        let sealed = self.0.encrypt(&Nonce::from(nonce), Payload { msg: clear, aad: context }).expect("encrypts");
        [nonce.as_slice(), &sealed].concat()
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
        self.0.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: context }).ok().map(Zeroizing::new)
    }
}

fn rand_nonce() -> [u8; 12] {
    let mut nonce = [0; 12];
    getrandom::fill(&mut nonce).expect("the system has randomness");
    nonce
}

/// Settings whose clock the test sets.
pub(crate) fn settings(
    now_ms: &Arc<AtomicI64>,
    feed_retention: Duration,
    delete_retention: Duration,
) -> EmbeddedSettings {
    let now_ms = Arc::clone(now_ms);
    let clock = Arc::new(move || now_ms.load(Ordering::Relaxed));
    EmbeddedSettings { feed_retention, delete_retention, message_retention: delete_retention, clock }
}

/// Opens a file whose daemon has just gone. Where another test starts a process, that one holds our lock too until it is
/// another program.
pub(crate) fn open_again(path: &Path, feeds: Vec<PartyId>, settings: &EmbeddedSettings) -> EmbeddedLog {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match EmbeddedLog::open_with(path, feeds.clone(), TestKey::shared(1), settings.clone()) {
            Err(LogError::Fatal(why)) if why.contains("another daemon") && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            opened => return opened.expect("whatever happened to the file, it opens"),
        }
    }
}

struct Embedded(TempDir);

impl Embedded {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log.db")
    }

    fn open(&self) -> Result<EmbeddedLog, LogError> {
        EmbeddedLog::open(&self.path(), feeds(), TestKey::shared(1))
    }

    fn open_client(&self) -> EmbeddedClient {
        EmbeddedClient::open(&self.path(), TestKey::shared(1)).expect("opens")
    }

    /// Puts there what a killed daemon left.
    fn put_killed(&self, database: &[u8], ahead: &[u8]) {
        std::fs::write(self.path(), database).expect("writes");
        std::fs::write(self.0.path().join("log.db-wal"), ahead).expect("writes");
    }

    /// Every byte that lies in the directory.
    fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.0.path()).expect("reads");
        files.flat_map(|file| std::fs::read(file.expect("reads").path()).expect("reads")).collect()
    }
}

impl House for Embedded {
    fn log(&self) -> Box<dyn Log> {
        Box::new(self.open().expect("opens"))
    }

    fn client(&self) -> Box<dyn Client> {
        Box::new(self.open_client())
    }

    fn poison(&self, transaction: &mut Transaction) {
        transaction.positions.push(Position { feed: party("b"), partition: 0, next_offset: 1_000 });
    }
}

fn fatal<T>(outcome: Result<T, LogError>) -> String {
    match outcome {
        Err(LogError::Fatal(why) | LogError::Damaged(why)) => why,
        Err(error) => panic!("not fatal: {error}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn conforms() {
    conformance::suite(Embedded::new, Embedded::new);
}

#[test]
fn files_are_for_their_owner_only() {
    let house = Embedded::new();
    let mut log = house.open().expect("opens");
    ready(&mut log);
    publish(&mut house.open_client(), "a", &["1"]);
    let mut seen = 0;
    for file in std::fs::read_dir(house.0.path()).expect("reads") {
        let mode = file.expect("reads").metadata().expect("reads").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        seen += 1;
    }
    assert!(seen >= 3, "the database, its write-ahead log and the lock");
}

#[test]
fn one_file_has_one_daemon() {
    let house = Embedded::new();
    let first = house.open().expect("opens");
    assert!(fatal(house.open()).contains("another daemon"));
    // By whatever name.
    let link = house.0.path().join("another.db");
    std::os::unix::fs::symlink(house.path(), &link).expect("links");
    let second = || EmbeddedLog::open(&link, feeds(), TestKey::shared(1));
    assert!(fatal(second()).contains("another daemon"));
    drop(first);
    let mut first = second().expect("the lock is free again");
    ready(&mut first);
    // And should its lock be taken away, whoever comes second takes over, and the first says nothing more.
    std::fs::remove_file(house.0.path().join("log.db.lock")).expect("removes");
    let said = |log: &mut EmbeddedLog, text: &str| {
        log.commit(Transaction { outputs: vec![output(ALERTS, "", Some(text))], ..Transaction::default() })
    };
    said(&mut first, "first").expect("commit");
    let mut second = house.open().expect("nothing is in its way");
    ready(&mut second);
    said(&mut second, "second").expect("commit");
    assert!(matches!(said(&mut first, "second"), Err(LogError::Fenced(_))));
    said(&mut second, "third").expect("commit");
    let told = ["first", "second", "third"].map(|text| Some(text.to_owned()));
    assert_eq!(values(&all(&mut house.open_client(), ALERTS)), told);
}

#[test]
fn a_link_whose_file_is_not_there_stands_for_that_file() {
    let house = Embedded::new();
    let (volume, link) = (house.0.path().join("volume"), house.0.path().join("link.db"));
    std::fs::create_dir(&volume).expect("makes");
    std::os::unix::fs::symlink("volume/log.db", &link).expect("links");
    let open = |path: &Path| EmbeddedLog::open(path, feeds(), TestKey::shared(1));
    let first = open(&link).expect("a new log");
    let mode = std::fs::metadata(volume.join("log.db")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for path in [&link, &volume.join("log.db")] {
        assert!(fatal(open(path)).contains("another daemon"));
    }
    drop(first);
    std::fs::remove_file(volume.join("log.db")).expect("removes");
    assert!(fatal(open(&link)).contains("empty or gone"));
}

#[test]
fn whoever_starts_while_a_log_is_made_finds_it_whole() {
    for _ in 0..200 {
        let house = Embedded::new();
        let all = std::sync::Barrier::new(7);
        std::thread::scope(|threads| {
            let client = || {
                all.wait();
                drop(house.open_client());
            };
            (0..6).for_each(|_| drop(threads.spawn(client)));
            all.wait();
            drop(house.open().expect("opens"));
        });
    }
}

#[test]
fn clear_text_never_touches_the_disk() {
    let house = Embedded::new();
    let canary = "Zebedee-Canary-4711";
    let mut log = house.open().expect("opens");
    ready(&mut log);
    publish(&mut house.open_client(), "a", &[canary]);
    let headers = vec![("ce_subject".into(), canary.into())];
    let with_header = Unsent { scope: scope(), headers, payload: Zeroizing::new(b"x".to_vec()) };
    house.open_client().append(&party("a"), vec![with_header]).expect("publish");
    assert_eq!(take(&mut log, 2, 2).len(), 2);
    let contains = |needle: &[u8]| house.bytes().windows(needle.len()).any(|window| window == needle);
    assert!(contains(b"feeds.a.v1"), "the search searches");
    assert!(!contains(canary.as_bytes()) && !contains(b"ce_subject"));
}

#[test]
fn another_key_or_place_does_not_open_a_record() {
    let house = Embedded::new();
    publish(&mut house.open_client(), "a", &["1", "2"]);
    let open = |secret| EmbeddedLog::open(&house.path(), feeds(), TestKey::shared(secret)).expect("opens");
    let mut log = open(2);
    ready(&mut log);
    assert!(fatal(log.poll(1, Duration::ZERO)).contains("feeds.a.v1 offset 0"));
    drop(log);
    // Nothing is lost: with the right key it goes on.
    let mut log = open(1);
    ready(&mut log);
    take(&mut log, 2, 2);
    drop(log);
    let raw = rusqlite::Connection::open(house.path()).expect("opens");
    raw.execute_batch(
        "UPDATE feed_records SET sealed = (SELECT sealed FROM feed_records WHERE place = (1 << 40) + 1)
         WHERE place = 1 << 40",
    )
    .expect("swaps");
    let mut log = open(1);
    ready(&mut log);
    assert!(fatal(log.poll(1, Duration::ZERO)).contains("cannot be opened"));
}

#[test]
fn a_small_poll_serves_each_feed_in_turn() {
    let house = Embedded::new();
    let mut client = house.open_client();
    let many: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    publish(&mut client, "a", &many);
    publish(&mut client, "b", &many);
    let mut log = house.open().expect("opens");
    ready(&mut log);
    let of_a = |records: &[priorityd::log::FeedRecord]| records.iter().filter(|one| one.feed == party("a")).count();
    assert_eq!(of_a(&take(&mut log, 20, 1)), 10);
    assert_eq!(of_a(&take(&mut log, 20, 20)), 10);
    assert_eq!(of_a(&take(&mut log, 150, 150)), 75);
}

#[test]
fn what_is_no_longer_needed_is_swept() {
    let house = Embedded::new();
    let now_ms = Arc::new(AtomicI64::new(0));
    let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(1_000));
    let mut client =
        EmbeddedClient::open_with(&house.path(), TestKey::shared(1), settings.clock.clone()).expect("opens");
    let mut log = EmbeddedLog::open_with(&house.path(), feeds(), TestKey::shared(1), settings).expect("opens");
    ready(&mut log);
    publish(&mut client, "a", &["1", "2", "3"]);
    let records = take(&mut log, 2, 2);
    let versions = [("k", Some("v1")), ("k", Some("v2")), ("gone", Some("x")), ("gone", None), ("l", Some("w1"))];
    let outputs = versions.iter().map(|(key, value)| output(LIST, key, *value)).collect();
    log.commit(Transaction { outputs, positions: positions(&records), ..Transaction::default() }).expect("commit");
    let kept_feed_records = || -> i64 {
        let raw = rusqlite::Connection::open(house.path()).expect("opens");
        raw.query_row("SELECT count(*) FROM feed_records", [], |found| found.get(0)).expect("counts")
    };
    let mut commit_at = |at_ms: i64| {
        now_ms.store(at_ms, Ordering::Relaxed);
        let positions = positions(&records);
        log.commit(Transaction { positions, ..Transaction::default() }).expect("commit");
    };
    commit_at(100);
    assert_eq!((kept_feed_records(), all(&mut client, LIST).len()), (3, 5));
    commit_at(101);
    assert_eq!((kept_feed_records(), all(&mut client, LIST).len()), (1, 5), "what was not processed stays");
    commit_at(1_001);
    let left = all(&mut client, LIST);
    assert_eq!(values(&left), [Some("v2".into()), Some("w1".into())]);
    assert_eq!(left[1].offset, 4, "offsets stay what they were");
    let outputs = vec![output(LIST, "gone", Some("back"))];
    log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
    assert_eq!(all(&mut client, LIST)[2].offset, 5, "and are not used again");
}

#[test]
fn a_feed_that_fell_silent_keeps_nothing_and_messages_pass() {
    let house = Embedded::new();
    let now_ms = Arc::new(AtomicI64::new(0));
    let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(1_000));
    let mut client =
        EmbeddedClient::open_with(&house.path(), TestKey::shared(1), settings.clock.clone()).expect("opens");
    let mut log = open_again(&house.path(), feeds(), &settings);
    ready(&mut log);
    publish(&mut client, "a", &["1", "2"]);
    publish(&mut client, "b", &["3"]);
    let records = take(&mut log, 3, 3);
    let mut said_at = |at_ms: i64, alerts: &[&str], positions: Vec<Position>| {
        now_ms.store(at_ms, Ordering::Relaxed);
        let outputs = alerts.iter().map(|text| output(ALERTS, "", Some(text))).collect();
        log.commit(Transaction { outputs, positions, ..Transaction::default() }).expect("commit");
    };
    said_at(1, &["old", "older"], positions(&records));
    said_at(500, &["new"], Vec::new());
    let raw = rusqlite::Connection::open(house.path()).expect("opens");
    let kept = |table: &str| -> i64 {
        raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |found| found.get(0)).expect("counts")
    };
    assert_eq!((kept("feed_records"), kept("topic_records")), (0, 3));
    said_at(1_002, &[], Vec::new());
    let left = all(&mut client, ALERTS);
    assert_eq!((values(&left), left[0].offset), (vec![Some("new".into())], 2));
    said_at(9_000, &[], Vec::new());
    assert!(all(&mut client, ALERTS).is_empty(), "nothing is left, and that is no damage");
    said_at(9_001, &["next", "last"], Vec::new());
    assert_eq!(all(&mut client, ALERTS)[0].offset, 3, "offsets are not used again");
    // But what is missing behind something that is there was not swept.
    raw.execute("DELETE FROM topic_records WHERE place = (SELECT max(place) FROM topic_records)", []).expect("deletes");
    assert!(fatal(client.read(ALERTS, 0, 0, 10, Duration::ZERO)).contains("put back"));
    assert!(fatal(client.read(ALERTS, 0, 4, 10, Duration::ZERO)).contains("put back"));
}

#[test]
fn every_topic_has_its_turn_to_be_swept() {
    let house = Embedded::new();
    let now_ms = Arc::new(AtomicI64::new(0));
    let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(1_000));
    let mut log = open_again(&house.path(), feeds(), &settings);
    ready(&mut log);
    let topics: Vec<_> = (0..30).map(|number| format!("alerts.service{number}.v1")).collect();
    let outputs = topics.iter().map(|topic| output(topic, "", Some("old"))).collect();
    log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
    now_ms.store(1_001, Ordering::Relaxed);
    for _ in &topics {
        log.commit(Transaction::default()).expect("commit");
    }
    for topic in topics {
        assert!(all(&mut house.open_client(), &topic).is_empty(), "{topic}");
    }
}

#[test]
fn what_was_appended_under_a_clock_that_ran_ahead_goes_with_what_came_after() {
    let house = Embedded::new();
    let now_ms = Arc::new(AtomicI64::new(0));
    let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(100));
    let mut client =
        EmbeddedClient::open_with(&house.path(), TestKey::shared(1), settings.clock.clone()).expect("opens");
    let mut log = open_again(&house.path(), feeds(), &settings);
    ready(&mut log);
    let kept = || -> [i64; 2] {
        let raw = rusqlite::Connection::open(house.path()).expect("opens");
        ["feed_records", "topic_records"]
            .map(|table| raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("counts"))
    };
    // More than a commit sweeps, then as many again under the right clock.
    for at_ms in [1_000_000, 1_000] {
        now_ms.store(at_ms, Ordering::Relaxed);
        publish(&mut client, "a", &["event"; 3_000]);
        let records = take(&mut log, 3_000, 3_000);
        let outputs = (0..3_000).map(|_| output(ALERTS, "", Some("alert"))).collect();
        log.commit(Transaction { outputs, positions: positions(&records), ..Transaction::default() }).expect("commit");
    }
    assert_eq!(kept(), [6_000, 6_000]);
    now_ms.store(1_101, Ordering::Relaxed);
    for _ in 0..4 {
        log.commit(Transaction::default()).expect("commit");
    }
    assert_eq!(kept(), [0, 0]);
}

#[test]
fn a_clock_that_went_back_lets_no_ended_entry_stand_again() {
    let house = Embedded::new();
    let now_ms = Arc::new(AtomicI64::new(0));
    let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(1_000));
    // By half a second, and by three years.
    for ahead_ms in [500, 100_000_000_000] {
        let mut said = Vec::new();
        let told = [(0, Some("v1")), (ahead_ms, Some("v2")), (100, None)];
        let later = [1_200, 1_501, ahead_ms + 1_001, ahead_ms + 2_100].map(|at_ms| (at_ms, None));
        for (step, (at_ms, version)) in told.into_iter().chain(later).enumerate() {
            now_ms.store(at_ms, Ordering::Relaxed);
            let mut log = open_again(&house.path(), feeds(), &settings);
            ready(&mut log);
            let outputs = if step < told.len() { vec![output(LIST, "k", version)] } else { Vec::new() };
            log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
            said = values(&all(&mut house.open_client(), LIST));
            let last = said.last().cloned().flatten();
            assert!(step < told.len() || last.is_none(), "at {at_ms} {last:?} stands again");
        }
        assert!(said.is_empty(), "and in the end all of it goes");
    }
}

#[test]
fn what_stands_is_kept_whatever_a_damaged_row_says_of_it() {
    let house = Embedded::new();
    let now_ms = Arc::new(AtomicI64::new(0));
    let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(1_000));
    let mut log = open_again(&house.path(), feeds(), &settings);
    ready(&mut log);
    let outputs = vec![output(LIST, "k", Some("v1")), output(LIST, "l", Some("w1")), output(LIST, "k", Some("v2"))];
    log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
    let raw = rusqlite::Connection::open(house.path()).expect("opens");
    assert_eq!(raw.execute("UPDATE superseded SET place = place + 1", []).expect("flips"), 1);
    now_ms.store(1_001, Ordering::Relaxed);
    log.commit(Transaction::default()).expect("commit");
    let left = values(&all(&mut house.open_client(), LIST));
    assert_eq!(left, [Some("v1".into()), Some("w1".into()), Some("v2".into())]);
}

#[test]
fn what_was_superseded_before_a_restart_or_after_it_is_swept() {
    let house = Embedded::new();
    let now_ms = Arc::new(AtomicI64::new(0));
    let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(1_000));
    let restarted_at = |at_ms: i64, versions: &[(&str, Option<&str>)]| {
        now_ms.store(at_ms, Ordering::Relaxed);
        let mut log = open_again(&house.path(), feeds(), &settings);
        ready(&mut log);
        let outputs = versions.iter().map(|(key, value)| output(LIST, key, *value)).collect();
        log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
        values(&all(&mut house.open_client(), LIST))
    };
    let some = |values: &[&str]| -> Vec<_> { values.iter().map(|value| Some((*value).to_owned())).collect() };
    restarted_at(0, &[("k", Some("v1")), ("gone", Some("x")), ("back", None), ("l", Some("w1"))]);
    restarted_at(1, &[("k", Some("v2")), ("gone", None)]);
    restarted_at(2, &[("k", Some("v3")), ("back", Some("y"))]);
    assert_eq!(restarted_at(1_002, &[]), some(&["w1", "v2", "v3", "y"]));
    assert_eq!(restarted_at(1_003, &[("k", Some("v4"))]), some(&["w1", "v3", "y", "v4"]));
    assert_eq!(restarted_at(2_004, &[("gone", Some("new"))]), some(&["w1", "y", "v4", "new"]));
}

#[test]
fn another_programs_file_and_a_newer_schema_are_refused() {
    let house = Embedded::new();
    let raw = rusqlite::Connection::open(house.path()).expect("opens");
    raw.execute_batch("CREATE TABLE theirs (x)").expect("creates");
    drop(raw);
    assert!(fatal(house.open()).contains("not a priorityd log"));
    let house = Embedded::new();
    drop(house.open().expect("opens"));
    let raw = rusqlite::Connection::open(house.path()).expect("opens");
    raw.pragma_update(None, "user_version", 99).expect("updates");
    drop(raw);
    assert!(fatal(house.open()).contains("schema version 99"));
    let house = Embedded::new();
    std::fs::write(house.path(), b"no database at all, but long enough to look at".repeat(100)).expect("writes");
    assert!(fatal(house.open()).contains("not a priorityd log"));
}

/// Runs this test binary again as another process that does `role` on the file and is waited for or killed.
fn child(role: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().expect("our own path"))
        .args(["--exact", "embedded::child_process", "--nocapture"])
        .env("EMBEDDED_CHILD_ROLE", role)
        .env("EMBEDDED_CHILD_PATH", path)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("starts")
}

/// The other process; as a test of its own it does nothing.
#[test]
fn child_process() {
    let (Ok(role), Ok(path)) = (std::env::var("EMBEDDED_CHILD_ROLE"), std::env::var("EMBEDDED_CHILD_PATH")) else {
        return;
    };
    let path = PathBuf::from(path);
    if role == "publish" {
        let mut client = EmbeddedClient::open(&path, TestKey::shared(1)).expect("opens");
        for number in 0..100 {
            publish(&mut client, "a", &[number.to_string()]);
        }
        return;
    }
    if role == "fill" {
        let mut log = EmbeddedLog::open(&path, feeds(), TestKey::shared(1)).expect("opens");
        ready(&mut log);
        let large = "x".repeat(20_000);
        for number in 0..100 {
            let outputs = vec![output(ALERTS, "", Some(&large))];
            let register = vec![row(&number.to_string(), Some("x"))];
            match log.commit(Transaction { outputs, register, ..Transaction::default() }) {
                Ok(()) => {}
                Err(LogError::Fatal(why)) if why.contains("the disk") => return,
                Err(error) => panic!("another error: {error}"),
            }
        }
        panic!("no limit was met");
    }
    // Copies the feed to a topic and the register, one record per commit, until it is killed.
    let mut log = EmbeddedLog::open(&path, feeds(), TestKey::shared(1)).expect("opens");
    ready(&mut log);
    loop {
        let Polled::Records(records) = log.poll(1, Duration::from_secs(1)).expect("poll") else { continue };
        let text = |at: usize| std::str::from_utf8(&records[at].payload).expect("text");
        let outputs = (0..records.len()).map(|at| output(ALERTS, "", Some(text(at)))).collect();
        let register = (0..records.len()).map(|at| row(text(at), Some("x"))).collect();
        log.commit(Transaction { outputs, register, positions: positions(&records), ..Transaction::default() })
            .expect("commit");
    }
}

#[test]
fn another_process_publishes_while_the_daemon_reads() {
    let house = Embedded::new();
    let mut log = house.open().expect("opens");
    ready(&mut log);
    let mut publishers = [child("publish", &house.path()), child("publish", &house.path())];
    let mut numbers = Vec::new();
    while numbers.len() < 200 {
        let records = take(&mut log, 1, 1);
        numbers.push(String::from_utf8(records[0].payload.to_vec()).expect("text"));
        let positions = positions(&records);
        log.commit(Transaction { positions, ..Transaction::default() }).expect("commit");
    }
    for publisher in &mut publishers {
        assert!(publisher.wait().expect("ends").success());
    }
    numbers.sort();
    let mut expected: Vec<String> = (0..200).map(|number| (number / 2).to_string()).collect();
    expected.sort();
    assert_eq!(numbers, expected);
    conformance::nothing_more(&mut log);
}

/// A system takes all of a process's locks on a file once that process closes the file, and whoever closes it as the last copies
/// the write-ahead log back and deletes it: a daemon without its lock would go on writing to a file that has no name. Our own
/// SQLite looks out for that; an administrator's may be older.
#[test]
fn a_page_that_opens_the_file_in_the_daemons_process_leaves_the_daemon_its_lock() {
    let house = Embedded::new();
    let mut log = house.open().expect("opens");
    ready(&mut log);
    publish(&mut house.open_client(), "a", &["1"]);
    let ahead = || std::fs::metadata(house.0.path().join("log.db-wal")).expect("the daemon has it open").ino();
    let before = ahead();
    let count = Command::new("sqlite3").arg(house.path()).arg("SELECT count(*) FROM feed_records").output();
    assert_eq!(count.expect("sqlite3 is there").stdout, b"1\n");
    assert_eq!(ahead(), before);
    publish(&mut house.open_client(), "a", &["2"]);
    take(&mut log, 2, 2);
}

#[test]
fn a_killed_daemon_loses_nothing_and_repeats_nothing() {
    let house = Embedded::new();
    let mut client = house.open_client();
    let texts: Vec<String> = (0..3_000).map(|number| format!("{number:04}")).collect();
    client.publish(&party("a"), &scope(), payloads(&texts)).expect("publish");
    let mut seen = 0;
    for kill in 1..=12 {
        let mut daemon = child("copy", &house.path());
        // Some commits later, at a moment of its own choosing.
        let target = kill * 40;
        while seen < target {
            let from = i64::try_from(seen).expect("small");
            seen += client.read(ALERTS, 0, from, 1_000, Duration::from_secs(30)).expect("read").len();
        }
        daemon.kill().expect("kills");
        daemon.wait().expect("ends");
        seen = all(&mut client, ALERTS).len();
        let mut log = house.open().expect("the lock died with it");
        let register = ready(&mut log);
        assert_eq!(register.len(), seen, "register and topic moved together");
        let next = take(&mut log, 1, 1);
        assert_eq!(next[0].offset, i64::try_from(seen).expect("small"), "and so did the position");
    }
    let copied = values(&all(&mut client, ALERTS));
    assert!(copied.iter().zip(&texts).all(|(one, text)| one.as_ref() == Some(text)));
}

/// Everything the file says, as its readers see it.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    register: BTreeMap<Vec<u8>, Vec<u8>>,
    waiting: Vec<(PartyId, i64, i64, Vec<u8>)>,
    alerts: Vec<(i64, Option<Vec<u8>>)>,
    list: Vec<(i64, Option<Vec<u8>>)>,
}

fn look(path: &Path) -> Result<Seen, LogError> {
    let mut log = EmbeddedLog::open(path, feeds(), TestKey::shared(1))?;
    assert!(matches!(log.poll(1, Duration::ZERO)?, Polled::Gained(_)));
    let mut register = BTreeMap::new();
    log.restore(0, &mut |key, value| {
        register.insert(key.to_vec(), value.to_vec());
    })?;
    let Polled::Records(records) = log.poll(1_000, Duration::ZERO)? else { panic!("the partition stays") };
    let waiting = records.iter().map(|one| (one.feed.clone(), one.offset, one.appended_ms, one.payload.to_vec()));
    let mut client = EmbeddedClient::open(path, TestKey::shared(1))?;
    let mut topic = |name| -> Result<Vec<_>, LogError> {
        let records = client.read(name, 0, 0, 1_000, Duration::ZERO)?;
        Ok(records.into_iter().map(|one| (one.offset, one.value)).collect())
    };
    Ok(Seen { register, waiting: waiting.collect(), alerts: topic(ALERTS)?, list: topic(LIST)? })
}

/// A file with something of everything in it, closed.
fn filled() -> (Vec<u8>, Seen) {
    let house = Embedded::new();
    let mut client = house.open_client();
    let mut log = house.open().expect("opens");
    ready(&mut log);
    for round in 0..8 {
        let long = |number: usize| format!("{round}-{number}-").repeat(40);
        for feed in ["a", "b"] {
            publish(&mut client, feed, &(0..10).map(long).collect::<Vec<_>>());
        }
        let records = take(&mut log, 10, 10);
        let outputs = (0..10).map(|number| {
            let topic = if number % 2 == 0 { ALERTS } else { LIST };
            output(topic, &format!("key{number}"), Some(&long(number)))
        });
        let register = (0..30).map(|number| row(&format!("row{:03}", (round * 13 + number) % 97), Some(&long(number))));
        let transaction = Transaction {
            outputs: outputs.collect(),
            register: register.collect(),
            positions: positions(&records),
            ..Transaction::default()
        };
        log.commit(transaction).expect("commit");
    }
    drop((client, log));
    (std::fs::read(house.path()).expect("reads"), look(&house.path()).expect("it is whole"))
}

#[test]
fn damage_is_told_and_never_taken_for_data() {
    let (bytes, whole) = filled();
    assert!(whole.register.len() > 50 && whole.waiting.len() == 80 && whole.alerts.len() == 40);
    // The head of an SQLite file says how large its pages are.
    let page = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut told = 0;
    for round in 0..600 {
        let mut damaged = bytes.clone();
        let at = random.random_range(0..damaged.len());
        match round % 3 {
            0 => damaged[at] ^= 1 << random.random_range(0..8),
            // The first bytes of pages say how they are to be read: most of the mischief lies there.
            1 => damaged[at / page * page + at % 64] ^= 1 << random.random_range(0..8),
            _ => damaged.truncate(at),
        }
        let house = Embedded::new();
        std::fs::write(house.path(), damaged).expect("writes");
        match look(&house.path()) {
            Err(LogError::Fatal(why) | LogError::Damaged(why)) => {
                told += 1;
                assert!(why.contains("log.db"), "{why}");
                assert!(!why.contains("row0") && !why.contains("-0-"), "{why}");
            }
            Err(error) => panic!("not fatal: {error}"),
            Ok(seen) => {
                // An empty file is a new one; of a list, the manifest tells what is missing.
                let known = seen.list.iter().all(|record| whole.list.contains(record));
                let same = Seen { list: whole.list.clone(), ..seen } == whole;
                assert!((known && same) || at == 0, "round {round}, byte {at}: damage was taken for data");
            }
        }
    }
    assert!(told > 200, "{told} of 600 were told");
}

/// What a killed daemon leaves: the file and its write-ahead log, with what was seen in them before and after the last commit,
/// and where in the log that commit begins.
struct Killed {
    database: Vec<u8>,
    ahead: Vec<u8>,
    last_commit_at: usize,
    before: Seen,
    after: Seen,
}

fn killed() -> Killed {
    let house = Embedded::new();
    let mut client = house.open_client();
    let mut log = house.open().expect("opens");
    ready(&mut log);
    let ahead = || std::fs::read(house.0.path().join("log.db-wal")).expect("reads");
    let seen = || {
        let copy = Embedded::new();
        copy.put_killed(&std::fs::read(house.path()).expect("reads"), &ahead());
        look(&copy.path()).expect("it is whole")
    };
    for round in 0..12 {
        let long = |number: usize| format!("{round}-{number}-").repeat(40);
        let outputs = (0..10).map(|number| output(ALERTS, &format!("key{number}"), Some(&long(number))));
        let register = (0..30).map(|number| row(&format!("row{:03}", (round * 13 + number) % 97), Some(&long(number))));
        let transaction =
            Transaction { outputs: outputs.collect(), register: register.collect(), ..Transaction::default() };
        log.commit(transaction).expect("commit");
    }
    let (last_commit_at, before) = (ahead().len(), seen());
    publish(&mut client, "a", &["the last"]);
    Killed {
        database: std::fs::read(house.path()).expect("reads"),
        ahead: ahead(),
        last_commit_at,
        before,
        after: seen(),
    }
}

#[test]
fn commits_that_damage_to_the_write_ahead_log_would_take_along_are_told() {
    let killed = killed();
    assert!(killed.last_commit_at > 100_000 && killed.before != killed.after);
    let mut random = ChaCha8Rng::seed_from_u64(12);
    let mut told = 0;
    for round in 0..300 {
        let mut ahead = killed.ahead.clone();
        // The first bytes of the log and of its frames say how they are to be read.
        let frame = 24 + usize::from(u16::from_be_bytes([ahead[10], ahead[11]]));
        let at = match round % 4 {
            0 => random.random_range(0..32),
            1 => 32 + random.random_range(0..(ahead.len() - 32) / frame) * frame + random.random_range(0..24),
            // The frame that ends the last commit but one.
            2 => killed.last_commit_at - frame + random.random_range(0..24),
            _ => random.random_range(0..ahead.len()),
        };
        ahead[at] ^= 1 << random.random_range(0..8);
        // Without the mark that ends a commit it is one with the next, and that one may be torn.
        let mark = |ahead: &[u8]| {
            at.checked_sub(32).map(|at| 32 + at / frame * frame + 4).map(|at| ahead[at..at + 4] == [0; 4])
        };
        if mark(&ahead) != mark(&killed.ahead) && at >= killed.last_commit_at - frame {
            continue;
        }
        let house = Embedded::new();
        house.put_killed(&killed.database, &ahead);
        match look(&house.path()) {
            Err(LogError::Damaged(why)) => {
                told += 1;
                assert!(why.contains("log.db") && why.contains("put back"), "{why}");
            }
            Err(error) => panic!("not damaged: {error}"),
            // A flaw in the last commit looks like a torn write.
            Ok(seen) => assert!(seen == killed.after || at >= killed.last_commit_at, "round {round}, byte {at}"),
        }
    }
    assert!(told > 200, "{told} of 300 were told");
}

#[test]
fn a_file_that_is_gone_beside_its_write_ahead_log_is_no_new_one() {
    let killed = killed();
    for is_empty in [false, true] {
        let house = Embedded::new();
        house.put_killed(&killed.database, &killed.ahead);
        std::fs::remove_file(house.path()).expect("removes");
        if is_empty {
            std::fs::write(house.path(), b"").expect("writes");
        }
        for why in [fatal(house.open()), fatal(EmbeddedClient::open(&house.path(), TestKey::shared(1)))] {
            assert!(why.contains("log.db") && why.contains("empty or gone"), "{why}");
        }
        // Nothing of what is left was touched.
        assert_eq!(std::fs::read(house.0.path().join("log.db-wal")).expect("reads"), killed.ahead);
        std::fs::write(house.path(), &killed.database).expect("writes");
        assert!(look(&house.path()).expect("it is whole") == killed.after);
    }
}

#[test]
fn a_write_that_fails_is_undone_and_told() {
    let house = Embedded::new();
    publish(&mut house.open_client(), "a", &["1"]);
    // A child that may not make files larger than 800 blocks of 512 bytes, and is not killed for trying.
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 800; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().expect("our own path"))
        .args(["--exact", "embedded::child_process", "--nocapture"])
        .env("EMBEDDED_CHILD_ROLE", "fill")
        .env("EMBEDDED_CHILD_PATH", house.path())
        .output()
        .expect("runs");
    assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stderr));
    // What was committed before is there, and with room it goes on.
    let mut log = house.open().expect("opens");
    let register = ready(&mut log);
    assert!(!register.is_empty());
    assert_eq!(all(&mut house.open_client(), ALERTS).len(), register.len());
    take(&mut log, 1, 1);
    log.commit(Transaction { register: vec![row("more", Some("x"))], ..Transaction::default() }).expect("commit");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    for place in [folder.path().join("missing/log.db"), folder.path().to_path_buf(), "/proc/log.db".into()] {
        let opened = EmbeddedClient::open(&place, TestKey::shared(1));
        assert!(fatal(opened).contains(&*place.to_string_lossy()));
    }
}
