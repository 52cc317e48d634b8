//! Names to plain lower-case ASCII words: compatibility forms folded, marks and punctuation stripped, other scripts
//! transliterated, titles and placeholders dropped.

use std::cell::RefCell;

use rphonetic::DoubleMetaphone;
use smallvec::{SmallVec, smallvec};
use unicode_normalization::UnicodeNormalization;

use super::{NormalName, Word};
use crate::validate::identity::{ClearName, ClearText};

/// Forms of address and rank; dropped where another word remains.
const TITLES: [&str; 18] = [
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "doctor",
    "prof",
    "professor",
    "sir",
    "dame",
    "rev",
    "reverend",
    "lord",
    "lady",
    "jr",
    "sr",
    "esq",
];

/// What people type when they do not know.
const PLACEHOLDERS: [&str; 12] = [
    "unknown",
    "unk",
    "notknown",
    "anonymous",
    "refused",
    "none",
    "null",
    "nan",
    "nil",
    "notgiven",
    "withheld",
    "notrecorded",
];

/// Words that stand before a family name and come and go: kept in the whole, not a part by themselves.
const PARTICLES: [&str; 24] = [
    "al", "el", "ul", "bin", "bint", "ben", "ibn", "abu", "de", "da", "do", "dos", "del", "della", "di", "la", "le",
    "van", "von", "der", "den", "ter", "ap", "st",
];

/// Names longer than this are cut: no real one is, and work per name stays bounded.
const LONGEST_NAME: usize = 40;

/// A name that is part of another, written apart, is no longer than this.
const LONGEST_SYLLABLE: usize = 6;

/// The most other names of one kind that are kept.
const MOST_OTHERS: usize = 4;

/// Given and family names of one person, in one shape.
#[derive(Default)]
pub(super) struct Names {
    pub(super) given: Option<NormalName>,
    pub(super) middle: Option<Word>,
    pub(super) other_given: Vec<Word>,
    pub(super) family: Option<NormalName>,
    pub(super) other_family: Vec<Word>,
}

/// Reads the main name, then former names and aliases as other names.
pub(super) fn normalise_names(given: &[ClearText], family: Option<&ClearText>, others: &[&ClearName]) -> Names {
    let mut names = Names::default();
    let mut given_words = given.iter().flat_map(|text| words(text.expose()));
    if let Some(first) = given_words.next() {
        let rest: SmallVec<[Parts; 2]> = given_words.collect();
        names.middle = rest.first().map(|parts| Word::new(parts.concat()));
        names.other_given.extend(rest.iter().map(|parts| Word::new(parts.concat())).filter(Word::is_name));
        // A name of two syllables is written apart by some and together by others: Wei Ming, Weiming.
        if let [second] = rest.as_slice() {
            let both = [first.concat(), second.concat()];
            if both.iter().all(|part| (2..=LONGEST_SYLLABLE).contains(&part.len())) {
                names.other_given.push(Word::new(both.concat()));
            }
        }
        if first.len() > 1 {
            names.other_given.extend(first.iter().map(|part| Word::new(part.clone())).filter(Word::is_name));
        }
        names.given = Some(name(together(first)));
    }
    let family_words: SmallVec<[Parts; 1]> = family.map(|text| words(text.expose())).unwrap_or_default();
    if !family_words.is_empty() {
        names.other_family.extend(family_parts(&family_words));
        names.family = Some(name(together(family_words.into_iter().flatten())));
    }
    for other in others {
        let given = other.given_names.iter().flat_map(|text| words(text.expose()));
        names.other_given.extend(given.map(|parts| Word::new(parts.concat())).filter(Word::is_name).take(MOST_OTHERS));
        let family: SmallVec<[Parts; 1]> = other.family_name.iter().flat_map(|text| words(text.expose())).collect();
        if !family.is_empty() {
            names.other_family.extend(family_parts(&family));
            names.other_family.push(Word::new(together(family.into_iter().flatten())));
        }
    }
    tidy(&mut names.other_given, names.given.as_ref());
    tidy(&mut names.other_family, names.family.as_ref());
    names
}

/// The parts of a double or prefixed family name, none for a single one.
fn family_parts(words: &[Parts]) -> impl Iterator<Item = Word> {
    let is_single = words.iter().flatten().nth(1).is_none();
    let telling = |part: &&String| part.len() > 1 && !PARTICLES.contains(&part.as_str());
    words.iter().flatten().filter(telling).filter(move |_| !is_single).map(|part| Word::new(part.clone()))
}

/// The parts as one word; a single one as it is.
fn together(parts: impl IntoIterator<Item = String>) -> String {
    let mut parts = parts.into_iter();
    let mut word = parts.next().unwrap_or_default();
    parts.for_each(|part| word.push_str(&part));
    word
}

/// Each once, sorted, the main name left out, a bounded number.
fn tidy(others: &mut Vec<Word>, main: Option<&NormalName>) {
    others.retain(|other| main.is_none_or(|main| main.word.expose() != other.expose()));
    others.sort_by(|a, b| a.expose().cmp(b.expose()));
    others.dedup_by(|a, b| a.expose() == b.expose());
    others.truncate(MOST_OTHERS);
}

fn name(mut word: String) -> NormalName {
    word.truncate(LONGEST_NAME);
    NormalName::new(word)
}

/// How a name sounds, by double metaphone.
pub(super) fn sound(word: &str) -> String {
    thread_local! {
        static METAPHONE: RefCell<DoubleMetaphone> = RefCell::new(DoubleMetaphone::new(Some(6)));
    }
    let code = METAPHONE.with_borrow(|metaphone| metaphone.double_metaphone(word).primary());
    // Some words have no code (`h`): they sound like themselves and like nothing else.
    match code.len() {
        0 => word.to_owned(),
        // A short code is shared by names that nobody would mistake (Wayne, Owen), so the first letter must agree too.
        1 | 2 => format!("{}{code}", &word[..1]),
        _ => code,
    }
}

/// The parts of one word: one, but for names with a hyphen.
type Parts = SmallVec<[String; 1]>;

/// Words separated by space; each is one or more parts (hyphens, apostrophes are taken out first).
fn words(text: &str) -> SmallVec<[Parts; 1]> {
    let folded = fold(text);
    if !folded.is_empty() && folded.bytes().all(|letter| letter.is_ascii_lowercase()) {
        // One word, as most are: a title where nothing else is stays what it is.
        let unknown = PLACEHOLDERS.contains(&folded.as_str());
        return if unknown { SmallVec::new() } else { smallvec![smallvec![folded]] };
    }
    let mut all: SmallVec<[Parts; 1]> = folded
        .split_whitespace()
        .map(|word| word.split('-').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Parts>())
        .filter(|parts| !parts.is_empty())
        .collect();
    let joined: String = all.iter().flatten().map(String::as_str).collect();
    if PLACEHOLDERS.contains(&joined.as_str()) {
        all.clear();
    }
    if !all.iter().all(|parts| is_title(parts)) {
        all.retain(|parts| !is_title(parts));
    }
    all
}

fn is_title(parts: &[String]) -> bool {
    matches!(parts, [only] if TITLES.contains(&only.as_str()))
}

/// Lower-case ASCII letters, spaces and hyphens; everything else is stripped or transliterated.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut push = |symbol: char| match symbol {
        'a'..='z' => out.push(symbol),
        'A'..='Z' => out.push(symbol.to_ascii_lowercase()),
        ' ' | '\t' | ',' | '/' | '.' | '_' => out.push(' '),
        '-' => out.push('-'),
        // Apostrophes, digits, brackets: gone without a gap, so that O'Brien is obrien.
        _ => {}
    };
    if text.is_ascii() {
        text.chars().for_each(&mut push);
        return out;
    }
    for symbol in text.nfkd() {
        if symbol.is_ascii() {
            push(symbol);
        } else if matches!(symbol, '\u{2010}'..='\u{2015}') {
            push('-');
        } else if symbol.is_whitespace() {
            push(' ');
        } else if let Some(latin) = deunicode::deunicode_char(symbol) {
            // Letters of other scripts come as Latin syllables; a trailing space parts Chinese ones.
            latin.chars().filter(|letter| letter.is_ascii_alphabetic() || *letter == ' ').for_each(&mut push);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[&str], family: &str) -> Names {
        let given: Vec<ClearText> = given.iter().map(|text| ClearText::new((*text).to_owned())).collect();
        normalise_names(&given, Some(&ClearText::new(family.to_owned())), &[])
    }

    fn shown(words: &[Word]) -> Vec<&str> {
        words.iter().map(Word::expose).collect()
    }

    #[test]
    fn one_person_written_in_several_ways_is_one_name() {
        for family in ["O'Brien", "O’BRIEN", "o brien", "Ó Brien", "O-Brien"] {
            let names = read(&["Zoë"], family);
            assert_eq!(names.family.expect("there is a family name").word.expose(), "obrien");
            assert_eq!(names.given.expect("there is a given name").word.expose(), "zoe");
        }
    }

    #[test]
    fn double_names_keep_whole_and_parts() {
        let names = read(&["Anne-Marie", "Jane"], "Smith-Jones");
        assert_eq!(names.given.expect("there is a given name").word.expose(), "annemarie");
        assert_eq!(names.middle.expect("there is a second name").expose(), "jane");
        assert_eq!(shown(&names.other_given), ["anne", "jane", "marie"]);
        assert_eq!(names.family.expect("there is a family name").word.expose(), "smithjones");
        assert_eq!(shown(&names.other_family), ["jones", "smith"]);
        assert_eq!(shown(&read(&[], "al-Hassan").other_family), ["hassan"]);
    }

    #[test]
    fn a_name_written_apart_is_known_together() {
        let apart = read(&["Wei", "Ming"], "Li");
        assert_eq!(shown(&apart.other_given), ["ming", "weiming"]);
        assert_eq!(shown(&read(&["Wei-Ming"], "Li").other_given), ["ming", "wei"]);
        assert_eq!(read(&["Wei-Ming"], "Li").given.expect("there is a given name").word.expose(), "weiming");
        assert_eq!(shown(&read(&["Christopher", "Alexander"], "Li").other_given), ["alexander"]);
        assert_eq!(shown(&read(&["Wei", "M"], "Li").other_given), Vec::<&str>::new());
    }

    #[test]
    fn titles_and_placeholders_say_nothing() {
        assert_eq!(read(&["Mrs Jane"], "Doe").given.expect("there is a given name").word.expose(), "jane");
        assert!(read(&["UNKNOWN"], "Not Known").given.is_none());
        assert!(read(&["x"], "Not Known").family.is_none());
    }

    #[test]
    fn other_scripts_are_transliterated() {
        assert_eq!(read(&["Владимир"], "Łukasz").given.expect("a name").word.expose(), "vladimir");
        assert_eq!(read(&["a"], "Łukasz").family.expect("a name").word.expose(), "lukasz");
    }
}
