//! What happens: each abusive relationship over time, and what the police write down about it.

use jiff::ToSpan;
use smallvec::{SmallVec, smallvec};

use super::dice::{Dice, Stream};
use super::party::Party;
use super::people::Relation;
use super::plan::{self, DAY, Plan, Planned};
use super::{justice, rates, support};
use crate::model::event::{Answer, Detail, Relationship, Risk, Role, Status};

const HOUR: i64 = 3_600;

/// One happening between two people.
#[derive(Debug, Clone, Copy)]
pub(super) struct Happening {
    pub(super) at: i64,
    pub(super) perpetrator: u32,
    pub(super) victim: u32,
    pub(super) household: u32,
    pub(super) relationship: Relationship,
    /// How many of this pair's came before it, in the play.
    pub(super) earlier: u32,
    pub(super) grade: Risk,
    pub(super) raised: bool,
    pub(super) crime: bool,
    /// The pair's last MARAC referral.
    pub(super) last_marac: Option<i64>,
}

/// Lives one relationship through the play.
pub(super) fn live(plan: &mut Plan<'_>, index: usize, relation: Relation) {
    let population = plan.population();
    let mut dice = Dice::new(population.seed, Stream::Relation, index as u64, 0);
    let canary = relation.perpetrator >= population.first_canary;
    let place = population.rates;
    let (crime_share, events_a_year) = if dice.chance(place.crime_type) {
        (place.crime_of_crime_type, place.events)
    } else {
        (place.crime_of_others, place.other_events)
    };
    let mutual = dice.chance(rates::MUTUAL);
    let times = times(plan, events_a_year, canary, &mut dice);
    // Some time between the first event and the last.
    let moved_on = 1 + dice.below(times.len().max(2) as u32 - 1) as usize;
    let next = if times.len() > 1 { next_victim(plan, relation, &mut dice) } else { None };
    let (mut earlier, mut grade_before, mut last_marac) = (0, None, None);
    let mut with_next = false;
    for (number, at) in times.into_iter().enumerate() {
        let next = next.filter(|_| number >= moved_on);
        if next.is_some() && !with_next {
            (with_next, earlier, grade_before, last_marac) = (true, 0, None, None);
        }
        let (victim, relationship, household) = match next {
            Some(next) => (next, Relationship::Partner, population.person(next).household),
            None => (relation.victim, relation.kind, relation.household),
        };
        let turned = mutual && !with_next && dice.chance(rates::TURNED_ROUND);
        let (perpetrator, victim) =
            if turned { (victim, relation.perpetrator) } else { (relation.perpetrator, victim) };
        let drawn = [Risk::High, Risk::Medium, Risk::Standard][dice.weighted(&rates::GRADES)];
        let grade =
            grade_before.filter(|_| dice.chance(rates::STAYS_AS_HIGH)).map_or(drawn, |before| drawn.max(before));
        let happening = Happening {
            at,
            perpetrator,
            victim,
            household,
            relationship,
            earlier,
            grade,
            raised: grade == Risk::High && dice.chance(rates::RAISED),
            crime: dice.chance(crime_share) || canary,
            last_marac,
        };
        tell(plan, happening, &mut dice);
        let referred = support::follow(plan, happening, &mut dice);
        last_marac = referred.or(last_marac);
        grade_before = Some(grade);
        earlier += 1;
    }
}

/// Somebody who lives alone and is of the same sex as the victim before; nobody twice, as long as there is anybody else.
fn next_victim(plan: &mut Plan<'_>, relation: Relation, dice: &mut Dice) -> Option<u32> {
    let population = plan.population();
    let moves_on = dice.chance(population.rates.moves_on);
    let couple = matches!(relation.kind, Relationship::Partner | Relationship::ExPartner);
    let female = population.person(relation.victim).female;
    if moves_on && couple { plan.somebody_alone(female) } else { None }
}

/// The share of relationships that come to notice in any one year, and the chances to do so after a year in which they did,
/// and after one in which they did not. Over more years there are more of them, so that as many come to notice each year.
fn activity(plan: &Plan<'_>) -> (f64, f64, f64) {
    let population = plan.population();
    let (first, stays) = (population.rates.active, population.rates.stays_active);
    let share = if population.rates.is_steady() { first } else { first / spread(stays, population.years) };
    (share, stays, share * (1.0 - stays) / (1.0 - share))
}

/// How many times as many relationships come to notice in so many years as in one.
pub(super) fn spread(stays: f64, years: u32) -> f64 {
    1.0 + f64::from(years.saturating_sub(1)) * (1.0 - stays)
}

/// When something happens, in order.
fn times(plan: &Plan<'_>, events_a_year: [f64; 4], canary: bool, dice: &mut Dice) -> Vec<i64> {
    let start = plan.population().start;
    let (mut times, mut year) = (Vec::new(), start);
    let (share, stays, begins) = activity(plan);
    let mut active = dice.chance(share);
    while plan::seconds(year) < plan.ends {
        let mut count = 1 + dice.weighted(&events_a_year) as i32;
        while (4..30).contains(&count) && dice.chance(rates::YET_ANOTHER) {
            count += 1;
        }
        if !active {
            count = 0;
        }
        active = dice.chance(if active { stays } else { begins });
        for _ in 0..count {
            let later = (0..12).map(|month| year.saturating_add(month.months())).collect::<SmallVec<[_; 12]>>();
            let weights: SmallVec<[f64; 12]> =
                later.iter().map(|month| rates::SEASON[month.month() as usize - 1]).collect();
            let month = plan::seconds(later[dice.weighted(&weights)]);
            times.push(month + dice.between(0, 30) * DAY + hour(dice));
        }
        year = year.saturating_add(1.year());
    }
    if canary {
        let length = plan.ends - plan.begins;
        times.extend([3, 5, 7].map(|part| plan.begins + length * part / 10 + hour(dice)));
    }
    times.retain(|at| (plan.begins..plan.ends).contains(at));
    times.sort_unstable();
    times
}

/// Evenings and nights more than mornings.
fn hour(dice: &mut Dice) -> i64 {
    let from_noon = if dice.chance(0.6) { dice.between(6 * HOUR, 13 * HOUR) } else { dice.between(0, DAY - 1) };
    (from_noon + 12 * HOUR) % DAY
}

/// The police write it down: the incident, the risk, the crime and what came of it.
fn tell(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) {
    let population = plan.population();
    let late = if dice.chance(rates::LATE) { dice.between(4 * DAY, 90 * DAY) } else { 0 };
    let recorded = happening.at + dice.between(600, 6 * HOUR) + late;
    let on = plan::day(happening.at);
    let children: SmallVec<[u32; 4]> = population.children(happening.household, on).collect();
    let victim = plan.part(Party::Police, happening.victim, Role::Victim, Status::Victim, dice);
    let suspect = plan.part(Party::Police, happening.perpetrator, Role::Perpetrator, Status::Suspect, dice);
    let children_present = match children.is_empty() {
        _ if dice.chance(rates::CHILDREN_NOT_ASKED) => Answer::NotAsked,
        false if dice.chance(population.rates.children_present) => Answer::Yes,
        _ => Answer::No,
    };
    let mut parts = smallvec![victim, suspect];
    if children_present == Answer::Yes {
        let present = children.iter().filter(|child| **child != happening.perpetrator);
        parts.extend(present.map(|child| plan.part(Party::Police, *child, Role::Child, Status::Victim, dice)));
    }
    let incident = Planned {
        party: Party::Police,
        occurred: happening.at,
        recorded,
        held_until: 0,
        supersedes: None,
        amends: false,
        slip: false,
        relationship: Some(happening.relationship),
        about: None,
        detail: Detail::Incident { children_present, alcohol: plan::answer(rates::ALCOHOL, dice) },
        parts,
    };
    let Some(number) = plan.add(incident.clone()) else { return };
    let incident = Planned { parts: smallvec![victim, suspect], ..incident };
    if dice.chance(rates::DISCLOSURE_REQUEST) {
        justice::request_disclosure(plan, &incident, dice);
    }
    if dice.chance(rates::ASSESSED) {
        let detail = assessment(happening, dice);
        let parts = if dice.chance(0.6) { smallvec![victim, suspect] } else { smallvec![victim] };
        plan.add(Planned { recorded: recorded + dice.between(HOUR, 2 * DAY), detail, parts, ..incident.clone() });
    }
    if happening.crime {
        justice::prosecute(plan, number, incident, dice);
    }
}

fn assessment(happening: Happening, dice: &mut Dice) -> Detail {
    let dara = dice.chance(rates::DARA);
    let count = match happening.grade {
        Risk::High if happening.raised => dice.between(8, 13),
        Risk::High => 14 + dice.mostly_short(10),
        Risk::Medium => dice.between(7, 13),
        Risk::Standard => dice.between(0, 7),
    };
    Detail::RiskAssessment {
        grader: None,
        tool: if dara { "dara" } else { "dash" }.into(),
        tool_version: if dara { "2022" } else { "2009" }.into(),
        yes_count: (!dara).then_some(count as u8),
        grade: happening.grade,
        raised_by_judgement: happening.raised,
    }
}
