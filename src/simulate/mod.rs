//! The synthetic city: people, households, what happens between some of them, and what nine agencies write down about it,
//! with their errors. Everything is made up, from tables and a seed; the same `City` plays byte for byte the same.
//!
//! Owns the truth: who every person of every event really is. It is for demonstrations, tests and measuring; the service
//! never reads it. Reads no clock, no file and no entropy.

mod addresses;
mod authority;
mod calibration;
mod canary;
mod clerks;
mod dice;
mod errors;
mod justice;
// Tables read best in full lines.
#[rustfmt::skip]
mod name_tables;
#[rustfmt::skip]
mod name_variants;
mod names;
mod numbers;
mod party;
mod people;
mod places;
mod plan;
mod process;
mod rates;
mod rows;
mod stage;
mod support;
mod told;
mod truth;
mod wire;

use jiff::ToSpan;
use jiff::civil::{Date, date};

pub use self::calibration::{Published, Usage, published};
pub use self::canary::{Canary, CanaryKind};
pub use self::errors::{WireIdentity, WireName};
pub use self::names::Custom;
pub use self::places::Place;
pub use self::rows::Row;
pub use self::stage::{Line, Stage};
pub use self::told::{TrueEvent, true_person};
pub use self::truth::{BadKind, EventTruth, Nature, Pair, Truth};
use crate::model::ids::{PartyId, ScopeId};

/// What decides a city.
#[derive(Debug, Clone)]
pub struct City {
    /// Everything that is left to chance.
    pub seed: u64,
    /// Which place's rates it has.
    pub place: Place,
    /// How long it plays, up to and including `end`.
    pub months: u32,
    /// How many people: those whom agencies may come to know, not a city's electorate.
    pub people: u32,
    /// The partnership that the events are of.
    pub scope: ScopeId,
    /// The last day.
    pub end: Date,
    /// Further people, all of whose particulars are distinctive made-up strings.
    pub canaries: u32,
    /// Malformed and invalid lines, for each good one.
    pub bad_share: f64,
}

impl City {
    /// A city of `people` that plays for `months` months until the end of 2025, with one line in two hundred bad.
    ///
    /// # Panics
    ///
    /// Never: the built-in scope is well formed.
    #[must_use]
    pub fn new(seed: u64, people: u32, months: u32) -> Self {
        let scope = "portsmouth".parse().expect("the built-in scope has the form of configured names");
        Self { seed, place: Place::Demo, months, people, scope, end: date(2025, 12, 31), canaries: 0, bad_share: 0.005 }
    }

    /// A city with as many incidents a year as a place has published, for so many years until the end of 2025.
    #[must_use]
    pub fn like(place: Place, seed: u64, years: u32) -> Self {
        let rates = place.rates();
        let people = f64::from(rates.people) * process::spread(rates.stays_active, years);
        let scope = place.as_str().parse().expect("places have the form of configured names");
        Self { place, scope, ..Self::new(seed, people as u32, 12 * years) }
    }

    /// The first day.
    #[must_use]
    pub fn start(&self) -> Date {
        self.end.saturating_add(1.day()).saturating_sub(i64::from(self.months).months())
    }

    /// Settles the people and lets the play begin; lines are then made one at a time.
    #[must_use]
    pub fn stage(&self) -> Stage {
        Stage::new(self)
    }

    /// Plays everything into memory. For large cities take `stage().lines()`.
    #[must_use]
    pub fn play(&self) -> Play {
        let stage = self.stage();
        let (mut feeds, mut truth) = (Vec::new(), stage.truth());
        for line in stage.lines() {
            feeds.push((line.party, line.json));
            truth.events.push(line.truth);
        }
        Play { feeds, truth, canaries: stage.canaries() }
    }

    /// Rows for linkage on its own: how each agency that knows a person wrote them down. Lazily: `stage().rows()`.
    #[must_use]
    pub fn identities(&self) -> Vec<Row> {
        self.stage().rows().collect()
    }
}

/// A play in memory.
#[derive(Debug, Clone)]
pub struct Play {
    /// Every line with who sends it, in the order of sending, which is that of recording but for what was held back.
    pub feeds: Vec<(PartyId, String)>,
    /// What is true; `truth.events` runs beside `feeds`.
    pub truth: Truth,
    /// Texts that must never come out in clear.
    pub canaries: Vec<Canary>,
}

#[cfg(test)]
mod tests;
