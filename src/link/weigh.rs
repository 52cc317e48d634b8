//! Fellegi–Sunter: levels to bits of evidence, the household capped, the impossible vetoed.

use smallvec::SmallVec;

use super::compare::{
    AddressLevel, Agreement, DateLevel, Features, MiddleLevel, NameLevel, NumberLevel, PostcodeLevel, mean,
};
use super::model::{
    ADDRESS, Bits, DATE, FAMILY, FIELDS, GIVEN, LinkageModel, MIDDLE, NUMBER, POSTCODE, SHARED_MIDDLE, Table,
};

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
    /// They are known at one place.
    pub(super) same_home: bool,
    /// What it would be more if they had moved from one place to the other.
    pub(super) moved: i32,
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
    Weight {
        total: parts.total(model).0,
        different_numbers: parts.different_numbers,
        twins: parts.twins,
        same_home: parts.same_home,
        moved: if parts.same_home { 0 } else { -(parts.place.min(0) + parts.home.min(0)) },
    }
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
        Self::with_names(model, one, two, Names::of(model, one, two, one.given_agreement(two)))
    }

    fn with_given(model: &LinkageModel, one: &Features, two: &Features, level: NameLevel) -> Self {
        let given = Agreement { level, ..one.given_agreement(two) };
        Self::with_names(model, one, two, Names::of(model, one, two, given))
    }

    fn with_names(model: &LinkageModel, one: &Features, two: &Features, mut names: Names) -> Self {
        // Names run in families, so together they tell no more than that somebody is of the family and named after it.
        names.given = names.given.min((model.names_cap - names.family.max(0)).max(0));
        let date_level = one.date.level(&two.date);
        let date_rarity = mean(one.date.rarity, two.date.rarity);
        let date = match date_level {
            DateLevel::Missing => 0,
            DateLevel::Exact => model.tables[DATE][0] + date_rarity,
            level => model.tables[DATE][level as usize],
        };
        let place_level = one.place.level(&two.place);
        let place = match place_level {
            PostcodeLevel::Missing => 0,
            PostcodeLevel::Unit => model.tables[POSTCODE][0] + mean(one.place.rarity, two.place.rarity),
            level => model.tables[POSTCODE][level as usize],
        };
        let home_level = one.home.level(&two.home);
        let home = if home_level == AddressLevel::Missing { 0 } else { model.tables[ADDRESS][home_level as usize] };
        let middle_level = one.middle_level(two);
        let is_middle_shared = one.is_middle_shared || two.is_middle_shared;
        let middle = match middle_level {
            MiddleLevel::Missing => 0,
            MiddleLevel::Exact if is_middle_shared => model.tables[MIDDLE][0].min(SHARED_MIDDLE),
            level => model.tables[MIDDLE][level as usize],
        };

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
            // Twins do not bear the same second name.
            NameLevel::Letter | NameLevel::Nothing => is_middle_shared || middle_level != MiddleLevel::Exact,
            // Paul and Paula, born on one day.
            NameLevel::Deletion | NameLevel::Phonetic => same_sex == Some(false),
            _ => false,
        };
        let disputed = other_given && date_level >= DateLevel::YearMonth;
        let same_number = number_level.is_some_and(|level| level != NumberLevel::Nothing);
        let same_home = place_level == PostcodeLevel::Unit || home_level <= AddressLevel::NumberStreet;
        let same_family = names.single || names.family_level <= NameLevel::Alternative;
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
    /// Both go by one name, which stands as the given name here: it is no family's.
    single: bool,
}

impl Names {
    fn of(model: &LinkageModel, one: &Features, two: &Features, given: Agreement) -> Self {
        let mut names = Self {
            given_level: given.level,
            given: name_bits(model, &model.tables[GIVEN], given),
            family_level: NameLevel::Missing,
            family: 0,
            crossed: false,
            one_differs: false,
            // A family name by itself is not known to be a person's only one.
            single: one.is_single && two.is_single && !(one.given.is_missing() && two.given.is_missing()),
        };
        if names.single {
            let name = one.single_agreement(two);
            names.given_level = name.level;
            names.given =
                (name_bits(model, &model.tables[GIVEN], name) + name_bits(model, &model.tables[FAMILY], name)) / 2;
            return names;
        }
        let family = one.family_agreement(two);
        names.family_level = family.level;
        names.family = name_bits(model, &model.tables[FAMILY], family);
        if names.given_level >= NameLevel::Alternative && names.family_level >= NameLevel::Alternative {
            names.cross(model, one, two);
        }
        if (names.given_level, names.family_level, names.crossed) == (NameLevel::Exact, NameLevel::Exact, false) {
            // Names go together within a custom.
            let most = i32::from(one.full_name.min(two.full_name));
            names.family = names.family.min((most - names.given).max(0));
            names.given = names.given.min(most);
        }
        names
    }

    fn cross(&mut self, model: &LinkageModel, one: &Features, two: &Features) {
        let [one_two, two_one] = one.crossed_agreements(two);
        let (first, second) = (one_two.level, two_one.level);
        if first > NameLevel::Phonetic && second > NameLevel::Phonetic {
            return;
        }
        // Which of the two sides is "one" must not matter, so each pair is weighed as the mean of both fields.
        let both = |agreement| {
            name_bits(model, &model.tables[GIVEN], agreement) + name_bits(model, &model.tables[FAMILY], agreement)
        };
        let given = (both(one_two) + both(two_one)) / 4;
        let crossed = 2 * given + model.crossed;
        if crossed > self.given + self.family {
            let better = first.min(second);
            // What agrees is a name of the person where it is a given name by how often it stands as one, and may be the
            // family's where not.
            let is_given = match first <= second {
                true => model.is_given_name(one.given.rarity, two.family.rarity),
                false => model.is_given_name(two.given.rarity, one.family.rarity),
            };
            let one_differs = !is_given && matches!(first.max(second), NameLevel::Letter | NameLevel::Nothing);
            // What may be the family's is what a home shares.
            let family = if one_differs { crossed } else { crossed / 2 };
            *self = Self {
                given_level: better,
                given: crossed - family,
                family_level: better,
                family,
                crossed: true,
                one_differs,
                single: false,
            };
        }
    }
}

fn name_bits(model: &LinkageModel, table: &Table, Agreement { level, rarity }: Agreement) -> i32 {
    match level {
        NameLevel::Missing => 0,
        NameLevel::Exact => table[0] + rarity,
        NameLevel::Alternative => table[level as usize] + rarity,
        NameLevel::Nickname | NameLevel::Deletion | NameLevel::Phonetic => table[level as usize] + model.fuzzy(rarity),
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
