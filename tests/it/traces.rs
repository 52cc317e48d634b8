//! What leaves as traces, by the eyes of a collector that decodes OTLP with OpenTelemetry's own definitions; and a daemon whose
//! collector is slow or not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use priorityd::ops::telemetry::FIELDS;
use priorityd::ops::traces::SPANS;
use serde_json::Value;

use crate::support::deployed::{Deployed, PATIENCE, priorityd};
use crate::support::events::events;
use crate::support::hub::text;

/// A collector that keeps what it gets, in files of its own.
pub(crate) struct Collector {
    child: Child,
    port: u16,
    file: PathBuf,
}

impl Collector {
    /// Keeps spans in this file, and every byte in one of the same name with `.raw` after it.
    pub(crate) fn keeping(file: PathBuf) -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").join("tests");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/collector.py");
        let mut command = Command::new(target.join("venv/bin/python"));
        command.arg(script).arg(&file).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("tests/setup was run");
        let mut port = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut port).expect("it says where it listens");
        Self { child, port: port.trim().parse().expect("a port"), file }
    }

    /// The section of the configuration that sends traces here.
    pub(crate) fn section(&self) -> String {
        section(self.port)
    }

    fn spans(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("a span a line")).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Its work may be over already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn section(port: u16) -> String {
    format!("[telemetry]\notlp_endpoint = \"http://127.0.0.1:{port}\"")
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").to_string()
}

fn named<'a>(spans: &'a [Value], name: &str) -> Vec<&'a Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

#[test]
fn a_collector_sees_batches_with_their_steps_and_what_else_the_daemon_does() {
    let (dir, listen) = (tempfile::tempdir().expect("a temporary directory"), free_address());
    let collector = Collector::keeping(dir.path().join("spans"));
    let mut house = Deployed::with(&[
        ("listen", &format!("listen = \"{listen}\"")),
        ("log_level", "log_level = \"error\""),
        ("# [telemetry]", &collector.section()),
    ]);
    // As the exporter's crates read it.
    house.set_variable("OTEL_BSP_SCHEDULE_DELAY", "50".to_owned());
    house.set_variable("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=trial".to_owned());
    let mut daemon = house.start();
    house.publish_all(&events(&["k1 idva.caseload_entry 2024-01-02 victim=sarah"]));
    house.publish("police", &["{}"]);
    house.wait_for(&mut daemon, 2);
    for path in ["/", "/review/Quxzvyxofja?Quxzvyxofja=1", "/Quxzvyxofja", "/livez", "/metrics"] {
        get(&listen, path);
    }
    let rotated = house.keys(&["rotate", "linkage", "--scope", "portsmouth"]);
    assert_eq!((rotated.code, rotated.err.as_str()), (0, ""));
    daemon.hang_up();
    house.wait_for_audit(&mut daemon, "destroyed_epoch");
    let agreement = house.path("agreement.toml");
    let newer = fs::read_to_string(&agreement).expect("text").replacen("serial = 1", "serial = 2", 1);
    fs::write(&agreement, newer).expect("written");
    let signer = house.path("signers/ig_lead.jwk.json").display().to_string();
    let signed = priorityd(&["agreement", "sign", &agreement.display().to_string(), "--key", &signer]);
    assert_eq!(signed.code, 0, "{}", signed.err);
    daemon.hang_up();
    house.wait_for_audit(&mut daemon, "\"serial\":2");
    assert_eq!(daemon.terminate().code(), Some(0));

    // All was sent before the daemon ended.
    let spans = collector.spans();
    let ids: BTreeMap<&str, &Value> = spans.iter().map(|span| (text(&span["id"]), span)).collect();
    for span in &spans {
        assert_eq!((&span["events"], &span["links"], text(&span["message"])), (&0.into(), &0.into(), ""), "{span}");
        assert_eq!(span["scope"], "priorityd", "{span}");
        for (name, value) in span["attributes"].as_object().expect("attributes") {
            assert!(FIELDS.iter().any(|(listed, _)| listed == name) && !value.is_null(), "{name} of {span}");
        }
        let resource = &span["resource"];
        assert_eq!(
            (text(&resource["service.name"]), text(&resource["deployment.environment.name"])),
            ("priorityd", "trial")
        );
        assert!(span["from"].as_u64() <= span["to"].as_u64(), "{span}");
        // A child is of the same trace, and does not begin before its parent.
        if let Some(parent) = ids.get(text(&span["parent"])) {
            assert_eq!(span["trace"], parent["trace"], "{span}");
            assert!(parent["from"].as_u64() <= span["from"].as_u64(), "{span} in {parent}");
        } else {
            assert_eq!(text(&span["parent"]), "", "whose part is {span}");
        }
    }
    let names: BTreeSet<&str> = spans.iter().map(|span| text(&span["name"])).collect();
    let pages = ["GET /", "GET /review/{id}"];
    let expected: BTreeSet<_> = SPANS.iter().copied().filter(|name| *name != "http_request").chain(pages).collect();
    assert_eq!(names, expected);

    let children = |of: &Value| -> BTreeSet<&str> {
        let of = spans.iter().filter(|span| span["parent"] == of["id"]);
        of.map(|span| text(&span["name"])).collect()
    };
    let batches = named(&spans, "batch");
    let sum = |spans: &[&Value], name: &str| -> i64 {
        spans.iter().map(|span| span["attributes"][name].as_i64().unwrap_or_default()).sum()
    };
    assert_eq!((sum(&batches, "records"), sum(&named(&spans, "poll"), "records")), (2, 2));
    for batch in &batches {
        assert_eq!(
            (text(&batch["parent"]), children(batch)),
            ("", ["commit", "poll", "process", "read"].into()),
            "{batch}"
        );
    }
    let processed = named(&spans, "process");
    assert_eq!((sum(&processed, "accepted"), sum(&processed, "rejected")), (1, 1));
    for commit in named(&spans, "commit") {
        let parent = ids.get(text(&commit["parent"])).map(|parent| text(&parent["name"]));
        assert!(matches!(parent, Some("batch" | "new_day" | "rekey")), "{commit}");
        assert_eq!(commit["attributes"], serde_json::json!({"outcome": "committed"}));
    }
    assert!(children(named(&spans, "rekey")[0]).contains("commit"));
    assert_eq!(named(&spans, "reload_agreement")[0]["attributes"]["serial"], 2);
    assert_eq!(named(&spans, "restore")[0]["attributes"]["partition"], 0);
    let page = named(&spans, "GET /review/{id}")[0];
    assert_eq!((text(&page["kind"]), text(&page["attributes"]["http.route"])), ("SPAN_KIND_SERVER", "/review/{id}"));
    assert!(page["attributes"]["http.response.status_code"].as_i64().is_some_and(|status| status >= 200), "{page}");
    let raw = fs::read(dir.path().join("spans.raw")).expect("read");
    assert!(!raw.windows(4).any(|bytes| bytes == b"Quxz"), "what was asked for shows");
}

/// What `/metrics` says of spans that had this end.
fn counted(listen: &str, outcome: &str) -> u64 {
    let line = format!("priorityd_trace_spans_total{{outcome=\"{outcome}\"}} ");
    let answer = get(listen, "/metrics");
    answer.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or_default()
}

/// The daemon works, says once that traces are lost, counts them, and ends in time.
fn works_without(port: u16) {
    let listen = free_address();
    let mut house = Deployed::with(&[("listen", &format!("listen = \"{listen}\"")), ("# [telemetry]", &section(port))]);
    house.set_variable("OTEL_BSP_SCHEDULE_DELAY", "20".to_owned());
    let mut daemon = house.start();
    for number in 0..5 {
        house.publish_all(&events(&[&format!("i{number} police.incident 2025-03-01 victim=sarah perpetrator=dean")]));
        house.wait_for(&mut daemon, number + 1);
    }
    let deadline = Instant::now() + PATIENCE;
    while counted(&listen, "lost") < 4 {
        assert!(daemon.is_alive() && Instant::now() < deadline, "{}", house.log());
    }
    assert_eq!(counted(&listen, "sent"), 0);
    let begun = Instant::now();
    assert_eq!(daemon.terminate().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(20), "it waited {:?} for its collector", begun.elapsed());
    assert_eq!(house.log().matches("traces are lost").count(), 1, "{}", house.log());
}

#[test]
fn a_daemon_works_without_its_collector() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    works_without(free.port());
}

#[test]
fn a_daemon_works_beside_a_collector_that_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    works_without(silent.local_addr().expect("it has one").port());
}
