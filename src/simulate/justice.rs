//! What the police and the courts make of it: recorded crimes, arrests, charges and how they end, notices and orders.

use jiff::ToSpan;
use smallvec::smallvec;

use super::dice::Dice;
use super::plan::{self, DAY, Plan, Planned};
use super::{rates, support};
use crate::model::event::{
    Answer, CautionCondition, CourtResult, CrimeOutcome, Detail, DisclosureDecision, DisclosureRoute,
    NoFurtherActionReason, OffenceFamily, OrderKind, Status,
};

const HOUR: i64 = 3_600;

/// Common offences: code, family, weight. A coarse extract of the Home Office counting rules.
const OFFENCES: [(&str, OffenceFamily, f64); 10] = [
    ("105A", OffenceFamily::Violence, 0.36),
    ("8N", OffenceFamily::Violence, 0.25),
    ("8L", OffenceFamily::StalkingHarassment, 0.10),
    ("8M", OffenceFamily::StalkingHarassment, 0.03),
    ("8U", OffenceFamily::CoerciveControl, 0.05),
    ("58A", OffenceFamily::CriminalDamage, 0.10),
    ("19C", OffenceFamily::Sexual, 0.03),
    ("17A", OffenceFamily::Sexual, 0.02),
    ("3B", OffenceFamily::Other, 0.04),
    ("66", OffenceFamily::Other, 0.02),
];

/// A recorded crime and what came of it. Each outcome is told by itself, and as a correction of the crime.
pub(super) fn prosecute(plan: &mut Plan<'_>, incident: u32, told: Planned, dice: &mut Dice) {
    let weights = OFFENCES.map(|(_, _, weight)| weight);
    let (offence_code, offence_family, _) = OFFENCES[dice.weighted(&weights)];
    let most_serious_violence = dice.chance(rates::MOST_SERIOUS) && offence_family == OffenceFamily::Violence;
    let crime = |outcome| Detail::Crime {
        offence_code: if most_serious_violence { "5D" } else { offence_code }.into(),
        offence_family,
        domestic_abuse: true,
        most_serious_violence,
        outcome,
        incident: None,
    };
    let recorded = told.recorded + dice.between(600, 3 * DAY);
    let opened = Planned { recorded, about: Some(incident), detail: crime(CrimeOutcome::Open), ..told };
    let Some(mut last) = plan.add(opened.clone()) else { return };
    if dice.chance(rates::ORDER) {
        protect(plan, &opened, OrderKind::Dvpn, recorded, dice);
    }
    let place = plan.population().rates;
    let arrested = dice.chance(place.arrest);
    if arrested {
        let wants_change = plan::answer(rates::WANTS_CHANGE, dice);
        let arrest = Detail::Arrest { incident: None, wants_change };
        follow(plan, &opened, recorded + dice.between(0, 2 * DAY), Status::Suspect, arrest, dice);
    }
    let mut at = recorded;
    for outcome in outcomes(arrested, place.charge, place.conviction, dice) {
        let status = match outcome {
            CrimeOutcome::Open | CrimeOutcome::Caution => Status::Suspect,
            CrimeOutcome::Charged => Status::Charged,
            CrimeOutcome::Convicted => Status::Convicted,
            CrimeOutcome::NoFurtherAction | CrimeOutcome::Acquitted => Status::Cleared,
        };
        at += DAY + dice.mostly_short(if status == Status::Charged { 30 * DAY } else { 200 * DAY });
        follow(plan, &opened, at, status, told_as(outcome, offence_family, dice), dice);
        let mut parts = opened.parts.clone();
        parts[1].status = status;
        let decided = Planned {
            recorded: at,
            supersedes: Some(last),
            amends: dice.chance(0.35),
            detail: crime(outcome),
            parts,
            ..opened.clone()
        };
        let Some(number) = plan.add(decided.clone()) else { return };
        last = number;
        if outcome == CrimeOutcome::Convicted {
            if dice.chance(rates::RESTRAINED) {
                protect(plan, &decided, OrderKind::Restraining, at, dice);
            }
            support::sentence(plan, &decided, dice);
        }
        if outcome == CrimeOutcome::Caution {
            support::conditional_caution(plan, &decided, dice);
        }
    }
}

/// An event of its own that follows from the incident.
fn follow(plan: &mut Plan<'_>, crime: &Planned, at: i64, status: Status, detail: Detail, dice: &mut Dice) {
    let mut parts = crime.parts.clone();
    parts[1].status = status;
    let recorded = at + dice.between(600, DAY);
    plan.add(Planned { occurred: at, recorded, detail, parts, ..crime.clone() });
}

/// The outcome as an event of its own.
fn told_as(outcome: CrimeOutcome, offence_family: OffenceFamily, dice: &mut Dice) -> Detail {
    let court = |result| Detail::CourtOutcome { result, offence_family: Some(offence_family), incident: None };
    match outcome {
        CrimeOutcome::Charged => Detail::Charge { offence_family, incident: None },
        CrimeOutcome::Convicted => court(CourtResult::Convicted),
        CrimeOutcome::Acquitted => court(CourtResult::Acquitted),
        CrimeOutcome::Caution => {
            Detail::ConditionalCaution { conditions: vec![CautionCondition::OpCara], incident: None }
        }
        CrimeOutcome::Open | CrimeOutcome::NoFurtherAction => {
            use NoFurtherActionReason::{Evidential, NotInPublicInterest, VictimDoesNotSupport};
            let reason = [VictimDoesNotSupport, Evidential, NotInPublicInterest][dice.weighted(&[0.6, 0.35, 0.05])];
            Detail::NoFurtherAction { reason, incident: None, wants_change: Answer::NotAsked }
        }
    }
}

/// How a crime ends, step by step.
fn outcomes(arrested: bool, charge: f64, conviction: f64, dice: &mut Dice) -> Vec<CrimeOutcome> {
    if arrested && dice.chance(charge) {
        let won = dice.chance(conviction);
        return vec![CrimeOutcome::Charged, if won { CrimeOutcome::Convicted } else { CrimeOutcome::Acquitted }];
    }
    if arrested && dice.chance(rates::CAUTION / (1.0 - charge)) {
        return vec![CrimeOutcome::Caution];
    }
    let dropped = dice.chance(rates::NO_FURTHER_ACTION);
    dropped.then_some(CrimeOutcome::NoFurtherAction).into_iter().collect()
}

/// A notice, the order that follows it, and its breach.
fn protect(plan: &mut Plan<'_>, crime: &Planned, order: OrderKind, at: i64, dice: &mut Dice) {
    let served = plan::day(at);
    let newer = dice.chance(0.3);
    let kind = match order {
        OrderKind::Dvpn if newer => OrderKind::Dapn,
        other => other,
    };
    let length = match kind {
        OrderKind::Dvpn | OrderKind::Dapn => 2,
        OrderKind::Dvpo => dice.between(14, 28),
        OrderKind::Dapo | OrderKind::Restraining | OrderKind::NonMolestation => dice.between(180, 730),
    };
    let lasting = !(kind == OrderKind::Dapo && dice.chance(0.2));
    let expires_on = lasting.then(|| served.saturating_add(length.days()));
    let order_event = |breached_on| Detail::ProtectionOrder { order: kind, served_on: served, expires_on, breached_on };
    let made = Planned {
        occurred: at,
        recorded: at + dice.between(HOUR, DAY),
        supersedes: None,
        amends: false,
        about: None,
        detail: order_event(None),
        ..crime.clone()
    };
    if plan.add(made.clone()).is_none() {
        return;
    }
    if dice.chance(rates::BREACHED) {
        let breach = at + dice.between(HOUR, length * DAY);
        let detail = order_event(Some(plan::day(breach)));
        plan.add(Planned { occurred: breach, recorded: breach + dice.between(HOUR, 3 * DAY), detail, ..made });
    }
    let follow = match kind {
        OrderKind::Dvpn => Some(OrderKind::Dvpo),
        OrderKind::Dapn => Some(OrderKind::Dapo),
        _ => None,
    };
    if let Some(follow) = follow.filter(|_| dice.chance(0.8)) {
        protect(plan, crime, follow, at + 2 * DAY, dice);
    }
}

/// A request under the disclosure scheme, by the person who may be at risk or on the police's own account.
pub(super) fn request_disclosure(plan: &mut Plan<'_>, incident: &Planned, dice: &mut Dice) {
    let at = incident.recorded + DAY + dice.mostly_short(60 * DAY);
    let route = if dice.chance(0.6) { DisclosureRoute::RightToAsk } else { DisclosureRoute::RightToKnow };
    let request = |decision, decided_on| Detail::DvdsRequest { route, decision, decided_on };
    let mut asked = Planned { occurred: at, recorded: at + dice.between(HOUR, DAY), about: None, ..incident.clone() };
    asked.detail = request(None, None);
    asked.parts = smallvec![incident.parts[0], incident.parts[1]];
    let Some(number) = plan.add(asked.clone()) else { return };
    let decisions = [DisclosureDecision::Disclosed, DisclosureDecision::NotDisclosed, DisclosureDecision::Withdrawn];
    let decision = decisions[dice.weighted(&[0.5, 0.42, 0.08])];
    let decided = at + 3 * DAY + dice.mostly_short(50 * DAY);
    plan.add(Planned {
        recorded: decided + dice.between(HOUR, DAY),
        supersedes: Some(number),
        amends: true,
        detail: request(Some(decision), Some(plan::day(decided))),
        ..asked
    });
}
