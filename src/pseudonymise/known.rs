//! Tokens of small universes, hashed once: first and family names, dates of birth and postcodes come again and again, and
//! each takes a dozen hashes and more.
//!
//! What is remembered is found by its own keyed hash, 128 bits of it, and is made of tokens: no clear text stays here, and
//! nothing that the register does not hold. What comes out is the same with it and without it.

use std::sync::{PoisonError, RwLock};

use rustc_hash::FxHashMap;

/// Values of one field that are remembered at the most; what comes after is hashed each time.
const VALUES: usize = 1 << 16;

/// The tokens of values of one field, by keyed hash.
pub(super) struct Known<T> {
    tokens: RwLock<FxHashMap<[u8; 16], T>>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { tokens: RwLock::default() }
    }
}

impl<T: Clone> Known<T> {
    /// What is remembered of a value, or what `hash` makes of it.
    pub(super) fn get(&self, mac: [u8; 16], hash: impl FnOnce() -> T) -> T {
        // A thread that panicked left at the worst a value that is not remembered.
        if let Some(known) = self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&mac) {
            return known.clone();
        }
        let tokens = hash();
        let mut known = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < VALUES {
            known.insert(mac, tokens.clone());
        }
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_hashed_again_and_what_is_too_much_is_not_kept() {
        let known = Known::default();
        let mac = |number: usize| {
            let mut mac = [0; 16];
            mac[..8].copy_from_slice(&number.to_be_bytes());
            mac
        };
        for number in 0..VALUES + 10 {
            assert_eq!(known.get(mac(number), || number), number);
        }
        assert_eq!(known.get(mac(7), || unreachable!("it is known")), 7);
        assert_eq!(known.get(mac(VALUES + 1), || 1), 1, "hashed again");
        assert_eq!(known.tokens.read().expect("whole").len(), VALUES);
    }
}
