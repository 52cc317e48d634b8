//! Units: what is partitioned together, and how.
//!
//! A unit is a component of records under edges of at least the link bar; where that holds more than the model's limit,
//! the component at the next bar, and so on. Average linkage joins groups only where some edge reaches the bar, so
//! nothing is lost by looking no further. All of it is a function of the set of edges.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Decision;
use super::cluster::{Evidence, Node, Rules, Tie, partition};
use super::register::{Linker, NONE};
use super::weigh::{Weight, weigh, weigh_namesakes};

/// What a settlement touches.
pub(super) struct Region {
    /// Units that stood there.
    pub(super) old_units: Vec<u32>,
    /// Units that stand there now, in no order of their own; the records of each in order of id.
    pub(super) units: Vec<Vec<u32>>,
}

/// Follows changed records to the units they are in now, and the units those took records from, until nothing is left.
pub(super) fn reach(linker: &mut Linker) -> Region {
    let mut old_units: BTreeSet<u32> = std::mem::take(&mut linker.broken).into_iter().collect();
    let mut open: Vec<u32> = std::mem::take(&mut linker.dirty).into_iter().collect();
    open.extend(old_units.iter().flat_map(|unit| &linker.units[*unit]));
    // Neighbouring slots lie side by side in memory.
    open.sort_unstable();
    let mut done: FxHashSet<u32> = FxHashSet::default();
    let mut units = Vec::new();
    while let Some(record) = open.pop() {
        let old = linker.records[record].unit;
        if old != NONE && old_units.insert(old) {
            open.extend(&linker.units[old]);
        }
        if done.contains(&record) {
            continue;
        }
        let mut unit = unit_of(linker, record);
        done.extend(&unit);
        open.extend(&unit);
        unit.sort_unstable_by_key(|member| linker.records[*member].id);
        units.push(unit);
    }
    Region { old_units: old_units.into_iter().collect(), units }
}

/// The component of a record at the lowest bar at which it is within the limit; at the highest bar, whatever its size.
fn unit_of(linker: &Linker, record: u32) -> Vec<u32> {
    let mut bars = linker.model.bars().peekable();
    while let Some(bar) = bars.next() {
        let limit = if bars.peek().is_none() { usize::MAX } else { linker.model.unit_limit };
        if let Some(unit) = component(linker, record, bar, limit) {
            return unit;
        }
    }
    vec![record]
}

/// Up to how many records a list is searched faster than a set.
const SMALL: usize = 24;

fn component(linker: &Linker, record: u32, bar: i32, limit: usize) -> Option<Vec<u32>> {
    // Nearly all components are small; a set pays only for the others.
    let mut seen: FxHashSet<u32> = FxHashSet::default();
    let mut found = vec![record];
    let mut at = 0;
    while at < found.len() {
        neighbours(linker, found[at], bar, |other| {
            let is_new = if seen.is_empty() { !found.contains(&other) } else { seen.insert(other) };
            if is_new {
                found.push(other);
                if found.len() == SMALL {
                    seen.extend(&found);
                }
            }
        });
        if found.len() > limit {
            return None;
        }
        at += 1;
    }
    Some(found)
}

/// Records that an edge of at least `bar` joins to this one.
pub(super) fn neighbours(linker: &Linker, slot: u32, bar: i32, mut visit: impl FnMut(u32)) {
    let record = &linker.records[slot];
    let profile = &linker.profiles[record.profile];
    if profile.own_weight >= bar {
        profile.records.iter().for_each(|other| visit(*other));
    }
    for &(other, weight) in &profile.edges {
        if weight >= bar {
            linker.profiles[other].records.iter().for_each(|other| visit(*other));
        }
    }
    for other in linker.same_reference(slot) {
        if pair_weight(linker, slot, other).total >= bar {
            visit(other);
        }
    }
    linker.pairs.same_as(record.id).filter_map(|other| linker.record_of.get(&other)).for_each(|other| visit(*other));
}

/// The weight of two records, with what sharing a reference adds.
pub(super) fn pair_weight(linker: &Linker, one: u32, two: u32) -> Weight {
    let mut weight = profile_weight(linker, linker.records[one].profile, linker.records[two].profile);
    if linker.share_reference(one, two) {
        weight.total += linker.model.local_ref;
        weight.twins = false;
    }
    weight
}

fn profile_weight(linker: &Linker, one: u32, two: u32) -> Weight {
    if one == two {
        let total = linker.profiles[one].own_weight;
        return Weight { total, different_numbers: false, twins: false, same_home: true, moved: 0 };
    }
    weigh(&linker.model, &linker.profiles[one].features, &linker.profiles[two].features)
}

/// How two records stand to each other, decisions and events considered.
pub(super) fn tie(linker: &Linker, one: u32, two: u32) -> Tie {
    let weight = pair_weight(linker, one, two);
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

impl Evidence {
    fn of(weight: &Weight) -> Self {
        Self { sum: weight.total.into(), moved: weight.moved.into(), same_home: weight.same_home }
    }
}

/// The persons in a unit: their records, and the lowest weight that joins them.
pub(super) fn people(linker: &Linker, unit: &[u32]) -> Vec<(Vec<u32>, Option<i32>)> {
    let nodes = Nodes::of(linker, unit);
    let sizes: Vec<Node> = nodes.records.iter().map(|records| Node { records: records.len() }).collect();
    let model = &linker.model;
    let rules =
        Rules { bar: model.link, margin: model.margin, conflict: model.conflict, by_average: model.average_linkage };
    let parts = partition(&sizes, rules, |one, two| nodes.tie(linker, one, two));
    let person = |part: super::cluster::Part| {
        let records: Vec<u32> = part.nodes.iter().flat_map(|node| nodes.records[*node].iter().copied()).collect();
        let alike = part.nodes.iter().filter(|node| nodes.records[**node].len() > 1);
        let own = alike.map(|node| linker.profiles[linker.records[nodes.records[*node][0]].profile].own_weight).min();
        (records, [part.weakest, own].into_iter().flatten().min())
    };
    parts.into_iter().map(person).collect()
}

/// Records of one profile are one node, since nothing but references, events and decisions tells them apart: a person who
/// is recorded a thousand times in the same words costs one comparison.
struct Nodes {
    /// Records of each node in order of id; nodes in order of their first record.
    records: Vec<Vec<u32>>,
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
    fn of(linker: &Linker, unit: &[u32]) -> Self {
        let mut by_profile: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for &slot in unit {
            by_profile.entry(linker.records[slot].profile).or_default().push(slot);
        }
        let mut records: Vec<Vec<u32>> = Vec::with_capacity(by_profile.len());
        for (profile, alike) in by_profile {
            let own = linker.profiles[profile].own_weight;
            if own >= linker.model.link && !linker.any_settled_within(&alike) {
                records.push(alike);
            } else {
                records.extend(alike.into_iter().map(|slot| vec![slot]));
            }
        }
        records.sort_unstable_by_key(|alike| linker.records[alike[0]].id);
        let node_of: FxHashMap<u32, usize> =
            records.iter().enumerate().flat_map(|(node, alike)| alike.iter().map(move |slot| (*slot, node))).collect();
        let mut nodes = Self { records, settled: FxHashMap::default(), references: FxHashMap::default() };
        for (&slot, &node) in &node_of {
            let id = linker.records[slot].id;
            let place = |other| linker.record_of.get(&other).and_then(|slot| node_of.get(slot)).copied();
            for other in linker.pairs.never(id).filter_map(place) {
                nodes.settled.entry((node.min(other), node.max(other))).or_default().never = true;
            }
            for other in linker.pairs.same_as(id).filter_map(place) {
                nodes.settled.entry((node.min(other), node.max(other))).or_default().same = true;
            }
            for other in linker.same_reference(slot).filter_map(|other| node_of.get(&other)) {
                // Each pair is met from both ends; the lower node counts.
                if node < *other {
                    *nodes.references.entry((node, *other)).or_default() += 1;
                }
            }
        }
        nodes
    }

    fn tie(&self, linker: &Linker, one: usize, two: usize) -> Tie {
        let settled = self.settled.get(&(one, two)).copied().unwrap_or_default();
        let profile = |node: usize| linker.records[self.records[node][0]].profile;
        let mut weight = profile_weight(linker, profile(one), profile(two));
        if weight.twins {
            let (first, second) = (&linker.profiles[profile(one)].features, &linker.profiles[profile(two)].features);
            if (0..self.records.len()).any(|third| linker.profiles[profile(third)].features.names_both(first, second)) {
                weight = weigh_namesakes(&linker.model, first, second);
            }
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
