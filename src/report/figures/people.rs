//! People over time: serial perpetrators, moves between victims, both roles, and how many agencies know the same person.

use std::collections::BTreeSet;

use crate::model::event::Role;
use crate::model::ids::ClusterId;
use crate::report::Table;
use crate::report::facts::{Facts, Happening, Person, back, count};

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![counterparts(facts), agencies(facts), both_roles(facts)]
}

fn counterparts(facts: &Facts<'_>) -> Table {
    let perpetrators: Vec<_> = facts.in_role(Role::Perpetrator).map(|(_, mine)| mine).collect();
    let victims: Vec<_> = facts.in_role(Role::Victim).map(|(_, mine)| mine).collect();
    let serial = count(perpetrators.iter().filter(|mine| is_serial(facts, mine)));
    let moved = count(perpetrators.iter().filter(|mine| meets_another(facts, mine, Role::Perpetrator)));
    let successive = count(victims.iter().filter(|mine| meets_another(facts, mine, Role::Victim)));
    let note = "People reported in the period. Serial: several victims within the window of the rules. A move is a report \
        in the period with another victim than in any report before.";
    Table::new("serial", "Serial perpetrators and moves between victims", note)
        .share("serial", "Serial perpetrators", (serial, perpetrators.len()))
        .share("moved", "Perpetrators who moved to another victim", (moved, perpetrators.len()))
        .share("successive", "Victims with a further perpetrator", (successive, victims.len()))
}

fn is_serial(facts: &Facts<'_>, mine: &[&Happening<'_>]) -> bool {
    mine.iter().enumerate().filter(|(_, last)| facts.period.has(last.on())).any(|(at, last)| {
        let since = back(last.at, facts.rules.serial_days);
        let victims: BTreeSet<_> =
            mine[..=at].iter().filter(|earlier| earlier.at >= since).flat_map(|earlier| &earlier.victims).collect();
        victims.len() >= facts.rules.serial_victims as usize
    })
}

/// Is there a report in the period with somebody on the other side who was in none before?
fn meets_another(facts: &Facts<'_>, mine: &[&Happening<'_>], role: Role) -> bool {
    let mut known: BTreeSet<ClusterId> = BTreeSet::new();
    let mut another = false;
    for happening in mine {
        let others = happening.opposite(role);
        let is_new = !known.is_empty() && others.iter().any(|other| !known.contains(other));
        another |= is_new && facts.period.has(happening.on());
        known.extend(others);
    }
    another
}

fn agencies(facts: &Facts<'_>) -> Table {
    let known = |person: &Person<'_>| {
        let told = person.events.iter().filter(|(event, _)| event.detail.says_who_is_known());
        told.map(|(event, _)| event.agency).collect::<BTreeSet<_>>().len()
    };
    let of = |role| {
        let (mut by_number, mut whole) = ([0; 3], 0);
        for (person, _) in facts.in_role(role) {
            by_number[known(person).clamp(1, 3) - 1] += 1;
            whole += 1;
        }
        (by_number, whole)
    };
    let ((victims, all_victims), (perpetrators, all_perpetrators)) = (of(Role::Victim), of(Role::Perpetrator));
    let note = "People reported in the period, by how many agencies told of them at any time that is held. That somebody \
        seeks support is not an agency's knowledge and does not count.";
    let labels = ["one agency", "two agencies", "three agencies or more"].into_iter().zip(["one", "two", "three"]);
    let mut table = Table::new("agencies", "Known to several agencies", note)
        .share("victims", "Victims known to several agencies", (all_victims - victims[0], all_victims))
        .share(
            "perpetrators",
            "Perpetrators known to several agencies",
            (all_perpetrators - perpetrators[0], all_perpetrators),
        );
    for (who, numbers) in [("Victims", victims), ("Perpetrators", perpetrators)] {
        let rows = labels.clone().zip(numbers);
        table = table.kinds(rows.map(|((label, id), people)| {
            (format!("{}_{id}", who.to_lowercase()), format!("{who} known to {label}"), people)
        }));
    }
    table
}

fn both_roles(facts: &Facts<'_>) -> Table {
    let (mut both, mut all) = (0, 0);
    for person in facts.people.values() {
        let [victim, perpetrator] = [Role::Victim, Role::Perpetrator].map(|role| facts.of(person, role));
        let mut mine = victim.iter().chain(&perpetrator);
        if mine.any(|happening| facts.period.has(happening.on())) {
            all += 1;
            both += usize::from(!victim.is_empty() && !perpetrator.is_empty());
        }
    }
    let note = "People of any report in the period who are the victim of one report and the perpetrator of another, at \
        any time that is held. A role belongs to the report, never to the person.";
    Table::new("both_roles", "People in both roles", note).share("both", "Reported in both roles", (both, all))
}
