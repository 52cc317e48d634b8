//! What the events of a register come to, before anything is counted: happenings, and who was in which.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::Period;
use crate::config::rules::Rules;
use crate::model::event::{Answer, Detail, Role, day};
use crate::model::ids::{ClusterId, EventId};
use crate::model::linked::{LinkedEvent, LinkedPerson};

/// One reported happening: an incident with the crimes recorded from it counts once.
#[derive(Debug, Default)]
pub(super) struct Happening<'a> {
    /// The incident's, or of a crime alone its own.
    pub(super) id: EventId,
    /// When it first happened, by any of its events.
    pub(super) at: Timestamp,
    /// An incident is recorded, not a crime alone.
    pub(super) incident: bool,
    /// Crimes recorded from it.
    pub(super) crimes: Vec<&'a LinkedEvent<'a>>,
    /// Was alcohol involved? As the incident says.
    pub(super) alcohol: Option<Answer>,
    /// Were children there? As the incident says.
    pub(super) children: Option<Answer>,
    /// Those harmed, 16 or over.
    pub(super) victims: BTreeSet<ClusterId>,
    /// Those alleged to have harmed, 16 or over.
    pub(super) perpetrators: BTreeSet<ClusterId>,
}

impl Happening<'_> {
    /// The day, in UTC.
    pub(super) fn on(&self) -> Date {
        day(self.at)
    }

    /// Those on the other side of somebody in that role.
    pub(super) fn opposite(&self, role: Role) -> &BTreeSet<ClusterId> {
        if role == Role::Perpetrator { &self.victims } else { &self.perpetrators }
    }
}

/// One linked person: everything they are in.
#[derive(Default)]
pub(super) struct Person<'a> {
    /// Events that name them, with what they were in each, by time.
    pub(super) events: Vec<(&'a LinkedEvent<'a>, LinkedPerson)>,
    victim: Vec<usize>,
    perpetrator: Vec<usize>,
}

/// Everything up to the last day of the period.
pub(super) struct Facts<'a> {
    pub(super) period: Period,
    pub(super) rules: &'a Rules,
    /// By time.
    pub(super) events: Vec<&'a LinkedEvent<'a>>,
    /// By time.
    pub(super) happenings: Vec<Happening<'a>>,
    pub(super) people: BTreeMap<ClusterId, Person<'a>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(events: &'a [LinkedEvent<'a>], period: Period, rules: &'a Rules) -> Self {
        let mut events: Vec<_> = events.iter().filter(|event| event.on() <= period.until).collect();
        events.sort_unstable_by_key(|event| (event.occurred_at, event.id));
        let happenings = happenings(&events);
        let mut people: BTreeMap<ClusterId, Person<'a>> = BTreeMap::new();
        for event in &events {
            for person in &event.people {
                people.entry(person.person).or_default().events.push((event, *person));
            }
        }
        for (at, happening) in happenings.iter().enumerate() {
            happening.victims.iter().for_each(|person| people.entry(*person).or_default().victim.push(at));
            happening.perpetrators.iter().for_each(|person| people.entry(*person).or_default().perpetrator.push(at));
        }
        Self { period, rules, events, happenings, people }
    }

    /// A person's happenings in a role, by time.
    pub(super) fn of(&self, person: &Person<'a>, role: Role) -> Vec<&Happening<'a>> {
        let at = if role == Role::Perpetrator { &person.perpetrator } else { &person.victim };
        at.iter().map(|at| &self.happenings[*at]).collect()
    }

    /// Everybody in that role in the period, each with all their happenings in it, by time.
    pub(super) fn in_role(&self, role: Role) -> impl Iterator<Item = (&Person<'a>, Vec<&Happening<'a>>)> {
        let all = self.people.values().map(move |person| (person, self.of(person, role)));
        all.filter(|(_, happenings)| happenings.iter().any(|happening| self.period.has(happening.on())))
    }

    /// The first month in which anything is held, or that of the period.
    pub(super) fn begins(&self) -> Date {
        let first = self.events.first().map_or(self.period.from, |event| event.on().first_of_month());
        first.min(self.period.from)
    }

    /// How many months there are up to the end of the period.
    pub(super) fn months_held(&self) -> i32 {
        let (first, last) = (self.begins(), self.period.until);
        (i32::from(last.year()) - i32::from(first.year())) * 12 + i32::from(last.month()) - i32::from(first.month()) + 1
    }

    /// Happenings with an incident within the period.
    pub(super) fn incidents(&self) -> impl Iterator<Item = &Happening<'a>> {
        self.happenings.iter().filter(|happening| happening.incident && self.period.has(happening.on()))
    }

    /// Crimes within the period.
    pub(super) fn crimes(&self) -> impl Iterator<Item = &'a LinkedEvent<'a>> {
        self.within().filter(|event| matches!(event.detail, Detail::Crime { domestic_abuse: true, .. }))
    }

    /// Events within the period.
    pub(super) fn within(&self) -> impl Iterator<Item = &'a LinkedEvent<'a>> {
        self.events.iter().copied().filter(|event| self.period.has(event.on()))
    }
}

fn happenings<'a>(events: &[&'a LinkedEvent<'a>]) -> Vec<Happening<'a>> {
    let mut by_incident: BTreeMap<EventId, Happening<'a>> = BTreeMap::new();
    for event in events {
        let incident = match event.detail {
            Detail::Incident { .. } => event.id,
            Detail::Crime { domestic_abuse: true, .. } => event.about.unwrap_or(event.id),
            _ => continue,
        };
        let happening = by_incident.entry(incident).or_insert_with(|| Happening {
            id: incident,
            at: event.occurred_at,
            ..Happening::default()
        });
        if let Detail::Incident { alcohol, children_present, .. } = event.detail {
            happening.incident = true;
            (happening.alcohol, happening.children) = (Some(*alcohol), Some(*children_present));
        } else {
            happening.crimes.push(event);
        }
        for person in event.people.iter().filter(|person| !person.under_16) {
            match person.role {
                Role::Victim => drop(happening.victims.insert(person.person)),
                Role::Perpetrator => drop(happening.perpetrators.insert(person.person)),
                Role::Child | Role::Witness => {}
            }
        }
    }
    let mut happenings: Vec<_> = by_incident.into_values().collect();
    happenings.sort_by_key(|happening| (happening.at, happening.id));
    happenings
}

/// Whole days from one moment to a later one.
pub(super) fn days_between(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.duration_since(earlier).as_secs() / (24 * 60 * 60)).unwrap_or_default()
}

/// So many days before a moment.
pub(super) fn back(at: Timestamp, days: u32) -> Timestamp {
    at.saturating_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
}

/// How many there are.
pub(super) fn count<T>(of: impl Iterator<Item = T>) -> usize {
    of.count()
}
