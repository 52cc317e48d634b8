//! The life of a notice or order: served, in force, breached, over. One order may be told of more than once, and what was
//! recorded last of it counts.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::findings::of_appearance;
use super::history::{Appearance, Report};
use crate::model::event::{Detail, OrderKind, Role, usual_days};
use crate::model::finding::{Finding, FindingKind, OrderState};
use crate::model::ids::EventId;

/// Orders made, and breaches that police recorded.
pub(super) fn findings(history: &[Appearance<'_>], found: &mut Vec<Finding>) {
    for entry in history.iter().filter(|entry| !entry.me.under_16) {
        let Some((_, state)) = order_of(entry) else { continue };
        let kind = if state.breached { FindingKind::OrderBreached } else { FindingKind::OrderMade };
        let mut finding = of_appearance(kind, entry);
        finding.facts.order = Some(state);
        found.push(finding);
    }
}

/// Whatever tells of an order, with the day it was served.
pub(super) fn all<'a>(history: &'a [Appearance<'a>]) -> Vec<(&'a Appearance<'a>, Date, OrderState)> {
    history.iter().filter_map(|entry| order_of(entry).map(|(since, state)| (entry, since, state))).collect()
}

/// An order between the same two people that was in force when a report came.
pub(super) fn in_force_between(
    orders: &[(&Appearance<'_>, Date, OrderState)],
    role: Role,
    report: &Report,
) -> Option<(EventId, OrderState)> {
    orders.iter().find_map(|&(order, since, state)| {
        let runs = since < report.on() && state.until.is_none_or(|until| report.on() <= until);
        (order.me.role == role && runs && report.shares_counterpart(&order.others)).then_some((order.id, state))
    })
}

/// Orders in force on a day.
pub(super) fn in_force<'a>(history: impl Iterator<Item = &'a Appearance<'a>>, as_of: Date) -> Vec<OrderState> {
    let mut orders: BTreeMap<(OrderKind, Date), OrderState> = BTreeMap::new();
    for entry in history {
        let Some((served_on, order)) = order_of(entry).filter(|(served_on, _)| *served_on <= as_of) else { continue };
        let ends = matches!(entry.event.detail, Detail::ProtectionOrder { expires_on: Some(_), .. });
        let held = orders.entry((order.kind, served_on)).or_insert(order);
        let breached = held.breached || order.breached;
        // What tells of a breach alone does not say again when the order ends.
        *held = if ends { OrderState { breached, ..order } } else { OrderState { breached, ..*held } };
    }
    orders.into_values().filter(|order| order.until.is_none_or(|until| as_of <= until)).collect()
}

/// The order that an event tells of, with the day it was served. Where a notice's end is not said, it is what the law says.
fn order_of(entry: &Appearance<'_>) -> Option<(Date, OrderState)> {
    let Detail::ProtectionOrder { order: kind, served_on, expires_on, breached_on } = entry.event.detail else {
        return None;
    };
    let (least, most) = usual_days(kind);
    let until = expires_on.or(most.map(|most| served_on.saturating_add(most.days())));
    let days = until.map(|until| (until - served_on).get_days());
    let doubtful = days.is_some_and(|days| days < least || most.is_some_and(|most| days > most));
    Some((served_on, OrderState { kind, until, breached: breached_on.is_some(), doubtful }))
}
