//! The published figures that the calibrated cities follow, and those that stand beside them or that no stream shows.

use jiff::civil::Date;
use serde::Deserialize;

use super::people::Population;
use super::places::Place;
use super::told::TrueEvent;
use crate::model::event::{Detail, Role};

/// One published figure.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Published {
    /// Number in the list.
    pub id: String,
    /// Where.
    pub place: Place,
    /// Of what.
    pub measure: String,
    /// A count, or a share from 0 to 1; nothing where only a tendency is published.
    pub value: Option<f64>,
    /// Of a share, so many.
    pub part: Option<u32>,
    /// Of so many.
    pub whole: Option<u32>,
    /// When.
    pub period: String,
    /// Document and line.
    pub source: String,
    /// The report's table that shows it; `parties` is of the truth.
    pub table: String,
    /// The row in that table.
    pub row: String,
    /// What it is compared with.
    #[serde(rename = "use")]
    pub usage: Usage,
    /// What to know about it.
    pub note: String,
}

/// What a published figure is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usage {
    /// The city is made to show it.
    Held,
    /// It stands beside one that is held.
    Beside,
    /// No stream shows it.
    NotShown,
}

impl Published {
    /// The figure as exactly as it is published.
    #[must_use]
    pub fn exact(&self) -> Option<f64> {
        match (self.part, self.whole) {
            (Some(part), Some(whole)) => Some(f64::from(part) / f64::from(whole)),
            _ => self.value,
        }
    }

    /// Is it a share rather than a count?
    #[must_use]
    pub fn is_share(&self) -> bool {
        self.value.is_some_and(|value| value <= 1.0)
    }
}

/// Every published figure, in order.
///
/// # Panics
///
/// Never: the compiled-in table is well formed.
#[must_use]
pub fn published() -> Vec<Published> {
    let table = include_bytes!("calibration.csv");
    let mut rows = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(table.as_slice());
    rows.deserialize().collect::<Result<_, _>>().expect("the compiled-in table has the form of its rows")
}

/// Shares of the people in incidents and crimes of a period that a register cannot tell, for it knows nobody's sex or age:
/// `(row, part, whole)`.
pub(super) fn parties(
    population: &Population,
    events: &[TrueEvent],
    (from, until): (Date, Date),
) -> Vec<(&'static str, u64, u64)> {
    let mut people = std::collections::BTreeSet::new();
    for event in events {
        let happened = matches!(event.linked().detail, Detail::Incident { .. } | Detail::Crime { .. });
        if happened && (from..=until).contains(&event.linked().on()) {
            people.extend(event.people().filter(|(_, role, under_16)| *role != Role::Child && !under_16));
        }
    }
    let of = |role: Role, is: &dyn Fn(u32) -> bool| {
        let (mut part, mut whole) = (0, 0);
        for (person, ..) in people.iter().filter(|(_, has, _)| *has == role) {
            (part, whole) = (part + u64::from(is(*person)), whole + 1);
        }
        (part, whole)
    };
    let female = |person: u32| population.person(person).female;
    let (male, perpetrators) = of(Role::Perpetrator, &|person| !female(person));
    let (women, victims) = of(Role::Victim, &female);
    let (young, _) = of(Role::Perpetrator, &|person| (21..=40).contains(&population.age(person, until)));
    vec![
        ("male_perpetrators", male, perpetrators),
        ("female_victims", women, victims),
        ("perpetrators_21_to_40", young, perpetrators),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_published_figure_is_there_and_says_what_it_is_for() {
        let published = published();
        let ids: BTreeSet<_> = published.iter().map(|figure| figure.id.clone()).collect();
        assert!(
            ids.iter().map(String::as_str).eq((1..=58)
                .map(|n| format!("C{n:02}"))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str))
        );
        for figure in &published {
            let (id, shown) = (&figure.id, figure.usage != Usage::NotShown);
            assert_eq!(shown, !figure.table.is_empty() && !figure.row.is_empty(), "{id}");
            assert!(shown || !figure.note.is_empty(), "{id} does not say why no stream shows it");
            assert!(figure.usage != Usage::Held || figure.value.is_some(), "{id}");
            if let Some((value, exact)) = figure.value.zip(figure.exact()).filter(|_| figure.part.is_some()) {
                assert!((value - exact).abs() <= 0.0051, "{id}: {value} is not {exact}");
            }
        }
    }

    #[test]
    fn no_figure_is_held_at_two_values() {
        let mut held = BTreeSet::new();
        for figure in published().into_iter().filter(|figure| figure.usage == Usage::Held) {
            assert!(held.insert((figure.place, figure.table, figure.row)), "{} is held twice", figure.id);
        }
    }
}
