//! Clocks, and what they let go.

use super::*;

/// A log whose clock the test sets. Feeds are kept for 100 ms.
struct Clocked {
    house: Embedded,
    now_ms: Arc<AtomicI64>,
    settings: EmbeddedSettings,
}

impl Clocked {
    /// All else is kept for so many milliseconds.
    fn new(kept_ms: u64) -> Self {
        let now_ms = Arc::new(AtomicI64::new(0));
        let settings = settings(&now_ms, Duration::from_millis(100), Duration::from_millis(kept_ms));
        Self { house: Embedded::new(), now_ms, settings }
    }

    fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }

    fn client(&self) -> EmbeddedClient {
        let clock = self.settings.clock.clone();
        EmbeddedClient::open_with(&self.house.path(), TestKey::shared(1), clock).expect("opens")
    }

    /// A daemon's side, restored.
    fn log(&self) -> EmbeddedLog {
        let mut log = open_again(&self.house.path(), feeds(), &self.settings);
        ready(&mut log);
        log
    }

    /// The file behind everybody's back.
    fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.house.path()).expect("opens")
    }
}

#[test]
fn what_is_no_longer_needed_is_swept() {
    let house = Clocked::new(1_000);
    let (mut client, mut log) = (house.client(), house.log());
    publish(&mut client, "a", &["1", "2", "3"]);
    let records = take(&mut log, 2, 2);
    let versions = [("k", Some("v1")), ("k", Some("v2")), ("gone", Some("x")), ("gone", None), ("l", Some("w1"))];
    let outputs = versions.iter().map(|(key, value)| output(LIST, key, *value)).collect();
    log.commit(Transaction { outputs, positions: positions(&records), ..Transaction::default() }).expect("commit");
    let kept_feed_records = || -> i64 {
        let raw = house.raw();
        raw.query_row("SELECT count(*) FROM feed_records", [], |found| found.get(0)).expect("counts")
    };
    let mut commit_at = |at_ms: i64| {
        house.set(at_ms);
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
    let house = Clocked::new(1_000);
    let (mut client, mut log) = (house.client(), house.log());
    publish(&mut client, "a", &["1", "2"]);
    publish(&mut client, "b", &["3"]);
    let records = take(&mut log, 3, 3);
    let mut said_at = |at_ms: i64, alerts: &[&str], positions: Vec<Position>| {
        house.set(at_ms);
        let outputs = alerts.iter().map(|text| output(ALERTS, "", Some(text))).collect();
        log.commit(Transaction { outputs, positions, ..Transaction::default() }).expect("commit");
    };
    said_at(1, &["old", "older"], positions(&records));
    said_at(500, &["new"], Vec::new());
    let raw = house.raw();
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
    let house = Clocked::new(1_000);
    let mut log = house.log();
    let topics: Vec<_> = (0..30).map(|number| format!("alerts.service{number}.v1")).collect();
    let outputs = topics.iter().map(|topic| output(topic, "", Some("old"))).collect();
    log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
    house.set(1_001);
    for _ in &topics {
        log.commit(Transaction::default()).expect("commit");
    }
    for topic in topics {
        assert!(all(&mut house.client(), &topic).is_empty(), "{topic}");
    }
}

#[test]
fn what_was_appended_under_a_clock_that_ran_ahead_goes_with_what_came_after() {
    let house = Clocked::new(100);
    let (mut client, mut log) = (house.client(), house.log());
    let kept = || -> [i64; 2] {
        let raw = house.raw();
        ["feed_records", "topic_records"]
            .map(|table| raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("counts"))
    };
    // More than a commit sweeps, then as many again under the right clock.
    for at_ms in [1_000_000, 1_000] {
        house.set(at_ms);
        publish(&mut client, "a", &["event"; 3_000]);
        let records = take(&mut log, 3_000, 3_000);
        let outputs = (0..3_000).map(|_| output(ALERTS, "", Some("alert"))).collect();
        log.commit(Transaction { outputs, positions: positions(&records), ..Transaction::default() }).expect("commit");
    }
    assert_eq!(kept(), [6_000, 6_000]);
    house.set(1_101);
    for _ in 0..4 {
        log.commit(Transaction::default()).expect("commit");
    }
    assert_eq!(kept(), [0, 0]);
}

#[test]
fn a_clock_that_went_back_lets_no_ended_entry_stand_again() {
    let house = Clocked::new(1_000);
    // By half a second, and by three years.
    for ahead_ms in [500, 100_000_000_000] {
        let mut said = Vec::new();
        let told = [(0, Some("v1")), (ahead_ms, Some("v2")), (100, None)];
        let later = [1_200, 1_501, ahead_ms + 1_001, ahead_ms + 2_100].map(|at_ms| (at_ms, None));
        for (step, (at_ms, version)) in told.into_iter().chain(later).enumerate() {
            house.set(at_ms);
            let mut log = house.log();
            let outputs = if step < told.len() { vec![output(LIST, "k", version)] } else { Vec::new() };
            log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
            said = values(&all(&mut house.client(), LIST));
            let last = said.last().cloned().flatten();
            assert!(step < told.len() || last.is_none(), "at {at_ms} {last:?} stands again");
        }
        assert!(said.is_empty(), "and in the end all of it goes");
    }
}

#[test]
fn what_stands_is_kept_whatever_a_damaged_row_says_of_it() {
    let house = Clocked::new(1_000);
    let mut log = house.log();
    let outputs = vec![output(LIST, "k", Some("v1")), output(LIST, "l", Some("w1")), output(LIST, "k", Some("v2"))];
    log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
    let raw = house.raw();
    assert_eq!(raw.execute("UPDATE superseded SET place = place + 1", []).expect("flips"), 1);
    house.set(1_001);
    log.commit(Transaction::default()).expect("commit");
    let left = values(&all(&mut house.client(), LIST));
    assert_eq!(left, [Some("v1".into()), Some("w1".into()), Some("v2".into())]);
}

#[test]
fn what_was_superseded_before_a_restart_or_after_it_is_swept() {
    let house = Clocked::new(1_000);
    let restarted_at = |at_ms: i64, versions: &[(&str, Option<&str>)]| {
        house.set(at_ms);
        let mut log = house.log();
        let outputs = versions.iter().map(|(key, value)| output(LIST, key, *value)).collect();
        log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
        values(&all(&mut house.client(), LIST))
    };
    let some = |values: &[&str]| -> Vec<_> { values.iter().map(|value| Some((*value).to_owned())).collect() };
    restarted_at(0, &[("k", Some("v1")), ("gone", Some("x")), ("back", None), ("l", Some("w1"))]);
    restarted_at(1, &[("k", Some("v2")), ("gone", None)]);
    restarted_at(2, &[("k", Some("v3")), ("back", Some("y"))]);
    assert_eq!(restarted_at(1_002, &[]), some(&["w1", "v2", "v3", "y"]));
    assert_eq!(restarted_at(1_003, &[("k", Some("v4"))]), some(&["w1", "v3", "y", "v4"]));
    assert_eq!(restarted_at(2_004, &[("gone", Some("new"))]), some(&["w1", "y", "v4", "new"]));
}
