//! How common values are, by their tokens: what agreement on a value is worth. Frozen with the linkage model.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize, Serializer};

use super::ids::ScopeId;
use super::tokens::{PersonTokens, Token};

/// Shares of the population by value of one field.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Shares {
    #[serde(serialize_with = "in_order")]
    listed: FxHashMap<Token, f64>,
    rest: f64,
}

impl Shares {
    /// Listed values, and the share of each value that is not listed.
    #[must_use]
    pub fn new(listed: impl IntoIterator<Item = (Token, f64)>, rest: f64) -> Self {
        Self { listed: listed.into_iter().collect(), rest }
    }

    /// The share of a value that is listed.
    #[must_use]
    pub fn listed(&self, value: Token) -> Option<f64> {
        self.listed.get(&value).copied()
    }

    /// The share of a value; `None` where nothing is known of the field.
    #[must_use]
    pub fn of(&self, value: Token) -> Option<f64> {
        (!self.listed.is_empty()).then(|| self.listed.get(&value).copied().unwrap_or(self.rest))
    }
}

/// By token, so that one table has one text.
fn in_order<S: Serializer>(listed: &FxHashMap<Token, f64>, out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(listed.iter().collect::<BTreeMap<_, _>>())
}

/// The frequencies of one scope and epoch of its linkage key: what an agency that pseudonymises at the source gives to the
/// hub, which could not hash the public lists itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PublishedFrequencies {
    /// The partnership.
    pub scope: ScopeId,
    /// Epoch of the linkage key that made the tokens: the one that the hub takes events of.
    pub linkage_epoch: u32,
    /// How common what is.
    pub frequencies: Frequencies,
}

/// Shares of the fields in which common values are much more common than others.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Frequencies {
    /// First given names.
    pub given: Shares,
    /// Family names.
    pub family: Shares,
    /// Dates of birth.
    pub date: Shares,
    /// Postcode units.
    pub unit: Shares,
    /// Given and family name together, where so many people bear both that it shows; nothing is known of others.
    #[serde(default)]
    pub full_name: Shares,
}

/// From how many different dates of birth on a name is taken to be that of several people.
const NAMESAKES: usize = 3;

/// What a given and a family name are found by together.
#[must_use]
pub fn full_name(given: Token, family: Token) -> Token {
    Token(given.0 ^ family.0.rotate_left(1))
}

impl Frequencies {
    /// Counts the values of a finished table of records: `link` on a file is its own epoch. Never the running register's.
    #[must_use]
    pub fn counted<'a>(people: impl Iterator<Item = &'a PersonTokens>) -> Self {
        let mut counts: [FxHashMap<Token, u32>; 4] = Default::default();
        let mut born: FxHashMap<Token, FxHashSet<Token>> = FxHashMap::default();
        for person in people {
            if let (Some(given), Some(family), Some(date)) = (&person.given, &person.family, &person.date) {
                born.entry(full_name(given.exact, family.exact)).or_default().insert(date.whole);
            }
            let values = [
                person.given.as_ref().map(|name| name.exact),
                person.family.as_ref().map(|name| name.exact),
                person.date.as_ref().map(|date| date.whole),
                person.postcode.as_ref().and_then(|code| code.unit),
            ];
            for (counts, value) in counts.iter_mut().zip(values) {
                if let Some(value) = value {
                    *counts.entry(value).or_default() += 1;
                }
            }
        }
        let [given, family, date, unit] = counts.map(|counts| {
            let total: u32 = counts.values().sum();
            // The record itself is no evidence of how common its value is among others.
            let share = |count: u32| (f64::from(count) - 1.0).max(0.5) / f64::from(total);
            Shares::new(counts.into_iter().map(|(value, count)| (value, share(count))), 0.0)
        });
        // Records of one person count once, as far as they agree on the date.
        let count = |dates: &FxHashSet<Token>| f64::from(u32::try_from(dates.len()).unwrap_or(u32::MAX));
        let people: f64 = born.values().map(count).sum();
        let namesakes = born.iter().filter(|(_, dates)| dates.len() >= NAMESAKES);
        let namesakes = namesakes.map(|(name, dates)| (*name, (count(dates) - 1.0) / people));
        Self { given, family, date, unit, full_name: Shares::new(namesakes, 0.0) }
    }
}
