//! Fits a model to a finished table of records, without knowing who is who: how many of its pairs are matches, and mildly
//! how often fields agree. Only `link` and `train` use it; the daemon's model stays frozen.

use rayon::prelude::*;

use super::model::LinkageModel;
use super::register::Linker;
use super::weigh::{Household, household, weigh};

/// How many profiles are looked at; enough for shares of a few percent.
const SAMPLE: usize = 20_000;

/// Rounds of expectation and maximisation; the prior moves little after a few.
const ROUNDS: usize = 6;

/// Relatives in one home, as a share of matches, below which a table has no households to speak of.
const FEW_RELATIVES: f64 = 0.02;

/// The model as it fits the records held that were not compared yet.
pub(super) fn fit(linker: &Linker) -> LinkageModel {
    let mut slots: Vec<u32> = linker.uncompared.iter().copied().collect();
    slots.sort_unstable_by_key(|slot| linker.profiles[*slot].key);
    slots.truncate(SAMPLE);
    let model = LinkageModel::clone(&linker.model);
    let sample = Sample::new(linker, &slots);
    let (prior, matches) = sample.prior(&model);
    let relatives: f64 =
        sample.pairs.iter().filter(|pair| pair.household == Household::Relatives).map(|pair| pair.count).sum();
    if matches < 1.0 || relatives > FEW_RELATIVES * matches {
        return model.with_prior_bits(prior);
    }
    // Nobody shares a home here but with themself, so what a home shares is evidence like any other.
    let model = model.without_households();
    let sample = Sample::under(linker, &slots, &model);
    let (prior, _) = sample.prior(&model);
    model.with_prior_bits(prior)
}

/// A pair of profiles that share a live key.
struct Pair {
    /// Evidence without the prior.
    bits: f64,
    household: Household,
    /// How many pairs of records it stands for.
    count: f64,
}

/// Some profiles against everybody.
struct Sample {
    pairs: Vec<Pair>,
    /// All pairs of records, whether they share a key or not.
    all: f64,
}

impl Sample {
    fn new(linker: &Linker, slots: &[u32]) -> Self {
        Self::under(linker, slots, &linker.model)
    }

    fn under(linker: &Linker, slots: &[u32], model: &LinkageModel) -> Self {
        let pairs = slots.par_iter().flat_map_iter(|slot| Self::of_one(linker, *slot, model)).collect();
        let sampled: f64 = slots.iter().map(|slot| size(linker, *slot)).sum();
        let records = f64::from(u32::try_from(linker.record_of.len()).unwrap_or(u32::MAX));
        Self { pairs, all: sampled * (records - 1.0) }
    }

    fn of_one(linker: &Linker, slot: u32, model: &LinkageModel) -> Vec<Pair> {
        let profile = &linker.profiles[slot];
        let mut found = Vec::new();
        linker.postings.candidates(slot, profile.run, &mut found);
        let bits = |total: i32| f64::from(total - model.prior) / 256.0;
        let mine = size(linker, slot);
        let others = found.iter().filter_map(|&other| {
            let features = &linker.profiles[other].features;
            let weight = weigh(model, &profile.features, features);
            let household = household(model, &profile.features, features);
            let pair = Pair { bits: bits(weight.total), household, count: mine * size(linker, other) };
            (!weight.twins && !weight.different_numbers).then_some(pair)
        });
        let mut pairs: Vec<Pair> = others.collect();
        let own = weigh(model, &profile.features, &profile.features).total;
        pairs.push(Pair { bits: bits(own), household: Household::Unclear, count: mine * (mine - 1.0) });
        pairs
    }

    /// The log odds of a match that explain the weights best, and how many matches that makes.
    fn prior(&self, model: &LinkageModel) -> (f64, f64) {
        let mut prior = f64::from(model.prior) / 256.0;
        let mut matches = 0.0;
        if self.all < 1.0 {
            return (prior, matches);
        }
        for _ in 0..ROUNDS {
            matches = self.pairs.iter().map(|pair| pair.count / (1.0 + (-(pair.bits + prior)).exp2())).sum();
            let share = (matches / self.all).clamp(1e-7, 0.01);
            prior = (share / (1.0 - share)).log2();
        }
        (prior, matches)
    }
}

fn size(linker: &Linker, slot: u32) -> f64 {
    f64::from(u32::try_from(linker.profiles[slot].records.len()).unwrap_or(u32::MAX))
}
