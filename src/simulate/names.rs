//! Who is called what, by naming custom, and what clerks make of it. A name is kept as places in the tables (a few bytes
//! a person) and becomes text when an agency writes it down.

use super::dice::Dice;
use super::name_tables as table;
use super::name_variants as variants;
use super::rates;

/// A naming custom. Fairness is reported by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Custom {
    /// Given names, then a family name that a wife often takes.
    English,
    /// Family names with a gendered ending, and diacritics.
    Polish,
    /// Singh and Kaur, with or without a family name.
    Punjabi,
    /// Bengali and Pakistani: women bear a second name that nobody in the family shares.
    Bengali,
    /// Family names with a particle.
    Arabic,
    /// Family name first.
    Chinese,
    /// Two family names.
    Iberian,
    /// Somali, Eritrean, Ethiopian: the father's given name stands last.
    Patronymic,
    /// A patronymic in the middle, several transliterations.
    Ukrainian,
    /// One name only.
    Single,
    /// Nigerian and Ghanaian.
    WestAfrican,
}

impl Custom {
    /// Every custom, in the order of `rates::CUSTOMS`.
    pub const ALL: [Custom; 11] = [
        Custom::English,
        Custom::Polish,
        Custom::Punjabi,
        Custom::Bengali,
        Custom::Arabic,
        Custom::Chinese,
        Custom::Iberian,
        Custom::Patronymic,
        Custom::Ukrainian,
        Custom::Single,
        Custom::WestAfrican,
    ];

    /// The custom's name in truth files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Custom::English => "english",
            Custom::Polish => "polish",
            Custom::Punjabi => "punjabi",
            Custom::Bengali => "bengali",
            Custom::Arabic => "arabic",
            Custom::Chinese => "chinese",
            Custom::Iberian => "iberian",
            Custom::Patronymic => "patronymic",
            Custom::Ukrainian => "ukrainian",
            Custom::Single => "single",
            Custom::WestAfrican => "west_african",
        }
    }

    /// Draws one with the city's shares.
    pub(super) fn draw(dice: &mut Dice) -> Self {
        Self::ALL[dice.weighted(&rates::CUSTOMS)]
    }

    /// Does a wife take her husband's family name, commonly?
    pub(super) fn wives_take_the_name(self) -> bool {
        matches!(self, Custom::English | Custom::Polish | Custom::Ukrainian | Custom::WestAfrican)
    }

    /// Is the name that stands last borne by the whole family?
    pub(super) fn families_share_a_name(self) -> bool {
        !matches!(self, Custom::Patronymic | Custom::Single)
    }

    fn given_table(self, female: bool) -> &'static [&'static str] {
        match (self, female) {
            (Custom::English, true) => table::ENGLISH_WOMEN,
            (Custom::English, false) => table::ENGLISH_MEN,
            (Custom::Polish, true) => table::POLISH_WOMEN,
            (Custom::Polish, false) => table::POLISH_MEN,
            // Made of two halves: `given_word`.
            (Custom::Punjabi, _) => table::PUNJABI_STEMS,
            (Custom::Bengali, true) => table::BENGALI_WOMEN,
            (Custom::Bengali, false) => table::BENGALI_MEN,
            (Custom::Arabic, true) => table::ARABIC_WOMEN,
            (Custom::Arabic, false) => table::ARABIC_MEN,
            (Custom::Chinese, _) => table::CHINESE_SYLLABLES,
            (Custom::Iberian, true) => table::IBERIAN_WOMEN,
            (Custom::Iberian, false) => table::IBERIAN_MEN,
            (Custom::Patronymic, true) => table::HORN_WOMEN,
            (Custom::Patronymic, false) => table::HORN_MEN,
            (Custom::Ukrainian, true) => table::UKRAINIAN_WOMEN,
            (Custom::Ukrainian, false) => table::UKRAINIAN_MEN,
            (Custom::Single, true) => table::SINGLE_WOMEN,
            (Custom::Single, false) => table::SINGLE_MEN,
            (Custom::WestAfrican, true) => table::WEST_AFRICAN_WOMEN,
            (Custom::WestAfrican, false) => table::WEST_AFRICAN_MEN,
        }
    }
}

/// A family name: a custom's table and the place in it. A mixed household holds names of two customs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FamilyName {
    custom: Custom,
    first: u16,
    /// A second, hyphenated (English) or juxtaposed (Iberian); `NONE` without.
    second: u16,
}

/// No name in this place.
pub(super) const NONE: u16 = u16::MAX;

/// A given name and perhaps a middle one, as places in the custom's table.
pub(super) type GivenNames = [u16; 2];

impl FamilyName {
    /// Draws one.
    pub(super) fn draw(custom: Custom, dice: &mut Dice) -> Self {
        let first = Self::draw_one(custom, dice);
        let doubled = match custom {
            Custom::English => dice.chance(rates::DOUBLE_BARRELLED),
            Custom::Iberian => true,
            _ => false,
        };
        Self { custom, first, second: if doubled { Self::draw_one(custom, dice) } else { NONE } }
    }

    fn draw_one(custom: Custom, dice: &mut Dice) -> u16 {
        let place = match custom {
            Custom::English => {
                let listed = table::ENGLISH_FAMILIES.len() as u32;
                if dice.chance(rates::COMMON_FAMILY_NAME) {
                    dice.rank(listed)
                } else {
                    listed + dice.below((table::ENGLISH_STEMS.len() * table::ENGLISH_ENDINGS.len()) as u32)
                }
            }
            Custom::Polish => dice.rank((table::POLISH_STEMS.len() * table::POLISH_ENDINGS.len()) as u32),
            Custom::Punjabi => dice.rank(table::PUNJABI_FAMILIES.len() as u32),
            Custom::Bengali => dice.rank(table::BENGALI_FAMILIES.len() as u32),
            Custom::Arabic => dice.below((table::ARABIC_FAMILIES.len() * table::ARABIC_PARTICLES.len()) as u32),
            Custom::Chinese => dice.rank(table::CHINESE_FAMILIES.len() as u32),
            Custom::Iberian => dice.rank(table::IBERIAN_FAMILIES.len() as u32),
            Custom::Patronymic => dice.rank(table::HORN_MEN.len() as u32),
            Custom::Ukrainian => dice.below((table::UKRAINIAN_STEMS.len() * table::UKRAINIAN_ENDINGS.len()) as u32),
            Custom::Single => 0,
            Custom::WestAfrican => dice.rank(table::WEST_AFRICAN_FAMILIES.len() as u32),
        };
        place as u16
    }

    /// What a child of these parents bears.
    pub(super) fn of_child(father: FamilyName, father_given: GivenNames, mother: FamilyName) -> Self {
        match father.custom {
            Custom::Patronymic => Self { custom: Custom::Patronymic, first: father_given[0], second: NONE },
            // Father's first and mother's first.
            Custom::Iberian if mother.custom == Custom::Iberian => Self { second: mother.first, ..father },
            _ => father,
        }
    }

    /// The name as its bearer would write it; nothing where the custom has no family name.
    pub(super) fn text(self, female: bool) -> Option<String> {
        let first = self.one(self.first, female)?;
        if self.second == NONE {
            return Some(first);
        }
        let second = self.one(self.second, female)?;
        Some(if self.custom == Custom::English { format!("{first}-{second}") } else { format!("{first} {second}") })
    }

    fn one(self, place: u16, female: bool) -> Option<String> {
        let place = usize::from(place);
        Some(match self.custom {
            Custom::English => match table::ENGLISH_FAMILIES.get(place) {
                Some(listed) => (*listed).to_owned(),
                None => {
                    let rarer = place - table::ENGLISH_FAMILIES.len();
                    let stem = table::ENGLISH_STEMS[rarer / table::ENGLISH_ENDINGS.len()];
                    [stem, table::ENGLISH_ENDINGS[rarer % table::ENGLISH_ENDINGS.len()]].concat()
                }
            },
            Custom::Polish => {
                let (his, hers) = table::POLISH_ENDINGS[place / table::POLISH_STEMS.len()];
                [table::POLISH_STEMS[place % table::POLISH_STEMS.len()], if female { hers } else { his }].concat()
            }
            Custom::Punjabi => table::PUNJABI_FAMILIES[place].to_owned(),
            Custom::Bengali => table::BENGALI_FAMILIES[place].to_owned(),
            Custom::Arabic => {
                let particle = table::ARABIC_PARTICLES[place % table::ARABIC_PARTICLES.len()];
                [particle, table::ARABIC_FAMILIES[place / table::ARABIC_PARTICLES.len()]].concat()
            }
            Custom::Chinese => table::CHINESE_FAMILIES[place].0.to_owned(),
            Custom::Iberian => table::IBERIAN_FAMILIES[place].to_owned(),
            Custom::Patronymic => table::HORN_MEN[place].to_owned(),
            Custom::Ukrainian => {
                let stem = table::UKRAINIAN_STEMS[place / table::UKRAINIAN_ENDINGS.len()];
                [stem, table::UKRAINIAN_ENDINGS[place % table::UKRAINIAN_ENDINGS.len()]].concat()
            }
            Custom::Single => return None,
            Custom::WestAfrican => table::WEST_AFRICAN_FAMILIES[place].to_owned(),
        })
    }
}

/// Draws given names.
pub(super) fn draw_given(custom: Custom, female: bool, dice: &mut Dice) -> GivenNames {
    let count = custom.given_table(female).len() as u32;
    let halves = if custom == Custom::Punjabi { table::PUNJABI_ENDINGS.len() as u32 } else { 1 };
    let first = (dice.rank(count) * halves + dice.below(halves)) as u16;
    let has_second = match custom {
        Custom::English => dice.chance(rates::MIDDLE_NAME),
        Custom::Chinese => dice.chance(0.75),
        Custom::Polish | Custom::WestAfrican | Custom::Iberian | Custom::Arabic => dice.chance(0.3),
        Custom::Bengali => dice.chance(if female { 0.25 } else { 0.5 }),
        // Their second is Singh or Kaur, or the patronymic.
        Custom::Ukrainian => dice.chance(0.7),
        Custom::Punjabi | Custom::Patronymic | Custom::Single => false,
    };
    let seconds = if custom == Custom::Ukrainian { table::UKRAINIAN_MEN.len() as u32 } else { count };
    [first, if has_second { dice.rank(seconds) as u16 } else { NONE }]
}

/// A full name in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Written {
    pub(super) given: Vec<String>,
    pub(super) family: Option<String>,
}

/// The name as its bearer would write it.
pub(super) fn written(custom: Custom, female: bool, given: GivenNames, family: FamilyName) -> Written {
    let names = custom.given_table(female);
    let halved = custom == Custom::Punjabi;
    let first = names[usize::from(given[0]) / if halved { table::PUNJABI_ENDINGS.len() } else { 1 }];
    let second = (given[1] != NONE).then(|| usize::from(given[1]));
    let family_place = family.first;
    let mut family = family.text(female);
    let mut words = vec![first.to_owned()];
    match custom {
        Custom::Punjabi => {
            words[0].push_str(table::PUNJABI_ENDINGS[usize::from(given[0]) % table::PUNJABI_ENDINGS.len()]);
            words.push(if female { "Kaur" } else { "Singh" }.to_owned());
        }
        Custom::Chinese => {
            if let Some(second) = second {
                words[0] = [first, &names[second].to_lowercase()].concat();
            }
        }
        Custom::Ukrainian => words.extend(second.map(|father| patronymic(table::UKRAINIAN_MEN[father], female))),
        _ => words.extend(second.filter(|second| names[*second] != first).map(|second| names[second].to_owned())),
    }
    if custom == Custom::Bengali && female {
        // Begum or the like stands where a family name would.
        family =
            Some(table::BENGALI_SECOND[usize::from(given[0] + family_place) % table::BENGALI_SECOND.len()].to_owned());
    }
    Written { given: words, family }
}

fn patronymic(father: &str, female: bool) -> String {
    let stem = father.trim_end_matches(['a', 'o', 'i']);
    [stem, if female { "ivna" } else { "ovych" }].concat()
}

/// What this given name is called for short, if anything.
pub(super) fn nickname(given: &str, dice: &mut Dice) -> Option<String> {
    let (_, short) = variants::NICKNAMES.iter().find(|(full, _)| *full == given)?;
    Some((*dice.pick(short)).to_owned())
}

/// Another spelling of this word that clerks use, if there is one.
pub(super) fn respelled(word: &str, dice: &mut Dice) -> Option<String> {
    let spellings = variants::SPELLINGS.iter().find(|spellings| spellings.contains(&word));
    if let Some(spellings) = spellings {
        let other = *dice.pick(spellings);
        return (other != word).then(|| other.to_owned());
    }
    let (_, older) = table::CHINESE_FAMILIES.iter().find(|(pinyin, _)| *pinyin == word)?;
    Some((*older).to_owned())
}

/// The English name that a Chinese person may give instead.
pub(super) fn added_english_name(dice: &mut Dice) -> String {
    (*dice.pick(variants::CHINESE_ENGLISH)).to_owned()
}

/// The word without its diacritics.
pub(super) fn plain(word: &str) -> String {
    word.chars()
        .map(|letter| match letter {
            'ą' => 'a',
            'á' | 'ã' | 'à' => 'a',
            'Á' => 'A',
            'ć' | 'ç' => 'c',
            'ę' | 'é' | 'ê' => 'e',
            'É' => 'E',
            'í' => 'i',
            'Í' => 'I',
            'ł' => 'l',
            'Ł' => 'L',
            'ń' | 'ñ' => 'n',
            'ó' | 'õ' | 'ô' => 'o',
            'ś' => 's',
            'Ś' => 'S',
            'ú' => 'u',
            'ź' | 'ż' => 'z',
            'Ż' | 'Ź' => 'Z',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::dice::Stream;

    #[test]
    fn every_custom_names_people_in_its_own_form() {
        let mut dice = Dice::new(1, Stream::Household, 0, 0);
        for custom in Custom::ALL {
            for _ in 0..500 {
                let female = dice.chance(0.5);
                let family = FamilyName::draw(custom, &mut dice);
                let name = written(custom, female, draw_given(custom, female, &mut dice), family);
                assert!(name.given.iter().chain(&name.family).all(|word| !word.is_empty()));
                let family = name.family.unwrap_or_default();
                match custom {
                    Custom::Single => assert!(family.is_empty() && name.given.len() == 1),
                    Custom::Punjabi => assert_eq!(name.given[1], if female { "Kaur" } else { "Singh" }),
                    Custom::Iberian => assert!(family.contains(' ')),
                    Custom::Polish => assert!(!(female && family.ends_with("ski"))),
                    Custom::Bengali if female => assert!(table::BENGALI_SECOND.contains(&family.as_str())),
                    _ => assert!(!family.is_empty()),
                }
            }
        }
    }

    #[test]
    fn a_patronymic_is_the_fathers_given_name() {
        let mut dice = Dice::new(2, Stream::Household, 0, 0);
        let father = FamilyName::draw(Custom::Patronymic, &mut dice);
        let given = draw_given(Custom::Patronymic, false, &mut dice);
        let child = FamilyName::of_child(father, given, father);
        assert_eq!(child.text(true).as_deref(), Some(table::HORN_MEN[usize::from(given[0])]));
    }

    #[test]
    fn a_city_is_not_full_of_namesakes() {
        let mut names = std::collections::BTreeMap::new();
        let mut dice = Dice::new(3, Stream::Household, 0, 0);
        for _ in 0..50_000 {
            let (custom, female) = (Custom::draw(&mut dice), dice.chance(0.5));
            let family = FamilyName::draw(custom, &mut dice);
            let mut name = written(custom, female, draw_given(custom, female, &mut dice), family);
            name.given.truncate(1);
            *names.entry(format!("{name:?}")).or_insert(0) += 1;
        }
        assert!(names.len() > 15_000, "{} different names", names.len());
        assert!(names.values().all(|count| *count < 100));
    }
}
