//! The victim's risk: grades, and how it escalates.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::event::{Detail, Risk, Role, day};
use crate::model::text::Text;
use crate::report::Table;
use crate::report::facts::{Facts, Person, days_between};

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![grades(facts), tools(facts), escalation(facts)]
}

fn grades(facts: &Facts<'_>) -> Table {
    let (mut by_grade, mut raised) = ([0; 3], 0);
    for event in facts.within() {
        if let Detail::RiskAssessment { grade, raised_by_judgement, .. } = event.detail {
            by_grade[*grade as usize] += 1;
            raised += usize::from(*raised_by_judgement);
        }
    }
    let [standard, medium, high] = by_grade;
    Table::new("risk", "Risk assessments by grade", "Assessments of victims as graded after professional judgement.")
        .kinds([("high", "High", high), ("medium", "Medium", medium), ("standard", "Standard", standard)])
        .share("raised", "Raised by professional judgement", (raised, by_grade.iter().sum()))
}

fn tools(facts: &Facts<'_>) -> Table {
    let mut tools: BTreeMap<(Text, Text), usize> = BTreeMap::new();
    for event in facts.within() {
        if let Detail::RiskAssessment { tool, tool_version, .. } = event.detail {
            *tools.entry((tool.clone(), tool_version.clone())).or_default() += 1;
        }
    }
    let note = "Grades of different tools, or versions of one, are not to be compared.";
    let rows = tools.into_iter().map(|((tool, version), count)| {
        (format!("{tool}_{version}"), format!("{}, version {version}", tool.to_uppercase()), count)
    });
    Table::new("risk_tools", "Risk assessments by tool", note).kinds(rows)
}

/// Victims first graded standard in the period, who were graded higher by its end.
fn escalation(facts: &Facts<'_>) -> Table {
    let (mut cohort, mut days, mut to_high) = (0, Vec::new(), 0);
    let mut before = [0; 4];
    for person in facts.people.values() {
        let grades: Vec<_> = person
            .events
            .iter()
            .filter_map(|(event, me)| match event.detail {
                Detail::RiskAssessment { grade, .. } if me.role == Role::Victim => Some((event.occurred_at, *grade)),
                _ => None,
            })
            .collect();
        let is_standard = |(at, grade): &(Timestamp, Risk)| *grade == Risk::Standard && facts.period.has(day(*at));
        let Some(first) = grades.iter().position(is_standard) else { continue };
        let since = grades[first].0;
        cohort += 1;
        let Some((at, grade)) = grades[first..].iter().find(|(_, grade)| *grade > Risk::Standard) else { continue };
        days.push(days_between(since, *at));
        to_high += usize::from(*grade == Risk::High);
        before[what_came_before(facts, person, since, *at)] += 1;
    }
    let escalated = days.len();
    let note = "Victims graded standard in the period, by whether they were graded higher by its end: those graded late in \
        the period had less time. What came before is the gravest of what was recorded between the two grades.";
    let [breach, crime, incident, nothing] = before;
    Table::new("escalation", "Escalation of risk from standard", note)
        .share("escalated", "Later graded medium or high", (escalated, cohort))
        .share("to_high", "Of these, straight to high", (to_high, escalated))
        .days("days", "Days from the standard grade to the higher one", days)
        .kinds([
            ("before_breach", "Before it: an order breached", breach),
            ("before_crime", "Before it: a further crime", crime),
            ("before_incident", "Before it: a further incident, no crime", incident),
            ("before_nothing", "Before it: no further report", nothing),
        ])
}

fn what_came_before(facts: &Facts<'_>, person: &Person<'_>, since: Timestamp, until: Timestamp) -> usize {
    let between = |at: Timestamp| since < at && at <= until;
    let breached = person.events.iter().any(|(event, me)| {
        me.role == Role::Victim
            && between(event.occurred_at)
            && matches!(event.detail, Detail::ProtectionOrder { breached_on: Some(_), .. })
    });
    let further: Vec<_> =
        facts.of(person, Role::Victim).into_iter().filter(|happening| between(happening.at)).collect();
    match () {
        () if breached => 0,
        () if further.iter().any(|happening| !happening.crimes.is_empty()) => 1,
        () if !further.is_empty() => 2,
        () => 3,
    }
}
