//! Postcodes and addresses: evidence that a household shares.

use smallvec::SmallVec;

use super::Word;
use super::names::fold;

/// A postcode and what it lies in.
pub struct NormalPostcode {
    /// The whole; absent where only the outward half was given.
    pub(crate) unit: Option<Word>,
    /// Without the last two characters (one where it is all digits).
    pub(crate) sector: Option<Word>,
    /// The outward half.
    pub(crate) district: Word,
    /// The leading letters.
    pub(crate) area: Word,
}

/// One line of address in parts.
pub struct NormalAddress {
    pub(crate) whole: Word,
    pub(crate) number_street: Option<Word>,
    pub(crate) words: Vec<Word>,
}

/// Reads a UK postcode, or one of digits as other countries have; `None` for anything else and for `no fixed abode`.
pub(super) fn normalise_postcode(text: &str) -> Option<NormalPostcode> {
    let text = text.trim();
    let text = text.strip_suffix(".0").unwrap_or(text);
    let first =
        if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') { text.split('-').next()? } else { text };
    let code: String =
        first.chars().filter(char::is_ascii_alphanumeric).map(|symbol| symbol.to_ascii_lowercase()).collect();
    if code.starts_with("zz99") || code.bytes().all(|byte| byte == b'0') || code.len() > 12 {
        return None;
    }
    let letters = code.bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters == 0 {
        return numeric(&code);
    }
    let word = |text: &str| Word::new(text.to_owned());
    let inward = code.len().checked_sub(3).filter(|at| {
        let tail = &code.as_bytes()[*at..];
        *at >= 2 && tail[0].is_ascii_digit() && tail[1].is_ascii_alphabetic() && tail[2].is_ascii_alphabetic()
    });
    let area = word(&code[..letters.min(2)]);
    match inward {
        Some(at) => Some(NormalPostcode {
            unit: Some(word(&code)),
            sector: Some(word(&code[..=at])),
            district: word(&code[..at]),
            area,
        }),
        None if (2..=4).contains(&code.len()) => {
            Some(NormalPostcode { unit: None, sector: None, district: word(&code), area })
        }
        None if code.len() >= 5 => {
            // Mistyped, but still evidence as a whole and for its neighbourhood of one deletion.
            let outward = code.len() - 3;
            Some(NormalPostcode {
                sector: Some(word(&code[..=outward])),
                district: word(&code[..outward]),
                unit: Some(word(&code)),
                area,
            })
        }
        None => None,
    }
}

fn numeric(code: &str) -> Option<NormalPostcode> {
    if !(3..=10).contains(&code.len()) {
        return None;
    }
    let prefix = |less: usize| Word::new(code[..code.len().saturating_sub(less).max(1)].to_owned());
    Some(NormalPostcode { unit: Some(prefix(0)), sector: Some(prefix(1)), district: prefix(2), area: prefix(3) })
}

/// Kinds of street and dwelling, which people shorten, swap or leave out.
const FILLERS: [&str; 40] = [
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "av",
    "lane",
    "ln",
    "close",
    "cl",
    "court",
    "ct",
    "drive",
    "dr",
    "place",
    "pl",
    "crescent",
    "cres",
    "cr",
    "terrace",
    "tce",
    "way",
    "grove",
    "gr",
    "gardens",
    "gdns",
    "square",
    "sq",
    "circuit",
    "cct",
    "flat",
    "apartment",
    "apt",
    "unit",
    "house",
    "no",
    "the",
    "of",
    "and",
];

/// The most words kept; longer ones tell more.
const MOST_WORDS: usize = 6;

/// Reads one line of address; `None` where it says nothing, or that there is no fixed abode.
pub(super) fn normalise_address(text: &str) -> Option<NormalAddress> {
    let mut numbers: SmallVec<[String; 2]> = SmallVec::new();
    let mut words: SmallVec<[String; 8]> = SmallVec::new();
    for part in
        text.split(|symbol: char| symbol.is_whitespace() || ",./;-".contains(symbol)).filter(|part| !part.is_empty())
    {
        if part.starts_with(|first: char| first.is_ascii_digit()) {
            let symbols = part.chars().filter(char::is_ascii_alphanumeric);
            numbers.push(symbols.map(|symbol| symbol.to_ascii_lowercase()).collect());
        } else {
            let mut word = fold(part);
            word.retain(|symbol| !matches!(symbol, ' ' | '-'));
            if !word.is_empty() && !FILLERS.contains(&word.as_str()) {
                words.push(word);
            }
        }
    }
    if words.is_empty() || says_nowhere(&words) {
        return None;
    }
    let letters: usize = numbers.iter().chain(&words).map(|part| part.len() + 1).sum();
    let mut whole = String::with_capacity(letters + 1);
    join(&mut whole, &numbers);
    whole.push('|');
    join(&mut whole, &words);
    let number_street = numbers.first().map(|number| [number, "|", words[0].as_str()].concat());
    words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    words.dedup();
    words.truncate(MOST_WORDS);
    Some(NormalAddress {
        whole: Word::new(whole),
        number_street: number_street.map(Word::new),
        words: words.into_iter().map(Word::new).collect(),
    })
}

/// Writes parts with a space between.
fn join(line: &mut String, parts: &[String]) {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        line.push_str(part);
    }
}

/// Do the words together say that there is no address?
fn says_nowhere(words: &[String]) -> bool {
    const NOWHERE: [&str; 7] =
        ["nfa", "nofixedabode", "nofixedaddress", "fixedabode", "unknown", "notknown", "homeless"];
    let letters = words.iter().map(String::len).sum::<usize>();
    NOWHERE.iter().any(|nowhere| nowhere.len() == letters && words.concat() == *nowhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcodes_fall_into_their_parts() {
        let code = normalise_postcode(" po1 2AB").expect("a postcode");
        let parts = [&code.district, &code.area].map(|word| word.expose().to_owned());
        assert_eq!(parts, ["po1", "po"]);
        assert_eq!(code.unit.expect("a unit").expose(), "po12ab");
        assert_eq!(code.sector.expect("a sector").expose(), "po12");
        assert!(normalise_postcode("PO1").expect("a district").unit.is_none());
        let digits = normalise_postcode("98101-1234").expect("a postcode");
        assert_eq!([digits.district.expose(), digits.area.expose()], ["981", "98"]);
        for none in ["", "ZZ99 3VZ", "00000", "?"] {
            assert!(normalise_postcode(none).is_none());
        }
    }

    #[test]
    fn addresses_are_compared_without_their_fillers() {
        let long = normalise_address("12 High Street, Southsea").expect("an address");
        let short = normalise_address("12 HIGH ST SOUTHSEA").expect("an address");
        assert_eq!(long.whole.expose(), short.whole.expose());
        assert_eq!(long.number_street.expect("a number").expose(), "12|high");
        assert!(normalise_address("No fixed abode").is_none());
    }
}
