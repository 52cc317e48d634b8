//! TLS, SCRAM and certificates against a real broker: what is right gets through, what is wrong is said at once.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use priorityd::log::kafka::{
    ClientCertificate, KafkaAccess, KafkaClient, KafkaLog, KafkaSettings, Scram, ScramMechanism, Tls,
};
use priorityd::log::{Client, Log, LogError, Transaction};

use crate::conformance::{ALERTS, all, feeds, output, positions, publish, ready, take, values};
use crate::kafka::Cluster;

fn tls(cluster: &Cluster, authority: &str, certified: bool) -> Tls {
    let client = certified.then(|| ClientCertificate {
        certificate_file: cluster.broker.file("daemon.crt"),
        key_file: cluster.broker.file("daemon.key"),
        key_password_file: None,
    });
    Tls { ca_file: Some(cluster.broker.file(authority)), client }
}

fn with_scram(cluster: &Cluster, authority: &str, username: &str, password: &str) -> KafkaSettings {
    let mut settings = cluster.settings("secure");
    settings.bootstrap = cluster.broker.scram_bootstrap();
    settings.tls = Some(tls(cluster, authority, false));
    let password_file: PathBuf = cluster.broker.file(password);
    settings.scram = Some(Scram { mechanism: ScramMechanism::Sha512, username: username.into(), password_file });
    settings
}

fn with_certificate(cluster: &Cluster, certified: bool) -> KafkaSettings {
    let mut settings = cluster.settings("secure");
    settings.bootstrap = cluster.broker.mutual_bootstrap();
    settings.tls = Some(tls(cluster, "ca.pem", certified));
    settings
}

#[test]
fn the_right_credentials_get_through() {
    let settings = [
        |cluster: &Cluster| with_scram(cluster, "ca.pem", "daemon", "password"),
        |cluster: &Cluster| {
            let mut settings = with_scram(cluster, "ca.pem", "daemon", "password");
            settings.scram.as_mut().expect("it was given above").mechanism = ScramMechanism::Sha256;
            settings
        },
        |cluster: &Cluster| with_certificate(cluster, true),
    ];
    for settings in settings {
        let cluster = Cluster::new();
        // The way in for access lists is another than for the rest.
        KafkaAccess::open(&settings(&cluster)).and_then(|mut lists| lists.describe()).expect("they are shown");
        let mut client = KafkaClient::new(settings(&cluster));
        publish(&mut client, "a", &["1"]);
        let mut log = KafkaLog::open(settings(&cluster), feeds()).expect("opens");
        ready(&mut log);
        let records = take(&mut log, 1, 1);
        let outputs = vec![output(ALERTS, "", Some("x"))];
        log.commit(Transaction { outputs, positions: positions(&records), ..Transaction::default() }).expect("commit");
        assert_eq!(values(&all(&mut client, ALERTS)), [Some("x".to_owned())]);
    }
}

#[test]
fn two_publishers_of_one_party_do_not_fence_each_other() {
    let cluster = Cluster::new();
    let mut clients = [(); 2].map(|()| KafkaClient::new(cluster.settings("same")));
    let mut expected = Vec::new();
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            let text = format!("{round}-{number}");
            publish(client, "a", &[&text]);
            expected.push(text);
        }
    }
    let mut log = KafkaLog::open(cluster.settings("one"), feeds()).expect("opens");
    ready(&mut log);
    let records = take(&mut log, expected.len(), expected.len());
    let found: Vec<_> = records.iter().map(|record| String::from_utf8_lossy(&record.payload).into_owned()).collect();
    assert_eq!(found, expected);
}

/// How a refusal is told: that we may not, which is for the credentials' owner, or that no trust was established.
#[derive(Debug, PartialEq)]
enum Told {
    Denied,
    NoTrust,
}

fn told<T>(outcome: Result<T, LogError>) -> (Told, String) {
    match outcome {
        Err(LogError::Denied(why)) => (Told::Denied, why),
        Err(LogError::Fatal(why)) => (Told::NoTrust, why),
        Err(error) => panic!("not final: {error}"),
        Ok(_) => panic!("it got through"),
    }
}

#[test]
fn the_wrong_ones_are_told_apart_at_once() {
    let cluster = Cluster::new();
    let cases = [
        (with_scram(&cluster, "other-ca.pem", "daemon", "password"), Told::NoTrust, "TLS failed"),
        (with_scram(&cluster, "ca.pem", "daemon", "wrong-password"), Told::Denied, "refused our credentials"),
        (with_scram(&cluster, "ca.pem", "nobody", "password"), Told::Denied, "refused our credentials"),
        (
            with_scram(&cluster, "ca.pem", "stranger", "password"),
            Told::Denied,
            "ACL for the transactional id is missing",
        ),
        (with_certificate(&cluster, false), Told::NoTrust, "TLS failed"),
    ];
    for (settings, kind, expected) in cases {
        let begun = Instant::now();
        let (found, why) = told(KafkaLog::open(settings.clone(), feeds()));
        assert!(found == kind && why.contains(expected), "{found:?} {why}, but: {expected}");
        assert!(begun.elapsed() < settings.call_timeout / 2, "it was tried again and again: {expected}");
        if !expected.contains("ACL") {
            let (found, why) = told(KafkaAccess::open(&settings));
            assert!(found == kind && why.contains(expected), "{found:?} {why}, but: {expected}");
        }
        let (found, why) = told(KafkaClient::new(settings).read(ALERTS, 0, 0, 1, Duration::ZERO));
        let expected = if expected.contains("ACL") { "ACL for a topic is missing" } else { expected };
        assert!(found == kind && why.contains(expected), "{found:?} {why}, but: {expected}");
    }
}
