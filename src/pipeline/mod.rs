//! The order of things, and the only file that knows it: validate, normalise, pseudonymise, link, assess, disclose.
//!
//! An engine holds the register of one partition. It turns a batch of feed records into one transaction and does nothing
//! outside: the caller polls the log, commits what comes back and, when a commit fails, restores a new engine from the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use rand::CryptoRng;
use rayon::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use self::agreed::ToldUnder;
use self::erasure::forget;
use self::evidence::{combination, question};
use self::rekey::{Linkage, under};
use self::reviews::{possible_match, review_key};
use self::rotation::ToldWith;
use self::scope::{Scope, opposing};
use self::setup::Taken;
use self::work::{Line, Touched, Work};
use crate::assess::ledger::{Acceptance, Ledger};
use crate::assess::{Assessed, awaits_review, cases};
use crate::audit::{AuditKind, Chain, Said};
use crate::config::agreement::Recipient;
use crate::disclose::decide::Desk;
use crate::disclose::identities::Identities;
use crate::disclose::seal::Sealer;
use crate::disclose::told::Told;
use crate::link::{Bits, Linker, Settled};
use crate::log::{FeedRecord, Position, Transaction, home, topic_name};
use crate::model::event::{BlindEvent, Detail};
use crate::model::ids::{ClusterId, PartyId, RecordId, ScopeId, hex};
use crate::model::outcome::{Outcome, OutcomeCounts, RejectCode, Rejection};
use crate::model::register::{RowChange, RowKind};

mod agreed;
mod day;
mod erasure;
mod evidence;
mod linked;
pub mod preview;
mod read;

mod rekey;
mod restore;
mod reviews;
mod rotation;
mod scope;
mod send;
mod setup;
pub mod source;
mod status;
mod subject;
mod work;

pub use self::read::{ReadBatch, Reader};
pub use self::rekey::under as linkage_scope;
pub use self::restore::BadRegister;
pub use self::setup::{Now, Setup, feed_contexts};
pub use self::status::HEARTBEAT;
pub use self::subject::{HeldEvent, Person, Resembling};
pub use self::work::{BatchReport, read_key};
pub use crate::log::{AUDIT_TOPIC, HEADS_TOPIC, REVIEW_TOPIC};

/// From here on a link is called strong: the odds are a thousand to one and better.
const STRONG_BITS: f64 = 10.0;

/// How many lines of the audit are rendered before they go into the chain: so few that they are still near the processor.
const LINES_AT_ONCE: usize = 256;

/// The engine of one partition.
pub struct Engine {
    setup: Arc<Setup>,
    partition: i32,
    scopes: BTreeMap<ScopeId, Scope>,
    counters: BTreeMap<PartyId, OutcomeCounts>,
    chain: Chain,
    sealer: Sealer,
    assessed_as_of: Option<Date>,
    /// Who is still to be looked at as of that day.
    unseen: BTreeMap<ScopeId, Vec<ClusterId>>,
    /// What was told rests on this agreement.
    told_under: Option<ToldUnder>,
    /// Scopes whose register says what it was made with.
    marked: BTreeSet<ScopeId>,
    /// The epoch of the linkage key that each register's rows are made with; the active one where there are none yet.
    key_epochs: BTreeMap<ScopeId, u32>,
    /// The keys that each recipient was last told with.
    told_with: BTreeMap<PartyId, ToldWith>,
    /// Scopes that cannot be hashed anew, until the setup changes: told once.
    cannot_rekey: BTreeSet<ScopeId>,
    /// Rows of epochs that have gone, by their keys.
    leftover: BTreeMap<ScopeId, Vec<Vec<u8>>>,
    /// Ids that the audit must lose, each in records up to a number.
    redactions: BTreeMap<[u8; 16], u64>,
    /// Number of the last record that a signed head covers.
    signed_seq: u64,
    /// While rows that another model made are read back: the same register as that model sees it.
    former: BTreeMap<ScopeId, Linker>,
    /// What a new model changed, until it is told.
    relinked: BTreeMap<ScopeId, Settled>,
}

impl Engine {
    /// An engine with an empty register.
    #[must_use]
    pub fn new(setup: Arc<Setup>, partition: i32) -> Self {
        let chain = Chain::resume(partition, None).expect("a chain starts from nothing");
        Self {
            setup,
            partition,
            scopes: BTreeMap::new(),
            counters: BTreeMap::new(),
            chain,
            sealer: Sealer::default(),
            assessed_as_of: None,
            unseen: BTreeMap::new(),
            told_under: None,
            marked: BTreeSet::new(),
            key_epochs: BTreeMap::new(),
            told_with: BTreeMap::new(),
            cannot_rekey: BTreeSet::new(),
            leftover: BTreeMap::new(),
            redactions: BTreeMap::new(),
            signed_seq: 0,
            former: BTreeMap::new(),
            relinked: BTreeMap::new(),
        }
    }

    /// Goes on under another agreement or other keys: `advance` decides anew about everything that was told.
    pub fn adopt(&mut self, setup: Arc<Setup>) {
        self.setup = setup;
        self.assessed_as_of = None;
        self.unseen.clear();
        self.cannot_rekey.clear();
    }

    /// Why everything is held on that day, if it is.
    #[must_use]
    pub fn holds_everything(&self, as_of: Date) -> Option<&'static str> {
        let ours = ToldUnder::of(&self.setup.agreement);
        let is_older = self.told_under.as_ref().is_some_and(|told| told.excludes(&ours));
        is_older.then_some("agreement_older_than_register").or_else(|| self.setup.agreement.held(as_of))
    }

    /// Counters by feed; for each, `read` is the sum of the outcomes (I1).
    #[must_use]
    pub fn counters(&self) -> &BTreeMap<PartyId, OutcomeCounts> {
        &self.counters
    }

    /// Processes a batch: everything that it causes, in one transaction.
    pub fn process(&mut self, batch: &[FeedRecord], now: Now, rng: &mut dyn CryptoRng) -> (Transaction, BatchReport) {
        let read = self.reader().read(batch, rng);
        self.take(batch, read, now, rng)
    }

    /// Takes in a batch that was read, earlier or by others: everything that it causes, in one transaction.
    ///
    /// # Panics
    /// What was read is of another batch.
    pub fn take(
        &mut self,
        batch: &[FeedRecord],
        read: ReadBatch,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> (Transaction, BatchReport) {
        let read = self.reread(batch, read, rng);
        assert_eq!(batch.len(), read.taken.len(), "what was read is of this batch");
        let mut work = Work::new(now, rng);
        self.tell_relinked(&mut work);
        for (record, taken) in batch.iter().zip(read.taken) {
            work.note_position(record);
            let outcome = match taken {
                Ok(Taken { event, .. }) if home(&event.facts.scope, record.partitions) != record.partition => {
                    // There it is read, and has its outcome.
                    work.forward(record, event.facts.scope);
                    continue;
                }
                Ok(taken) => {
                    work.report.ignored_fields += u64::from(taken.ignored_fields);
                    work.report.dropped_identifiers += u64::from(taken.dropped_identifiers);
                    self.accept(record, taken.event, now, &mut work)
                }
                Err(rejection) => self.reject(record, &rejection, &mut work),
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

    /// Findings of everybody as of a day, for summaries.
    #[must_use]
    pub fn assess_everybody(&self, as_of: Date) -> BTreeMap<ScopeId, Vec<Assessed>> {
        let rules = &self.setup.rules;
        self.scopes
            .iter()
            .map(|(id, scope)| {
                let clusters: Vec<_> = scope.linker.clusters().map(|(cluster, _)| cluster).collect();
                (id.clone(), scope.assess(&clusters, as_of, rules))
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
        if !self.scopes.contains_key(id) {
            self.scope_mut(&id.parse().map_err(|_| BadRegister::Form)?);
        }
        self.scopes.get_mut(id).ok_or(BadRegister::Form)
    }

    fn scope_mut(&mut self, id: &ScopeId) -> &mut Scope {
        // From the first row on the epoch stays until the register is hashed anew.
        let epoch = self.key_epoch(id);
        self.key_epochs.entry(id.clone()).or_insert(epoch);
        let setup = &self.setup;
        self.scopes.entry(id.clone()).or_insert_with(|| Scope {
            ledger: Ledger::default(),
            linker: Linkage::new(Linker::new(setup.model_under(id, epoch))),
            identities: Identities::default(),
            told: Told::default(),
        })
    }

    /// Takes one event into the ledger and its people into linkage.
    fn accept(&mut self, record: &FeedRecord, event: BlindEvent, now: Now, work: &mut Work) -> Outcome {
        let (id, supersedes, scope_id, agency) =
            (event.id, event.supersedes, event.facts.scope.clone(), event.facts.agency.clone());
        let decision = evidence::decision(&event.facts.detail);
        let ruling = evidence::ruling(&event.facts.detail);
        let age = self.setup.age(&event.facts, now.as_of);
        let setup = Arc::clone(&self.setup);
        let scope = self.scope_mut(&scope_id);
        let Acceptance { outcome, entered, left, narrowed, erased, left_out } = {
            let _stage = tracing::trace_span!(target: "stage", "ledger").entered();
            scope.ledger.accept(event, age)
        };
        let Some(outcome) = outcome else {
            return self.reject(record, &id_reused(), work);
        };
        if left_out {
            // Whoever read the event remembers them.
            setup.forget_people();
        }
        let touched = work.touched.entry(scope_id.clone()).or_default();
        if supersedes.is_some() && entered.is_none() {
            // It stands for nothing itself; what others say of it is of the event that stands in its place.
            let standing = scope.ledger.standing_for(id).and_then(|standing| scope.ledger.in_force(standing));
            touched.around.extend(standing.iter().flat_map(|event| &event.participants).map(|person| person.record));
        }
        scope.let_go(left.iter().chain(&narrowed), touched);
        scope.narrow(&narrowed);
        if let Some((entered, persons)) = entered {
            let _stage = tracing::trace_span!(target: "stage", "candidates").entered();
            let event = scope.ledger.in_force(entered).expect("it has just entered");
            // A case, a decision, and what stands in another event's place show in other people's histories too.
            let shows_around =
                supersedes.is_some() || matches!(event.detail, Detail::CaseloadEntry { .. } | Detail::Decision { .. });
            for person in persons {
                scope.identities.insert(person.record, person.sealed);
                scope.linker.insert(person.record, agency.clone(), person.local_ref, &person.tokens);
                let of_case = scope.ledger.records_of_case(person.local_ref);
                let records = std::iter::once(person.record).chain(of_case);
                if shows_around { touched.around.extend(records) } else { touched.records.extend(records) }
            }
            for (one, other) in opposing(event) {
                scope.linker.forbid(one, other);
            }
            if matches!(event.detail, Detail::Decision { .. }) {
                let event = event.clone();
                scope.decide(&event, touched);
            }
        }
        scope.forget_unmentioned(left.iter().chain(&narrowed).map(|(_, event)| event));
        if outcome == Outcome::Duplicate {
            return outcome;
        }
        if let Some((kind, mut body)) = ruling {
            body["event"] = json!(id);
            if kind == AuditKind::Erasure {
                (body["events_erased"], body["events_narrowed"]) = (json!(left.len()), json!(narrowed.len()));
                body["records_erased"] = json!(erased.len());
                forget(&scope_id, &left, &narrowed, &erased, work);
                setup.forget_people();
            }
            work.audit(kind, &scope_id, body);
            return outcome;
        }
        let alters = supersedes.is_some() || decision.is_some();
        let kind = if alters { AuditKind::Alteration } else { AuditKind::Collection };
        let mut line = Said::default();
        line.add("event", id).add("supersedes", supersedes).add("agency", agency).add("outcome", outcome);
        if let Some(decision) = decision {
            line.add("decided", decision);
        }
        work.audit(kind, &scope_id, line);
        outcome
    }

    /// Sends a record back to its agency.
    fn reject(&mut self, record: &FeedRecord, rejection: &Rejection, work: &mut Work) -> Outcome {
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
            work.audit(AuditKind::Rejection, &scope, body);
        }
        Outcome::Rejected
    }

    /// Links what was touched and tells everybody concerned the difference.
    fn settle(&mut self, id: &ScopeId, touched: Touched, now: Now, rng: &mut dyn CryptoRng, work: &mut Work) {
        let Some(scope) = self.scopes.get_mut(id) else { return };
        let Touched { mut records, clusters: mut before, around } = touched;
        records.extend(&around);
        records.sort_unstable();
        records.dedup();
        before.extend(scope.linker.clusters_of(&records).into_iter().flatten());
        let settled = scope.linker.settle();
        let stage = tracing::trace_span!(target: "stage", "around").entered();
        before.extend(&settled.touched_before);
        let mut concerned = Vec::from_iter(settled.touched_after.iter().copied());
        concerned.extend(scope.linker.clusters_of(&records).into_iter().flatten());
        concerned.extend(before.iter().filter(|cluster| !scope.linker.members(**cluster).is_empty()));
        concerned.sort_unstable();
        concerned.dedup();
        drop(stage);
        let mut people = self.assess(id, &concerned, now);
        let stage = tracing::trace_span!(target: "stage", "around").entered();
        // Of whoever shares an event with these, those are looked at too for whom one of them is somebody else now.
        let Some(scope) = self.scopes.get(id) else { return };
        let neighbours = scope.see_otherwise(&settled, &around, &people);
        before.extend(&neighbours);
        let before = BTreeSet::from_iter(before);
        drop(stage);
        people.extend(self.assess(id, &neighbours, now));
        people.sort_unstable_by_key(|person| person.cluster);
        self.tell(id, settled, work);
        self.publish(id, People { before: &before, now: &people, former: Vec::new() }, now, rng, work);
    }

    /// What a new model changed: told once, in one transaction with the note that it was.
    fn tell_relinked(&mut self, work: &mut Work) {
        for (id, settled) in std::mem::take(&mut self.relinked) {
            let model = &self.setup.model;
            let body = json!({
                "change": "model.changed", "model_version": model.version(), "population": model.population(),
            });
            work.audit(AuditKind::Combination, &id, body);
            self.tell(&id, settled, work);
        }
    }

    /// Writes down what a settlement changed, with the reasons, and asks people what it leaves open.
    fn tell(&mut self, id: &ScopeId, settled: Settled, work: &mut Work) {
        let to_come = self.scopes.get_mut(id).and_then(|scope| scope.linker.rows_to_come());
        for (epoch, rows) in [(self.key_epoch(id), settled.rows)].into_iter().chain(to_come) {
            let place = under(id, epoch);
            for row in rows {
                work.change(self.partition, &place, row);
            }
        }
        let _stage = tracing::trace_span!(target: "stage", "audit").entered();
        let Some(scope) = self.scopes.get(id) else { return };
        let model = &self.setup.model;
        let told = |change| combination(change, &scope.linker.links_of(change), model);
        let lines: Vec<_> = settled.changes.par_iter().flat_map_iter(told).collect();
        for line in lines {
            work.audit(AuditKind::Combination, id, line);
        }
        // A question that is put in another form is withdrawn and raised, in this order.
        for (a, b) in &settled.reviews_withdrawn {
            work.output(self.partition, REVIEW_TOPIC.to_owned(), review_key(id, *a, *b), None);
        }
        for possible in &settled.reviews_raised {
            let key = review_key(id, possible.a, possible.b);
            let line = question(&key, possible, &self.setup.model);
            work.audit(AuditKind::Combination, id, line);
            let body = possible_match(&key, id, possible).to_string().into_bytes();
            work.output(self.partition, REVIEW_TOPIC.to_owned(), key, Some(body));
        }
    }

    /// Assesses some people, in their order.
    fn assess(&self, id: &ScopeId, people: &[ClusterId], now: Now) -> Vec<Assessed> {
        let _stage = tracing::trace_span!(target: "stage", "assess").entered();
        let Some(scope) = self.scopes.get(id) else { return Vec::new() };
        let mut people = scope.assess(people, now.as_of, &self.setup.rules);
        for person in &mut people {
            person.findings.retain(|finding| !self.setup.is_withdrawn(finding, now.as_of));
        }
        people
    }

    /// Decides what each recipient is told of some people, seals and records it.
    fn publish(
        &mut self,
        id: &ScopeId,
        People { before, now: people, former }: People<'_>,
        now: Now,
        rng: &mut dyn CryptoRng,
        work: &mut Work,
    ) {
        let setup = Arc::clone(&self.setup);
        let held = self.holds_everything(now.as_of);
        let Some(scope) = self.scopes.get_mut(id) else { return };
        let Scope { ledger, linker, identities, told } = scope;
        let desk = Desk {
            scope: id,
            agreement: &setup.agreement,
            held,
            former,
            rules: &setup.rules,
            as_of: now.as_of,
            at: now.at,
            keys: &setup.keys,
            outputs: &setup.outputs,
            identities,
            cases_of: &|cluster| cases(ledger, linker.members(cluster)),
            confidence_of: &|cluster| confidence(linker.confidence(cluster)),
            awaits_review: &|cluster| {
                let members = linker.members(cluster);
                awaits_review(ledger, members, |records| linker.clusters_of(records))
            },
        };
        let (disclosed, told_before) = {
            let _stage = tracing::trace_span!(target: "stage", "disclose").entered();
            let touched = before.iter().copied().chain(people.iter().map(|person| person.cluster));
            let told_before = told.findings_of(touched);
            (desk.disclose(before, people, told_before.clone(), told), told_before)
        };
        self.review_findings(id, told_before, people, now.as_of, work);
        {
            let _stage = tracing::trace_span!(target: "stage", "seal").entered();
            self.send(id, disclosed, people, now, rng, work);
        }
        let _stage = tracing::trace_span!(target: "stage", "rows").entered();
        let scope = self.scopes.get_mut(id).expect("present above");
        scope.told.forget(&work.finished.remove(id).unwrap_or_default());
        for row in scope.rows() {
            work.change(self.partition, id.as_str(), row);
        }
    }

    /// Puts what is to be recorded into the chain, in the order in which it was said.
    fn record(&mut self, work: &mut Work) {
        let _stage = tracing::trace_span!(target: "stage", "audit").entered();
        for lines in std::mem::take(&mut work.lines).chunks(LINES_AT_ONCE) {
            let drafts: Vec<_> = lines.par_iter().map(Line::draft).collect();
            for draft in &drafts {
                let line = self.chain.push(draft);
                work.output(self.partition, AUDIT_TOPIC.to_owned(), line.seq.to_string(), Some(line.json));
            }
        }
    }

    /// Adds what concerns the partition as a whole and hands the transaction over.
    fn finish(&mut self, mut work: Work) -> (Transaction, BatchReport) {
        self.record(&mut work);
        for feed in std::mem::take(&mut work.counted) {
            let value = postcard::to_allocvec(&self.counters[&feed]).expect("counters have a plain form");
            let row = RowChange { kind: RowKind::Counters, id: feed.as_str().as_bytes().to_vec(), value: Some(value) };
            work.change(self.partition, "", row);
        }
        for scope in &self.scopes.keys().cloned().collect::<Vec<_>>() {
            if self.marked.insert(scope.clone()) {
                let made_with = postcard::to_allocvec(&self.mark(scope));
                let value = Some(made_with.expect("text and a number have a plain form"));
                work.change(
                    self.partition,
                    scope.as_str(),
                    RowChange { kind: RowKind::MadeWith, id: Vec::new(), value },
                );
            }
        }
        if work.transaction.outputs.iter().any(|output| output.topic == AUDIT_TOPIC) {
            let value = Some(self.chain.row());
            work.change(self.partition, "", RowChange { kind: RowKind::AuditHead, id: Vec::new(), value });
        }
        let until = self.chain.head().seq;
        for id in std::mem::take(&mut work.redact) {
            self.redactions.insert(id, until);
            let value = Some(until.to_be_bytes().to_vec());
            work.change(self.partition, "", RowChange { kind: RowKind::Redaction, id: id.to_vec(), value });
        }
        let positions = std::mem::take(&mut work.positions).into_iter();
        work.transaction.positions =
            positions.map(|((feed, partition), next_offset)| Position { feed, partition, next_offset }).collect();
        (work.transaction, work.report)
    }
}

/// Whom one round of disclosure is about.
struct People<'a> {
    /// As they were.
    before: &'a BTreeSet<ClusterId>,
    /// As they are, by id.
    now: &'a [Assessed],
    /// Who was told something and receives nothing any more.
    former: Vec<Recipient>,
}

/// How sure the weakest link of a person is, in words for a reader.
fn confidence(weakest: Option<Bits>) -> &'static str {
    match weakest {
        None => "single_source",
        Some(bits) if bits.to_f64() >= STRONG_BITS => "strong",
        Some(_) => "moderate",
    }
}

fn id_reused() -> Rejection {
    Rejection {
        code: RejectCode::IdReused,
        path: "/id".to_owned(),
        rule: "an id names one event for ever".to_owned(),
        help: "to correct an event, send a new one with a new id and `supersedes`".to_owned(),
    }
}
