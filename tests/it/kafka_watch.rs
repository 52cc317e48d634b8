//! What an operator sees of a daemon on a real broker, over HTTP: readiness with its reason, and the metrics.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use priorityd::log::kafka::{KafkaClient, KafkaLog};
use priorityd::log::{Lag, Log, Transaction};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::broker::Broker;
use crate::conformance::{feeds, party, positions, publish, ready, take};
use crate::kafka::Cluster;
use crate::support::deployed::{Deployed, PATIENCE};
use crate::support::events::events;

/// A deployment with a broker of its own and its topics made.
struct Site {
    broker: Arc<Broker>,
    house: Deployed,
    listen: String,
}

impl Site {
    fn new() -> Self {
        let broker = Broker::own();
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address");
        let listen = free.to_string();
        let bootstrap = broker.bootstrap();
        let section = format!("[kafka]\nbootstrap = \"{bootstrap}\"\npartitions = 1\nreplicas = 1\n");
        let house = Deployed::with(&[
            ("log = ", "log = \"kafka\""),
            ("# [kafka]", &section),
            ("listen", &format!("listen = \"{listen}\"")),
        ]);
        let ran = house.run(&["topics", "apply"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        Self { broker, house, listen }
    }

    /// Status and body; nothing while nobody listens.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.listen).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    fn wait_for(&self, path: &str, status: u16, body: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while !last.as_ref().is_some_and(|(found, text): &(u16, String)| *found == status && text.contains(body)) {
            assert!(Instant::now() < deadline, "{path}: {last:?}, but: {status} {body}: {}", self.house.log());
            last = self.get(path);
        }
    }

    fn publish(&self, event: &str) {
        self.house.publish_all(&events(&[event]));
    }

    fn producer(&self, transactional_id: &str) -> BaseProducer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.broker.bootstrap());
        config.set("transactional.id", transactional_id).set("transaction.timeout.ms", "5000");
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(PATIENCE).expect("initialises");
        producer
    }
}

#[test]
fn readiness_and_metrics_follow_the_daemon_through_its_days() {
    let site = Site::new();
    let daemon = site.house.start();
    site.wait_for("/readyz", 200, "ready");
    site.publish("i1 police.incident 2025-03-01 victim=sarah perpetrator=dean");
    for line in [
        "priorityd_events_total{outcome=\"accepted\"} 1",
        "priorityd_transactions_total{outcome=\"committed\"} ",
        "priorityd_commit_seconds_count ",
        "priorityd_lag_records{feed=\"police\",partition=\"0\"} 0",
        "priorityd_partition_ready{partition=\"0\"} 1",
        "priorityd_restore_ratio{partition=\"0\"} 1.0",
    ] {
        site.wait_for("/metrics", 200, line);
    }
    let healthy = site.house.run(&["healthcheck"]);
    assert_eq!(healthy.code, 0, "{healthy:?}");

    // The broker goes away while nothing is to be done, and comes back.
    site.broker.kill();
    site.wait_for("/readyz", 503, "cut off from the broker");
    assert_eq!(site.get("/livez").map(|(status, _)| status), Some(200), "being cut off is no reason to be killed");
    let ill = site.house.run(&["healthcheck"]);
    assert!(ill.code == 69 && ill.err.contains("cut off from the broker"), "{ill:?}");
    site.broker.launch();
    site.wait_for("/readyz", 200, "ready");
    site.publish("i2 police.incident 2025-03-02 victim=sarah perpetrator=dean");
    site.wait_for("/metrics", 200, "priorityd_events_total{outcome=\"accepted\"} 2");

    // Somebody takes its name, of both its producers: at its next commit it hears of it, says so, and leaves.
    let heir = ["priorityd-1", "priorityd-1/2"].map(|name| site.producer(name));
    site.publish("i3 police.incident 2025-03-03 victim=sarah perpetrator=dean");
    site.wait_for("/readyz", 503, "fenced: another instance has taken over");
    site.wait_for("/livez", 503, "fenced");
    site.wait_for("/metrics", 200, "priorityd_transactions_total{outcome=\"fenced\"} 1");
    // It is on its way out already; told to stop, it says its last words no longer.
    assert_eq!(daemon.terminate().code(), Some(69), "{}", site.house.log());
    drop(heir);

    // One that was killed left a transaction open in the changelog: until it is decided, the heir restores.
    let dead = site.producer("the-dead");
    dead.begin_transaction().expect("begins");
    dead.send(BaseRecord::to("register.v1").key("k").payload("v").partition(0))
        .map_err(|(error, _)| error)
        .expect("sends");
    dead.flush(PATIENCE).expect("delivers");
    let daemon = site.house.start();
    site.wait_for("/readyz", 503, "restoring the register");
    site.wait_for("/metrics", 200, "priorityd_partition_ready{partition=\"0\"} 0");
    site.wait_for("/metrics", 200, "priorityd_restore_ratio{partition=\"0\"} 0.0");
    site.wait_for("/readyz", 200, "ready");
    site.wait_for("/metrics", 200, "priorityd_restore_ratio{partition=\"0\"} 1.0");
    site.wait_for("/metrics", 200, "priorityd_events_total{outcome=\"accepted\"} 1");
    assert_eq!(daemon.terminate().code(), Some(0), "{}", site.house.log());
}

/// A broker that is there but says nothing any more, as behind a network that drops everything.
#[test]
fn a_silent_broker_counts_as_gone() {
    let site = Site::new();
    let daemon = site.house.start();
    site.wait_for("/readyz", 200, "ready");
    site.broker.signal("-STOP");
    site.wait_for("/readyz", 503, "cut off from the broker");
    site.broker.signal("-CONT");
    site.wait_for("/readyz", 200, "ready");
    assert_eq!(daemon.terminate().code(), Some(0), "{}", site.house.log());
}

#[test]
fn lag_is_what_is_not_committed_yet() {
    let cluster = Cluster::new();
    let mut client = KafkaClient::new(cluster.settings("client"));
    publish(&mut client, "a", &["1", "2", "3"]);
    let mut log = KafkaLog::open(cluster.settings("one"), feeds()).expect("opens");
    ready(&mut log);
    let mut records = take(&mut log, 3, 3);
    let wait_for = |log: &mut KafkaLog, expected: u64| {
        let expected = Lag { feed: party("a"), partition: 0, records: expected };
        let deadline = Instant::now() + PATIENCE;
        while !log.standing().lag.contains(&expected) {
            assert!(Instant::now() < deadline, "{:?}, but: {expected:?}", log.standing());
            assert!(log.poll(1, Duration::from_millis(50)).is_ok());
        }
        assert_eq!(log.standing().cut_off, None);
    };
    // The mark of the publisher's transaction is counted as long as something is before it.
    wait_for(&mut log, 4);
    let last = records.split_off(1);
    log.commit(Transaction { positions: positions(&records), ..Transaction::default() }).expect("commits");
    wait_for(&mut log, 3);
    log.commit(Transaction { positions: positions(&last), ..Transaction::default() }).expect("commits");
    wait_for(&mut log, 0);
}
