//! What the police and the courts made of it, orders, and requests for disclosure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::Date;

use crate::model::event::{CourtResult, Detail, DisclosureDecision, DisclosureRoute, OrderKind, Role, day};
use crate::report::Table;
use crate::report::facts::{Facts, count};

/// A request under the disclosure scheme is to be answered within so many days (DVDS statutory guidance, 2023).
const DISCLOSURE_DAYS: i64 = 28;

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![justice(facts), orders(facts), disclosure(facts)]
}

fn justice(facts: &Facts<'_>) -> Table {
    let events = |is: fn(&Detail) -> bool| count(facts.within().filter(|event| is(event.detail)));
    let (incidents, crimes) = (count(facts.incidents()), count(facts.crimes()));
    let arrests = events(|detail| matches!(detail, Detail::Arrest { .. }));
    let charges = events(|detail| matches!(detail, Detail::Charge { .. }));
    let court = |wanted: &[CourtResult]| {
        count(
            facts
                .within()
                .filter(|event| matches!(event.detail, Detail::CourtOutcome { result, .. } if wanted.contains(result))),
        )
    };
    let convicted = court(&[CourtResult::Convicted]);
    let ended = convicted + court(&[CourtResult::Acquitted, CourtResult::Discontinued, CourtResult::Other]);
    let note = "What was recorded in the period, whenever the crime was: an arrest, charge or verdict of the period is set \
        against the crimes of the period, as P17:124-125 does. An arrest is an allegation and no more.";
    Table::new("justice", "Criminal justice", note)
        .share("arrests", "Arrests for each crime", (arrests, crimes))
        .share("arrests_of_incidents", "Arrests for each incident", (arrests, incidents))
        .share("charges", "Charges for each arrest", (charges, arrests))
        .share("convictions", "Convictions for each crime", (convicted, crimes))
        .share("court_success", "Convictions, of cases that a court ended", (convicted, ended))
        .count("cautions", "Conditional cautions", events(|detail| matches!(detail, Detail::ConditionalCaution { .. })))
        .count(
            "no_further_action",
            "Ended without further action",
            events(|detail| matches!(detail, Detail::NoFurtherAction { .. })),
        )
}

fn orders(facts: &Facts<'_>) -> Table {
    let kinds = [
        (OrderKind::Dvpn, "dvpn", "Domestic Violence Protection Notices"),
        (OrderKind::Dvpo, "dvpo", "Domestic Violence Protection Orders"),
        (OrderKind::Dapn, "dapn", "Domestic Abuse Protection Notices"),
        (OrderKind::Dapo, "dapo", "Domestic Abuse Protection Orders"),
        (OrderKind::Restraining, "restraining", "Restraining orders"),
        (OrderKind::NonMolestation, "non_molestation", "Non-molestation orders"),
    ];
    // One order may be told of more than once, the last time when it was breached.
    let mut orders: BTreeMap<_, bool> = BTreeMap::new();
    for event in &facts.events {
        let Detail::ProtectionOrder { order, served_on, breached_on, .. } = event.detail else { continue };
        if facts.period.has(*served_on) {
            let held_by: BTreeSet<_> = event.in_role(Role::Perpetrator).collect();
            *orders.entry((*order, *served_on, held_by)).or_default() |= breached_on.is_some();
        }
    }
    let of = |kind| count(orders.keys().filter(|(order, ..)| *order == kind));
    let breached = count(orders.values().filter(|breached| **breached));
    let note = "Notices and orders served in the period, and those of them that were recorded as breached by its end.";
    Table::new("orders", "Protection notices and orders", note)
        .kinds(kinds.map(|(kind, id, label)| (id, label, of(kind))))
        .share("breached", "Breached", (breached, orders.len()))
}

fn disclosure(facts: &Facts<'_>) -> Table {
    let (mut asked, mut known, mut decided, mut disclosed, mut late) = (0, 0, 0, 0, 0);
    let mut quarters: BTreeMap<Date, usize> = BTreeMap::new();
    let mut days = Vec::new();
    for event in facts.within() {
        let Detail::DvdsRequest { route, decision, decided_on } = event.detail else { continue };
        *(if *route == DisclosureRoute::RightToAsk { &mut asked } else { &mut known }) += 1;
        *quarters.entry(quarter(event.on())).or_default() += 1;
        let requested = day(event.occurred_at);
        let Some((decision, decided_on)) = decision.zip(*decided_on).filter(|(_, on)| *on <= facts.period.until) else {
            late += usize::from(requested.saturating_add(DISCLOSURE_DAYS.days()) < facts.period.until);
            continue;
        };
        decided += 1;
        disclosed += usize::from(decision == DisclosureDecision::Disclosed);
        let took = (decided_on - requested).get_days().max(0);
        late += usize::from(i64::from(took) > DISCLOSURE_DAYS);
        days.push(u64::from(took.unsigned_abs()));
    }
    let note = "Requests under the Domestic Violence Disclosure Scheme made in the period. The disclosure itself is the \
        police's decision.";
    let quarters = quarters.into_iter().map(|(first, count)| {
        let number = (first.month() - 1) / 3 + 1;
        (format!("q{number}_{}", first.year()), format!("Quarter {number} of {}", first.year()), count)
    });
    Table::new("disclosure", "Disclosure scheme", note)
        .kinds([("right_to_ask", "Right to ask", asked), ("right_to_know", "Right to know", known)])
        .kinds(quarters)
        .share("disclosed", "Disclosed, of those decided", (disclosed, decided))
        .share("late", "Not decided within 28 days", (late, asked + known))
        .days("days", "Days from the request to the decision", days)
}

/// The first day of a day's quarter.
fn quarter(on: Date) -> Date {
    on.first_of_month().saturating_sub(i64::from((on.month() - 1) % 3).months())
}
