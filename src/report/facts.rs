//! What the events of a register come to, before anything is counted: happenings, and who was in which.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::Period;
use crate::model::event::{Answer, Detail, Role};
use crate::model::ids::{ClusterId, EventId};
use crate::model::linked::LinkedEvent;

/// One reported happening: an incident with the crimes recorded from it counts once.
#[derive(Debug, Default)]
pub(super) struct Happening<'a> {
    /// When it first happened, by any of its events.
    pub(super) at: Timestamp,
    /// An incident is recorded, not a crime alone.
    pub(super) incident: bool,
    /// Crimes recorded from it.
    pub(super) crimes: Vec<&'a LinkedEvent<'a>>,
    /// Was alcohol involved? As the incident says.
    pub(super) alcohol: Option<Answer>,
    /// Those harmed, 16 or over.
    pub(super) victims: BTreeSet<ClusterId>,
    /// Those alleged to have harmed, 16 or over.
    pub(super) perpetrators: BTreeSet<ClusterId>,
}

impl Happening<'_> {
    /// The day, in UTC.
    pub(super) fn on(&self) -> Date {
        self.at.to_zoned(jiff::tz::TimeZone::UTC).date()
    }

    pub(super) fn people(&self, role: Role) -> &BTreeSet<ClusterId> {
        match role {
            Role::Perpetrator => &self.perpetrators,
            Role::Victim | Role::Child | Role::Witness => &self.victims,
        }
    }
}

/// Everything up to the last day of the period.
pub(super) struct Facts<'a> {
    pub(super) period: Period,
    /// By time.
    pub(super) events: Vec<&'a LinkedEvent<'a>>,
    /// By time.
    pub(super) happenings: Vec<Happening<'a>>,
    victims: BTreeMap<ClusterId, Vec<usize>>,
    perpetrators: BTreeMap<ClusterId, Vec<usize>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(events: &'a [LinkedEvent<'a>], period: Period) -> Self {
        let mut events: Vec<_> = events.iter().filter(|event| event.on() <= period.until).collect();
        events.sort_unstable_by_key(|event| (event.occurred_at, event.id));
        let mut by_incident: BTreeMap<EventId, Happening<'a>> = BTreeMap::new();
        for event in &events {
            let incident = match event.detail {
                Detail::Incident { .. } => event.id,
                Detail::Crime { incident, .. } => incident.unwrap_or(event.id),
                _ => continue,
            };
            let happening = by_incident
                .entry(incident)
                .or_insert_with(|| Happening { at: event.occurred_at, ..Happening::default() });
            match event.detail {
                Detail::Incident { alcohol, .. } => (happening.incident, happening.alcohol) = (true, Some(*alcohol)),
                _ => happening.crimes.push(event),
            }
            for person in event.people.iter().filter(|person| !person.under_16) {
                match person.role {
                    Role::Victim => drop(happening.victims.insert(person.person)),
                    Role::Perpetrator => drop(happening.perpetrators.insert(person.person)),
                    Role::Child | Role::Witness => {}
                }
            }
        }
        let mut happenings: Vec<_> = by_incident.into_iter().collect();
        happenings.sort_by_key(|(id, happening)| (happening.at, *id));
        let happenings: Vec<_> = happenings.into_iter().map(|(_, happening)| happening).collect();
        let (mut victims, mut perpetrators) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for (at, happening) in happenings.iter().enumerate() {
            happening.victims.iter().for_each(|person| victims.entry(*person).or_default().push(at));
            happening.perpetrators.iter().for_each(|person| perpetrators.entry(*person).or_default().push(at));
        }
        Self { period, events, happenings, victims, perpetrators }
    }

    /// Everybody in a role, each with their happenings by time.
    pub(super) fn people(&self, role: Role) -> impl Iterator<Item = (ClusterId, Vec<&Happening<'a>>)> {
        let people = if role == Role::Perpetrator { &self.perpetrators } else { &self.victims };
        people.iter().map(|(person, at)| (*person, at.iter().map(|at| &self.happenings[*at]).collect()))
    }

    /// Happenings with an incident within the period.
    pub(super) fn incidents(&self) -> impl Iterator<Item = &Happening<'a>> {
        self.happenings.iter().filter(|happening| happening.incident && self.period.has(happening.on()))
    }

    /// Crimes within the period.
    pub(super) fn crimes(&self) -> impl Iterator<Item = &'a LinkedEvent<'a>> {
        self.within().filter(|event| matches!(event.detail, Detail::Crime { .. }))
    }

    /// Events within the period.
    pub(super) fn within(&self) -> impl Iterator<Item = &'a LinkedEvent<'a>> {
        self.events.iter().copied().filter(|event| self.period.has(event.on()))
    }
}
