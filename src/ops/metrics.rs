//! Counters in the OpenMetrics form. Labels are configured names and codes, never anything from an event.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::process::OwnProcess;
use crate::model::ids::PartyId;
use crate::model::outcome::OutcomeCounts;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MessageLabel {
    recipient: String,
    topic: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartitionLabel {
    partition: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FeedLabel {
    feed: String,
    partition: i32,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEnd {
    /// All of it is visible.
    Committed,
    /// Nothing of it is visible, and it is done again.
    Aborted,
    /// Another instance has our name.
    Fenced,
    /// The log refuses us.
    Denied,
    /// The log cannot be used.
    Failed,
}

impl TransactionEnd {
    /// Its code, in metrics and traces.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Fenced => "fenced",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }
}

/// What became of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanEnd {
    /// The collector took them.
    Sent,
    /// The collector did not.
    Lost,
    /// More waited to be sent than may.
    Dropped,
}

/// How everything flows, for the page: what the counters say, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// What became of each feed's records since its register began, and how many are waiting, where that is known.
    pub feeds: BTreeMap<String, (OutcomeCounts, Option<u64>)>,
    /// Partitions of this instance, and whether they are worked on.
    pub partitions: BTreeMap<i32, bool>,
    /// Alerts and list entries by recipient, since the start.
    pub messages: BTreeMap<String, (u64, u64)>,
    /// Disclosures held by reason, since the start.
    pub held: BTreeMap<&'static str, u64>,
    /// Serial of the agreement in use.
    pub agreement_serial: u32,
    /// Is everything held?
    pub is_held: bool,
    /// Turns that the log failed, since the start.
    pub log_failures: u64,
}

/// All counters of the daemon.
pub struct Metrics {
    flow: Mutex<Flow>,
    registry: Registry,
    events: Family<OutcomeLabel, Counter>,
    ignored_fields: Counter,
    dropped_identifiers: Counter,
    forwarded: Counter,
    messages: Family<MessageLabel, Counter>,
    held: Family<ReasonLabel, Counter>,
    transactions: Family<OutcomeLabel, Counter>,
    commit_seconds: Histogram,
    log_failures: Counter,
    lag: Family<FeedLabel, Gauge>,
    partition_ready: Family<PartitionLabel, Gauge>,
    restore_ratio: Family<PartitionLabel, Gauge<f64, AtomicU64>>,
    agreement_serial: Gauge,
    agreement_held: Gauge,
    spans: Family<OutcomeLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut whole = Registry::default();
        whole.register_collector(Box::new(OwnProcess));
        let registry = whole.sub_registry_with_prefix("priorityd");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "Which priorityd this is", build);
        let (events, messages, held) = (Family::default(), Family::default(), Family::default());
        let (ignored_fields, dropped_identifiers) = (Counter::default(), Counter::default());
        let (transactions, log_failures) = (Family::default(), Counter::default());
        // From half a millisecond, doubled, to longer than a transaction may take.
        let commit_seconds = Histogram::new(exponential_buckets(0.0005, 2.0, 18));
        let (lag, partition_ready, restore_ratio) = (Family::default(), Family::default(), Family::default());
        registry.register("events", "Feed records read, by their one outcome", Family::clone(&events));
        registry.register("ignored_fields", "Unknown fields ignored in accepted events", ignored_fields.clone());
        let help = "Identifiers dropped for a failed check letter or form";
        registry.register("dropped_identifiers", help, dropped_identifiers.clone());
        let forwarded = Counter::default();
        let help = "Feed records that came in another partition than their scope's, and were sent on (Kafka)";
        registry.register("forwarded", help, forwarded.clone());
        registry.register(
            "messages",
            "Messages committed, ends of list entries included, by recipient and topic",
            Family::clone(&messages),
        );
        registry.register("held", "Disclosures held, by reason", Family::clone(&held));
        registry.register("transactions", "Transactions, by how they ended", Family::clone(&transactions));
        registry.register_with_unit(
            "commit",
            "How long commits took, whatever came of them",
            Unit::Seconds,
            commit_seconds.clone(),
        );
        let help = "Turns that the log failed: polls, restores and transactions";
        registry.register("log_failures", help, log_failures.clone());
        let help = "Records of a feed's partition that are there and not yet committed (Kafka)";
        registry.register("lag_records", help, Family::clone(&lag));
        let help = "Partitions of this instance: 1 when it works on it, 0 while its register is being restored";
        registry.register("partition_ready", help, Family::clone(&partition_ready));
        let help = "How much of a partition's changelog was read when it was last restored (Kafka)";
        registry.register("restore_ratio", help, Family::clone(&restore_ratio));
        let (agreement_serial, agreement_held) = (Gauge::default(), Gauge::default());
        registry.register("agreement_serial", "Serial of the agreement in use", agreement_serial.clone());
        let help = "1 while everything is held: the agreement is not signed, not in force or older than the register's";
        registry.register("agreement_held", help, agreement_held.clone());
        let spans = Family::default();
        let help = "Spans of traces, by what became of them: sent, lost with a request that failed, dropped unsent";
        registry.register("trace_spans", help, Family::clone(&spans));
        Self {
            flow: Mutex::default(),
            registry: whole,
            events,
            ignored_fields,
            dropped_identifiers,
            forwarded,
            messages,
            held,
            transactions,
            commit_seconds,
            log_failures,
            lag,
            partition_ready,
            restore_ratio,
            agreement_serial,
            agreement_held,
            spans,
        }
    }
}

impl Metrics {
    /// Counts one committed batch.
    pub fn batch(&self, outcomes: OutcomeCounts, ignored_fields: u64, dropped_identifiers: u64) {
        let OutcomeCounts { read: _, accepted, rejected, duplicate, superseded } = outcomes;
        let by_outcome =
            [("accepted", accepted), ("rejected", rejected), ("duplicate", duplicate), ("superseded", superseded)];
        for (outcome, count) in by_outcome {
            self.events.get_or_create(&OutcomeLabel { outcome }).inc_by(count);
        }
        self.ignored_fields.inc_by(ignored_fields);
        self.dropped_identifiers.inc_by(dropped_identifiers);
    }

    /// Counts records that were sent on to their scope's partition.
    pub fn forwarded(&self, records: u64) {
        self.forwarded.inc_by(records);
    }

    /// Counts one transaction and how long its commit took.
    pub fn transaction(&self, end: TransactionEnd, took: Duration) {
        self.transactions.get_or_create(&OutcomeLabel { outcome: end.code() }).inc();
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// How far behind each feed's partition is; what is not named any more is forgotten.
    pub fn lag<'a>(&self, lags: impl Iterator<Item = (&'a PartyId, i32, u64)>) {
        self.lag.clear();
        let mut flow = self.flow_now();
        flow.feeds.values_mut().for_each(|(_, waiting)| *waiting = None);
        for (feed, partition, records) in lags {
            *flow.feeds.entry(feed.to_string()).or_default().1.get_or_insert(0) += records;
            let label = FeedLabel { feed: feed.to_string(), partition };
            self.lag.get_or_create(&label).set(i64::try_from(records).unwrap_or(i64::MAX));
        }
    }

    /// Which partitions are ours, and whether they are worked on.
    pub fn partitions(&self, partitions: impl Iterator<Item = (i32, bool)>) {
        self.partition_ready.clear();
        let mut flow = self.flow_now();
        flow.partitions.clear();
        for (partition, is_ready) in partitions {
            flow.partitions.insert(partition, is_ready);
            self.partition_ready.get_or_create(&PartitionLabel { partition }).set(i64::from(is_ready));
        }
    }

    /// How much of a partition's changelog is read.
    pub fn restoring(&self, partition: i32, ratio: f64) {
        self.restore_ratio.get_or_create(&PartitionLabel { partition }).set(ratio);
    }

    /// What became of each feed's records since its register began.
    pub fn feeds<'a>(&self, feeds: impl Iterator<Item = (&'a PartyId, OutcomeCounts)>) {
        let mut flow = self.flow_now();
        flow.feeds.values_mut().for_each(|(counts, _)| *counts = OutcomeCounts::default());
        for (feed, counts) in feeds {
            flow.feeds.entry(feed.to_string()).or_default().0 += counts;
        }
    }

    /// How everything flows.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.flow_now().clone()
    }

    fn flow_now(&self) -> MutexGuard<'_, Flow> {
        self.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts messages to one recipient on one kind of topic.
    pub fn messages(&self, recipient: &PartyId, topic: &'static str, count: u64) {
        let mut flow = self.flow_now();
        let (alerts, entries) = flow.messages.entry(recipient.to_string()).or_default();
        *if topic == "list" { entries } else { alerts } += count;
        drop(flow);
        self.messages.get_or_create(&MessageLabel { recipient: recipient.to_string(), topic }).inc_by(count);
    }

    /// Counts what was held.
    pub fn held(&self, reason: &'static str, count: u64) {
        *self.flow_now().held.entry(reason).or_default() += count;
        self.held.get_or_create(&ReasonLabel { reason }).inc_by(count);
    }

    /// Tells which agreement is in use, and whether everything is held.
    pub fn agreement(&self, serial: u32, is_held: bool) {
        let mut flow = self.flow_now();
        (flow.agreement_serial, flow.is_held) = (serial, is_held);
        drop(flow);
        self.agreement_serial.set(i64::from(serial));
        self.agreement_held.set(i64::from(is_held));
    }

    /// Counts a failure of the log.
    pub fn log_failure(&self) {
        self.flow_now().log_failures += 1;
        self.log_failures.inc();
    }

    /// Counts spans.
    pub fn spans(&self, end: SpanEnd, count: usize) {
        let outcome = match end {
            SpanEnd::Sent => "sent",
            SpanEnd::Lost => "lost",
            SpanEnd::Dropped => "dropped",
        };
        self.spans.get_or_create(&OutcomeLabel { outcome }).inc_by(count as u64);
    }

    /// Feed records processed and committed since the start.
    #[must_use]
    pub fn events_read(&self) -> u64 {
        let outcomes = ["accepted", "rejected", "duplicate", "superseded"];
        outcomes.into_iter().map(|outcome| self.events.get_or_create(&OutcomeLabel { outcome }).get()).sum()
    }

    /// Messages committed for a recipient on one kind of topic since the start.
    #[must_use]
    pub fn messages_sent(&self, recipient: &PartyId, topic: &'static str) -> u64 {
        self.messages.get_or_create(&MessageLabel { recipient: recipient.to_string(), topic }).get()
    }

    /// The whole in OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Families as the text declares them: name, type, and whether they have help.
    fn families(text: &str) -> BTreeMap<&str, (&str, bool)> {
        let mut families = BTreeMap::<&str, (&str, bool)>::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
            let mut words = line.splitn(3, ' ');
            match (words.next(), words.next(), words.next()) {
                (Some("HELP"), Some(name), Some(help)) => families.entry(name).or_default().1 = help.len() > 5,
                (Some("TYPE"), Some(name), Some(kind)) => families.entry(name).or_default().0 = kind,
                _ => {}
            }
        }
        families
    }

    #[test]
    fn names_keep_the_conventions() {
        let metrics = Metrics::default();
        metrics.batch(OutcomeCounts { read: 1, accepted: 1, ..OutcomeCounts::default() }, 1, 1);
        metrics.transaction(TransactionEnd::Committed, Duration::from_millis(3));
        let party: PartyId = "idva".parse().expect("a party");
        metrics.messages(&party, "alerts", 2);
        metrics.held("agreement_not_signed", 1);
        metrics.lag([(&party, 0, 3)].into_iter());
        metrics.partitions([(0, true)].into_iter());
        metrics.restoring(0, 0.5);
        metrics.spans(SpanEnd::Sent, 2);
        let text = metrics.text();
        let families = families(&text);
        assert!(families.len() > 15 && text.ends_with("# EOF\n"), "{text}");
        for (name, (kind, has_help)) in &families {
            assert!(*has_help && !kind.is_empty(), "{name}");
            assert!(name.starts_with("priorityd_") || name.starts_with("process_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            // Base units, and the suffix that says what kind it is stands at the samples alone.
            assert!(!name.ends_with("_total") && !name.contains("_ms") && !name.contains("_percent"), "{name}");
        }
        for sample in text.lines().filter(|line| !line.starts_with('#')) {
            let name = sample.split(['{', ' ']).next().unwrap_or_default();
            let is_counter = name.strip_suffix("_total").is_some_and(|name| families[name].0 == "counter");
            assert_eq!(is_counter, name.ends_with("_total") || families.get(name).is_some_and(|it| it.0 == "counter"));
        }
        for line in [
            "# TYPE priorityd_commit_seconds histogram",
            "# UNIT priorityd_commit_seconds seconds",
            concat!("priorityd_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "priorityd_events_total{outcome=\"accepted\"} 1",
        ] {
            assert!(text.lines().any(|candidate| candidate == line), "{line} is not in {text}");
        }
        let sample = |name: &str| -> f64 {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
        };
        assert!(sample("process_resident_memory_bytes") > 1e6 && sample("process_open_fds") >= 3.0);
        assert!(sample("process_cpu_seconds_total") >= 0.0 && sample("process_threads") >= 1.0);
    }
}
