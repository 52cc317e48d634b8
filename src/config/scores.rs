//! Tables of RFG(V): weights and harm, each dated. Compiled in; the one in force on a day is used, and named with the score.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::model::event::OffenceFamily;
use crate::model::finding::Parts;

/// Weights and points of the four components.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Stands beside every score.
    pub version: String,
    from: Date,
    weights: Parts<u32>,
    recency: Vec<AtMost>,
    frequency: Vec<AtLeast>,
    gravity: Vec<AtLeast>,
    victims: Vec<AtLeast>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtMost {
    at_most: u32,
    points: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtLeast {
    at_least: u32,
    points: u32,
}

/// Harm by offence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Harm {
    /// Stands beside every score.
    pub version: String,
    from: Date,
    /// Of a report without a crime.
    pub non_crime: u32,
    most_serious_violence: u32,
    family: BTreeMap<OffenceFamily, u32>,
}

static WEIGHTS: LazyLock<Vec<Weights>> = LazyLock::new(|| read(&[include_str!("tables/matac.2026-01.toml")]));
static HARM: LazyLock<Vec<Harm>> = LazyLock::new(|| read(&[include_str!("tables/harm.2026-01.toml")]));

fn read<T: serde::de::DeserializeOwned>(texts: &[&str]) -> Vec<T> {
    texts.iter().map(|text| toml::from_str(text).expect("the tables are part of this program")).collect()
}

impl Weights {
    /// Those in force on a day.
    #[must_use]
    pub fn on(day: Date) -> &'static Self {
        last(&WEIGHTS, day, |weights| weights.from)
    }

    /// Points of each component, and their weighted sum.
    #[must_use]
    pub fn points(&self, of: Parts<u32>) -> (Parts<u32>, u32) {
        let least = |bands: &[AtLeast], value| {
            let reached = bands.iter().filter(|band| value >= band.at_least).map(|band| band.points);
            reached.max().unwrap_or(0)
        };
        let within = self.recency.iter().filter(|band| of.recency <= band.at_most).map(|band| band.points);
        let points = Parts {
            recency: within.max().unwrap_or(0),
            frequency: least(&self.frequency, of.frequency),
            gravity: least(&self.gravity, of.gravity),
            victims: least(&self.victims, of.victims),
        };
        let weights = &self.weights;
        let total = points.recency * weights.recency
            + points.frequency * weights.frequency
            + points.gravity * weights.gravity
            + points.victims * weights.victims;
        (points, total)
    }
}

impl Harm {
    /// That in force on a day.
    #[must_use]
    pub fn on(day: Date) -> &'static Self {
        last(&HARM, day, |harm| harm.from)
    }

    /// Of one crime.
    #[must_use]
    pub fn of_crime(&self, family: OffenceFamily, most_serious_violence: bool) -> u32 {
        let least = if most_serious_violence { self.most_serious_violence } else { 0 };
        self.family.get(&family).copied().unwrap_or(self.non_crime).max(least)
    }
}

/// The last table that was in force on a day, or the first there is.
fn last<T>(tables: &[T], day: Date, from: impl Fn(&T) -> Date) -> &T {
    let in_force = tables.iter().filter(|table| from(table) <= day).max_by_key(|table| from(table));
    in_force.or(tables.first()).expect("there is a table")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn every_family_has_a_harm_and_no_report_weighs_nothing() {
        let harm = Harm::on(date(2026, 1, 1));
        assert_eq!(harm.family.len(), 7);
        assert!(harm.non_crime > 0 && harm.family.values().all(|harm| *harm > 0));
        let theft = harm.of_crime(OffenceFamily::Other, false);
        assert!(harm.of_crime(OffenceFamily::Other, true) > harm.of_crime(OffenceFamily::Sexual, false));
        assert!(theft < harm.of_crime(OffenceFamily::CoerciveControl, false));
    }

    #[test]
    fn points_rise_with_each_component_and_fall_with_time() {
        let weights = Weights::on(date(2026, 1, 1));
        let points =
            |recency, frequency, gravity, victims| weights.points(Parts { recency, frequency, gravity, victims });
        assert_eq!(points(28, 1, 5, 1), (Parts { recency: 10, frequency: 1, gravity: 1, victims: 2 }, 14));
        assert_eq!(points(29, 3, 300, 2), (Parts { recency: 7, frequency: 4, gravity: 6, victims: 6 }, 23));
        assert_eq!(points(9_999, 0, 0, 0).1, 0);
    }

    #[test]
    fn the_table_of_the_day_counts() {
        let tables = [(date(2020, 1, 1), "old"), (date(2026, 4, 1), "new")];
        let on = |day| last(&tables, day, |table| table.0).1;
        assert_eq!((on(date(2026, 3, 31)), on(date(2026, 4, 1)), on(date(2019, 1, 1))), ("old", "new", "old"));
    }
}
