//! The files of `deploy/`: each passes the validator of its own format, and every metric that a rule or a dashboard asks for
//! is one that the daemon has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use priorityd::model::outcome::OutcomeCounts;
use priorityd::ops::metrics::{Metrics, SpanEnd, TransactionEnd};
use serde_json::Value;

use crate::support::deployed::Deployed;
use crate::support::events::{event, party};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_file_passes_the_validator_of_its_format() {
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let python = repository(&target).join("tests/venv/bin/python");
    let checked = Command::new(python).arg(repository("tests/deploy/check.py")).output().expect("tests/setup makes it");
    let (out, err) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{out}{err}");
    assert_eq!(out.matches(" is in order").count(), 7, "{out}");
}

/// What an address answers to one question.
fn get(address: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The names under which a metric of a type is asked for.
fn series(name: &str, kind: &str) -> Vec<String> {
    match kind {
        "counter" => vec![format!("{name}_total")],
        "histogram" => ["bucket", "sum", "count"].map(|part| format!("{name}_{part}")).to_vec(),
        _ => vec![name.to_owned()],
    }
}

/// Names of ours in an expression.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.split(|letter| !is_part(letter)).filter(|word| word.starts_with("priorityd_")).map(str::to_owned).collect()
}

#[test]
fn every_metric_that_is_asked_for_is_there() {
    let free = || TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let (listen, metrics) = (free().to_string(), free().to_string());
    let house = Deployed::with(&[
        ("listen", &format!("listen = \"{listen}\"")),
        ("# metrics_listen", &format!("metrics_listen = \"{metrics}\"")),
    ]);
    house.publish_all(&[event("k1 idva.caseload_entry 2024-01-02 victim=sarah")]);
    let mut daemon = house.start();
    house.wait_for_log(&mut daemon, "restored the register");
    let mut told = get(&metrics, "/metrics");
    while told.is_err() {
        assert!(daemon.is_alive(), "{}", house.log());
        told = get(&metrics, "/metrics");
    }
    let told = told.expect("it answers");
    // Nothing else is to be had where others may ask.
    for path in ["/", "/livez", "/readyz", "/.well-known/jwks.json", "/performance", "/review"] {
        assert!(get(&metrics, path).expect("it answers").starts_with("HTTP/1.1 404"), "{path}");
    }
    assert!(get(&listen, "/metrics").expect("it answers").contains("# EOF"));
    assert!(told.contains("# TYPE priorityd_agreement_serial gauge"), "{told}");
    // A family of which nothing was counted yet is not printed, so one of each is counted here.
    let (all, police) = (Metrics::default(), party("police"));
    all.batch(OutcomeCounts { read: 1, accepted: 1, ..OutcomeCounts::default() }, 1, 1);
    all.transaction(TransactionEnd::Committed, Duration::from_millis(1));
    all.lag([(&police, 0, 1)].into_iter());
    all.partitions([(0, true)].into_iter());
    all.restoring(0, 1.0);
    all.messages(&police, "alerts", 1);
    all.held("cannot_be_sealed", 1);
    all.log_failure();
    all.spans(SpanEnd::Sent, 1);
    let told = all.text();
    let types = told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let there: BTreeSet<String> = types.flat_map(|(name, kind)| series(name, kind)).collect();
    assert!(there.len() > 15, "{told}");

    let read = |path: &str| fs::read_to_string(repository(path)).expect("read");
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/dashboards/priorityd.json")).expect("JSON");
    let mut asked: BTreeMap<String, &str> = BTreeMap::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let found = names(target["expr"].as_str().expect("an expression"));
            asked.extend(found.into_iter().map(|name| (name, "the dashboard")));
        }
    }
    for file in ["deploy/prometheus/alerts.yml", "deploy/prometheus/alerts.test.yml"] {
        asked.extend(names(&read(file)).into_iter().map(|name| (name, file)));
    }
    assert!(asked.len() > 10, "{asked:?}");
    for (name, by) in asked {
        assert!(there.contains(&name), "{by} asks for {name}, and the daemon has {there:?}");
    }
    assert_eq!(daemon.terminate().code(), Some(0));
}
