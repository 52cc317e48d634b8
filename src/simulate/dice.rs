//! Chance, from the seed alone. Every choice draws from a stream of its own, named by what it decides and for whom, so
//! that a city can be rendered in any order, in parts, or twice, and always says the same.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of chance decides. The numbers are part of what a seed means: never renumber, only add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Stream {
    /// Who lives in a household.
    Household = 1,
    /// What a relationship does over time.
    Relation = 2,
    /// Which numbers a person holds.
    Numbers = 3,
    /// How an agency wrote a person down.
    View = 4,
    /// A slip of the pen in one event.
    Slip = 5,
    /// Which of an agency's records of one person is used.
    Nominal = 6,
    /// Contacts about families without abuse.
    Family = 7,
    /// Cases of people who are in no incident.
    Client = 8,
    /// Corrections, withdrawals, repeats and rubbish in the feeds.
    Noise = 9,
    /// Event ids.
    Id = 10,
    /// Which agencies know a person, for the linkage rows.
    Known = 11,
    /// Canary people.
    Canary = 12,
    /// Streets and units.
    Address = 13,
    /// Clients of substance misuse services.
    Substance = 14,
    /// Plans for children.
    Plan = 15,
    /// Young people whom the youth offending team works with.
    Youth = 16,
}

/// One stream of chance. No transcendental function is used on what it draws: they differ between platforms.
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream that decides `what` for the thing numbered `(first, second)` in the city of `seed`.
    pub(super) fn new(seed: u64, what: Stream, first: u64, second: u64) -> Self {
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([seed, what as u64, first, second]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// Uniform in `0..bound`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0.random_range(0..bound)
    }

    /// Uniform in `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0.random_range(low..=high)
    }

    /// Between zero and `most`, mostly near zero: for delays and durations.
    pub(super) fn mostly_short(&mut self, most: i64) -> i64 {
        let unit = self.unit();
        (most as f64 * unit * unit * unit) as i64
    }

    /// One of these, evenly.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u32) as usize]
    }

    /// A rank below `count` with a long tail: rank k is drawn in proportion to √(k+1) − √k, so names are as uneven as names are.
    pub(super) fn rank(&mut self, count: u32) -> u32 {
        let unit = self.unit();
        ((f64::from(count) * unit * unit) as u32).min(count - 1)
    }

    /// The position of one of these weights, in proportion to them.
    pub(super) fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (position, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return position;
            }
        }
        weights.len() - 1
    }

    /// Sixteen bytes.
    pub(super) fn bytes(&mut self) -> [u8; 16] {
        self.0.random()
    }
}

/// A different place in `0..size` for every number below `size`: keys that are unique without being consecutive.
/// `step` must share no factor with `size`.
pub(super) fn scattered(number: u64, step: u64, shift: u64, size: u64) -> u64 {
    ((u128::from(number) * u128::from(step) + u128::from(shift)) % u128::from(size)) as u64
}
