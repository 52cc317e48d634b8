//! The log on a real Kafka: the common promises, and what only a cluster can do to them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use priorityd::log::kafka::{KafkaClient, KafkaLog, KafkaSettings, REGISTER_TOPIC};
use priorityd::log::{Client, FeedRecord, Log, LogError, Polled, RegisterRow, TopicRecord, Transaction, feed_topic};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::broker::{Broker, Topic};
use crate::conformance::{
    self, ALERTS, House, LIST, all, feeds, output, party, positions, publish, ready, restored, take, values,
};

/// Topics and a group of our own on the shared broker.
pub(crate) struct Cluster {
    pub(crate) broker: Arc<Broker>,
    prefix: String,
}

impl Cluster {
    fn with_partitions(partitions: i32) -> Self {
        Self::on(Broker::shared(), partitions)
    }

    fn on(broker: Arc<Broker>, partitions: i32) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}.", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut names: Vec<_> = feeds().iter().map(|feed| (feed_topic(feed), [].as_slice())).collect();
        names.push((LIST.into(), &[("cleanup.policy", "compact")]));
        names.push((REGISTER_TOPIC.into(), &[("cleanup.policy", "compact")]));
        // Smaller than what the producer lets through, so that the broker refuses in the middle of a transaction.
        names.push((ALERTS.into(), &[("max.message.bytes", "2000000")]));
        let topic = |(name, settings)| Topic { name: format!("{prefix}{name}"), partitions, settings };
        broker.create(&names.into_iter().map(topic).collect::<Vec<_>>());
        Self { broker, prefix }
    }

    pub(crate) fn new() -> Self {
        Self::with_partitions(1)
    }

    pub(crate) fn settings(&self, instance: &str) -> KafkaSettings {
        settings(&self.broker.bootstrap(), &self.prefix, instance)
    }

    fn open(&self, instance: &str) -> KafkaLog {
        KafkaLog::open(self.settings(instance), feeds()).expect("opens")
    }

    fn open_client(&self) -> KafkaClient {
        KafkaClient::new(self.settings("client"))
    }
}

fn settings(bootstrap: &str, prefix: &str, instance: &str) -> KafkaSettings {
    let mut settings = KafkaSettings::new(bootstrap, &format!("{prefix}group"), instance);
    settings.topic_prefix = prefix.into();
    settings.session_timeout = Duration::from_millis(2_000);
    settings.transaction_timeout = Duration::from_secs(10);
    settings
}

impl House for Cluster {
    fn log(&self) -> Box<dyn Log> {
        Box::new(self.open("one"))
    }

    fn client(&self) -> Box<dyn Client> {
        Box::new(self.open_client())
    }

    fn poison(&self, transaction: &mut Transaction) {
        let value = Some(vec![0; 3_000_000]);
        transaction.outputs.push(TopicRecord { topic: ALERTS.into(), partition: 0, key: Vec::new(), value });
    }
}

#[test]
fn conforms() {
    conformance::suite(Cluster::new, || Cluster::with_partitions(3));
}

/// A daemon as the pipeline is one: it copies its feeds to a topic and the register, restoring as it has to.
struct Copier {
    log: KafkaLog,
    /// The register of each partition that is ours.
    state: BTreeMap<i32, BTreeSet<Vec<u8>>>,
    /// Ours, and to be restored.
    stale: BTreeSet<i32>,
}

impl Copier {
    fn new(log: KafkaLog) -> Self {
        Self { log, state: BTreeMap::new(), stale: BTreeSet::new() }
    }

    /// One turn: restore what has to be, poll, commit what it asks for.
    fn step(&mut self, wait: Duration) -> Result<(), LogError> {
        while let Some(&partition) = self.stale.first() {
            let mut rows = BTreeSet::new();
            self.log.restore(partition, &mut |key, _| {
                rows.insert(key.to_vec());
            })?;
            self.state.insert(partition, rows);
            self.stale.remove(&partition);
        }
        match self.log.poll(10, wait)? {
            Polled::Gained(partitions) => self.stale.extend(partitions),
            Polled::Lost(partitions) => self.state.retain(|partition, _| !partitions.contains(partition)),
            Polled::Records(records) if records.is_empty() => {}
            Polled::Records(records) => {
                if let Err(error) = self.log.commit(copied(&records)) {
                    self.stale.extend(self.state.keys());
                    return Err(error);
                }
                for record in &records {
                    let rows = self.state.get_mut(&record.partition).expect("records come of what is ours");
                    assert!(rows.insert(record.payload.to_vec()), "copied twice");
                }
            }
        }
        Ok(())
    }

    /// A turn in which only what cannot be gone on from is a failure.
    fn go_on(&mut self, wait: Duration) {
        match self.step(wait) {
            Ok(()) | Err(LogError::Retriable(_) | LogError::Aborted(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Goes on until `done`.
    fn run(&mut self, mut done: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "it does not come about");
            self.go_on(Duration::from_millis(100));
        }
    }

    fn owned(&self) -> BTreeSet<i32> {
        self.state.keys().copied().collect()
    }

    fn rows(&self) -> usize {
        self.state.values().map(BTreeSet::len).sum()
    }
}

const PATIENCE: Duration = Duration::from_secs(120);

/// What copying these records commits: each to the topic and to the register of its partition.
fn copied(records: &[FeedRecord]) -> Transaction {
    let outputs = records.iter().map(|record| TopicRecord {
        topic: ALERTS.into(),
        partition: record.partition,
        key: Vec::new(),
        value: Some(record.payload.to_vec()),
    });
    let register = records.iter().map(|record| RegisterRow {
        partition: record.partition,
        key: record.payload.to_vec(),
        value: Some(b"x".to_vec()),
    });
    Transaction {
        outputs: outputs.collect(),
        register: register.collect(),
        positions: positions(records),
        ..Transaction::default()
    }
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:04}")).collect()
}

fn all_once(count: usize) -> Vec<Option<String>> {
    numbered(count).into_iter().map(Some).collect()
}

#[test]
fn the_open_transaction_of_a_dead_instance_is_never_seen() {
    let cluster = Cluster::new();
    let producer = |id: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", cluster.broker.bootstrap());
        config.set("transactional.id", id).set("transaction.timeout.ms", "3000");
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(PATIENCE).expect("initialises");
        producer.begin_transaction().expect("begins");
        producer
    };
    let send = |producer: &BaseProducer, topic: &str, key: &str| {
        let name = format!("{}{topic}", cluster.prefix);
        producer.send(BaseRecord::to(&name).key(key).payload(key)).map_err(|(error, _)| error).expect("sends");
        producer.flush(PATIENCE).expect("delivers");
    };
    // What an instance leaves behind that was killed before it could commit, and behind it what another committed.
    let dead = producer("the-dead");
    send(&dead, ALERTS, "never");
    send(&dead, REGISTER_TOPIC, "never");
    let living = producer("the-living");
    send(&living, REGISTER_TOPIC, "live");
    living.commit_transaction(PATIENCE).expect("commits");
    let mut client = cluster.open_client();
    assert!(all(&mut client, ALERTS).is_empty());
    // Restoring waits until the broker has given the open one up, and takes the other's row only.
    let mut log = cluster.open("heir");
    assert_eq!(ready(&mut log), BTreeMap::from([(b"live".to_vec(), b"live".to_vec())]));
    let outputs = vec![output(ALERTS, "", Some("seen"))];
    log.commit(Transaction { outputs, ..Transaction::default() }).expect("commit");
    assert_eq!(values(&all(&mut client, ALERTS)), [Some("seen".to_owned())]);
}

#[test]
fn whoever_takes_the_name_fences_the_one_before() {
    let cluster = Cluster::new();
    let mut client = cluster.open_client();
    publish(&mut client, "a", &numbered(3));
    let mut zombie = cluster.open("same");
    ready(&mut zombie);
    let records = take(&mut zombie, 3, 3);
    let mut heir = Copier::new(cluster.open("same"));
    assert!(matches!(zombie.commit(copied(&records)), Err(LogError::Fenced(why)) if why.contains("taken our name")));
    drop(zombie);
    heir.run(|heir| heir.rows() == 3);
    assert_eq!(values(&all(&mut client, ALERTS)), all_once(3));
}

#[test]
fn instances_share_the_partitions_and_move_their_state() {
    let cluster = Cluster::with_partitions(4);
    let mut client = cluster.open_client();
    let mut sent = 0;
    let mut send = |client: &mut KafkaClient, each: usize| {
        for scope in 0..12 {
            let texts: Vec<String> = (0..each).map(|number| format!("{:06}", sent + number)).collect();
            let name = format!("scope{scope}").parse().expect("a valid name");
            let feed = if scope % 2 == 0 { "a" } else { "b" };
            client.publish(&party(feed), &name, conformance::payloads(&texts)).expect("publish");
            sent += each;
        }
        sent
    };
    let total = send(&mut client, 5);
    let mut one = Copier::new(cluster.open("one"));
    one.run(|one| one.rows() == total);
    assert_eq!(one.owned(), BTreeSet::from([0, 1, 2, 3]));
    let before = one.state.clone();
    // A second one joins and takes over half of it, with what the first made of it.
    let mut two = Copier::new(cluster.open("two"));
    let deadline = Instant::now() + PATIENCE;
    while one.owned().len() != 2 || two.owned().len() != 2 {
        assert!(Instant::now() < deadline, "they do not share");
        one.go_on(Duration::from_millis(50));
        two.go_on(Duration::from_millis(50));
    }
    assert!(one.owned().is_disjoint(&two.owned()));
    assert!(one.state.iter().chain(&two.state).all(|(partition, rows)| before[partition] == *rows));
    let total = send(&mut client, 5);
    while one.rows() + two.rows() < total {
        assert!(Instant::now() < deadline, "they do not go on");
        one.go_on(Duration::from_millis(50));
        two.go_on(Duration::from_millis(50));
    }
    // One leaves, and the other has everything.
    let left = two.state.clone();
    drop(two);
    one.run(|one| one.owned().len() == 4);
    assert_eq!(one.rows(), total);
    assert!(left.iter().all(|(partition, rows)| one.state[partition] == *rows));
    let mut published = BTreeSet::new();
    for partition in 0..4 {
        let records = client.read(ALERTS, partition, 0, 10_000, PATIENCE).expect("read");
        for value in values(&records) {
            assert!(published.insert(value.expect("no tombstones")), "published twice");
        }
    }
    assert_eq!(published.len(), total);
}

/// Runs this test binary again as another instance that does `role`.
fn child(cluster: &Cluster, role: &str, instance: &str) -> Child {
    Command::new(std::env::current_exe().expect("our own path"))
        .args(["--exact", "kafka::child_process", "--nocapture"])
        .env("KAFKA_CHILD", [role, &cluster.broker.bootstrap(), &cluster.prefix, instance].join(" "))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts")
}

/// The other instance; as a test of its own it does nothing.
#[test]
fn child_process() {
    let Ok(told) = std::env::var("KAFKA_CHILD") else { return };
    let [role, bootstrap, prefix, instance] = told.split(' ').collect::<Vec<_>>()[..] else { panic!("four words") };
    let mut log = KafkaLog::open(settings(bootstrap, prefix, instance), feeds()).expect("opens");
    if role == "copy" {
        Copier::new(log).run(|_| false);
        return;
    }
    ready(&mut log);
    let records = take(&mut log, 5, 5);
    // On standard error nobody listens, and the harness writes to standard output as well: hence the mark.
    let mut out = std::io::stdout();
    writeln!(out, "\n> polled").expect("the parent listens");
    std::io::stdin().read_line(&mut String::new()).expect("the parent speaks");
    let outcome = if log.commit(copied(&records)).is_ok() { "committed" } else { "refused" };
    writeln!(out, "\n> {outcome}").expect("the parent listens");
}

fn next_word(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> String {
    let said = lines.map(|line| line.expect("text")).find_map(|line| line.strip_prefix("> ").map(str::to_owned));
    said.expect("the child says something")
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn a_zombie_paused_across_a_rebalance_is_refused() {
    let cluster = Cluster::new();
    let mut client = cluster.open_client();
    publish(&mut client, "a", &numbered(5));
    let mut zombie = child(&cluster, "hold", "zombie");
    let mut lines = BufReader::new(zombie.stdout.take().expect("piped")).lines();
    assert_eq!(next_word(&mut lines), "polled");
    signal(&zombie, "-STOP");
    // Without a sign of life from it, the group gives its partition to another.
    let mut heir = Copier::new(cluster.open("heir"));
    heir.run(|heir| heir.rows() == 5);
    signal(&zombie, "-CONT");
    // Meanwhile the zombie's own threads hear that it was thrown out, and forget its generation.
    for _ in 0..20 {
        heir.go_on(Duration::from_millis(100));
    }
    writeln!(zombie.stdin.take().expect("piped"), "go on").expect("it listens");
    assert_eq!(next_word(&mut lines), "refused");
    zombie.wait().expect("ends");
    assert_eq!(values(&all(&mut client, ALERTS)), all_once(5));
    heir.go_on(Duration::ZERO);
    assert_eq!(heir.rows(), 5);
}

#[test]
fn killed_instances_lose_nothing_and_repeat_nothing() {
    let cluster = Cluster::new();
    let mut client = cluster.open_client();
    publish(&mut client, "a", &numbered(1_000));
    let mut seen = 0;
    for kill in 1..=5_usize {
        // By turns one of the same name and one of another, whose predecessor's transaction nobody ends for it.
        let mut instance = child(&cluster, "copy", ["odd", "even", "even"][kill % 3]);
        let target = kill * 70;
        while seen < target {
            seen = all(&mut client, ALERTS).len();
        }
        instance.kill().expect("kills");
        instance.wait().expect("ends");
    }
    let mut last = Copier::new(cluster.open("last"));
    last.run(|last| last.rows() == 1_000);
    assert_eq!(values(&all(&mut client, ALERTS)), all_once(1_000));
    assert_eq!(restored(&mut last.log).len(), 1_000);
}

#[test]
fn a_broker_that_is_killed_and_comes_back_is_gone_on_with() {
    let cluster = Cluster::on(Broker::own(), 1);
    let mut client = cluster.open_client();
    publish(&mut client, "a", &numbered(600));
    let mut settings = cluster.settings("one");
    // The broker ends what was open for longer and fences whoever was about to commit it; it is not away for so long.
    settings.transaction_timeout = Duration::from_secs(60);
    let mut copier = Copier::new(KafkaLog::open(settings, feeds()).expect("opens"));
    copier.run(|copier| copier.rows() >= 150);
    // In the middle of a transaction or between two.
    let broker = cluster.broker.clone();
    let outage = std::thread::spawn(move || {
        broker.kill();
        broker.launch();
    });
    while !outage.is_finished() {
        copier.go_on(Duration::from_millis(100));
    }
    outage.join().expect("it comes back");
    copier.run(|copier| copier.rows() == 600);
    assert_eq!(values(&all(&mut cluster.open_client(), ALERTS)), all_once(600));
}

#[test]
fn what_is_missing_is_said() {
    let broker = Broker::shared();
    let opened = KafkaLog::open(settings(&broker.bootstrap(), "nowhere.", "one"), feeds());
    let mut log = opened.expect("opens");
    let deadline = Instant::now() + PATIENCE;
    let why = loop {
        assert!(Instant::now() < deadline);
        match log.poll(1, Duration::from_millis(100)) {
            Err(LogError::Fatal(why)) => break why,
            other => assert!(other.is_ok()),
        }
    };
    assert!(why.contains("apply the topics"), "{why}");
    let mut away = settings("127.0.0.1:1", "", "one");
    away.call_timeout = Duration::from_secs(1);
    assert!(
        matches!(KafkaLog::open(away, feeds()), Err(LogError::Retriable(why)) if why.contains("no broker answers"))
    );
}
