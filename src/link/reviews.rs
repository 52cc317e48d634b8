//! The review band: possible matches that a person should look at, one for each pair of clusters.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::FxHashSet;
use smallvec::SmallVec;

use super::cluster::{Evidence, Tie};
use super::register::{Linker, NONE, Record};
use super::units::{neighbours, tie};
use super::weigh::{Veto, differ_in_number};
use crate::model::ids::RecordId;

/// Two records, the smaller id first.
type Pair = (RecordId, RecordId);

/// Pairs that became possible matches, and pairs that no longer are.
type Reviews = (Vec<Asked>, Vec<Pair>);

/// A possible match, and where its records are.
pub(super) struct Asked {
    pair: Pair,
    pub(super) slots: (u32, u32),
    pub(super) question: Question,
}

/// How a possible match was put to people. A question that would be put otherwise is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    weight: i64,
    bars: Bars,
}

impl Question {
    /// Why the two can't be made one.
    pub(super) fn vetoes(self) -> Vec<Veto> {
        self.bars.vetoes()
    }
}

/// Why the people of two records can't be one, by other records of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bars {
    numbers: bool,
    parties: bool,
}

impl Bars {
    fn vetoes(self) -> Vec<Veto> {
        let all = [(self.numbers, Veto::DifferentNumbers), (self.parties, Veto::Parties)];
        all.into_iter().filter_map(|(holds, veto)| holds.then_some(veto)).collect()
    }
}

/// From how many people on it pays to share the work.
const WORTH_SHARING: usize = 64;

/// Possible matches of these people, each given by their records: for two clusters, the pair of records that says most.
/// Questions about anybody else stand, as long as nothing changed between their own records and anybody's.
pub(super) fn review(linker: &mut Linker, people: &[SmallVec<[u32; 4]>], removed: &BTreeSet<RecordId>) -> Reviews {
    let shared: &Linker = linker;
    let ours: FxHashSet<u32> = people.iter().map(|records| shared.records[records[0]].cluster).collect();
    let ask = |records: &SmallVec<[u32; 4]>| questions(shared, records, &ours);
    let mut standing: Vec<Asked> = if people.len() < WORTH_SHARING {
        people.iter().flat_map(ask).collect()
    } else {
        people.par_iter().flat_map_iter(ask).collect()
    };
    standing.sort_unstable_by_key(|asked| asked.pair);
    let touched = people.iter().flatten().map(|slot| linker.records[*slot].id).chain(removed.iter().copied());
    let mut told: Vec<(Pair, Question)> = Vec::new();
    for one in touched {
        let asked = linker.reviews.get(&one).into_iter().flatten();
        told.extend(asked.map(|(two, question)| ((one.min(*two), one.max(*two)), *question)));
    }
    told.sort_unstable_by_key(|(pair, _)| *pair);
    // Who is in two of these people is met from both ends.
    told.dedup_by_key(|(pair, _)| *pair);
    let stands = |(pair, question): &(Pair, Question)| {
        let found = standing.binary_search_by_key(pair, |asked| asked.pair);
        found.is_ok_and(|at| standing[at].question == *question)
    };
    let withdrawn: Vec<Pair> = told.iter().filter(|told| !stands(told)).map(|(pair, _)| *pair).collect();
    let is_told = |asked: &Asked| {
        let found = told.binary_search_by_key(&asked.pair, |(pair, _)| *pair);
        found.is_ok_and(|at| told[at].1 == asked.question)
    };
    standing.retain(|asked| !is_told(asked));
    for &(a, b) in &withdrawn {
        for (one, two) in [(a, b), (b, a)] {
            if let Some(others) = linker.reviews.get_mut(&one) {
                others.retain(|(other, _)| *other != two);
                if others.is_empty() {
                    linker.reviews.remove(&one);
                }
            }
        }
    }
    for Asked { pair: (a, b), question, .. } in &standing {
        linker.reviews.entry(*a).or_default().push((*b, *question));
        linker.reviews.entry(*b).or_default().push((*a, *question));
    }
    (standing, withdrawn)
}

/// Whom people would be asked about for one person; where the other is among `ours` too, one of the two asks for both.
fn questions(linker: &Linker, records: &[u32], ours: &FxHashSet<u32>) -> SmallVec<[Asked; 4]> {
    let here = linker.records[records[0]].cluster;
    let mut best: SmallVec<[(u32, i64, Pair, (u32, u32)); 4]> = SmallVec::new();
    for &slot in records {
        let record = &linker.records[slot];
        neighbours(linker, slot, linker.model.review, |other, edge| {
            let neighbour = &linker.records[other];
            let there = neighbour.cluster;
            if here == there || (there < here && ours.contains(&there)) {
                return;
            }
            let Tie::Weight(Evidence { sum: weight, .. }) = tie(linker, slot, other, edge) else { return };
            let (pair, slots) = match record.id < neighbour.id {
                true => ((record.id, neighbour.id), (slot, other)),
                false => ((neighbour.id, record.id), (other, slot)),
            };
            match best.iter_mut().find(|(cluster, ..)| *cluster == there) {
                None => best.push((there, weight, pair, slots)),
                Some(found) if (weight, Reverse(pair)) > (found.1, Reverse(found.2)) => {
                    *found = (there, weight, pair, slots);
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
    let asked = |(_, weight, pair, slots): (u32, i64, Pair, (u32, u32))| {
        let other = if linker.records[slots.0].cluster == here { slots.1 } else { slots.0 };
        Asked { pair, slots, question: Question { weight, bars: bars(linker, records, &beside(linker, other)) } }
    };
    best.into_iter().map(asked).collect()
}

/// Up to how many records of a unit are looked at sooner than the members of a cluster are looked up.
const FEW: usize = 16;

/// The records of the cluster that holds this one.
fn beside(linker: &Linker, slot: u32) -> SmallVec<[u32; 4]> {
    let Record { unit, cluster, .. } = linker.records[slot];
    let unit = &linker.units[unit].records;
    if unit.len() > FEW {
        return slots(linker, cluster);
    }
    unit.iter().copied().filter(|other| linker.records[*other].cluster == cluster).collect()
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
    bars(linker, &held(a), &held(b)).vetoes()
}

fn bars(linker: &Linker, ones: &[u32], others: &[u32]) -> Bars {
    let mut bars = Bars { numbers: false, parties: false };
    for one in ones.iter().map(|slot| &linker.records[*slot]) {
        for other in others.iter().map(|slot| &linker.records[*slot]) {
            bars.numbers = bars.numbers || differ(linker, one.profile, other.profile);
            bars.parties = bars.parties || linker.pairs.is_forbidden(one.id, other.id);
        }
    }
    bars
}

fn differ(linker: &Linker, one: u32, two: u32) -> bool {
    let features = |profile: u32| &linker.profiles[profile].features;
    linker.sketches[one].has_number_like(&linker.sketches[two])
        && differ_in_number(&linker.model, features(one), features(two))
}
