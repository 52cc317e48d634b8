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
mod index;
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
    /// Linked persons who share an event with this one, whenever it was; sorted.
    pub neighbours: Vec<ClusterId>,
    /// Does any event name them as victim, and any as perpetrator?
    pub in_both_roles: bool,
}

/// Assesses linked persons, each with their records.
#[must_use]
pub fn assess(
    ledger: &Ledger,
    people: &[(ClusterId, &[RecordId])],
    clusters_of: impl Fn(&[RecordId]) -> Vec<Option<ClusterId>>,
    as_of: Date,
    rules: &Rules,
) -> Vec<Assessed> {
    let records: Vec<_> = people.iter().map(|(_, records)| *records).collect();
    let histories = history::histories(ledger, &records, clusters_of);
    let assessed = people.iter().zip(histories).map(|((cluster, records), mut history)| {
        let mut neighbours: Vec<_> =
            history.iter().flat_map(|entry| &entry.others).map(|other| other.cluster).collect();
        neighbours.sort_unstable();
        neighbours.dedup();
        neighbours.retain(|other| other != cluster);
        let in_both_roles = is_in_both_roles(&history);
        let has_case = history.iter().any(|entry| matches!(entry.event.detail, Detail::CaseloadEntry { .. }));
        let cases = if has_case { cases(ledger, records) } else { BTreeMap::new() };
        history.retain(|appearance| appearance.on() <= as_of);
        let past = history::Past::of(history);
        let findings = findings::findings(&past, as_of, rules);
        let profiles = [Role::Victim, Role::Perpetrator]
            .into_iter()
            .filter_map(|role| profile::profile(&past, &findings, role, as_of, rules))
            .collect();
        Assessed { cluster: *cluster, findings, profiles, cases, neighbours, in_both_roles }
    });
    assessed.collect()
}

fn is_in_both_roles(history: &[history::Appearance<'_>]) -> bool {
    let seen_as = |role| history.iter().any(|entry| entry.me.role == role);
    seen_as(Role::Victim) && seen_as(Role::Perpetrator)
}

/// Is somebody seen in both roles, and nobody has looked at it yet?
#[must_use]
pub fn awaits_review(
    ledger: &Ledger,
    records: &[RecordId],
    clusters_of: impl Fn(&[RecordId]) -> Vec<Option<ClusterId>>,
) -> bool {
    let history = history::histories(ledger, &[records], clusters_of).pop().unwrap_or_default();
    // The cheap question first: few people are seen in both roles.
    if !is_in_both_roles(&history) {
        return false;
    }
    let found = findings::both_roles(&history::Past::of(history));
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
