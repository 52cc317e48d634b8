//! What the local authority knows: contacts to the MASH, children's social care, housing, youth offending and what clients
//! of substance misuse services say.

use std::collections::BTreeSet;

use smallvec::{SmallVec, smallvec};

use super::dice::{Dice, Stream, scattered};
use super::party::Party;
use super::plan::{self, DAY, Part, Plan, Planned};
use super::process::Happening;
use super::rates;
use super::support::event;
use crate::model::event::{
    Answer, CaseState, ChildPlan, Detail, HousingMatter, HousingState, MashOutcome, Role, Status, YouthIntervention,
};

const HOUR: i64 = 3_600;

/// A MASH contact about the children of the household.
pub(super) fn contact(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) {
    let population = plan.population();
    let on = plan::day(happening.at);
    let children: SmallVec<[u32; 4]> =
        population.children(happening.household, on).filter(|child| *child != happening.perpetrator).collect();
    if children.is_empty() || !dice.chance(population.rates.mash_of_incident) {
        return;
    }
    let authority = Party::LocalAuthority;
    let mut parts: SmallVec<[Part; 4]> = smallvec![
        plan.part(authority, happening.victim, Role::Victim, Status::Victim, dice),
        plan.part(authority, happening.perpetrator, Role::Perpetrator, Status::Suspect, dice),
    ];
    parts.extend(children.iter().map(|child| plan.part(authority, *child, Role::Child, Status::Victim, dice)));
    let detail = Detail::MashContact {
        children: children.len() as u8,
        domestic_abuse: Answer::Yes,
        outcome: mash_outcome([0.45, 0.25, 0.2, 0.1], dice),
    };
    let recorded = happening.at + 12 * HOUR + dice.mostly_short(6 * DAY);
    let told = Planned {
        relationship: Some(happening.relationship),
        ..event(authority, happening.at, recorded, detail, parts)
    };
    plan.add(told.clone());
    // Schools, health visitors and neighbours tell of the same family again.
    let again = [population.rates.mash_told_again, population.rates.mash_other_reasons, 1.0];
    let again = [again[0], again[1], 1.0 - again[0] - again[1]];
    let kind = dice.weighted(&again);
    if kind == 2 {
        return;
    }
    let mut at = happening.at;
    for _ in 0..dice.between(4, 6) {
        at += dice.between(2 * DAY, 24 * DAY);
        let detail = Detail::MashContact {
            children: children.len() as u8,
            domestic_abuse: if kind == 0 { Answer::Yes } else { Answer::No },
            outcome: mash_outcome([0.45, 0.25, 0.2, 0.1], dice),
        };
        let recorded = at + HOUR + dice.mostly_short(6 * DAY);
        plan.add(Planned { occurred: at, recorded, detail, ..told.clone() });
    }
}

fn mash_outcome(weights: [f64; 4], dice: &mut Dice) -> MashOutcome {
    let outcomes =
        [MashOutcome::NoFurtherAction, MashOutcome::EarlyHelp, MashOutcome::Assessment, MashOutcome::Section47];
    outcomes[dice.weighted(&weights)]
}

/// A safe room for a victim.
pub(super) fn sanctuary(plan: &mut Plan<'_>, victim: u32, at: i64, dice: &mut Dice) {
    let parts = smallvec![plan.part(Party::LocalAuthority, victim, Role::Victim, Status::Victim, dice)];
    let detail = Detail::Housing { matter: HousingMatter::Sanctuary, state: HousingState::Started };
    plan.add(event(Party::LocalAuthority, at, at + dice.between(HOUR, 9 * DAY), detail, parts));
}

/// What comes up without an incident, as often as published for each incident that does.
pub(super) fn live_beside(plan: &mut Plan<'_>) {
    let incidents = plan.events.iter().filter(|event| matches!(event.detail, Detail::Incident { .. })).count();
    contacts_without_abuse(plan);
    let rates = plan.population().rates;
    let wanted = |rate: f64| (incidents as f64 * rate) as u64;
    substance_misuse(plan, wanted(rates.substance_clients));
    for (number, (child_plan, per_incident, with_abuse)) in rates.plans.into_iter().enumerate() {
        child_plans(plan, number as u64, child_plan, wanted(per_incident), with_abuse);
    }
    youth_offending(plan, wanted(rates.youths));
}

fn contacts_without_abuse(plan: &mut Plan<'_>) {
    let population = plan.population();
    // Child by child, as contacts are counted.
    let (mut with_abuse, mut others) = (0_i64, 0_i64);
    for event in &plan.events {
        if let Detail::MashContact { domestic_abuse, children, .. } = event.detail {
            let count = if domestic_abuse == Answer::Yes { &mut with_abuse } else { &mut others };
            *count += i64::from(children);
        }
    }
    let wanted = (with_abuse as f64 * (1.0 / population.rates.mash_with_abuse - 1.0)) as i64;
    let last = population.households.len() as u32 - 1;
    let families = (0..last).filter(|household| population.children(*household, population.start).next().is_some());
    let abusive: BTreeSet<u32> = population.relations.iter().map(|relation| relation.household).collect();
    let (same, elsewhere): (Vec<u32>, Vec<u32>) = families.partition(|household| abusive.contains(household));
    let mut contact = 0;
    while others < wanted && same.len() + elsewhere.len() > 0 {
        let mut dice = Dice::new(population.seed, Stream::Family, contact, 0);
        let is_same = dice.chance(population.rates.mash_same_families) || elsewhere.is_empty();
        let household = *dice.pick(if is_same && !same.is_empty() { &same } else { &elsewhere });
        // A family whose children have grown up by then counts as asked about, or a play could go on for ever.
        others += i64::from(contact_without_abuse(plan, household, &mut dice)).max(1);
        contact += 1;
    }
}

/// Says how many children it is about.
fn contact_without_abuse(plan: &mut Plan<'_>, household: u32, dice: &mut Dice) -> u8 {
    let population = plan.population();
    let authority = Party::LocalAuthority;
    let at = dice.between(plan.begins, plan.ends - 1);
    let recorded = at + HOUR + dice.mostly_short(8 * DAY);
    let mut children: SmallVec<[u32; 4]> = population.children(household, plan::day(at)).collect();
    if children.is_empty() {
        return 0;
    }
    if dice.chance(rates::ONE_CHILD) {
        children = smallvec![*dice.pick(&children)];
    }
    let mut parts: SmallVec<[Part; 4]> = SmallVec::new();
    let parent = population.members(household).find(|member| !population.person(*member).child);
    parts.extend(parent.map(|parent| plan.part(authority, parent, Role::Witness, Status::Witness, dice)));
    parts.extend(children.iter().map(|child| plan.part(authority, *child, Role::Child, Status::Client, dice)));
    let detail = Detail::MashContact {
        children: children.len() as u8,
        domestic_abuse: if dice.chance(0.7) { Answer::No } else { Answer::NotAsked },
        outcome: mash_outcome([0.6, 0.22, 0.14, 0.04], dice),
    };
    plan.add(event(authority, at, recorded, detail, parts));
    children.len() as u8
}

/// People to whom something happens once: numbers below the count, each once until all have come up.
fn once_each(plan: &Plan<'_>, what: u64, is_meant: impl Fn(u32) -> bool) -> Vec<u32> {
    let population = plan.population();
    let count = u64::from(population.first_canary);
    let shift = population.seed % 1_000_003 + what * 7_919;
    let numbers = (0..count).map(|number| scattered(number, 2_654_435_761, shift, count.max(1)) as u32);
    numbers.filter(|person| is_meant(*person)).collect()
}

/// Clients of substance misuse services, and what they say of domestic abuse if they are asked.
fn substance_misuse(plan: &mut Plan<'_>, wanted: u64) {
    let population = plan.population();
    let adults = once_each(plan, 0, |person| population.age(person, population.start) >= 18);
    for (number, person) in (0..wanted).zip(adults.into_iter().cycle()) {
        let mut dice = Dice::new(population.seed, Stream::Substance, number, 0);
        let (yes, no, unasked) = (Answer::Yes, Answer::No, Answer::NotAsked);
        let said: &[(Role, Answer)] = match dice.weighted(&rates::SUBSTANCE_DISCLOSURE) {
            0 => &[(Role::Victim, yes)],
            1 => &[(Role::Victim, yes), (Role::Perpetrator, yes)],
            2 => &[(Role::Perpetrator, yes)],
            3 => &[(Role::Victim, unasked)],
            _ => &[(Role::Victim, no)],
        };
        let at = dice.between(plan.begins, plan.ends - 1);
        let recorded = at + dice.between(600, 3 * DAY);
        let [alcohol, drugs] = [0.6, 0.55].map(|share| if dice.chance(share) { yes } else { no });
        for (role, domestic_abuse) in said {
            let parts = smallvec![plan.part(Party::LocalAuthority, person, *role, Status::Client, &mut dice)];
            let detail = Detail::SubstanceMisuse { alcohol, drugs, domestic_abuse: *domestic_abuse };
            plan.add(event(Party::LocalAuthority, at, recorded, detail, parts));
        }
    }
}

/// Plans for children that are opened, with and without domestic abuse as a factor.
fn child_plans(plan: &mut Plan<'_>, number: u64, kind: ChildPlan, wanted: u64, with_abuse: f64) {
    let population = plan.population();
    let households: BTreeSet<u32> = population.relations.iter().map(|relation| relation.household).collect();
    let children = once_each(plan, 1 + number, |person| population.age(person, population.end) < 18);
    let (abuse, other): (Vec<u32>, Vec<u32>) =
        children.into_iter().partition(|child| households.contains(&population.person(*child).household));
    let (mut abuse, mut other) = (abuse.into_iter().cycle(), other.into_iter().cycle());
    for place in 0..wanted {
        let mut dice = Dice::new(population.seed, Stream::Plan, place, number);
        let is_abuse = dice.chance(with_abuse);
        let child = if is_abuse { abuse.next() } else { other.next().or_else(|| abuse.next()) };
        let Some(child) = child else { return };
        let at = dice.between(plan.begins, plan.ends - 1);
        let detail = Detail::SocialCareAssessment {
            domestic_abuse: if is_abuse { Answer::Yes } else { Answer::No },
            plan: kind,
            state: CaseState::Open,
        };
        let parts = smallvec![plan.part(Party::LocalAuthority, child, Role::Child, Status::Client, &mut dice)];
        plan.add(event(Party::LocalAuthority, at, at + dice.between(HOUR, 6 * DAY), detail, parts));
    }
}

/// Young people whom the youth offending team works with, asked for both roles.
fn youth_offending(plan: &mut Plan<'_>, wanted: u64) {
    let population = plan.population();
    let is_youth = |person| (10..17).contains(&population.age(person, population.start));
    let youths = once_each(plan, 9, is_youth);
    for (number, youth) in (0..wanted).zip(youths.into_iter().cycle()) {
        let mut dice = Dice::new(population.seed, Stream::Youth, number, 0);
        let at = dice.between(plan.begins, plan.ends - 1);
        let kinds = [YouthIntervention::Prevention, YouthIntervention::OutOfCourt, YouthIntervention::CourtOrder];
        let intervention = kinds[dice.weighted(&[0.4, 0.35, 0.25])];
        for (role, status, share) in [
            (Role::Child, Status::Victim, rates::YOUTH_WITNESSED),
            (Role::Perpetrator, Status::Suspect, rates::YOUTH_HARMED),
        ] {
            let domestic_abuse = if dice.chance(share) { Answer::Yes } else { Answer::No };
            let parts = smallvec![plan.part(Party::LocalAuthority, youth, role, status, &mut dice)];
            let detail = Detail::Yot { intervention, domestic_abuse };
            plan.add(event(Party::LocalAuthority, at, at + dice.between(HOUR, 3 * DAY), detail, parts));
        }
    }
}
