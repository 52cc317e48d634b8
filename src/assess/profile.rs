//! The profile of one linked person in one role as of a date: what a list entry may draw from.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;

use super::findings::{is_known_by, order_of};
use super::history::{Appearance, reports};
use crate::config::rules::Rules;
use crate::model::event::{CrimeOutcome, Detail, Programme, Role, Status};
use crate::model::finding::{Finding, FindingKind, OrderState, Profile, Standing, Tier};

/// The profile in a role, or `None` when no report in that role lies within the list window as of the date.
#[must_use]
pub fn profile(
    history: &[Appearance<'_>],
    findings: &[Finding],
    role: Role,
    as_of: Date,
    rules: &Rules,
) -> Option<Profile> {
    let since = as_of.saturating_sub(i64::from(rules.list_days).days());
    let within = |on: Date| (since..=as_of).contains(&on);
    let reports: Vec<_> = reports(history, role).into_iter().filter(|report| within(report.on())).collect();
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
    let in_role = || history.iter().filter(|entry| entry.me.role == role);
    // One order may be told of more than once, the last time when it was breached.
    let mut orders: BTreeMap<_, OrderState> = BTreeMap::new();
    for (served_on, order) in in_role().filter_map(order_of) {
        if served_on <= as_of && order.until.is_none_or(|until| as_of <= until) {
            orders.entry((order.kind, served_on)).or_insert(order).breached |= order.breached;
        }
    }
    let programmes: BTreeSet<_> = in_role().filter_map(|entry| programme_of(&entry.event.detail)).collect();
    let agencies: BTreeSet<_> = history
        .iter()
        .filter(|entry| is_known_by(&entry.event.detail))
        .map(|entry| entry.event.agency.clone())
        .collect();
    Some(Profile {
        role,
        record: last.record,
        tier: (role == Role::Perpetrator).then_some(tier),
        reports: u32::try_from(reports.len()).unwrap_or(u32::MAX),
        counterparts: u32::try_from(counterparts.len()).unwrap_or(u32::MAX),
        agencies: agencies.into_iter().collect(),
        first_on: first.on(),
        last_on: last.on(),
        drops_off: last.on().saturating_add(i64::from(rules.list_days).days()),
        standing: (role == Role::Perpetrator).then(|| in_role().filter_map(standing).max()).flatten(),
        risk: in_role().rev().find_map(|entry| match entry.event.detail {
            Detail::RiskAssessment { grade, .. } if role == Role::Victim => Some(grade),
            _ => None,
        }),
        orders: orders.into_values().collect(),
        programmes: programmes.into_iter().collect(),
        both_roles: findings.iter().any(|finding| finding.kind == FindingKind::BothRoles),
        findings: by_kind,
    })
}

/// How far the allegation of one event has come.
fn standing(entry: &Appearance<'_>) -> Option<Standing> {
    let by_crime = match entry.event.detail {
        Detail::Crime { outcome, .. } => Some(match outcome {
            CrimeOutcome::Open | CrimeOutcome::Caution => Standing::Allegation,
            CrimeOutcome::Charged => Standing::Charged,
            CrimeOutcome::Convicted => Standing::Convicted,
            CrimeOutcome::NoFurtherAction | CrimeOutcome::Acquitted => Standing::Cleared,
        }),
        _ => None,
    };
    let by_status = match entry.me.status {
        Status::Suspect => Some(Standing::Allegation),
        Status::Charged => Some(Standing::Charged),
        Status::Convicted => Some(Standing::Convicted),
        Status::Cleared => Some(Standing::Cleared),
        Status::Victim | Status::Witness | Status::Client => None,
    };
    // A recorded outcome of the crime is later news than the status the person had when it was recorded.
    by_crime.filter(|standing| *standing == Standing::Cleared).or(by_crime.max(by_status))
}

fn programme_of(detail: &Detail) -> Option<Programme> {
    match detail {
        Detail::ProgrammeStart { programme } | Detail::ProgrammeComplete { programme } => Some(*programme),
        _ => None,
    }
}
