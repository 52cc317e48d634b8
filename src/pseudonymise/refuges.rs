//! Addresses of refuges and other safe places, known here by their tokens alone. Whoever is recorded at one is recorded
//! without an address: nothing that is kept, compared, asked or sent can tell or imply where it is, and people who live
//! together there are not taken for a household.

use std::collections::BTreeSet;

use super::Pseudonymiser;
use super::fields::token;
use crate::model::tokens::Token;
use crate::normalise::{NormalIdentity, Place, normalise_place};

impl Pseudonymiser {
    /// Keeps these addresses out of everything.
    pub fn hide_refuges(&mut self, refuges: BTreeSet<Token>) {
        self.refuges = refuges;
    }

    /// The token of a postcode or UPRN as people write it; `None` when it is neither.
    #[must_use]
    pub fn refuge(&self, text: &str) -> Option<Token> {
        normalise_place(text).map(|place| match place {
            Place::Postcode(unit) => token(&self.keys.unit, &[unit.expose()]),
            Place::Uprn(uprn) => token(&self.keys.uprn, &[uprn.expose()]),
        })
    }

    /// Takes a refuge's address out of an identity, wherever an agency wrote it.
    pub(super) fn forget_refuge(&self, identity: &mut NormalIdentity) {
        if self.refuges.is_empty() {
            return;
        }
        let unit = identity.postcode.as_ref().and_then(|code| code.unit.as_ref());
        let unit = unit.is_some_and(|unit| self.refuges.contains(&token(&self.keys.unit, &[unit.expose()])));
        let uprn = identity.uprn.as_ref();
        let uprn = uprn.is_some_and(|uprn| self.refuges.contains(&token(&self.keys.uprn, &[uprn.expose()])));
        if unit || uprn {
            identity.forget_address();
        }
        if self.is_written_in(identity.written.given.expose()) {
            identity.forget_given_names();
        }
        if self.is_written_in(identity.written.family.expose()) {
            identity.forget_family_name();
        }
    }

    /// Does a text have a refuge's postcode or UPRN in it? One word or two together, as postcodes are written.
    fn is_written_in(&self, text: &str) -> bool {
        let words: Vec<&str> = text.split([' ', ',', ';', '(', ')', '/']).filter(|word| !word.is_empty()).collect();
        let has_digit = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
        let listed =
            |text: &str| has_digit(text) && self.refuge(text).is_some_and(|token| self.refuges.contains(&token));
        words.iter().any(|word| listed(word)) || words.windows(2).any(|pair| listed(&pair.concat()))
    }
}
