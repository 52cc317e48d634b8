//! RFG(V), by which a MATAC ranks: recency, frequency, gravity and victims of what is reported in its window.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::Date;

use super::history::Report;
use super::standing::Courts;
use crate::config::rules::{Harm, Weights};
use crate::model::finding::{Parts, Score, Standing};

/// The score as of a day, with the tables in force then. `None` where nothing is reported in the window. What a court
/// acquitted of is not counted; an investigation that ended is, as most that victims do not support end so.
pub(super) fn score(courts: &Courts, reports: &[Report], as_of: Date, days: u32) -> Option<Score> {
    let since = as_of.saturating_sub(i64::from(days).days());
    let counts =
        |report: &&Report| (since..=as_of).contains(&report.on()) && courts.standing(report) != Standing::Acquitted;
    let reports: Vec<_> = reports.iter().filter(counts).collect();
    let (weights, harm) = (Weights::on(as_of), Harm::on(as_of));
    let gravity = |report: &Report| {
        let crimes = report.crimes.iter().map(|(family, most_serious)| harm.of_crime(*family, *most_serious));
        if report.crimes.is_empty() { harm.non_crime } else { crimes.sum() }
    };
    let victims: BTreeSet<_> =
        reports.iter().flat_map(|report| &report.opposite).map(|victim| victim.cluster).collect();
    let last_on = reports.last()?.on();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let values = Parts {
        recency: u32::try_from((as_of - last_on).get_days()).unwrap_or(0),
        frequency: number(reports.len()),
        gravity: reports.iter().fold(0_u32, |sum, report| sum.saturating_add(gravity(report))),
        victims: number(victims.len()),
    };
    let (points, total) = weights.points(values);
    Some(Score { values, points, last_on, total, versions: (&weights.version, &harm.version) })
}
