//! Pathways for perpetrators: who could be offered which programme, and who completed one.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::history::Appearance;
use crate::config::rules::Routing;
use crate::model::event::{Answer, CautionCondition, ClosingReason, Detail, Programme, RequirementKind, Role, Status};

/// The programme that an event says was completed: as probation says, or a service that runs one.
pub(super) fn completed(entry: &Appearance<'_>, routing: &Routing) -> Option<Programme> {
    match entry.event.detail {
        Detail::ProgrammeComplete { programme } => Some(programme),
        Detail::Closed { reason: ClosingReason::Completed, .. } if entry.me.role == Role::Perpetrator => {
            let service = &entry.event.agency;
            let up2u = (*service == routing.up2u).then_some(Programme::Up2u);
            up2u.or((*service == routing.op_cara).then_some(Programme::OpCara))
        }
        _ => None,
    }
}

/// Programmes that probation says were started or completed.
pub(super) fn known<'a>(history: impl Iterator<Item = &'a Appearance<'a>>) -> BTreeSet<Programme> {
    let programme_of = |entry: &Appearance<'_>| match entry.event.detail {
        Detail::ProgrammeStart { programme } | Detail::ProgrammeComplete { programme } => Some(programme),
        _ => None,
    };
    history.filter_map(programme_of).collect()
}

/// Programmes that a perpetrator could be offered as of a day, by eligibility alone: Up2U for who wants to change, Building
/// Better Relationships and one-to-one work for who is convicted and supervised or required to, Op Cara for who has a conditional caution.
/// A hint: those who run them decide.
pub(super) fn open_to(history: &[Appearance<'_>], as_of: Date) -> Vec<Programme> {
    let as_perpetrator = || history.iter().filter(|entry| entry.me.role == Role::Perpetrator && !entry.me.under_16);
    let mut open = BTreeSet::new();
    let mut wishes = as_perpetrator().filter_map(|entry| match entry.event.detail {
        Detail::Arrest { wants_change, .. }
        | Detail::NoFurtherAction { wants_change, .. }
        | Detail::RiskReview { wants_change, .. } => Some(wants_change),
        _ => None,
    });
    // Who was not asked again has not changed their mind.
    if wishes.rfind(|wish| *wish != Answer::NotAsked) == Some(Answer::Yes) {
        open.insert(Programme::Up2u);
    }
    let mut supervised_until = None;
    for entry in as_perpetrator() {
        match entry.event.detail {
            Detail::OrderStart { ends_on, .. } | Detail::Release { ends_on }
                if entry.me.status == Status::Convicted =>
            {
                supervised_until = Some(ends_on.unwrap_or(Date::MAX));
            }
            Detail::Requirement { requirement, ends_on } if as_of <= ends_on.unwrap_or(Date::MAX) => {
                open.extend(match requirement {
                    RequirementKind::Bbr => Some(Programme::Bbr),
                    RequirementKind::OneToOne => Some(Programme::OneToOne),
                    _ => None,
                });
            }
            Detail::OrderEnd { .. } | Detail::Recall { .. } => supervised_until = None,
            _ => {}
        }
    }
    if supervised_until.is_some_and(|until| as_of <= until) {
        open.extend([Programme::Bbr, Programme::OneToOne]);
    }
    let mut cautions = as_perpetrator().filter_map(|entry| match &entry.event.detail {
        Detail::ConditionalCaution { conditions, .. } => Some(conditions),
        _ => None,
    });
    if cautions.any(|conditions| conditions.contains(&CautionCondition::OpCara)) {
        open.insert(Programme::OpCara);
    }
    let begun = known(as_perpetrator());
    open.retain(|programme| !begun.contains(programme));
    open.into_iter().collect()
}
