//! A checked event with its people normalised.

use jiff::civil::Date;
use zeroize::Zeroizing;

use super::{DateOrder, NormalPerson, normal_form};
use crate::model::event::{Facts, day};
use crate::validate::event::Validated;
use crate::validate::identity::ClearText;

/// An event whose people are in normal form, still in clear.
pub struct Normalised {
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: ClearText,
    /// The earlier event that this one replaces or withdraws.
    pub supersedes: Option<ClearText>,
    /// What it says beside its people.
    pub facts: Facts,
    /// The incident that a crime was recorded from.
    pub incident: Option<ClearText>,
    /// Who took part, with whether they were under 16 on the day.
    pub persons: Vec<(NormalPerson, bool)>,
    /// Canonical content, for the fingerprint.
    pub content: Zeroizing<Vec<u8>>,
}

impl Normalised {
    /// Identifiers dropped for a failed check letter or form, of all its people.
    #[must_use]
    pub fn dropped_identifiers(&self) -> u32 {
        self.persons.iter().map(|(person, _)| person.identity.dropped_identifiers).sum()
    }
}

/// Brings everybody in an event into normal form.
#[must_use]
pub fn normalise(event: Validated) -> Normalised {
    let on = day(event.facts.occurred_at);
    let persons = event.persons.into_iter().map(|person| {
        let (identity, as_sent) = (normal_form(&person.identity, DateOrder::default()), person.identity);
        let under_16 = identity.date_of_birth.is_some_and(|born| is_under_16(born, on));
        (
            NormalPerson { local_ref: person.local_ref, role: person.role, status: person.status, identity, as_sent },
            under_16,
        )
    });
    Normalised {
        persons: persons.collect(),
        source: event.source,
        id: event.id,
        supersedes: event.supersedes,
        facts: event.facts,
        incident: event.incident,
        content: event.content,
    }
}

/// The scope of the Domestic Abuse Act 2021 s1 begins at 16; somebody born on 29 February turns 16 on 1 March.
fn is_under_16(born: Date, on: Date) -> bool {
    let years = on.year() - born.year();
    let had_birthday = (on.month(), on.day()) >= (born.month(), born.day());
    years - i16::from(!had_birthday) < 16
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn sixteen_begins_on_the_birthday() {
        assert!(is_under_16(date(2009, 6, 15), date(2025, 6, 14)));
        assert!(!is_under_16(date(2009, 6, 15), date(2025, 6, 15)));
        assert!(is_under_16(date(2008, 2, 29), date(2024, 2, 28)));
        assert!(!is_under_16(date(2008, 2, 29), date(2024, 2, 29)));
    }
}
