//! Fellegi–Sunter: levels to bits of evidence, the household capped, the impossible vetoed.

use smallvec::SmallVec;

use super::compare::{AddressLevel, DateLevel, Features, MiddleLevel, NameLevel, NumberLevel, PostcodeLevel};
use super::model::{ADDRESS, Bits, DATE, FAMILY, FIELDS, GIVEN, LinkageModel, MIDDLE, NUMBER, POSTCODE, Table};

/// The fields of a comparison, in the order in which they are explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// First given name.
    Given,
    /// Second given name.
    Middle,
    /// Family name.
    Family,
    /// Date of birth.
    Date,
    /// Postcode.
    Postcode,
    /// Address or UPRN.
    Address,
    /// All numbers together.
    Numbers,
    /// The same agency's same reference.
    LocalRef,
    /// What tells relatives of one home apart: twins, generations, sex.
    Relatives,
}

impl Field {
    /// The name in explanations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given_name",
            Self::Middle => "second_name",
            Self::Family => "family_name",
            Self::Date => "date_of_birth",
            Self::Postcode => "postcode",
            Self::Address => "address",
            Self::Numbers => "numbers",
            Self::LocalRef => "own_reference",
            Self::Relatives => "relatives",
        }
    }
}

/// Why two records can never be one person, whatever else agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Veto {
    /// Two different numbers of one kind whose check letters hold.
    DifferentNumbers,
    /// Same family name, date of birth and home, but different given names.
    Twins,
    /// The two parties of one event.
    Parties,
    /// A person decided so.
    Decided,
}

impl Veto {
    /// The name in explanations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DifferentNumbers => "different_numbers",
            Self::Twins => "twins",
            Self::Parties => "parties_of_one_event",
            Self::Decided => "decided",
        }
    }
}

/// A comparison of two records in full, for review and explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Per field compared: which level, and what it is worth.
    pub fields: Vec<(Field, &'static str, Bits)>,
    /// What the household's shared evidence lost to its cap: zero or less.
    pub household: Bits,
    /// The odds before any evidence.
    pub prior: Bits,
    /// Everything together.
    pub total: Bits,
    /// Reasons against, each final.
    pub vetoes: Vec<Veto>,
}

/// What matching needs of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) total: i32,
    /// Final.
    pub(super) different_numbers: bool,
    /// Final, unless one agency's reference or a person says otherwise.
    pub(super) twins: bool,
}

/// The weight of two people's evidence, references aside.
pub(super) fn weigh(model: &LinkageModel, one: &Features, two: &Features) -> Weight {
    weight(model, &Parts::of(model, one, two))
}

/// The same where a third record shows that both go by a given name of one person: Gerard, Declan and Gerard Declan.
pub(super) fn weigh_namesakes(model: &LinkageModel, one: &Features, two: &Features) -> Weight {
    weight(model, &Parts::with_given(model, one, two, NameLevel::Alternative))
}

fn weight(model: &LinkageModel, parts: &Parts) -> Weight {
    Weight { total: parts.total(model).0, different_numbers: parts.different_numbers, twins: parts.twins }
}

/// Are they two persons by a number that one person can't have two of?
pub(super) fn differ_in_number(model: &LinkageModel, one: &Features, two: &Features) -> bool {
    model.numbers_apart && one.numbers(two).any(|(level, checked)| checked && level != NumberLevel::Exact)
}

/// How a pair looks that lives under one roof by one family name: what tells families from one person written twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Household {
    /// Not of one home and family name.
    No,
    /// Different given names and dates of birth: relatives.
    Relatives,
    /// Anything else: one person, or twins, or not enough is known.
    Unclear,
}

/// Whether two people look like relatives in one home.
pub(super) fn household(model: &LinkageModel, one: &Features, two: &Features) -> Household {
    let parts = Parts::of(model, one, two);
    // A postcode may hold a whole town; it stands for the home only where there is no address to ask.
    let home = if parts.home_level == AddressLevel::Missing {
        parts.same_home
    } else {
        parts.home_level <= AddressLevel::NumberStreet
    };
    if !home || parts.crossed || parts.family_level > NameLevel::Alternative {
        Household::No
    } else if matches!(parts.given_level, NameLevel::Letter | NameLevel::Nothing)
        && parts.date_level >= DateLevel::Year
        && parts.date_level != DateLevel::Missing
    {
        Household::Relatives
    } else {
        Household::Unclear
    }
}

/// The level of each field by its place in the model's tables; `None` where a field is missing or says nothing by itself.
pub(super) fn levels(model: &LinkageModel, one: &Features, two: &Features) -> [Option<usize>; FIELDS] {
    let parts = Parts::of(model, one, two);
    let names = |level: NameLevel| (level != NameLevel::Missing && !parts.crossed).then_some(level as usize);
    [
        names(parts.given_level),
        (parts.middle_level != MiddleLevel::Missing).then_some(parts.middle_level as usize),
        names(parts.family_level),
        (parts.date_level != DateLevel::Missing).then_some(parts.date_level as usize),
        (parts.place_level != PostcodeLevel::Missing).then_some(parts.place_level as usize),
        (parts.home_level != AddressLevel::Missing).then_some(parts.home_level as usize),
        parts.number_level.map(|level| level as usize),
    ]
}

/// The same, with everything that explains it.
pub(super) fn explain(model: &LinkageModel, one: &Features, two: &Features, same_local_ref: bool) -> Comparison {
    let parts = Parts::of(model, one, two);
    let (total, household) = parts.total(model);
    let mut fields = vec![
        (Field::Given, name_label(parts.given_level, parts.crossed), Bits(parts.given)),
        (Field::Middle, middle_label(parts.middle_level), Bits(parts.middle)),
        (Field::Family, name_label(parts.family_level, parts.crossed), Bits(parts.family)),
        (Field::Date, date_label(parts.date_level), Bits(parts.date)),
        (Field::Postcode, postcode_label(parts.place_level), Bits(parts.place)),
        (Field::Address, address_label(parts.home_level), Bits(parts.home)),
    ];
    if let Some(level) = parts.number_level {
        fields.push((Field::Numbers, number_label(level), Bits(parts.numbers)));
    }
    if parts.relatives != 0 {
        fields.push((Field::Relatives, "likely", Bits(parts.relatives)));
    }
    let bonus = if same_local_ref { model.local_ref } else { 0 };
    if same_local_ref {
        fields.push((Field::LocalRef, "same", Bits(bonus)));
    }
    fields.retain(|(_, label, _)| *label != "missing");
    let mut vetoes = Vec::new();
    if parts.different_numbers {
        vetoes.push(Veto::DifferentNumbers);
    }
    if parts.twins && !same_local_ref {
        vetoes.push(Veto::Twins);
    }
    Comparison { fields, household: Bits(household), prior: Bits(model.prior), total: Bits(total + bonus), vetoes }
}

/// Bits by field.
struct Parts {
    given_level: NameLevel,
    given: i32,
    middle_level: MiddleLevel,
    middle: i32,
    family_level: NameLevel,
    family: i32,
    crossed: bool,
    date_level: DateLevel,
    date: i32,
    place_level: PostcodeLevel,
    place: i32,
    home_level: AddressLevel,
    home: i32,
    number_level: Option<NumberLevel>,
    numbers: i32,
    different_numbers: bool,
    same_home: bool,
    twins: bool,
    /// What speaks for two relatives rather than one person.
    relatives: i32,
}

impl Parts {
    fn of(model: &LinkageModel, one: &Features, two: &Features) -> Self {
        Self::with_given(model, one, two, one.given_level(two))
    }

    fn with_given(model: &LinkageModel, one: &Features, two: &Features, given_level: NameLevel) -> Self {
        let family_level = one.family_level(two);
        let given_rarity = rarity(one.given.rarity, two.given.rarity);
        let family_rarity = rarity(one.family.rarity, two.family.rarity);
        let mut names = Names {
            given_level,
            given: name_bits(model, &model.tables[GIVEN], given_level, given_rarity),
            family_level,
            family: name_bits(model, &model.tables[FAMILY], family_level, family_rarity),
            crossed: false,
            one_differs: false,
        };
        if given_level >= NameLevel::Initial && family_level >= NameLevel::Initial {
            names.cross(model, one, two);
        }
        // Names run in families, so together they tell no more than that somebody is of the family and named after it.
        names.given = names.given.min((model.names_cap - names.family.max(0)).max(0));
        let date_level = one.date.level(&two.date);
        let date_rarity = rarity(one.date.rarity, two.date.rarity);
        let date = match date_level {
            DateLevel::Missing => 0,
            DateLevel::Exact => model.tables[DATE][0] + date_rarity,
            level => model.tables[DATE][level as usize],
        };
        let place_level = one.place.level(&two.place);
        let place = match place_level {
            PostcodeLevel::Missing => 0,
            PostcodeLevel::Unit => model.tables[POSTCODE][0] + rarity(one.place.rarity, two.place.rarity),
            level => model.tables[POSTCODE][level as usize],
        };
        let home_level = one.home.level(&two.home);
        let home = if home_level == AddressLevel::Missing { 0 } else { model.tables[ADDRESS][home_level as usize] };
        let middle_level = one.middle_level(two);
        let middle = if middle_level == MiddleLevel::Missing { 0 } else { model.tables[MIDDLE][middle_level as usize] };

        let mut numbers = 0;
        let mut number_level: Option<NumberLevel> = None;
        let mut different_numbers = false;
        for (level, checked) in one.numbers(two) {
            numbers += model.tables[NUMBER][level as usize];
            number_level = Some(number_level.map_or(level, |worst| worst.max(level)));
            different_numbers |= model.numbers_apart && checked && level != NumberLevel::Exact;
        }
        let same_sex = one.same_sex(two);
        // A number beside another given name and no agreeing date may be a relative's, borrowed or mistaken.
        let other_given = match names.given_level {
            _ if names.crossed => names.one_differs,
            NameLevel::Letter | NameLevel::Nothing => true,
            // Paul and Paula, born on one day.
            NameLevel::Deletion | NameLevel::Phonetic => same_sex == Some(false),
            _ => false,
        };
        let disputed = other_given && date_level >= DateLevel::YearMonth;
        let same_number = number_level.is_some_and(|level| level != NumberLevel::Nothing);
        let same_home = place_level == PostcodeLevel::Unit || home_level <= AddressLevel::NumberStreet;
        let same_family = names.family_level <= NameLevel::Alternative;
        let like_twins = other_given && same_family && !same_number && date_level == DateLevel::Exact;
        let twins = model.twins_apart && like_twins && same_home;
        let mut relatives = if like_twins { model.perhaps_twins } else { 0 };
        if same_home && same_family && names.given_level <= NameLevel::Alternative && !same_number {
            // Two of one name in one home are told apart by their dates, and by their second names.
            relatives += match (date_level, middle_level) {
                (DateLevel::Nothing, _) => model.generations,
                (DateLevel::Missing, MiddleLevel::Letter | MiddleLevel::Nothing) => model.perhaps_generations,
                _ => 0,
            };
        }
        if same_sex == Some(false) {
            relatives += model.other_sex;
        }
        Self {
            given_level: names.given_level,
            given: names.given,
            middle_level,
            middle,
            family_level: names.family_level,
            family: names.family,
            crossed: names.crossed,
            date_level,
            date,
            place_level,
            place,
            home_level,
            home,
            number_level,
            numbers: numbers.min(if disputed { model.disputed_number } else { model.number_cap }),
            different_numbers,
            same_home,
            twins,
            relatives,
        }
    }

    /// The sum with the prior, and what the household cap took from it.
    fn total(&self, model: &LinkageModel) -> (i32, i32) {
        let shared: SmallVec<[i32; 3]> = SmallVec::from_buf([self.family.max(0), self.place.max(0), self.home.max(0)]);
        let excess = shared.iter().sum::<i32>().saturating_sub(model.household_cap).max(0);
        let sum =
            self.given + self.middle + self.family + self.date + self.place + self.home + self.numbers + self.relatives;
        (model.prior + sum - excess, -excess)
    }
}

/// The two main names of a comparison, straight or crossed, whichever tells more.
struct Names {
    given_level: NameLevel,
    given: i32,
    family_level: NameLevel,
    family: i32,
    crossed: bool,
    /// Crossed, only one of the two names agrees: it may be the family's.
    one_differs: bool,
}

impl Names {
    fn cross(&mut self, model: &LinkageModel, one: &Features, two: &Features) {
        let (first, second) = (one.given.level(&two.family), one.family.level(&two.given));
        if first > NameLevel::Phonetic && second > NameLevel::Phonetic {
            return;
        }
        let first_bits = name_bits(model, &model.tables[GIVEN], first, rarity(one.given.rarity, two.family.rarity));
        let second_bits = name_bits(model, &model.tables[FAMILY], second, rarity(one.family.rarity, two.given.rarity));
        // Which of the two sides is "one" must not matter, so each pair is weighed as the mean of both fields.
        let first_other = name_bits(model, &model.tables[FAMILY], first, rarity(one.given.rarity, two.family.rarity));
        let second_other = name_bits(model, &model.tables[GIVEN], second, rarity(one.family.rarity, two.given.rarity));
        let given = (first_bits + first_other + second_bits + second_other) / 4;
        let crossed = 2 * given + model.crossed;
        if crossed > self.given + self.family {
            let better = first.min(second);
            let half = crossed / 2;
            *self = Self {
                given_level: better,
                given: crossed - half,
                family_level: better,
                family: half,
                crossed: true,
                one_differs: matches!(first.max(second), NameLevel::Letter | NameLevel::Nothing),
            };
        }
    }
}

/// The mean of two frequency terms, the same whichever comes first.
fn rarity(one: i16, two: i16) -> i32 {
    (i32::from(one) + i32::from(two)).div_euclid(2)
}

fn name_bits(model: &LinkageModel, table: &Table, level: NameLevel, rarity: i32) -> i32 {
    match level {
        NameLevel::Missing => 0,
        NameLevel::Exact => table[0] + rarity,
        NameLevel::Nickname | NameLevel::Deletion | NameLevel::Phonetic | NameLevel::Alternative => {
            table[level as usize] + model.fuzzy(rarity)
        }
        NameLevel::Initial | NameLevel::Letter | NameLevel::Nothing => table[level as usize],
    }
}

fn name_label(level: NameLevel, crossed: bool) -> &'static str {
    match level {
        NameLevel::Missing => "missing",
        _ if crossed => "crossed",
        NameLevel::Exact => "exact",
        NameLevel::Nickname => "nickname",
        NameLevel::Deletion => "one_letter",
        NameLevel::Phonetic => "sound",
        NameLevel::Alternative => "other_name",
        NameLevel::Initial => "initial",
        NameLevel::Letter => "first_letter",
        NameLevel::Nothing => "nothing",
    }
}

fn middle_label(level: MiddleLevel) -> &'static str {
    match level {
        MiddleLevel::Exact => "exact",
        MiddleLevel::Initial => "initial",
        MiddleLevel::Letter => "first_letter",
        MiddleLevel::Nothing => "nothing",
        MiddleLevel::Missing => "missing",
    }
}

fn date_label(level: DateLevel) -> &'static str {
    match level {
        DateLevel::Exact => "exact",
        DateLevel::OneDigit => "one_digit",
        DateLevel::Swapped => "swapped",
        DateLevel::YearMonth => "year_month",
        DateLevel::MonthDay => "two_parts",
        DateLevel::Year => "year",
        DateLevel::Nothing => "nothing",
        DateLevel::Missing => "missing",
    }
}

fn postcode_label(level: PostcodeLevel) -> &'static str {
    match level {
        PostcodeLevel::Unit => "unit",
        PostcodeLevel::Deletion => "one_character",
        PostcodeLevel::Sector => "sector",
        PostcodeLevel::District => "district",
        PostcodeLevel::Area => "area",
        PostcodeLevel::Nothing => "nothing",
        PostcodeLevel::Missing => "missing",
    }
}

fn address_label(level: AddressLevel) -> &'static str {
    match level {
        AddressLevel::Whole => "whole",
        AddressLevel::NumberStreet => "number_and_street",
        AddressLevel::ManyWords => "many_words",
        AddressLevel::Words => "words",
        AddressLevel::Word => "one_word",
        AddressLevel::Nothing => "nothing",
        AddressLevel::Missing => "missing",
    }
}

fn number_label(level: NumberLevel) -> &'static str {
    match level {
        NumberLevel::Exact => "exact",
        NumberLevel::Deletion => "one_character",
        NumberLevel::Nothing => "different",
    }
}
