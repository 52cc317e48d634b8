//! Children: those present, and contacts to the MASH.

use std::collections::BTreeMap;

use crate::model::event::{Answer, Detail, Role};
use crate::model::ids::ClusterId;
use crate::report::Table;
use crate::report::facts::{Facts, count};

pub(in crate::report) fn tables(facts: &Facts<'_>) -> Vec<Table> {
    vec![present(facts), mash(facts)]
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
