//! Tokens that come again and again, hashed once: of first and family names, dates of birth and postcodes, each of which takes a
//! dozen hashes and more; and of people, of whom agencies tell more than once, and who take a hundred.
//!
//! What is remembered is found by its own keyed hash, 128 bits of it, and is made of tokens: no clear text stays here. People
//! are forgotten with each day, and when an event turns out to name somebody who is not held any more. What comes out is the
//! same with it and without it.

use std::mem;
use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;

/// Values of one field that are remembered since the last were put behind, and as many behind them.
pub(super) const VALUES: usize = 1 << 15;

/// People, each some kilobyte.
pub(super) const PEOPLE: usize = 1 << 14;

/// Parts of what is known, each under a lock of its own, so that threads seldom wait for one another.
const PARTS: usize = 16;

/// Tokens by keyed hash, the latest: where there are as many as fit, those before them are forgotten.
pub(super) struct Known<T>([Part<T>; PARTS]);

/// The values whose hash begins alike.
struct Part<T> {
    most: usize,
    tokens: RwLock<Generations<T>>,
}

struct Generations<T> {
    latest: FxHashMap<[u8; 16], T>,
    earlier: FxHashMap<[u8; 16], T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self { latest: FxHashMap::default(), earlier: FxHashMap::default() }
    }
}

impl<T: Clone> Known<T> {
    /// Remembers twice as many at the most.
    pub(super) fn new(most: usize) -> Self {
        Self(std::array::from_fn(|_| Part { most: most / PARTS, tokens: RwLock::default() }))
    }

    /// What is remembered of a value, or what `hash` makes of it.
    pub(super) fn get(&self, mac: [u8; 16], hash: impl FnOnce() -> T) -> T {
        self.0[usize::from(mac[0]) % PARTS].get(mac, hash)
    }

    /// Remembers nothing any more.
    pub(super) fn forget(&self) {
        self.0.iter().for_each(Part::forget);
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let held = |part: &Part<T>| {
            let tokens = part.tokens.read().unwrap_or_else(PoisonError::into_inner);
            tokens.latest.len() + tokens.earlier.len()
        };
        self.0.iter().map(held).sum()
    }
}

impl<T: Clone> Part<T> {
    fn get(&self, mac: [u8; 16], hash: impl FnOnce() -> T) -> T {
        let earlier = {
            // A thread that panicked left at the worst a value that is not remembered.
            let known = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.latest.get(&mac) {
                return known.clone();
            }
            known.earlier.get(&mac).cloned()
        };
        let tokens = earlier.unwrap_or_else(hash);
        let mut known = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        let mut forgotten = FxHashMap::default();
        if known.latest.len() >= self.most {
            let latest = mem::take(&mut known.latest);
            forgotten = mem::replace(&mut known.earlier, latest);
        }
        known.latest.insert(mac, tokens.clone());
        drop(known);
        // Nobody waits for what is let go.
        drop(forgotten);
        tokens
    }

    fn forget(&self) {
        let known = mem::take(&mut *self.tokens.write().unwrap_or_else(PoisonError::into_inner));
        drop(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_not_hashed_again_and_the_others_are_forgotten() {
        let known = Known::new(10 * PARTS);
        // All of one part.
        let mac = |number: usize| {
            let mut mac = [0; 16];
            mac[8..].copy_from_slice(&number.to_be_bytes());
            mac
        };
        for number in 0..25 {
            assert_eq!(known.get(mac(number), || number), number);
        }
        let held = || {
            let tokens = known.0[0].tokens.read().expect("whole");
            (tokens.latest.len(), tokens.earlier.len())
        };
        assert_eq!(held(), (5, 10), "the first ten are forgotten");
        for number in (10..15).chain(20..25) {
            assert_eq!(known.get(mac(number), || unreachable!("it is known")), number);
        }
        assert_eq!(known.get(mac(7), || 1), 1, "hashed again");
        let (latest, earlier) = held();
        assert!(latest <= 10 && earlier <= 10);
        known.forget();
        assert_eq!(held(), (0, 0));
    }
}
