//! The register as performance figures see it: events in force with the linked person behind each who took part. Ids, dates
//! and codes; no token, no name.

use jiff::Timestamp;
use jiff::civil::Date;

use super::event::{Detail, Relationship, Role, Status, day};
use super::ids::{ClusterId, EventId, PartyId};

/// One event in force.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkedEvent<'a> {
    /// Its id.
    pub id: EventId,
    /// Who told.
    pub agency: &'a PartyId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When the agency wrote it down.
    pub recorded_at: Timestamp,
    /// How the parties are connected.
    pub relationship: Option<Relationship>,
    /// Its own fields.
    pub detail: &'a Detail,
    /// The event in force that this one speaks of, whichever of its corrections that is.
    pub about: Option<EventId>,
    /// Of an acknowledged alert: when the event was recorded that it is about; the alert follows at once.
    pub alerted_at: Option<Timestamp>,
    /// Who took part, in the order of the event.
    pub people: Vec<LinkedPerson>,
}

/// One linked person in one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkedPerson {
    /// Who.
    pub person: ClusterId,
    /// Role in this event.
    pub role: Role,
    /// Category in this event.
    pub status: Status,
    /// Under 16 on the day.
    pub under_16: bool,
}

impl LinkedEvent<'_> {
    /// The day it happened, in UTC.
    #[must_use]
    pub fn on(&self) -> Date {
        day(self.occurred_at)
    }

    /// Those who have that role in it.
    pub fn in_role(&self, role: Role) -> impl Iterator<Item = ClusterId> + '_ {
        self.people.iter().filter(move |person| person.role == role).map(|person| person.person)
    }
}
