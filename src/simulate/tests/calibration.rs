//! The published figures that a stream shows.

use crate::config::rules::Rules;
use crate::report::{Figure, Period, report};
use crate::simulate::{City, Place};

#[test]
fn look() {
    let place = if std::env::var("STOCKTON").is_ok() { Place::Stockton } else { Place::Portsmouth };
    let years = std::env::var("YEARS").map_or(1, |years| years.parse().expect("number"));
    let reports: Vec<_> = (0..3)
        .map(|seed| {
            let city = City::like(place, 21 + seed, years);
            let events = city.stage().true_events();
            let events: Vec<_> = events.iter().map(|event| event.linked()).collect();
            report(&city.scope, &events, Period::new(city.end, None), &Rules::default(), &[])
        })
        .collect();
    for (t, table) in reports[0].tables.iter().enumerate() {
        eprintln!("{}", table.id);
        for (r, row) in table.rows.iter().enumerate() {
            let (mut part, mut whole) = (0.0, 0.0);
            for one in &reports {
                match one.tables[t].rows[r].cells[0] {
                    Figure::Count(count) => part += count as f64,
                    Figure::Share { part: p, whole: w } => (part, whole) = (part + p as f64, whole + w as f64),
                    Figure::Days { median, cases } => (part, whole) = (part + median as f64, whole + cases as f64),
                }
            }
            let n = reports.len() as f64;
            eprintln!("    {:<36} {:>9.1} {:>9.1} {:.4}", row.id, part / n, whole / n, part / whole);
        }
    }
}
