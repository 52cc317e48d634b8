//! The register as performance figures see it.

use super::Engine;
use super::scope::Scope;
use crate::model::ids::ScopeId;
use crate::model::linked::{LinkedEvent, LinkedPerson};

impl Engine {
    /// Every event in force of a scope, with the linked person behind each party, by time. Nothing of a scope that is not
    /// in this partition.
    #[must_use]
    pub fn linked_events(&self, scope: &ScopeId) -> Vec<LinkedEvent<'_>> {
        let Some(Scope { ledger, linker, .. }) = self.scopes.get(scope) else { return Vec::new() };
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
}
