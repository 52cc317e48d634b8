//! The rules: each a function of the history by event time alone, so that a late event changes the past consistently.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::history::{Appearance, Past, Report};
use super::{children, disclosure_scheme, orders, pathways, routing};
use crate::config::rules::Rules;
use crate::model::event::{Answer, Detail, Programme, Role, day};
use crate::model::finding::{Counterpart, Finding, FindingFacts, FindingKind, OrderState, Standing};
use crate::model::ids::{ClusterId, EventId, FindingId, RecordId};

/// Every finding about the person whose history this is, by id.
#[must_use]
pub fn findings(past: &Past<'_>, as_of: Date, rules: &Rules) -> Vec<Finding> {
    let mut found = Vec::new();
    let history = past.history.as_slice();
    let orders = orders::all(history);
    let completed = history.iter().filter_map(|entry| Some((entry, pathways::completed(entry, &rules.routing)?)));
    let completed: Vec<_> = completed.collect();
    for role in [Role::Victim, Role::Perpetrator] {
        let reports = past.reports(role);
        let standings: Vec<_> = reports.iter().map(|report| past.courts.standing(report)).collect();
        for at in 0..reports.len() {
            let (before, standings) = (&reports[..at], &standings[..=at]);
            let life = Life { history, orders: &orders, completed: &completed, before, standings, role, rules };
            of_report(&life, &reports[at], &mut found);
        }
    }
    marac_repeats(history, rules, &mut found);
    orders::findings(history, &mut found);
    risk_escalations(history, &mut found);
    several_agencies(history, &mut found);
    routing::unrouted(history, as_of, &rules.routing, &mut found);
    disclosure_scheme::overdue(history, as_of, rules, &mut found);
    children::findings(past, rules, &mut found);
    found.extend(both_roles(past));
    found.sort_by_key(|finding| finding.id);
    // An event may name somebody twice; what it says of them it says once.
    found.dedup_by_key(|finding| finding.id);
    found
}

/// What a report is seen against.
struct Life<'a> {
    history: &'a [Appearance<'a>],
    orders: &'a [(&'a Appearance<'a>, Date, OrderState)],
    completed: &'a [(&'a Appearance<'a>, Programme)],
    /// The reports before it, by time.
    before: &'a [Report],
    /// Where each of these stands, and last the report itself.
    standings: &'a [Standing],
    role: Role,
    rules: &'a Rules,
}

/// What one report gives rise to, given the reports before it.
fn of_report(life: &Life<'_>, report: &Report, found: &mut Vec<Finding>) {
    let Life { history, orders, completed, before, standings, role, rules } = *life;
    let standing = standings.last().copied().filter(|standing| standing.is_cleared());
    let within = |days: u32| {
        let since = back(report.at, days);
        &before[before.partition_point(|earlier| earlier.at < since)..]
    };
    let base = |kind| {
        let facts = FindingFacts { offence_family: report.offence_family, standing, ..FindingFacts::default() };
        Finding { facts, ..triggered_by(kind, role, report) }
    };
    let is_new = !before.is_empty() && !before.iter().any(|earlier| earlier.shares_counterpart(&report.opposite));
    let mut finding = base(FindingKind::NewReport);
    finding.facts.new_counterparty = Some(is_new);
    found.push(finding);

    let repeats = within(rules.repeat_days);
    if !repeats.is_empty() {
        let kind = if role == Role::Victim { FindingKind::RepeatVictim } else { FindingKind::RepeatPerpetrator };
        let mut finding = with_evidence(base(kind), repeats);
        finding.facts.new_counterparty = Some(is_new);
        found.push(finding);
    }
    let mut same_pair = repeats.iter().filter(|earlier| earlier.shares_counterpart(&report.opposite)).peekable();
    if same_pair.peek().is_some() {
        found.push(with_evidence(base(FindingKind::SamePairAgain), same_pair));
    }
    let recent = within(rules.serial_days);
    // Most reports are of the same two people again, and the last one tells.
    let is_known = |other: &Counterpart| recent.iter().rev().any(|earlier| earlier.shares_counterpart(&[*other]));
    let is_one_more =
        recent.iter().any(|earlier| !earlier.opposite.is_empty()) && !report.opposite.iter().all(is_known);
    let all = || clusters(recent.iter().chain([report]).flat_map(|report| &report.opposite));
    if let Some(all) = is_one_more.then(all).filter(|all| all.len() >= rules.serial_victims as usize) {
        let kind = match role {
            Role::Victim => FindingKind::SuccessivePerpetrators,
            Role::Perpetrator | Role::Child | Role::Witness => FindingKind::SerialPerpetrator,
        };
        let mut finding = with_evidence(base(kind), recent);
        finding.facts.distinct_counterparts = u32::try_from(all.len()).ok();
        found.push(finding);
        let of_recent = &standings[before.len() - recent.len()..before.len()];
        let has_history = of_recent.iter().any(|standing| !standing.is_cleared());
        if role == Role::Perpetrator && has_history && !disclosure_scheme::was_asked(history, report) {
            found.push(with_evidence(base(FindingKind::RightToKnow), recent));
        }
    }
    if role == Role::Victim {
        let recent = within(rules.escalation_days);
        if recent.len() + 1 >= rules.escalation_reports as usize {
            found.push(with_evidence(base(FindingKind::ThreeInTwelveMonths), recent));
        }
    } else {
        if let Some((earlier, programme)) = completed.iter().rfind(|(earlier, _)| earlier.event.occurred_at < report.at)
        {
            let mut finding = base(FindingKind::ReportAfterProgramme);
            finding.facts.programme = Some(*programme);
            add_evidence(&mut finding, [earlier.id]);
            found.push(finding);
        }
    }
    if let Some((id, state)) = orders::in_force_between(orders, role, report) {
        let mut finding = base(FindingKind::OrderBreached);
        finding.facts.order = Some(OrderState { breached: false, ..state });
        add_evidence(&mut finding, [id]);
        found.push(finding);
    }
}

/// Abuse between the same two people after a MARAC referral, reported by any agency, crime or not.
fn marac_repeats(history: &[Appearance<'_>], rules: &Rules, found: &mut Vec<Finding>) {
    let referrals = || history.iter().filter(|entry| matches!(entry.event.detail, Detail::MaracReferral { .. }));
    if referrals().next().is_none() {
        return;
    }
    let mut seen = BTreeSet::new();
    for abuse in history.iter().filter(|entry| !entry.me.under_16) {
        let is_abuse = matches!(
            abuse.event.detail,
            Detail::Incident { .. }
                | Detail::Crime { domestic_abuse: true, .. }
                | Detail::MashContact { domestic_abuse: Answer::Yes, .. }
        );
        if !is_abuse {
            continue;
        }
        let opposite: Vec<_> = abuse.opposite().collect();
        let pair = clusters(&opposite);
        let referral = referrals().rfind(|referral| {
            let at = referral.event.occurred_at;
            at < abuse.event.occurred_at
                && at >= back(abuse.event.occurred_at, rules.marac_repeat_days)
                && referral.me.role == abuse.me.role
                && referral.opposite().any(|other| pair.contains(&other.cluster))
        });
        let Some(referral) = referral else { continue };
        // Police and MASH tell of the same evening each in their own way: one repeat a day.
        if seen.insert((abuse.on(), abuse.me.role, pair)) {
            let mut finding = of_appearance(FindingKind::MaracRepeat, abuse);
            finding.counterparts = opposite;
            add_evidence(&mut finding, [referral.id]);
            found.push(finding);
        }
    }
}

/// A victim's grade that is higher than the one before.
fn risk_escalations(history: &[Appearance<'_>], found: &mut Vec<Finding>) {
    let mut before = None;
    for entry in history.iter().filter(|entry| entry.me.role == Role::Victim) {
        let Some((grade, _)) = entry.event.detail.graded() else { continue };
        if let Some((id, from)) = before.filter(|(_, from)| *from < grade) {
            let mut finding = of_appearance(FindingKind::RiskEscalated, entry);
            finding.facts.risk = Some((from, grade));
            add_evidence(&mut finding, [id]);
            found.push(finding);
        }
        before = Some((entry.id, grade));
    }
}

/// Each further agency that knows the person, by what may be told.
fn several_agencies(history: &[Appearance<'_>], found: &mut Vec<Finding>) {
    let mut known = BTreeSet::new();
    let mut evidence = Vec::new();
    for entry in history.iter().filter(|entry| !entry.me.under_16 && entry.event.detail.says_who_is_known()) {
        if !known.insert(entry.event.agency.clone()) {
            continue;
        }
        evidence.push(entry.id);
        let tells = matches!(entry.me.role, Role::Victim | Role::Perpetrator);
        if known.len() > 1 && tells {
            let mut finding = of_appearance(FindingKind::KnownToSeveralAgencies, entry);
            finding.facts.agencies = known.iter().cloned().collect();
            add_evidence(&mut finding, evidence.iter().copied());
            found.push(finding);
        }
    }
}

/// The first report that shows the person in the other role.
#[must_use]
pub fn both_roles(past: &Past<'_>) -> Option<Finding> {
    let (victim, perpetrator) = (past.reports(Role::Victim).first()?, past.reports(Role::Perpetrator).first()?);
    let victim_is_later = (victim.at, victim.trigger) > (perpetrator.at, perpetrator.trigger);
    let (first, then, role) =
        if victim_is_later { (perpetrator, victim, Role::Victim) } else { (victim, perpetrator, Role::Perpetrator) };
    let mut finding = triggered_by(FindingKind::BothRoles, role, then);
    add_evidence(&mut finding, first.events.iter().copied());
    Some(finding)
}

pub(super) fn triggered_by(kind: FindingKind, role: Role, report: &Report) -> Finding {
    Finding {
        id: finding_id(kind, role, report.trigger, report.record),
        kind,
        role,
        record: report.record,
        trigger: report.trigger,
        on: report.on(),
        evidence: report.events.clone(),
        counterparts: report.opposite.clone(),
        facts: FindingFacts::default(),
    }
}

pub(super) fn of_appearance(kind: FindingKind, entry: &Appearance<'_>) -> Finding {
    Finding {
        id: finding_id(kind, entry.me.role, entry.id, entry.me.record),
        kind,
        role: entry.me.role,
        record: entry.me.record,
        trigger: entry.id,
        on: day(entry.event.occurred_at),
        evidence: vec![entry.id],
        counterparts: entry.opposite().collect(),
        facts: FindingFacts::default(),
    }
}

fn with_evidence<'a>(mut finding: Finding, earlier: impl IntoIterator<Item = &'a Report>) -> Finding {
    let mut reports = 1;
    let earlier = earlier.into_iter().inspect(|_| reports += 1);
    add_evidence(&mut finding, earlier.flat_map(|report| report.events.iter().copied()));
    finding.facts.reports = Some(reports);
    finding
}

pub(super) fn add_evidence(finding: &mut Finding, events: impl IntoIterator<Item = EventId>) {
    finding.evidence.extend(events);
    finding.evidence.sort_unstable();
    finding.evidence.dedup();
}

fn clusters<'a>(others: impl IntoIterator<Item = &'a Counterpart>) -> BTreeSet<ClusterId> {
    others.into_iter().map(|other| other.cluster).collect()
}

pub(super) fn back(at: Timestamp, days: u32) -> Timestamp {
    at.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MIN)
}

/// The ids of all findings that an event could have triggered about a record.
pub fn ids_of(trigger: EventId, record: RecordId) -> impl Iterator<Item = FindingId> {
    let roles = [Role::Victim, Role::Perpetrator, Role::Child];
    roles
        .into_iter()
        .flat_map(move |role| FindingKind::ALL.iter().map(move |kind| finding_id(*kind, role, trigger, record)))
}

fn finding_id(kind: FindingKind, role: Role, trigger: EventId, record: RecordId) -> FindingId {
    let role = match role {
        Role::Victim => b"victim".as_slice(),
        Role::Child => b"child",
        Role::Perpetrator | Role::Witness => b"perpetrator",
    };
    let mut named = SmallVec::<[u8; 128]>::new();
    for part in [b"priorityd/v1/finding".as_slice(), kind.as_str().as_bytes(), role, &trigger.0, &record.0] {
        named.extend_from_slice(&(part.len() as u32).to_be_bytes());
        named.extend_from_slice(part);
    }
    let digest = Sha256::digest(&named);
    FindingId(digest[..16].try_into().expect("SHA-256 gives 32 bytes"))
}
