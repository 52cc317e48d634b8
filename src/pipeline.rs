//! The order of things, and the only file that knows it: validate, normalise, pseudonymise, link, assess, disclose.
//!
//! An engine holds the register of one partition. It turns a batch of feed records into one transaction and does nothing
//! outside: the caller polls the log, commits what comes back and, when a commit fails, restores a new engine from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use rand::{CryptoRng, Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::assess::ledger::{Acceptance, Ledger};
use crate::assess::{Assessed, cases};
use crate::audit::{AuditKind, Chain};
use crate::config::agreement::Agreement;
use crate::config::rules::Rules;
use crate::disclose::decide::{Desk, Disclosed, MessageKind};
use crate::disclose::identities::Identities;
use crate::disclose::message::cloud_event;
use crate::disclose::seal::Sealer;
use crate::disclose::told::{Told, ToldAlert};
use crate::keys::KeyRing;
use crate::keys::output::OutputKey;
use crate::link::{LinkageModel, Linker};
use crate::log::{FeedRecord, Position, Transaction, topic_name};
use crate::model::event::BlindEvent;
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::{ClusterId, PartyId, RecordId, ScopeId};
use crate::model::outcome::{Outcome, OutcomeCounts, RejectCode, Rejection};
use crate::model::register::{RowChange, RowKind};
use crate::normalise::event::normalise;
use crate::pseudonymise::Pseudonymiser;
use crate::pseudonymise::event::blind;
use crate::validate::Validator;
use crate::validate::feed::FeedContext;

mod scope;
mod work;

use self::scope::{Scope, opposing};
pub use self::work::BatchReport;
use self::work::{
    Touched, Work, combination, confidence, hex, id_reused, possible_match, read_key, review_key, unserved_scope,
};

/// Where audit lines go.
pub const AUDIT_TOPIC: &str = "audit.v1";
/// Where what a human must look at goes.
pub const REVIEW_TOPIC: &str = "review.v1";

/// The day and the moment that one batch happens at: pure stages have no clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Findings and lists are as of this day.
    pub as_of: Date,
    /// Messages and audit lines carry this moment.
    pub at: Timestamp,
}

/// What does not change while the daemon runs.
pub struct Setup {
    agreement: Agreement,
    rules: Rules,
    keys: Arc<KeyRing>,
    model: Arc<LinkageModel>,
    validator: Validator,
    pseudonymisers: BTreeMap<ScopeId, Pseudonymiser>,
    outputs: BTreeMap<PartyId, OutputKey>,
}

impl Setup {
    /// Puts checked parts together. A scope without a linkage key is not served; a recipient without a key is held.
    #[must_use]
    pub fn new(
        agreement: Agreement,
        rules: Rules,
        keys: Arc<KeyRing>,
        model: Arc<LinkageModel>,
        record_bytes: usize,
    ) -> Self {
        let validator = Validator::new(feed_contexts(&agreement)).with_max_record_bytes(record_bytes);
        let scopes = agreement.scopes.iter();
        let pseudonymisers =
            scopes.filter_map(|scope| Some((scope.clone(), Pseudonymiser::new(keys.linkage(scope)?)))).collect();
        let with_key = agreement.recipients.iter().filter(|recipient| keys.recipient(&recipient.party).is_some());
        let outputs = with_key.map(|recipient| (recipient.party.clone(), keys.output(&recipient.party))).collect();
        Self { agreement, rules, keys, model, validator, pseudonymisers, outputs }
    }

    /// The agreement in use.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The key ring in use.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// One record from bytes to a blind event: the stages that need nobody else.
    fn read(&self, record: &FeedRecord, nonces: &mut ChaCha20Rng) -> Result<Taken, Rejection> {
        let valid = self.validator.validate(&record.feed, &record.headers, &record.payload, record.appended_ms)?;
        let ignored_fields = valid.ignored_fields;
        let normal = normalise(valid);
        let dropped_identifiers = normal.dropped_identifiers();
        let pseudonymiser = self.pseudonymisers.get(&normal.scope).ok_or_else(unserved_scope)?;
        let nonce = || {
            let mut nonce = [0; 12];
            nonces.fill_bytes(&mut nonce);
            nonce
        };
        let event = blind(pseudonymiser, self.keys.vault(), normal, nonce);
        Ok(Taken { event, ignored_fields, dropped_identifiers })
    }

    /// As `read`, but a fault of ours rejects the record instead of stopping the feed for everybody.
    fn read_guarded(&self, record: &FeedRecord, nonces: &mut ChaCha20Rng) -> Result<Taken, Rejection> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.read(record, nonces))).unwrap_or_else(|_| {
            tracing::error!(feed = %record.feed, partition = record.partition, offset = record.offset, "a record broke a stage");
            Err(Rejection {
                code: RejectCode::Internal,
                path: String::new(),
                rule: "the record could not be processed".to_owned(),
                help: "this is a fault of priorityd: report the feed, partition and offset".to_owned(),
            })
        })
    }
}

/// What the validator needs to know of each feed.
pub fn feed_contexts(agreement: &Agreement) -> impl Iterator<Item = FeedContext> {
    agreement.feeds.iter().map(|feed| FeedContext {
        party: feed.party.clone(),
        kind: feed.kind,
        sources: feed.sources.clone(),
        scopes: agreement.scopes.clone(),
    })
}

struct Taken {
    event: BlindEvent,
    ignored_fields: u32,
    dropped_identifiers: u32,
}

/// The engine of one partition.
pub struct Engine {
    setup: Arc<Setup>,
    partition: i32,
    scopes: BTreeMap<ScopeId, Scope>,
    counters: BTreeMap<PartyId, OutcomeCounts>,
    chain: Chain,
    sealer: Sealer,
    assessed_as_of: Option<Date>,
}

impl Engine {
    /// An engine with an empty register.
    #[must_use]
    pub fn new(setup: Arc<Setup>, partition: i32) -> Self {
        let chain = Chain::resume(None).expect("a chain starts from nothing");
        let (scopes, counters) = (BTreeMap::new(), BTreeMap::new());
        Self { setup, partition, scopes, counters, chain, sealer: Sealer::default(), assessed_as_of: None }
    }

    /// Takes one register row back in. Call `finish_restore` after the last.
    ///
    /// # Errors
    /// When the row has a form that this version cannot read.
    pub fn restore_row(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadRegister> {
        let (kind, scope, id) = read_key(key).ok_or(BadRegister)?;
        match kind {
            RowKind::Counters => {
                let feed = std::str::from_utf8(id).ok().and_then(|feed| feed.parse().ok()).ok_or(BadRegister)?;
                self.counters.insert(feed, postcard::from_bytes(value).map_err(|_| BadRegister)?);
            }
            RowKind::AuditHead => self.chain = Chain::resume(Some(value)).map_err(|_| BadRegister)?,
            RowKind::Event => self.scope(scope)?.ledger.restore(id, value).map_err(|_| BadRegister)?,
            RowKind::Record | RowKind::Edge | RowKind::Decision => {
                self.scope(scope)?.linker.restore(kind, id, value).map_err(|_| BadRegister)?;
            }
            RowKind::Identity => self.scope(scope)?.identities.restore(id, value).ok_or(BadRegister)?,
            RowKind::Listed | RowKind::Alerted => {
                self.scope(scope)?.told.restore(kind, id, value).ok_or(BadRegister)?
            }
        }
        Ok(())
    }

    /// Derives what is not stored: who may not be linked to whom, and the clusters.
    pub fn finish_restore(&mut self) {
        for scope in self.scopes.values_mut() {
            for (_, event) in scope.ledger.iter() {
                for (one, other) in opposing(event) {
                    scope.linker.forbid(one, other);
                }
            }
            scope.linker.settle();
        }
    }

    /// Counters by feed; for each, `read` is the sum of the outcomes (I1).
    #[must_use]
    pub fn counters(&self) -> &BTreeMap<PartyId, OutcomeCounts> {
        &self.counters
    }

    /// Processes a batch: everything that it causes, in one transaction.
    pub fn process(&mut self, batch: &[FeedRecord], now: Now, rng: &mut dyn CryptoRng) -> (Transaction, BatchReport) {
        let setup = Arc::clone(&self.setup);
        // One seed for the batch and a stream for each record: threads share no generator, and none is made here.
        let nonces = ChaCha20Rng::from_rng(rng);
        let read = |(stream, record): (usize, &FeedRecord)| {
            let mut nonces = nonces.clone();
            nonces.set_stream(stream as u64);
            setup.read_guarded(record, &mut nonces)
        };
        let taken: Vec<_> = batch.par_iter().enumerate().map(read).collect();
        let mut work = Work::default();
        for (record, taken) in batch.iter().zip(taken) {
            work.note_position(record);
            let outcome = match taken {
                Ok(taken) => {
                    work.report.ignored_fields += u64::from(taken.ignored_fields);
                    work.report.dropped_identifiers += u64::from(taken.dropped_identifiers);
                    self.accept(record, taken.event, now, &mut work)
                }
                Err(rejection) => self.reject(record, &rejection, now, &mut work),
            };
            work.report.outcomes.count(outcome);
            self.counters.entry(record.feed.clone()).or_default().count(outcome);
            work.counted.insert(record.feed.clone());
        }
        for (scope, touched) in std::mem::take(&mut work.touched) {
            self.settle(&scope, touched, now, rng, &mut work);
        }
        self.finish(work)
    }

    /// Looks at everybody again when the day has changed, or once after a restart: windows move, orders run out, the
    /// agreement may have changed. `None` when there is nothing to do.
    pub fn advance(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Option<(Transaction, BatchReport)> {
        if self.assessed_as_of == Some(now.as_of) {
            return None;
        }
        self.assessed_as_of = Some(now.as_of);
        let mut work = Work::default();
        for id in self.scopes.keys().cloned().collect::<Vec<_>>() {
            let scope = self.scopes.get(&id).expect("listed above");
            let everybody: BTreeSet<_> = scope.linker.clusters().map(|(cluster, _)| cluster).collect();
            let before = everybody.iter().copied().chain(scope.told.clusters()).collect();
            self.publish(&id, &before, &everybody, now, rng, &mut work);
        }
        let (transaction, report) = self.finish(work);
        (!transaction.register.is_empty() || !transaction.outputs.is_empty()).then_some((transaction, report))
    }

    /// Findings of everybody as of a day, for summaries.
    #[must_use]
    pub fn assess_everybody(&self, as_of: Date) -> BTreeMap<ScopeId, Vec<Assessed>> {
        let rules = &self.setup.rules;
        self.scopes
            .iter()
            .map(|(id, scope)| {
                let clusters: Vec<_> = scope.linker.clusters().map(|(cluster, _)| cluster).collect();
                (id.clone(), clusters.par_iter().map(|cluster| scope.assess(*cluster, as_of, rules)).collect())
            })
            .collect()
    }

    /// Which record and which linked person each participant of an event is, in the order of the event.
    #[must_use]
    pub fn participants(&self, scope: &ScopeId, source: &str, id: &str) -> Option<Vec<(RecordId, ClusterId)>> {
        let event = self.setup.pseudonymisers.get(scope)?.event_id(source, id);
        let scope = self.scopes.get(scope)?;
        let participants = scope.ledger.in_force(event)?.participants.iter();
        participants.map(|person| Some((person.record, scope.linker.cluster_of(person.record)?))).collect()
    }

    fn scope(&mut self, id: &str) -> Result<&mut Scope, BadRegister> {
        let id = id.parse().map_err(|_| BadRegister)?;
        Ok(self.scope_mut(&id))
    }

    fn scope_mut(&mut self, id: &ScopeId) -> &mut Scope {
        let model = &self.setup.model;
        self.scopes.entry(id.clone()).or_insert_with(|| Scope {
            ledger: Ledger::default(),
            linker: Linker::new(Arc::clone(model)),
            identities: Identities::default(),
            told: Told::default(),
        })
    }

    /// Takes one event into the ledger and its people into linkage.
    fn accept(&mut self, record: &FeedRecord, event: BlindEvent, now: Now, work: &mut Work) -> Outcome {
        let (id, supersedes, scope_id, agency) =
            (event.id, event.supersedes, event.scope.clone(), event.agency.clone());
        let scope = self.scope_mut(&scope_id);
        let Acceptance { outcome, entered, left } = scope.ledger.accept(event);
        let Some(outcome) = outcome else {
            return self.reject(record, &id_reused(), now, work);
        };
        let touched = work.touched.entry(scope_id.clone()).or_default();
        for (_, event) in &left {
            scope.leave(event, touched);
        }
        if let Some((entered, persons)) = entered {
            for person in persons {
                scope.identities.insert(person.record, person.sealed);
                scope.linker.insert(person.record, agency.clone(), person.local_ref, person.tokens);
                touched.records.insert(person.record);
                touched.records.extend(scope.ledger.records_of_case(person.local_ref));
            }
            let event = scope.ledger.in_force(entered).expect("it has just entered");
            for (one, other) in opposing(event) {
                scope.linker.forbid(one, other);
            }
        }
        scope.forget_unmentioned(&left);
        if outcome != Outcome::Duplicate {
            let kind = if supersedes.is_some() { AuditKind::Alteration } else { AuditKind::Collection };
            let body = json!({"event": id, "supersedes": supersedes, "agency": agency, "outcome": outcome});
            self.audit(kind, &scope_id, &body, now, work);
        }
        outcome
    }

    /// Sends a record back to its agency.
    fn reject(&mut self, record: &FeedRecord, rejection: &Rejection, now: Now, work: &mut Work) -> Outcome {
        let event_id = self.setup.validator.event_uuid(&record.headers, &record.payload);
        let mut body = json!({
            "feed": record.feed,
            "partition": record.partition,
            "offset": record.offset,
            "code": rejection.code,
            "path": rejection.path,
            "rule": rejection.rule,
            "help": rejection.help,
            "record_sha256": hex(&Sha256::digest(&record.payload)),
        });
        if let Some(event_id) = event_id {
            body["event_id"] = Value::String(event_id);
        }
        let topic = topic_name("rejections", &record.feed);
        let key = format!("{}/{}", record.partition, record.offset);
        work.output(self.partition, topic, key, Some(body.to_string().into_bytes()));
        let scope = self.setup.agreement.scopes.first().cloned();
        if let Some(scope) = scope {
            let body = json!({
                "feed": record.feed, "partition": record.partition, "offset": record.offset, "code": rejection.code,
            });
            self.audit(AuditKind::Rejection, &scope, &body, now, work);
        }
        Outcome::Rejected
    }

    /// Links what was touched and tells everybody concerned the difference.
    fn settle(&mut self, id: &ScopeId, touched: Touched, now: Now, rng: &mut dyn CryptoRng, work: &mut Work) {
        let Some(scope) = self.scopes.get_mut(id) else { return };
        let mut before: BTreeSet<ClusterId> = touched.clusters;
        before.extend(touched.records.iter().filter_map(|record| scope.linker.cluster_of(*record)));
        let settled = scope.linker.settle();
        before.extend(settled.touched_before);
        let mut concerned: BTreeSet<ClusterId> = settled.touched_after.into_iter().collect();
        concerned.extend(touched.records.iter().filter_map(|record| scope.linker.cluster_of(*record)));
        concerned.extend(before.iter().filter(|cluster| !scope.linker.members(**cluster).is_empty()));
        // Findings count distinct counterparties, so whoever shares an event with somebody who was touched is looked at too.
        let neighbours: Vec<_> = concerned.iter().flat_map(|cluster| scope.neighbours(*cluster)).collect();
        before.extend(&neighbours);
        concerned.extend(neighbours);
        for row in settled.rows {
            work.change(self.partition, id.as_str(), row);
        }
        for change in &settled.changes {
            let body = combination(change);
            self.audit(AuditKind::Combination, id, &body, now, work);
        }
        for possible in &settled.reviews_raised {
            let key = review_key(id, possible.a, possible.b);
            let body = possible_match(&key, id, possible).to_string().into_bytes();
            work.output(self.partition, REVIEW_TOPIC.to_owned(), key, Some(body));
        }
        for (a, b) in &settled.reviews_withdrawn {
            work.output(self.partition, REVIEW_TOPIC.to_owned(), review_key(id, *a, *b), None);
        }
        self.publish(id, &before, &concerned, now, rng, work);
    }

    /// Assesses some people, decides what each recipient is told, seals and records it.
    fn publish(
        &mut self,
        id: &ScopeId,
        before: &BTreeSet<ClusterId>,
        concerned: &BTreeSet<ClusterId>,
        now: Now,
        rng: &mut dyn CryptoRng,
        work: &mut Work,
    ) {
        let setup = Arc::clone(&self.setup);
        let Some(scope) = self.scopes.get_mut(id) else { return };
        let people: Vec<Assessed> = {
            let scope = &*scope;
            let concerned: Vec<_> = concerned.iter().copied().collect();
            concerned.par_iter().map(|cluster| scope.assess(*cluster, now.as_of, &setup.rules)).collect()
        };
        let Scope { ledger, linker, identities, told } = scope;
        let desk = Desk {
            scope: id,
            agreement: &setup.agreement,
            rules: &setup.rules,
            as_of: now.as_of,
            at: now.at,
            keys: &setup.keys,
            outputs: &setup.outputs,
            identities,
            cases_of: &|cluster| cases(ledger, linker.members(cluster)),
            confidence_of: &|cluster| confidence(linker.confidence(cluster)),
        };
        let disclosed = desk.disclose(before, &people, told);
        self.review_both_roles(id, &people, work);
        self.send(id, disclosed, &people, now, rng, work);
        let scope = self.scopes.get_mut(id).expect("present above");
        for row in scope.rows() {
            work.change(self.partition, id.as_str(), row);
        }
    }

    /// Seals messages, each with its audit line in the same transaction (I5).
    fn send(
        &mut self,
        id: &ScopeId,
        disclosed: Disclosed,
        people: &[Assessed],
        now: Now,
        rng: &mut dyn CryptoRng,
        work: &mut Work,
    ) {
        let setup = Arc::clone(&self.setup);
        for (reason, count) in disclosed.held {
            *work.report.held.entry(reason).or_insert(0) += count;
        }
        let mut ready = Vec::with_capacity(disclosed.messages.len());
        for message in &disclosed.messages {
            let recipient = setup.agreement.recipients.iter().find(|known| known.party == message.recipient);
            let key = setup.keys.recipient(&message.recipient);
            let (Some(recipient), Some(key)) = (recipient, key) else { continue };
            let envelope = cloud_event(message, id, recipient, now.at)
                .map(|event| self.sealer.prepare(key, now.at, rng).map(|envelope| (event, envelope)));
            ready.push((message, envelope));
        }
        let sealed: Vec<_> = ready
            .into_par_iter()
            .map(|(message, envelope)| {
                let sealed = envelope
                    .map(|ready| ready.and_then(|(event, envelope)| envelope.seal(&event, setup.keys.signing())));
                (message, sealed.transpose())
            })
            .collect();
        let findings: BTreeMap<_, &Finding> =
            people.iter().flat_map(|person| &person.findings).map(|finding| (finding.id, finding)).collect();
        for (message, sealed) in sealed {
            let value = match sealed {
                Ok(value) => value.map(String::into_bytes),
                Err(error) => {
                    // Expired keys were held before anything was told, so this is a fault of ours.
                    tracing::error!(recipient = %message.recipient, reason = %error, "a message was held: it cannot be sealed");
                    *work.report.held.entry("cannot_be_sealed").or_insert(0) += 1;
                    continue;
                }
            };
            let topic = topic_name(message.kind.topic_kind(), &message.recipient);
            work.output(self.partition, topic, message.id.clone(), value);
            let sent = work.report.messages.entry((message.recipient.clone(), message.kind.topic_kind()));
            *sent.or_insert(0) += u64::from(message.kind != MessageKind::Tombstone);
            let finding = message.finding.and_then(|finding| findings.get(&finding));
            let body = json!({
                "recipient": message.recipient,
                "message": message.id,
                "type": message.kind.event_type().unwrap_or("tombstone"),
                "clause": message.clause,
                "person": message.cluster,
                "finding": message.finding,
                "kind": finding.map(|finding| finding.kind),
                "evidence": finding.map(|finding| &finding.evidence),
                "agreement_version": setup.agreement.version,
                "rules_version": setup.rules.version,
            });
            self.audit(AuditKind::Disclosure, id, &body, now, work);
        }
    }

    /// People who appear in both roles go to a human, once.
    fn review_both_roles(&mut self, id: &ScopeId, people: &[Assessed], work: &mut Work) {
        let partition = self.partition;
        let Some(scope) = self.scopes.get_mut(id) else { return };
        let reviewers: PartyId = "review".parse().expect("a name of the right form");
        for person in people {
            for finding in person.findings.iter().filter(|finding| finding.kind == FindingKind::BothRoles) {
                if scope.told.alert(finding.id, &reviewers).is_some() {
                    continue;
                }
                let told = ToldAlert { generation: 1, live: false, digest: [0; 16], clause: String::new() };
                scope.told.set_alert(finding.id, person.cluster, &reviewers, told);
                let key = finding.id.to_string();
                let body = json!({
                    "review_id": key,
                    "kind": "both_roles",
                    "scope": id,
                    "person": person.cluster,
                    "evidence": finding.evidence,
                });
                work.output(partition, REVIEW_TOPIC.to_owned(), key, Some(body.to_string().into_bytes()));
            }
        }
    }

    fn audit(&mut self, kind: AuditKind, scope: &ScopeId, body: &Value, now: Now, work: &mut Work) {
        let line = self.chain.append(now.at.as_millisecond(), kind, scope, body);
        work.output(self.partition, AUDIT_TOPIC.to_owned(), line.seq.to_string(), Some(line.json));
    }

    /// Adds what concerns the partition as a whole and hands the transaction over.
    fn finish(&mut self, mut work: Work) -> (Transaction, BatchReport) {
        for feed in std::mem::take(&mut work.counted) {
            let value = postcard::to_allocvec(&self.counters[&feed]).expect("counters have a plain form");
            let row = RowChange { kind: RowKind::Counters, id: feed.as_str().as_bytes().to_vec(), value: Some(value) };
            work.change(self.partition, "", row);
        }
        if work.transaction.outputs.iter().any(|output| output.topic == AUDIT_TOPIC) {
            let value = Some(self.chain.head().to_bytes().to_vec());
            work.change(self.partition, "", RowChange { kind: RowKind::AuditHead, id: Vec::new(), value });
        }
        let positions = std::mem::take(&mut work.positions).into_iter();
        work.transaction.positions =
            positions.map(|((feed, partition), next_offset)| Position { feed, partition, next_offset }).collect();
        (work.transaction, work.report)
    }
}

/// The register holds a row that this version cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the register holds a row of an unknown form: it may have been written by a newer version")]
pub struct BadRegister;
