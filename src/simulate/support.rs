//! What follows: MARAC, probation, and the specialist services with caseloads of their own.

use jiff::ToSpan;
use smallvec::{SmallVec, smallvec};

use super::dice::{Dice, Stream};
use super::party::Party;
use super::plan::{self, DAY, Part, Plan, Planned};
use super::process::Happening;
use super::{authority, rates};
use crate::model::event::{
    CaseState, ClosingReason, CohortKind, CohortState, DeclineReason, Detail, MaracAction, MaracCriterion,
    MaracReferrer, OrderEndReason, PerpetratorRisk, Programme, RecallReason, ReferralSource, RequirementKind,
    ReviewTool, Risk, Role, Status,
};

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * DAY;

pub(super) fn event(party: Party, occurred: i64, recorded: i64, detail: Detail, parts: SmallVec<[Part; 4]>) -> Planned {
    Planned {
        party,
        occurred,
        recorded,
        held_until: 0,
        supersedes: None,
        amends: false,
        slip: false,
        relationship: None,
        about: None,
        detail,
        parts,
    }
}

/// The agencies' and services' answer to one happening; says when MARAC was asked, if it was.
pub(super) fn follow(plan: &mut Plan<'_>, happening: Happening, dice: &mut Dice) -> Option<i64> {
    authority::contact(plan, happening, dice);
    let referred = refer_to_marac(plan, happening, dice);
    support_victim(plan, happening, dice);
    if happening.earlier == 0 {
        support_perpetrator(plan, happening, dice);
    }
    referred
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
    let referrers = [
        MaracReferrer::Police,
        MaracReferrer::ChildrensServices,
        MaracReferrer::Idva,
        MaracReferrer::Health,
        MaracReferrer::VoluntarySector,
    ];
    let referrer = referrers[dice.weighted(&[0.7, 0.1, 0.1, 0.05, 0.05])];
    let authority = Party::LocalAuthority;
    let parts = smallvec![
        plan.part(authority, happening.victim, Role::Victim, Status::Victim, dice),
        plan.part(authority, happening.perpetrator, Role::Perpetrator, Status::Suspect, dice),
    ];
    let at = happening.at + DAY + dice.mostly_short(10 * DAY);
    let referral = event(
        authority,
        at,
        at + dice.between(HOUR, DAY),
        Detail::MaracReferral { criterion, referrer: Some(referrer) },
        parts,
    );
    let referral = Planned { relationship: Some(happening.relationship), ..referral };
    plan.add(referral.clone());
    let discussed = at + dice.between(7 * DAY, 28 * DAY);
    let further = [MaracAction::SafetyPlanning, MaracAction::TargetHardening, MaracAction::PerpetratorProgramme];
    let actions = vec![MaracAction::IdvaSupport, further[dice.weighted(&[0.6, 0.25, 0.15])]];
    let detail = Detail::MaracOutcome { criterion, referrer: Some(referrer), actions };
    plan.add(Planned { occurred: discussed, recorded: discussed + dice.between(HOUR, 5 * DAY), detail, ..referral });
    if dice.chance(rates::SANCTUARY) {
        authority::sanctuary(plan, happening.victim, discussed, dice);
    }
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
    // Whoever was reached before is known already; some start anew.
    let known = plan.has_case(happening.victim) && !dice.chance(rates::STARTS_ANEW);
    let service = routed(happening.grade, dice);
    let referred_at = happening.at + 6 * HOUR + dice.mostly_short(5 * DAY);
    let taken_up = reached && !known;
    if taken_up || !reached && dice.chance(place.declined) {
        let source = rates::REFERRAL_SOURCES[dice.weighted(&rates::REFERRAL_SOURCES.map(|(_, weight)| weight))].0;
        referral(plan, service, happening.victim, Role::Victim, source, referred_at, taken_up, dice);
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
    plan.add(event(service, at, at + dice.between(600, DAY), Detail::ReferralReceived { referrer }, client.clone()));
    let tried = at + DAY + dice.mostly_short(10 * DAY);
    let reached = taken_up || dice.chance(0.5);
    let attempt = Detail::ContactAttempt { reached };
    plan.add(event(service, tried, tried + dice.between(600, DAY), attempt, client.clone()));
    if taken_up {
        let opened = tried + HOUR + dice.mostly_short(8 * DAY);
        plan.add(event(service, opened, opened + dice.between(600, 8 * HOUR), Detail::Engaged {}, client.clone()));
        case(plan, service, client, opened, opened + dice.between(600, 8 * HOUR), dice);
    } else if reached {
        let reasons = [DeclineReason::NotNow, DeclineReason::NotWanted, DeclineReason::OtherSupport];
        let detail = Detail::Declined { reason: reasons[dice.weighted(&[0.4, 0.45, 0.15])] };
        plan.add(event(service, tried, tried + dice.between(600, DAY), detail, client));
    }
}

fn case(plan: &mut Plan<'_>, service: Party, client: SmallVec<[Part; 4]>, at: i64, recorded: i64, dice: &mut Dice) {
    let open = event(service, at, recorded, Detail::CaseloadEntry { state: CaseState::Open }, client);
    let Some(number) = plan.add(open.clone()) else { return };
    let closed = recorded + dice.between(40 * DAY, 260 * DAY);
    let ended = plan.add(Planned {
        occurred: closed - HOUR,
        recorded: closed,
        supersedes: dice.chance(0.5).then_some(number),
        detail: Detail::CaseloadEntry { state: CaseState::Closed },
        ..open.clone()
    });
    let assessed = service == Party::Idva;
    let at_start = [Risk::High, Risk::Medium][dice.weighted(&[0.8, 0.2])];
    if assessed {
        let detail = Detail::RiskAtStart { tool: "dash_ric".into(), grade: at_start };
        plan.add(Planned { recorded: recorded + dice.between(600, 5 * DAY), detail, ..open.clone() });
    }
    if ended.is_some() {
        let reasons = [ClosingReason::Completed, ClosingReason::Disengaged, ClosingReason::MovedAway];
        let lower = if at_start == Risk::High { Risk::Medium } else { Risk::Standard };
        let at_end = if dice.chance(rates::RISK_REDUCED) { lower } else { at_start };
        let reason = reasons[dice.weighted(&[0.7, 0.22, 0.08])];
        let detail = Detail::Closed { reason, risk_at_end: assessed.then_some(at_end) };
        plan.add(Planned { occurred: closed - HOUR, recorded: closed, detail, ..open });
    }
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
    let detail = Detail::OrderStart { ends_on: Some(ends_on), requirement };
    let added = plan.add(event(Party::Crc, began, recorded, detail, parts.clone()));
    if added.is_none() {
        return;
    }
    let tell = |plan: &mut Plan<'_>, at: i64, detail| {
        plan.add(event(Party::Crc, at, at + 2 * HOUR, detail, parts.clone()));
    };
    let named = if requirement.is_some() { RequirementKind::Bbr } else { RequirementKind::ProhibitedActivity };
    tell(plan, recorded, Detail::Requirement { requirement: named, ends_on: Some(ends_on) });
    let levels = [PerpetratorRisk::Low, PerpetratorRisk::Medium, PerpetratorRisk::High, PerpetratorRisk::VeryHigh];
    let level = levels[dice.weighted(&[0.2, 0.5, 0.25, 0.05])];
    let wants_change = plan::answer(rates::WANTS_CHANGE, dice);
    tell(plan, recorded + 30 * DAY, Detail::RiskReview { tool: ReviewTool::Sara, level, wants_change });
    if level == PerpetratorRisk::VeryHigh {
        tell(plan, recorded + 32 * DAY, Detail::MappaLevel { level: 2 });
        let part = plan.part(Party::Police, person, Role::Perpetrator, Status::Convicted, dice);
        let entered = Detail::Cohort { cohort: CohortKind::Drive, state: CohortState::Entered };
        let at = recorded + 33 * DAY;
        plan.add(event(Party::Police, at, at + HOUR, entered, smallvec![part]));
    }
    let over = began + months * 30 * DAY;
    if dice.chance(rates::RECALLED) {
        tell(plan, recorded + 40 * DAY, Detail::Release { ends_on: Some(ends_on) });
        tell(plan, recorded + 90 * DAY, Detail::Recall { reason: RecallReason::Breach });
    } else {
        tell(plan, over, Detail::OrderEnd { reason: OrderEndReason::Completed });
    }
    if let Some(programme_) = requirement.filter(|_| before == 0) {
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
    let start = event(Party::Crc, at, at + dice.between(600, DAY), Detail::ProgrammeStart { programme }, who);
    let ends = match dice.weighted(&[rates::COMPLETED, rates::PROGRAMME_BREACH, 0.2]) {
        0 => Some((Detail::ProgrammeComplete { programme }, at + lasts)),
        1 => Some((Detail::ProgrammeBreach { programme }, at + dice.between(5 * DAY, lasts))),
        _ => None,
    };
    if plan.add(start.clone()).is_none() {
        return;
    }
    if let Some((detail, at)) = ends {
        plan.add(Planned { occurred: at, recorded: at + dice.between(HOUR, 3 * DAY), detail, ..start });
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
    authority::live_beside(plan);
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
