//! Did a referral to the service for a victim's grade follow in the agreed time?

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;

use super::findings::of_appearance;
use super::history::Appearance;
use crate::config::rules::Routing;
use crate::model::event::{CaseState, Detail, Risk, Role};
use crate::model::finding::{Finding, FindingKind};
use crate::model::ids::PartyId;

/// The grade that awaits a referral, if its time is over. A higher grade takes the place of a lower one that waits, a
/// lower one does not; any service for that grade or a higher one will do, and so does one that has the victim already.
pub(super) fn unrouted(history: &[Appearance<'_>], as_of: Date, routing: &Routing, found: &mut Vec<Finding>) {
    let mut waits: Option<(&Appearance<'_>, Risk)> = None;
    let mut supported_by: BTreeSet<&PartyId> = BTreeSet::new();
    for entry in history.iter().filter(|entry| entry.me.role == Role::Victim && !entry.me.under_16) {
        let service = &entry.event.agency;
        if let Some((grade, _)) = entry.event.detail.graded() {
            let served = supported_by.iter().filter_map(|service| routing.serves(service)).max();
            if served < Some(grade) && waits.is_none_or(|(_, waiting)| waiting < grade) {
                waits = Some((entry, grade));
            }
            continue;
        }
        match contact(&entry.event.detail) {
            Some(Contact::Begins) => drop(supported_by.insert(service)),
            Some(Contact::Ends) => drop(supported_by.remove(service)),
            None => continue,
        }
        if routing.serves(service) >= waits.map(|(_, grade)| grade) {
            waits = None;
        }
    }
    let Some((assessment, grade)) = waits else { return };
    if as_of > assessment.on().saturating_add(i64::from(routing.days).days()) {
        let mut finding = of_appearance(FindingKind::Unrouted, assessment);
        finding.facts.risk = Some((grade, grade));
        finding.facts.service = Some(routing.service(grade).clone());
        found.push(finding);
    }
}

/// What an event of a service says of its being there for the client.
enum Contact {
    Begins,
    /// Also when the client declines: the offer was made, and is over.
    Ends,
}

fn contact(detail: &Detail) -> Option<Contact> {
    match detail {
        Detail::ReferralReceived { .. }
        | Detail::CaseloadEntry { state: CaseState::Open }
        | Detail::ContactAttempt { .. }
        | Detail::Engaged {}
        | Detail::RiskAtStart { .. } => Some(Contact::Begins),
        Detail::CaseloadEntry { state: CaseState::Closed } | Detail::Declined { .. } | Detail::Closed { .. } => {
            Some(Contact::Ends)
        }
        _ => None,
    }
}
