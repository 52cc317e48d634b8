//! Keyed tokens: what linkage may see of a person.
//!
//! A token is a keyed hash of one normalised value (or of several together) under the key of its field. Equal values give
//! equal tokens within one scope and epoch; nothing else can be read from them without the key.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smallvec::SmallVec;

/// The first 64 bits of an HMAC-SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Token(pub u64);

impl Serialize for Token {
    /// Eight raw bytes in binary forms (a random number would grow as a varint), 16 hex digits in text forms (JSON's
    /// numbers do not hold 64 bits).
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        if out.is_human_readable() {
            out.collect_str(&format_args!("{:016x}", self.0))
        } else {
            out.serialize_f64(as_float(*self))
        }
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        if input.is_human_readable() {
            let text = String::deserialize(input)?;
            let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let value = digits.then(|| u64::from_str_radix(&text, 16).ok()).flatten();
            value.map(Self).ok_or_else(|| serde::de::Error::custom("a token is 16 hexadecimal digits"))
        } else {
            f64::deserialize(input).map(|float| Self(float.to_bits().swap_bytes()))
        }
    }
}

/// The float whose eight bytes, as postcard writes them, are the token's, highest first. No number is meant: an array would be
/// written and read byte by byte, which for a person's hundred tokens takes longer than their hash.
fn as_float(token: Token) -> f64 {
    f64::from_bits(token.0.swap_bytes())
}

/// How many deletion tokens every name has, however long it is: its length must not show.
pub const NAME_DELETIONS: usize = 12;

/// How many tokens of its other forms every name has: how many are known must not show.
pub const NAME_FORMS: usize = 4;

/// How many deletion tokens a postcode has.
pub const POSTCODE_DELETIONS: usize = 8;

/// How many tokens of an address's words are kept.
pub const ADDRESS_WORDS: usize = 6;

/// Digits of a date of birth, `YYYYMMDD`, each left out once.
pub const DATE_DIGITS: usize = 8;

/// One name. Given and family names share their keys, so that a name in the wrong place is still an equal token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameTokens {
    /// The name.
    pub exact: Token,
    /// What it may be a short form or another spelling of, itself among them, sorted and padded: two names that share one
    /// are forms of one name.
    pub forms: [Token; NAME_FORMS],
    /// How it sounds (double metaphone).
    pub phonetic: Token,
    /// Its first letter.
    pub initial: Token,
    /// The name and the name with one letter left out, sorted and padded: two names that share one are one edit apart.
    pub deletions: [Token; NAME_DELETIONS],
}

/// A second given name, often only a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MiddleTokens {
    /// The name; absent when only its letter is known.
    pub exact: Option<Token>,
    /// Its first letter.
    pub initial: Token,
}

/// A date of birth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DateTokens {
    /// The whole date.
    pub whole: Token,
    /// Day and month in the other order, hashed as a whole date; the date itself where they cannot be swapped.
    pub swapped: Token,
    /// The date with each digit in turn left open.
    pub wildcards: [Token; DATE_DIGITS],
    /// Year.
    pub year: Token,
    /// Year and month.
    pub year_month: Token,
    /// Month and day.
    pub month_day: Token,
    /// Year and day.
    pub year_day: Token,
}

/// A postcode, from the unit down to the area.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostcodeTokens {
    /// The whole; absent where only its outward half is known.
    pub unit: Option<Token>,
    /// Without its last two characters.
    pub sector: Option<Token>,
    /// The outward half.
    pub district: Token,
    /// The leading letters, or digits where there are none.
    pub area: Token,
    /// The whole and the whole with one character left out, sorted and padded.
    pub deletions: [Token; POSTCODE_DELETIONS],
}

/// One line of address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressTokens {
    /// The whole line.
    pub whole: Token,
    /// First number and first word.
    pub number_street: Option<Token>,
    /// Its longest words, sorted.
    pub words: SmallVec<[Token; ADDRESS_WORDS]>,
}

/// A kind of number that names one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberKind {
    /// Police National Computer id; its check letter held.
    Pnc,
    /// Criminal Records Office number; its check letter held.
    Cro,
    /// NHS number; its check digit held.
    Nhs,
    /// Probation case reference number; no check letter.
    Crn,
    /// Prison (NOMIS) number; no check letter.
    Noms,
    /// A number of another scheme, from a table; no check letter.
    National,
}

impl NumberKind {
    /// Every kind, in order.
    pub const ALL: [Self; 6] = [Self::Pnc, Self::Cro, Self::Nhs, Self::Crn, Self::Noms, Self::National];

    /// Its name in settings and field keys.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pnc => "pnc",
            Self::Cro => "cro",
            Self::Nhs => "nhs",
            Self::Crn => "crn",
            Self::Noms => "noms",
            Self::National => "national",
        }
    }

    /// A number whose check letter held was copied rightly: two different ones are two people.
    #[must_use]
    pub fn is_checked(self) -> bool {
        matches!(self, Self::Pnc | Self::Cro | Self::Nhs)
    }
}

/// One number of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberTokens {
    /// Of which scheme.
    pub kind: NumberKind,
    /// The number.
    pub exact: Token,
    /// The number and the number with one character left out, sorted; empty where a check letter makes it needless.
    pub deletions: SmallVec<[Token; 0]>,
}

/// Everything linkage compares of one person. Every part may be missing; missing is no evidence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PersonTokens {
    /// First given name.
    pub given: Option<NameTokens>,
    /// Second given name.
    pub middle: Option<MiddleTokens>,
    /// Other given names: further ones, parts of a hyphenated one, former ones and aliases. Sorted.
    pub other_given: SmallVec<[Token; 2]>,
    /// Family name.
    pub family: Option<NameTokens>,
    /// Other family names: parts of a double one, former ones and aliases. Sorted.
    pub other_family: SmallVec<[Token; 2]>,
    /// Date of birth.
    pub date: Option<DateTokens>,
    /// Sex and date of birth together: tells sister from brother among twins, and nothing alone.
    pub sex_and_date: Option<Token>,
    /// Postcode.
    pub postcode: Option<PostcodeTokens>,
    /// Address.
    pub address: Option<AddressTokens>,
    /// Unique Property Reference Number.
    pub uprn: Option<Token>,
    /// Numbers, sorted by kind, one of each.
    pub numbers: SmallVec<[NumberTokens; 1]>,
    /// Compound blocking keys, sorted, each once: only records that share one are compared.
    pub blocking: Vec<Token>,
}

impl PersonTokens {
    /// What there are tokens of, in words.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        let parts = [
            ("given name", self.given.is_some()),
            ("middle name", self.middle.is_some()),
            ("other given names", !self.other_given.is_empty()),
            ("family name", self.family.is_some()),
            ("other family names", !self.other_family.is_empty()),
            ("date of birth", self.date.is_some()),
            ("sex with date of birth", self.sex_and_date.is_some()),
            ("postcode", self.postcode.is_some()),
            ("address", self.address.is_some()),
            ("UPRN", self.uprn.is_some()),
        ];
        let numbers = self.numbers.iter().map(|number| number.kind.name());
        parts.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).chain(numbers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_in_both_forms() {
        let token = Token(0x0123_4567_89ab_cdef);
        let json = serde_json::to_string(&token).expect("a token serialises");
        assert_eq!(json, "\"0123456789abcdef\"");
        assert_eq!(serde_json::from_str::<Token>(&json).expect("it reads back"), token);
        let bytes = postcard::to_stdvec(&token).expect("a token serialises");
        assert_eq!(bytes, [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!(postcard::from_bytes::<Token>(&bytes).expect("it reads back"), token);
        assert!(serde_json::from_str::<Token>("\"xyz\"").is_err());
        // Those that would be no number are tokens like any other: quiet and signalling, of either sign, infinite.
        for bits in
            [0x7ff8_0000_0000_0001_u64, 0x7ff0_0000_0000_0001, 0xfff0_dead_beef_0001, 0x7ff0_0000_0000_0000, u64::MAX]
        {
            let token = Token(bits.swap_bytes());
            let bytes = postcard::to_stdvec(&token).expect("a token serialises");
            assert_eq!(bytes, token.0.to_be_bytes());
            assert_eq!(postcard::from_bytes::<Token>(&bytes).expect("it reads back"), token);
        }
    }
}
