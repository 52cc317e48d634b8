//! Demand: what was recorded, when, and what it was.

use jiff::ToSpan;

use crate::model::event::{Answer, Detail, OffenceFamily};
use crate::report::Table;
use crate::report::facts::{Facts, count};

/// Months in which incidents usually increase: summer and Christmas (Portsmouth 2020-23, P20:97).
const HIGH_SEASON: [i8; 4] = [6, 7, 8, 12];

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![demand(facts), alcohol(facts), offences(facts), season(facts)]
}

fn demand(facts: &Facts<'_>) -> Table {
    let incidents = count(facts.incidents());
    let crimed = count(facts.incidents().filter(|happening| !happening.crimes.is_empty()));
    let note = "What was recorded, by the day it happened. Most abuse is never reported, so no figure here says how much there is.";
    Table::new("demand", "Demand", note)
        .count("incidents", "Incidents", incidents)
        .count("crimes", "Crimes", count(facts.crimes()))
        .share("incidents_crimed", "Incidents recorded as crimes", (crimed, incidents))
}

fn alcohol(facts: &Facts<'_>) -> Table {
    let answers = |answer| count(facts.incidents().filter(|happening| happening.alcohol == Some(answer)));
    let note = "Incidents by what the police noted. Not asked is not no: the share of yes is of those asked.";
    let (yes, no, unasked) = (answers(Answer::Yes), answers(Answer::No), answers(Answer::NotAsked));
    Table::new("alcohol", "Alcohol", note)
        .kinds([
            ("yes", "Alcohol involved", yes),
            ("no", "Not involved", no),
            ("not_asked", "Not asked or not recorded", unasked),
        ])
        .share("yes_of_asked", "Alcohol involved, of those where it was asked", (yes, yes + no))
}

fn offences(facts: &Facts<'_>) -> Table {
    let kinds = [
        (OffenceFamily::Violence, "violence", "Violence with or without injury"),
        (OffenceFamily::Sexual, "sexual", "Sexual offences"),
        (OffenceFamily::StalkingHarassment, "stalking_harassment", "Stalking and harassment"),
        (OffenceFamily::CoerciveControl, "coercive_control", "Controlling or coercive behaviour"),
        (OffenceFamily::CriminalDamage, "criminal_damage", "Criminal damage and arson"),
        (OffenceFamily::OrderBreach, "order_breach", "Breach of an order"),
        (OffenceFamily::Other, "other", "Other"),
    ];
    let of =
        |family: OffenceFamily| {
            count(facts.crimes().filter(
                |event| matches!(event.detail, Detail::Crime { offence_family, .. } if *offence_family == family),
            ))
        };
    let serious =
        count(facts.crimes().filter(|event| matches!(event.detail, Detail::Crime { most_serious_violence: true, .. })));
    Table::new("offences", "Recorded crimes by kind", "Crimes by the family of their offence.")
        .kinds(kinds.map(|(family, id, label)| (id, label, of(family))))
        .share("most_serious_violence", "Most serious violence", (serious, count(facts.crimes())))
}

fn season(facts: &Facts<'_>) -> Table {
    let names = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    // Whole years only, the latest ones, or some months would count more often than others.
    let months = facts.months_held() / 12 * 12;
    let since = facts.period.until.saturating_add(1.day()).saturating_sub(months.months());
    let mut by_month = [0; 12];
    let held = facts.happenings.iter().filter(|happening| happening.incident && happening.on() >= since);
    held.for_each(|happening| by_month[happening.on().month() as usize - 1] += 1);
    let high = HIGH_SEASON.iter().map(|month| by_month[*month as usize - 1]).sum();
    let rows = names.iter().zip(by_month).map(|(name, count)| (name.to_lowercase(), *name, count));
    let note = "Incidents of whole years by the month they happened: the baseline that a month is to be compared with. \
        Evenly spread, a month would have 8.3 % and the high season 33.4 %.";
    Table::new("season", "Seasonal baseline", note).kinds(rows).share(
        "summer_and_christmas",
        "June to August and December",
        (high, by_month.iter().sum()),
    )
}
