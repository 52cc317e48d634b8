//! The review band: possible matches that a person should look at, one for each pair of clusters.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{Evidence, Tie};
use super::register::Linker;
use super::units::{Region, neighbours, pair_weight, tie};
use super::weigh::Veto;
use crate::model::ids::{ClusterId, RecordId};

/// Pairs that became possible matches, and pairs that no longer are.
type Reviews = (Vec<(RecordId, RecordId)>, Vec<(RecordId, RecordId)>);

/// How a possible match was put to people. A question that would be put otherwise is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    weight: i64,
    bars: Vec<Veto>,
}

/// Possible matches of the region: for two clusters, the pair of records that says most.
pub(super) fn review(linker: &mut Linker, region: &Region, removed: &BTreeSet<RecordId>) -> Reviews {
    let mut best: BTreeMap<(ClusterId, ClusterId), (i64, RecordId, RecordId)> = BTreeMap::new();
    for &slot in region.units.iter().flatten() {
        let record = &linker.records[slot];
        let here = linker.clusters[record.cluster].id;
        neighbours(linker, slot, linker.model.review, |other| {
            let neighbour = &linker.records[other];
            let there = linker.clusters[neighbour.cluster].id;
            if here == there {
                return;
            }
            let Tie::Weight(Evidence { sum: weight, .. }) = tie(linker, slot, other) else { return };
            let (a, b) = (record.id.min(neighbour.id), record.id.max(neighbour.id));
            let entry = best.entry((here.min(there), here.max(there))).or_insert((weight, a, b));
            if (weight, std::cmp::Reverse((a, b))) > (entry.0, std::cmp::Reverse((entry.1, entry.2))) {
                *entry = (weight, a, b);
            }
        });
    }
    // Where a person has decided about two records, whoever they are linked with is not asked about again.
    for &slot in region.units.iter().flatten() {
        let record = &linker.records[slot];
        let here = linker.clusters[record.cluster].id;
        for there in linker.pairs.decided(record.id).filter_map(|other| linker.cluster_of(other)) {
            best.remove(&(here.min(there), here.max(there)));
        }
    }
    let question = |(weight, a, b)| ((a, b), Question { weight, bars: bars(linker, a, b) });
    let standing: BTreeMap<(RecordId, RecordId), Question> = best.into_values().map(question).collect();
    let touched = region.units.iter().flatten().map(|slot| linker.records[*slot].id).chain(removed.iter().copied());
    let mut told: BTreeSet<(RecordId, RecordId)> = BTreeSet::new();
    for one in touched {
        for &two in linker.reviews.get(&one).into_iter().flatten() {
            told.insert((one.min(two), one.max(two)));
        }
    }
    let still = |pair: &(RecordId, RecordId)| told.contains(pair) && standing.get(pair) == linker.questions.get(pair);
    let withdrawn: Vec<(RecordId, RecordId)> = told.iter().copied().filter(|pair| !still(pair)).collect();
    let raised: Vec<((RecordId, RecordId), Question)> =
        standing.iter().filter(|(pair, _)| !still(pair)).map(|(pair, question)| (*pair, question.clone())).collect();
    for &(a, b) in &withdrawn {
        linker.questions.remove(&(a, b));
        for (one, two) in [(a, b), (b, a)] {
            if let Some(others) = linker.reviews.get_mut(&one) {
                others.retain(|other| *other != two);
                if others.is_empty() {
                    linker.reviews.remove(&one);
                }
            }
        }
    }
    for ((a, b), question) in &raised {
        linker.questions.insert((*a, *b), question.clone());
        linker.reviews.entry(*a).or_default().push(*b);
        linker.reviews.entry(*b).or_default().push(*a);
    }
    (raised.into_iter().map(|(pair, _)| pair).collect(), withdrawn)
}

/// Why the people of two records can't be one: two of their records differ in a number that one person can't have two of,
/// or oppose each other in an event. Sorted, each once.
pub(super) fn bars(linker: &Linker, a: RecordId, b: RecordId) -> Vec<Veto> {
    let slots = |record: RecordId| -> Vec<u32> {
        let members = linker.cluster_of(record).map(|cluster| linker.members(cluster));
        members.into_iter().flatten().filter_map(|member| linker.record_of.get(member).copied()).collect()
    };
    let (mut numbers, mut parties) = (false, false);
    let others = slots(b);
    for one in slots(a) {
        for &two in &others {
            numbers |= !numbers && pair_weight(linker, one, two).different_numbers;
            parties |= linker.pairs.is_forbidden(linker.records[one].id, linker.records[two].id);
        }
    }
    [(numbers, Veto::DifferentNumbers), (parties, Veto::Parties)]
        .into_iter()
        .filter_map(|(holds, veto)| holds.then_some(veto))
        .collect()
}
