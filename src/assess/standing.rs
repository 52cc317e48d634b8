//! Where an allegation stands: alleged, cautioned, charged, convicted, or none any more. Each report by itself, from the
//! crime as it was recorded and the outcomes that speak of it, and the latest news of the courts counts.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rustc_hash::{FxHashMap, FxHashSet};

use super::history::{Appearance, Report};
use crate::model::event::{CourtResult, CrimeOutcome, Detail, Role, Status};
use crate::model::finding::Standing;
use crate::model::ids::EventId;

/// What is recorded of allegations and what came of them, by the events that it is about: read once for a whole history.
pub struct Courts {
    recorded: FxHashMap<EventId, Standing>,
    /// The last outcome that speaks of an event, and its place in the history.
    outcomes: FxHashMap<EventId, (usize, Standing)>,
}

impl Courts {
    /// Reads a history.
    #[must_use]
    pub fn of(history: &[Appearance<'_>]) -> Self {
        let mut courts = Self { recorded: FxHashMap::default(), outcomes: FxHashMap::default() };
        for (at, entry) in history.iter().enumerate() {
            let detail = &entry.event.detail;
            if let (Some(outcome), Some(about)) = (outcome(detail), entry.about) {
                courts.outcomes.insert(about, (at, outcome));
            }
            if matches!(detail, Detail::Incident { .. } | Detail::Crime { .. })
                && let Some(standing) = as_recorded(entry)
            {
                // Somebody may take part in one event by two records.
                let held = courts.recorded.entry(entry.id).or_insert(standing);
                *held = standing.max(*held);
            }
        }
        courts
    }

    /// Where the allegation of a report stands.
    #[must_use]
    pub fn standing(&self, report: &Report) -> Standing {
        let recorded = report.events.iter().filter_map(|id| self.recorded.get(id)).max();
        let recorded = recorded.copied().unwrap_or(Standing::Allegation);
        let about = report.events.iter().chain([&report.happening]);
        let latest = about.filter_map(|id| self.outcomes.get(id)).max_by_key(|(at, _)| *at);
        match latest {
            Some((_, latest)) if latest.is_cleared() => *latest,
            Some((_, latest)) => recorded.max(*latest),
            None => recorded,
        }
    }
}

/// Of each standing that any allegation against the person has, how many have it and the day of the last: reports within a
/// window, and what courts and probation say of no report that we have.
pub(super) fn standings(
    history: &[Appearance<'_>],
    courts: &Courts,
    reports: &[Report],
    within: impl Fn(Date) -> bool,
) -> BTreeMap<Standing, (u32, Date)> {
    let of_reports = reports.iter().map(|report| (courts.standing(report), report.on()));
    let of_them: FxHashSet<_> =
        reports.iter().flat_map(|report| report.events.iter().chain([&report.happening])).collect();
    let known = |id: EventId| of_them.contains(&id);
    let alone = history.iter().filter(|entry| entry.me.role == Role::Perpetrator && !entry.me.under_16);
    let alone = alone.filter_map(|entry| {
        let of_court = outcome(&entry.event.detail).filter(|_| !entry.about.is_some_and(known));
        let supervised = matches!(entry.event.detail, Detail::OrderStart { .. } | Detail::Release { .. });
        let convicted = (supervised && entry.me.status == Status::Convicted).then_some(Standing::Convicted);
        of_court.or(convicted).map(|standing| (standing, entry.on()))
    });
    let mut standings: BTreeMap<Standing, (u32, Date)> = BTreeMap::new();
    for (standing, on) in of_reports.chain(alone.filter(|(_, on)| within(*on))) {
        let (count, last) = standings.entry(standing).or_insert((0, on));
        *count += 1;
        *last = on.max(*last);
    }
    standings
}

/// As the report itself was recorded.
fn as_recorded(entry: &Appearance<'_>) -> Option<Standing> {
    let by_crime = match entry.event.detail {
        Detail::Crime { outcome, .. } => Some(match outcome {
            CrimeOutcome::Open => Standing::Allegation,
            CrimeOutcome::Caution => Standing::Cautioned,
            CrimeOutcome::Charged => Standing::Charged,
            CrimeOutcome::Convicted => Standing::Convicted,
            CrimeOutcome::NoFurtherAction => Standing::NoFurtherAction,
            CrimeOutcome::Acquitted => Standing::Acquitted,
        }),
        _ => None,
    };
    // For a victim, the standing of whoever is across.
    let statuses = entry.event.participants.iter().filter(|person| match entry.me.role {
        Role::Perpetrator => person.record == entry.me.record,
        Role::Victim | Role::Child | Role::Witness => person.role == Role::Perpetrator,
    });
    let by_status = statuses.filter_map(|person| match person.status {
        Status::Suspect => Some(Standing::Allegation),
        Status::Charged => Some(Standing::Charged),
        Status::Convicted => Some(Standing::Convicted),
        Status::Cleared => Some(Standing::Cleared),
        Status::Victim | Status::Witness | Status::Client => None,
    });
    // A recorded outcome of the crime is later news than the status the person had when it was recorded.
    by_crime.filter(|standing| standing.is_cleared()).or(by_crime.max(by_status.max()))
}

/// What an outcome makes of the allegation; an arrest makes no more of it than it is.
fn outcome(detail: &Detail) -> Option<Standing> {
    match detail {
        Detail::Charge { .. } => Some(Standing::Charged),
        Detail::NoFurtherAction { .. } => Some(Standing::NoFurtherAction),
        Detail::ConditionalCaution { .. } => Some(Standing::Cautioned),
        Detail::CourtOutcome { result, .. } => match result {
            CourtResult::Convicted => Some(Standing::Convicted),
            CourtResult::Acquitted => Some(Standing::Acquitted),
            CourtResult::Discontinued => Some(Standing::NoFurtherAction),
            CourtResult::Other => None,
        },
        _ => None,
    }
}
