//! Repeats. There is no single definition, and published rates of 25, 45 and 50 % use different ones: each stands here under
//! its own name.

use std::collections::BTreeSet;

use crate::model::event::Role;
use crate::report::Table;
use crate::report::facts::{Facts, Happening, back, count};

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![incidents(facts), victims(facts), offenders(facts), offences_each(facts)]
}

/// Shares of incidents.
fn incidents(facts: &Facts<'_>) -> Table {
    let (mut in_period, mut in_12_months, mut ever, mut same_pair) = (0, 0, 0, 0);
    let whole = count(facts.incidents());
    for happening in facts.incidents() {
        let before: Vec<_> = happening
            .victims
            .iter()
            .flat_map(|victim| facts.of(&facts.people[victim], Role::Victim))
            .filter(|earlier| (earlier.at, earlier.id) < (happening.at, happening.id))
            .collect();
        let recent = |earlier: &&&Happening<'_>| earlier.at >= back(happening.at, facts.rules.repeat_days);
        let is_same = |earlier: &&Happening<'_>| !earlier.perpetrators.is_disjoint(&happening.perpetrators);
        in_period += usize::from(before.iter().any(|earlier| facts.period.has(earlier.on())));
        in_12_months += usize::from(before.iter().any(|earlier| recent(&earlier)));
        ever += usize::from(!before.is_empty());
        same_pair += usize::from(before.iter().filter(recent).any(is_same));
    }
    let note = "Incidents whose victim was reported as harmed before. The window decides how many those are, so the \
        definitions are not to be compared with one another, nor with a rate whose definition is not known.";
    Table::new("repeat_incidents", "Incidents that are repeats", note)
        .share("within_the_period", "The victim's second or later report of the period (as P20:60)", (in_period, whole))
        .share(
            "within_12_months",
            "The victim was reported within the 12 months before (as S17:85)",
            (in_12_months, whole),
        )
        .share("same_pair_within_12_months", "The same two people within the 12 months before", (same_pair, whole))
        .share(
            "ever_before",
            "The victim was reported at any time that is still held (as assumed at P11:121)",
            (ever, whole),
        )
}

/// Shares of people.
fn victims(facts: &Facts<'_>) -> Table {
    let people: Vec<_> = facts.in_role(Role::Victim).map(|(_, happenings)| happenings).collect();
    let with = |is: &dyn Fn(&[&Happening<'_>]) -> bool| (count(people.iter().filter(|mine| is(mine))), people.len());
    let within = |mine: &[&Happening<'_>]| count(mine.iter().filter(|happening| facts.period.has(happening.on())));
    let crimes = |mine: &[&Happening<'_>]| crimes_within(facts, mine);
    let (crime_victims, several_crimes) = (with(&|mine| crimes(mine) > 0).0, with(&|mine| crimes(mine) > 1).0);
    let note = "People reported as harmed in the period, 16 or over.";
    Table::new("repeat_victims", "Repeat victims", note)
        .count("victims", "Victims", people.len())
        .share("several_reports", "With more than one report in the period", with(&|mine| within(mine) > 1))
        .share("within_12_months", "With a report within 12 months of another", with(&|mine| is_repeat(facts, mine)))
        .count("several_crimes", "With more than one crime in the period (as P17:122)", several_crimes)
        .share(
            "several_crimes_share",
            "With more than one crime, of victims of any crime",
            (several_crimes, crime_victims),
        )
}

fn offenders(facts: &Facts<'_>) -> Table {
    let people: Vec<_> = facts.in_role(Role::Perpetrator).map(|(_, happenings)| happenings).collect();
    let with = |is: &dyn Fn(&[&Happening<'_>]) -> bool| (count(people.iter().filter(|mine| is(mine))), people.len());
    let within = |mine: &[&Happening<'_>]| count(mine.iter().filter(|happening| facts.period.has(happening.on())));
    let note = "People reported in the period as having harmed, 16 or over; reported is not convicted.";
    Table::new("repeat_perpetrators", "Repeat perpetrators", note)
        .count("perpetrators", "Perpetrators", people.len())
        .share("several_reports", "With more than one report in the period", with(&|mine| within(mine) > 1))
        .share("within_12_months", "With a report within 12 months of another", with(&|mine| is_repeat(facts, mine)))
}

fn offences_each(facts: &Facts<'_>) -> Table {
    let mut by_number = [0; 4];
    for (_, mine) in facts.in_role(Role::Perpetrator) {
        match crimes_within(facts, &mine) {
            0 => {}
            crimes => by_number[crimes.min(4) - 1] += 1,
        }
    }
    let rows = ["One", "Two", "Three", "Four or more"].into_iter().zip(["one", "two", "three", "four_or_more"]);
    Table::new(
        "offences_each",
        "Recorded crimes of each perpetrator",
        "Perpetrators of at least one recorded crime, by how many were recorded in the period (as P17:123).",
    )
    .kinds(rows.zip(by_number).map(|((label, id), people)| (id, label, people)))
}

fn crimes_within(facts: &Facts<'_>, mine: &[&Happening<'_>]) -> usize {
    let within = mine.iter().flat_map(|happening| &happening.crimes).filter(|crime| facts.period.has(crime.on()));
    within.map(|crime| crime.id).collect::<BTreeSet<_>>().len()
}

/// Is a report in the period within the repeat window of the one before?
pub(super) fn is_repeat(facts: &Facts<'_>, mine: &[&Happening<'_>]) -> bool {
    mine.windows(2).any(|two| facts.period.has(two[1].on()) && two[0].at >= back(two[1].at, facts.rules.repeat_days))
}
