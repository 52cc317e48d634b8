//! Dates of birth in the forms people write them.

use jiff::civil::Date;
use smallvec::SmallVec;
use zeroize::Zeroize;

use super::names::fold;
use crate::validate::identity::ClearText;

/// Which comes first where a date is all digits between separators and the year is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateOrder {
    /// `31/12/1999`, as in the United Kingdom.
    #[default]
    DayFirst,
    /// `12/31/1999`, as in the United States.
    MonthFirst,
}

/// Eight digits `YYYYMMDD`. A mistyped date that no calendar has still keeps its other digits as evidence.
pub struct NormalDate {
    pub(crate) digits: [u8; 8],
}

impl NormalDate {
    /// The date, where the calendar has it.
    #[must_use]
    pub fn calendar(&self) -> Option<Date> {
        let number = |range: std::ops::Range<usize>| {
            self.digits[range].iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'))
        };
        let month = i8::try_from(number(4..6)).ok()?;
        Date::new(number(0..4), month, i8::try_from(number(6..8)).ok()?).ok()
    }
}

impl Drop for NormalDate {
    fn drop(&mut self) {
        self.digits.zeroize();
    }
}

/// Finds the order that a column of dates is written in: by parts that can only be a day. Day first where nothing tells.
pub fn find_date_order<'a>(dates: impl Iterator<Item = &'a ClearText>) -> DateOrder {
    let mut day_first = 0_usize;
    let mut month_first = 0_usize;
    for date in dates {
        let mut parts = date.expose().trim().split(|symbol: char| !symbol.is_ascii_digit()).map(str::parse::<u8>);
        match (parts.next(), parts.next()) {
            (Some(Ok(13..=31)), Some(Ok(1..=12))) => day_first += 1,
            (Some(Ok(1..=12)), Some(Ok(13..=31))) => month_first += 1,
            _ => {}
        }
    }
    if month_first > day_first { DateOrder::MonthFirst } else { DateOrder::DayFirst }
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads a date of birth; `None` where the text holds none, or a well-known placeholder.
pub(super) fn normalise_date(text: &str, order: DateOrder) -> Option<NormalDate> {
    let text = text.trim();
    // A time of day after the date, as databases export it, is cut off.
    let text = text.split_once('T').filter(|(date, _)| date.len() >= 8).map_or(text, |(date, _)| date);
    let text = text.split_once(' ').filter(|(_, time)| time.contains(':')).map_or(text, |(date, _)| date);
    let text = text.strip_suffix(".0").unwrap_or(text);
    let parts: SmallVec<[&str; 4]> =
        text.split(|symbol: char| !symbol.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
    let digits = match parts.as_slice() {
        [only] if only.len() == 8 && all_digits(only) => compact(only, order)?,
        [year, month, day] if year.len() == 4 && all_digits(year) => written(year, month, day)?,
        [first, second, year] if all_digits(year) => {
            let year = full_year(year)?;
            if !all_digits(second) {
                written(&year, second, first)?
            } else if !all_digits(first) {
                written(&year, first, second)?
            } else {
                match order {
                    DateOrder::DayFirst => written(&year, second, first)?,
                    DateOrder::MonthFirst => written(&year, first, second)?,
                }
            }
        }
        _ => return None,
    };
    let placeholder = matches!(&digits, b"19000101" | b"18000101" | b"99991231" | b"00000000" | b"11111111");
    (!placeholder).then_some(NormalDate { digits })
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `YYYYMMDD`, or the year last where the first four digits cannot be a year.
fn compact(text: &str, order: DateOrder) -> Option<[u8; 8]> {
    let year_first = matches!(&text[..2], "18" | "19" | "20");
    let year_last = matches!(&text[4..6], "18" | "19" | "20");
    if year_first || !year_last {
        return text.as_bytes().try_into().ok();
    }
    let (first, second, year) = (&text[..2], &text[2..4], &text[4..]);
    match order {
        DateOrder::DayFirst => written(year, second, first),
        DateOrder::MonthFirst => written(year, first, second),
    }
}

fn written(year: &str, month: &str, day: &str) -> Option<[u8; 8]> {
    let month = if all_digits(month) {
        month.parse::<u8>().ok()?
    } else {
        let name = fold(month);
        let position = MONTHS.iter().position(|short| name.starts_with(short))?;
        u8::try_from(position).ok()? + 1
    };
    let day = day.parse::<u8>().ok()?;
    if month > 99 || day > 99 {
        return None;
    }
    let mut digits = [0; 8];
    digits[..4].copy_from_slice(year.as_bytes().first_chunk::<4>().filter(|_| year.len() == 4)?);
    for (place, number) in digits[4..].chunks_exact_mut(2).zip([month, day]) {
        place.copy_from_slice(&[b'0' + number / 10, b'0' + number % 10]);
    }
    Some(digits)
}

/// Two-digit years are taken as those of living people's births up to 2029.
fn full_year(year: &str) -> Option<String> {
    match year.len() {
        4 => Some(year.to_owned()),
        2 => Some(if year < "30" { format!("20{year}") } else { format!("19{year}") }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_forms_are_one_date() {
        for text in [
            "1985-03-07",
            "19850307",
            "07/03/1985",
            "7.3.1985",
            "07-03-85",
            "7 March 1985",
            "07-MAR-1985",
            "March 7 1985",
            "1985/3/7",
            "1985-03-07T00:00:00Z",
            "1985-03-07 00:00:00",
            "19850307.0",
            "07031985",
        ] {
            let date = normalise_date(text, DateOrder::DayFirst).expect("a date");
            assert_eq!(&date.digits, b"19850307", "{text}");
        }
        let american = normalise_date("03/07/1985", DateOrder::MonthFirst).expect("a date");
        assert_eq!(&american.digits, b"19850307");
    }

    #[test]
    fn impossible_dates_keep_their_digits_and_placeholders_none() {
        let date = normalise_date("19851399", DateOrder::DayFirst).expect("digits");
        assert_eq!((&date.digits, date.calendar()), (b"19851399", None));
        for text in ["", "unknown", "1900-01-01", "12", "1/2", "a/b/c", "99999-1-1"] {
            assert!(normalise_date(text, DateOrder::DayFirst).is_none(), "{text}");
        }
    }
}
