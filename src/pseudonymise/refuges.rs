//! Addresses of refuges and other safe places, known here by their tokens alone. Whoever is recorded at one is recorded
//! without an address: nothing that is kept, compared, asked or sent can tell or imply where it is, and people who live
//! together there are not taken for a household.

use std::collections::BTreeSet;

use super::Pseudonymiser;
use super::fields::token;
use crate::model::tokens::Token;
use crate::normalise::{NormalPerson, Place, Word, normalise_place};

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

    /// Takes a refuge's address out of what is said of a person, wherever an agency wrote it.
    pub(super) fn forget_refuge(&self, person: &mut NormalPerson) {
        if self.refuges.is_empty() {
            return;
        }
        let listed =
            |key, word: Option<&Word>| word.is_some_and(|word| self.refuges.contains(&token(key, &[word.expose()])));
        let unit = person.identity.postcode.as_ref().and_then(|code| code.unit.as_ref());
        let lives_there = listed(&self.keys.unit, unit) || listed(&self.keys.uprn, person.identity.uprn.as_ref());
        let in_address = person.as_sent.address.as_ref().is_some_and(|line| self.is_written_in(line.expose()));
        person.hide(lives_there || in_address, |text| self.is_written_in(text));
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
