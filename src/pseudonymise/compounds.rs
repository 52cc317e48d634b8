//! Compound blocking keys: which records are compared at all. Each joins two or three parts, so that no single field with
//! few values stands alone; each survives some error, and together they survive most.

use super::fields::{FieldKeys, token};
use crate::model::tokens::Token;
use crate::normalise::{NormalIdentity, NormalName, Word};

/// All compound keys of one identity, sorted, each once.
pub(super) fn blocking(keys: &FieldKeys, identity: &NormalIdentity) -> Vec<Token> {
    let mut found = Found { keys, tokens: Vec::with_capacity(32) };
    let parts = Parts::of(identity);
    found.names(&parts);
    found.names_and_date(&parts);
    found.places(&parts);
    for other in &identity.other_family {
        found.join("date+family", &[parts.date, Some(other.expose())]);
        found.join("canonical+family", &[parts.canonical, Some(other.expose())]);
    }
    for (kind, number) in &identity.numbers {
        found.join("number", &[Some(kind.name()), Some(number.expose())]);
    }
    found.tokens.sort_unstable();
    found.tokens.dedup();
    found.tokens
}

/// The parts that compounds are made of, borrowed.
struct Parts<'a> {
    given: Option<&'a str>,
    canonical: Option<&'a str>,
    given_sound: Option<&'a str>,
    family: Option<&'a str>,
    family_sound: Option<&'a str>,
    /// Both sounds, in alphabetical order.
    sounds: [Option<&'a str>; 2],
    date: Option<&'a str>,
    unit: Option<&'a str>,
    district: Option<&'a str>,
    area: Option<&'a str>,
    number_street: Option<&'a str>,
    address: Option<&'a str>,
    uprn: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(identity: &'a NormalIdentity) -> Self {
        let whole = identity.given.as_ref().filter(|name| name.word.expose().len() > 1);
        let family = identity.family.as_ref().filter(|name| name.word.expose().len() > 1);
        let given_sound = whole.map(NormalName::phonetic);
        let family_sound = family.map(NormalName::phonetic);
        let mut sounds = [given_sound, family_sound];
        sounds.sort_unstable();
        let postcode = identity.postcode.as_ref();
        let address = identity.address.as_ref();
        Self {
            given: identity.given.as_ref().map(|name| name.word.expose()),
            canonical: whole.and_then(|name| name.forms().first().copied()),
            given_sound,
            family: family.map(|name| name.word.expose()),
            family_sound,
            sounds,
            date: identity.birth.as_ref().map(|date| std::str::from_utf8(&date.digits).unwrap_or("")),
            unit: postcode.and_then(|code| code.unit.as_ref()).map(Word::expose),
            district: postcode.map(|code| code.district.expose()),
            area: postcode.map(|code| code.area.expose()),
            number_street: address.and_then(|line| line.number_street.as_ref()).map(Word::expose),
            address: address.map(|line| line.whole.expose()),
            uprn: identity.uprn.as_ref().map(Word::expose),
        }
    }

    fn date_part(&self, from: usize, to: usize) -> Option<&'a str> {
        self.date.and_then(|date| date.get(from..to))
    }
}

fn first(text: Option<&str>, letters: usize) -> Option<&str> {
    text.map(|text| text.get(..letters).unwrap_or(text))
}

fn last(text: Option<&str>, letters: usize) -> Option<&str> {
    text.map(|text| text.get(text.len().saturating_sub(letters)..).unwrap_or(text))
}

struct Found<'a> {
    keys: &'a FieldKeys,
    tokens: Vec<Token>,
}

impl Found<'_> {
    /// Adds the compound, unless a part is missing.
    fn join(&mut self, label: &str, parts: &[Option<&str>]) {
        let mut all: smallvec::SmallVec<[&str; 6]> = smallvec::smallvec![label];
        for part in parts {
            match part {
                Some(part) => all.push(part),
                None => return,
            }
        }
        self.tokens.push(token(&self.keys.block, &all));
    }

    fn names(&mut self, parts: &Parts<'_>) {
        self.join("canonical+family", &[parts.canonical, parts.family]);
        self.join("first3+first4", &[first(parts.given, 3), first(parts.family, 4)]);
        self.join("family", &[parts.family]);
        self.join("sounds+area", &[parts.sounds[0], parts.sounds[1], parts.area]);
    }

    fn names_and_date(&mut self, parts: &Parts<'_>) {
        let year = parts.date_part(0, 4);
        let decade = parts.date_part(0, 3);
        let month_day = parts.date_part(4, 8);
        self.join("date", &[parts.date]);
        self.join("date+canonical", &[parts.date, parts.canonical]);
        self.join("date+family", &[parts.date, parts.family]);
        self.join("date+initial", &[parts.date, first(parts.given, 1)]);
        self.join("date+initial", &[parts.date, first(parts.family, 1)]);
        self.join("sounds+year", &[parts.given_sound, parts.family_sound, year]);
        self.join("sounds+month_day", &[parts.given_sound, parts.family_sound, month_day]);
        self.join("sounds+decade", &[parts.sounds[0], parts.sounds[1], decade]);
        self.join("last3+last3+decade", &[last(parts.given, 3), last(parts.family, 3), decade]);
    }

    fn places(&mut self, parts: &Parts<'_>) {
        let year = parts.date_part(0, 4);
        self.join("unit+sound", &[parts.unit, parts.given_sound]);
        self.join("unit+sound", &[parts.unit, parts.family_sound]);
        self.join("unit+year", &[parts.unit, year]);
        self.join("date+district", &[parts.date, parts.district]);
        self.join("year+district+sound", &[year, parts.district, parts.given_sound]);
        self.join("year+district+sound", &[year, parts.district, parts.family_sound]);
        self.join("district+name", &[parts.district, parts.family]);
        self.join("district+name", &[parts.district, parts.canonical]);
        self.join("number_street", &[parts.number_street]);
        self.join("address", &[parts.address]);
        self.join("uprn", &[parts.uprn]);
    }
}
