//! The review band: possible matches that a person should look at, one for each pair of clusters.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::cluster::{Evidence, Tie};
use super::register::{Linker, NONE};
use super::units::{neighbours, tie};
use super::weigh::{Veto, differ_in_number};
use crate::model::ids::RecordId;

/// Pairs that became possible matches, and pairs that no longer are.
type Reviews = (Vec<(RecordId, RecordId)>, Vec<(RecordId, RecordId)>);

/// How a possible match was put to people. A question that would be put otherwise is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    weight: i64,
    bars: Bars,
}

/// Why the people of two records can't be one, by other records of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bars {
    numbers: bool,
    parties: bool,
}

/// From how many people on it pays to share the work.
const WORTH_SHARING: usize = 64;

/// Possible matches of these people, each given by their records: for two clusters, the pair of records that says most.
/// Questions about anybody else stand, as long as nothing changed between their own records and anybody's.
pub(super) fn review(linker: &mut Linker, people: &[SmallVec<[u32; 4]>], removed: &BTreeSet<RecordId>) -> Reviews {
    let shared: &Linker = linker;
    let ours: FxHashSet<u32> = people.iter().map(|records| shared.records[records[0]].cluster).collect();
    let ask = |records: &SmallVec<[u32; 4]>| questions(shared, records, &ours);
    let standing: BTreeMap<(RecordId, RecordId), Question> = if people.len() < WORTH_SHARING {
        people.iter().flat_map(ask).collect()
    } else {
        people.par_iter().flat_map_iter(ask).collect::<Vec<_>>().into_iter().collect()
    };
    let touched = people.iter().flatten().map(|slot| linker.records[*slot].id).chain(removed.iter().copied());
    let mut told: BTreeSet<(RecordId, RecordId)> = BTreeSet::new();
    for one in touched {
        for &two in linker.reviews.get(&one).into_iter().flatten() {
            told.insert((one.min(two), one.max(two)));
        }
    }
    let still = |pair: &(RecordId, RecordId)| told.contains(pair) && standing.get(pair) == linker.questions.get(pair);
    let withdrawn: Vec<(RecordId, RecordId)> = told.iter().copied().filter(|pair| !still(pair)).collect();
    let raised: Vec<((RecordId, RecordId), Question)> =
        standing.iter().filter(|(pair, _)| !still(pair)).map(|(pair, question)| (*pair, *question)).collect();
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
        linker.questions.insert((*a, *b), *question);
        linker.reviews.entry(*a).or_default().push(*b);
        linker.reviews.entry(*b).or_default().push(*a);
    }
    (raised.into_iter().map(|(pair, _)| pair).collect(), withdrawn)
}

/// Whom people would be asked about for one person; where the other is among `ours` too, one of the two asks for both.
fn questions(linker: &Linker, records: &[u32], ours: &FxHashSet<u32>) -> Vec<((RecordId, RecordId), Question)> {
    let here = linker.records[records[0]].cluster;
    let mut best: SmallVec<[(u32, i64, RecordId, RecordId); 8]> = SmallVec::new();
    for &slot in records {
        let record = &linker.records[slot];
        neighbours(linker, slot, linker.model.review, |other, edge| {
            let neighbour = &linker.records[other];
            let there = neighbour.cluster;
            if here == there || (there < here && ours.contains(&there)) {
                return;
            }
            let Tie::Weight(Evidence { sum: weight, .. }) = tie(linker, slot, other, edge) else { return };
            let (a, b) = (record.id.min(neighbour.id), record.id.max(neighbour.id));
            match best.iter_mut().find(|(cluster, ..)| *cluster == there) {
                None => best.push((there, weight, a, b)),
                Some(found) if (weight, Reverse((a, b))) > (found.1, Reverse((found.2, found.3))) => {
                    *found = (there, weight, a, b);
                }
                Some(_) => {}
            }
        });
    }
    if !best.is_empty() {
        // Where a person has decided about two records, whoever they are linked with is not asked about again.
        let decided = records.iter().flat_map(|slot| linker.pairs.decided(linker.records[*slot].id));
        let decided: Vec<u32> =
            decided.filter_map(|other| Some(linker.records[linker.slot_of(other)?].cluster)).collect();
        best.retain(|(there, ..)| !decided.contains(there));
    }
    let question =
        |(there, weight, a, b)| ((a, b), Question { weight, bars: bars(linker, records, &slots(linker, there)) });
    best.into_iter().map(question).collect()
}

/// The records of a cluster.
pub(super) fn slots(linker: &Linker, cluster: u32) -> SmallVec<[u32; 4]> {
    linker.clusters[cluster].members.iter().filter_map(|member| linker.slot_of(*member)).collect()
}

/// Why the people of two records can't be one: two of their records differ in a number that one person can't have two of,
/// or oppose each other in an event.
pub(super) fn bars_between(linker: &Linker, a: RecordId, b: RecordId) -> Vec<Veto> {
    let held = |record: RecordId| {
        let cluster = linker.slot_of(record).map(|slot| linker.records[slot].cluster);
        cluster.filter(|cluster| *cluster != NONE).map(|cluster| slots(linker, cluster)).unwrap_or_default()
    };
    let Bars { numbers, parties } = bars(linker, &held(a), &held(b));
    [(numbers, Veto::DifferentNumbers), (parties, Veto::Parties)]
        .into_iter()
        .filter_map(|(holds, veto)| holds.then_some(veto))
        .collect()
}

fn bars(linker: &Linker, ones: &[u32], others: &[u32]) -> Bars {
    let mut bars = Bars { numbers: false, parties: false };
    for one in ones.iter().map(|slot| &linker.records[*slot]) {
        for other in others.iter().map(|slot| &linker.records[*slot]) {
            let features = |profile: u32| &linker.profiles[profile].features;
            bars.numbers =
                bars.numbers || differ_in_number(&linker.model, features(one.profile), features(other.profile));
            bars.parties = bars.parties || linker.pairs.is_forbidden(one.id, other.id);
        }
    }
    bars
}
