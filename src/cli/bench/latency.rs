//! From the event's publication to the moment its alert can be read. Which event caused which alert the audit knows: an
//! alert's line names its evidence, and all lines of one transaction carry one time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use crate::audit::AuditRecord;
use crate::cli::deployment::Deployment;
use crate::cli::failure::{Failure, Kind};
use crate::log::{Client, LogError, topic_name};
use crate::model::ids::{PartyId, ScopeId};
use crate::pipeline::AUDIT_TOPIC;
use crate::pseudonymise::Pseudonymiser;

/// How long it took, over all alerts of the steady part.
#[derive(Debug, Serialize)]
pub(super) struct Latencies {
    pub(super) alerts: usize,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

/// Records asked for in one read.
const READ: usize = 1_000;

/// When each alert could be read, by message.
type Read = BTreeMap<Vec<u8>, Instant>;

/// A reader per recipient, each on a thread of its own.
pub(super) struct Readers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Result<Read, LogError>>>,
}

impl Readers {
    /// Starts reading at the end of every recipient's alerts.
    pub(super) fn start(
        recipients: &[PartyId],
        client: impl Fn() -> Result<Box<dyn Client>, Failure>,
    ) -> Result<Self, Failure> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for recipient in recipients {
            let (topic, mut client, stop) = (topic_name("alerts", recipient), client()?, Arc::clone(&stop));
            let mut offset = 0;
            read_on(client.as_mut(), &topic, &mut offset, Duration::ZERO, &mut |_, _| ())?;
            let read = move || {
                let mut read = Read::new();
                // Once more after the word, for what was committed before it.
                loop {
                    let last = stop.load(Ordering::Relaxed);
                    let wait = Duration::from_millis(50);
                    read_on(client.as_mut(), &topic, &mut offset, wait, &mut |key, _| {
                        read.insert(key, Instant::now());
                    })?;
                    if last {
                        return Ok(read);
                    }
                }
            };
            threads.push(std::thread::Builder::new().name("reader".to_owned()).spawn(read)?);
        }
        Ok(Self { stop, threads })
    }

    /// Ends the reading; what was read when.
    pub(super) fn finish(self) -> Result<Read, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Read::new();
        for thread in self.threads {
            let read = thread.join().map_err(|_| Failure::new(Kind::Bug, "a reader ended by a fault of ours"))?;
            all.extend(read?);
        }
        Ok(all)
    }
}

/// Matches alerts with the events that caused them.
pub(super) fn match_up(
    deployment: &Deployment,
    scope: &ScopeId,
    published: &BTreeMap<(String, String), Instant>,
    read: &Read,
    mut client: Box<dyn Client>,
) -> Result<Latencies, Failure> {
    let key = deployment.keys.linkage(scope).expect("the deployment serves the scope");
    let hash = Pseudonymiser::new(key);
    let published: BTreeMap<String, Instant> =
        published.iter().map(|((source, id), at)| (hash.event_id(source, id).to_string(), *at)).collect();
    // Which transaction took an event in, known by its time; lines of what it brought about follow in the same.
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut latencies = Vec::new();
    read_on(client.as_mut(), AUDIT_TOPIC, &mut 0, Duration::ZERO, &mut |_, line| {
        let Ok(AuditRecord { at, body, .. }) = AuditRecord::read(&line) else { return };
        if let Some(event) = body["event"].as_str() {
            taken.insert(event.to_owned(), at.clone());
        }
        let Some(read) = body["message"].as_str().and_then(|message| read.get(message.as_bytes())) else { return };
        let evidence = body["evidence"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let causes = evidence.filter(|event| taken.get(*event).is_some_and(|taken| *taken == at));
        if let Some(cause) = causes.filter_map(|event| published.get(event)).min() {
            latencies.push(read.saturating_duration_since(*cause));
        }
    })?;
    latencies.sort_unstable();
    let at = |share: f64| {
        let place = (latencies.len() as f64 * share).ceil() as usize;
        latencies.get(place.saturating_sub(1)).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    };
    Ok(Latencies { alerts: latencies.len(), p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) })
}

/// Hands on every record of a topic from `offset` to its end, and leaves `offset` there.
fn read_on(
    client: &mut dyn Client,
    topic: &str,
    offset: &mut i64,
    wait: Duration,
    each: &mut dyn FnMut(Vec<u8>, Vec<u8>),
) -> Result<(), LogError> {
    let mut wait = wait;
    loop {
        let records = client.read(topic, 0, *offset, READ, wait)?;
        let Some(last) = records.last() else { return Ok(()) };
        *offset = last.offset + 1;
        wait = Duration::ZERO;
        for record in records {
            each(record.key, record.value.unwrap_or_default());
        }
    }
}
