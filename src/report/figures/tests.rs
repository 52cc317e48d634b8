//! Every section on small registers made by hand: the period is 2025, and people are numbers.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

use crate::config::rules::Rules;
use crate::model::event::{
    AlertAction, Answer, CaseState, ChildPlan, ClosingReason, CourtResult, CrimeOutcome, Detail, DisclosureDecision,
    DisclosureRoute, MaracCriterion, MashOutcome, OffenceFamily, OrderKind, Programme, ReferralSource, Risk, Role,
    Status, YouthIntervention,
};
use crate::model::ids::{ClusterId, EventId, PartyId};
use crate::model::linked::{LinkedEvent, LinkedPerson};
use crate::report::{Break, Figure, Period, Report, report};

use Role::{Child, Perpetrator, Victim};

/// A register that is written down event by event.
#[derive(Default)]
struct Register(Vec<Event>);

struct Event {
    agency: PartyId,
    at: Timestamp,
    detail: Detail,
    about: Option<usize>,
    alerted_at: Option<Timestamp>,
    people: Vec<(u8, Role)>,
}

impl Register {
    fn told(mut self, agency: &str, on: Date, detail: Detail, people: &[(u8, Role)]) -> Self {
        let at = on.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).expect("a moment").timestamp();
        let agency = agency.parse().expect("a party");
        self.0.push(Event { agency, at, detail, about: None, alerted_at: None, people: people.to_vec() });
        self
    }

    /// The last event speaks of that one.
    fn about(mut self, number: usize) -> Self {
        self.0.last_mut().expect("there is one").about = Some(number);
        self
    }

    /// The last event acknowledges an alert about what was recorded that day.
    fn alerted(mut self, on: Date) -> Self {
        let at = on.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).expect("a moment").timestamp();
        self.0.last_mut().expect("there is one").alerted_at = Some(at);
        self
    }

    fn incident(self, on: Date, victim: u8, perpetrator: u8) -> Self {
        let detail = Detail::Incident { children_present: Answer::No, alcohol: Answer::NotAsked };
        self.told("police", on, detail, &[(victim, Victim), (perpetrator, Perpetrator)])
    }

    /// An incident with the crime recorded from it.
    fn crime(self, on: Date, victim: u8, perpetrator: u8) -> Self {
        let register = self.incident(on, victim, perpetrator);
        let incident = register.0.len() - 1;
        register.told("police", on, crime(true), &[(victim, Victim), (perpetrator, Perpetrator)]).about(incident)
    }

    fn risk(self, on: Date, victim: u8, grade: Risk) -> Self {
        let detail = Detail::RiskAssessment {
            grader: None,
            tool: "dash".into(),
            tool_version: "2009".into(),
            yes_count: None,
            grade,
            raised_by_judgement: false,
        };
        self.told("police", on, detail, &[(victim, Victim)])
    }

    fn report(&self) -> Report {
        self.report_with(&[])
    }

    fn report_with(&self, breaks: &[Break]) -> Report {
        let id = |number: usize| EventId([u8::try_from(number).expect("a small register"); 16]);
        let events: Vec<_> = self
            .0
            .iter()
            .enumerate()
            .map(|(number, event)| LinkedEvent {
                id: id(number),
                agency: &event.agency,
                occurred_at: event.at,
                recorded_at: event.at,
                relationship: None,
                detail: &event.detail,
                about: event.about.map(id),
                alerted_at: event.alerted_at,
                people: event.people.iter().map(|(person, role)| linked(*person, *role)).collect(),
            })
            .collect();
        let period = Period::new(date(2025, 12, 31), None);
        report(&"portsmouth".parse().expect("a scope"), &events, period, &Rules::default(), breaks)
    }
}

fn linked(person: u8, role: Role) -> LinkedPerson {
    let status = if role == Perpetrator { Status::Suspect } else { Status::Victim };
    LinkedPerson { person: ClusterId([person; 16]), role, status, under_16: role == Child }
}

fn crime(domestic_abuse: bool) -> Detail {
    Detail::Crime {
        offence_code: "8N".into(),
        offence_family: OffenceFamily::Violence,
        domestic_abuse,
        most_serious_violence: false,
        outcome: CrimeOutcome::Open,
        incident: None,
    }
}

#[track_caller]
fn shows(report: &Report, table: &str, expected: &[(&str, Figure)]) {
    let table = report.table(table).expect("the report has the table");
    for (row, figure) in expected {
        assert_eq!(table.figure(row), Some(*figure), "{row} of {}", table.id);
    }
}

fn of(part: u64, whole: u64) -> Figure {
    Figure::Share { part, whole }
}

use Figure::Count;

#[test]
fn an_incident_and_the_crime_recorded_from_it_are_one_report() {
    let report = Register::default()
        .crime(date(2025, 3, 1), 1, 2)
        .incident(date(2025, 4, 1), 3, 4)
        .incident(date(2024, 12, 31), 5, 6)
        .told("police", date(2025, 5, 1), crime(false), &[(7, Victim)])
        .report();
    shows(&report, "demand", &[("incidents", Count(2)), ("crimes", Count(1)), ("incidents_crimed", of(1, 2))]);
    shows(&report, "offences", &[("violence", of(1, 1)), ("sexual", of(0, 1))]);
    shows(&report, "repeat_victims", &[("victims", Count(2)), ("several_reports", of(0, 2))]);
}

#[test]
fn every_definition_of_a_repeat_has_its_own_figure() {
    let report = Register::default()
        .incident(date(2023, 1, 1), 1, 2) // ever before
        .incident(date(2024, 9, 1), 3, 4) // within 12 months, not in the period
        .incident(date(2025, 2, 1), 1, 2)
        .incident(date(2025, 3, 1), 3, 9)
        .incident(date(2025, 4, 1), 5, 6)
        .incident(date(2025, 5, 1), 5, 6)
        .report();
    let rows = [
        ("within_the_period", of(1, 4)),
        ("within_12_months", of(2, 4)),
        ("same_pair_within_12_months", of(1, 4)),
        ("ever_before", of(3, 4)),
    ];
    shows(&report, "repeat_incidents", &rows);
    shows(&report, "repeat_victims", &[("several_reports", of(1, 3)), ("within_12_months", of(2, 3))]);
    shows(&report, "repeat_perpetrators", &[("perpetrators", Count(3)), ("several_reports", of(1, 3))]);
}

#[test]
fn perpetrators_are_counted_by_their_crimes_and_victims_by_theirs() {
    let mut register = Register::default().crime(date(2025, 1, 2), 1, 2).incident(date(2025, 1, 3), 1, 2);
    for day in 1..=5 {
        register = register.crime(date(2025, 2, day), 3, 4);
    }
    let report = register.crime(date(2025, 3, 1), 5, 6).crime(date(2025, 3, 2), 7, 6).report();
    let rows = [("one", of(1, 3)), ("two", of(1, 3)), ("three", of(0, 3)), ("four_or_more", of(1, 3))];
    shows(&report, "offences_each", &rows);
    shows(&report, "repeat_victims", &[("several_crimes", Count(1)), ("several_crimes_share", of(1, 4))]);
}

#[test]
fn moves_series_of_victims_and_both_roles_are_told_apart() {
    let report = Register::default()
        .incident(date(2023, 6, 1), 1, 2)
        .incident(date(2025, 6, 1), 3, 2) // within three years: serial, and a move
        .incident(date(2020, 6, 1), 4, 5)
        .incident(date(2025, 6, 1), 6, 5) // a move, but too long ago to be serial
        .incident(date(2025, 7, 1), 7, 6) // a victim who is a perpetrator as well
        .incident(date(2025, 8, 1), 7, 8) // a victim with a further perpetrator
        .report();
    shows(&report, "serial", &[("serial", of(1, 4)), ("moved", of(2, 4)), ("successive", of(1, 3))]);
    shows(&report, "both_roles", &[("both", of(1, 6))]);
}

#[test]
fn agencies_know_people_and_services_do_not_count() {
    let mash = Detail::MashContact { children: 1, domestic_abuse: Answer::Yes, outcome: MashOutcome::EarlyHelp };
    let report = Register::default()
        .incident(date(2025, 3, 1), 1, 2)
        .told("local_authority", date(2025, 3, 2), mash, &[(1, Victim), (20, Child)])
        .told(
            "idva",
            date(2025, 3, 3),
            Detail::CaseloadEntry { state: CaseState::Open },
            &[(1, Victim), (2, Perpetrator)],
        )
        .report();
    shows(&report, "agencies", &[("victims", of(1, 1)), ("perpetrators", of(0, 1)), ("victims_two", of(1, 1))]);
}

#[test]
fn escalation_says_how_soon_and_what_came_before() {
    let report = Register::default()
        .risk(date(2025, 1, 10), 1, Risk::Standard)
        .crime(date(2025, 1, 20), 1, 2)
        .risk(date(2025, 1, 20), 1, Risk::High)
        .risk(date(2025, 2, 1), 3, Risk::Standard)
        .risk(date(2025, 2, 4), 3, Risk::Medium)
        .risk(date(2025, 2, 1), 4, Risk::Standard)
        .risk(date(2025, 2, 1), 5, Risk::Medium)
        .report();
    let rows = [
        ("escalated", of(2, 3)),
        ("to_high", of(1, 2)),
        ("days", Figure::Days { median: 3, cases: 2 }),
        ("before_crime", of(1, 2)),
        ("before_nothing", of(1, 2)),
    ];
    shows(&report, "escalation", &rows);
    shows(&report, "risk", &[("high", of(1, 6)), ("medium", of(2, 6)), ("standard", of(3, 6))]);
    shows(&report, "risk_tools", &[("dash_2009", of(6, 6))]);
}

#[test]
fn justice_sets_arrests_charges_and_verdicts_side_by_side() {
    let people = [(1, Victim), (2, Perpetrator)];
    let on = date(2025, 5, 1);
    let court = |result| Detail::CourtOutcome { result, offence_family: None, incident: None };
    let charge = Detail::Charge { offence_family: OffenceFamily::Violence, incident: None };
    let report = Register::default()
        .crime(on, 1, 2)
        .crime(on, 3, 4)
        .told("police", on, Detail::Arrest { incident: None, wants_change: Answer::NotAsked }, &people)
        .told("police", on, charge, &people)
        .told("police", on, court(CourtResult::Convicted), &people)
        .told("police", on, court(CourtResult::Acquitted), &people)
        .report();
    let rows = [("arrests", of(1, 2)), ("charges", of(1, 1)), ("convictions", of(1, 2)), ("court_success", of(1, 2))];
    shows(&report, "justice", &rows);
}

#[test]
fn an_order_told_of_again_when_it_is_breached_is_one_order() {
    let order = |kind, breached_on| Detail::ProtectionOrder {
        order: kind,
        served_on: date(2025, 4, 1),
        expires_on: None,
        breached_on,
    };
    let people = [(1, Victim), (2, Perpetrator)];
    let report = Register::default()
        .told("police", date(2025, 4, 1), order(OrderKind::Dapo, None), &people)
        .told("police", date(2025, 4, 9), order(OrderKind::Dapo, Some(date(2025, 4, 9))), &people)
        .told("police", date(2025, 4, 1), order(OrderKind::Dvpn, None), &[(3, Victim), (4, Perpetrator)])
        .report();
    shows(&report, "orders", &[("dapo", of(1, 2)), ("dvpn", of(1, 2)), ("breached", of(1, 2))]);
}

#[test]
fn the_clock_of_a_disclosure_request_runs() {
    let request = |decided: Option<Date>| Detail::DvdsRequest {
        route: DisclosureRoute::RightToAsk,
        decision: decided.map(|_| DisclosureDecision::Disclosed),
        decided_on: decided,
    };
    let people = [(1, Victim), (2, Perpetrator)];
    let report = Register::default()
        .told("police", date(2025, 1, 1), request(Some(date(2025, 1, 29))), &people)
        .told("police", date(2025, 1, 1), request(Some(date(2025, 1, 30))), &people)
        .told("police", date(2025, 6, 1), request(None), &people)
        .told("police", date(2025, 12, 20), request(None), &people)
        .report();
    let rows = [
        ("right_to_ask", of(4, 4)),
        ("q1_2025", of(2, 4)),
        ("q4_2025", of(1, 4)),
        ("disclosed", of(2, 2)),
        ("late", of(2, 4)),
        ("days", Figure::Days { median: 28, cases: 2 }),
    ];
    shows(&report, "disclosure", &rows);
}

#[test]
fn a_marac_repeat_is_the_same_pair_within_twelve_months() {
    let referral = Detail::MaracReferral { criterion: MaracCriterion::VisibleHighRisk, referrer: None };
    let refer = |register: Register, on, victim, perpetrator| {
        register.told("local_authority", on, referral.clone(), &[(victim, Victim), (perpetrator, Perpetrator)])
    };
    let register = refer(Register::default(), date(2024, 6, 1), 1, 2);
    let register = refer(register, date(2025, 5, 1), 1, 2); // a repeat
    let register = refer(register, date(2025, 5, 2), 1, 3); // another perpetrator
    let register = refer(register, date(2023, 6, 1), 4, 5);
    let report = refer(register, date(2025, 6, 1), 4, 5).report(); // too long ago
    let rows = [("referrals", Count(3)), ("repeats", of(1, 3)), ("visible_high_risk", of(3, 3)), ("repeat", of(0, 3))];
    shows(&report, "marac", &rows);
}

#[test]
fn support_is_offered_or_received_in_the_role_it_is_for() {
    let referral = Detail::ReferralReceived { referrer: ReferralSource::Health };
    let open = Detail::CaseloadEntry { state: CaseState::Open };
    let report = Register::default()
        .incident(date(2025, 1, 1), 1, 2)
        .incident(date(2025, 2, 1), 1, 2)
        .incident(date(2025, 3, 1), 3, 4)
        .told("idva", date(2025, 2, 2), open, &[(1, Victim)])
        .told("up2u", date(2025, 2, 2), referral, &[(2, Perpetrator)])
        .report();
    let rows = [
        ("repeat_victims_received", of(1, 1)),
        ("repeat_perpetrators_received", of(0, 1)),
        ("repeat_perpetrators_offered", of(1, 1)),
        ("perpetrators_offered", of(1, 2)),
        ("perpetrators_received", of(0, 2)),
    ];
    shows(&report, "reach", &rows);
    shows(&report, "referrals", &[("all", Count(1)), ("health", of(1, 1)), ("to_up2u", of(1, 1))]);
}

#[test]
fn the_time_to_acknowledge_runs_from_what_the_alert_is_about() {
    let told = |action| Detail::AlertAcknowledged { alert: "a".to_owned(), action };
    let report = Register::default()
        .told("idva", date(2025, 3, 4), told(AlertAction::Contacted), &[])
        .alerted(date(2025, 3, 1))
        .told("idva", date(2025, 3, 9), told(AlertAction::Referred), &[])
        .report();
    let rows = [("contacted", of(1, 2)), ("referred", of(1, 2)), ("days", Figure::Days { median: 3, cases: 1 })];
    shows(&report, "alerts", &rows);
}

#[test]
fn what_came_of_support_compares_the_two_grades_of_one_service() {
    let start = Detail::RiskAtStart { tool: "dash".into(), grade: Risk::High };
    let closed = |risk_at_end| Detail::Closed { reason: ClosingReason::Completed, risk_at_end };
    let report = Register::default()
        .told("idva", date(2025, 1, 1), start.clone(), &[(1, Victim)])
        .told("idva", date(2025, 5, 1), closed(Some(Risk::Medium)), &[(1, Victim)])
        .told("idva", date(2025, 1, 1), start, &[(2, Victim)])
        .told("idva", date(2025, 5, 1), closed(Some(Risk::High)), &[(2, Victim)])
        .told("parcs", date(2025, 5, 1), closed(Some(Risk::Standard)), &[(3, Victim)])
        .report();
    shows(&report, "outcomes", &[("risk_reduced", of(1, 2)), ("completed", of(3, 3))]);
}

#[test]
fn programmes_are_compared_by_what_followed() {
    let start = Detail::ProgrammeStart { programme: Programme::Bbr };
    let complete = Detail::ProgrammeComplete { programme: Programme::Bbr };
    let breach = Detail::ProgrammeBreach { programme: Programme::Bbr };
    let report = Register::default()
        .told("crc", date(2025, 1, 1), start.clone(), &[(1, Perpetrator)])
        .told("crc", date(2025, 3, 1), complete.clone(), &[(1, Perpetrator)])
        .incident(date(2025, 2, 1), 9, 1) // while it ran: does not count
        .told("crc", date(2025, 1, 1), start.clone(), &[(2, Perpetrator)])
        .told("crc", date(2025, 3, 1), complete, &[(2, Perpetrator)])
        .incident(date(2025, 4, 1), 9, 2)
        .told("crc", date(2025, 1, 1), start, &[(3, Perpetrator)])
        .told("crc", date(2025, 2, 1), breach, &[(3, Perpetrator)])
        .incident(date(2025, 4, 1), 9, 3)
        .report();
    let rows = [
        ("bbr", of(3, 3)),
        ("completed", of(2, 3)),
        ("breached", of(1, 3)),
        ("report_after_completion", of(1, 2)),
        ("report_without_completion", of(1, 1)),
    ];
    shows(&report, "programmes", &rows);
}

#[test]
fn contacts_are_counted_child_by_child() {
    let contact = |domestic_abuse| Detail::MashContact { children: 2, domestic_abuse, outcome: MashOutcome::EarlyHelp };
    let mut register = Register::default();
    for day in 1..=5 {
        register =
            register.told("local_authority", date(2025, 1, day), contact(Answer::Yes), &[(1, Child), (2, Child)]);
    }
    let report = register
        .told("local_authority", date(2025, 2, 1), contact(Answer::No), &[(2, Child)])
        .told("local_authority", date(2025, 2, 1), contact(Answer::NotAsked), &[(3, Child)])
        .report();
    let rows =
        [("contacts", Count(12)), ("with_abuse", of(10, 12)), ("five_or_more", of(2, 2)), ("five_all_abuse", of(1, 2))];
    shows(&report, "mash", &rows);
}

#[test]
fn not_asked_is_not_no() {
    let said = |domestic_abuse| Detail::SubstanceMisuse { alcohol: Answer::Yes, drugs: Answer::No, domestic_abuse };
    let on = date(2025, 3, 1);
    let report = Register::default()
        .told("local_authority", on, said(Answer::NotAsked), &[(1, Victim)])
        .told("local_authority", on, said(Answer::No), &[(2, Victim)])
        .told("local_authority", on, said(Answer::Yes), &[(3, Victim)])
        .told("local_authority", on, said(Answer::Yes), &[(4, Victim)])
        .told("local_authority", on, said(Answer::Yes), &[(4, Perpetrator)])
        .report();
    let rows = [
        ("clients", Count(4)),
        ("not_asked", of(1, 4)),
        ("disclosed", of(2, 4)),
        ("disclosed_of_asked", of(2, 3)),
        ("victim", of(1, 2)),
        ("both", of(1, 2)),
        ("perpetrator", of(0, 2)),
    ];
    shows(&report, "substance_misuse", &rows);
}

#[test]
fn plans_and_young_people_are_counted_with_and_without_abuse() {
    let plan = |domestic_abuse, state| Detail::SocialCareAssessment { domestic_abuse, plan: ChildPlan::Care, state };
    let yot = |domestic_abuse| Detail::Yot { intervention: YouthIntervention::Prevention, domestic_abuse };
    let on = date(2025, 3, 1);
    let report = Register::default()
        .told("local_authority", on, plan(Answer::Yes, CaseState::Open), &[(1, Child)])
        .told("local_authority", on, plan(Answer::NotAsked, CaseState::Open), &[(2, Child)])
        .told("local_authority", on, plan(Answer::Yes, CaseState::Closed), &[(3, Child)])
        .told("local_authority", on, yot(Answer::Yes), &[(4, Child)])
        .told("local_authority", on, yot(Answer::No), &[(4, Perpetrator)])
        .report();
    shows(&report, "plans", &[("care", of(1, 2)), ("child_protection", of(0, 0))]);
    shows(&report, "youths", &[("young_people", Count(1)), ("witnessed", of(1, 1)), ("harmed", of(0, 1))]);
}

#[test]
fn a_series_has_every_month_and_marks_where_it_breaks() {
    let known = Break { month: date(2025, 6, 1), why: "a new recording standard".to_owned() };
    let mash = Detail::MashContact { children: 1, domestic_abuse: Answer::Yes, outcome: MashOutcome::EarlyHelp };
    let report = Register::default()
        .incident(date(2024, 11, 30), 1, 2)
        .incident(date(2025, 2, 28), 1, 2)
        .told("local_authority", date(2025, 3, 1), mash, &[(9, Child)])
        .report_with(&[known]);
    let series = report.series.iter().find(|series| series.id == "incidents").expect("there is one");
    assert_eq!(series.points.len(), 14);
    let counted: Vec<_> = series.points.iter().filter(|point| point.count > 0).map(|point| point.month).collect();
    assert_eq!(counted, [date(2024, 11, 1), date(2025, 2, 1)]);
    let breaks: Vec<_> = series.breaks.iter().map(|one| (one.month, one.why.as_str())).collect();
    let expected =
        [(date(2025, 3, 1), "the first events of local_authority"), (date(2025, 6, 1), "a new recording standard")];
    assert_eq!(breaks, expected);
    let place = series.total.expect("the demand has the sum");
    assert_eq!(report.table(place.table).expect("the table").rows[place.row].cells[place.column], Count(1));
}

#[test]
fn the_season_is_of_whole_years() {
    let mut register = Register::default();
    for month in 1..=12 {
        register = register.incident(date(2025, month, 1), 1, 2);
    }
    // Half a year before it would weigh summer more.
    let report = register.incident(date(2024, 7, 1), 1, 2).report();
    shows(&report, "season", &[("july", of(1, 12)), ("summer_and_christmas", of(4, 12))]);
}

#[test]
fn rows_that_are_said_to_add_up_do_and_names_are_unique() {
    let report = Register::default().crime(date(2025, 3, 1), 1, 2).risk(date(2025, 3, 1), 1, Risk::High).report();
    for table in &report.tables {
        let ids: std::collections::BTreeSet<_> = table.rows.iter().map(|row| &row.id).collect();
        assert_eq!(ids.len(), table.rows.len(), "rows of {}", table.id);
        for row in &table.rows {
            assert_eq!(row.cells.len(), table.columns.len());
            if let Figure::Share { part, whole } = row.cells[0] {
                assert!(part <= whole, "{} of {}", row.id, table.id);
            }
        }
        for sum in &table.sums {
            let parts: u64 = sum.parts.iter().map(|row| part(table.rows[*row].cells[0])).sum();
            let first = table.rows[*sum.parts.first().expect("a sum has parts")].cells[0];
            let whole = match (sum.total, first) {
                (Some(row), _) => part(table.rows[row].cells[0]),
                (None, Figure::Share { whole, .. }) => whole,
                (None, _) => panic!("a sum without a total is of shares"),
            };
            assert_eq!(parts, whole, "a sum of {}", table.id);
        }
    }
}

fn part(figure: Figure) -> u64 {
    match figure {
        Count(count) => count,
        Figure::Share { part, .. } => part,
        Figure::Days { cases, .. } => cases,
    }
}
