//! Children: the report that a school hears of, repeated contacts to the MASH, and adults who share an open plan.

use std::collections::BTreeMap;

use super::findings::{add_evidence, back, of_appearance, triggered_by};
use super::history::{Appearance, Past, reports};
use crate::config::rules::Rules;
use crate::model::event::{CaseState, Detail, Role};
use crate::model::finding::{Counterpart, Finding, FindingKind};
use crate::model::ids::ClusterId;

/// Everything about children.
pub(super) fn findings(past: &Past<'_>, rules: &Rules, found: &mut Vec<Finding>) {
    let history = past.history.as_slice();
    // A child who was there is a victim in their own right (Domestic Abuse Act 2021 s3): the bare fact, and nobody else's.
    let bare =
        |report| Finding { counterparts: Vec::new(), ..triggered_by(FindingKind::NewReport, Role::Child, &report) };
    found.extend(reports(history, Role::Child).into_iter().map(bare));
    for role in [Role::Child, Role::Victim, Role::Perpetrator] {
        mash_contacts(history, role, rules, found);
    }
    for role in [Role::Victim, Role::Perpetrator] {
        linked_to_open_child(past, role, found);
    }
}

/// The contact that makes as many as are a pattern: about a child, or, by an adult whom they name, about a family.
fn mash_contacts(history: &[Appearance<'_>], role: Role, rules: &Rules, found: &mut Vec<Finding>) {
    let is_contact = |entry: &&Appearance<'_>| {
        let adult = role == Role::Child || !entry.me.under_16;
        entry.me.role == role && adult && matches!(entry.event.detail, Detail::MashContact { .. })
    };
    let contacts: Vec<_> = history.iter().filter(is_contact).collect();
    let enough = rules.mash_contacts as usize;
    let recent = |at: usize| {
        let since = back(contacts[at].event.occurred_at, rules.mash_days);
        contacts[..=at].iter().filter(move |earlier| earlier.event.occurred_at >= since)
    };
    for (at, contact) in contacts.iter().enumerate() {
        let reached = recent(at).count() >= enough;
        let was_reached = at > 0 && recent(at - 1).count() >= enough;
        if reached && !was_reached {
            let mut finding = of_appearance(FindingKind::MashContacts, contact);
            finding.facts.reports = u32::try_from(recent(at).count()).ok();
            add_evidence(&mut finding, recent(at).map(|contact| contact.id));
            found.push(finding);
        }
    }
}

/// Reports of somebody who, when they came, was named in the open plan of a child.
fn linked_to_open_child(past: &Past<'_>, role: Role, found: &mut Vec<Finding>) {
    let history = past.history.as_slice();
    if !history.iter().any(|entry| matches!(entry.event.detail, Detail::SocialCareAssessment { .. })) {
        return;
    }
    for report in past.reports(role) {
        let mut plans: BTreeMap<ClusterId, (&Appearance<'_>, Counterpart, CaseState)> = BTreeMap::new();
        for plan in history.iter().filter(|plan| plan.event.occurred_at <= report.at && !plan.me.under_16) {
            let Detail::SocialCareAssessment { state, .. } = plan.event.detail else { continue };
            for child in plan.others.iter().filter(|other| other.role == Role::Child) {
                plans.insert(child.cluster, (plan, *child, state));
            }
        }
        let open: Vec<_> = plans.into_values().filter(|(.., state)| *state == CaseState::Open).collect();
        if open.is_empty() {
            continue;
        }
        let mut finding = triggered_by(FindingKind::LinkedToOpenChild, role, report);
        finding.counterparts = open.iter().map(|(_, child, _)| *child).collect();
        add_evidence(&mut finding, open.iter().map(|(plan, ..)| plan.id));
        found.push(finding);
    }
}
