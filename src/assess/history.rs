//! One linked person's history: the events in force that name them, and the reports among these.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use smallvec::SmallVec;

use super::ledger::{Ledger, LedgerEvent, Participant};
use super::standing::Courts;
use crate::model::event::{Detail, OffenceFamily, Role, day};
use crate::model::finding::Counterpart;
use crate::model::ids::{ClusterId, EventId, RecordId};

/// One event that names the person.
pub struct Appearance<'a> {
    /// Its id.
    pub id: EventId,
    /// The event.
    pub event: &'a LedgerEvent,
    /// The event that it speaks of, if it says so: as it stands, whatever corrected it since.
    pub about: Option<EventId>,
    /// The person in it.
    pub me: Participant,
    /// Everybody else in it.
    pub others: SmallVec<[Counterpart; 2]>,
}

impl Appearance<'_> {
    /// The day it happened, in UTC.
    #[must_use]
    pub fn on(&self) -> Date {
        day(self.event.occurred_at)
    }

    /// Those others who stand across from the person: perpetrators for a victim, victims for a perpetrator. Children of
    /// the household are victims in their own right but not counterparties: two of them make nobody serial.
    pub fn opposite(&self) -> impl Iterator<Item = Counterpart> + '_ {
        let across = match self.me.role {
            Role::Victim => Some(Role::Perpetrator),
            Role::Perpetrator => Some(Role::Victim),
            Role::Child | Role::Witness => None,
        };
        self.others.iter().filter(move |other| Some(other.role) == across).copied()
    }
}

/// A history, and what nearly every rule asks of it: read once.
pub struct Past<'a> {
    /// The events, by time.
    pub history: Vec<Appearance<'a>>,
    /// What came of allegations.
    pub courts: Courts,
    as_victim: Vec<Report>,
    as_perpetrator: Vec<Report>,
}

impl<'a> Past<'a> {
    /// Reads a history.
    #[must_use]
    pub fn of(history: Vec<Appearance<'a>>) -> Self {
        let (as_victim, as_perpetrator) = (reports(&history, Role::Victim), reports(&history, Role::Perpetrator));
        Self { courts: Courts::of(&history), as_victim, as_perpetrator, history }
    }

    /// The reports in which the person is a party on that side, by time.
    #[must_use]
    pub fn reports(&self, role: Role) -> &[Report] {
        match role {
            Role::Victim => &self.as_victim,
            Role::Perpetrator => &self.as_perpetrator,
            Role::Child | Role::Witness => &[],
        }
    }
}

/// Are the two roles the two sides of a pair? Those are never one person (cannot-link).
#[must_use]
pub fn opposes(one: Role, other: Role) -> bool {
    matches!(
        (one, other),
        (Role::Victim | Role::Child, Role::Perpetrator) | (Role::Perpetrator, Role::Victim | Role::Child)
    )
}

/// An event that names a record of the person at that place of those asked for.
struct Naming<'a> {
    at: usize,
    record: RecordId,
    id: EventId,
    event: &'a LedgerEvent,
}

/// All events in force that name one of the records of a person, of several persons, each by time.
///
/// Of a big register none of it is near the processor, and most of the time of an assessment is waiting for memory. So it is read
/// step by step for all of these people, not person by person: within a step nothing depends on what was read just before,
/// and the processor waits for many at once.
pub fn histories<'a>(
    ledger: &'a Ledger,
    people: &[&[RecordId]],
    clusters_of: impl Fn(&[RecordId]) -> Vec<Option<ClusterId>>,
) -> Vec<Vec<Appearance<'a>>> {
    let lists: Vec<SmallVec<[&[_]; 4]>> =
        people.iter().map(|records| records.iter().map(|record| ledger.of_record(*record)).collect()).collect();
    let mut named: Vec<Naming<'a>> = Vec::new();
    for (at, (records, lists)) in people.iter().zip(&lists).enumerate() {
        for (&record, events) in records.iter().zip(lists) {
            named.extend(events.iter().map(|(id, event)| Naming { at, record, id: *id, event }));
        }
    }
    let about = |Naming { at, event, .. }: &Naming<'_>| {
        let about = event.detail.incident()?;
        // It nearly always names the person as well, and what is in force stands for itself.
        let is_there = lists[*at].iter().any(|events| events.iter().any(|(id, _)| *id == about));
        Some(if is_there { about } else { ledger.standing_for(about).unwrap_or(about) })
    };
    let about: Vec<_> = named.iter().map(about).collect();
    let with = named.iter().flat_map(|Naming { record, event, .. }| {
        event.participants.iter().filter(move |person| person.record != *record).map(|person| person.record)
    });
    let with: Vec<RecordId> = with.collect();
    let mut clusters = clusters_of(&with).into_iter();
    let mut histories: Vec<Vec<Appearance<'a>>> = people.iter().map(|_| Vec::new()).collect();
    for (Naming { at, record, id, event }, about) in named.into_iter().zip(about) {
        let mine = |person: &&Participant| person.record == record;
        // An event may name somebody twice; then each is another to the other.
        let is_twice = event.participants.iter().filter(mine).count() > 1;
        let own = if is_twice { clusters_of(&[record]).pop().flatten() } else { None };
        let clusters =
            event.participants.iter().map(|person| if mine(&person) { own } else { clusters.next().flatten() });
        let clusters: SmallVec<[Option<ClusterId>; 4]> = clusters.collect();
        let people = || event.participants.iter().enumerate();
        for (place, me) in people().filter(|(_, person)| mine(person)) {
            let others = people().filter(|(other, _)| *other != place).filter_map(|(other, person)| {
                Some(Counterpart { cluster: clusters[other]?, record: person.record, role: person.role })
            });
            histories[at].push(Appearance { id, event, about, me: *me, others: others.collect() });
        }
    }
    for history in &mut histories {
        history.sort_by_key(|appearance| (appearance.event.occurred_at, appearance.id, appearance.me.record));
    }
    histories
}

/// One reported happening: an incident together with the crimes recorded from it, so that it counts once.
pub struct Report {
    /// The incident, or the crime that came without one: what an outcome speaks of.
    pub happening: EventId,
    /// Its earliest event.
    pub trigger: EventId,
    /// The record by which that event names the person.
    pub record: RecordId,
    /// When.
    pub at: Timestamp,
    /// All its events, sorted.
    pub events: Vec<EventId>,
    /// The other side, sorted, each record once.
    pub opposite: Vec<Counterpart>,
    /// Of the first crime in it.
    pub offence_family: Option<OffenceFamily>,
    /// Each crime's family, and whether it is flagged as most serious violence; none is a report without a crime.
    pub crimes: Vec<(OffenceFamily, bool)>,
}

impl Report {
    /// The day, in UTC.
    #[must_use]
    pub fn on(&self) -> Date {
        day(self.at)
    }

    /// Is one of those persons on the other side here too?
    #[must_use]
    pub fn shares_counterpart(&self, others: &[Counterpart]) -> bool {
        self.opposite.iter().any(|mine| others.iter().any(|theirs| theirs.cluster == mine.cluster))
    }
}

/// The reports in which the person has that role, by time: as a child at any age, else 16 or over.
#[must_use]
pub fn reports(history: &[Appearance<'_>], role: Role) -> Vec<Report> {
    let mut reports: BTreeMap<EventId, Report> = BTreeMap::new();
    let in_role =
        |appearance: &&Appearance<'_>| appearance.me.role == role && (role == Role::Child || !appearance.me.under_16);
    for appearance in history.iter().filter(in_role) {
        let (key, crime) = match &appearance.event.detail {
            Detail::Incident { .. } => (appearance.id, None),
            Detail::Crime { domestic_abuse: true, offence_family, most_serious_violence, .. } => {
                (appearance.about.unwrap_or(appearance.id), Some((*offence_family, *most_serious_violence)))
            }
            _ => continue,
        };
        let report = reports.entry(key).or_insert_with(|| Report {
            happening: key,
            trigger: appearance.id,
            record: appearance.me.record,
            at: appearance.event.occurred_at,
            events: Vec::new(),
            opposite: Vec::new(),
            offence_family: None,
            crimes: Vec::new(),
        });
        report.events.push(appearance.id);
        report.opposite.extend(appearance.opposite());
        report.offence_family = report.offence_family.or(crime.map(|(family, _)| family));
        report.crimes.extend(crime);
    }
    let mut reports: Vec<_> = reports.into_values().collect();
    for report in &mut reports {
        report.events.sort_unstable();
        report.events.dedup();
        report.opposite.sort_unstable();
        report.opposite.dedup();
    }
    reports.sort_by_key(|report| (report.at, report.trigger));
    reports
}
