//! How tables and series are put together.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::facts::Facts;
use super::{Break, Figure, Point, Row, Series, Sum, Table};
use crate::model::ids::PartyId;

impl Table {
    /// An empty table with one column.
    pub(super) fn new(id: &'static str, title: &'static str, note: &'static str) -> Self {
        Self { id, title, note, columns: vec!["recorded"], rows: Vec::new(), sums: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(mut self, id: impl Into<String>, label: impl Into<String>, figure: Figure) -> Self {
        self.rows.push(Row { id: id.into(), label: label.into(), cells: vec![figure] });
        self
    }

    /// Adds a count.
    pub(super) fn count(self, id: impl Into<String>, label: impl Into<String>, count: usize) -> Self {
        self.row(id, label, Figure::Count(count as u64))
    }

    /// Adds a part of a whole.
    pub(super) fn share(self, id: impl Into<String>, label: impl Into<String>, (part, whole): (usize, usize)) -> Self {
        self.row(id, label, Figure::Share { part: part as u64, whole: whole as u64 })
    }

    /// Adds a median of days.
    pub(super) fn days(self, id: impl Into<String>, label: impl Into<String>, mut days: Vec<u64>) -> Self {
        days.sort_unstable();
        let median = days.get(days.len().saturating_sub(1) / 2).copied().unwrap_or_default();
        self.row(id, label, Figure::Days { median, cases: days.len() as u64 })
    }

    /// Adds one share for each kind that a whole falls into; together they are the whole.
    pub(super) fn kinds<I: Into<String>, L: Into<String>>(
        mut self,
        kinds: impl IntoIterator<Item = (I, L, usize)>,
    ) -> Self {
        let first = self.rows.len();
        let kinds: Vec<_> = kinds.into_iter().collect();
        let whole = kinds.iter().map(|(_, _, count)| count).sum();
        for (id, label, count) in kinds {
            self = self.share(id, label, (count, whole));
        }
        if first < self.rows.len() {
            self.sums.push(Sum { total: None, parts: (first..self.rows.len()).collect() });
        }
        self
    }
}

/// The months of every series: from the first in which the register holds anything.
pub(super) struct Months {
    first: Date,
    until: Date,
    breaks: Vec<Break>,
}

impl Months {
    /// Breaks are those known of from elsewhere, and the months in which an agency is first heard of.
    pub(super) fn new(facts: &Facts<'_>, known: &[Break]) -> Self {
        let first = facts.begins();
        let mut heard: BTreeMap<&PartyId, Date> = BTreeMap::new();
        for event in &facts.events {
            heard.entry(event.agency).or_insert_with(|| event.on().first_of_month());
        }
        let newly = heard
            .into_iter()
            .filter(|(_, month)| *month > first)
            .map(|(agency, month)| Break { month, why: format!("the first events of {agency}") });
        let mut breaks: Vec<_> =
            known.iter().cloned().chain(newly).filter(|one| one.month <= facts.period.until).collect();
        breaks.sort();
        Self { first, until: facts.period.until, breaks }
    }

    /// Counts days by month.
    pub(super) fn series(
        &self,
        id: &'static str,
        title: &'static str,
        definition: &'static str,
        days: impl Iterator<Item = Date>,
    ) -> Series {
        let mut counts: BTreeMap<Date, u64> = BTreeMap::new();
        days.for_each(|day| *counts.entry(day.first_of_month()).or_default() += 1);
        let months = std::iter::successors(Some(self.first), |month| month.checked_add(1.month()).ok());
        let months = months.take_while(|month| *month <= self.until);
        let points =
            months.map(|month| Point { month, count: counts.get(&month).copied().unwrap_or_default() }).collect();
        Series { id, title, definition, points, breaks: self.breaks.clone(), total: None }
    }
}
