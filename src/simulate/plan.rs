//! What the agencies will send, in a few dozen bytes an event: who, what, when. The text is written line by line later.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};
use smallvec::SmallVec;

use super::dice::{Dice, Stream};
use super::errors::Registry;
use super::party::Party;
use super::people::Population;
use super::rates;
use super::truth::{BadKind, Nature};
use super::wire::{corrected, stands_alone};
use crate::model::event::{Answer, CancelReason, Detail, Relationship, Role, Status};

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;
const HOUR: i64 = 3_600;

/// One person in one event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) person: u32,
    pub(super) role: Role,
    pub(super) status: Status,
    /// Which of the agency's records of the person; a service's which case.
    pub(super) nominal: u8,
}

/// One event. Times are seconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) party: Party,
    pub(super) occurred: i64,
    pub(super) recorded: i64,
    /// When it reaches the feed, if a gateway held it back.
    pub(super) held_until: i64,
    pub(super) supersedes: Option<u32>,
    /// A `police.amend` instead of an event of the same type.
    pub(super) amends: bool,
    /// The clerk was careless about somebody.
    pub(super) slip: bool,
    pub(super) relationship: Option<Relationship>,
    /// The event that it speaks of.
    pub(super) about: Option<u32>,
    pub(super) detail: Detail,
    pub(super) parts: SmallVec<[Part; 4]>,
}

/// One line of a feed: when it is sent, which event it is, and whether it is as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sending {
    pub(super) at: i64,
    pub(super) event: u32,
    pub(super) nature: Nature,
}

/// Everything that will be sent.
pub(super) struct Plan<'a> {
    pub(super) registry: Registry<'a>,
    pub(super) events: Vec<Planned>,
    pub(super) sendings: Vec<Sending>,
    /// Seconds of the first moment and of the one after the last.
    pub(super) begins: i64,
    pub(super) ends: i64,
    cases: Vec<u8>,
    /// How far the people who live alone have been taken.
    alone: usize,
}

impl<'a> Plan<'a> {
    /// An empty plan for these people.
    pub(super) fn new(registry: Registry<'a>) -> Self {
        let population = registry.population;
        Self {
            registry,
            events: Vec::new(),
            sendings: Vec::new(),
            begins: seconds(population.start),
            ends: seconds(population.end) + DAY,
            cases: vec![0; population.people.len()],
            alone: 0,
        }
    }

    /// The people.
    pub(super) fn population(&self) -> &'a Population {
        self.registry.population
    }

    /// Has any service come to know the person?
    pub(super) fn has_case(&self, person: u32) -> bool {
        self.cases[person as usize] > 0
    }

    /// The next person of that sex who lives alone.
    pub(super) fn somebody_alone(&mut self, female: bool) -> Option<u32> {
        let population = self.population();
        let alone = &population.alone;
        let found = (0..alone.len())
            .map(|step| self.alone + step)
            .find(|at| population.person(alone[at % alone.len()]).female == female)?;
        self.alone = found + 1;
        Some(alone[found % alone.len()])
    }

    /// Adds an event, unless it is written down after the play ends.
    pub(super) fn add(&mut self, event: Planned) -> Option<u32> {
        if event.recorded >= self.ends {
            return None;
        }
        self.events.push(event);
        Some(self.events.len() as u32 - 1)
    }

    /// A person's part in an event of an agency, under one of the references the agency has for them.
    pub(super) fn part(&self, party: Party, person: u32, role: Role, status: Status, dice: &mut Dice) -> Part {
        let second = dice.chance(0.3) && self.registry.has_duplicate(party, person);
        Part { person, role, status, nominal: u8::from(second) }
    }

    /// The number of a person's next case in any service.
    pub(super) fn next_case(&mut self, person: u32) -> u8 {
        let case = &mut self.cases[person as usize];
        *case = (*case + 1) % 16;
        *case
    }

    /// Corrections, withdrawals, lines sent twice and rubbish; then the order of sending.
    pub(super) fn finish(&mut self, bad_share: f64) {
        let seed = self.population().seed;
        let mut superseded = vec![false; self.events.len()];
        for event in &self.events {
            if let Some(earlier) = event.supersedes {
                superseded[earlier as usize] = true;
            }
        }
        for (number, superseded) in superseded.into_iter().enumerate() {
            let mut dice = Dice::new(seed, Stream::Noise, number as u64, 0);
            self.events[number].slip = dice.chance(rates::SLIP);
            if superseded || !stands_alone(&self.events[number].detail) {
                continue;
            }
            if dice.chance(rates::CANCELLED) {
                self.cancel(number, &mut dice);
            } else if dice.chance(rates::AMENDED) {
                self.amend(number, &mut dice);
            }
        }
        for (number, planned) in self.events.iter().enumerate() {
            let mut dice = Dice::new(seed, Stream::Noise, number as u64, 1);
            let at = planned.recorded.max(planned.held_until) + dice.between(1, 240);
            let event = number as u32;
            self.sendings.push(Sending { at, event, nature: Nature::Good });
            if dice.chance(rates::RESENT) {
                self.sendings.push(Sending { at: at + dice.mostly_short(20 * DAY), event, nature: Nature::Duplicate });
            }
            if dice.chance(bad_share) {
                // A withdrawal names nobody in any case.
                let named = !planned.parts.is_empty();
                let drawn = *dice.pick(&BadKind::ALL);
                let kind = if named || drawn != BadKind::NobodyNamed { drawn } else { BadKind::NotRecorded };
                self.sendings.push(Sending { at: at + 60, event, nature: Nature::Bad(kind) });
            }
        }
        self.sendings.sort_unstable();
    }

    fn cancel(&mut self, number: usize, dice: &mut Dice) {
        let reasons = [
            CancelReason::EnteredInError,
            CancelReason::WrongPerson,
            CancelReason::Duplicate,
            CancelReason::NotDomesticAbuse,
            CancelReason::DataSubjectRequest,
        ];
        let reason = reasons[dice.weighted(&[0.4, 0.2, 0.2, 0.15, 0.05])];
        let cancelled = &self.events[number];
        let recorded = cancelled.recorded + HOUR + dice.mostly_short(40 * DAY);
        let cancellation = Planned {
            recorded,
            held_until: 0,
            supersedes: Some(number as u32),
            amends: false,
            slip: false,
            relationship: None,
            about: None,
            detail: Detail::Cancel { reason },
            parts: SmallVec::new(),
            ..cancelled.clone()
        };
        self.add(cancellation);
    }

    fn amend(&mut self, number: usize, dice: &mut Dice) {
        let original = &self.events[number];
        let amendment = Planned {
            recorded: original.recorded + HOUR + dice.mostly_short(30 * DAY),
            supersedes: Some(number as u32),
            amends: original.party == Party::Police && dice.chance(0.65),
            slip: false,
            detail: corrected(original.detail.clone(), dice),
            ..original.clone()
        };
        let sent = amendment.recorded;
        let overtaken = dice.chance(rates::OVERTAKEN);
        if self.add(amendment).is_some() && overtaken {
            self.events[number].held_until = (sent + HOUR + dice.mostly_short(3 * DAY)).min(self.ends - 1);
        }
    }
}

/// Midnight of a day, in seconds since 1970.
pub(super) fn seconds(day: Date) -> i64 {
    Offset::UTC
        .to_timestamp(day.at(0, 0, 0, 0))
        .expect("every date the city can have is within jiff's range")
        .as_second()
}

/// The day of a moment.
pub(super) fn day(second: i64) -> Date {
    Offset::UTC.to_datetime(moment(second)).date()
}

/// A moment from its seconds.
pub(super) fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("every moment the city can have is within jiff's range")
}

/// British time: an hour ahead from the last Sunday of March to the last Sunday of October.
pub(super) fn british_offset(second: i64) -> Offset {
    let year = day(second).year();
    let last_sunday = |month: i8| {
        let last = Date::new(year, month, 31).expect("March and October have 31 days");
        let back = i64::from(last.weekday().to_sunday_zero_offset());
        seconds(last.saturating_sub(back.days())) + HOUR
    };
    if (last_sunday(3)..last_sunday(10)).contains(&second) { Offset::constant(1) } else { Offset::UTC }
}

/// Yes, no or not asked, with these weights.
pub(super) fn answer(weights: [f64; 3], dice: &mut Dice) -> Answer {
    [Answer::Yes, Answer::No, Answer::NotAsked][dice.weighted(&weights)]
}
