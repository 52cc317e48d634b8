//! The register as performance figures see it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Engine;
use super::scope::Scope;
use crate::disclose::told::alert_id;
use crate::model::event::{Detail, day};
use crate::model::ids::{ClusterId, FindingId, PartyId, ScopeId};
use crate::model::linked::{LinkedEvent, LinkedPerson};

/// An alert as a recipient names it.
type Alert = (PartyId, String);

impl Engine {
    /// Every event in force of a scope, with the linked person behind each party, by time. Nothing of a scope that is not
    /// in this partition.
    #[must_use]
    pub fn linked_events(&self, scope: &ScopeId) -> Vec<LinkedEvent<'_>> {
        let Some(scope) = self.scopes.get(scope) else { return Vec::new() };
        let Scope { ledger, linker, .. } = scope;
        let alerted = self.alerted(scope);
        let mut events: Vec<_> = ledger
            .iter()
            .map(|(id, event)| LinkedEvent {
                id,
                agency: &event.agency,
                occurred_at: event.occurred_at,
                recorded_at: event.recorded_at,
                relationship: event.relationship,
                detail: &event.detail,
                about: event.detail.incident().and_then(|other| ledger.standing_for(other)),
                alerted_at: acknowledged(&event.agency, &event.detail).and_then(|alert| alerted.get(&alert).copied()),
                people: event
                    .participants
                    .iter()
                    .filter_map(|person| {
                        Some(LinkedPerson {
                            person: linker.cluster_of(person.record)?,
                            role: person.role,
                            status: person.status,
                            under_16: person.under_16,
                        })
                    })
                    .collect(),
            })
            .collect();
        events.sort_unstable_by_key(|event| (event.occurred_at, event.id));
        events
    }

    /// When the event of each alert was recorded that a recipient acknowledged.
    fn alerted(&self, scope: &Scope) -> BTreeMap<Alert, Timestamp> {
        let acknowledged: BTreeSet<Alert> =
            scope.ledger.iter().filter_map(|(_, event)| acknowledged(&event.agency, &event.detail)).collect();
        let parties: BTreeSet<&PartyId> = acknowledged.iter().map(|(party, _)| party).collect();
        let mut findings: BTreeMap<ClusterId, Vec<(FindingId, Alert)>> = BTreeMap::new();
        for party in parties {
            let Some(key) = self.setup.outputs.get(party) else { continue };
            for (finding, person, raised) in scope.told.alerts_to(party) {
                let alerts = (1..=raised).map(|generation| (party.clone(), alert_id(key, finding, generation)));
                let meant = alerts.filter(|alert| acknowledged.contains(alert)).map(|alert| (finding, alert));
                findings.entry(person).or_default().extend(meant);
            }
        }
        let latest = scope.ledger.iter().map(|(_, event)| day(event.recorded_at)).max().unwrap_or_default();
        let mut alerted = BTreeMap::new();
        for (person, findings) in findings.into_iter().filter(|(_, findings)| !findings.is_empty()) {
            let assessed = scope.assess(&[person], latest, &self.setup.rules);
            for (finding, alert) in findings {
                let found = assessed.iter().flat_map(|person| &person.findings).find(|found| found.id == finding);
                let trigger = found.and_then(|found| scope.ledger.in_force(found.trigger));
                alerted.extend(trigger.map(|trigger| (alert, trigger.recorded_at)));
            }
        }
        alerted
    }
}

/// The alert that an event acknowledges, if it does.
fn acknowledged(agency: &PartyId, detail: &Detail) -> Option<Alert> {
    match detail {
        Detail::AlertAcknowledged { alert, .. } => Some((agency.clone(), alert.clone())),
        _ => None,
    }
}
