//! What every log promises, asked of each of them: the same questions run on memory, embedded and Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use priorityd::log::{
    Client, FeedRecord, Log, LogError, Polled, Position, RegisterRow, Rewrite, StoredRecord, TopicReader, TopicRecord,
    Transaction, Unsent,
};
use priorityd::model::ids::{PartyId, ScopeId};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zeroize::Zeroizing;

/// A log under test: what outlives the daemons and clients opened on it. Starts empty, with feeds `a` and `b` and the
/// topics `alerts.up2u.v1` and `list.up2u.v1`.
pub(crate) trait House {
    /// Starts a daemon; the one before was dropped.
    fn log(&self) -> Box<dyn Log>;
    /// Starts a client.
    fn client(&self) -> Box<dyn Client>;
    /// Adds something to a transaction that its commit must refuse.
    fn poison(&self, transaction: &mut Transaction);
}

pub(crate) const ALERTS: &str = "alerts.up2u.v1";
pub(crate) const LIST: &str = "list.up2u.v1";
const PATIENCE: Duration = Duration::from_secs(120);
const WAIT: Duration = Duration::from_millis(200);

pub(crate) fn party(name: &str) -> PartyId {
    name.parse().expect("a valid name")
}

pub(crate) fn feeds() -> Vec<PartyId> {
    vec![party("a"), party("b")]
}

pub(crate) fn scope() -> ScopeId {
    "portsmouth".parse().expect("a valid name")
}

pub(crate) fn payloads<T: AsRef<[u8]>>(texts: &[T]) -> Vec<Zeroizing<Vec<u8>>> {
    texts.iter().map(|text| Zeroizing::new(text.as_ref().to_vec())).collect()
}

pub(crate) fn publish<T: AsRef<[u8]>>(client: &mut dyn Client, feed: &str, texts: &[T]) {
    client.publish(&party(feed), &scope(), payloads(texts)).expect("publish");
}

pub(crate) fn output(topic: &str, key: &str, value: Option<&str>) -> TopicRecord {
    let value = value.map(|text| text.as_bytes().to_vec());
    TopicRecord { topic: topic.into(), partition: 0, key: key.into(), value }
}

pub(crate) fn row(key: &str, value: Option<&str>) -> RegisterRow {
    RegisterRow { partition: 0, key: key.into(), value: value.map(|text| text.as_bytes().to_vec()) }
}

/// The positions after `records`.
pub(crate) fn positions(records: &[FeedRecord]) -> Vec<Position> {
    let mut after = BTreeMap::new();
    for record in records {
        after.insert((record.feed.clone(), record.partition), record.offset + 1);
    }
    after.into_iter().map(|((feed, partition), next_offset)| Position { feed, partition, next_offset }).collect()
}

/// The register as restored.
pub(crate) fn restored(log: &mut dyn Log) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut rows = Vec::new();
    log.restore(0, &mut |key, value| rows.push((key.to_vec(), value.to_vec()))).expect("restore");
    assert!(
        rows.is_sorted_by_key(|(key, _)| key.first().copied()),
        "rows come in the order of their keys' first bytes"
    );
    let (handed, rows) = (rows.len(), BTreeMap::from_iter(rows));
    assert_eq!(rows.len(), handed, "each once");
    rows
}

/// Polls until the partition is there, and restores it.
pub(crate) fn ready(log: &mut dyn Log) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match log.poll(1, WAIT).expect("poll") {
            Polled::Gained(partitions) if partitions == [0] => return restored(log),
            Polled::Records(records) if records.is_empty() => assert!(Instant::now() < deadline, "no partition came"),
            Polled::Gained(_) | Polled::Lost(_) | Polled::Records(_) => panic!("a log begins with its partition"),
        }
    }
}

/// Polls until `count` records came, `portion` at most at a time.
pub(crate) fn take(log: &mut dyn Log, count: usize, portion: usize) -> Vec<FeedRecord> {
    let deadline = Instant::now() + PATIENCE;
    let mut taken = Vec::new();
    while taken.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} records came", taken.len());
        match log.poll(portion.min(count - taken.len()), WAIT).expect("poll") {
            Polled::Records(records) => {
                assert!(records.len() <= portion);
                taken.extend(records);
            }
            Polled::Gained(_) | Polled::Lost(_) => panic!("the partition stays"),
        }
    }
    taken
}

pub(crate) fn nothing_more(log: &mut dyn Log) {
    assert!(matches!(log.poll(10, WAIT), Ok(Polled::Records(records)) if records.is_empty()));
}

/// Everything a topic holds.
pub(crate) fn all(client: &mut dyn Client, topic: &str) -> Vec<StoredRecord> {
    let mut records: Vec<StoredRecord> = Vec::new();
    loop {
        let from_offset = records.last().map_or(0, |record| record.offset + 1);
        let more = client.read(topic, 0, from_offset, 7, WAIT).expect("read");
        if more.is_empty() {
            return records;
        }
        assert!(more.len() <= 7);
        records.extend(more);
    }
}

pub(crate) fn values(records: &[StoredRecord]) -> Vec<Option<String>> {
    let text = |value: &Vec<u8>| String::from_utf8(value.clone()).expect("text");
    records.iter().map(|record| record.value.as_ref().map(text)).collect()
}

fn texts(records: &[FeedRecord], feed: &str) -> Vec<String> {
    let mine = records.iter().filter(|record| record.feed == party(feed));
    mine.map(|record| String::from_utf8(record.payload.to_vec()).expect("text")).collect()
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number}")).collect()
}

/// Asks everything, each question of a fresh log; `wide` makes one with as many partitions as this log can have.
pub(crate) fn suite<H: House>(fresh: impl Fn() -> H, wide: impl Fn() -> H) {
    order_and_headers(&fresh());
    resumes_where_it_committed(&fresh());
    redelivers_what_was_not_committed(&fresh());
    a_refused_transaction_leaves_no_trace(&fresh());
    restores_what_was_committed(&fresh());
    tombstones_and_versions(&fresh());
    large_records(&fresh());
    what_is_there_needs_no_wait(&fresh());
    a_rewritten_record_takes_its_place(&fresh());
    the_register_can_be_looked_at(&fresh());
    restoring_comes_first(&fresh());
    a_topic_is_read_whole(&wide());
    a_scope_stays_in_its_partition(&wide());
}

/// Polls until every partition is there, and restores them.
fn ready_with_all(log: &mut dyn Log) -> Vec<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "no partition came");
        if let Polled::Gained(partitions) = log.poll(1, WAIT).expect("poll") {
            partitions.iter().for_each(|partition| log.restore(*partition, &mut |_, _| {}).expect("restore"));
            return partitions;
        }
    }
}

/// Every partition, in their order, each to its end; what comes later is handed over then, and nothing twice.
fn a_topic_is_read_whole(house: &impl House) {
    let mut client = house.client();
    let mut log = house.log();
    let partitions = ready_with_all(log.as_mut());
    assert_eq!(client.partitions(ALERTS).expect("it is there"), partitions.len());
    let mut commit = |partitions: &[i32], count: usize| {
        let place = |number| partitions[number % partitions.len()];
        let outputs =
            (0..count).map(|number| TopicRecord { partition: place(number), ..output(ALERTS, "", Some("x")) });
        log.commit(Transaction { outputs: outputs.collect(), ..Transaction::default() }).expect("commit");
    };
    // Whoever waits for a transaction may see it partition by partition.
    let read = |client: &mut dyn Client, reader: &mut TopicReader, at_least: usize| {
        let (mut places, deadline) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            let each = |record: StoredRecord| {
                places.push((record.partition, record.offset));
                Ok::<_, LogError>(())
            };
            reader.read(client, WAIT, each).expect("read");
            if places.len() >= at_least {
                return places;
            }
            assert!(Instant::now() < deadline, "{} of {at_least} records came", places.len());
        }
    };
    let mut reader = TopicReader::new(ALERTS);
    assert!(read(client.as_mut(), &mut reader, 0).is_empty());
    // More than one portion, so that a partition's end is not that of its first read.
    commit(&partitions, 1_300);
    let mut places = read(client.as_mut(), &mut reader, 1_300);
    assert!(read(client.as_mut(), &mut reader, 0).is_empty());
    for partition in partitions.iter().rev() {
        commit(&[*partition], 1);
        let later = read(client.as_mut(), &mut reader, 1);
        assert!(later.len() == 1 && later[0].0 == *partition && !places.contains(&later[0]));
        places.extend(later);
    }
    // Somebody who comes now sees the same, partition by partition, each in its order.
    let whole = read(house.client().as_mut(), &mut TopicReader::new(ALERTS), places.len());
    assert!(whole.is_sorted_by(|one, next| one < next));
    places.sort_unstable();
    assert_eq!(whole, places);
}

/// The scope is the key: its events meet in one partition, of every feed the same, and scopes spread.
fn a_scope_stays_in_its_partition(house: &impl House) {
    let mut client = house.client();
    let scopes = ["portsmouth", "southampton", "gosport", "fareham", "havant", "eastleigh"];
    for feed in feeds() {
        for name in scopes {
            let scope: ScopeId = name.parse().expect("a valid name");
            for _ in 0..2 {
                client.publish(&feed, &scope, payloads(&[name])).expect("publish");
            }
        }
    }
    let mut log = house.log();
    let partitions = ready_with_all(log.as_mut());
    let mut places: BTreeMap<Vec<u8>, BTreeSet<i32>> = BTreeMap::new();
    for record in take(log.as_mut(), 2 * 2 * scopes.len(), 100) {
        places.entry(record.payload.to_vec()).or_default().insert(record.partition);
    }
    assert!(places.len() == scopes.len() && places.values().all(|places| places.len() == 1));
    let used: BTreeSet<_> = places.values().flatten().collect();
    assert!(partitions.len() == 1 || used.len() > 1, "scopes spread");
}

/// A reader that does not want to wait for more still gets what is there, from a client that has only just connected.
fn what_is_there_needs_no_wait(house: &impl House) {
    publish(house.client().as_mut(), "a", &["a0"]);
    let mut log = house.log();
    ready(log.as_mut());
    let records = take(log.as_mut(), 1, 10);
    let outputs = vec![output(ALERTS, "k", Some("one")), output(ALERTS, "k", Some("two"))];
    log.commit(Transaction { outputs, register: Vec::new(), positions: positions(&records), ..Transaction::default() })
        .expect("commit");
    let waited = values(&all(house.client().as_mut(), ALERTS));
    let mut client = house.client();
    let at_once = client.read(ALERTS, 0, 0, 10, Duration::ZERO).expect("read");
    assert_eq!(values(&at_once), waited);
    let after = at_once.last().map_or(0, |record| record.offset + 1);
    let started = Instant::now();
    assert!(client.read(ALERTS, 0, after, 10, Duration::ZERO).expect("read").is_empty());
    assert!(started.elapsed() < PATIENCE, "the end is known and not waited for");
}

/// What an erasure takes out of a record is gone for whoever reads the key's last record; other records stay as they are.
fn a_rewritten_record_takes_its_place(house: &impl House) {
    publish(house.client().as_mut(), "a", &["a0"]);
    let mut log = house.log();
    ready(log.as_mut());
    let records = take(log.as_mut(), 1, 10);
    let outputs = vec![output(ALERTS, "1", Some("of somebody")), output(ALERTS, "2", Some("of another"))];
    log.commit(Transaction { outputs, positions: positions(&records), ..Transaction::default() }).expect("commit");
    let mut client = house.client();
    let before = all(client.as_mut(), ALERTS);
    let rewrite = Rewrite { offset: before[0].offset, record: output(ALERTS, "1", Some("of nobody")) };
    log.commit(Transaction { rewrites: vec![rewrite], ..Transaction::default() }).expect("commit");
    let last: BTreeMap<_, _> = all(house.client().as_mut(), ALERTS).into_iter().map(|it| (it.key, it.value)).collect();
    let text = |text: &str| Some(text.as_bytes().to_vec());
    let expected = [(b"1".to_vec(), text("of nobody")), (b"2".to_vec(), text("of another"))];
    assert_eq!(last, BTreeMap::from(expected));
}

/// Whoever looks something up sees the rows that a daemon would restore, while one runs.
fn the_register_can_be_looked_at(house: &impl House) {
    publish(house.client().as_mut(), "a", &["a0"]);
    let mut log = house.log();
    ready(log.as_mut());
    let records = take(log.as_mut(), 1, 10);
    let register = vec![row("one", Some("1")), row("two", Some("2"))];
    log.commit(Transaction { register, positions: positions(&records), ..Transaction::default() }).expect("commit");
    log.commit(Transaction { register: vec![row("one", None)], ..Transaction::default() }).expect("commit");
    let mut rows = BTreeMap::new();
    let mut client = house.client();
    client.register(0, &mut |key, value| drop(rows.insert(key.to_vec(), value.to_vec()))).expect("read");
    assert_eq!(rows, BTreeMap::from([(b"two".to_vec(), b"2".to_vec())]));
}

fn order_and_headers(house: &impl House) {
    let mut client = house.client();
    publish(client.as_mut(), "a", &numbered("a", 20));
    publish(client.as_mut(), "b", &numbered("b", 3));
    let headers = vec![("ce_id".to_owned(), b"1".to_vec()), ("ce_type".to_owned(), b"t".to_vec())];
    let with_headers = Unsent { scope: scope(), headers: headers.clone(), payload: Zeroizing::new(b"b3".to_vec()) };
    client.append(&party("b"), vec![with_headers]).expect("publish");
    let mut log = house.log();
    assert!(ready(log.as_mut()).is_empty());
    let records = take(log.as_mut(), 24, 5);
    assert_eq!(texts(&records, "a"), numbered("a", 20));
    assert_eq!(texts(&records, "b"), numbered("b", 4));
    for feed in feeds() {
        let offsets = records.iter().filter(|record| record.feed == feed).map(|record| record.offset);
        assert!(offsets.clone().is_sorted_by(|one, next| one < next), "offsets rise");
    }
    let plain = |record: &&FeedRecord| record.payload.as_slice() != b"b3";
    let content_type = vec![("content-type".to_owned(), b"application/cloudevents+json".to_vec())];
    assert!(records.iter().filter(plain).all(|record| record.headers == content_type));
    assert!(records.iter().any(|record| !plain(&record) && record.headers == headers));
    nothing_more(log.as_mut());
}

fn resumes_where_it_committed(house: &impl House) {
    let mut client = house.client();
    publish(client.as_mut(), "a", &numbered("a", 50));
    publish(client.as_mut(), "b", &numbered("b", 50));
    let mut log = house.log();
    ready(log.as_mut());
    let mut seen = Vec::new();
    while seen.len() < 60 {
        let records = take(log.as_mut(), 10, 7);
        let outputs = records.iter().map(|record| TopicRecord {
            topic: ALERTS.into(),
            partition: 0,
            key: Vec::new(),
            value: Some(record.payload.to_vec()),
        });
        let transaction = Transaction {
            outputs: outputs.collect(),
            register: Vec::new(),
            positions: positions(&records),
            ..Transaction::default()
        };
        log.commit(transaction).expect("commit");
        seen.extend(records);
    }
    drop(log);
    // More arrives while no daemon runs.
    publish(client.as_mut(), "a", &["late"]);
    let mut log = house.log();
    ready(log.as_mut());
    seen.extend(take(log.as_mut(), 41, 100));
    nothing_more(log.as_mut());
    let mut expected = numbered("a", 50);
    expected.push("late".into());
    assert_eq!(texts(&seen, "a"), expected);
    assert_eq!(texts(&seen, "b"), numbered("b", 50));
    let published = values(&all(client.as_mut(), ALERTS));
    let first_60: Vec<_> = seen[..60].iter().map(|record| String::from_utf8(record.payload.to_vec()).ok()).collect();
    assert_eq!(published, first_60);
}

fn redelivers_what_was_not_committed(house: &impl House) {
    let mut client = house.client();
    publish(client.as_mut(), "a", &numbered("a", 10));
    let mut log = house.log();
    ready(log.as_mut());
    assert_eq!(take(log.as_mut(), 10, 10).len(), 10);
    drop(log);
    let mut log = house.log();
    ready(log.as_mut());
    assert_eq!(texts(&take(log.as_mut(), 10, 10), "a"), numbered("a", 10));
    // Restoring rewinds a running one, too.
    restored(log.as_mut());
    assert_eq!(texts(&take(log.as_mut(), 10, 10), "a"), numbered("a", 10));
}

fn a_refused_transaction_leaves_no_trace(house: &impl House) {
    let mut client = house.client();
    publish(client.as_mut(), "a", &numbered("a", 4));
    let mut log = house.log();
    ready(log.as_mut());
    let records = take(log.as_mut(), 2, 2);
    let transaction = Transaction {
        outputs: vec![output(ALERTS, "", Some("one")), output(LIST, "k", Some("v1"))],
        register: vec![row("r1", Some("x"))],
        positions: positions(&records),
        ..Transaction::default()
    };
    let mut refused = transaction.clone();
    house.poison(&mut refused);
    assert!(log.commit(refused).is_err());
    assert!(all(client.as_mut(), ALERTS).is_empty() && all(client.as_mut(), LIST).is_empty());
    assert!(restored(log.as_mut()).is_empty());
    assert_eq!(texts(&take(log.as_mut(), 2, 2), "a"), numbered("a", 2));
    log.commit(transaction).expect("the same without the poison");
    assert_eq!(values(&all(client.as_mut(), ALERTS)), [Some("one".to_owned())]);
    assert_eq!(values(&all(client.as_mut(), LIST)), [Some("v1".to_owned())]);
    assert_eq!(restored(log.as_mut()), BTreeMap::from([(b"r1".to_vec(), b"x".to_vec())]));
    assert_eq!(texts(&take(log.as_mut(), 2, 2), "a"), ["a2", "a3"]);
}

fn restores_what_was_committed(house: &impl House) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut model = BTreeMap::new();
    let mut log = house.log();
    ready(log.as_mut());
    for _ in 0..20 {
        let mut transaction = Transaction::default();
        for _ in 0..random.random_range(0..40) {
            let key = format!("key{:02}", random.random_range(0..60)).into_bytes();
            let value: Option<Vec<u8>> =
                random.random_bool(0.7).then(|| (0..random.random_range(0..300)).map(|_| random.random()).collect());
            match &value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(&key),
            };
            transaction.register.push(RegisterRow { partition: 0, key, value });
        }
        log.commit(transaction).expect("commit");
    }
    assert!(restored(log.as_mut()) == model);
    drop(log);
    assert!(ready(house.log().as_mut()) == model);
}

fn tombstones_and_versions(house: &impl House) {
    let mut client = house.client();
    let mut log = house.log();
    ready(log.as_mut());
    for (key, value) in [("k", Some("v1")), ("l", Some("w1")), ("k", Some("v2")), ("k", None)] {
        let outputs = vec![output(LIST, key, value)];
        log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
    }
    let records = all(client.as_mut(), LIST);
    let mut latest = BTreeMap::new();
    for record in &records {
        latest.insert(record.key.clone(), record.value.clone());
    }
    assert!(latest == BTreeMap::from([(b"k".to_vec(), None), (b"l".to_vec(), Some(b"w1".to_vec()))]));
    assert!(records.is_sorted_by(|one, next| one.offset < next.offset));
    let from_last = client.read(LIST, 0, records[records.len() - 1].offset, 10, WAIT).expect("read");
    assert!(from_last.len() == 1 && from_last[0].value.is_none());
    assert!(client.read(LIST, 0, records[records.len() - 1].offset + 1, 10, WAIT).expect("read").is_empty());
}

fn large_records(house: &impl House) {
    let mut client = house.client();
    let large: Vec<u8> = (0..10_u32 << 20).map(|at| u8::try_from(at % 251).expect("below 251")).collect();
    let small = b"small".to_vec();
    publish(client.as_mut(), "a", &[&large, &small, &large, &large, &large]);
    let mut log = house.log();
    ready(log.as_mut());
    let records = take(log.as_mut(), 5, 5);
    for (record, expected) in records.iter().zip([&large, &small, &large, &large, &large]) {
        assert!(record.payload.as_slice() == expected.as_slice());
    }
    let value = Some(large[..1 << 19].to_vec());
    let outputs = vec![TopicRecord { topic: ALERTS.into(), partition: 0, key: Vec::new(), value: value.clone() }];
    log.commit(Transaction { outputs, positions: positions(&records), ..Transaction::default() }).expect("commit");
    assert!(all(client.as_mut(), ALERTS)[0].value == value);
    let too_large = vec![Zeroizing::new(vec![0; priorityd::log::MAX_RECORD_BYTES + 1])];
    assert!(matches!(client.publish(&party("a"), &scope(), too_large), Err(LogError::Fatal(_))));
}

fn restoring_comes_first(house: &impl House) {
    let mut log = house.log();
    let deadline = Instant::now() + PATIENCE;
    while !matches!(log.poll(1, WAIT).expect("poll"), Polled::Gained(_)) {
        assert!(Instant::now() < deadline);
    }
    assert!(matches!(log.poll(1, WAIT), Err(LogError::Aborted(_))));
    assert!(matches!(log.commit(Transaction::default()), Err(LogError::Aborted(_))));
    restored(log.as_mut());
    log.commit(Transaction::default()).expect("an empty transaction");
    nothing_more(log.as_mut());
}
