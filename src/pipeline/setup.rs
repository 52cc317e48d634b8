//! What does not change while the daemon runs, and the stages that need nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;
use rand_chacha::ChaCha20Rng;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::config::agreement::Agreement;
use crate::config::rules::Rules;
use crate::keys::KeyRing;
use crate::keys::linkage::LinkageKey;
use crate::keys::output::OutputKey;
use crate::link::LinkageModel;
use crate::log::FeedRecord;
use crate::model::event::BlindEvent;
use crate::model::ids::{PartyId, ScopeId};
use crate::model::outcome::{RejectCode, Rejection};
use crate::normalise::event::normalise;
use crate::pseudonymise::Pseudonymiser;
use crate::pseudonymise::event::blind;
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
    models: BTreeMap<ScopeId, Arc<LinkageModel>>,
    pub(super) validator: Validator,
    pub(super) pseudonymisers: BTreeMap<ScopeId, Pseudonymiser>,
    pub(super) outputs: BTreeMap<PartyId, OutputKey>,
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
        let pseudonymisers: BTreeMap<ScopeId, Pseudonymiser> =
            scopes.filter_map(|scope| Some((scope.clone(), Pseudonymiser::new(keys.linkage(scope)?)))).collect();
        let models = pseudonymisers.iter().map(|(scope, hash)| {
            let model = LinkageModel::clone(&model).with_frequencies(hash.public_frequencies());
            (scope.clone(), Arc::new(model))
        });
        let models = models.collect();
        let with_key = agreement.recipients.iter().filter(|recipient| keys.recipient(&recipient.party).is_some());
        let outputs = with_key.map(|recipient| (recipient.party.clone(), keys.output(&recipient.party))).collect();
        Self { agreement, rules, keys, model, models, validator, pseudonymisers, outputs }
    }

    /// The model by which a scope's people are linked.
    pub(super) fn model_of(&self, scope: &ScopeId) -> Arc<LinkageModel> {
        Arc::clone(self.models.get(scope).unwrap_or(&self.model))
    }

    /// What a scope's rows are made with.
    pub(super) fn made_with(&self, scope: &ScopeId) -> MadeWith {
        let key_epoch = self.keys.linkage(scope).map_or(0, LinkageKey::epoch);
        MadeWith { key_epoch, population: self.model.population(), model: self.model.text().to_owned() }
    }

    /// The model that a register was made with, if this version can still read it.
    pub(super) fn model_that_made(&self, scope: &ScopeId, made_with: &MadeWith) -> Option<LinkageModel> {
        let model = LinkageModel::parse(&made_with.model).ok()?.with_population(made_with.population);
        let hash = self.pseudonymisers.get(scope)?;
        Some(model.with_frequencies(hash.public_frequencies()))
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
        let pseudonymiser = self.pseudonymisers.get(&normal.facts.scope).ok_or_else(unserved_scope)?;
        let nonce = || {
            let mut nonce = [0; 12];
            nonces.fill_bytes(&mut nonce);
            nonce
        };
        let event = blind(pseudonymiser, self.keys.vault(), normal, nonce);
        Ok(Taken { event, ignored_fields, dropped_identifiers })
    }

    /// As `read`, but a fault of ours rejects the record instead of stopping the feed for everybody.
    pub(super) fn read_guarded(&self, record: &FeedRecord, nonces: &mut ChaCha20Rng) -> Result<Taken, Rejection> {
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

fn unserved_scope() -> Rejection {
    Rejection {
        code: RejectCode::UnknownScope,
        path: "/data/scope".to_owned(),
        rule: "the scope must be one that this deployment serves".to_owned(),
        help: "send events of other partnerships to their own deployment".to_owned(),
    }
}
