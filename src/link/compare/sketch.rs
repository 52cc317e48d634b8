//! A person in two lines of memory, which show of most pairs that the evidence can't reach the review bar: those are never
//! compared in full. The first line lets go of half of all candidates, the second looks at what names resemble.
//!
//! Values stand in them as bytes. Unequal bytes are unequal values; equal bytes may be equal values, and count as whatever
//! that can be worth at most. So nothing that a comparison would find is missed.

use super::super::model::{ADDRESS, DATE, FAMILY, GIVEN, LinkageModel, MIDDLE, NUMBER, POSTCODE, SHARED_MIDDLE, Table};
use super::{AddressLevel, DateLevel, Features, MiddleLevel, Name, NameLevel, NumberLevel, PostcodeLevel, Short};
use crate::model::tokens::{ADDRESS_WORDS, DATE_DIGITS, NAME_DELETIONS, NAME_FORMS, NumberKind, POSTCODE_DELETIONS};

/// Frequency terms count in steps of 1/8 bit here, rounded up.
const STEP: i32 = 32;

/// Goes by one name: names of two such people are compared in their own way, which is not foreseen here.
const SINGLE: u8 = 1;
/// The first given name is a letter.
const GIVEN_LETTER: u8 = 1 << 1;
/// The family name is a letter.
const FAMILY_LETTER: u8 = 1 << 2;
/// There are other given names.
const OTHER_GIVEN: u8 = 1 << 3;
/// There are other family names.
const OTHER_FAMILY: u8 = 1 << 4;
/// The second name is one that whole communities bear.
const SHARED: u8 = 1 << 5;
/// Has several numbers of one kind, for which there is no room.
const CROWDED: u8 = 1 << 6;

const _: () = assert!(size_of::<Sketch>() == 128, "two lines of memory");

/// One person; 0 stands for a missing value.
#[derive(Clone, Copy, Default)]
pub(in crate::link) struct Sketch {
    /// All that most pairs need.
    rough: Rough,
    names: Names,
}

/// One line of memory.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Rough {
    wildcards: [u8; DATE_DIGITS],
    postcodes: [u8; POSTCODE_DELETIONS],
    words: [u8; ADDRESS_WORDS],
    numbers: [u8; NumberKind::ALL.len()],
    date: [u8; 6],
    place: [u8; 4],
    home: [u8; 3],
    given: Brief,
    family: Brief,
    middle: [u8; 2],
    date_rarity: i8,
    unit_rarity: i8,
    flags: u8,
}

/// A name.
#[derive(Clone, Copy, Default)]
struct Brief {
    exact: u8,
    initial: u8,
    rarity: i8,
}

/// The line beside it: what names resemble.
#[derive(Clone, Copy, Default)]
#[repr(align(64))]
struct Names {
    given: Alike,
    family: Alike,
}

/// What a name resembles.
#[derive(Clone, Copy, Default)]
struct Alike {
    /// There are so many that bytes would often be equal.
    deletions: [u16; NAME_DELETIONS],
    forms: [u8; NAME_FORMS],
    phonetic: u8,
}

impl Brief {
    fn of(name: &Name) -> Self {
        Self { exact: byte(name.exact), initial: byte(name.initial), rarity: steps(name.rarity) }
    }
}

impl Alike {
    fn of(name: &Name) -> Self {
        let deletion = |value: Short| u16::try_from(value % u32::from(u16::MAX)).expect("it is below 2^16");
        Self { deletions: name.deletions.map(deletion), forms: name.forms.map(byte), phonetic: byte(name.phonetic) }
    }
}

impl Sketch {
    pub(in crate::link) fn of(features: &Features) -> Self {
        let names = Names { given: Alike::of(&features.given), family: Alike::of(&features.family) };
        Self { rough: Rough::of(features), names }
    }

    /// Do both have a number of one kind?
    pub(in crate::link) fn has_number_like(&self, other: &Self) -> bool {
        self.rough.numbers.iter().zip(&other.rough.numbers).any(|(one, two)| *one != 0 && *two != 0)
    }

    /// Something of both lines, for the sake of reading them.
    pub(in crate::link) fn touch(&self) -> u8 {
        self.rough.flags ^ self.names.given.phonetic
    }
}

impl Rough {
    fn of(features: &Features) -> Self {
        let Features { given, family, date, place, home, middle, .. } = features;
        let mut numbers = [0; NumberKind::ALL.len()];
        let mut flags = 0;
        let mut set = |holds: bool, flag: u8| flags |= if holds { flag } else { 0 };
        for number in &*features.numbers {
            let slot = &mut numbers[usize::from(number.kind)];
            set(*slot != 0, CROWDED);
            *slot = byte(number.exact);
        }
        set(features.is_single, SINGLE);
        set(given.is_letter(), GIVEN_LETTER);
        set(family.is_letter(), FAMILY_LETTER);
        // Others come from the front.
        set(features.other_given[0] != 0, OTHER_GIVEN);
        set(features.other_family[0] != 0, OTHER_FAMILY);
        set(features.is_middle_shared, SHARED);
        Self {
            wildcards: date.wildcards.map(byte),
            postcodes: place.deletions.map(byte),
            words: home.words.map(byte),
            numbers,
            date: [date.whole, date.swapped, date.year_month, date.month_day, date.year_day, date.year].map(byte),
            place: [place.unit, place.sector, place.district, place.area].map(byte),
            home: [home.whole, home.number_street, home.uprn].map(byte),
            given: Brief::of(given),
            family: Brief::of(family),
            middle: [middle.0, middle.1].map(byte),
            date_rarity: steps(date.rarity),
            unit_rarity: steps(place.rarity),
            flags,
        }
    }
}

fn byte(value: Short) -> u8 {
    if value == 0 { 0 } else { u8::try_from(value % 255).expect("it is below 255") + 1 }
}

fn steps(rarity: i16) -> i8 {
    i8::try_from((i32::from(rarity) + STEP - 1).div_euclid(STEP)).expect("twelve bits are 96 steps")
}

/// At least the mean of two frequency terms.
fn mean(one: i8, two: i8) -> i32 {
    (i32::from(one) + i32::from(two)) * (STEP / 2)
}

/// What pairs are worth at most under a model, by what their sketches show.
pub(in crate::link) struct Ceiling {
    /// The odds before evidence, and what may count for a pair that looks like relatives.
    base: i32,
    given: NameCeiling,
    family: NameCeiling,
    /// By which levels may hold beside the exact one, a bit each.
    date: [i32; 1 << 5],
    postcode: [i32; 1 << 4],
    /// By how many words may be shared.
    words: [i32; 4],
}

/// What a name is worth at most.
struct NameCeiling {
    exact: i32,
    /// By which levels of resemblance may hold, a bit each; the frequency term aside.
    resembling: [i32; 1 << 3],
    /// By whether they may share their first letter.
    unlike: [i32; 2],
    alternative: i32,
    letter: [i32; 2],
}

/// All levels of resemblance.
const ANY: usize = (1 << 3) - 1;

/// Two names.
#[derive(Clone, Copy)]
struct Two {
    brief: (Brief, Brief),
    /// Which levels of resemblance may hold, a bit each.
    levels: usize,
    /// Is one of them a letter?
    letter: bool,
    /// Are there other names?
    others: bool,
}

impl NameCeiling {
    fn of(table: &Table) -> Self {
        let at = |level: NameLevel| table[level as usize];
        let levels = [NameLevel::Nickname, NameLevel::Deletion, NameLevel::Phonetic];
        let best = |set: usize| (0..3).filter(|bit| set >> bit & 1 == 1).map(|bit| at(levels[bit])).max();
        Self {
            exact: at(NameLevel::Exact),
            resembling: std::array::from_fn(|set| best(set).unwrap_or(i32::MIN / 2)),
            unlike: [at(NameLevel::Nothing), at(NameLevel::Nothing).max(at(NameLevel::Letter))],
            alternative: at(NameLevel::Alternative),
            letter: [at(NameLevel::Nothing), at(NameLevel::Nothing).max(at(NameLevel::Initial))],
        }
    }

    fn most(&self, model: &LinkageModel, Two { brief: (one, two), levels, letter, others }: Two) -> i32 {
        let rarity = mean(one.rarity, two.rarity);
        let initial = usize::from(one.initial == two.initial);
        let own = if one.exact == 0 || two.exact == 0 {
            0
        } else if letter {
            self.letter[initial]
        } else {
            let inexact = (self.resembling[levels] + model.fuzzy(rarity)).max(self.unlike[initial]);
            if one.exact == two.exact { inexact.max(self.exact + rarity) } else { inexact }
        };
        let rarer = i32::from(one.rarity.max(two.rarity)) * STEP;
        if others { own.max(self.alternative + rarer) } else { own }
    }
}

impl Alike {
    /// Which levels of resemblance may hold, a bit each.
    fn levels(&self, other: &Self) -> usize {
        let mut hits = [0; NAME_DELETIONS];
        for second in &other.deletions {
            for (hit, first) in hits.iter_mut().zip(&self.deletions) {
                *hit |= u16::from(first == second);
            }
        }
        let deletion = hits.iter().fold(0, |all, hit| all | hit) != 0;
        let [a, b, c, d] = other.forms;
        bits([meet(&self.forms, [a, b, c, d, a, b, c, d]), deletion, self.phonetic == other.phonetic])
    }
}

/// The highest of the table's entries whose bit is set, and of the last.
fn highest<const N: usize>(table: &Table, levels: [usize; N], last: usize, set: usize) -> i32 {
    let held = (0..N).filter(|bit| set >> bit & 1 == 1).map(|bit| table[levels[bit]]);
    held.fold(table[last], i32::max)
}

impl Ceiling {
    pub(in crate::link) fn of(model: &LinkageModel) -> Self {
        use {AddressLevel as A, DateLevel as D, PostcodeLevel as P};
        let dates = [D::OneDigit, D::Swapped, D::YearMonth, D::MonthDay, D::Year].map(|level| level as usize);
        let places = [P::Deletion, P::Sector, P::District, P::Area].map(|level| level as usize);
        let words = [A::Word, A::Words, A::ManyWords].map(|level| level as usize);
        let [date, postcode, address] = [DATE, POSTCODE, ADDRESS].map(|field| &model.tables[field]);
        let relatives = [
            model.perhaps_twins.max(0),
            model.generations.max(model.perhaps_generations).max(0),
            model.other_sex.max(0),
        ];
        Self {
            base: model.prior + relatives.iter().sum::<i32>(),
            given: NameCeiling::of(&model.tables[GIVEN]),
            family: NameCeiling::of(&model.tables[FAMILY]),
            date: std::array::from_fn(|set| highest(date, dates, D::Nothing as usize, set)),
            postcode: std::array::from_fn(|set| highest(postcode, places, P::Nothing as usize, set)),
            words: std::array::from_fn(|count| highest(address, words, A::Nothing as usize, (1 << count) - 1)),
        }
    }

    /// At least what [`weigh`](super::super::weigh::weigh) finds of the two under the same model; the least number of all
    /// where it is sure to find that they differ in a number, which is final. How names resemble is looked at only where
    /// the rest leaves the bar in reach.
    pub(in crate::link) fn most(&self, model: &LinkageModel, bar: i32, one: &Sketch, two: &Sketch) -> i32 {
        let (first, second) = (&one.rough, &two.rough);
        if first.flags & second.flags & SINGLE != 0 || (first.flags | second.flags) & CROWDED != 0 {
            return i32::MAX;
        }
        let Some(numbers) = numbers(model, first, second) else { return i32::MIN };
        let (place, home) = (self.place(model, first, second), self.home(model, first, second));
        let at_home = place.max(0) + home.max(0);
        let rest = self.base + middle(model, first, second) + self.date(model, first, second) + place + home + numbers;
        // It takes less than a bit from each bit of what is shared, so that the most evidence makes the most of the sum.
        let excess = |family: i32| (at_home + family.max(0)).saturating_sub(model.household_cap).max(0);
        let with_names = |look: bool| {
            let ([given, family], crossed) = self.names(model, one, two, look);
            // Crossed, a half or all of it counts as the family name.
            let crossed = crossed - excess(crossed.div_euclid(2) - 1);
            rest + (given + family - excess(family)).max(crossed)
        };
        let most = with_names(false);
        if most < bar { most } else { with_names(true) }
    }

    /// Given and family name as they stand, and both together in each other's place. The cap on both is not counted, and
    /// neither is what names of one custom say together: they only take away.
    fn names(&self, model: &LinkageModel, one: &Sketch, two: &Sketch, look: bool) -> ([i32; 2], i32) {
        let either = one.rough.flags | two.rough.flags;
        let levels = |one: &Alike, two: &Alike| if look { one.levels(two) } else { ANY };
        let others = either & (OTHER_GIVEN | OTHER_FAMILY) != 0;
        let given = Two {
            brief: (one.rough.given, two.rough.given),
            levels: levels(&one.names.given, &two.names.given),
            letter: either & GIVEN_LETTER != 0,
            others: either & OTHER_GIVEN != 0,
        };
        let family = Two {
            brief: (one.rough.family, two.rough.family),
            levels: levels(&one.names.family, &two.names.family),
            letter: either & FAMILY_LETTER != 0,
            others,
        };
        let across = |one: &Sketch, two: &Sketch| {
            let names = Two {
                brief: (one.rough.given, two.rough.family),
                levels: levels(&one.names.given, &two.names.family),
                letter: one.rough.flags & GIVEN_LETTER != 0 || two.rough.flags & FAMILY_LETTER != 0,
                others,
            };
            self.given.most(model, names) + self.family.most(model, names)
        };
        // Two for what halving and halving again round away.
        let crossed = (across(one, two) + across(two, one)).div_euclid(2) + 2 + model.crossed;
        ([self.given.most(model, given), self.family.most(model, family)], crossed)
    }

    fn date(&self, model: &LinkageModel, one: &Rough, two: &Rough) -> i32 {
        let ([whole, swapped, year_month, month_day, year_day, year], other) = (one.date, two.date);
        if whole == 0 || other[0] == 0 {
            return 0;
        }
        let digit = one.wildcards.iter().zip(&two.wildcards).fold(false, |any, (one, two)| any | (one == two));
        let inexact = self.date[bits([
            digit,
            whole == other[1] || swapped == other[0],
            year_month == other[2],
            month_day == other[3] || year_day == other[4],
            year == other[5],
        ])];
        let exact = model.tables[DATE][DateLevel::Exact as usize] + mean(one.date_rarity, two.date_rarity);
        if whole == other[0] { inexact.max(exact) } else { inexact }
    }

    fn place(&self, model: &LinkageModel, one: &Rough, two: &Rough) -> i32 {
        let ([unit, sector, district, area], other) = (one.place, two.place);
        if district == 0 || other[2] == 0 {
            return 0;
        }
        let units = unit != 0 && other[0] != 0;
        let inexact = self.postcode[bits([
            units && meet(&one.postcodes, two.postcodes),
            sector != 0 && sector == other[1],
            district == other[2],
            area == other[3],
        ])];
        let exact = model.tables[POSTCODE][PostcodeLevel::Unit as usize] + mean(one.unit_rarity, two.unit_rarity);
        if units && unit == other[0] { inexact.max(exact) } else { inexact }
    }

    fn home(&self, model: &LinkageModel, one: &Rough, two: &Rough) -> i32 {
        let ([whole, number_street, uprn], other) = (one.home, two.home);
        let table = &model.tables[ADDRESS];
        let mut most = i32::MIN;
        if uprn != 0 && uprn == other[2] {
            most = table[AddressLevel::Whole as usize];
        }
        if whole == 0 || other[0] == 0 {
            return most.max(0);
        }
        if whole == other[0] {
            most = most.max(table[AddressLevel::Whole as usize]);
        }
        if number_street != 0 && number_street == other[1] {
            most = most.max(table[AddressLevel::NumberStreet as usize]);
        }
        let shared = one.words.iter().filter(|word| **word != 0 && two.words.contains(word)).count();
        most.max(self.words[shared.min(3)])
    }
}

/// The second names.
fn middle(model: &LinkageModel, one: &Rough, two: &Rough) -> i32 {
    let ([exact, initial], [other, other_initial]) = (one.middle, two.middle);
    if initial == 0 || other_initial == 0 {
        return 0;
    }
    let at = |level: MiddleLevel| model.tables[MIDDLE][level as usize];
    let inexact = if initial == other_initial {
        at(MiddleLevel::Initial).max(at(MiddleLevel::Letter)).max(at(MiddleLevel::Nothing))
    } else {
        at(MiddleLevel::Nothing)
    };
    if exact == 0 || exact != other {
        inexact
    } else if (one.flags | two.flags) & SHARED != 0 {
        inexact.max(at(MiddleLevel::Exact).min(SHARED_MIDDLE))
    } else {
        inexact.max(at(MiddleLevel::Exact))
    }
}

/// All numbers together; `None` where two differ that no one person has both of.
fn numbers(model: &LinkageModel, one: &Rough, two: &Rough) -> Option<i32> {
    let at = |level: NumberLevel| model.tables[NUMBER][level as usize];
    let (mut sum, mut any) = (0, false);
    for ((kind, one), two) in NumberKind::ALL.iter().zip(one.numbers).zip(two.numbers) {
        if one == 0 || two == 0 {
            continue;
        }
        any = true;
        let inexact = at(NumberLevel::Deletion).max(at(NumberLevel::Nothing));
        sum += if one == two {
            inexact.max(at(NumberLevel::Exact))
        } else if kind.is_checked() && model.numbers_apart {
            return None;
        } else {
            inexact
        };
    }
    Some(if any { sum.min(model.number_cap.max(model.disputed_number)) } else { 0 })
}

/// Flags as the bits of a number, the first the lowest.
fn bits<const N: usize>(flags: [bool; N]) -> usize {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | usize::from(*flag))
}

/// May two lists share an element? All eight of the second are looked at in one go.
fn meet(one: &[u8], two: [u8; 8]) -> bool {
    const LOWEST: u64 = u64::from_ne_bytes([1; 8]);
    let two = u64::from_ne_bytes(two);
    // The highest bit of the lowest byte that is zero comes out set, and none where none is.
    let zero = |bytes: u64| bytes.wrapping_sub(LOWEST) & !bytes & LOWEST << 7;
    one.iter().fold(0, |found, byte| found | zero(two ^ (LOWEST * u64::from(*byte)))) != 0
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha20Rng;
    use smallvec::SmallVec;

    use super::super::super::weigh::weigh;
    use super::*;
    use crate::model::tokens::{
        AddressTokens, DateTokens, MiddleTokens, NameTokens, NumberTokens, PersonTokens, PostcodeTokens, Token,
    };

    /// One of few values, some of which look alike in a sketch.
    fn token(random: &mut ChaCha20Rng) -> Token {
        let value = random.random_range(1..7_u64) + 255 * random.random_range(0..2);
        Token(value << 32)
    }

    /// One of many.
    fn rare(random: &mut ChaCha20Rng) -> Token {
        Token(random.random_range(1..400_u64) << 32)
    }

    fn maybe<T>(random: &mut ChaCha20Rng, make: impl FnOnce(&mut ChaCha20Rng) -> T) -> Option<T> {
        random.random_bool(0.8).then(|| make(random))
    }

    fn name(random: &mut ChaCha20Rng) -> NameTokens {
        let exact = token(random);
        let initial = if random.random_bool(0.1) { exact } else { token(random) };
        let (forms, deletions) = (std::array::from_fn(|_| rare(random)), std::array::from_fn(|_| rare(random)));
        NameTokens { exact, forms, phonetic: token(random), initial, deletions }
    }

    fn others(random: &mut ChaCha20Rng) -> SmallVec<[Token; 2]> {
        (0..random.random_range(0..3_u32).saturating_sub(1)).map(|_| token(random)).collect()
    }

    fn numbers(random: &mut ChaCha20Rng) -> SmallVec<[NumberTokens; 1]> {
        let mut numbers = SmallVec::new();
        for kind in NumberKind::ALL {
            for _ in 0..random.random_range(0..6_u32).saturating_sub(4) + u32::from(random.random_ratio(1, 50)) {
                numbers.push(NumberTokens {
                    kind,
                    exact: token(random),
                    deletions: others(random).into_iter().collect(),
                });
            }
        }
        numbers
    }

    fn person(random: &mut ChaCha20Rng) -> Features {
        let tokens = PersonTokens {
            given: maybe(random, name),
            middle: maybe(random, |random| MiddleTokens { exact: maybe(random, token), initial: token(random) }),
            other_given: others(random),
            family: maybe(random, name),
            other_family: others(random),
            date: maybe(random, |random| DateTokens {
                whole: token(random),
                swapped: token(random),
                wildcards: std::array::from_fn(|_| rare(random)),
                year: token(random),
                year_month: token(random),
                month_day: token(random),
                year_day: token(random),
            }),
            sex_and_date: maybe(random, token),
            postcode: maybe(random, |random| PostcodeTokens {
                unit: maybe(random, token),
                sector: maybe(random, token),
                district: token(random),
                area: token(random),
                deletions: std::array::from_fn(|_| rare(random)),
            }),
            address: maybe(random, |random| AddressTokens {
                whole: token(random),
                number_street: maybe(random, token),
                words: (0..random.random_range(0..7)).map(|_| token(random)).collect(),
            }),
            uprn: maybe(random, token),
            numbers: numbers(random),
            blocking: Vec::new(),
        };
        let mut features = Features::pack(&tokens, &LinkageModel::compiled_in());
        let mut rarity = || random.random_range(-3072..=3072);
        features.given.rarity = rarity();
        features.family.rarity = rarity();
        features.date.rarity = rarity();
        features.place.rarity = rarity();
        features.full_name = rarity().saturating_mul(4);
        features.is_middle_shared = random.random_ratio(1, 4);
        features
    }

    #[test]
    fn a_sketch_never_shows_less_than_a_comparison_finds() {
        let mut random = ChaCha20Rng::seed_from_u64(7);
        let mut models = vec![LinkageModel::compiled_in(), LinkageModel::published()];
        models.push(LinkageModel::compiled_in().without_households());
        for model in models {
            let ceiling = Ceiling::of(&model);
            let people: Vec<Features> = (0..150).map(|_| person(&mut random)).collect();
            let sketches: Vec<Sketch> = people.iter().map(Sketch::of).collect();
            let (mut let_go, mut reached) = (0, 0);
            for (one, first) in people.iter().zip(&sketches) {
                for (two, second) in people.iter().zip(&sketches) {
                    let weight = weigh(&model, one, two);
                    let rough = ceiling.most(&model, i32::MAX, first, second);
                    let most = ceiling.most(&model, i32::MIN, first, second);
                    assert!(most >= weight.total || (most == i32::MIN && weight.different_numbers));
                    assert!(rough >= most);
                    let_go += u32::from(most < model.review);
                    reached += u32::from(most == weight.total);
                }
            }
            assert!(let_go > 2_000, "{let_go} pairs of 22,500 are let go");
            assert!(reached > 20, "{reached} pairs are worth all that they may be");
        }
    }
}
