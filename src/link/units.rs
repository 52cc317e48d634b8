//! Units: what is partitioned together, and how.
//!
//! A unit is a component of records under edges of at least the link bar; where that holds more than the model's limit,
//! the component at the next bar, and so on. Average linkage joins groups only where some edge reaches the bar, so
//! nothing is lost by looking no further. All of it is a function of the set of edges.

use std::collections::BTreeSet;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};

use super::Decision;
use super::cluster::{Evidence, Node, Rules, Tie, partition};
use super::register::{Linker, NONE};
use super::weigh::{Weight, weigh, weigh_namesakes};
use super::weights::Weights;
use crate::model::ids::RecordId;

/// Records that are partitioned together.
pub(super) struct Unit {
    /// In order of id.
    pub(super) records: SmallVec<[u32; 4]>,
    /// What their profiles weigh against each other, where they are many.
    pub(super) weights: Option<Box<Weights>>,
}

/// What a settlement touches.
pub(super) struct Region {
    /// Units that stood there.
    pub(super) old_units: Vec<u32>,
    /// Units that stand there now, in no order of their own; the records of each in order of id.
    pub(super) units: Vec<SmallVec<[u32; 4]>>,
    /// Records whose surroundings changed.
    pub(super) changed: FxHashSet<u32>,
}

/// Follows changed records to the units they are in now, and the units those took records from, until nothing is left.
pub(super) fn reach(linker: &mut Linker) -> Region {
    let mut old_units: BTreeSet<u32> = std::mem::take(&mut linker.broken).into_iter().collect();
    let changed = std::mem::take(&mut linker.dirty);
    let mut open: Vec<u32> = changed.iter().copied().collect();
    open.extend(old_units.iter().flat_map(|unit| &linker.units[*unit].records));
    // Neighbouring slots lie side by side in memory.
    open.sort_unstable();
    let mut done: FxHashSet<u32> = FxHashSet::default();
    let mut crowded = Crowded::default();
    let mut units = Vec::new();
    while let Some(record) = open.pop() {
        let old = linker.records[record].unit;
        if old != NONE && old_units.insert(old) {
            open.extend(&linker.units[old].records);
        }
        if done.contains(&record) {
            continue;
        }
        let mut unit = unit_of(linker, record, &mut crowded);
        done.extend(&unit);
        open.extend(unit.iter().filter(|member| **member != record));
        unit.sort_unstable_by_key(|member| linker.records[*member].id);
        units.push(SmallVec::from_slice(&unit));
    }
    Region { old_units: old_units.into_iter().collect(), units, changed }
}

/// The units of all records, for a register that has none yet. A unit is found from its record in the lowest slot, by
/// whichever thread looks there.
pub(super) fn all(linker: &mut Linker) -> Region {
    linker.dirty.clear();
    let linker: &Linker = linker;
    let mut open: Vec<u32> = linker.records.slots().map(|(slot, _)| slot).collect();
    let mut units: Vec<SmallVec<[u32; 4]>> = Vec::new();
    let mut bars = linker.model.bars().peekable();
    while let Some(bar) = bars.next().filter(|_| !open.is_empty()) {
        let limit = if bars.peek().is_none() { usize::MAX } else { linker.model.unit_limit };
        let led_by = |record: &u32| {
            let (mut unit, whole) = component(linker, *record, bar, limit, |other| other < *record);
            whole.then(|| {
                unit.sort_unstable_by_key(|member| linker.records[*member].id);
                SmallVec::from_slice(&unit)
            })
        };
        let found: Vec<SmallVec<[u32; 4]>> = open.par_iter().filter_map(led_by).collect();
        let mut done: Vec<u32> = found.iter().flatten().copied().collect();
        done.par_sort_unstable();
        // What is left is of components beyond the limit.
        open.retain(|record| done.binary_search(record).is_err());
        units.extend(found);
    }
    Region { old_units: Vec::new(), units, changed: FxHashSet::default() }
}

/// The highest bar at which a record's component is known to be beyond the limit.
type Crowded = FxHashMap<u32, i32>;

/// The component of a record at the lowest bar at which it is within the limit; at the highest bar, whatever its size.
fn unit_of(linker: &Linker, record: u32, crowded: &mut Crowded) -> Vec<u32> {
    let mut bars = linker.model.bars().peekable();
    while let Some(bar) = bars.next() {
        let limit = if bars.peek().is_none() { usize::MAX } else { linker.model.unit_limit };
        if limit < usize::MAX && crowded.get(&record).is_some_and(|known| bar <= *known) {
            continue;
        }
        let (found, whole) = component(linker, record, bar, limit, |_| false);
        if whole {
            return found;
        }
        // They are of the same component, and are not to find it out one by one.
        crowded.extend(found.into_iter().map(|member| (member, bar)));
    }
    vec![record]
}

/// Up to how many records a list is searched faster than a set.
const SMALL: usize = 24;

/// The records of a component, and whether these are all: no more are looked for beyond the limit, or when one is found
/// that ends it.
fn component(linker: &Linker, record: u32, bar: i32, limit: usize, ends: impl Fn(u32) -> bool) -> (Vec<u32>, bool) {
    // Nearly all components are small; a set pays only for the others.
    let mut seen: FxHashSet<u32> = FxHashSet::default();
    let mut found = vec![record];
    let mut at = 0;
    while at < found.len() {
        let first_new = found.len();
        neighbours(linker, found[at], bar, |other, _| {
            let is_new = if seen.is_empty() { !found.contains(&other) } else { seen.insert(other) };
            if is_new {
                found.push(other);
                if found.len() == SMALL {
                    seen.extend(&found);
                }
            }
        });
        if found.len() > limit || found[first_new..].iter().any(|other| ends(*other)) {
            return (found, false);
        }
        at += 1;
    }
    (found, true)
}

/// Records that an edge of at least `bar` joins to this one; with the weight of the two profiles where there is an edge
/// between them, which also says that neither number nor twins keep them apart.
pub(super) fn neighbours(linker: &Linker, slot: u32, bar: i32, mut visit: impl FnMut(u32, Option<i32>)) {
    let record = &linker.records[slot];
    let profile = &linker.profiles[record.profile];
    if profile.own_weight >= bar {
        profile.records.iter().for_each(|other| visit(*other, None));
    }
    for &(other, weight) in &profile.edges {
        if weight >= bar {
            linker.profiles[other].records.iter().for_each(|other| visit(*other, Some(weight)));
        }
    }
    for other in linker.same_reference(slot) {
        if pair_weight(linker, slot, other).total >= bar {
            visit(other, None);
        }
    }
    let decided = linker.pairs.same_as(record.id).filter_map(|other| linker.slot_of(other));
    decided.for_each(|other| visit(other, None));
}

/// The weight of two records, with what sharing a reference adds.
pub(super) fn pair_weight(linker: &Linker, one: u32, two: u32) -> Weight {
    let weight = profile_weight(linker, linker.records[one].profile, linker.records[two].profile);
    with_reference(linker, one, two, weight)
}

fn with_reference(linker: &Linker, one: u32, two: u32, mut weight: Weight) -> Weight {
    if linker.share_reference(one, two) {
        weight.total += linker.model.local_ref;
        weight.twins = false;
    }
    weight
}

fn profile_weight(linker: &Linker, one: u32, two: u32) -> Weight {
    if one == two {
        return of_edge(linker.profiles[one].own_weight);
    }
    weigh(&linker.model, &linker.profiles[one].features, &linker.profiles[two].features)
}

/// Pairs that something final keeps apart have no edge.
fn of_edge(total: i32) -> Weight {
    Weight { total, different_numbers: false, twins: false, same_home: true, moved: 0 }
}

impl Evidence {
    fn of(weight: &Weight) -> Self {
        Self { sum: weight.total.into(), moved: weight.moved.into(), same_home: weight.same_home }
    }
}

/// How two records stand to each other, decisions and events considered. `edge` is the weight of an edge between their
/// profiles, where there is one.
pub(super) fn tie(linker: &Linker, one: u32, two: u32, edge: Option<i32>) -> Tie {
    let weight = match edge {
        Some(total) => with_reference(linker, one, two, of_edge(total)),
        None => pair_weight(linker, one, two),
    };
    let (a, b) = (linker.records[one].id, linker.records[two].id);
    let decision = linker.pairs.decision(a, b);
    let never = weight.different_numbers || linker.pairs.is_forbidden(a, b) || decision == Some(Decision::Different);
    match decision {
        _ if never => Tie::Cannot,
        Some(_) => Tie::Must(Evidence::of(&weight)),
        None if weight.twins => Tie::Cannot,
        None => Tie::Weight(Evidence::of(&weight)),
    }
}

/// One person of a unit: their records, and the lowest weight that joins them.
pub(super) struct Person {
    pub(super) records: SmallVec<[u32; 4]>,
    pub(super) weakest: Option<i32>,
}

/// The persons in a unit, and what its profiles weigh against each other where that is worth keeping.
pub(super) fn people(linker: &Linker, unit: &[u32]) -> (Vec<Person>, Option<Box<Weights>>) {
    if let [only] = unit {
        return (vec![Person { records: smallvec![*only], weakest: None }], None);
    }
    let weights = Weights::of(linker, unit);
    let nodes = Nodes::of(linker, unit, &weights);
    let sizes: Vec<Node> = nodes.records.iter().map(|records| Node { records: records.len() }).collect();
    let model = &linker.model;
    let rules =
        Rules { bar: model.link, margin: model.margin, conflict: model.conflict, by_average: model.average_linkage };
    let parts = partition(&sizes, rules, |one, two| nodes.tie(linker, &weights, one, two));
    let person = |part: super::cluster::Part| {
        let records = part.nodes.iter().flat_map(|node| nodes.records[*node].iter().copied()).collect();
        let alike = part.nodes.iter().filter(|node| nodes.records[**node].len() > 1);
        let own = alike.map(|node| linker.profiles[linker.records[nodes.records[*node][0]].profile].own_weight).min();
        Person { records, weakest: [part.weakest, own].into_iter().flatten().min() }
    };
    let people = parts.into_iter().map(person).collect();
    (people, weights.worth_keeping())
}

/// Records of one profile are one node, since nothing but references, events and decisions tells them apart: a person who
/// is recorded a thousand times in the same words costs one comparison.
struct Nodes {
    /// Records of each node in order of id; nodes in order of their first record.
    records: Vec<SmallVec<[u32; 2]>>,
    /// Where the profile of each node stands among the weights.
    places: Vec<usize>,
    /// Those that say by other names which given names are one person's.
    namers: Vec<usize>,
    /// Pairs of nodes with a constraint or a decision between some of their records.
    settled: FxHashMap<(usize, usize), Settlement>,
    /// How many pairs of records of two nodes share a reference.
    references: FxHashMap<(usize, usize), i64>,
}

#[derive(Default, Clone, Copy)]
struct Settlement {
    never: bool,
    same: bool,
}

impl Nodes {
    fn of(linker: &Linker, unit: &[u32], weights: &Weights) -> Self {
        let mut by_profile: Vec<(u32, u32)> = unit.iter().map(|slot| (linker.records[*slot].profile, *slot)).collect();
        // Keeps the records of each in order of id.
        by_profile.sort_by_key(|(profile, _)| *profile);
        let mut records: Vec<SmallVec<[u32; 2]>> = Vec::with_capacity(unit.len());
        for alike in by_profile.chunk_by(|one, two| one.0 == two.0) {
            let own = linker.profiles[alike[0].0].own_weight;
            let slots: SmallVec<[u32; 2]> = alike.iter().map(|(_, slot)| *slot).collect();
            if own >= linker.model.link && !linker.any_settled_within(&slots) {
                records.push(slots);
            } else {
                records.extend(slots.into_iter().map(|slot| smallvec![slot]));
            }
        }
        records.sort_unstable_by_key(|alike| linker.records[alike[0]].id);
        let profile = |alike: &SmallVec<[u32; 2]>| linker.records[alike[0]].profile;
        let places: Vec<usize> = records.iter().map(|alike| weights.place(profile(alike))).collect();
        let names = |node: &usize| linker.profiles[profile(&records[*node])].features.has_other_given();
        let namers = (0..records.len()).filter(names).collect();
        let mut node_of: Vec<(u32, usize)> =
            records.iter().enumerate().flat_map(|(node, alike)| alike.iter().map(move |slot| (*slot, node))).collect();
        node_of.sort_unstable();
        let place = |slot: u32| node_of.binary_search_by_key(&slot, |(slot, _)| *slot).ok().map(|at| node_of[at].1);
        let (mut settled, mut references) = (FxHashMap::<_, Settlement>::default(), FxHashMap::<_, i64>::default());
        for &(slot, node) in &node_of {
            let id = linker.records[slot].id;
            // Most are of other units; those of this one are at hand.
            let here = |other: RecordId| place(unit[linker.among(unit, other)?]);
            for other in linker.pairs.never(id).filter_map(here) {
                settled.entry((node.min(other), node.max(other))).or_default().never = true;
            }
            for other in linker.pairs.same_as(id).filter_map(here) {
                settled.entry((node.min(other), node.max(other))).or_default().same = true;
            }
            // Each pair is met from both ends; the lower node counts.
            for other in linker.same_reference(slot).filter_map(place).filter(|other| node < *other) {
                *references.entry((node, other)).or_default() += 1;
            }
        }
        Self { records, places, namers, settled, references }
    }

    fn tie(&self, linker: &Linker, weights: &Weights, one: usize, two: usize) -> Tie {
        let settled = self.settled.get(&(one, two)).copied().unwrap_or_default();
        let features = |node: usize| &linker.profiles[linker.records[self.records[node][0]].profile].features;
        let (first, second) = (self.places[one], self.places[two]);
        let mut weight = if first == second {
            of_edge(linker.profiles[linker.records[self.records[one][0]].profile].own_weight)
        } else {
            weights.between(first, second)
        };
        let calls_both = |third: usize| features(third).names_both(features(one), features(two));
        // Who has no other name calls both by one, as these two would each other.
        if weight.twins && self.namers.iter().copied().chain([one, two]).any(calls_both) {
            weight = weigh_namesakes(&linker.model, features(one), features(two));
        }
        let shared = self.references.get(&(one, two)).copied().unwrap_or(0);
        let pairs = i64::try_from(self.records[one].len() * self.records[two].len()).expect("a unit is small");
        let clip = |bits: i32| i64::from(bits.clamp(-linker.model.clip, linker.model.clip));
        let all = |total: i32| clip(total) * (pairs - shared) + clip(total + linker.model.local_ref) * shared;
        let sum = all(weight.total);
        let evidence = Evidence { sum, moved: all(weight.total + weight.moved) - sum, same_home: weight.same_home };
        if weight.different_numbers || settled.never {
            Tie::Cannot
        } else if settled.same {
            Tie::Must(evidence)
        } else if weight.twins && shared == 0 {
            Tie::Cannot
        } else {
            Tie::Weight(evidence)
        }
    }
}
