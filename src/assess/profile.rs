//! The profile of one linked person in one role as of a date: what a list entry may draw from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;

use super::history::{Appearance, Past};
use super::standing;
use super::{matac, orders, pathways};
use crate::config::rules::Rules;
use crate::model::event::{
    CohortKind, CohortState, Detail, Handling, IntelligenceAssessment, PerpetratorRisk, ReviewTool, Risk, Role,
};
use crate::model::finding::{Finding, FindingKind, Intelligence, Profile, RiskBasis, Tier};

/// The profile in a role, or `None` when no report in that role lies within the list window as of the date.
#[must_use]
pub fn profile(past: &Past<'_>, findings: &[Finding], role: Role, as_of: Date, rules: &Rules) -> Option<Profile> {
    let since = as_of.saturating_sub(i64::from(rules.list_days).days());
    let within = |on: Date| (since..=as_of).contains(&on);
    let (history, all) = (past.history.as_slice(), past.reports(role));
    let in_window = all.partition_point(|report| report.on() < since);
    let reports = &all[in_window..];
    let (first, last) = (reports.first()?, reports.last()?);
    let counterparts: BTreeSet<_> =
        reports.iter().flat_map(|report| &report.opposite).map(|other| other.cluster).collect();
    let mut by_kind = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.role == role && within(finding.on)) {
        *by_kind.entry(finding.kind).or_insert(0) += 1;
    }
    let tier = if by_kind.contains_key(&FindingKind::SerialPerpetrator) {
        Tier::Serial
    } else if by_kind.contains_key(&FindingKind::RepeatPerpetrator) {
        Tier::Repeat
    } else {
        Tier::Single
    };
    let is_perpetrator = role == Role::Perpetrator;
    let standings =
        if is_perpetrator { standing::standings(history, &past.courts, reports, within) } else { BTreeMap::new() };
    let risk = if is_perpetrator { None } else { in_role(history, role).rev().find_map(graded) };
    let in_role = || in_role(history, role);
    let agencies: BTreeSet<_> = history
        .iter()
        .filter(|entry| entry.event.detail.says_who_is_known())
        .map(|entry| &entry.event.agency)
        .collect();
    Some(Profile {
        role,
        record: last.record,
        tier: is_perpetrator.then_some(tier),
        reports: u32::try_from(reports.len()).unwrap_or(u32::MAX),
        counterparts: u32::try_from(counterparts.len()).unwrap_or(u32::MAX),
        agencies: agencies.into_iter().cloned().collect(),
        first_on: first.on(),
        last_on: last.on(),
        drops_off: last.on().saturating_add(i64::from(rules.list_days).days()),
        standing: standings.last_key_value().map(|(standing, _)| *standing),
        standings,
        risk: risk.as_ref().map(|(grade, _)| *grade),
        risk_basis: risk.map(|(_, basis)| basis),
        orders: orders::in_force(in_role(), as_of),
        programmes: pathways::known(in_role()).into_iter().collect(),
        pathways: if is_perpetrator { pathways::open_to(history, as_of) } else { Vec::new() },
        cohorts: cohorts(in_role()),
        mappa_level: mappa_level(in_role()),
        reviewed_risk: if is_perpetrator { in_role().rev().find_map(reviewed) } else { None },
        score: if is_perpetrator { matac::score(&past.courts, all, as_of, rules.matac_days) } else { None },
        intelligence: intelligence(in_role().filter(|entry| within(entry.on()))),
        both_roles: findings.iter().any(|finding| finding.kind == FindingKind::BothRoles),
        findings: by_kind,
    })
}

/// What names the person in that role.
fn in_role<'a>(history: &'a [Appearance<'a>], role: Role) -> impl DoubleEndedIterator<Item = &'a Appearance<'a>> {
    history.iter().filter(move |entry| entry.me.role == role)
}

/// The grade of an assessment, and how it came about.
fn graded(entry: &Appearance<'_>) -> Option<(Risk, RiskBasis)> {
    let (grade, raised_by_answers) = entry.event.detail.graded()?;
    let Detail::RiskAssessment { tool, tool_version, grader, raised_by_judgement, .. } = &entry.event.detail else {
        return None;
    };
    let basis = RiskBasis {
        tool: tool.clone(),
        tool_version: tool_version.clone(),
        grader: *grader,
        raised_by_judgement: *raised_by_judgement,
        raised_by_answers,
    };
    Some((grade, basis))
}

/// What probation's review says of the risk that the person poses.
fn reviewed(entry: &Appearance<'_>) -> Option<(ReviewTool, PerpetratorRisk)> {
    match entry.event.detail {
        Detail::RiskReview { tool, level, .. } => Some((tool, level)),
        _ => None,
    }
}

/// Cohorts that the person was taken into and not let go from.
fn cohorts<'a>(history: impl Iterator<Item = &'a Appearance<'a>>) -> Vec<CohortKind> {
    let mut cohorts = BTreeSet::new();
    for entry in history {
        match entry.event.detail {
            Detail::Cohort { cohort, state: CohortState::Entered } => drop(cohorts.insert(cohort)),
            Detail::Cohort { cohort, state: CohortState::Left } => drop(cohorts.remove(&cohort)),
            _ => {}
        }
    }
    cohorts.into_iter().collect()
}

/// The last level, unless it says that the person is managed no longer.
fn mappa_level<'a>(history: impl Iterator<Item = &'a Appearance<'a>>) -> Option<u8> {
    let levels = history.filter_map(|entry| match entry.event.detail {
        Detail::MappaLevel { level } => Some(level),
        _ => None,
    });
    levels.last().filter(|level| *level > 0)
}

/// What intelligence there is that may be shared and is not suspected to be false. It is shown of somebody who is listed for
/// what was reported, and lists nobody.
fn intelligence<'a>(history: impl Iterator<Item = &'a Appearance<'a>>) -> Option<Intelligence> {
    let graded = history.filter_map(|entry| match entry.event.detail {
        Detail::CpiReport { source_evaluation, assessment, handling: Handling::Permitted } => {
            Some((source_evaluation, assessment)).filter(|_| assessment != IntelligenceAssessment::SuspectedFalse)
        }
        _ => None,
    });
    let graded: Vec<_> = graded.collect();
    let (source_evaluation, assessment) = graded.iter().min().copied()?;
    Some(Intelligence { reports: u32::try_from(graded.len()).unwrap_or(u32::MAX), source_evaluation, assessment })
}
