//! Numbers that agencies give people, with their check letters. All unique to a person, all synthetic.

use super::dice::scattered;

const CHECK_LETTERS: &[u8; 23] = b"ZABCDEFGHJKLMNPQRTUVWXY";

fn check_letter(number: u64) -> char {
    char::from(CHECK_LETTERS[(number % 23) as usize])
}

/// Police National Computer id `YYYY/NNNNNNND`.
pub(super) fn pnc(person: u32, year: i16) -> String {
    let serial = scattered(u64::from(person), 4_567_891, 1_234_567, 10_000_000);
    let short_year = year.rem_euclid(100) as u64;
    format!("{year:04}/{serial:07}{}", check_letter(short_year * 10_000_000 + serial))
}

/// Criminal Records Office number `NNNNNN/YYD`.
pub(super) fn cro(person: u32, year: i16) -> String {
    let serial = scattered(u64::from(person), 456_791, 54_321, 1_000_000);
    let short_year = year.rem_euclid(100) as u64;
    format!("{serial:06}/{short_year:02}{}", check_letter(short_year * 1_000_000 + serial))
}

/// NHS number in the test range 999 xxx xxxx. The range holds fewer numbers than a large city has people, and one serial
/// in eleven has no valid check digit: nobody then holds one.
pub(super) fn nhs(person: u32) -> Option<String> {
    if person >= 1_000_000 {
        return None;
    }
    let serial = scattered(u64::from(person), 314_159, 271_828, 1_000_000);
    let body = 999_000_000 + serial;
    let digits = format!("{body:09}");
    let sum: u32 = digits.bytes().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    match 11 - sum % 11 {
        10 => None,
        11 => Some(format!("{digits}0")),
        check => Some(format!("{digits}{check}")),
    }
}

/// Probation's case reference number, a letter and six digits.
pub(super) fn crn(person: u32) -> String {
    let number = scattered(u64::from(person), 7_654_321, 135_791, 26_000_000);
    format!("{}{:06}", char::from(b'A' + (number / 1_000_000) as u8), number % 1_000_000)
}

/// Prison number, `A1234BC`.
pub(super) fn noms(person: u32) -> String {
    let number = scattered(u64::from(person), 7_919_317, 2_468, 26 * 26 * 260_000);
    let letter = |index: u64| char::from(b'A' + (index % 26) as u8);
    let tail = number / 260_000;
    format!("{}{:04}{}{}", letter(number / 10_000), number % 10_000, letter(tail), letter(tail / 26))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_letters_are_those_of_published_numbers() {
        // 1999/0123456X, 1999/1234567B and 20/9N.
        assert_eq!(check_letter(99_0123456), 'X');
        assert_eq!(check_letter(99_1234567), 'B');
        assert_eq!(check_letter(20_0000009), 'N');
    }

    #[test]
    fn numbers_are_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for person in 0..20_000 {
            let year = 1990 + (person % 30) as i16;
            let numbers =
                [Some(pnc(person, year)), Some(cro(person, year)), nhs(person), Some(crn(person)), Some(noms(person))];
            assert!(numbers.into_iter().flatten().all(|number| seen.insert(number)));
        }
    }

    #[test]
    fn nhs_numbers_have_valid_check_digits() {
        let held: Vec<_> = (0..1_000).filter_map(nhs).collect();
        assert!(held.len() > 850);
        for number in held {
            let digits: Vec<u32> = number.bytes().map(|digit| u32::from(digit - b'0')).collect();
            let sum: u32 = digits.iter().zip((1..=10).rev()).map(|(digit, weight)| digit * weight).sum();
            assert_eq!(sum % 11, 0);
        }
    }
}
