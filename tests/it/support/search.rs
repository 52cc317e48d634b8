//! Looking for many texts at once in raw bytes, each in every spelling and encoding in which it might have slipped out.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use jiff::civil::Date;
use rustc_hash::FxHashMap;

/// Shorter patterns would be met by chance.
const SHORTEST: usize = 7;
/// Digits alone occur in digests, so more of them are needed.
const SHORTEST_DIGITS: usize = 9;

/// A set of patterns, by their first bytes.
pub(crate) struct Search {
    patterns: FxHashMap<[u8; SHORTEST], Vec<(Vec<u8>, String)>>,
    begins: Vec<bool>,
}

impl Search {
    /// For texts in all their spellings and encodings.
    pub(crate) fn for_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut search = Self { patterns: FxHashMap::default(), begins: vec![false; 1 << 16] };
        for text in texts {
            for spelling in spellings(text) {
                for (encoding, pattern) in encodings(&spelling) {
                    search.add(pattern, format!("{text} as {spelling} in {encoding}"));
                }
            }
        }
        search
    }

    fn add(&mut self, pattern: Vec<u8>, what: String) {
        let shortest = if pattern.iter().all(u8::is_ascii_digit) { SHORTEST_DIGITS } else { SHORTEST };
        if pattern.len() < shortest {
            return;
        }
        let beginning = pattern[..SHORTEST].try_into().expect("long enough");
        self.begins[pair(&pattern)] = true;
        let alike = self.patterns.entry(beginning).or_default();
        if !alike.iter().any(|(known, _)| *known == pattern) {
            alike.push((pattern, what));
        }
    }

    /// What is found in some bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found = Vec::new();
        for at in 0..(bytes.len() + 1).saturating_sub(SHORTEST) {
            if !self.begins[pair(&bytes[at..])] {
                continue;
            }
            let rest = &bytes[at..];
            let beginning: &[u8; SHORTEST] = rest[..SHORTEST].try_into().expect("long enough");
            let alike = self.patterns.get(beginning).into_iter().flatten();
            found.extend(alike.filter(|(pattern, _)| rest.starts_with(pattern)).map(|(_, what)| what.as_str()));
        }
        found
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// As it is, in other cases, without its punctuation, and dates as people and machines write them.
fn spellings(text: &str) -> Vec<String> {
    let bare: String = text.chars().filter(|letter| letter.is_alphanumeric()).collect();
    let mut all = vec![text.to_owned(), bare];
    if let Ok(date) = text.parse::<Date>() {
        let (day, month, year) = (date.day(), date.month(), date.year());
        for separator in ["/", "-", ".", " ", ""] {
            all.push(format!("{day:02}{separator}{month:02}{separator}{year:04}"));
            all.push(format!("{month:02}{separator}{day:02}{separator}{year:04}"));
            all.push(format!("{year:04}{separator}{month:02}{separator}{day:02}"));
        }
        let names = ["Jan", "Feb", "March", "April", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec"];
        all.push(format!("{day} {} {year}", names[usize::try_from(month - 1).expect("a month")]));
    }
    let cases: Vec<String> = all.iter().flat_map(|text| [text.to_lowercase(), text.to_uppercase()]).collect();
    all.extend(cases);
    all.sort();
    all.dedup();
    all
}

fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let url = |all: bool| -> Vec<u8> {
        let escape = |byte: &u8| {
            if !all && byte.is_ascii_alphanumeric() { char::from(*byte).into() } else { format!("%{byte:02X}") }
        };
        bytes.iter().map(escape).collect::<String>().into_bytes()
    };
    let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let array: Vec<String> = bytes.iter().map(ToString::to_string).collect();
    let mut all = vec![
        ("UTF-8", bytes.to_vec()),
        ("UTF-16LE", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("UTF-16BE", text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("hexadecimal", hex.clone().into_bytes()),
        ("HEXADECIMAL", hex.to_uppercase().into_bytes()),
        ("URL escapes", url(false)),
        ("nothing but URL escapes", url(true)),
        ("JSON escapes", escaped.into_bytes()),
        ("a list of numbers", array.join(", ").into_bytes()),
        ("a list of numbers, closed up", array.join(",").into_bytes()),
    ];
    // Wherever the text stood in what was encoded: the letters that its neighbours have a share in are left out.
    for before in 0..3 {
        let shifted = [vec![0; before], bytes.to_vec()].concat();
        let from = (before * 8).div_ceil(6);
        let to = shifted.len() * 8 / 6;
        for engine in [&STANDARD, &URL_SAFE] {
            all.push(("base64", engine.encode(&shifted).as_bytes()[from..to].to_vec()));
        }
    }
    all
}

#[test]
fn every_spelling_and_encoding_would_be_found() {
    let texts = ["Quxzvyxofjaqvyz", "1911-03-07", "17 Kqewuqpzoghybxu Road", "ZX1 2AB", "1999/0123456X"];
    let search = Search::for_texts(texts);
    let noise: Vec<u8> = (0..64u8).map(|at| at.wrapping_mul(37)).collect();
    let mut planted = 0;
    for text in texts {
        for spelling in spellings(text) {
            for (encoding, pattern) in encodings(&spelling) {
                let shortest = if pattern.iter().all(u8::is_ascii_digit) { SHORTEST_DIGITS } else { SHORTEST };
                let found = search.find(&[&noise, &pattern[..], &noise].concat());
                assert_eq!(!found.is_empty(), pattern.len() >= shortest, "{spelling} in {encoding}");
                planted += 1;
            }
        }
        for neighbours in ["", "a", "ab", "abc"] {
            let encoded = STANDARD.encode(format!("{neighbours}{text}{neighbours}"));
            assert!(!search.find(encoded.as_bytes()).is_empty(), "{text} behind {neighbours} in base64");
        }
    }
    assert!(planted > 500);
    assert!(search.find(&noise).is_empty() && search.find(b"").is_empty());
}
