//! Public name statistics, hashed at start: so that the matcher, which knows no name, knows which tokens are common ones.

use super::fields::{FieldKeys, token};
use crate::model::frequencies::{Frequencies, Shares};
use crate::normalise::COMMON_NAMES;

/// The share of one given name that the list does not have.
const OTHER_GIVEN: f64 = 0.0005;

/// The share of one family name that the list does not have.
const OTHER_FAMILY: f64 = 0.0001;

/// The share of 1 January of one year, which stands for "some day of that year" in many records.
const NEW_YEARS_DAY: f64 = 0.0003;

/// The share of any other day.
const OTHER_DAY: f64 = 0.00004;

pub(super) fn frequencies(keys: &FieldKeys) -> Frequencies {
    let names = |field: &'static str| {
        COMMON_NAMES.lines().filter_map(move |line| {
            let (kind, rest) = line.split_once(',')?;
            let (name, share) = rest.split_once(',')?;
            (kind == field).then_some((token(&keys.name, &[name]), share.parse().ok()?))
        })
    };
    let new_years_days = (1900..2030).map(|year| (token(&keys.date, &[&format!("{year}0101")]), NEW_YEARS_DAY));
    Frequencies {
        given: Shares::new(names("given"), OTHER_GIVEN),
        family: Shares::new(names("family"), OTHER_FAMILY),
        date: Shares::new(new_years_days, OTHER_DAY),
        unit: Shares::default(),
        full_name: Shares::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        for line in COMMON_NAMES.lines().skip(1) {
            let columns: Vec<&str> = line.split(',').collect();
            assert!(matches!(columns[..], ["given" | "family", _, _]), "{line}");
            assert!(columns[2].parse::<f64>().is_ok_and(|share| share > 0.0 && share < 0.05), "{line}");
            assert!(columns[1].bytes().all(|byte| byte.is_ascii_lowercase()), "{line}");
        }
    }
}
