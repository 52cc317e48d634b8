//! The linkage model: weights, frequencies and limits, versioned and frozen for an epoch.
//!
//! Clusters are a function of the records and of this; nothing in it is learnt from the running register.

use std::sync::Arc;

mod file;

pub use self::file::Provenance;
use self::file::RawModel;
use crate::model::frequencies::{Frequencies, Shares, full_name};
use crate::model::tokens::Token;

/// Match weight in 1/256 bit: sums are exact, so they do not depend on order or machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Bits(pub i32);

impl Bits {
    /// Rounds to the nearest 1/256 bit.
    #[must_use]
    pub fn new(bits: f64) -> Self {
        // The range of weights is far inside i32; the cast saturates beyond it.
        #[allow(clippy::cast_possible_truncation)]
        Self((bits * 256.0).round() as i32)
    }

    /// As a number of bits.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 256.0
    }
}

/// By how much a name must be commoner as a given name to be taken for that, in 1/256 bit: more than of a name that no list
/// has.
const CLEARLY: i32 = 5 * 128;

/// By how much a name must be commoner as a family name to be taken for that, in 1/256 bit.
const SOMEWHAT: i32 = 128;

/// What a second name is worth at most that whole communities bear, in 1/256 bit.
pub(super) const SHARED_MIDDLE: i32 = 256;

/// How many levels a field may have.
pub(super) const MOST_LEVELS: usize = 8;

/// What levels of one field are worth, by the level's place in its list.
pub(super) type Table = [i32; MOST_LEVELS];

/// How often a level is seen among records of one person (m) and of two (u).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rates {
    pub(super) m: [f64; MOST_LEVELS],
    pub(super) u: [f64; MOST_LEVELS],
    pub(super) levels: usize,
    /// The first level's u belongs to the frequency of its value.
    pub(super) by_frequency: bool,
}

impl Rates {
    pub(super) fn table(&self) -> Table {
        let mut table = Table::default();
        for (level, bits) in table.iter_mut().enumerate().take(self.levels) {
            *bits = Bits::new((self.m[level] / self.u[level]).log2()).0;
        }
        table
    }
}

/// The fields whose levels have rates, in the order of [`LinkageModel::rates`].
pub(super) const GIVEN: usize = 0;
pub(super) const MIDDLE: usize = 1;
pub(super) const FAMILY: usize = 2;
pub(super) const DATE: usize = 3;
pub(super) const POSTCODE: usize = 4;
pub(super) const ADDRESS: usize = 5;
pub(super) const NUMBER: usize = 6;
pub(super) const FIELDS: usize = 7;

/// A checked linkage model.
#[derive(Debug, Clone)]
pub struct LinkageModel {
    version: String,
    /// The file it was read from.
    text: Arc<str>,
    /// How many people the records are expected to be drawn from; the prior follows from it.
    population: u32,
    /// By how much the odds are set lower than they are, in 1/256 bit.
    caution: i32,
    pub(super) prior: i32,
    pub(super) link: i32,
    pub(super) review: i32,
    pub(super) clip: i32,
    pub(super) household_cap: i32,
    pub(super) margin: i32,
    pub(super) conflict: i32,
    pub(super) numbers_apart: bool,
    pub(super) average_linkage: bool,
    pub(super) twins_apart: bool,
    pub(super) perhaps_twins: i32,
    pub(super) generations: i32,
    pub(super) perhaps_generations: i32,
    pub(super) names_cap: i32,
    pub(super) other_sex: i32,
    pub(super) number_cap: i32,
    pub(super) disputed_number: i32,
    pub(super) local_ref: i32,
    pub(super) crossed: i32,
    pub(super) block_limit: usize,
    pub(super) unit_limit: usize,
    pub(super) bar_step: i32,
    pub(super) rates: [Rates; FIELDS],
    pub(super) tables: [Table; FIELDS],
    exact_strength: f64,
    fuzzy_strength_256: i32,
    floor_share: f64,
    chance: Chance,
    frequencies: Frequencies,
}

/// The u of exact agreement, against which a value's own frequency is set.
#[derive(Debug, Clone, Copy)]
struct Chance {
    given: f64,
    family: f64,
    date: f64,
    unit: f64,
}

/// A model file that cannot be used. Says where, never what was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Not TOML of the right shape.
    #[error("the model file does not have the form of a linkage model")]
    Form,
    /// A probability outside 0..1, or a limit that makes no sense.
    #[error("{0} is out of range")]
    Range(&'static str),
}

impl LinkageModel {
    /// The model that is compiled in.
    #[must_use]
    pub fn compiled_in() -> Self {
        Self::parse(include_str!("model/default.toml")).expect("the compiled-in model is valid, as a test shows")
    }

    /// The prior that training starts from: rates as published, of no register.
    #[must_use]
    pub fn published() -> Self {
        Self::parse(include_str!("model/published.toml")).expect("the published prior is valid, as a test shows")
    }

    /// Reads a model file, strictly.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let raw: RawModel = toml::from_str(text).map_err(|_| ModelError::Form)?;
        let model = raw.check()?;
        Ok(Self { text: Arc::from(text), ..model })
    }

    /// The file it was read from, to be read again. What was changed since by `with_…` is not in it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its version: clusters of different versions are not comparable.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The weight from which records join.
    #[must_use]
    pub fn link_bits(&self) -> Bits {
        Bits(self.link)
    }

    /// The weight from which a person is asked.
    #[must_use]
    pub fn review_bits(&self) -> Bits {
        Bits(self.review)
    }

    /// The same model with another bar for joining; how `--curve` finds its points.
    #[must_use]
    pub fn with_link_bits(mut self, bits: f64) -> Self {
        self.link = Bits::new(bits).0;
        self.review = self.review.min(self.link);
        self
    }

    /// The same model with other odds before evidence.
    #[must_use]
    pub fn with_prior_bits(mut self, bits: f64) -> Self {
        self.prior = Bits::new(bits).0;
        self
    }

    /// The same model for records of another number of people: the more there are, the more likely two are alike by chance.
    #[must_use]
    pub fn with_population(mut self, people: u32) -> Self {
        self.population = people;
        self.prior = Bits::new(-f64::from(people).log2()).0 - self.caution;
        self
    }

    /// How many people the records are expected to be drawn from.
    #[must_use]
    pub fn population(&self) -> u32 {
        self.population
    }

    /// Whether everything that keeps two persons apart is in force; other models are for measuring what each part is worth.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.numbers_apart && self.average_linkage && self.twins_apart
    }

    /// The same model for records among which no relatives live together: shared homes count in full.
    #[must_use]
    pub fn without_households(mut self) -> Self {
        self.household_cap = i32::MAX;
        self.margin = 0;
        self.twins_apart = false;
        self.perhaps_twins = 0;
        self.generations = 0;
        self.perhaps_generations = 0;
        self.names_cap = i32::MAX;
        self
    }

    /// The same model with other rates.
    pub(super) fn with_rates(mut self, rates: [Rates; FIELDS]) -> Self {
        self.rates = rates;
        self.tables = rates.map(|rates| rates.table());
        self
    }

    /// The odds before evidence.
    #[must_use]
    pub fn prior_bits(&self) -> Bits {
        Bits(self.prior)
    }

    /// The same model with the frequencies of these values in place of the average.
    #[must_use]
    pub fn with_frequencies(mut self, frequencies: Frequencies) -> Self {
        self.frequencies = frequencies;
        self
    }

    pub(super) fn given_rarity(&self, token: Token) -> i16 {
        self.rarity(&self.frequencies.given, token, self.chance.given)
    }

    pub(super) fn family_rarity(&self, token: Token) -> i16 {
        self.rarity(&self.frequencies.family, token, self.chance.family)
    }

    pub(super) fn date_rarity(&self, token: Token) -> i16 {
        self.rarity(&self.frequencies.date, token, self.chance.date)
    }

    pub(super) fn unit_rarity(&self, token: Token) -> i16 {
        self.rarity(&self.frequencies.unit, token, self.chance.unit)
    }

    /// What given and family name tell together where more people bear both than either name by itself lets expect.
    pub(super) fn full_name_bits(&self, given: Token, family: Token) -> Option<i16> {
        let share = self.frequencies.full_name.listed(full_name(given, family))?;
        let both = self.rates[GIVEN].m[0] * self.rates[FAMILY].m[0];
        i16::try_from(Bits::new((both / share).log2()).0).ok()
    }

    /// Whether a name is clearly a given name rather than a family name, by how much it tells as either.
    pub(super) fn is_given_name(&self, as_given: i16, as_family: i16) -> bool {
        self.given_rather(as_given, as_family) >= CLEARLY
    }

    /// Whether a name is borne as a family name more often than as a given one.
    pub(super) fn is_family_name(&self, name: Token) -> bool {
        self.given_rather(self.given_rarity(name), self.family_rarity(name)) <= -SOMEWHAT
    }

    /// By how many bits a name is commoner as a given name than as a family name, in 1/256 bit.
    fn given_rather(&self, as_given: i16, as_family: i16) -> i32 {
        let ratio = Bits::new((self.chance.given / self.chance.family).log2()).0;
        ratio - i32::from(as_given) + i32::from(as_family)
    }

    /// How much more, or less, agreement on this value tells than agreement on an average one.
    fn rarity(&self, shares: &Shares, token: Token, chance: f64) -> i16 {
        let Some(share) = shares.of(token) else { return 0 };
        let bits = self.exact_strength * (chance / share.max(self.floor_share)).log2().clamp(-12.0, 12.0);
        i16::try_from(Bits::new(bits).0).expect("twelve bits in 1/256 fit sixteen")
    }

    /// The part of the frequency term that counts where values only resemble each other.
    pub(super) fn fuzzy(&self, rarity: i32) -> i32 {
        rarity * self.fuzzy_strength_256 / 256
    }

    /// The bars at which oversized groups are cut, rising from the link bar.
    pub(super) fn bars(&self) -> impl Iterator<Item = i32> {
        let (link, step, clip) = (self.link, self.bar_step, self.clip.max(self.link));
        (0..).map(move |rise| link + rise * step).take_while(move |bar| *bar <= clip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_model_is_valid() {
        let model = LinkageModel::compiled_in();
        assert!(!model.version().is_empty() && model.is_as_trained() && model.is_whole());
        assert!(LinkageModel::published().is_whole());
        assert!(model.tables[GIVEN][0] > 0 && model.tables[GIVEN][7] < 0);
    }

    #[test]
    fn a_model_with_unknown_or_impossible_parts_is_refused() {
        let text = include_str!("model/default.toml");
        assert_eq!(LinkageModel::parse(&format!("{text}\nsurprise = 1")).err(), Some(ModelError::Form));
        let impossible = text.replacen("m = 0.8,", "m = 1.8,", 1);
        assert_eq!(LinkageModel::parse(&impossible).err(), Some(ModelError::Range("levels.given")));
    }
}
