//! What the profiles of one unit weigh against each other. Kept with a unit of many: a record that joins it is compared with
//! them, and they are not with one another again. A function of the profiles alone, so that it never shows what was kept.

use super::register::{Linker, NONE};
use super::weigh::{Weight, weigh};

/// From how many profiles on weights are kept; fewer are as soon compared again.
const WORTH_KEEPING: usize = 4;

/// Weights of all pairs of some profiles.
pub(super) struct Weights {
    /// In order of their slots.
    profiles: Box<[u32]>,
    /// Row by row, each pair once.
    pairs: Box<[Weight]>,
}

impl Weights {
    /// Of the profiles that the records of a unit have. What the units they come from have kept is taken from there.
    pub(super) fn of(linker: &Linker, unit: &[u32]) -> Self {
        let mut from: Vec<(u32, u32)> =
            unit.iter().map(|slot| (linker.records[*slot].profile, linker.records[*slot].unit)).collect();
        from.sort_unstable();
        from.dedup_by_key(|(profile, _)| *profile);
        let kept = |(profile, unit): &(u32, u32)| {
            let kept = (*unit != NONE).then(|| linker.units[*unit].weights.as_deref()).flatten()?;
            Some((*unit, kept, kept.place(*profile)))
        };
        let kept: Vec<Option<(u32, &Self, usize)>> = from.iter().map(kept).collect();
        let mut pairs = Vec::with_capacity(from.len() * from.len().saturating_sub(1) / 2);
        for one in 0..from.len() {
            for two in one + 1..from.len() {
                pairs.push(match (kept[one], kept[two]) {
                    (Some((unit, weights, first)), Some((other, _, second))) if unit == other => {
                        weights.pairs[weights.at(first, second)]
                    }
                    _ => {
                        let (first, second) = (&linker.profiles[from[one].0], &linker.profiles[from[two].0]);
                        weigh(&linker.model, &first.features, &second.features)
                    }
                });
            }
        }
        Self { profiles: from.into_iter().map(|(profile, _)| profile).collect(), pairs: pairs.into() }
    }

    /// Where a profile stands among them.
    pub(super) fn place(&self, profile: u32) -> usize {
        self.profiles.binary_search(&profile).expect("a unit keeps the weights of its own profiles")
    }

    /// The weight of two profiles by their places.
    pub(super) fn between(&self, one: usize, two: usize) -> Weight {
        self.pairs[self.at(one.min(two), one.max(two))]
    }

    /// Itself, if it is worth its memory.
    pub(super) fn worth_keeping(self) -> Option<Box<Self>> {
        (self.profiles.len() >= WORTH_KEEPING).then(|| Box::new(self))
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.profiles) + size_of_val(&*self.pairs)
    }

    fn at(&self, one: usize, two: usize) -> usize {
        one * (2 * self.profiles.len() - one - 1) / 2 + two - one - 1
    }
}
