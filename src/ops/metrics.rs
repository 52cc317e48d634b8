//! Counters in the OpenMetrics form. Labels are configured names and codes, never anything from an event.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

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

/// All counters of the daemon.
pub struct Metrics {
    registry: Registry,
    events: Family<OutcomeLabel, Counter>,
    ignored_fields: Counter,
    dropped_identifiers: Counter,
    messages: Family<MessageLabel, Counter>,
    held: Family<ReasonLabel, Counter>,
    commits: Counter,
    aborts: Counter,
    agreement_serial: Gauge,
    agreement_held: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("priorityd");
        let (events, messages, held) = (Family::default(), Family::default(), Family::default());
        let (ignored_fields, dropped_identifiers) = (Counter::default(), Counter::default());
        let (commits, aborts) = (Counter::default(), Counter::default());
        registry.register("events", "Feed records read, by their one outcome", Family::clone(&events));
        registry.register("ignored_fields", "Unknown fields ignored in accepted events", ignored_fields.clone());
        let help = "Identifiers dropped for a failed check letter or form";
        registry.register("dropped_identifiers", help, dropped_identifiers.clone());
        registry.register("messages", "Messages committed, by recipient and topic", Family::clone(&messages));
        registry.register("held", "Disclosures held, by reason", Family::clone(&held));
        registry.register("commits", "Transactions committed", commits.clone());
        registry.register("aborts", "Transactions undone or polls failed", aborts.clone());
        let (agreement_serial, agreement_held) = (Gauge::default(), Gauge::default());
        registry.register("agreement_serial", "Serial of the agreement in use", agreement_serial.clone());
        let help = "1 while everything is held: the agreement is not signed, not in force or older than the register's";
        registry.register("agreement_held", help, agreement_held.clone());
        Self {
            registry,
            events,
            ignored_fields,
            dropped_identifiers,
            messages,
            held,
            commits,
            aborts,
            agreement_serial,
            agreement_held,
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
        self.commits.inc();
    }

    /// Counts messages to one recipient on one kind of topic.
    pub fn messages(&self, recipient: &PartyId, topic: &'static str, count: u64) {
        self.messages.get_or_create(&MessageLabel { recipient: recipient.to_string(), topic }).inc_by(count);
    }

    /// Counts what was held.
    pub fn held(&self, reason: &'static str, count: u64) {
        self.held.get_or_create(&ReasonLabel { reason }).inc_by(count);
    }

    /// Tells which agreement is in use, and whether everything is held.
    pub fn agreement(&self, serial: u32, is_held: bool) {
        self.agreement_serial.set(i64::from(serial));
        self.agreement_held.set(i64::from(is_held));
    }

    /// Counts a failure of the log.
    pub fn abort(&self) {
        self.aborts.inc();
    }

    /// Feed records processed and committed since the start.
    #[must_use]
    pub fn events_read(&self) -> u64 {
        let outcomes = ["accepted", "rejected", "duplicate", "superseded"];
        outcomes.into_iter().map(|outcome| self.events.get_or_create(&OutcomeLabel { outcome }).get()).sum()
    }

    /// The whole in OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}
