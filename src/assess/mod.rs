//! Findings from events: a pure function of one linked person's events in force, the rules and the as-of date.
//!
//! Owns the ledger of events and the rules. Sees record ids, dates and codes; never a token, never a name.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::config::rules::Rules;
use crate::model::decision::{Judgement, Subject};
use crate::model::event::{Detail, Role};
use crate::model::finding::{Finding, Profile};
use crate::model::ids::{ClusterId, PartyId, RecordId};
use ledger::{Case, Ledger};

mod children;
mod decisions;
mod disclosure_scheme;
mod erasures;
pub mod findings;
pub mod history;
pub mod ledger;
mod matac;
mod orders;
pub mod outlook;
mod pathways;
pub mod profile;
mod routing;
pub mod standing;

/// Everything that is known of one linked person as of a date.
pub struct Assessed {
    /// Who.
    pub cluster: ClusterId,
    /// What was found, by id.
    pub findings: Vec<Finding>,
    /// As victim and as perpetrator, where there is a report within the list window.
    pub profiles: Vec<Profile>,
    /// Services that have, or had, the person as a client.
    pub cases: BTreeMap<PartyId, Case>,
}

/// Assesses one linked person.
#[must_use]
pub fn assess(
    ledger: &Ledger,
    cluster: ClusterId,
    records: &[RecordId],
    cluster_of: impl Fn(RecordId) -> Option<ClusterId>,
    as_of: Date,
    rules: &Rules,
) -> Assessed {
    let mut history = history::appearances(ledger, records, cluster_of);
    history.retain(|appearance| appearance.on() <= as_of);
    let past = history::Past::of(history);
    let findings = findings::findings(&past, as_of, rules);
    let profiles = [Role::Victim, Role::Perpetrator]
        .into_iter()
        .filter_map(|role| profile::profile(&past, &findings, role, as_of, rules))
        .collect();
    Assessed { cluster, findings, profiles, cases: cases(ledger, records) }
}

/// Is somebody seen in both roles, and nobody has looked at it yet?
#[must_use]
pub fn awaits_review(
    ledger: &Ledger,
    records: &[RecordId],
    cluster_of: impl Fn(RecordId) -> Option<ClusterId>,
) -> bool {
    let events = || records.iter().flat_map(|record| ledger.of_record(*record).map(move |(_, event)| (*record, event)));
    let seen_as = |role| {
        events().any(|(record, event)| {
            event.participants.iter().any(|person| person.record == record && person.role == role)
        })
    };
    // The cheap question first: few people are seen in both roles.
    if !(seen_as(Role::Victim) && seen_as(Role::Perpetrator)) {
        return false;
    }
    let past = history::Past::of(history::appearances(ledger, records, cluster_of));
    let found = findings::both_roles(&past);
    found.is_some_and(|finding| ledger.decision(Subject::Finding(finding.id)) != Some(Judgement::Seen))
}

/// Services that have, or had, one of the records as a client. Of several cases an open one counts before a closed one,
/// and among equals the one whose record comes first.
#[must_use]
pub fn cases(ledger: &Ledger, records: &[RecordId]) -> BTreeMap<PartyId, Case> {
    let mut cases: BTreeMap<PartyId, Case> = BTreeMap::new();
    for record in records {
        for (_, event) in ledger.of_record(*record) {
            if !matches!(event.detail, Detail::CaseloadEntry { .. }) {
                continue;
            }
            let Some(case) = ledger.case(event) else { continue };
            let kept = cases.entry(event.agency.clone()).or_insert(case);
            if (!case.open, case.record) < (!kept.open, kept.record) {
                *kept = case;
            }
        }
    }
    cases
}
