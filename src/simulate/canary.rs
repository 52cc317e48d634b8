//! People whose every particular is a made-up string that nothing else could contain, for tests that search everything
//! the service wrote for them.

use jiff::civil::{Date, date};

use super::dice::{Dice, Stream, scattered};
use super::names::Written;

/// What kind of particular a canary text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CanaryKind {
    /// A given, family or former name, one word.
    Name,
    /// A date of birth as the feeds write it.
    BirthDate,
    /// One line of address.
    Address,
    /// A postcode, with its space.
    Postcode,
    /// A PNC id, CRO, NHS, CRN, NOMIS or property number.
    Number,
    /// An agency's own reference. A service that opens its alerts sees its own.
    LocalReference,
}

impl CanaryKind {
    /// Its name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CanaryKind::Name => "name",
            CanaryKind::BirthDate => "birth_date",
            CanaryKind::Address => "address",
            CanaryKind::Postcode => "postcode",
            CanaryKind::Number => "number",
            CanaryKind::LocalReference => "local_reference",
        }
    }
}

/// One text that must never come out in clear.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Canary {
    /// The person's true number.
    pub person: u32,
    /// What it is.
    pub kind: CanaryKind,
    /// The text as the feeds have it. Search other cases and encodings too.
    pub text: String,
}

/// Syllables of no language. Sixteen, so that a number can be said in them.
const SYLLABLES: [&str; 16] =
    ["qux", "zvy", "xof", "jaq", "vyz", "kqe", "wuq", "pzo", "ghy", "bxu", "fyq", "zij", "qom", "xev", "juz", "kyx"];

/// A word that says a number below 2^20, and no other word says it in this `voice`.
fn word(number: u32, voice: u32) -> String {
    let said = scattered(u64::from(number), 1_039_787, u64::from(voice) * 65_537, 1 << 20);
    let mut word: String = (0..5).map(|digit| SYLLABLES[(said >> (4 * digit)) as usize % 16]).collect();
    word[..1].make_ascii_uppercase();
    word
}

/// Name and former name of a canary.
pub(super) fn name(seed: u64, number: u32) -> (Written, Option<Written>) {
    let shift = (seed % 1_000) as u32;
    let given = vec![word(number, shift), word(number, shift + 1)];
    let family = |voice| Some(word(number, shift + voice));
    (Written { given: given.clone(), family: family(2) }, Some(Written { given, family: family(3) }))
}

/// A date of birth that no event could have happened on.
pub(super) fn born(seed: u64, number: u32, child: bool, start: Date) -> Date {
    let mut dice = Dice::new(seed, Stream::Canary, u64::from(number), 0);
    let years = if child { i64::from(start.year()) - 13..=i64::from(start.year()) - 9 } else { 1906..=1919 };
    let year = dice.between(*years.start(), *years.end()) as i16;
    date(year, dice.between(1, 12) as i8, dice.between(1, 28) as i8)
}

/// One line of address and a postcode of an area that does not exist.
pub(super) fn address(seed: u64, number: u32) -> (String, String) {
    let place = scattered(u64::from(number), 7_919, seed % 997, 40_000);
    let letter = |index: u64| char::from(b"ABDEFGHJLNPQRSTUWXYZ"[(index % 20) as usize]);
    let postcode = format!("ZX{} {}{}{}", place / 4_000, place / 400 % 10, letter(place / 20), letter(place));
    (format!("{} {} Road", 1 + number % 90, word(number, (seed % 1_000) as u32 + 4)), postcode)
}
