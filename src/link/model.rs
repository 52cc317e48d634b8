//! The linkage model: weights, frequencies and limits, versioned and frozen for an epoch.
//!
//! Clusters are a function of the records and of this; nothing in it is learnt from the running register.

use std::sync::Arc;

use serde::Deserialize;

use crate::model::frequencies::{Frequencies, Shares};
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
    pub(super) prior: i32,
    pub(super) link: i32,
    pub(super) review: i32,
    pub(super) clip: i32,
    pub(super) household_cap: i32,
    pub(super) margin: i32,
    pub(super) conflict: i32,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    version: String,
    provenance: String,
    decision: RawDecision,
    frequency: RawFrequency,
    levels: RawLevels,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDecision {
    prior_bits: f64,
    link_bits: f64,
    review_bits: f64,
    clip_bits: f64,
    household_cap_bits: f64,
    margin_bits: f64,
    conflict_bits: f64,
    twins_apart: bool,
    perhaps_twins_bits: f64,
    generations_bits: f64,
    perhaps_generations_bits: f64,
    names_cap_bits: f64,
    other_sex_bits: f64,
    number_cap_bits: f64,
    disputed_number_bits: f64,
    local_ref_bits: f64,
    crossed_bits: f64,
    block_limit: usize,
    unit_limit: usize,
    bar_step_bits: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFrequency {
    exact_strength: f64,
    fuzzy_strength: f64,
    floor_share: f64,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct Level {
    m: f64,
    u: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLevels {
    given: RawName,
    middle: RawMiddle,
    family: RawName,
    date: RawDate,
    postcode: RawPostcode,
    address: RawAddress,
    number: RawNumber,
}

/// Declares the levels of a field, best first, in the order of the level enums of `compare`.
macro_rules! raw_levels {
    ($name:ident { $($level:ident),+ }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name { $($level: Level),+ }

        impl $name {
            fn rates(&self, field: &'static str, by_frequency: bool) -> Result<Rates, ModelError> {
                rates(field, &[$(self.$level),+], by_frequency)
            }
        }
    };
}

raw_levels!(RawName { exact, nickname, deletion, phonetic, alternative, initial, letter, nothing });
raw_levels!(RawMiddle { exact, initial, letter, nothing });
raw_levels!(RawDate { exact, one_digit, swapped, year_month, month_day, year, nothing });
raw_levels!(RawPostcode { unit, deletion, sector, district, area, nothing });
raw_levels!(RawAddress { whole, number_street, many_words, words, word, nothing });
raw_levels!(RawNumber { exact, deletion, nothing });

fn rates(field: &'static str, levels: &[Level], by_frequency: bool) -> Result<Rates, ModelError> {
    let mut rates = Rates { levels: levels.len(), by_frequency, ..Rates::default() };
    for (at, level) in levels.iter().enumerate() {
        let probability = |value: f64| value > 0.0 && value <= 1.0;
        if !probability(level.m) || !probability(level.u) {
            return Err(ModelError::Range(field));
        }
        (rates.m[at], rates.u[at]) = (level.m, level.u);
    }
    Ok(rates)
}

impl RawModel {
    fn check(self) -> Result<LinkageModel, ModelError> {
        let RawModel { version, provenance, decision, frequency, levels } = self;
        let bits = |name: &'static str, value: f64| {
            (value.abs() <= 64.0).then(|| Bits::new(value).0).ok_or(ModelError::Range(name))
        };
        let within = |name: &'static str, ok: bool| if ok { Ok(()) } else { Err(ModelError::Range(name)) };
        within("provenance", !provenance.trim().is_empty())?;
        within("review_bits", decision.review_bits <= decision.link_bits)?;
        within("block_limit", (2..=10_000).contains(&decision.block_limit))?;
        within("unit_limit", (8..=4096).contains(&decision.unit_limit))?;
        within("bar_step_bits", decision.bar_step_bits >= 0.5)?;
        within("exact_strength", (0.0..=1.0).contains(&frequency.exact_strength))?;
        within("fuzzy_strength", (0.0..=1.0).contains(&frequency.fuzzy_strength))?;
        within("floor_share", frequency.floor_share > 0.0 && frequency.floor_share < 0.1)?;
        let chance = Chance {
            given: levels.given.exact.u,
            family: levels.family.exact.u,
            date: levels.date.exact.u,
            unit: levels.postcode.unit.u,
        };
        let rates = [
            levels.given.rates("levels.given", true)?,
            levels.middle.rates("levels.middle", false)?,
            levels.family.rates("levels.family", true)?,
            levels.date.rates("levels.date", true)?,
            levels.postcode.rates("levels.postcode", true)?,
            levels.address.rates("levels.address", false)?,
            levels.number.rates("levels.number", true)?,
        ];
        Ok(LinkageModel {
            version,
            text: Arc::default(),
            prior: bits("prior_bits", decision.prior_bits)?,
            link: bits("link_bits", decision.link_bits)?,
            review: bits("review_bits", decision.review_bits)?,
            clip: bits("clip_bits", decision.clip_bits)?,
            household_cap: bits("household_cap_bits", decision.household_cap_bits)?,
            margin: bits("margin_bits", decision.margin_bits)?,
            conflict: bits("conflict_bits", decision.conflict_bits)?,
            twins_apart: decision.twins_apart,
            perhaps_twins: bits("perhaps_twins_bits", decision.perhaps_twins_bits)?,
            generations: bits("generations_bits", decision.generations_bits)?,
            perhaps_generations: bits("perhaps_generations_bits", decision.perhaps_generations_bits)?,
            names_cap: bits("names_cap_bits", decision.names_cap_bits)?,
            other_sex: bits("other_sex_bits", decision.other_sex_bits)?,
            number_cap: bits("number_cap_bits", decision.number_cap_bits)?,
            disputed_number: bits("disputed_number_bits", decision.disputed_number_bits)?,
            local_ref: bits("local_ref_bits", decision.local_ref_bits)?,
            crossed: bits("crossed_bits", decision.crossed_bits)?,
            block_limit: decision.block_limit,
            unit_limit: decision.unit_limit,
            bar_step: bits("bar_step_bits", decision.bar_step_bits)?,
            rates,
            tables: rates.map(|rates| rates.table()),
            exact_strength: frequency.exact_strength,
            fuzzy_strength_256: Bits::new(frequency.fuzzy_strength).0,
            floor_share: frequency.floor_share,
            chance,
            frequencies: Frequencies::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_model_is_valid() {
        let model = LinkageModel::compiled_in();
        assert!(!model.version().is_empty());
        assert!(model.tables[GIVEN][0] > 0 && model.tables[GIVEN][7] < 0);
    }

    #[test]
    fn a_model_with_unknown_or_impossible_parts_is_refused() {
        let text = include_str!("model/default.toml");
        assert_eq!(LinkageModel::parse(&format!("{text}\nsurprise = 1")).err(), Some(ModelError::Form));
        let impossible = text.replacen("m = 0.80", "m = 1.80", 1);
        assert_eq!(LinkageModel::parse(&impossible).err(), Some(ModelError::Range("levels.given")));
    }
}
