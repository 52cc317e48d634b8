//! The performance framework: which tables and series there are, in their order.

use jiff::ToSpan;
use jiff::civil::Date;

use super::facts::Facts;
use super::{Figure, Period, Place, Point, Report, Row, Series, Sum, Table};
use crate::model::event::Detail;
use crate::model::ids::ScopeId;
use crate::model::linked::LinkedEvent;

/// All figures of a scope as of a day, from its events in force.
#[must_use]
pub fn report(scope: &ScopeId, events: &[LinkedEvent<'_>], period: Period) -> Report {
    let facts = Facts::new(events, period);
    let tables = vec![demand(&facts)];
    let total = |row| Some(Place { table: "demand", row, column: 0 });
    let series = vec![
        Series {
            total: total(0),
            ..monthly(
                &facts,
                "incidents",
                "Incidents recorded",
                "Recorded incidents of domestic abuse by the day they happened.",
                facts.happenings.iter().filter(|happening| happening.incident).map(|happening| happening.on()),
            )
        },
        Series {
            total: total(1),
            ..monthly(
                &facts,
                "crimes",
                "Crimes recorded",
                "Recorded crimes of domestic abuse by the day they happened.",
                facts
                    .events
                    .iter()
                    .filter(|event| matches!(event.detail, Detail::Crime { .. }))
                    .map(|event| event.on()),
            )
        },
    ];
    Report { scope: scope.clone(), period, tables, series }
}

fn demand(facts: &Facts<'_>) -> Table {
    let incidents = count(facts.incidents());
    let crimes = count(facts.crimes());
    let became_crimes = count(facts.incidents().filter(|happening| !happening.crimes.is_empty()));
    Table {
        id: "demand",
        title: "Demand",
        note: "What was recorded, not what happened: most abuse is never reported. An incident counts by the day it happened.",
        columns: vec!["recorded"],
        rows: vec![
            row("incidents", "Incidents", Figure::Count(incidents)),
            row("crimes", "Crimes", Figure::Count(crimes)),
            row(
                "incidents_crimed",
                "Incidents recorded as crimes",
                Figure::Share { part: became_crimes, whole: incidents },
            ),
        ],
        sums: Vec::<Sum>::new(),
    }
}

fn row(id: &str, label: &str, figure: Figure) -> Row {
    Row { id: id.to_owned(), label: label.to_owned(), cells: vec![figure] }
}

fn count<T>(of: impl Iterator<Item = T>) -> u64 {
    of.count() as u64
}

/// A count for every month from the first with any event to the last of the period.
fn monthly(
    facts: &Facts<'_>,
    id: &'static str,
    title: &'static str,
    definition: &'static str,
    days: impl Iterator<Item = Date>,
) -> Series {
    let first = facts.events.first().map_or(facts.period.from, |event| event.on().first_of_month());
    let whole = Period { from: first.min(facts.period.from), ..facts.period };
    let mut points: Vec<_> = whole.months().map(|month| Point { month, count: 0 }).collect();
    for day in days {
        let at = points.partition_point(|point| point.month <= day);
        if let Some(point) = points[..at].last_mut().filter(|point| day < point.month.saturating_add(1.month())) {
            point.count += 1;
        }
    }
    Series { id, title, definition, points, breaks: Vec::new(), total: None }
}
