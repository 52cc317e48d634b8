//! The embedded log: the common promises, and what a file of one's own has to stand: other processes and kills here, clocks and
//! what they let go in `sweeps`, damage in `damage`.

mod damage;
mod sweeps;

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
