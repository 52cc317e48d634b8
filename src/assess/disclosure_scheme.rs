//! The Domestic Violence Disclosure Scheme (Clare's Law): its clock, and when to think of the right to know. Whether
//! anything is disclosed is for the police to decide.

use jiff::ToSpan;
use jiff::civil::Date;

use super::findings::of_appearance;
use super::history::{Appearance, Report};
use crate::config::rules::Rules;
use crate::model::event::{Detail, Role};
use crate::model::finding::{Finding, FindingKind};

/// Requests about the person that are undecided past their time.
pub(super) fn overdue(history: &[Appearance<'_>], as_of: Date, rules: &Rules, found: &mut Vec<Finding>) {
    for request in requests(history) {
        let Detail::DvdsRequest { decision, decided_on, .. } = request.event.detail else { continue };
        let due = request.on().saturating_add(i64::from(rules.dvds_days).days());
        if decision.is_none() && decided_on.is_none() && as_of > due {
            found.push(of_appearance(FindingKind::DvdsOverdue, request));
        }
    }
}

/// Has anybody asked, or police begun to ask, on behalf of those on the other side of a report?
pub(super) fn was_asked(history: &[Appearance<'_>], report: &Report) -> bool {
    requests(history).any(|request| report.shares_counterpart(&Vec::from_iter(request.opposite())))
}

/// Requests about the person.
fn requests<'a>(history: &'a [Appearance<'a>]) -> impl Iterator<Item = &'a Appearance<'a>> {
    history.iter().filter(|entry| {
        let asks = matches!(entry.event.detail, Detail::DvdsRequest { .. });
        asks && entry.me.role == Role::Perpetrator && !entry.me.under_16
    })
}
