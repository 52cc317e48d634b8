//! The agency's half of the first three stages: validate, normalise, pseudonymise; and the event that leaves.

use std::collections::BTreeSet;

use jiff::civil::Date;
use rand::CryptoRng;

use crate::config::agreement::Agreement;
use crate::keys::source::SourceKeys;
use crate::log::Header;
use crate::model::feed::FeedKind;
use crate::model::frequencies::PublishedFrequencies;
use crate::model::ids::{PartyId, ScopeId};
use crate::model::outcome::{RejectCode, Rejection};
use crate::model::tokens::Token;
use crate::normalise::event::normalise;
use crate::pseudonymise::Pseudonymiser;
use crate::pseudonymise::event::{Keep, blind};
use crate::pseudonymise::source::written;
use crate::validate::Validator;

use super::setup::feed_contexts;

/// Pseudonymises one agency's events of one scope.
pub struct Source {
    party: PartyId,
    kind: FeedKind,
    scope: ScopeId,
    keys: SourceKeys,
    pseudonymiser: Pseudonymiser,
    validator: Validator,
    day: Option<Date>,
}

/// An event that may leave.
pub struct Leaving {
    /// One JSON object.
    pub event: Vec<u8>,
    /// Identifiers dropped for a failed check letter or form.
    pub dropped_identifiers: u32,
    /// Fields that our schemas do not know, left behind.
    pub ignored_fields: u32,
}

impl Source {
    /// For a party of the agreement; `None` when it has no such feed.
    #[must_use]
    pub fn new(
        agreement: &Agreement,
        party: &PartyId,
        scope: &ScopeId,
        keys: SourceKeys,
        record_bytes: usize,
    ) -> Option<Self> {
        let kind = agreement.feed(party)?.kind;
        let validator = Validator::new(feed_contexts(agreement)).with_max_record_bytes(record_bytes);
        let pseudonymiser = Pseudonymiser::new(&keys.linkage);
        Some(Self { party: party.clone(), kind, scope: scope.clone(), keys, pseudonymiser, validator, day: None })
    }

    /// Keeps the addresses of refuges, by their tokens, from leaving even as tokens.
    #[must_use]
    pub fn with_refuges(mut self, refuges: BTreeSet<Token>) -> Self {
        self.pseudonymiser.hide_refuges(refuges);
        self
    }

    /// It is this day. Whoever was remembered is forgotten with the day before, as at the hub.
    pub fn begin_day(&mut self, day: Date) {
        if self.day.replace(day) != Some(day) {
            self.pseudonymiser.forget_people();
        }
    }

    /// One record from clear to what may leave.
    ///
    /// # Errors
    /// What is wrong with the record, as the hub would say it.
    pub fn pseudonymise(
        &self,
        headers: &[Header],
        payload: &[u8],
        appended_ms: i64,
        rng: &mut dyn CryptoRng,
    ) -> Result<Leaving, Rejection> {
        let valid = self.validator.validate(&self.party, headers, payload, appended_ms)?;
        let ignored_fields = valid.ignored_fields;
        if valid.pseudonymised.is_some() {
            return Err(refused(
                "/data/pseudonymised",
                "the event is in clear",
                "it was pseudonymised before: send it as it is",
            ));
        }
        if valid.facts.scope != self.scope {
            return Err(refused("/data/scope", "the scope is the one whose keys are here", "name it with --scope"));
        }
        let normal = normalise(valid);
        let (source, dropped_identifiers) = (normal.source.clone(), normal.dropped_identifiers());
        let nonce = || {
            let mut nonce = [0; 12];
            rng.fill_bytes(&mut nonce);
            nonce
        };
        let event = blind(&self.pseudonymiser, &self.keys.intake, normal, Keep::ForViews, nonce);
        let event = written(&source, self.kind, &event, self.keys.linkage.epoch(), dropped_identifiers);
        Ok(Leaving { event: event.to_string().into_bytes(), dropped_identifiers, ignored_fields })
    }

    /// What the hub must know of names that are common: tokens of public lists, and nobody's.
    #[must_use]
    pub fn frequencies(&self) -> PublishedFrequencies {
        PublishedFrequencies {
            scope: self.scope.clone(),
            linkage_epoch: self.keys.linkage.epoch(),
            frequencies: self.pseudonymiser.public_frequencies(),
        }
    }
}

fn refused(path: &str, rule: &str, help: &str) -> Rejection {
    let (path, rule, help) = (path.to_owned(), rule.to_owned(), help.to_owned());
    Rejection { code: RejectCode::WrongForm, path, rule, help }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::civil::date;
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;
    use zeroize::Zeroizing;

    use super::*;
    use crate::keys::linkage::LinkageKey;
    use crate::keys::vault::VaultKey;

    #[test]
    fn nobody_is_remembered_beyond_the_day() {
        let agreement = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/agreement.toml");
        let agreement = Agreement::load(&agreement).expect("the shipped agreement is in order");
        let (party, scope) = ("police".parse().expect("a name"), agreement.scopes[0].clone());
        let linkage = LinkageKey::new(scope.clone(), 1, Zeroizing::new([1; 32]));
        let keys = SourceKeys { linkage, intake: VaultKey::new(1, &[2; 32]) };
        let mut source = Source::new(&agreement, &party, &scope, keys, 1 << 20).expect("a feed");
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let crime = include_bytes!("../../schemas/examples/events/police.crime.v1.json");
        let mut tell = |source: &Source| {
            // Long after: 2200-01-01.
            source.pseudonymise(&[], crime, 7_258_118_400_000, &mut rng).map_err(|refused| refused.path)
        };
        source.begin_day(date(2026, 1, 1));
        let first = tell(&source).expect("an example");
        let held = source.pseudonymiser.people_held();
        assert!(held > 0);
        source.begin_day(date(2026, 1, 1));
        tell(&source).expect("an example");
        assert_eq!(source.pseudonymiser.people_held(), held, "the same people on the same day");
        source.begin_day(date(2026, 1, 2));
        assert_eq!(source.pseudonymiser.people_held(), 0, "another day");
        assert_eq!(tell(&source).expect("an example").event.len(), first.event.len());
    }
}
