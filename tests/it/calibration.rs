//! The published figures that a stream shows: each calibrated city, played from ten seeds, holds every figure within its
//! sampling interval. Measured by the report on the truth of what was told, so that linkage has no part in it.

use std::collections::BTreeMap;

use priorityd::config::rules::Rules;
use priorityd::report::{Figure, Period, Report, report};
use priorityd::simulate::{City, Place, Published, Usage, published};

/// Two years, so that the second one has twelve months before it to look back on.
const YEARS: u32 = 2;
const SEEDS: u64 = 10;

/// Of the standard normal distribution, so far out that of all the some five hundred comparisons together one falls outside
/// by chance once in fifty runs (Bonferroni); the seeds are fixed, so it happens or it does not.
const Z: f64 = 4.1;
/// Events come in clusters (a pair's repeats, a household's children), and a cluster says less than as many single ones: the
/// variance is up to so many times that of the binomial or Poisson distribution.
const DESIGN_EFFECT: f64 = 1.6;
/// The same of MASH contacts, which come as many as there are children in a family, again and again.
const DESIGN_EFFECT_OF_FAMILIES: f64 = 3.5;
/// How far the mean of all seeds may be off, beside its sampling, in parts of the figure: what is left of calibration.
const BIAS: f64 = 0.03;

/// What one city shows: so many, of so many; of a count, nothing.
type Measured = BTreeMap<(String, String), (f64, Option<f64>)>;

fn play(place: Place, seed: u64) -> (Report, Measured) {
    let city = City::like(place, seed, YEARS);
    let stage = city.stage();
    let events = stage.true_events();
    let linked: Vec<_> = events.iter().map(|event| event.linked()).collect();
    let period = Period::new(city.end, None);
    let report = report(&city.scope, &linked, period, &Rules::default(), &[]);
    let mut measured = Measured::new();
    for table in &report.tables {
        for row in &table.rows {
            let figure = match row.cells[0] {
                Figure::Count(count) => (count as f64, None),
                Figure::Share { part, whole } => (part as f64, Some(whole as f64)),
                Figure::Days { median, cases } => (median as f64, Some(cases as f64)),
            };
            measured.insert((table.id.to_owned(), row.id.clone()), figure);
        }
    }
    for (row, part, whole) in stage.parties(&events, (period.from, period.until)) {
        measured.insert(("parties".to_owned(), row.to_owned()), (part as f64, Some(whole as f64)));
    }
    (report, measured)
}

/// Half the width of the interval in which a figure lies, if the published one is true: normal approximation to the binomial,
/// or Poisson, distribution, which is close for the hundreds and thousands that these are of; and half of the last digit
/// published.
fn half_width(figure: &Published, whole: Option<f64>, cities: f64) -> f64 {
    let exact = figure.exact().expect("held figures have a value");
    let variance = match whole {
        Some(whole) => exact * (1.0 - exact) / whole,
        None => exact,
    };
    let rounding = match (figure.part, figure.is_share(), figure.note.starts_with("about")) {
        (Some(_), ..) | (_, false, _) => 0.0,
        (None, true, true) => 0.02,
        (None, true, false) => 0.005,
    };
    let design_effect = if figure.table == "mash" { DESIGN_EFFECT_OF_FAMILIES } else { DESIGN_EFFECT };
    Z * (variance * design_effect / cities).sqrt() + rounding
}

fn holds(place: Place) {
    let held: Vec<_> =
        published().into_iter().filter(|figure| figure.place == place && figure.usage == Usage::Held).collect();
    assert!(held.len() >= 12);
    let cities: Vec<_> = (1..=SEEDS).map(|seed| play(place, seed).1).collect();
    let mut missed = Vec::new();
    for figure in held {
        let key = (figure.table.clone(), figure.row.clone());
        let exact = figure.exact().expect("held figures have a value");
        let of = |city: &Measured| {
            let (part, whole) = *city.get(&key).unwrap_or_else(|| panic!("nothing measures {key:?}"));
            // The count of a row that the report shows as a share may be what is published.
            let whole = whole.filter(|_| figure.is_share());
            (whole.map_or(part, |whole| part / whole), whole)
        };
        for (seed, city) in cities.iter().enumerate() {
            let (value, whole) = of(city);
            if (value - exact).abs() > half_width(&figure, whole, 1.0) {
                missed.push(format!("{} {key:?}, seed {}: {value:.4}, published {exact:.4}", figure.id, seed + 1));
            }
        }
        let mean = cities.iter().map(|city| of(city).0).sum::<f64>() / cities.len() as f64;
        let whole = cities.iter().filter_map(|city| of(city).1).sum::<f64>() / cities.len() as f64;
        let whole = Some(whole).filter(|whole| *whole > 0.0);
        let allowed = half_width(&figure, whole, cities.len() as f64) + BIAS * exact;
        if (mean - exact).abs() > allowed {
            missed.push(format!("{} {key:?}, mean of all: {mean:.4}, published {exact:.4} ± {allowed:.4}", figure.id));
        }
    }
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

#[test]
fn portsmouth_holds_its_published_figures_from_ten_seeds() {
    holds(Place::Portsmouth);
}

#[test]
fn stockton_holds_its_published_figures_from_ten_seeds() {
    holds(Place::Stockton);
}
