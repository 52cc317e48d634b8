//! What is true of what was told: every event in force at the end, with the true person behind each party. It is what the
//! register would hold if linkage made no mistake.

use jiff::Timestamp;

use super::plan::{Plan, day, moment};
use super::truth::Nature;
use crate::model::event::{Detail, Relationship, Role};
use crate::model::ids::{ClusterId, EventId, PartyId};
use crate::model::linked::{LinkedEvent, LinkedPerson};

/// One event in force. Ids are numbers of the city's own; a person's is their true number.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueEvent {
    id: EventId,
    agency: PartyId,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    relationship: Option<Relationship>,
    detail: Detail,
    about: Option<EventId>,
    people: Vec<LinkedPerson>,
}

impl TrueEvent {
    /// The event as the register would hold it.
    #[must_use]
    pub fn linked(&self) -> LinkedEvent<'_> {
        LinkedEvent {
            id: self.id,
            agency: &self.agency,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
            relationship: self.relationship,
            detail: &self.detail,
            about: self.about,
            alerted_at: None,
            people: self.people.clone(),
        }
    }
}

impl TrueEvent {
    /// Who took part: true number, role, under 16.
    pub(super) fn people(&self) -> impl Iterator<Item = (u32, Role, bool)> + '_ {
        self.people.iter().map(|person| (true_number(person.person), person.role, person.under_16))
    }
}

/// The id by which a true person goes in [`TrueEvent`]s.
#[must_use]
pub fn true_person(number: u32) -> ClusterId {
    ClusterId(u128::from(number).to_be_bytes())
}

fn true_number(person: ClusterId) -> u32 {
    u32::try_from(u128::from_be_bytes(person.0)).expect("people of a city are numbered so")
}

/// All events that are in force when the play ends, by time.
pub(super) fn true_events(plan: &Plan<'_>, agencies: &[PartyId]) -> Vec<TrueEvent> {
    let mut is_sent = vec![false; plan.events.len()];
    for sending in plan.sendings.iter().filter(|sending| sending.nature == Nature::Good && sending.at < plan.ends) {
        is_sent[sending.event as usize] = true;
    }
    // Every event has one successor at the most.
    let mut successors = vec![None; plan.events.len()];
    for (number, event) in plan.events.iter().enumerate().filter(|(number, _)| is_sent[*number]) {
        if let Some(earlier) = event.supersedes {
            successors[earlier as usize] = Some(number);
        }
    }
    let standing_for = |number: u32| {
        let last = std::iter::successors(Some(number as usize), |at| successors[*at]).last()?;
        let in_force = is_sent[last] && !matches!(plan.events[last].detail, Detail::Cancel { .. });
        in_force.then(|| event_id(last))
    };
    let mut events: Vec<_> = plan
        .events
        .iter()
        .enumerate()
        .filter(|(number, event)| {
            is_sent[*number] && successors[*number].is_none() && !matches!(event.detail, Detail::Cancel { .. })
        })
        .map(|(number, event)| TrueEvent {
            id: event_id(number),
            agency: agencies[event.party as usize].clone(),
            occurred_at: moment(event.occurred),
            recorded_at: moment(event.recorded),
            relationship: event.relationship,
            detail: event.detail.clone(),
            about: event.about.and_then(standing_for),
            people: event
                .parts
                .iter()
                .map(|part| LinkedPerson {
                    person: true_person(part.person),
                    role: part.role,
                    status: part.status,
                    under_16: plan.population().age(part.person, day(event.occurred)) < 16,
                })
                .collect(),
        })
        .collect();
    events.sort_by_key(|event| (event.occurred_at, event.id));
    events
}

fn event_id(number: usize) -> EventId {
    EventId((number as u128).to_be_bytes())
}
