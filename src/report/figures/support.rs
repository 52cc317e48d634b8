//! What is done about it: MARAC, referrals, reach of support and what came of it, programmes.

use std::collections::BTreeMap;

use crate::model::event::{AlertAction, ClosingReason, Detail, MaracCriterion, Programme, ReferralSource, Risk, Role};
use crate::model::ids::{ClusterId, PartyId};
use crate::report::Table;
use crate::report::facts::{Facts, Happening, Person, back, count, days_between};

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![marac(facts), referrals(facts), reach(facts), outcomes(facts), programmes(facts), alerts(facts)]
}

fn marac(facts: &Facts<'_>) -> Table {
    let criteria = [
        (MaracCriterion::VisibleHighRisk, "visible_high_risk", "Visible high risk"),
        (MaracCriterion::ProfessionalJudgement, "professional_judgement", "Professional judgement"),
        (MaracCriterion::Escalation, "escalation", "Escalation"),
        (MaracCriterion::Repeat, "repeat", "Repeat, as the referrer named it"),
    ];
    let mut by_criterion = [0; 4];
    let (mut all, mut repeats) = (0, 0);
    // The last referral of each pair.
    let mut last: BTreeMap<(ClusterId, ClusterId), jiff::Timestamp> = BTreeMap::new();
    for event in &facts.events {
        let Detail::MaracReferral { criterion, .. } = event.detail else { continue };
        let mut again = false;
        for victim in event.in_role(Role::Victim) {
            for perpetrator in event.in_role(Role::Perpetrator) {
                let before = last.insert((victim, perpetrator), event.occurred_at);
                again |= before.is_some_and(|at| at >= back(event.occurred_at, facts.rules.marac_repeat_days));
            }
        }
        if facts.period.has(event.on()) {
            (all, repeats) = (all + 1, repeats + usize::from(again));
            let place = criteria.iter().position(|(known, ..)| known == criterion);
            if let Some(place) = place {
                by_criterion[place] += 1;
            }
        }
    }
    let rows = criteria.iter().zip(by_criterion).map(|((_, id, label), count)| (*id, *label, count));
    let note =
        "A repeat is a referral of the same two people within 12 months of the last one; later, it is a new case.";
    Table::new("marac", "MARAC", note)
        .count("referrals", "Cases referred", all)
        .share("repeats", "Repeats", (repeats, all))
        .kinds(rows)
}

fn referrals(facts: &Facts<'_>) -> Table {
    let sources = [
        (ReferralSource::Police, "police", "From the police"),
        (ReferralSource::Probation, "probation", "From probation"),
        (ReferralSource::LocalAuthority, "local_authority", "From the local authority"),
        (ReferralSource::Health, "health", "From health"),
        (ReferralSource::SelfReferral, "self_referral", "The person themself"),
        (ReferralSource::GpIris, "gp_iris", "From general practice with IRIS"),
        (ReferralSource::AthenaMidwives, "athena_midwives", "From Athena midwives"),
        (ReferralSource::EchoHealthVisitors, "echo_health_visitors", "From ECHO health visitors"),
        (ReferralSource::Marac, "marac", "From MARAC"),
        (ReferralSource::AnotherService, "another_service", "From another service"),
        (ReferralSource::Other, "other", "From others"),
    ];
    let received = || facts.within().filter(|event| matches!(event.detail, Detail::ReferralReceived { .. }));
    let of =
        |source| {
            count(received().filter(
                |event| matches!(event.detail, Detail::ReferralReceived { referrer, .. } if *referrer == source),
            ))
        };
    let mut services: BTreeMap<&str, usize> = BTreeMap::new();
    received().for_each(|event| *services.entry(event.agency.as_str()).or_default() += 1);
    Table::new("referrals", "Referrals to specialist services", "Referrals received, by who referred and to whom.")
        .count("all", "Referrals", count(received()))
        .kinds(sources.map(|(source, id, label)| (id, label, of(source))))
        .kinds(services.into_iter().map(|(service, count)| (format!("to_{service}"), format!("To {service}"), count)))
}

/// Of those reported, who was offered support, and who received it, by the end of the period.
fn reach(facts: &Facts<'_>) -> Table {
    let of = |role: Role, is_meant: &dyn Fn(&[&Happening<'_>]) -> bool| {
        let (mut all, mut offered, mut received) = (0, 0, 0);
        for (person, mine) in facts.in_role(role) {
            if is_meant(&mine) {
                let (is_offered, is_received) = support(person, role);
                (all, offered, received) =
                    (all + 1, offered + usize::from(is_offered || is_received), received + usize::from(is_received));
            }
        }
        (all, offered, received)
    };
    let several = |mine: &[&Happening<'_>]| count(mine.iter().filter(|one| facts.period.has(one.on()))) > 1;
    let (victims, victims_offered, victims_received) = of(Role::Victim, &several);
    let (repeat, repeat_offered, repeat_received) = of(Role::Perpetrator, &several);
    let (all, all_offered, all_received) = of(Role::Perpetrator, &|_| true);
    let note = "Offered: a service received a referral. Received: the person was a service's client. Repeat: \
        more than one report in the period. P20:35 says that 5 % of all who abuse are offered support, P20:85 that 5 % of \
        repeat perpetrators receive it: both are here.";
    Table::new("reach", "Reach of support", note)
        .share(
            "repeat_victims_received",
            "Repeat victims who received support (as P20:85)",
            (victims_received, victims),
        )
        .share("repeat_victims_offered", "Repeat victims who were offered it", (victims_offered, victims))
        .share(
            "repeat_perpetrators_received",
            "Repeat perpetrators who received support (as P20:85)",
            (repeat_received, repeat),
        )
        .share("repeat_perpetrators_offered", "Repeat perpetrators who were offered it", (repeat_offered, repeat))
        .share("perpetrators_offered", "All perpetrators who were offered it (as P20:35)", (all_offered, all))
        .share("perpetrators_received", "All perpetrators who received it", (all_received, all))
}

/// Was support offered in that role, and was it received?
fn support(person: &Person<'_>, role: Role) -> (bool, bool) {
    let mine = || person.events.iter().filter(|(_, me)| me.role == role).map(|(event, _)| event.detail);
    let offered = mine().any(|detail| matches!(detail, Detail::ReferralReceived { .. }));
    let received = mine().any(|detail| matches!(detail, Detail::CaseloadEntry { .. }));
    (offered, received)
}

/// How cases ended that a service closed in the period.
fn outcomes(facts: &Facts<'_>) -> Table {
    let (mut closed, mut completed, mut assessed, mut reduced) = (0, 0, 0, 0);
    for person in facts.people.values() {
        let mut at_start: BTreeMap<&PartyId, Risk> = BTreeMap::new();
        for (event, _) in &person.events {
            match event.detail {
                Detail::RiskAtStart { grade, .. } => drop(at_start.insert(event.agency, *grade)),
                Detail::Closed { reason, risk_at_end } => {
                    let before = at_start.remove(event.agency);
                    if !facts.period.has(event.on()) {
                        continue;
                    }
                    closed += 1;
                    completed += usize::from(*reason == ClosingReason::Completed);
                    if let Some((before, after)) = before.zip(*risk_at_end) {
                        assessed += 1;
                        reduced += usize::from(after < before);
                    }
                }
                _ => {}
            }
        }
    }
    let events = |is: fn(&Detail) -> bool| count(facts.within().filter(|event| is(event.detail)));
    let engaged = events(|detail| matches!(detail, Detail::Engaged {}));
    let declined = events(|detail| matches!(detail, Detail::Declined { .. }));
    let attempts = events(|detail| matches!(detail, Detail::ContactAttempt { .. }));
    let reached = events(|detail| matches!(detail, Detail::ContactAttempt { reached: true }));
    let note = "What services told of their clients in the period. Risk is compared where the same service graded it when \
        it began and when it ended (as P20:93).";
    Table::new("outcomes", "What came of support", note)
        .share("reached", "Attempts that reached the client", (reached, attempts))
        .share("engaged", "Took up support, of those who took it up or declined", (engaged, engaged + declined))
        .share("completed", "Worked through to the end, of cases closed", (completed, closed))
        .share("risk_reduced", "Risk lower at the end than at the start", (reduced, assessed))
}

/// Programmes started in the period: how they ended, and what followed.
fn programmes(facts: &Facts<'_>) -> Table {
    let kinds = [
        (Programme::Bbr, "bbr", "Building Better Relationships"),
        (Programme::Up2u, "up2u", "Up2U"),
        (Programme::OpCara, "op_cara", "Op Cara"),
        (Programme::OneToOne, "one_to_one", "One-to-one work"),
    ];
    let (mut started, mut ended) = ([0; 4], [0; 3]);
    // Reports after the end, by whether it was completed.
    let (mut after_completion, mut after_other) = ((0, 0), (0, 0));
    for person in facts.people.values() {
        let mine: Vec<_> = person.events.iter().filter(|(_, me)| me.role == Role::Perpetrator).collect();
        for (start, _) in &mine {
            let Detail::ProgrammeStart { programme, .. } = start.detail else { continue };
            if !facts.period.has(start.on()) {
                continue;
            }
            if let Some(place) = kinds.iter().position(|(kind, ..)| kind == programme) {
                started[place] += 1;
            }
            let end = mine.iter().find_map(|(event, _)| {
                let is_later = event.occurred_at >= start.occurred_at;
                match event.detail {
                    Detail::ProgrammeComplete { programme: ended, .. } if is_later && ended == programme => {
                        Some((event, true))
                    }
                    Detail::ProgrammeBreach { programme: ended, .. } if is_later && ended == programme => {
                        Some((event, false))
                    }
                    _ => None,
                }
            });
            let since = end.map_or(start.occurred_at, |(event, _)| event.occurred_at);
            let reported = facts.of(person, Role::Perpetrator).iter().any(|happening| happening.at > since);
            match end {
                Some((_, true)) => {
                    ended[0] += 1;
                    after_completion = (after_completion.0 + usize::from(reported), after_completion.1 + 1);
                }
                other => {
                    ended[if other.is_some() { 1 } else { 2 }] += 1;
                    after_other = (after_other.0 + usize::from(reported), after_other.1 + 1);
                }
            }
        }
    }
    let note = "Programmes started in the period, how they stood at its end, and whether a report followed: after \
        completion, or else after the breach or the start. Those who complete differ from those who do not, so the \
        difference is not what the programme did.";
    let [completed, breached, neither] = ended;
    Table::new("programmes", "Programmes for people who harm", note)
        .kinds(kinds.iter().zip(started).map(|((_, id, label), count)| (*id, *label, count)))
        .kinds([
            ("completed", "Completed", completed),
            ("breached", "Broken off with a breach", breached),
            ("neither", "Neither recorded yet", neither),
        ])
        .share("report_after_completion", "A report followed completion", after_completion)
        .share("report_without_completion", "A report followed without completion", after_other)
}

/// What services did about alerts, and how soon.
fn alerts(facts: &Facts<'_>) -> Table {
    let actions = [
        (AlertAction::Contacted, "contacted", "Contact made"),
        (AlertAction::RiskReviewed, "risk_reviewed", "Risk reviewed"),
        (AlertAction::Referred, "referred", "Referred on"),
        (AlertAction::NoActionNeeded, "no_action_needed", "Nothing needed"),
    ];
    let acknowledged = || {
        facts.within().filter_map(|event| match event.detail {
            Detail::AlertAcknowledged { action, .. } => Some((event, *action)),
            _ => None,
        })
    };
    let of = |wanted| count(acknowledged().filter(|(_, action)| *action == wanted));
    let days = acknowledged().filter_map(|(event, _)| Some(days_between(event.alerted_at?, event.occurred_at)));
    let note = "Alerts that services acknowledged in the period. The time runs from when the agency recorded what the alert \
        is about: alerts follow at once.";
    Table::new("alerts", "Alerts acknowledged", note)
        .kinds(actions.map(|(action, id, label)| (id, label, of(action))))
        .days("days", "Days until it was acknowledged", days.collect())
}
