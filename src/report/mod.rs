//! The performance framework: figures from the register alone, as tables and monthly series.
//!
//! Owns what is counted and how it is called. Every figure is of what was *recorded*: abuse that nobody reports is in none.
//! A figure is raw here, and so shows small numbers of people; nothing of a [`Report`] can be written out as it is. What is
//! printed or served goes through statistical disclosure control first. Reads no clock, no file, no register: events come in
//! with the linked person behind each party.

pub mod chart;
pub mod disclosure_control;
mod facts;
mod figures;
mod framework;
pub mod release;
mod suppression;
mod table;
pub mod xmr;

use jiff::ToSpan;
use jiff::civil::Date;

pub use self::framework::report;
use crate::model::ids::ScopeId;

/// All figures of one partnership and one period, raw. Deliberately without `Serialize` and `Display`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The partnership.
    pub scope: ScopeId,
    /// What the figures are about.
    pub period: Period,
    /// Tables, in the order of the framework.
    pub tables: Vec<Table>,
    /// Monthly counts, in the order of the framework.
    pub series: Vec<Series>,
}

/// Whole months, so that no two reports differ by a few days' people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The day it was asked for.
    pub as_of: Date,
    /// The first day of the first month.
    pub from: Date,
    /// The last day of the last month.
    pub until: Date,
}

impl Period {
    /// From the month of `from` up to the last month that is over as of a day. Without `from`, twelve months.
    #[must_use]
    pub fn new(as_of: Date, from: Option<Date>) -> Self {
        let is_over = as_of.tomorrow().is_ok_and(|next| next.day() == 1);
        let until = if is_over { as_of } else { as_of.first_of_month().saturating_sub(1.day()) };
        let from = from.map_or_else(|| until.saturating_add(1.day()).saturating_sub(12.months()), Date::first_of_month);
        Self { as_of, from, until }
    }

    /// Is the day in it?
    #[must_use]
    pub fn has(&self, day: Date) -> bool {
        (self.from..=self.until).contains(&day)
    }

    /// The first days of its months.
    pub fn months(&self) -> impl Iterator<Item = Date> + use<> {
        let until = self.until;
        std::iter::successors(Some(self.from), |month| month.checked_add(1.month()).ok())
            .take_while(move |month| *month <= until)
    }
}

/// Figures about one subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// A stable name: letters and `_`.
    pub id: &'static str,
    /// For a reader.
    pub title: &'static str,
    /// What is counted, and where the definition comes from.
    pub note: &'static str,
    /// What each cell of a row is; as many as every row has cells.
    pub columns: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Which rows add up, by position. Rows that are in no sum overlap with others freely.
    pub sums: Vec<Sum>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// A stable name within the table: letters, digits and `_`.
    pub id: String,
    /// For a reader.
    pub label: String,
    /// One figure for each column.
    pub cells: Vec<Figure>,
}

/// Rows whose figures add up in every column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// The row that has the total; without one, the parts are shares of a whole, and together they are that whole.
    pub total: Option<usize>,
    /// The rows that add up to it.
    pub parts: Vec<usize>,
}

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// How many.
    Count(u64),
    /// So many of so many.
    Share {
        /// How many.
        part: u64,
        /// Of how many, the part included.
        whole: u64,
    },
    /// How long it took, in days: half of the cases took no longer.
    Days {
        /// Of the cases; nothing of none.
        median: u64,
        /// How many cases.
        cases: u64,
    },
}

/// Counts by month, for charts of variation over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// A stable name: letters and `_`.
    pub id: &'static str,
    /// For a reader.
    pub title: &'static str,
    /// What is counted.
    pub definition: &'static str,
    /// Every month without a gap, the oldest first. They may begin before the report's period.
    pub points: Vec<Point>,
    /// Where what is counted changed, so that the months before and after are not to be compared.
    pub breaks: Vec<Break>,
    /// The table's cell that has the sum of the points within the report's period, if one has.
    pub total: Option<Place>,
}

/// One month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Its first day.
    pub month: Date,
    /// How many.
    pub count: u64,
}

/// A break in a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Break {
    /// The first month after it.
    pub month: Date,
    /// Why.
    pub why: String,
}

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The table's id.
    pub table: &'static str,
    /// The row's position.
    pub row: usize,
    /// The column's position.
    pub column: usize,
}

impl Table {
    /// The figure in the first column of a row.
    #[must_use]
    pub fn figure(&self, row: &str) -> Option<Figure> {
        self.rows.iter().find(|candidate| candidate.id == row)?.cells.first().copied()
    }
}

impl Report {
    /// The table of that id.
    #[must_use]
    pub fn table(&self, id: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_period_has_whole_months_that_are_over() {
        let year = Period::new(date(2025, 12, 31), None);
        assert_eq!((year.from, year.until), (date(2025, 1, 1), date(2025, 12, 31)));
        let under_way = Period::new(date(2025, 12, 30), Some(date(2025, 3, 9)));
        assert_eq!((under_way.from, under_way.until), (date(2025, 3, 1), date(2025, 11, 30)));
        assert_eq!(under_way.months().count(), 9);
        assert!(under_way.has(date(2025, 11, 30)) && !under_way.has(date(2025, 12, 1)));
    }
}
