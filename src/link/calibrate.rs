//! Fits a model to a finished table of records, without knowing who is who: how many of its pairs are matches, and mildly
//! how often fields agree. Only `link` and `train` use it; the daemon's model stays frozen.

use rayon::prelude::*;

use super::model::LinkageModel;
use super::register::Linker;
use super::weigh::weigh;

/// How many profiles are looked at; enough for shares of a few percent.
const SAMPLE: usize = 20_000;

/// Rounds of expectation and maximisation; the prior moves little after a few.
const ROUNDS: usize = 6;

/// The prior that explains the records held, from the pairs that share a live key.
pub(super) fn prior_bits(linker: &Linker) -> f64 {
    let mut slots: Vec<u32> = linker.uncompared.iter().copied().collect();
    slots.sort_unstable_by_key(|slot| linker.profiles[*slot].key);
    let records: usize = linker.record_of.len();
    slots.truncate(SAMPLE);
    let sampled: usize = slots.iter().map(|slot| linker.profiles[*slot].records.len()).sum();
    if sampled < 2 {
        return f64::from(linker.model.prior) / 256.0;
    }
    let weights: Vec<(f64, f64)> = slots.par_iter().flat_map_iter(|slot| evidence(linker, *slot)).collect();
    #[allow(clippy::cast_precision_loss)]
    let pairs = sampled as f64 * (records as f64 - 1.0);
    let mut prior = f64::from(linker.model.prior) / 256.0;
    for _ in 0..ROUNDS {
        let matches: f64 = weights.iter().map(|(bits, count)| count / (1.0 + (-(bits + prior)).exp2())).sum();
        let share = (matches / pairs).clamp(1e-7, 0.01);
        prior = (share / (1.0 - share)).log2();
    }
    prior
}

/// Evidence without the prior for each pair of a profile's records with others, and how many pairs it stands for.
fn evidence(linker: &Linker, slot: u32) -> Vec<(f64, f64)> {
    let profile = &linker.profiles[slot];
    let mut found = Vec::new();
    linker.postings.candidates(slot, profile.run, &mut found);
    let model: &LinkageModel = &linker.model;
    let bits = |total: i32| f64::from(total - model.prior) / 256.0;
    let size = |slot: u32| f64::from(u32::try_from(linker.profiles[slot].records.len()).unwrap_or(u32::MAX));
    let mine = size(slot);
    let others = found.iter().filter_map(|&other| {
        let weight = weigh(model, &profile.features, &linker.profiles[other].features);
        (!weight.twins && !weight.different_numbers).then(|| (bits(weight.total), mine * size(other)))
    });
    let mut pairs: Vec<(f64, f64)> = others.collect();
    pairs.push((bits(profile.own_weight), mine * (mine - 1.0)));
    pairs
}
