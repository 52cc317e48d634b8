//! What may be published when: fixed, disjoint periods that are over, each in two versions at the most.
//!
//! Two publications a day apart, or over windows of anybody's choice, would show by subtraction who came in between. So
//! tables are of a calendar year and series are of calendar months, and nothing is of a window of its own. A month closes
//! at the end of the following month: until then it is not published, and then it counts what the agencies had recorded by
//! then. It is revised once, when its year closes on 31 January; that is also when the year's tables come out. What is
//! recorded later counts for lists and alerts, and in no published figure. All of this is a function of the day alone: two
//! reports that are asked for within a month are the same report.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use super::Period;

/// The year that is published as of a day.
#[must_use]
pub fn year(as_of: Date) -> Period {
    let year = if as_of >= closing_of_year(as_of.year() - 1) { as_of.year() - 1 } else { as_of.year() - 2 };
    Period { as_of, from: date(year, 1, 1), until: date(year, 12, 31) }
}

/// From the first month of the published year to the last month that is closed as of a day: what series are of.
#[must_use]
pub fn months(as_of: Date) -> Period {
    let last = if as_of == as_of.last_of_month() { as_of } else { as_of.first_of_month().saturating_sub(1.day()) };
    Period { until: last.first_of_month().saturating_sub(1.day()), ..year(as_of) }
}

/// Does what happened on a day, and was recorded on another, count in what is published as of a third?
#[must_use]
pub fn counts(happened: Date, recorded: Date, as_of: Date) -> bool {
    known_by(happened, as_of).is_some_and(|known_by| recorded <= known_by)
}

/// Up to which day's records the month of a day is counted from as of another; `None` while that month is open.
fn known_by(month: Date, as_of: Date) -> Option<Date> {
    let closed = month.first_of_month().saturating_add(1.month()).last_of_month();
    let revised = closing_of_year(month.year());
    [revised, closed].into_iter().find(|step| *step <= as_of)
}

fn closing_of_year(year: i16) -> Date {
    date(year, 1, 31).saturating_add(1.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_and_a_month_come_out_when_they_are_closed() {
        for (as_of, published, last) in [
            (date(2026, 1, 30), 2024, date(2025, 11, 30)),
            (date(2026, 1, 31), 2025, date(2025, 12, 31)),
            (date(2026, 2, 1), 2025, date(2025, 12, 31)),
            (date(2026, 11, 22), 2025, date(2026, 9, 30)),
            (date(2026, 11, 30), 2025, date(2026, 10, 31)),
        ] {
            assert_eq!(
                (year(as_of).from, year(as_of).until),
                (date(published, 1, 1), date(published, 12, 31)),
                "{as_of}"
            );
            assert_eq!(months(as_of).until, last, "{as_of}");
        }
    }

    #[test]
    fn a_month_has_two_versions_and_what_comes_later_is_in_neither() {
        let (happened, in_time, late, too_late) =
            (date(2025, 3, 9), date(2025, 4, 30), date(2025, 5, 1), date(2026, 2, 1));
        let days = || std::iter::successors(Some(date(2025, 3, 1)), |day| day.tomorrow().ok()).take(700);
        for as_of in days() {
            assert_eq!(counts(happened, in_time, as_of), as_of >= date(2025, 4, 30), "{as_of}");
            assert_eq!(counts(happened, late, as_of), as_of >= date(2026, 1, 31), "{as_of}");
            assert!(!counts(happened, too_late, as_of), "{as_of}");
        }
    }

    #[test]
    fn years_follow_one_another_without_a_day_between_or_in_both() {
        let mut as_of = date(2020, 1, 1);
        let mut before = year(as_of);
        while as_of < date(2030, 1, 1) {
            as_of = as_of.tomorrow().expect("there is a tomorrow");
            let now = year(as_of);
            let same = (now.from, now.until) == (before.from, before.until);
            assert!(same || before.until.tomorrow().ok() == Some(now.from), "{as_of}");
            before = now;
        }
    }
}
