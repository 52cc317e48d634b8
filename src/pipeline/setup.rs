//! What does not change while the daemon runs, and the stages that need nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha20Rng;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::assess::ledger::Age;
use crate::config::agreement::Agreement;
use crate::config::rules::Rules;
use crate::keys::KeyRing;
use crate::keys::linkage::LinkageKey;
use crate::keys::output::OutputKey;
use crate::link::LinkageModel;
use crate::log::FeedRecord;
use crate::model::event::{BlindEvent, Facts, day};
use crate::model::feed::FeedKind;
use crate::model::finding::Finding;
use crate::model::frequencies::PublishedFrequencies;
use crate::model::ids::{PartyId, ScopeId};
use crate::model::outcome::{RejectCode, Rejection};
use crate::model::tokens::Token;
use crate::normalise::event::normalise;
use crate::pseudonymise::Pseudonymiser;
use crate::pseudonymise::event::{Keep, blind, unkeyed};
use crate::pseudonymise::source::admit;
use crate::validate::Validator;
use crate::validate::feed::FeedContext;

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
    pub(super) agreement: Agreement,
    pub(super) rules: Rules,
    pub(super) keys: Arc<KeyRing>,
    pub(super) model: Arc<LinkageModel>,
    /// The model with the public frequencies of names under each scope's own key.
    models: Arc<BTreeMap<ScopeId, Arc<LinkageModel>>>,
    record_bytes: usize,
    pub(super) validator: Validator,
    pub(super) pseudonymisers: Arc<BTreeMap<ScopeId, Pseudonymiser>>,
    /// Of everybody whom the ring has a key of: who was a recipient once may have to be told that it is over.
    pub(super) outputs: Arc<BTreeMap<PartyId, OutputKey>>,
    /// Hashes under earlier epochs of linkage keys, with the model as they see it: for registers not hashed anew yet.
    earlier: Arc<BTreeMap<(ScopeId, u32), Earlier>>,
    /// Places that are kept out of everything, by their tokens.
    refuges: BTreeSet<Token>,
    /// What agencies published that hash at source; empty where we hash.
    published: BTreeMap<ScopeId, PublishedFrequencies>,
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
        let validator = validator(&agreement, record_bytes);
        let scopes = agreement.scopes.iter();
        let pseudonymisers: BTreeMap<ScopeId, Pseudonymiser> =
            scopes.filter_map(|scope| Some((scope.clone(), Pseudonymiser::new(keys.linkage(scope)?)))).collect();
        let models = pseudonymisers.iter().map(|(scope, hash)| {
            let model = LinkageModel::clone(&model).with_frequencies(hash.public_frequencies());
            (scope.clone(), Arc::new(model))
        });
        let models = Arc::new(models.collect());
        let parties = keys.listing().iter().filter_map(|key| key.meta.party.clone());
        let with_key = parties.filter(|party| keys.recipient(party).is_some());
        let outputs = Arc::new(with_key.map(|party| (party.clone(), keys.output(&party))).collect());
        let is_served = |scope: &ScopeId| agreement.scopes.contains(scope);
        let is_active = |key: &LinkageKey| keys.linkage(key.scope()).map(LinkageKey::epoch) == Some(key.epoch());
        let earlier = keys.linkage_keys().filter(|key| is_served(key.scope()) && !is_active(key)).map(|key| {
            let hash = Pseudonymiser::new(key);
            let model = LinkageModel::clone(&model).with_frequencies(hash.public_frequencies());
            ((key.scope().clone(), key.epoch()), Earlier { hash, model: Arc::new(model) })
        });
        let earlier = Arc::new(earlier.collect());
        let pseudonymisers = Arc::new(pseudonymisers);
        let (published, refuges) = (BTreeMap::new(), BTreeSet::new());
        Self {
            agreement,
            rules,
            keys,
            model,
            models,
            record_bytes,
            validator,
            pseudonymisers,
            outputs,
            earlier,
            refuges,
            published,
        }
    }

    /// The same with another key ring.
    #[must_use]
    pub fn with_keys(&self, keys: Arc<KeyRing>) -> Self {
        let (agreement, rules) = (self.agreement.clone(), self.rules.clone());
        let setup = Self::new(agreement, rules, keys, Arc::clone(&self.model), self.record_bytes);
        let setup = setup.with_refuges(&self.refuges);
        if self.published.is_empty() { setup } else { setup.tokens_only(self.published.values().cloned()) }
    }

    /// Takes only events that were pseudonymised at the source: for a hub without a linkage key. How common which tokens
    /// are comes from an agency, scope by scope.
    #[must_use]
    pub fn tokens_only(self, published: impl IntoIterator<Item = PublishedFrequencies>) -> Self {
        let published: BTreeMap<_, _> = published.into_iter().map(|table| (table.scope.clone(), table)).collect();
        let model = |table: &PublishedFrequencies| {
            Arc::new(LinkageModel::clone(&self.model).with_frequencies(table.frequencies.clone()))
        };
        let models = Arc::new(published.iter().map(|(scope, table)| (scope.clone(), model(table))).collect());
        let validator = self.validator.tokens_only();
        Self { validator, models, published, pseudonymisers: Arc::default(), earlier: Arc::default(), ..self }
    }

    /// Keeps the addresses of refuges, by their tokens, out of everything.
    ///
    /// # Panics
    /// When the setup is shared already: what was taken in before would have them.
    #[must_use]
    pub fn with_refuges(mut self, refuges: &BTreeSet<Token>) -> Self {
        let own = Arc::get_mut(&mut self.pseudonymisers).expect("it is being put together");
        own.values_mut().for_each(|pseudonymiser| pseudonymiser.hide_refuges(refuges.clone()));
        self.refuges.clone_from(refuges);
        self
    }

    /// The same under another agreement about the same scopes.
    #[must_use]
    pub fn under(&self, agreement: Agreement) -> Self {
        let validator = validator(&agreement, self.record_bytes);
        Self {
            validator: if self.published.is_empty() { validator } else { validator.tokens_only() },
            agreement,
            rules: self.rules.clone(),
            keys: Arc::clone(&self.keys),
            model: Arc::clone(&self.model),
            models: Arc::clone(&self.models),
            record_bytes: self.record_bytes,
            pseudonymisers: Arc::clone(&self.pseudonymisers),
            outputs: Arc::clone(&self.outputs),
            earlier: Arc::clone(&self.earlier),
            refuges: self.refuges.clone(),
            published: self.published.clone(),
        }
    }

    /// The model by which a scope's people are linked whose tokens are of an epoch.
    pub(super) fn model_under(&self, scope: &ScopeId, epoch: u32) -> Arc<LinkageModel> {
        match self.earlier.get(&(scope.clone(), epoch)) {
            Some(earlier) => Arc::clone(&earlier.model),
            None => Arc::clone(self.models.get(scope).unwrap_or(&self.model)),
        }
    }

    /// What hashes under one epoch of a scope's linkage key, active or looking up only.
    pub(super) fn hash_under(&self, scope: &ScopeId, epoch: u32) -> Option<&Pseudonymiser> {
        match self.earlier.get(&(scope.clone(), epoch)) {
            Some(earlier) => Some(&earlier.hash),
            None => self.pseudonymisers.get(scope).filter(|_| self.linkage_epoch(scope) == Some(epoch)),
        }
    }

    /// Nobody's tokens are remembered any longer: somebody was erased, or a day is over and with it the retention of some.
    pub(super) fn forget_people(&self) {
        self.pseudonymisers.values().for_each(Pseudonymiser::forget_people);
        self.earlier.values().for_each(|earlier| earlier.hash.forget_people());
    }

    /// What a scope's rows are made with.
    pub(super) fn made_with(&self, scope: &ScopeId) -> MadeWith {
        let key_epoch = self.linkage_epoch(scope).unwrap_or(0);
        MadeWith { key_epoch, population: self.model.population(), model: self.model.text().to_owned() }
    }

    /// The model that a register was made with, if this version can still read it.
    pub(super) fn model_that_made(&self, scope: &ScopeId, made_with: &MadeWith) -> Option<LinkageModel> {
        let model = LinkageModel::parse(&made_with.model).ok()?.with_population(made_with.population);
        let frequencies = match self.published.get(scope) {
            Some(published) => published.frequencies.clone(),
            None => self.hash_under(scope, made_with.key_epoch)?.public_frequencies(),
        };
        Some(model.with_frequencies(frequencies))
    }

    /// Is the retention of what an agency told of that day over? Decisions and erasures stay as long as any event may.
    pub(super) fn lapsed(&self, agency: &PartyId, occurred_at: Timestamp, as_of: Date) -> bool {
        is_over(occurred_at, self.retention_days(agency), as_of)
    }

    /// How much of an event may be kept on that day.
    pub(super) fn age(&self, facts: &Facts, as_of: Date) -> Age {
        match self.lapsed(&facts.agency, facts.occurred_at, as_of) {
            true if self.all_lapsed(facts.recorded_at, as_of) => Age::StubOver,
            true => Age::Over,
            false => Age::Held,
        }
    }

    /// For how many days what an agency told is held.
    pub(super) fn retention_days(&self, agency: &PartyId) -> u32 {
        let feed = self.agreement.feed(agency).filter(|feed| feed.kind != FeedKind::Review);
        feed.map_or_else(|| self.longest_retention(), |feed| feed.retention_days)
    }

    /// Would every event that was recorded then have lapsed?
    pub(super) fn all_lapsed(&self, recorded_at: Timestamp, as_of: Date) -> bool {
        is_over(recorded_at, self.longest_retention(), as_of)
    }

    fn longest_retention(&self) -> u32 {
        self.agreement.feeds.iter().map(|feed| feed.retention_days).max().unwrap_or(u32::MAX)
    }

    /// Is a finding withdrawn by that day, whatever else is held?
    pub(super) fn is_withdrawn(&self, finding: &Finding, as_of: Date) -> bool {
        let days = self.agreement.finding_days.get(&finding.kind);
        days.is_some_and(|days| finding.on.saturating_add(i64::from(*days).days()) < as_of)
    }

    /// The agreement in use.
    #[must_use]
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// The rules of assessment.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The key ring in use.
    #[must_use]
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// One record from bytes to a blind event: the stages that need nobody else.
    fn read(
        &self,
        record: &FeedRecord,
        epochs: &BTreeMap<ScopeId, u32>,
        nonces: &mut ChaCha20Rng,
    ) -> Result<Taken, Rejection> {
        let mut valid = self.validator.validate(&record.feed, &record.headers, &record.payload, record.appended_ms)?;
        let ignored_fields = valid.ignored_fields;
        let scope = &valid.facts.scope;
        let epoch = epochs.get(scope).copied().or_else(|| self.linkage_epoch(scope)).ok_or_else(unserved_scope)?;
        let nonce = || {
            let mut nonce = [0; 12];
            nonces.fill_bytes(&mut nonce);
            nonce
        };
        if let Some(source) = valid.pseudonymised.take() {
            if source.linkage_epoch != epoch {
                return Err(other_epoch());
            }
            let dropped_identifiers = source.dropped_identifiers;
            let mut facts = valid.facts;
            if let Some(incident) = facts.detail.incident_mut() {
                *incident = source.incident;
            }
            let intake = |epoch| self.keys.intake(&record.feed, epoch);
            let event = admit(facts, source, intake, self.keys.vault(), nonce).ok_or_else(sealed_otherwise)?;
            return Ok(Taken { event, ignored_fields, dropped_identifiers });
        }
        let normal = {
            let _stage = tracing::trace_span!(target: "stage", "normalise").entered();
            normalise(valid)
        };
        let dropped_identifiers = normal.dropped_identifiers();
        let _stage = tracing::trace_span!(target: "stage", "pseudonymise").entered();
        let event = match self.hash_under(&normal.facts.scope, epoch) {
            Some(pseudonymiser) => blind(pseudonymiser, self.keys.vault(), normal, Keep::ForRekeying, nonce),
            // Without a linkage key the validator lets nothing in clear through but reviewers' events.
            None => unkeyed(normal),
        };
        Ok(Taken { event, ignored_fields, dropped_identifiers })
    }

    /// The epoch of the linkage key that a scope's tokens are made with: ours, or that of the agencies who hash at source.
    pub(super) fn linkage_epoch(&self, scope: &ScopeId) -> Option<u32> {
        let published = self.published.get(scope).map(|published| published.linkage_epoch);
        published.or_else(|| self.keys.linkage(scope).map(LinkageKey::epoch))
    }

    /// As `read`, but a fault of ours rejects the record instead of stopping the feed for everybody.
    pub(super) fn read_guarded(
        &self,
        record: &FeedRecord,
        epochs: &BTreeMap<ScopeId, u32>,
        nonces: &mut ChaCha20Rng,
    ) -> Result<Taken, Rejection> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.read(record, epochs, nonces))).unwrap_or_else(|_| {
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

fn validator(agreement: &Agreement, record_bytes: usize) -> Validator {
    Validator::new(feed_contexts(agreement)).with_max_record_bytes(record_bytes)
}

fn is_over(since: Timestamp, days: u32, as_of: Date) -> bool {
    day(since).saturating_add(i64::from(days).days()) < as_of
}

/// What hashes under an earlier linkage key, and the model as that key sees it.
struct Earlier {
    hash: Pseudonymiser,
    model: Arc<LinkageModel>,
}

/// The linkage model and key epoch that a scope's rows were made with: weights and tokens of another mean nothing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MadeWith {
    pub(super) key_epoch: u32,
    /// How many people the model was set for.
    pub(super) population: u32,
    /// The model file, so that a later model can tell what it changes.
    pub(super) model: String,
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

/// An event made blind, and what was left aside on the way.
pub(super) struct Taken {
    pub(super) event: BlindEvent,
    pub(super) ignored_fields: u32,
    pub(super) dropped_identifiers: u32,
}

fn other_epoch() -> Rejection {
    Rejection {
        code: RejectCode::OtherEpoch,
        path: "/data/pseudonymised/linkage_epoch".to_owned(),
        rule: "tokens are made with the linkage key that the register is made with".to_owned(),
        help: "pseudonymise the event again with the active linkage key of the partnership".to_owned(),
    }
}

fn sealed_otherwise() -> Rejection {
    Rejection {
        code: RejectCode::SealedOtherwise,
        path: "/data/persons".to_owned(),
        rule: "identity is sealed with the intake key of this feed, for this scope and record".to_owned(),
        help:
            "seal with the key that `priorityd keys new intake` made for this feed, and send what was written unchanged"
                .to_owned(),
    }
}

fn unserved_scope() -> Rejection {
    Rejection {
        code: RejectCode::UnknownScope,
        path: "/data/scope".to_owned(),
        rule: "the scope must be one that this deployment serves".to_owned(),
        help: "send events of other partnerships to their own deployment".to_owned(),
    }
}
