//! Statistical disclosure control: the only way from a [`Report`] to anything that is printed or served.
//!
//! # Who attacks, with what
//!
//! A reader of everything ever published, for every day and every partnership, who knows this file, the sums between the
//! figures and what is in none of them, and has a linear programme. They want a small number: how many people, below the
//! threshold, are in a cell. They may know people who are counted, and may see the figures before and after one of them is.
//!
//! # What stops them
//!
//! - **Suppression.** A count below the threshold (10, or less down to 5) is withheld, nought as well.
//! - **Rounding** to the nearest 5, always in the same way, so that asking again averages nothing out.
//! - **Complementary suppression.** Further cells are withheld under the same mark until every withheld small number can,
//!   for all that can be computed from the sums and the roundings, still be anything below the threshold. The rest of a
//!   share is a part as well: 97 of 100 says 3. Equal numbers in several tables are taken for the same number, and
//!   withheld together.
//! - **Percentages** are of the rounded numbers, and withheld with them.
//! - **Fixed periods** ([`release`]): disjoint, closed, in two versions at the most. There is no window to choose, hence
//!   none to subtract from another; what is recorded late changes nothing published but at the one revision. Figures of
//!   partnerships are apart, and none is of several.
//!
//! # What does not
//!
//! Corrections, erasures and links that are found wrong change what is counted, whenever they come; a reader who sees a
//! figure move by 5 knows that it was at the edge of its rounding. A median of enough cases is not rounded. Who can place
//! forged events of their own with a date of recording in the past can probe that edge; the audit shows them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::Serialize;

use super::suppression::{Gives, System, rounded};
use super::{Break, Figure, Period, Report, Series, Table, release};
use crate::config::rules::Rules;
use crate::model::event::day;
use crate::model::ids::ScopeId;
use crate::model::linked::LinkedEvent;

/// Counts below it are withheld, unless the configuration says less.
pub const SUPPRESS_BELOW: u64 = 10;

/// In place of a number that is withheld.
pub const WITHHELD: &str = "[c]";

/// What the mark means.
pub const WITHHELD_NOTE: &str = "[c] stands for a number that is withheld: it is small, or with it a small one could be \
    worked out. All other counts are rounded to the nearest 5, and percentages are of rounded counts.";

/// Tables over several years. Those of one year and of the next would be two windows that overlap, and the new year's
/// months their difference: they stay inside, and the charts have the season.
const OVERLAPPING: &[&str] = &["season"];

/// Figures that anybody may see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Published {
    /// The partnership.
    pub scope: ScopeId,
    /// The first day that tables are of.
    pub from: Date,
    /// The last day that tables are of.
    pub until: Date,
    /// Counts below it are withheld.
    pub suppress_below: u64,
    /// Tables.
    pub tables: Vec<PublishedTable>,
    /// Monthly counts.
    pub series: Vec<PublishedSeries>,
}

/// A table that anybody may see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedTable {
    /// A stable name.
    pub id: &'static str,
    /// For a reader.
    pub title: &'static str,
    /// What is counted.
    pub note: &'static str,
    /// What each cell of a row is.
    pub columns: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<PublishedRow>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedRow {
    /// A stable name within the table.
    pub id: String,
    /// For a reader.
    pub label: String,
    /// One for each column.
    pub cells: Vec<PublishedFigure>,
}

/// A figure that anybody may see; what is withheld is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PublishedFigure {
    /// How many.
    Count {
        /// Rounded.
        count: Option<u64>,
    },
    /// So many of so many.
    Share {
        /// How many, rounded.
        part: Option<u64>,
        /// Of how many, rounded.
        whole: Option<u64>,
        /// One by the other.
        percent: Option<u64>,
    },
    /// How long it took.
    Days {
        /// Half took no longer.
        median: Option<u64>,
        /// Of how many, rounded.
        cases: Option<u64>,
    },
}

/// A monthly series that anybody may see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PublishedSeries {
    /// A stable name.
    pub id: &'static str,
    /// For a reader.
    pub title: &'static str,
    /// What is counted.
    pub definition: &'static str,
    /// Every month, the oldest first.
    pub points: Vec<PublishedPoint>,
    /// Where what is counted changed.
    pub breaks: Vec<Break>,
}

/// One month of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PublishedPoint {
    /// Its first day.
    pub month: Date,
    /// Rounded; withheld if it is missing.
    pub count: Option<u64>,
}

/// The report is of a window that is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("figures are published of closed calendar years and months only; take those of `release`")]
struct NotPublishable;

/// What may be published as of a day: tables of the year, series of the months, counted from what was recorded in time.
///
/// # Panics
/// Never: the report is made of what is publishable.
#[must_use]
pub fn publish(
    scope: &ScopeId,
    events: &[LinkedEvent<'_>],
    as_of: Date,
    rules: &Rules,
    breaks: &[Break],
    suppress_below: u64,
) -> Published {
    let recorded = |event: &LinkedEvent<'_>| day(event.recorded_at);
    let in_time = |event: &&LinkedEvent<'_>| release::counts(event.on(), recorded(event), as_of);
    let events: Vec<_> = events.iter().filter(in_time).cloned().collect();
    let mut report = super::report(scope, &events, release::year(as_of), rules, breaks);
    report.tables.retain(|table| !OVERLAPPING.contains(&table.id));
    report.series = super::report(scope, &events, release::months(as_of), rules, breaks).series;
    protect(&report, suppress_below).expect("of the year and the months that are published")
}

/// Rounds, and withholds what is small or gives a small number away.
///
/// # Errors
/// When the report is not of the year that is published as of its day, or a series of months that are not.
fn protect(report: &Report, suppress_below: u64) -> Result<Published, NotPublishable> {
    let as_of = report.period.as_of;
    let last = release::months(as_of).until;
    let is_open = |series: &Series| series.points.iter().any(|point| point.month > last || point.month.day() != 1);
    if report.period != release::year(as_of) || report.series.iter().any(is_open) {
        return Err(NotPublishable);
    }
    let mut sheet = Sheet { suppress_below, ..Sheet::default() };
    let tables: Vec<Vec<Vec<Cells>>> = report.tables.iter().map(|table| sheet.take_table(table)).collect();
    let series: Vec<Vec<usize>> = report.series.iter().map(|series| sheet.take_series(series)).collect();
    sheet.relate_series(report, &tables, &series);
    let values = sheet.values;
    let hidden = sheet.system.suppress(suppress_below);
    let shown = |cell: usize| (!hidden[cell]).then(|| rounded(values[cell]));
    let Period { from, until, .. } = report.period;
    Ok(Published {
        scope: report.scope.clone(),
        from,
        until,
        suppress_below,
        tables: report.tables.iter().zip(tables).map(|(table, cells)| publish_table(table, &cells, &shown)).collect(),
        series: report
            .series
            .iter()
            .zip(series)
            .map(|(series, cells)| publish_series(series, &cells, &shown))
            .collect(),
    })
}

/// The cells behind one figure: one for a count or for cases, part and whole for a share.
type Cells = (usize, Option<usize>);

/// The numbers of a report as one system of sums.
#[derive(Default)]
struct Sheet {
    system: System,
    suppress_below: u64,
    values: Vec<u64>,
    by_value: BTreeMap<u64, Vec<usize>>,
}

impl Sheet {
    fn cell(&mut self, value: u64) -> usize {
        self.values.push(value);
        self.system.cell(value)
    }

    /// The cell of a number that may stand elsewhere too, but for those that are known to be others. Small numbers are
    /// withheld wherever they stand.
    fn same(&mut self, value: u64, others: &BTreeSet<usize>) -> usize {
        if value < self.suppress_below {
            return self.cell(value);
        }
        let known = self.by_value.get(&value).and_then(|cells| cells.iter().find(|cell| !others.contains(*cell)));
        if let Some(known) = known {
            return *known;
        }
        let cell = self.cell(value);
        self.by_value.entry(value).or_default().push(cell);
        cell
    }

    /// The cells of a table, by row and column.
    fn take_table(&mut self, table: &Table) -> Vec<Vec<Cells>> {
        let mut taken: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); table.columns.len()];
        let mut rows = Vec::new();
        for row in &table.rows {
            let cells = row.cells.iter().zip(&mut taken).map(|(figure, taken)| match *figure {
                Figure::Count(count) | Figure::Days { cases: count, .. } => {
                    let cell = self.same(count, taken);
                    taken.insert(cell);
                    (cell, None)
                }
                Figure::Share { part, whole } => {
                    let whole_cell = self.same(whole, &BTreeSet::new());
                    let cell = self.same(part, &taken.iter().copied().chain([whole_cell]).collect());
                    taken.insert(cell);
                    let rest = whole.saturating_sub(part);
                    self.values.push(rest);
                    let rest = self.system.implied(rest);
                    self.system.relate(whole_cell, vec![cell, rest], Gives::Part);
                    (cell, Some(whole_cell))
                }
            });
            rows.push(cells.collect::<Vec<_>>());
        }
        for sum in &table.sums {
            for column in 0..table.columns.len() {
                let at = |row: usize| rows.get(row).and_then(|cells: &Vec<Cells>| cells.get(column)).copied();
                let parts: Vec<Cells> = sum.parts.iter().filter_map(|row| at(*row)).collect();
                let total = match sum.total {
                    Some(row) => at(row),
                    None => parts.first().and_then(|(_, whole)| Some((((*whole)?), None))),
                };
                let Some((total, whole)) = total else { continue };
                self.system.relate(total, parts.iter().map(|(part, _)| *part).collect(), Gives::Part);
                let wholes: Option<Vec<usize>> = parts.iter().map(|(_, whole)| *whole).collect();
                if let Some((whole, wholes)) = whole.zip(wholes) {
                    self.system.relate(whole, wholes, Gives::Part);
                }
            }
        }
        rows
    }

    /// The cells of a series, by month.
    fn take_series(&mut self, series: &Series) -> Vec<usize> {
        series.points.iter().map(|point| self.cell(point.count)).collect()
    }

    /// Months add up to the year in a table. They were published before it, so it is the year that gives way.
    fn relate_series(&mut self, report: &Report, tables: &[Vec<Vec<Cells>>], series: &[Vec<usize>]) {
        for (of, cells) in report.series.iter().zip(series) {
            let Some(place) = of.total else { continue };
            let table = report.tables.iter().position(|table| table.id == place.table);
            let total = table.and_then(|table| Some(tables[table].get(place.row)?.get(place.column)?.0));
            let within = of.points.iter().zip(cells).filter(|(point, _)| report.period.has(point.month));
            if let Some(total) = total {
                self.system.relate(total, within.map(|(_, cell)| *cell).collect(), Gives::Total);
            }
        }
    }
}

fn publish_table(table: &Table, cells: &[Vec<Cells>], shown: &impl Fn(usize) -> Option<u64>) -> PublishedTable {
    let rows = table.rows.iter().zip(cells).map(|(row, cells)| {
        let figures = row.cells.iter().zip(cells).map(|(figure, (cell, whole))| match figure {
            Figure::Count(_) => PublishedFigure::Count { count: shown(*cell) },
            Figure::Share { .. } => {
                let (part, whole) = (shown(*cell), whole.and_then(shown));
                let percent = part.zip(whole).map(|(part, whole)| (100 * part + whole / 2) / whole.max(1));
                PublishedFigure::Share { part, whole, percent }
            }
            Figure::Days { median, .. } => {
                let cases = shown(*cell);
                PublishedFigure::Days { median: cases.map(|_| *median), cases }
            }
        });
        PublishedRow { id: row.id.clone(), label: row.label.clone(), cells: figures.collect() }
    });
    let rows = rows.collect();
    PublishedTable { id: table.id, title: table.title, note: table.note, columns: table.columns.clone(), rows }
}

fn publish_series(series: &Series, cells: &[usize], shown: &impl Fn(usize) -> Option<u64>) -> PublishedSeries {
    let points = series.points.iter().zip(cells);
    let points = points.map(|(point, cell)| PublishedPoint { month: point.month, count: shown(*cell) });
    PublishedSeries {
        id: series.id,
        title: series.title,
        definition: series.definition,
        points: points.collect(),
        breaks: series.breaks.clone(),
    }
}

/// A number for a reader, or the mark.
#[must_use]
pub fn number(number: Option<u64>) -> String {
    number.map_or_else(|| WITHHELD.to_owned(), |number| number.to_string())
}

impl PublishedFigure {
    /// For a reader, in a few words.
    #[must_use]
    pub fn text(&self) -> String {
        match *self {
            Self::Count { count } => number(count),
            Self::Share { part, whole, percent: Some(percent) } => {
                format!("{percent}% ({} of {})", number(part), number(whole))
            }
            Self::Share { part, whole, percent: None } => format!("{} of {}", number(part), number(whole)),
            Self::Days { median: Some(median), cases } => format!("{median} days ({} cases)", number(cases)),
            Self::Days { median: None, .. } => WITHHELD.to_owned(),
        }
    }
}

#[cfg(test)]
mod attack;
