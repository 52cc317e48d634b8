//! The links that hold a cluster together, for the audit: no more than join what was apart, the strongest first.

use std::cmp::Reverse;

use rustc_hash::FxHashMap;

use super::Decision;
use super::changes::ClusterChange;
use super::register::Linker;
use super::units::pair_weight;
use super::weigh::Comparison;
use crate::model::ids::RecordId;

/// One link between two records of a cluster, in full. Carries no identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The record with the smaller id.
    pub a: RecordId,
    /// The other.
    pub b: RecordId,
    /// How they compare.
    pub comparison: Comparison,
    /// A person decided that they are one.
    pub decided: bool,
}

impl Linker {
    /// The strongest links that join what a change brought together: one fewer than there were parts, where each record
    /// outside `change.parts` is a part of its own. All links of the changes of a cluster together span it, so that it
    /// can be explained from them.
    #[must_use]
    pub fn links_of(&self, change: &ClusterChange) -> Vec<Link> {
        let slots: Vec<u32> = change.members.iter().filter_map(|member| self.slot_of(*member)).collect();
        let place: FxHashMap<u32, usize> = slots.iter().enumerate().map(|(place, slot)| (*slot, place)).collect();
        let mut parts = Parts::new(slots.len());
        for part in &change.parts {
            let mut places = part.iter().filter_map(|member| place.get(&self.slot_of(*member)?).copied());
            let first = places.next();
            places.for_each(|other| {
                parts.join(first.unwrap_or(other), other);
            });
        }
        if parts.count <= 1 {
            return Vec::new();
        }
        let mut joined = Vec::new();
        let spokesmen = self.join_alike(&slots, &mut parts, &mut joined);
        for (_, _, one, two) in self.candidates(&slots, &place, &spokesmen, &mut parts) {
            if parts.count <= 1 {
                break;
            }
            if parts.join(one, two) {
                joined.push((one, two));
            }
        }
        joined.into_iter().filter_map(|(one, two)| self.link(slots[one], slots[two])).collect()
    }

    /// Records of the same words are joined to the first of them; who speaks for all in the rest comes back.
    fn join_alike(&self, slots: &[u32], parts: &mut Parts, joined: &mut Vec<(usize, usize)>) -> Vec<usize> {
        let mut first_of: FxHashMap<u32, usize> = FxHashMap::default();
        let mut spokesmen = Vec::new();
        for (place, slot) in slots.iter().enumerate() {
            let profile = self.records[*slot].profile;
            let links = self.profiles[profile].own_weight >= self.model.link;
            match first_of.get(&profile).filter(|_| links) {
                None => {
                    first_of.insert(profile, place);
                    spokesmen.push(place);
                }
                Some(first) => {
                    if parts.join(*first, place) {
                        joined.push((*first, place));
                    }
                }
            }
        }
        spokesmen
    }

    /// Pairs across parts, the best first: what a person decided, then by weight, ties by record.
    fn candidates(
        &self,
        slots: &[u32],
        place: &FxHashMap<u32, usize>,
        spokesmen: &[usize],
        parts: &mut Parts,
    ) -> Vec<(Reverse<bool>, Reverse<i32>, usize, usize)> {
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (at, one) in spokesmen.iter().enumerate() {
            pairs.extend(spokesmen[at + 1..].iter().map(|two| (*one, *two)));
        }
        for (one, slot) in slots.iter().enumerate() {
            let decided = self.pairs.same_as(self.records[*slot].id).filter_map(|other| self.slot_of(other));
            let others = decided.chain(self.same_reference(*slot));
            pairs.extend(others.filter_map(|other| place.get(&other)).map(|two| (one.min(*two), one.max(*two))));
        }
        pairs.retain(|(one, two)| parts.find(*one) != parts.find(*two));
        pairs.sort_unstable();
        pairs.dedup();
        let weigh = |(one, two): (usize, usize)| {
            let weight = pair_weight(self, slots[one], slots[two]).total;
            (Reverse(self.is_decided(slots[one], slots[two])), Reverse(weight), one, two)
        };
        let mut weighed: Vec<_> = pairs.into_iter().map(weigh).collect();
        weighed.sort_unstable();
        weighed
    }

    fn is_decided(&self, one: u32, two: u32) -> bool {
        self.pairs.decision(self.records[one].id, self.records[two].id) == Some(Decision::Same)
    }

    fn link(&self, one: u32, two: u32) -> Option<Link> {
        let (first, second) = (self.records[one].id, self.records[two].id);
        let (a, b) = (first.min(second), first.max(second));
        Some(Link { a, b, comparison: self.compare(a, b)?, decided: self.is_decided(one, two) })
    }
}

/// Which places are joined.
struct Parts {
    above: Vec<usize>,
    count: usize,
}

impl Parts {
    fn new(count: usize) -> Self {
        Self { above: (0..count).collect(), count }
    }

    fn find(&mut self, mut place: usize) -> usize {
        while self.above[place] != place {
            self.above[place] = self.above[self.above[place]];
            place = self.above[place];
        }
        place
    }

    /// Were they apart?
    fn join(&mut self, one: usize, two: usize) -> bool {
        let (one, two) = (self.find(one), self.find(two));
        self.above[one.max(two)] = one.min(two);
        self.count -= usize::from(one != two);
        one != two
    }
}
