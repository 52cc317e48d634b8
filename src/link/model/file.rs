//! The model as a file: read strictly, and written by training into the file it started from, comments and all.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

use super::{Bits, Chance, FIELDS, LinkageModel, ModelError, Rates};
use crate::model::frequencies::Frequencies;
use crate::model::ids::hex;

/// Where a model's weights come from. Names no person and no value of one: counts, feeds and key epochs at the most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// How the weights were found.
    pub method: String,
    /// The day, `YYYY-MM-DD`.
    pub made_on: String,
    /// Name and version of the program.
    pub tool: String,
    /// The command that makes this file again.
    pub command: String,
    /// Version of the model that training started from; empty for none.
    pub parent: String,
    /// SHA-256 of that model's file; empty for none.
    pub parent_sha256: String,
    /// How many records training saw.
    pub records: u64,
    /// Whose records they were.
    pub feeds: Vec<String>,
    /// Epochs of the linkage keys that their tokens were made with, by scope.
    pub linkage_key_epochs: Vec<String>,
    /// Where frequencies of values come from: they are not in the file.
    pub frequencies: String,
    /// SHA-256 of everything in the file but comments, blank lines and this table; empty where it is changed by hand.
    pub weights_sha256: String,
}

impl LinkageModel {
    /// Where the weights come from.
    #[must_use]
    pub fn provenance(&self) -> Option<Provenance> {
        toml::from_str::<RawModel>(&self.text).ok().map(|raw| raw.provenance)
    }

    /// Whether the file is as training left it; a model made by hand claims nothing.
    #[must_use]
    pub fn is_as_trained(&self) -> bool {
        self.provenance().is_none_or(|provenance| {
            provenance.weights_sha256.is_empty() || provenance.weights_sha256 == weights_sha256(&self.text)
        })
    }

    /// SHA-256 of the file it was read from.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.text.as_bytes()))
    }

    /// A file like the one it was read from, with the rates and population it has now.
    ///
    /// # Errors
    /// When the file has not one entry a line, as the compiled-in one has.
    pub fn to_file(&self, version: &str, provenance: &Provenance) -> Result<String, ModelError> {
        let mut body = String::new();
        let (mut section, mut level) = (String::new(), 0);
        for line in self.text.lines() {
            if let Some(name) = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                (section, level) = (name.to_owned(), 0);
            }
            if section == "provenance" {
                continue;
            }
            let key = line.split('=').next().unwrap_or_default().trim();
            let comment = line.find('#').map_or("", |at| &line[at..]);
            let field =
                section.strip_prefix("levels.").and_then(|field| FIELD_NAMES.iter().position(|name| *name == field));
            let written = match field {
                _ if section.is_empty() && key == "version" => writeln!(body, "version = {}", quoted(version)),
                _ if section == "decision" && key == "population" => {
                    let value = format!("population = {}", self.population);
                    writeln!(body, "{value:<27} {comment}")
                }
                Some(field) if line.contains('{') => {
                    let rates = &self.rates[field];
                    let (m, u) = (rates.m.get(level).copied(), rates.u.get(level).copied());
                    level += 1;
                    writeln!(body, "{key} = {{ m = {}, u = {} }}", number(m), number(u))
                }
                _ => writeln!(body, "{line}"),
            };
            written.expect("a string takes everything");
        }
        let provenance = Provenance { weights_sha256: weights_sha256(&body), ..provenance.clone() };
        let table = toml::to_string(&provenance).expect("texts and numbers have a TOML form");
        let (top, rest) = body.split_once("\n[").ok_or(ModelError::Form)?;
        let file = format!("{}\n\n[provenance]\n{table}\n[{rest}", top.trim_end());
        let read = Self::parse(&file)?;
        let alike = |one: &Rates, two: &Rates| {
            let near = |one: f64, two: f64| (one - two).abs() <= 1e-5 * two;
            (0..two.levels).all(|at| near(one.m[at], two.m[at]) && near(one.u[at], two.u[at]))
        };
        let is_written = (0..FIELDS).all(|field| alike(&read.rates[field], &self.rates[field]));
        if is_written && read.population == self.population && read.version == version {
            Ok(file)
        } else {
            Err(ModelError::Form)
        }
    }
}

/// Fields by their place among the rates.
const FIELD_NAMES: [&str; FIELDS] = ["given", "middle", "family", "date", "postcode", "address", "number"];

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Six digits, which is more than training knows.
fn number(value: Option<f64>) -> String {
    let value = value.unwrap_or_default();
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    format!("{rounded}")
}

fn weights_sha256(text: &str) -> String {
    let mut hash = Sha256::new();
    let mut in_provenance = false;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.starts_with('[') {
            in_provenance = line == "[provenance]";
        }
        if !line.is_empty() && !in_provenance {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
    }
    hex(&hash.finalize())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawModel {
    version: String,
    provenance: Provenance,
    decision: RawDecision,
    frequency: RawFrequency,
    levels: RawLevels,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDecision {
    population: u32,
    caution_bits: f64,
    link_bits: f64,
    review_bits: f64,
    clip_bits: f64,
    household_cap_bits: f64,
    margin_bits: f64,
    conflict_bits: f64,
    numbers_apart: bool,
    average_linkage: bool,
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
    pub(super) fn check(self) -> Result<LinkageModel, ModelError> {
        let RawModel { version, provenance, decision, frequency, levels } = self;
        let bits = |name: &'static str, value: f64| {
            (value.abs() <= 64.0).then(|| Bits::new(value).0).ok_or(ModelError::Range(name))
        };
        let within = |name: &'static str, ok: bool| if ok { Ok(()) } else { Err(ModelError::Range(name)) };
        within("provenance.method", !provenance.method.trim().is_empty())?;
        within("population", decision.population >= 2)?;
        within("caution_bits", (0.0..=20.0).contains(&decision.caution_bits))?;
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
        let model = LinkageModel {
            version,
            text: Arc::default(),
            population: decision.population,
            caution: bits("caution_bits", decision.caution_bits)?,
            prior: 0,
            link: bits("link_bits", decision.link_bits)?,
            review: bits("review_bits", decision.review_bits)?,
            clip: bits("clip_bits", decision.clip_bits)?,
            household_cap: bits("household_cap_bits", decision.household_cap_bits)?,
            margin: bits("margin_bits", decision.margin_bits)?,
            conflict: bits("conflict_bits", decision.conflict_bits)?,
            numbers_apart: decision.numbers_apart,
            average_linkage: decision.average_linkage,
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
        };
        Ok(model.with_population(decision.population))
    }
}
