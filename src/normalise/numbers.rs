//! Numbers that name one person, checked by their check letters. A number that fails is dropped, never linked on.

use super::Word;
use crate::model::tokens::NumberKind;

/// PNC ids and CRO numbers take their check letter from this list, by the remainder modulo 23.
const CHECK_LETTERS: &[u8; 23] = b"ZABCDEFGHJKLMNPQRTUVWXY";

/// Brings a number into its one form: `None` where it is not one.
pub(super) fn normalise_number(kind: NumberKind, text: &str) -> Option<Word> {
    let compact: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|symbol| symbol.to_ascii_uppercase()).collect();
    match kind {
        NumberKind::Pnc => pnc(text),
        NumberKind::Cro => cro(text),
        NumberKind::Nhs => nhs(&compact),
        NumberKind::Crn => shaped(&compact, "A000000"),
        NumberKind::Noms => shaped(&compact, "A0000AA"),
        NumberKind::National => national(text, &compact),
    }
    .map(Word::new)
}

/// `YYYY/NNNNNNND` or short `YY/N…D`; the letter is over the year's last two digits and the serial as seven digits.
fn pnc(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let (year, rest) = split_year(&text)?;
    let (serial, letter) = serial_and_letter(&rest)?;
    if !matches!(year.len(), 2 | 4) || serial.len() > 7 {
        return None;
    }
    let short = format!("{}{serial:0>7}", &year[year.len() - 2..]);
    (check_letter(&short)? == letter).then_some(short)
}

/// At the slash, or after four digits where there is none (`19990123456X`).
fn split_year(text: &str) -> Option<(String, String)> {
    if let Some((year, rest)) = text.split_once('/') {
        return Some((digits_of(year)?, rest.to_owned()));
    }
    (text.is_ascii() && text.len() == 12).then(|| (text[..4].to_owned(), text[4..].to_owned()))
}

/// `NNNNNN/YYD` over year and serial as six digits, or `SFYY/N…D` over year and the serial as it is.
fn cro(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_uppercase();
    let (before, after) = text.split_once('/')?;
    let (digits, letter) = serial_and_letter(after)?;
    if let Some(year) = before.strip_prefix("SF") {
        let year = digits_of(year).filter(|year| year.len() == 2)?;
        let form = format!("{year}{digits}");
        return (digits.len() <= 6 && check_letter(&form)? == letter).then(|| format!("SF{form}"));
    }
    let serial = digits_of(before).filter(|serial| serial.len() <= 6)?;
    let form = format!("{digits}{serial:0>6}");
    (digits.len() == 2 && check_letter(&form)? == letter).then_some(form)
}

fn digits_of(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

fn serial_and_letter(text: &str) -> Option<(String, u8)> {
    let text = text.trim();
    let letter = *text.as_bytes().last().filter(|byte| byte.is_ascii_uppercase())?;
    Some((digits_of(&text[..text.len() - 1])?, letter))
}

fn check_letter(digits: &str) -> Option<u8> {
    let number: u64 = digits.parse().ok()?;
    CHECK_LETTERS.get(usize::try_from(number % 23).ok()?).copied()
}

/// Ten digits, weights 10 to 2, modulo 11.
fn nhs(text: &str) -> Option<String> {
    if text.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digit = |byte: u8| u32::from(byte - b'0');
    let sum: u32 = text.bytes().take(9).zip((2..=10).rev()).map(|(byte, weight)| digit(byte) * weight).sum();
    let check = match 11 - sum % 11 {
        11 => 0,
        check => check,
    };
    let same = text.bytes().all(|byte| byte == text.as_bytes()[0]);
    (check != 10 && check == digit(text.as_bytes()[9]) && !same).then(|| text.to_owned())
}

/// Letters and digits where the pattern has `A` and `0`.
fn shaped(text: &str, pattern: &str) -> Option<String> {
    let fits = |(byte, shape): (u8, u8)| if shape == b'A' { byte.is_ascii_uppercase() } else { byte.is_ascii_digit() };
    (text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)).then(|| text.to_owned())
}

/// Any number of four to twenty characters that is not one character over and over.
fn national(text: &str, compact: &str) -> Option<String> {
    // Spreadsheets write whole numbers as `123.0`.
    let compact = if text.trim().ends_with(".0") { &compact[..compact.len() - 1] } else { compact };
    let length = (4..=20).contains(&compact.len());
    let telling = compact.bytes().any(|byte| byte != compact.as_bytes()[0]);
    let digits = compact.bytes().any(|byte| byte.is_ascii_digit());
    (length && telling && digits).then(|| compact.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: NumberKind, text: &str) -> Option<String> {
        normalise_number(kind, text).map(|word| word.expose().to_owned())
    }

    #[test]
    fn pnc_ids_hold_their_check_letter_in_both_forms() {
        for valid in ["1999/0123456X", "1999/1234567B", "20/9N", "1999/123456x", "99/123456X"] {
            assert!(read(NumberKind::Pnc, valid).is_some(), "{valid}");
        }
        assert_eq!(read(NumberKind::Pnc, "1999/0123456X"), read(NumberKind::Pnc, "99/123456X"));
        for invalid in ["1999/0123456Y", "1999/0123457X", "", "/", "X", "1999/X", "é999/0123456X"] {
            assert_eq!(read(NumberKind::Pnc, invalid), None, "{invalid}");
        }
    }

    #[test]
    fn cro_numbers_hold_their_check_letter() {
        let letter = char::from(CHECK_LETTERS[99_000_123 % 23]);
        assert!(read(NumberKind::Cro, &format!("123/99{letter}")).is_some());
        let letter = char::from(CHECK_LETTERS[39_123 % 23]);
        assert_eq!(read(NumberKind::Cro, &format!("SF39/123{letter}")).as_deref(), Some("SF39123"));
        assert_eq!(read(NumberKind::Cro, "123/99"), None);
    }

    #[test]
    fn nhs_numbers_hold_their_check_digit() {
        assert_eq!(read(NumberKind::Nhs, "943 476 5919").as_deref(), Some("9434765919"));
        assert_eq!(read(NumberKind::Nhs, "943 476 5918"), None);
        assert_eq!(read(NumberKind::Nhs, "0000000000"), None);
    }

    #[test]
    fn the_others_hold_their_shape() {
        assert!(read(NumberKind::Crn, "x123456").is_some());
        assert!(read(NumberKind::Crn, "1234567").is_none());
        assert!(read(NumberKind::Noms, "A1234BC").is_some());
        assert_eq!(read(NumberKind::National, "1804974.0").as_deref(), Some("1804974"));
        assert_eq!(read(NumberKind::National, "000000000"), None);
    }
}
