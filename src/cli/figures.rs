//! The figures of the page /performance: made by the thread that owns the register, when somebody looks and it has nothing
//! better to do, and kept. They are of closed months, so nothing is lost by an hour's age.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::civil::Date;

use crate::config::rules::Rules;
use crate::model::ids::ScopeId;
use crate::ops::pages::{Chart, Performance, Table};
use crate::pipeline::Engine;
use crate::report::disclosure_control::{Published, WITHHELD_NOTE, publish};
use crate::report::{chart, xmr};

/// Younger figures are good enough.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);
/// Who asked is not kept waiting longer for a quiet moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is known and what is asked for.
#[derive(Default)]
struct Desk {
    made: Option<(Instant, Date)>,
    asked: Option<Instant>,
    latest: Vec<Performance>,
}

/// Between those who look and the one who can count.
#[derive(Default)]
pub(super) struct Figures(Mutex<Desk>);

impl Figures {
    /// The latest; that somebody looked is noted.
    pub(super) fn latest(&self) -> Vec<Performance> {
        let mut desk = self.desk();
        desk.asked.get_or_insert_with(Instant::now);
        desk.latest.clone()
    }

    /// Should they be made now?
    pub(super) fn are_wanted(&self, as_of: Date, is_busy: bool) -> bool {
        let desk = self.desk();
        let is_good = desk.made.is_some_and(|(at, day)| day == as_of && at.elapsed() < GOOD_FOR);
        desk.asked.is_some_and(|asked| !is_good && (!is_busy || asked.elapsed() > PATIENCE))
    }

    /// Puts new ones there.
    pub(super) fn put(&self, as_of: Date, latest: Vec<Performance>) {
        *self.desk() = Desk { made: Some((Instant::now(), as_of)), asked: None, latest };
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The published figures of a partnership whose register this engine has, as the page shows them.
pub(super) fn of(engine: &Engine, scope: &ScopeId, as_of: Date, rules: &Rules, suppress_below: u64) -> Performance {
    shown(&publish(scope, &engine.linked_events(scope), as_of, rules, &[], suppress_below), as_of)
}

pub(super) fn shown(published: &Published, as_of: Date) -> Performance {
    let charts = published.series.iter().map(|series| {
        let read = xmr::chart(series);
        let rendered = chart::render(&read);
        let breaks = read.breaks.iter().map(|(month, why)| format!("{}, {why}", month.strftime("%B %Y")));
        Chart {
            id: series.id.to_owned(),
            title: series.title.to_owned(),
            definition: series.definition.to_owned(),
            breaks: breaks.collect(),
            svg: rendered.svg,
            columns: rendered.columns.map(str::to_owned).to_vec(),
            rows: rendered.rows.into_iter().map(|row| row.to_vec()).collect(),
            csv: rendered.csv,
        }
    });
    let tables = published.tables.iter().map(|table| Table {
        title: table.title.to_owned(),
        note: table.note.to_owned(),
        columns: table.columns.iter().map(|column| (*column).to_owned()).collect(),
        rows: table
            .rows
            .iter()
            .map(|row| (row.label.clone(), row.cells.iter().map(|cell| cell.text()).collect()))
            .collect(),
    });
    Performance {
        scope: published.scope.to_string(),
        period: format!("{} to {}", published.from.strftime("%-d %B %Y"), published.until.strftime("%-d %B %Y")),
        made_at: format!("as of {}", as_of.strftime("%-d %B %Y")),
        note: WITHHELD_NOTE.to_owned(),
        legend: chart::legend(),
        charts: charts.collect(),
        tables: tables.collect(),
    }
}
