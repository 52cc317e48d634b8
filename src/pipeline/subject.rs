//! What is held about one person, for whoever may look: a subject-access request, an erasure, an inspection. Ids, codes and
//! dates; a name is looked for by its tokens and found by none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use zeroize::Zeroizing;

use super::Engine;
use super::scope::Scope;
use super::setup::Setup;
use crate::config::agreement::Feed;
use crate::disclose::identities::OpenedPerson;
use crate::log::FeedRecord;
use crate::model::event::{BlindPerson, Detail, Role, Status, day};
use crate::model::feed::FeedKind;
use crate::model::ids::{ClusterId, EventId, LocalRefId, PartyId, RecordId, ScopeId};

/// One linked person, as the register has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Who.
    pub person: ClusterId,
    /// Their records.
    pub records: BTreeSet<RecordId>,
    /// The agencies' references for them, hashed.
    pub local_refs: BTreeSet<LocalRefId>,
    /// What agencies told, the oldest first.
    pub events: Vec<HeldEvent>,
    /// Recipients on whose list the person stands.
    pub listed_to: BTreeSet<PartyId>,
}

/// What one event says of the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldEvent {
    /// Which.
    pub event: EventId,
    /// Who told.
    pub agency: PartyId,
    /// What it tells of, e.g. `incident`.
    pub what: String,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When the agency wrote it down.
    pub recorded_at: Timestamp,
    /// What the person was in it.
    pub role: Role,
    /// Allegation, charge, conviction, client …
    pub status: Status,
    /// The last day that it is held.
    pub held_until: Date,
}

/// Linked persons whom somebody's identity fits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resembling {
    /// It would be linked with these.
    pub same: BTreeSet<ClusterId>,
    /// A person would have to look at these.
    pub perhaps: BTreeSet<ClusterId>,
}

impl Engine {
    /// What is held about a linked person; `None` when there is none of this id.
    #[must_use]
    pub fn person(&self, scope: &ScopeId, person: ClusterId) -> Option<Person> {
        let Scope { ledger, linker, told, .. } = self.scopes.get(scope)?;
        let records: BTreeSet<_> = linker.members(person).iter().copied().collect();
        let (mut events, mut local_refs) = (BTreeMap::new(), BTreeSet::new());
        for (id, event) in records.iter().flat_map(|record| ledger.of_record(*record)) {
            let days = self.setup.retention_days(&event.agency);
            let happened = day(event.occurred_at);
            for me in event.participants.iter().filter(|person| records.contains(&person.record)) {
                local_refs.insert(me.local_ref);
                let held = HeldEvent {
                    event: id,
                    agency: event.agency.clone(),
                    what: name_of(&event.detail),
                    occurred_at: event.occurred_at,
                    recorded_at: event.recorded_at,
                    role: me.role,
                    status: me.status,
                    held_until: happened.saturating_add(i64::from(days).days()),
                };
                events.insert((event.occurred_at, id, me.record), held);
            }
        }
        let recipients = self.setup.agreement.recipients.iter().map(|recipient| &recipient.party);
        let listed_to = recipients.filter(|party| told.listed(person, party).is_some()).cloned().collect();
        let events = events.into_values().collect();
        (!records.is_empty()).then_some(Person { person, records, local_refs, events, listed_to })
    }

    /// Who a person is, record by record, as agencies wrote it down: for the person themself, who asked.
    #[must_use]
    pub fn written(&self, scope: &ScopeId, person: &Person) -> BTreeMap<RecordId, OpenedPerson> {
        let Some(Scope { identities, .. }) = self.scopes.get(scope) else { return BTreeMap::new() };
        let opened = |record: &RecordId| Some((*record, identities.open(*record, scope, &self.setup.keys)?));
        person.records.iter().filter_map(opened).collect()
    }

    /// Is the scope's register in this partition?
    #[must_use]
    pub fn has(&self, scope: &ScopeId) -> bool {
        self.scopes.contains_key(scope)
    }

    /// The linked person who has a record.
    #[must_use]
    pub fn person_of(&self, scope: &ScopeId, record: RecordId) -> Option<ClusterId> {
        self.scopes.get(scope)?.linker.cluster_of(record)
    }

    /// The linked persons to whom an agency's own reference belongs.
    #[must_use]
    pub fn persons_by_reference(&self, scope: &ScopeId, agency: &PartyId, local_ref: &str) -> BTreeSet<ClusterId> {
        let hash = self.setup.pseudonymisers.get(scope).map(|hash| hash.local_ref(agency, local_ref));
        let (Some(wanted), Some(scope)) = (hash, self.scopes.get(scope)) else { return BTreeSet::new() };
        let people = scope.ledger.iter().flat_map(|(_, event)| &event.participants);
        let records = people.filter(|person| person.local_ref == wanted).map(|person| person.record);
        records.filter_map(|record| scope.linker.cluster_of(record)).collect()
    }

    /// The linked persons whom an identity fits, by the rules that link records. The register in hand is as before.
    pub fn persons_like(&mut self, scope: &ScopeId, person: BlindPerson) -> Resembling {
        let agency = "asked".parse().expect("a name of the right form");
        let Some(Scope { linker, .. }) = self.scopes.get_mut(scope) else { return Resembling::default() };
        let asked = person.record;
        if let Some(person) = linker.cluster_of(asked) {
            return Resembling { same: BTreeSet::from([person]), ..Resembling::default() };
        }
        linker.insert(asked, agency, person.local_ref, &person.tokens);
        let settled = linker.settle();
        let joined = linker.cluster_of(asked).map(|cluster| linker.members(cluster).to_vec()).unwrap_or_default();
        let questions = settled.reviews_raised.iter();
        let asked_about = questions.filter_map(|question| match (question.a == asked, question.b == asked) {
            (true, _) => Some(question.b),
            (_, true) => Some(question.a),
            (false, false) => None,
        });
        let asked_about: Vec<_> = asked_about.collect();
        linker.remove(asked);
        linker.settle();
        let clusters = |records: &[RecordId]| records.iter().filter_map(|record| linker.cluster_of(*record)).collect();
        Resembling { same: clusters(&joined), perhaps: clusters(&asked_about) }
    }
}

impl Setup {
    /// Hashes an identity as an agency's would be: a JSON object of the form that events have. `None` when it is not one.
    #[must_use]
    pub fn pseudonymise(&self, scope: &ScopeId, identity: &serde_json::Value) -> Option<BlindPerson> {
        let (feed, event, own) = self.agreement.feeds.iter().find_map(harmless)?;
        // Of a day when everybody was born and grown up: an identity's hash is of no day.
        let (at, source) = (ASKED_AT.to_string(), feed.sources.first()?);
        let mut data = serde_json::json!({
            "scope": scope, "occurred_at": at, "recorded_at": at, "regime": feed.regime,
            "persons": [{"local_ref": "asked", "role": "perpetrator", "status": "suspect", "identity": identity}],
        });
        data.as_object_mut()?.extend(own.as_object()?.clone());
        let kind = format!("uk.priorityd.{}.{event}.v1", feed.kind.as_str());
        let whole = serde_json::json!({
            "specversion": "1.0", "id": "asked", "source": source, "type": kind, "data": data,
        });
        let (party, appended_ms) = (feed.party.clone(), ASKED_AT.as_millisecond());
        let payload = Zeroizing::new(whole.to_string().into_bytes());
        let record = FeedRecord {
            feed: party,
            partition: 0,
            partitions: 1,
            offset: 0,
            appended_ms,
            headers: Vec::new(),
            payload,
        };
        // What is sealed here is thrown away: its nonces need no randomness.
        let mut nonces = rand::SeedableRng::from_seed([0; 32]);
        self.read_guarded(&record, &BTreeMap::new(), &mut nonces).ok()?.event.persons.pop()
    }
}

/// 2200-01-01.
const ASKED_AT: Timestamp = Timestamp::constant(7_258_118_400, 0);

/// An event that a feed could send about anybody, to hash whom it names.
fn harmless(feed: &Feed) -> Option<(&Feed, &'static str, serde_json::Value)> {
    let (event, own) = match feed.kind {
        FeedKind::Police => ("incident", serde_json::json!({"children_present": "no", "alcohol": "not_asked"})),
        FeedKind::LocalAuthority => ("marac_referral", serde_json::json!({"criterion": "repeat"})),
        FeedKind::Service => ("referral_received", serde_json::json!({"referrer": "other"})),
        FeedKind::Crc | FeedKind::Review => return None,
    };
    Some((feed, event, own))
}

/// The last part of the event's type.
fn name_of(detail: &Detail) -> String {
    match serde_json::to_value(detail) {
        Ok(serde_json::Value::Object(variant)) => variant.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    }
}
