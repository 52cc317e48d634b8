//! The published figures that a year's stream shows, each within a band for its sampling.

use std::collections::{BTreeMap, BTreeSet};

use super::{good, text};
use crate::model::event::Risk;
use crate::simulate::City;

/// What is counted in a play.
#[derive(Default, Debug)]
struct Figures {
    values: BTreeMap<&'static str, f64>,
}

impl Figures {
    fn of(city: &City) -> Self {
        let play = city.play();
        let stage = city.stage();
        let female = |person: u32| stage.population().person(person).female;
        let (mut incidents, mut crimes, mut convicted) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let (mut marac, mut mash, mut supported) = (Vec::new(), Vec::new(), BTreeSet::new());
        let (mut alcohol, mut grades, mut months) = (0, [0; 3], [0; 12]);
        for (json, truth) in good(&play) {
            let data = &json["data"];
            let person = |role: &str| {
                let persons = data["persons"].as_array().into_iter().flatten().zip(&truth.persons);
                persons.filter(|(person, _)| person["role"] == role).map(|(_, number)| *number).collect::<Vec<_>>()
            };
            let kind = text(&json, "type").trim_start_matches("uk.priorityd.").trim_end_matches(".v1");
            let first_time = data.get("supersedes").is_none();
            match kind {
                "police.incident" if first_time => {
                    alcohol += u32::from(data["alcohol"] == "yes");
                    let month: usize = text(data, "occurred_at")[5..7].parse().expect("a month");
                    months[month - 1] += 1;
                    incidents.insert(truth.id.clone(), (person("victim")[0], person("perpetrator")[0]));
                }
                "police.crime" if first_time => {
                    crimes.insert(text(data, "incident").to_owned(), person("perpetrator")[0]);
                }
                "police.risk_assessment" => {
                    let grade: Risk = serde_json::from_value(data["grade"].clone()).expect("a grade");
                    grades[grade as usize] += 1;
                }
                "local_authority.marac_referral" if first_time => marac.push(data["criterion"] == "repeat"),
                "local_authority.mash_contact" if first_time => {
                    mash.push((data["domestic_abuse"] == "yes", person("child")));
                }
                "service.caseload_entry" => supported.extend(truth.persons.iter().copied()),
                _ => {}
            }
            if data["outcome"] == "convicted" {
                convicted.insert(text(data, "incident").to_owned());
            }
        }
        let mut figures = Self::default();
        let of = |part: usize, whole: usize| part as f64 / whole as f64;
        let (by_victim, by_perpetrator) =
            (counts(incidents.values().map(|pair| pair.0)), counts(crimes.values().copied()));
        let events_of = counts(incidents.values().map(|pair| pair.1));
        figures.set("repeats", of(incidents.len() - by_victim.len(), incidents.len()));
        figures.set("crimes", of(crimes.len(), incidents.len()));
        figures.set("convicted", of(convicted.len(), crimes.len()));
        figures
            .set("male perpetrators", of(incidents.values().filter(|pair| !female(pair.1)).count(), incidents.len()));
        figures.set("female victims", of(incidents.values().filter(|pair| female(pair.0)).count(), incidents.len()));
        for (name, range) in [("one", 1..2), ("two", 2..3), ("three", 3..4), ("four", 4..1_000)] {
            let holding = by_perpetrator.values().filter(|count| range.contains(*count)).count();
            figures.set(name, of(holding, by_perpetrator.len()));
        }
        figures.set("alcohol", of(alcohol as usize, incidents.len()));
        for (grade, name) in [(Risk::High, "high"), (Risk::Medium, "medium"), (Risk::Standard, "standard")] {
            figures.set(name, of(grades[grade as usize], grades.iter().sum()));
        }
        figures.set("marac repeats", of(marac.iter().filter(|repeat| **repeat).count(), marac.len()));
        figures.set("mash with abuse", of(mash.iter().filter(|contact| contact.0).count(), mash.len()));
        let children = counts(mash.iter().flat_map(|contact| contact.1.iter().copied()));
        figures.set("children with 5+", of(children.values().filter(|count| **count >= 5).count(), children.len()));
        for (name, people) in [("reach of victims", by_victim), ("reach of perpetrators", events_of)] {
            let repeat: Vec<_> = people.into_iter().filter(|(_, count)| *count > 1).collect();
            figures.set(name, of(repeat.iter().filter(|(who, _)| supported.contains(who)).count(), repeat.len()));
        }
        let summer: usize = [5, 6, 7, 11].iter().map(|month| months[*month]).sum();
        figures.set("summer and December", of(summer, incidents.len()));
        figures
    }

    fn set(&mut self, name: &'static str, value: f64) {
        self.values.insert(name, value);
    }
}

fn counts(people: impl Iterator<Item = u32>) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    people.for_each(|person| *counts.entry(person).or_default() += 1);
    counts
}

#[test]
fn a_year_shows_the_published_figures() {
    // Published value, and how far a play of this size may be from it: about three standard errors, and what the
    // simulator itself leaves (events whose outcome comes after the play, for one).
    let published = [
        ("repeats", 0.25, 0.025),
        ("crimes", 0.59, 0.025),
        ("male perpetrators", 0.74, 0.025),
        ("female victims", 0.73, 0.03),
        ("one", 0.774, 0.025),
        ("two", 0.143, 0.02),
        ("three", 0.044, 0.013),
        ("four", 0.039, 0.012),
        ("alcohol", 0.20, 0.02),
        ("high", 0.10, 0.02),
        ("medium", 0.45, 0.03),
        ("standard", 0.45, 0.04),
        ("convicted", 0.09, 0.02),
        ("marac repeats", 0.30, 0.06),
        ("mash with abuse", 0.245, 0.02),
        ("children with 5+", 0.16, 0.03),
        ("reach of victims", 0.60, 0.05),
        ("reach of perpetrators", 0.05, 0.025),
        ("summer and December", 0.37, 0.025),
    ];
    for seed in [21, 22] {
        let figures = Figures::of(&City { bad_share: 0.0, ..City::new(seed, 20_000, 12) });
        for (name, value, band) in published {
            let measured = figures.values[name];
            assert!((measured - value).abs() <= band, "seed {seed}, {name}: {measured:.3}, published {value}");
        }
    }
}
