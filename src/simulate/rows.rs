//! Linkage rows: how each agency that knows a person wrote them down, without any event around it.

use super::dice::{Dice, Stream};
use super::errors::{Registry, WireIdentity};
use super::names::Custom;
use super::party::Party;
use super::rates;

/// One agency's record of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Unique over all agencies.
    pub id: String,
    /// Whose record it is.
    pub agency: &'static str,
    /// What it says.
    pub identity: WireIdentity,
    /// The person's true number.
    pub person: u32,
    /// The person's true household.
    pub household: u32,
    /// What the person mostly is in events: `perpetrator`, `victim`, `child` or `other`.
    pub part: &'static str,
    /// By which the results are compared for fairness.
    pub custom: Custom,
}

/// The rows of a city, person by person.
pub(super) struct Rows<'a> {
    registry: Registry<'a>,
    person: u32,
    waiting: Vec<Row>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(registry: Registry<'a>) -> Self {
        Self { registry, person: 0, waiting: Vec::new() }
    }

    /// The records of the next person, last first.
    fn next_person(&mut self) {
        let (registry, person) = (self.registry, self.person);
        let population = registry.population;
        let truly = population.person(person);
        let mut dice = Dice::new(population.seed, Stream::Known, u64::from(person), 0);
        let sort = match (truly.perpetrator, truly.victim, truly.child) {
            (true, _, _) => 0,
            (_, true, _) => 1,
            (_, _, true) => 2,
            _ => 3,
        };
        let victims = [Party::Idva, Party::StopDomesticAbuse, Party::VictimCareService, Party::Parcs];
        let service = if truly.perpetrator { Party::Up2u } else { *dice.pick(&victims) };
        for party in [Party::Police, Party::Crc, Party::LocalAuthority, service] {
            if !dice.chance(rates::KNOWN_TO[sort][party.sort()]) {
                continue;
            }
            for nominal in 0..=u8::from(registry.has_duplicate(party, person)) {
                // Records are of different ages, so some have the address before a move.
                let on = if dice.chance(0.5) { population.start } else { population.end };
                self.waiting.push(Row {
                    id: format!("{}:{}", party.as_str(), registry.local_ref(party, person, nominal)),
                    agency: party.as_str(),
                    identity: registry.identity(party, person, nominal, on, None),
                    person,
                    household: truly.household,
                    part: ["perpetrator", "victim", "child", "other"][sort],
                    custom: truly.custom,
                });
            }
        }
        self.waiting.reverse();
        self.person += 1;
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        while self.waiting.is_empty() && self.person < self.registry.population.count() {
            self.next_person();
        }
        self.waiting.pop()
    }
}
