//! Fits a model to a finished table of records, without knowing who is who: how many of its pairs are matches, and mildly
//! how often fields agree. Only `link` and `train` use it; the daemon's model stays frozen. Where it is known who is who,
//! that counts in place of the estimate.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::Decision;
use super::model::{FIELDS, LinkageModel, MOST_LEVELS, Rates};
use super::register::Linker;
use super::weigh::{Household, household, levels, weigh};
use crate::model::ids::RecordId;

/// How many profiles are looked at; enough for shares of a few percent.
const SAMPLE: usize = 4_000;

/// Rounds of expectation and maximisation; the prior moves little after a few.
const ROUNDS: usize = 6;

/// Relatives in one home, as a share of matches, below which a table has no households to speak of.
const FEW_RELATIVES: f64 = 0.02;

/// Pairs drawn at random, to see how often two persons agree by chance.
const RANDOM_PAIRS: u64 = 400_000;

/// How many pairs the model's own u is taken to rest on.
const U_WEIGHT: f64 = 20_000.0;

/// How far m moves from the model's towards the table's, on a scale of logarithms.
const M_SHARE: f64 = 0.3;

/// The same where it is known who is who.
const KNOWN_M_SHARE: f64 = 0.8;

/// How many matches a level's m is smoothed with.
const M_WEIGHT: f64 = 20.0;

/// Who is who, where that is known, by numbers of people.
pub type Truth = FxHashMap<RecordId, u64>;

/// The model as it fits the records held that were not compared yet. Where `may_lift_household` and nobody shares a home,
/// homes count in full.
pub(super) fn fit(linker: &Linker, truth: &Truth, may_lift_household: bool) -> LinkageModel {
    let mut slots: Vec<u32> = linker.uncompared.iter().copied().collect();
    slots.sort_unstable_by_key(|slot| linker.profiles[*slot].key);
    if slots.len() < 2 {
        return LinkageModel::clone(&linker.model);
    }
    let all = slots.clone();
    slots.truncate(SAMPLE);
    let mut model = LinkageModel::clone(&linker.model);
    let mut sample = Sample::under(linker, truth, &slots, &model);
    let (prior, matches) = sample.prior(&model);
    model = model.with_prior_bits(prior);
    let relatives: f64 =
        sample.pairs.iter().filter(|pair| pair.household == Household::Relatives).map(|pair| pair.count).sum();
    if may_lift_household && matches >= 1.0 && relatives <= FEW_RELATIVES * matches {
        // Nobody shares a home here but with themself, so what a home shares is evidence like any other.
        model = model.without_households();
        sample = Sample::under(linker, truth, &slots, &model);
        model = model.clone().with_prior_bits(sample.prior(&model).0);
    }
    let m_share = if truth.is_empty() { M_SHARE } else { KNOWN_M_SHARE };
    let chance = by_chance(linker, &all, &model);
    let agreement = sample.agreement(&model);
    let rates = model.rates;
    let fitted = std::array::from_fn(|field| mix(&rates[field], &agreement[field], &chance[field], m_share));
    let model = model.with_rates(fitted);
    let sample = Sample::under(linker, truth, &slots, &model);
    let (prior, _) = sample.prior(&model);
    model.with_prior_bits(prior)
}

/// Weighted counts of each level of each field.
type Counts = [[f64; MOST_LEVELS]; FIELDS];

fn mix(rates: &Rates, agreement: &[f64; MOST_LEVELS], chance: &[f64; MOST_LEVELS], m_share: f64) -> Rates {
    let mut mixed = *rates;
    let (matches, random): (f64, f64) = (agreement.iter().sum(), chance.iter().sum());
    for level in 0..rates.levels {
        let m = (agreement[level] + M_WEIGHT * rates.m[level]) / (matches + M_WEIGHT);
        mixed.m[level] = rates.m[level].powf(1.0 - m_share) * m.powf(m_share);
        if level > 0 || !rates.by_frequency {
            mixed.u[level] = (chance[level] + U_WEIGHT * rates.u[level]) / (random + U_WEIGHT);
        }
    }
    mixed
}

/// Levels of pairs drawn at random, matches among them discounted.
fn by_chance(linker: &Linker, slots: &[u32], model: &LinkageModel) -> Counts {
    let many = slots.len() as u64;
    let draws = RANDOM_PAIRS.min(many * 40).min(many * (many - 1) / 2);
    let add = |mut counts: Counts, draw: u64| {
        // A fixed walk over pairs: the slots are in the order of a hash, so any walk is random.
        let one = slots[(draw.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % slots.len()];
        let two = slots[(draw.wrapping_mul(0xd1b5_4a32_d192_ed03) >> 31) as usize % slots.len()];
        if one != two {
            let (one, two) = (&linker.profiles[one].features, &linker.profiles[two].features);
            let weight = f64::from(weigh(model, one, two).total) / 256.0;
            tally(&mut counts, &levels(model, one, two), 1.0 / (1.0 + weight.exp2()));
        }
        counts
    };
    (0..draws).fold([[0.0; MOST_LEVELS]; FIELDS], add)
}

fn tally(counts: &mut Counts, levels: &[Option<usize>; FIELDS], weight: f64) {
    for (field, level) in counts.iter_mut().zip(levels) {
        if let Some(level) = level {
            field[*level] += weight;
        }
    }
}

/// A pair of profiles that share a live key.
struct Pair {
    /// Evidence without the prior.
    bits: f64,
    household: Household,
    levels: [Option<usize>; FIELDS],
    /// How many pairs of records it stands for.
    count: f64,
    /// Whether it is a match, where that is known.
    known: Option<bool>,
}

impl Pair {
    /// How many matches it stands for, under these odds before evidence.
    fn matches(&self, prior: f64) -> f64 {
        match self.known {
            Some(same) => f64::from(u8::from(same)) * self.count,
            None => self.count / (1.0 + (-(self.bits + prior)).exp2()),
        }
    }
}

/// Some profiles against everybody.
struct Sample {
    pairs: Vec<Pair>,
    /// All pairs of records, whether they share a key or not.
    all: f64,
}

impl Sample {
    fn under(linker: &Linker, truth: &Truth, slots: &[u32], model: &LinkageModel) -> Self {
        let pairs = slots.par_iter().flat_map_iter(|slot| Self::of_one(linker, truth, *slot, model)).collect();
        let sampled: f64 = slots.iter().map(|slot| size(linker, *slot)).sum();
        let records = f64::from(u32::try_from(linker.record_count()).unwrap_or(u32::MAX));
        Self { pairs, all: sampled * (records - 1.0) }
    }

    fn of_one(linker: &Linker, truth: &Truth, slot: u32, model: &LinkageModel) -> Vec<Pair> {
        let profile = &linker.profiles[slot];
        let mut found = Vec::new();
        linker.postings.candidates(slot, profile.run, &mut found);
        let bits = |total: i32| f64::from(total - model.prior) / 256.0;
        let mine = size(linker, slot);
        let others = found.iter().filter_map(|&other| {
            let features = &linker.profiles[other].features;
            let weight = weigh(model, &profile.features, features);
            let household = household(model, &profile.features, features);
            let levels = levels(model, &profile.features, features);
            let known = known(linker, truth, slot, other);
            let count = mine * size(linker, other);
            let pair = Pair { bits: bits(weight.total), household, levels, count, known };
            (pair.known.is_some() || !weight.twins && !weight.different_numbers).then_some(pair)
        });
        let mut pairs: Vec<Pair> = others.collect();
        let own = weigh(model, &profile.features, &profile.features).total;
        let levels = levels(model, &profile.features, &profile.features);
        let count = mine * (mine - 1.0);
        pairs.push(Pair { bits: bits(own), household: Household::Unclear, levels, count, known: None });
        pairs
    }

    /// Levels of the sampled pairs, each counted as far as it is a match.
    fn agreement(&self, model: &LinkageModel) -> Counts {
        let prior = f64::from(model.prior) / 256.0;
        let mut counts = [[0.0; MOST_LEVELS]; FIELDS];
        for pair in &self.pairs {
            tally(&mut counts, &pair.levels, pair.matches(prior));
        }
        counts
    }

    /// The log odds of a match that explain the weights best, and how many matches that makes.
    fn prior(&self, model: &LinkageModel) -> (f64, f64) {
        let mut prior = f64::from(model.prior) / 256.0;
        let mut matches = 0.0;
        if self.all < 1.0 {
            return (prior, matches);
        }
        for _ in 0..ROUNDS {
            matches = self.pairs.iter().map(|pair| pair.matches(prior)).sum();
            let share = (matches / self.all).clamp(1e-7, 0.01);
            prior = (share / (1.0 - share)).log2();
        }
        (prior, matches)
    }
}

/// Whether two profiles are of one person: by the truth, or by a person's decision.
fn known(linker: &Linker, truth: &Truth, one: u32, two: u32) -> Option<bool> {
    let first = |slot: u32| linker.profiles[slot].records.first().map(|record| linker.records[*record].id);
    let (one, two) = (first(one)?, first(two)?);
    let by_truth = truth.get(&one).zip(truth.get(&two)).map(|(one, two)| one == two);
    by_truth.or_else(|| linker.pairs.decision(one, two).map(|decision| decision == Decision::Same))
}

fn size(linker: &Linker, slot: u32) -> f64 {
    f64::from(u32::try_from(linker.profiles[slot].records.len()).unwrap_or(u32::MAX))
}
