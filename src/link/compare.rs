//! Comparison levels: how two people's tokens agree, field by field. Symmetric, and blind.

use smallvec::SmallVec;

mod sketch;

pub(super) use self::sketch::{Ceiling, Sketch};
use super::model::LinkageModel;
use crate::model::tokens::{
    ADDRESS_WORDS, DATE_DIGITS, NAME_DELETIONS, NAME_FORMS, NameTokens, POSTCODE_DELETIONS, PersonTokens, Token,
};

/// A token's first half, never 0, which stands for a missing value. Two given values meet by chance once in 2^32.
type Short = u32;

fn short(token: Token) -> Short {
    #[allow(clippy::cast_possible_truncation)]
    let half = (token.0 >> 32) as u32;
    half.max(1)
}

fn short_or_missing(token: Option<Token>) -> Short {
    token.map_or(0, short)
}

/// Levels of a name, best first; the order of the model's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum NameLevel {
    Exact,
    Nickname,
    Deletion,
    Phonetic,
    Alternative,
    /// One side has a letter only, and it fits.
    Initial,
    /// Two names that share their first letter and nothing else.
    Letter,
    Nothing,
    Missing,
}

/// Levels of a second given name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum MiddleLevel {
    Exact,
    /// One side has a letter only, and it fits.
    Initial,
    /// Two names that share their first letter and nothing else.
    Letter,
    Nothing,
    Missing,
}

/// Levels of a date of birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum DateLevel {
    Exact,
    OneDigit,
    Swapped,
    YearMonth,
    MonthDay,
    Year,
    Nothing,
    Missing,
}

/// Levels of a postcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum PostcodeLevel {
    Unit,
    Deletion,
    Sector,
    District,
    Area,
    Nothing,
    Missing,
}

/// Levels of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum AddressLevel {
    Whole,
    NumberStreet,
    ManyWords,
    Words,
    Word,
    Nothing,
    Missing,
}

/// Levels of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum NumberLevel {
    Exact,
    Deletion,
    Nothing,
}

/// One name, packed.
#[derive(Default)]
pub(super) struct Name {
    exact: Short,
    forms: [Short; NAME_FORMS],
    phonetic: Short,
    initial: Short,
    deletions: [Short; NAME_DELETIONS],
    /// How much more than average agreement on it tells, in 1/256 bit.
    pub(super) rarity: i16,
}

impl Name {
    fn pack(tokens: Option<&NameTokens>, rarity: impl Fn(Token) -> i16) -> Self {
        let Some(tokens) = tokens else { return Self::default() };
        Self {
            exact: short(tokens.exact),
            forms: tokens.forms.map(short),
            phonetic: short(tokens.phonetic),
            initial: short(tokens.initial),
            deletions: tokens.deletions.map(short),
            rarity: rarity(tokens.exact),
        }
    }

    fn is_letter(&self) -> bool {
        self.exact == self.initial
    }

    pub(super) fn is_missing(&self) -> bool {
        self.exact == 0
    }

    /// The level of two names, other names aside.
    pub(super) fn level(&self, other: &Self) -> NameLevel {
        if self.exact == 0 || other.exact == 0 {
            NameLevel::Missing
        } else if self.is_letter() || other.is_letter() {
            if self.initial == other.initial { NameLevel::Initial } else { NameLevel::Nothing }
        } else if self.exact == other.exact {
            NameLevel::Exact
        } else if meet(&self.forms, &other.forms) {
            NameLevel::Nickname
        } else if meet(&self.deletions, &other.deletions) {
            NameLevel::Deletion
        } else if self.phonetic == other.phonetic {
            NameLevel::Phonetic
        } else if self.initial == other.initial {
            NameLevel::Letter
        } else {
            NameLevel::Nothing
        }
    }
}

#[derive(Default)]
pub(super) struct BirthDate {
    whole: Short,
    swapped: Short,
    wildcards: [Short; DATE_DIGITS],
    year: Short,
    year_month: Short,
    month_day: Short,
    year_day: Short,
    pub(super) rarity: i16,
}

impl BirthDate {
    pub(super) fn level(&self, other: &Self) -> DateLevel {
        if self.whole == 0 || other.whole == 0 {
            DateLevel::Missing
        } else if self.whole == other.whole {
            DateLevel::Exact
        } else if self.whole == other.swapped || self.swapped == other.whole {
            DateLevel::Swapped
        } else if self.wildcards.iter().zip(&other.wildcards).fold(false, |any, (one, two)| any | (one == two)) {
            DateLevel::OneDigit
        } else if self.year_month == other.year_month {
            DateLevel::YearMonth
        } else if self.month_day == other.month_day || self.year_day == other.year_day {
            DateLevel::MonthDay
        } else if self.year == other.year {
            DateLevel::Year
        } else {
            DateLevel::Nothing
        }
    }
}

#[derive(Default)]
pub(super) struct Place {
    unit: Short,
    sector: Short,
    district: Short,
    area: Short,
    deletions: [Short; POSTCODE_DELETIONS],
    pub(super) rarity: i16,
}

impl Place {
    pub(super) fn level(&self, other: &Self) -> PostcodeLevel {
        let equal = |one: Short, two: Short| one != 0 && one == two;
        if self.district == 0 || other.district == 0 {
            PostcodeLevel::Missing
        } else if equal(self.unit, other.unit) {
            PostcodeLevel::Unit
        } else if self.unit != 0 && other.unit != 0 && meet(&self.deletions, &other.deletions) {
            PostcodeLevel::Deletion
        } else if equal(self.sector, other.sector) {
            PostcodeLevel::Sector
        } else if self.district == other.district {
            PostcodeLevel::District
        } else if self.area == other.area {
            PostcodeLevel::Area
        } else {
            PostcodeLevel::Nothing
        }
    }
}

#[derive(Default)]
pub(super) struct Home {
    whole: Short,
    number_street: Short,
    uprn: Short,
    words: [Short; ADDRESS_WORDS],
}

impl Home {
    pub(super) fn level(&self, other: &Self) -> AddressLevel {
        if self.uprn != 0 && self.uprn == other.uprn {
            return AddressLevel::Whole;
        }
        if self.whole == 0 || other.whole == 0 {
            return AddressLevel::Missing;
        }
        if self.whole == other.whole {
            return AddressLevel::Whole;
        }
        if self.number_street != 0 && self.number_street == other.number_street {
            return AddressLevel::NumberStreet;
        }
        let shared = self.words.iter().filter(|word| **word != 0 && other.words.contains(word)).count();
        match shared {
            0 => AddressLevel::Nothing,
            1 => AddressLevel::Word,
            2 => AddressLevel::Words,
            _ => AddressLevel::ManyWords,
        }
    }
}

/// One number, packed.
pub(super) struct Number {
    kind: u8,
    checked: bool,
    exact: Short,
    deletions: SmallVec<[Short; 0]>,
}

/// Other names of one kind, the first few of them, and 0 where there is none.
type Others = [Short; 4];

/// Everything compared of one person, packed. The same tokens always give the same features.
pub(super) struct Features {
    pub(super) given: Name,
    pub(super) family: Name,
    /// The most that both names tell together, in 1/256 bit.
    pub(super) full_name: i16,
    /// Goes by one name, wherever it is written.
    pub(super) is_single: bool,
    middle: (Short, Short),
    /// The second name is one that whole communities bear (Singh, Kaur, Begum): a family name rather than a given one.
    pub(super) is_middle_shared: bool,
    other_given: Others,
    other_family: Others,
    pub(super) date: BirthDate,
    sex_and_date: Short,
    pub(super) place: Place,
    pub(super) home: Home,
    numbers: Box<[Number]>,
}

impl Features {
    pub(super) fn pack(tokens: &PersonTokens, model: &LinkageModel) -> Self {
        let date = tokens.date.as_ref().map_or_else(BirthDate::default, |date| BirthDate {
            whole: short(date.whole),
            swapped: short(date.swapped),
            wildcards: date.wildcards.map(short),
            year: short(date.year),
            year_month: short(date.year_month),
            month_day: short(date.month_day),
            year_day: short(date.year_day),
            rarity: model.date_rarity(date.whole),
        });
        let place = tokens.postcode.as_ref().map_or_else(Place::default, |code| Place {
            unit: short_or_missing(code.unit),
            sector: short_or_missing(code.sector),
            district: short(code.district),
            area: short(code.area),
            deletions: code.deletions.map(short),
            rarity: code.unit.map_or(0, |unit| model.unit_rarity(unit)),
        });
        let mut home = Home { uprn: short_or_missing(tokens.uprn), ..Home::default() };
        if let Some(address) = &tokens.address {
            home.whole = short(address.whole);
            home.number_street = short_or_missing(address.number_street);
            for (slot, word) in home.words.iter_mut().zip(&address.words) {
                *slot = short(*word);
            }
        }
        let number = |number: &crate::model::tokens::NumberTokens| {
            let deletions = number.deletions.iter().copied().map(short).collect();
            Number { kind: number.kind as u8, checked: number.kind.is_checked(), exact: short(number.exact), deletions }
        };
        let middle = tokens.middle.as_ref();
        let given = Name::pack(tokens.given.as_ref(), |token| model.given_rarity(token));
        let family = Name::pack(tokens.family.as_ref(), |token| model.family_rarity(token));
        let both = tokens.given.as_ref().zip(tokens.family.as_ref());
        Self {
            full_name: both.and_then(|(one, two)| model.full_name_bits(one.exact, two.exact)).unwrap_or(i16::MAX),
            is_single: given.is_missing() != family.is_missing() || given.level(&family) <= NameLevel::Phonetic,
            given,
            family,
            is_middle_shared: middle.and_then(|middle| middle.exact).is_some_and(|name| model.is_family_name(name)),
            middle: middle.map_or((0, 0), |middle| (short_or_missing(middle.exact), short(middle.initial))),
            other_given: others(&tokens.other_given),
            other_family: others(&tokens.other_family),
            date,
            sex_and_date: short_or_missing(tokens.sex_and_date),
            place,
            home,
            numbers: tokens.numbers.iter().map(number).collect(),
        }
    }

    /// Something of each line of memory that a comparison reads. Read for many people in a row, the lines come from memory
    /// side by side; read while comparing, each is waited for.
    pub(super) fn touch(&self) -> u32 {
        let names = self.given.exact ^ self.given.deletions[7] ^ self.family.exact ^ self.family.deletions[7];
        names ^ self.date.whole ^ self.date.wildcards[7] ^ self.place.unit ^ self.place.deletions[7] ^ self.home.whole
    }

    /// How the given names agree, other given names considered.
    pub(super) fn given_agreement(&self, other: &Self) -> Agreement {
        let level = self.given.level(&other.given);
        with_others(level, (&self.given, &[&self.other_given]), (&other.given, &[&other.other_given]))
    }

    /// How the family names agree, other names considered: of two family names, or two given ones, clerks may take any for
    /// the family name.
    pub(super) fn family_agreement(&self, other: &Self) -> Agreement {
        let level = self.family.level(&other.family);
        let one = [&self.other_family, &self.other_given];
        let two = [&other.other_family, &other.other_given];
        with_others(level, (&self.family, &one), (&other.family, &two))
    }

    /// How one's given name agrees with the other's family name, and the other way round, other names considered.
    pub(super) fn crossed_agreements(&self, other: &Self) -> [Agreement; 2] {
        [(self, other), (other, self)].map(|(given, family)| {
            let level = given.given.level(&family.family);
            with_others(level, (&given.given, &[&given.other_given]), (&family.family, &[&family.other_family]))
        })
    }

    /// How the names of two people agree who both go by one name.
    pub(super) fn single_agreement(&self, other: &Self) -> Agreement {
        let names = |of: &'_ Self| {
            if of.given.is_missing() {
                [1, 1]
            } else if of.family.is_missing() {
                [0, 0]
            } else {
                [0, 1]
            }
        };
        let name = |of: usize, place: usize| {
            let person = [self, other][of];
            if place == 0 { &person.given } else { &person.family }
        };
        let mut best = Agreement { level: NameLevel::Missing, rarity: 0 };
        for one in names(self) {
            for two in names(other) {
                let (one, two) = (name(0, one), name(1, two));
                let agreement = Agreement { level: one.level(two), rarity: mean(one.rarity, two.rarity) };
                if agreement.level < best.level || (agreement.level == best.level && agreement.rarity < best.rarity) {
                    best = agreement;
                }
            }
        }
        best
    }

    /// Are there given names beside the first?
    pub(super) fn has_other_given(&self) -> bool {
        // Others come from the front.
        self.other_given[0] != 0
    }

    /// Whether this record calls somebody born on that day by both given names.
    pub(super) fn names_both(&self, one: &Self, two: &Self) -> bool {
        let known = |name: Short| name == self.given.exact || self.other_given.contains(&name);
        let calls = |name: &Name| name.exact != 0 && known(name.exact);
        self.date.whole == one.date.whole && calls(&one.given) && calls(&two.given)
    }

    pub(super) fn middle_level(&self, other: &Self) -> MiddleLevel {
        let ((one, one_initial), (two, two_initial)) = (self.middle, other.middle);
        if one_initial == 0 || two_initial == 0 {
            MiddleLevel::Missing
        } else if one != 0 && one == two {
            MiddleLevel::Exact
        } else if one_initial != two_initial {
            MiddleLevel::Nothing
        } else if one != 0 && two != 0 {
            MiddleLevel::Letter
        } else {
            MiddleLevel::Initial
        }
    }

    /// Whether two people born on one day are of one sex; `None` where it is not known or the days differ.
    pub(super) fn same_sex(&self, other: &Self) -> Option<bool> {
        let known = self.sex_and_date != 0 && other.sex_and_date != 0 && self.date.whole == other.date.whole;
        known.then_some(self.sex_and_date == other.sex_and_date)
    }

    /// Each kind of number that both have: its level, and whether its check letter makes a difference final.
    pub(super) fn numbers<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (NumberLevel, bool)> + 'a {
        self.numbers.iter().filter_map(|one| {
            let two = other.numbers.iter().find(|two| two.kind == one.kind)?;
            let level = if one.exact == two.exact {
                NumberLevel::Exact
            } else if one.deletions.iter().any(|shorter| two.deletions.contains(shorter)) {
                NumberLevel::Deletion
            } else {
                NumberLevel::Nothing
            };
            Some((level, one.checked))
        })
    }

    /// How many bytes it takes, what it points to included.
    pub(super) fn bytes(&self) -> usize {
        let deletions: usize = self.numbers.iter().map(|number| number.deletions.len() * 4).sum();
        size_of::<Self>() + size_of_val(&*self.numbers) + deletions
    }
}

/// How two names agree, and how rare is what they agree on.
#[derive(Clone, Copy)]
pub(super) struct Agreement {
    pub(super) level: NameLevel,
    pub(super) rarity: i32,
}

/// Raises a poor level where one's name is among the other's other names. A name that both have beside their own says
/// nothing here: second names (Singh, Kaur, Marie) and parts of double names are shared by many.
fn with_others(level: NameLevel, one: (&Name, &[&Others]), two: (&Name, &[&Others])) -> Agreement {
    let own = Agreement { level, rarity: mean(one.0.rarity, two.0.rarity) };
    // Others come from the front, so without a first there is none.
    if level <= NameLevel::Phonetic || one.1.iter().chain(two.1).all(|others| others[0] == 0) {
        return own;
    }
    let among = |name: &Name, others: &[&Others]| {
        !name.is_missing() && !name.is_letter() && others.iter().any(|others| others.contains(&name.exact))
    };
    let rarity = match (among(one.0, two.1), among(two.0, one.1)) {
        (false, false) => return own,
        (true, true) => own.rarity,
        (true, false) => i32::from(one.0.rarity),
        (false, true) => i32::from(two.0.rarity),
    };
    Agreement { level: NameLevel::Alternative, rarity }
}

/// The mean of two frequency terms, the same whichever comes first.
pub(super) fn mean(one: i16, two: i16) -> i32 {
    (i32::from(one) + i32::from(two)).div_euclid(2)
}

fn others(tokens: &[Token]) -> Others {
    let mut others = Others::default();
    others.iter_mut().zip(tokens).for_each(|(slot, token)| *slot = short(*token));
    others
}

/// Do two lists share an element? All pairs are compared without a branch, which for a dozen beats looking for the first.
fn meet<const N: usize>(one: &[Short; N], two: &[Short; N]) -> bool {
    let mut hits = [0; N];
    for second in two {
        for (hit, first) in hits.iter_mut().zip(one) {
            *hit |= u32::from(first == second);
        }
    }
    hits.iter().fold(0, |all, hit| all | hit) != 0
}
