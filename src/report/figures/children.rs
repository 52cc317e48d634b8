//! Children: those present, contacts to the MASH, plans, young people who offend; and clients of substance misuse services.

use std::collections::BTreeMap;

use crate::model::event::{Answer, CaseState, ChildPlan, Detail, Role};
use crate::model::ids::ClusterId;
use crate::report::Table;
use crate::report::facts::{Facts, count};

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![present(facts), mash(facts), plans(facts), youths(facts), substance(facts)]
}

fn present(facts: &Facts<'_>) -> Table {
    let answers = |answer| count(facts.incidents().filter(|happening| happening.children == Some(answer)));
    let note = "Incidents by whether children of the household were there, as the police noted it.";
    Table::new("children_present", "Children present", note).kinds([
        ("yes", "Children present", answers(Answer::Yes)),
        ("no", "No children present", answers(Answer::No)),
        ("not_asked", "Not asked or not recorded", answers(Answer::NotAsked)),
    ])
}

fn mash(facts: &Facts<'_>) -> Table {
    // By child: contacts, and how many of them involve domestic abuse.
    let mut children: BTreeMap<ClusterId, (usize, usize)> = BTreeMap::new();
    let (mut contacts, mut with_abuse) = (0, 0);
    for event in facts.within() {
        let Detail::MashContact { domestic_abuse, .. } = event.detail else { continue };
        let is_abuse = usize::from(*domestic_abuse == Answer::Yes);
        for child in event.in_role(Role::Child) {
            let (all, abuse) = children.entry(child).or_default();
            (*all, *abuse) = (*all + 1, *abuse + is_abuse);
            (contacts, with_abuse) = (contacts + 1, with_abuse + is_abuse);
        }
    }
    let concerned: Vec<_> = children.values().filter(|(_, abuse)| *abuse > 0).collect();
    let often: Vec<_> = concerned.iter().filter(|(all, _)| *all >= 5).collect();
    let throughout = count(often.iter().filter(|(all, abuse)| all == abuse));
    let note = "A contact about several children counts for each of them. Children with five contacts or more are counted \
        among those with at least one that involves domestic abuse (as P17:134-135).";
    Table::new("mash", "Contacts to the MASH", note)
        .count("contacts", "Contacts", contacts)
        .share("with_abuse", "Contacts that involve domestic abuse", (with_abuse, contacts))
        .share("five_or_more", "Children with five contacts or more", (often.len(), concerned.len()))
        .share(
            "five_all_abuse",
            "Of these, children whose every contact involves domestic abuse",
            (throughout, often.len()),
        )
}

fn plans(facts: &Facts<'_>) -> Table {
    let kinds = [
        (ChildPlan::ChildProtection, "child_protection", "Child protection"),
        (ChildPlan::ChildInNeed, "child_in_need", "Children in need"),
        (ChildPlan::Care, "care", "Taken into care"),
        (ChildPlan::TroubledFamilies, "troubled_families", "Troubled Families"),
    ];
    let note = "Plans opened in the period, and those of them with domestic abuse as a factor; where it was not asked, it is \
        not counted as a factor.";
    kinds.into_iter().fold(Table::new("plans", "Children's plans", note), |table, (kind, id, label)| {
        let (mut opened, mut abuse) = (0, 0);
        for event in facts.within() {
            match event.detail {
                Detail::SocialCareAssessment { plan, state: CaseState::Open, domestic_abuse } if *plan == kind => {
                    (opened, abuse) = (opened + 1, abuse + usize::from(*domestic_abuse == Answer::Yes));
                }
                _ => {}
            }
        }
        table.share(id, format!("{label}: with domestic abuse as a factor"), (abuse, opened))
    })
}

fn youths(facts: &Facts<'_>) -> Table {
    // By young person: domestic abuse as one who suffered or saw it, and as one who harmed.
    let mut youths: BTreeMap<ClusterId, (bool, bool)> = BTreeMap::new();
    for event in facts.within() {
        let Detail::Yot { domestic_abuse, .. } = event.detail else { continue };
        for person in &event.people {
            let (suffered, harmed) = youths.entry(person.person).or_default();
            let is_factor = *domestic_abuse == Answer::Yes;
            *(if person.role == Role::Perpetrator { harmed } else { suffered }) |= is_factor;
        }
    }
    let of = |is: fn(&(bool, bool)) -> bool| (count(youths.values().filter(|youth| is(youth))), youths.len());
    let note = "Young people whom the youth offending team worked with in the period. They are on no list of adults.";
    Table::new("youths", "Youth offending", note)
        .count("young_people", "Young people", youths.len())
        .share("witnessed", "Suffered or witnessed domestic abuse", of(|youth| youth.0))
        .share("harmed", "Harmed somebody", of(|youth| youth.1))
}

fn substance(facts: &Facts<'_>) -> Table {
    #[derive(Default)]
    struct Client {
        asked: bool,
        victim: bool,
        perpetrator: bool,
    }
    let mut clients: BTreeMap<ClusterId, Client> = BTreeMap::new();
    for event in facts.within() {
        let Detail::SubstanceMisuse { domestic_abuse, .. } = event.detail else { continue };
        for person in &event.people {
            let client = clients.entry(person.person).or_default();
            client.asked |= *domestic_abuse != Answer::NotAsked;
            let discloses = *domestic_abuse == Answer::Yes;
            client.victim |= discloses && person.role == Role::Victim;
            client.perpetrator |= discloses && person.role == Role::Perpetrator;
        }
    }
    let of = |is: fn(&Client) -> bool| count(clients.values().filter(|client| is(client)));
    let disclosed = of(|client| client.victim || client.perpetrator);
    let asked = of(|client| client.asked);
    let note = "Clients of substance misuse services in the period, by what they say of domestic abuse now. Not asked is \
        not no: both shares are here, of all clients (as P17:137) and of those who were asked.";
    Table::new("substance_misuse", "Substance misuse and domestic abuse", note)
        .count("clients", "Clients", clients.len())
        .share("not_asked", "Not asked", (clients.len() - asked, clients.len()))
        .share("disclosed", "Disclosed abuse in either role, of all clients", (disclosed, clients.len()))
        .share("disclosed_of_asked", "Disclosed abuse in either role, of those who were asked", (disclosed, asked))
        .kinds([
            ("victim", "Disclosed: as victim", of(|client| client.victim && !client.perpetrator)),
            ("both", "Disclosed: in both roles", of(|client| client.victim && client.perpetrator)),
            ("perpetrator", "Disclosed: as perpetrator", of(|client| !client.victim && client.perpetrator)),
        ])
}
