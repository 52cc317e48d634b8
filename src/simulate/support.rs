//! What follows: children's services, MARAC, probation, and the specialist services with caseloads of their own.

use std::collections::BTreeSet;

use jiff::ToSpan;
use smallvec::{SmallVec, smallvec};

use super::dice::{Dice, Stream};
use super::party::Party;
use super::plan::{self, DAY, Part, Plan, Planned};
use super::process::Happening;
use super::rates;
use super::wire::Fields;
use crate::model::event::{
    Answer, CaseState, MaracCriterion, MashOutcome, Programme, ReferralSource, Risk, Role, Status,
};

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * DAY;

fn event(party: Party, occurred: i64, recorded: i64, fields: Fields, parts: SmallVec<[Part; 4]>) -> Planned {
    Planned {
        party,
        occurred,
        recorded,
        held_until: 0,
        supersedes: None,
        amends: false,
        slip: false,
        relationship: None,
        fields,
        parts,
    }
}

/// The agencies' and services' answer to one happening; says when MARAC was asked, if it was.
pub(super) fn follow(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) -> Option<i64> {
    contact(plan, happening, dice);
    let referred = refer_to_marac(plan, happening, dice);
    support_victim(plan, happening, dice);
    if happening.earlier == 0 {
        support_perpetrator(plan, happening, dice);
    }
    referred
}

/// A MASH contact about the children of the household.
fn contact(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) {
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
    let fields = Fields::MashContact {
        children: children.len() as u8,
        domestic_abuse: Answer::Yes,
        outcome: mash_outcome([0.45, 0.25, 0.2, 0.1], dice),
    };
    let recorded = happening.at + 12 * HOUR + dice.mostly_short(6 * DAY);
    let told = Planned {
        relationship: Some(happening.relationship),
        ..event(authority, happening.at, recorded, fields, parts)
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
        let fields = Fields::MashContact {
            children: children.len() as u8,
            domestic_abuse: if kind == 0 { Answer::Yes } else { Answer::No },
            outcome: mash_outcome([0.45, 0.25, 0.2, 0.1], dice),
        };
        let recorded = at + HOUR + dice.mostly_short(6 * DAY);
        plan.add(Planned { occurred: at, recorded, fields, ..told.clone() });
    }
}

fn mash_outcome(weights: [f64; 4], dice: &mut Dice) -> MashOutcome {
    let outcomes =
        [MashOutcome::NoFurtherAction, MashOutcome::EarlyHelp, MashOutcome::Assessment, MashOutcome::Section47];
    outcomes[dice.weighted(&weights)]
}

fn refer_to_marac(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) -> Option<i64> {
    let again = happening.last_marac.is_some_and(|last| happening.at - last <= YEAR);
    let high = happening.grade == Risk::High;
    let referred =
        again && dice.chance(rates::MARAC_AGAIN) || high && dice.chance(plan.population().rates.marac_of_high);
    if !referred {
        return None;
    }
    let criterion = match happening {
        _ if again => MaracCriterion::Repeat,
        Happening { earlier: 2.., .. } => MaracCriterion::Escalation,
        Happening { raised: true, .. } => MaracCriterion::ProfessionalJudgement,
        _ => MaracCriterion::VisibleHighRisk,
    };
    let authority = Party::LocalAuthority;
    let parts = smallvec![
        plan.part(authority, happening.victim, Role::Victim, Status::Victim, dice),
        plan.part(authority, happening.perpetrator, Role::Perpetrator, Status::Suspect, dice),
    ];
    let at = happening.at + DAY + dice.mostly_short(10 * DAY);
    let referral = event(authority, at, at + dice.between(HOUR, DAY), Fields::MaracReferral { criterion }, parts);
    plan.add(Planned { relationship: Some(happening.relationship), ..referral });
    Some(at)
}

/// The service for a grade; counselling for some.
fn routed(grade: Risk, dice: &mut Dice) -> Party {
    match grade {
        _ if dice.chance(0.1) => Party::Parcs,
        Risk::High => Party::Idva,
        Risk::Medium => Party::StopDomesticAbuse,
        Risk::Standard => Party::VictimCareService,
    }
}

fn support_victim(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) {
    // One inclination a person, so that whoever took help up after one event also does after the next.
    let inclination = Dice::new(plan.population().seed, Stream::Client, u64::from(happening.victim), 0).unit();
    let place = plan.population().rates;
    let first = place.reach_first[match happening.grade {
        Risk::High => 0,
        Risk::Medium => 1,
        Risk::Standard => 2,
    }];
    let reached = inclination < if happening.earlier >= 1 { place.reach_repeat } else { first };
    // Whoever was reached the first time is a client already; some start anew.
    let known = happening.earlier >= 1 && inclination < first && !dice.chance(0.3);
    let service = routed(happening.grade, dice);
    let referred_at = happening.at + 6 * HOUR + dice.mostly_short(5 * DAY);
    if reached && !known {
        referral(plan, service, happening.victim, Role::Victim, ReferralSource::Police, referred_at, true, dice);
    } else if !reached && dice.chance(place.declined) {
        referral(plan, service, happening.victim, Role::Victim, ReferralSource::Police, referred_at, false, dice);
    }
}

fn support_perpetrator(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) {
    let mut inclination = Dice::new(plan.population().seed, Stream::Client, u64::from(happening.perpetrator), 1);
    if !inclination.chance(plan.population().rates.reach_perpetrator) {
        return;
    }
    let taken_up = inclination.chance(rates::PERPETRATOR_TAKES_UP);
    let at = happening.at + 2 * DAY + dice.mostly_short(30 * DAY);
    let source = if taken_up { ReferralSource::SelfReferral } else { ReferralSource::Police };
    referral(plan, Party::Up2u, happening.perpetrator, Role::Perpetrator, source, at, taken_up, dice);
    if !taken_up {
        return;
    }
    let parts = smallvec![plan.part(Party::Crc, happening.perpetrator, Role::Perpetrator, Status::Client, dice)];
    programme(plan, Programme::Up2u, parts, at + 10 * DAY, 140 * DAY, dice);
}

/// A referral; if it is taken up, a case is opened, and in time closed.
#[expect(
    clippy::too_many_arguments,
    reason = "who refers whom where, when and with what success is what a referral is"
)]
fn referral(
    plan: &mut Plan<'_>,
    service: Party,
    person: u32,
    role: Role,
    referrer: ReferralSource,
    at: i64,
    taken_up: bool,
    dice: &mut Dice,
) {
    let nominal = plan.next_case(person);
    let client: SmallVec<[Part; 4]> = smallvec![Part { person, role, status: Status::Client, nominal }];
    plan.add(event(service, at, at + dice.between(600, DAY), Fields::ReferralReceived { referrer }, client.clone()));
    if taken_up {
        let opened = at + 2 * DAY + dice.mostly_short(14 * DAY);
        case(plan, service, client, opened, opened + dice.between(600, 8 * HOUR), dice);
    }
}

fn case(plan: &mut Plan<'_>, service: Party, client: SmallVec<[Part; 4]>, at: i64, recorded: i64, dice: &mut Dice) {
    let open = event(service, at, recorded, Fields::CaseloadEntry { state: CaseState::Open }, client);
    let Some(number) = plan.add(open.clone()) else { return };
    let closed = recorded + dice.between(40 * DAY, 260 * DAY);
    plan.add(Planned {
        occurred: closed - HOUR,
        recorded: closed,
        supersedes: dice.chance(0.5).then_some(number),
        fields: Fields::CaseloadEntry { state: CaseState::Closed },
        ..open
    });
}

/// After a conviction: an order, perhaps with a programme.
pub(super) fn sentence(plan: &mut Plan<'_>, decided: &Planned, dice: &mut Dice) {
    if !dice.chance(rates::COMMUNITY_ORDER) {
        return;
    }
    let convict = decided.parts[1].person;
    probation(plan, convict, decided.recorded + dice.between(DAY, 6 * DAY), 0, dice);
}

/// An order under probation; it began `before` seconds before it is told.
fn probation(plan: &mut Plan<'_>, person: u32, recorded: i64, before: i64, dice: &mut Dice) {
    let parts: SmallVec<[Part; 4]> =
        smallvec![plan.part(Party::Crc, person, Role::Perpetrator, Status::Convicted, dice)];
    let began = recorded - before - dice.between(HOUR, 20 * HOUR);
    let requirement = dice.chance(rates::BBR).then_some(Programme::Bbr);
    let months = dice.between(12, 24);
    let ends_on = plan::day(began).saturating_add(months.months());
    let fields = Fields::OrderStart { ends_on: Some(ends_on), requirement };
    let added = plan.add(event(Party::Crc, began, recorded, fields, parts.clone()));
    if let Some(programme_) = requirement.filter(|_| added.is_some() && before == 0) {
        programme(plan, programme_, parts, recorded + dice.between(10 * DAY, 60 * DAY), 200 * DAY, dice);
    }
}

fn programme(
    plan: &mut Plan<'_>,
    programme: Programme,
    who: SmallVec<[Part; 4]>,
    at: i64,
    lasts: i64,
    dice: &mut Dice,
) {
    let start = event(Party::Crc, at, at + dice.between(600, DAY), Fields::ProgrammeStart { programme }, who);
    let ends = match dice.weighted(&[rates::COMPLETED, rates::PROGRAMME_BREACH, 0.2]) {
        0 => Some((Fields::ProgrammeComplete { programme }, at + lasts)),
        1 => Some((Fields::ProgrammeBreach { programme }, at + dice.between(5 * DAY, lasts))),
        _ => None,
    };
    if plan.add(start.clone()).is_none() {
        return;
    }
    if let Some((fields, at)) = ends {
        plan.add(Planned { occurred: at, recorded: at + dice.between(HOUR, 3 * DAY), fields, ..start });
    }
}

/// Op Cara: two sessions under a conditional caution, with the Hampton Trust.
pub(super) fn conditional_caution(plan: &mut Plan<'_>, decided: &Planned, dice: &mut Dice) {
    let person = decided.parts[1].person;
    let at = decided.recorded + DAY;
    referral(plan, Party::HamptonTrust, person, Role::Perpetrator, ReferralSource::Police, at, true, dice);
    let parts = smallvec![plan.part(Party::Crc, person, Role::Perpetrator, Status::Suspect, dice)];
    programme(plan, Programme::OpCara, parts, at + 7 * DAY, 60 * DAY, dice);
}

/// What was so before the play began, and what happens to people without abuse.
pub(super) fn live_beside(plan: &mut Plan<'_>) {
    let population = plan.population();
    for person in 0..population.count() {
        before(plan, person);
    }
    // Child by child, as contacts are counted.
    let (mut with_abuse, mut others) = (0_i64, 0_i64);
    for event in &plan.events {
        if let Fields::MashContact { domestic_abuse, children, .. } = event.fields {
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

fn before(plan: &mut Plan<'_>, person: u32) {
    let population = plan.population();
    let mut dice = Dice::new(population.seed, Stream::Client, u64::from(person), 2);
    let truly = population.person(person);
    let canary = person >= population.first_canary;
    let told = plan.begins + dice.between(HOUR, 3 * DAY);
    let since = dice.between(DAY, 200 * DAY);
    let (client, probationer) = (dice.unit(), dice.chance(rates::PROBATION_BEFORE) || canary);
    let adult = population.age(person, population.start) >= 16;
    if !adult {
        return;
    }
    let role = if truly.perpetrator { Role::Perpetrator } else { Role::Victim };
    let service = match role {
        Role::Perpetrator => *dice.pick(&[Party::Up2u, Party::HamptonTrust]),
        _ => *dice.pick(&[Party::Idva, Party::StopDomesticAbuse, Party::VictimCareService, Party::Parcs]),
    };
    let share = match (truly.perpetrator, truly.victim) {
        (true, _) => rates::PERPETRATOR_BEFORE,
        (_, true) => rates::CLIENT_BEFORE,
        _ => rates::CLIENT_BEFORE / 3.0,
    };
    if client < share || canary {
        let nominal = plan.next_case(person);
        let parts = smallvec![Part { person, role, status: Status::Client, nominal }];
        case(plan, service, parts, told - since, told, &mut dice);
    }
    if truly.perpetrator && probationer {
        probation(plan, person, told, since, &mut dice);
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
    let fields = Fields::MashContact {
        children: children.len() as u8,
        domestic_abuse: if dice.chance(0.7) { Answer::No } else { Answer::NotAsked },
        outcome: mash_outcome([0.6, 0.22, 0.14, 0.04], dice),
    };
    plan.add(event(authority, at, recorded, fields, parts));
    children.len() as u8
}
