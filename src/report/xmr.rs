//! Process behaviour charts (XmR): is a month different, or is it the variation that was always there?
//!
//! After Wheeler, *Understanding Variation* (1993), and NHS England's *Making Data Count*: the mean of the months, and
//! natural limits at 2.66 times the mean moving range from it. A month is worth asking about when it lies beyond a limit,
//! is one of seven in a row on one side of the mean or of seven that only rise or only fall, or when two of three in a row
//! lie in the outer third towards the same limit. Where what is counted changed, mean and limits begin anew. From three
//! whole years on, the time of the year is taken out first, and the limits follow it.
//!
//! Works on published numbers alone, so that a mean gives nothing away; a month that is withheld is a gap.

use jiff::civil::Date;
use serde::Serialize;

use super::disclosure_control::PublishedSeries;

/// 3 / 1.128: from the mean range of two neighbours to three standard deviations of the months.
const LIMIT: f64 = 2.66;
/// Below so many months limits would say more about the sample than about the process.
const LEAST_MONTHS: usize = 12;
/// So many in a row are no chance.
const RUN: usize = 7;
/// Whole years from which the time of the year is known.
const SEASONAL_YEARS: usize = 3;

/// A series with what its variation says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct XmrChart {
    /// A stable name.
    pub id: &'static str,
    /// For a reader.
    pub title: &'static str,
    /// What is counted.
    pub definition: &'static str,
    /// Every month, the oldest first.
    pub months: Vec<Month>,
    /// Do the limits follow the time of the year?
    pub is_seasonal: bool,
    /// Where mean and limits begin anew, and why.
    pub breaks: Vec<(Date, String)>,
}

/// One month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Month {
    /// Its first day.
    pub month: Date,
    /// As published; missing where it is withheld.
    pub count: Option<u64>,
    /// What the process gives; missing where there are too few months to say.
    pub expected: Option<Expected>,
    /// Why it is worth asking about, if it is.
    pub signals: Vec<Signal>,
}

/// What a process gives in a month.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Expected {
    /// Natural process limit below, never less than nought.
    pub lower: f64,
    /// The mean.
    pub mean: f64,
    /// Natural process limit above.
    pub upper: f64,
}

/// Why a month is worth asking about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Beyond a natural process limit.
    BeyondLimit,
    /// One of seven or more in a row on one side of the mean.
    SevenOnOneSide,
    /// One of seven or more in a row that only rise or only fall.
    SevenInARow,
    /// One of two out of three in a row in the outer third towards the same limit.
    TwoOfThree,
}

impl Signal {
    /// For a reader.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::BeyondLimit => "beyond a limit",
            Self::SevenOnOneSide => "seven on one side of the mean",
            Self::SevenInARow => "seven in a row up or down",
            Self::TwoOfThree => "two of three near a limit",
        }
    }
}

/// Reads the variation of a series.
#[must_use]
pub fn chart(series: &PublishedSeries) -> XmrChart {
    let seasons = seasons(series);
    let factor = |month: Date| seasons.map_or(1.0, |seasons| seasons[usize::from(month.month().unsigned_abs()) - 1]);
    let mut breaks: Vec<(Date, String)> = Vec::new();
    for one in &series.breaks {
        match breaks.iter_mut().find(|(month, _)| *month == one.month) {
            Some((_, why)) => *why = format!("{why}; {}", one.why),
            None => breaks.push((one.month, one.why.clone())),
        }
    }
    let mut months = Vec::new();
    let phase_of = |month: Date| breaks.iter().filter(|(begins, _)| *begins <= month).count();
    for phase in series.points.chunk_by(|one, other| phase_of(one.month) == phase_of(other.month)) {
        // As they would be if every month were the same time of the year.
        let levelled: Vec<Option<f64>> =
            phase.iter().map(|point| Some(point.count? as f64 / factor(point.month))).collect();
        let process = process(&levelled);
        let signals = process.map_or_else(|| vec![Vec::new(); phase.len()], |process| signals(&levelled, process));
        months.extend(phase.iter().zip(signals).map(|(point, signals)| {
            let factor = factor(point.month);
            let expected = process.map(|process| Expected {
                lower: process.lower * factor,
                mean: process.mean * factor,
                upper: process.upper * factor,
            });
            Month { month: point.month, count: point.count, expected, signals }
        }));
    }
    let PublishedSeries { id, title, definition, .. } = *series;
    XmrChart { id, title, definition, months, is_seasonal: seasons.is_some(), breaks }
}

/// Mean and limits of one phase, from all its months that are known.
fn process(counts: &[Option<f64>]) -> Option<Expected> {
    let known: Vec<f64> = counts.iter().flatten().copied().collect();
    // A range is of neighbours: over a gap there is none.
    let ranges: Vec<f64> = counts.windows(2).filter_map(|pair| Some((pair[1]? - pair[0]?).abs())).collect();
    if known.len() < LEAST_MONTHS || ranges.is_empty() {
        return None;
    }
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    let reach = LIMIT * ranges.iter().sum::<f64>() / ranges.len() as f64;
    Some(Expected { lower: (mean - reach).max(0.0), mean, upper: mean + reach })
}

/// How much more or less each month of the year has than the mean month; `None` before there are three whole years.
fn seasons(series: &PublishedSeries) -> Option<[f64; 12]> {
    let mut of: [Vec<f64>; 12] = Default::default();
    for year in series.points.chunk_by(|one, other| one.month.year() == other.month.year()) {
        let counts: Option<Vec<f64>> = year.iter().map(|point| point.count.map(|count| count as f64)).collect();
        if let Some(counts) = counts.filter(|counts| counts.len() == of.len()) {
            let mean = counts.iter().sum::<f64>() / of.len() as f64;
            // Each year by its own mean, so that a year with more of everything is no season.
            of.iter_mut().zip(counts).for_each(|(month, count)| month.push(count / mean));
        }
    }
    let is_known = series.breaks.is_empty() && of[0].len() >= SEASONAL_YEARS;
    is_known.then(|| of.map(median))
}

/// Not the mean: one year's extraordinary July is to be seen, not to become every July.
fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    let (low, high) = ((ratios.len() - 1) / 2, ratios.len() / 2);
    (ratios[low] + ratios[high]) / 2.0
}

fn signals(counts: &[Option<f64>], process: Expected) -> Vec<Vec<Signal>> {
    let mut found = vec![Vec::new(); counts.len()];
    let mut note = |places: &[usize], signal: Signal| {
        for at in places {
            let signals: &mut Vec<Signal> = &mut found[*at];
            if signals.last() != Some(&signal) {
                signals.push(signal);
            }
        }
    };
    for (at, count) in counts.iter().enumerate() {
        if count.is_some_and(|count| count > process.upper || count < process.lower) {
            note(&[at], Signal::BeyondLimit);
        }
    }
    for run in runs(counts.len(), |at| counts[at].map(|count| side(count, process.mean)).filter(|side| *side != 0)) {
        if run.len() >= RUN {
            note(&run, Signal::SevenOnOneSide);
        }
    }
    let step = |at: usize| Some(side(counts[at + 1]?, counts[at]?)).filter(|side| *side != 0);
    for steps in runs(counts.len().saturating_sub(1), step) {
        let places: Vec<usize> = steps.iter().copied().chain(steps.last().map(|last| last + 1)).collect();
        if places.len() >= RUN {
            note(&places, Signal::SevenInARow);
        }
    }
    let third = (process.upper - process.mean) * 2.0 / 3.0;
    let outer = |at: usize| counts[at].filter(|count| (count - process.mean).abs() > third);
    for start in 0..counts.len().saturating_sub(2) {
        for towards in [-1, 1] {
            let near = |at: &usize| outer(*at).is_some_and(|count| side(count, process.mean) == towards);
            let near: Vec<usize> = (start..start + 3).filter(near).collect();
            if near.len() >= 2 {
                note(&near, Signal::TwoOfThree);
            }
        }
    }
    found
}

fn side(one: f64, other: f64) -> i8 {
    if one > other {
        1
    } else if one < other {
        -1
    } else {
        0
    }
}

/// Places next to one another that have the same value, those without one left out.
fn runs(length: usize, value: impl Fn(usize) -> Option<i8>) -> Vec<Vec<usize>> {
    let places: Vec<usize> = (0..length).collect();
    let runs = places.chunk_by(|one, other| value(*one).is_some() && value(*one) == value(*other));
    runs.filter(|run| value(run[0]).is_some()).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;

    use super::*;
    use crate::report::Break;
    use crate::report::disclosure_control::PublishedPoint;

    fn series(counts: &[u64]) -> PublishedSeries {
        let month = |at: usize| date(2022, 1, 1).saturating_add(i32::try_from(at).expect("few").months());
        // None stands for what is withheld.
        let points = counts.iter().enumerate();
        let points =
            points.map(|(at, count)| PublishedPoint { month: month(at), count: Some(*count).filter(|c| *c > 0) });
        let points = points.collect();
        PublishedSeries { id: "x", title: "X", definition: "", points, breaks: Vec::new() }
    }

    fn signalled(chart: &XmrChart, signal: Signal) -> Vec<usize> {
        let months = chart.months.iter().enumerate();
        months.filter(|(_, month)| month.signals.contains(&signal)).map(|(at, _)| at).collect()
    }

    #[test]
    fn mean_and_limits_are_wheelers() {
        // Mean 50; the eleven ranges are 10 seven times and 20 four times: 150/11, and 2.66 times that is 36.27.
        let chart = chart(&series(&[45, 55, 35, 45, 65, 55, 45, 55, 35, 45, 65, 55]));
        let expected = chart.months[0].expected.expect("twelve months are enough");
        assert!((expected.mean - 50.0).abs() < 1e-9);
        assert!((expected.upper - (50.0 + 2.66 * 150.0 / 11.0)).abs() < 1e-9, "{expected:?}");
        assert!((expected.lower - (50.0 - 2.66 * 150.0 / 11.0)).abs() < 1e-9);
        assert!(chart.months.iter().all(|month| month.signals.is_empty()), "{:?}", chart.months);
    }

    #[test]
    fn each_rule_finds_what_it_is_for_and_nothing_else() {
        let beyond = chart(&series(&[50, 55, 50, 45, 50, 55, 50, 45, 50, 55, 50, 45, 150]));
        assert_eq!(signalled(&beyond, Signal::BeyondLimit), [12]);
        assert_eq!(signalled(&beyond, Signal::SevenInARow), Vec::<usize>::new());

        let shifted = chart(&series(&[45, 55, 50, 60, 45, 55, 50, 75, 85, 75, 80, 85, 75, 85]));
        assert_eq!(signalled(&shifted, Signal::SevenOnOneSide), (0..14).collect::<Vec<_>>());
        let six = chart(&series(&[45, 75, 50, 60, 45, 55, 50, 45, 85, 75, 80, 85, 75, 85]));
        assert_eq!(signalled(&six, Signal::SevenOnOneSide), Vec::<usize>::new());

        let rising = chart(&series(&[80, 40, 80, 40, 80, 30, 40, 50, 60, 70, 80, 90, 40, 80]));
        assert_eq!(signalled(&rising, Signal::SevenInARow), [5, 6, 7, 8, 9, 10, 11]);
        let six = chart(&series(&[80, 40, 80, 40, 80, 40, 40, 50, 60, 70, 80, 90, 40, 80]));
        assert_eq!(signalled(&six, Signal::SevenInARow), Vec::<usize>::new(), "one that stays is no rise");

        let near = chart(&series(&[50, 60, 50, 40, 50, 60, 50, 40, 50, 60, 72, 60, 72, 60, 50, 40, 50, 60, 50, 40]));
        assert_eq!(signalled(&near, Signal::BeyondLimit), Vec::<usize>::new());
        let third = near.months[0].expected.map(|expected| (expected.upper - expected.mean) * 2.0 / 3.0);
        assert!(third.is_some_and(|third| third < 20.0), "72 is in the outer third: {third:?}");
        assert_eq!(signalled(&near, Signal::TwoOfThree), [10, 12]);
    }

    #[test]
    fn at_a_break_mean_and_limits_begin_anew() {
        let mut broken = series(&[[50, 60].repeat(7), [200, 230].repeat(7)].concat());
        let without = chart(&broken);
        assert!(!signalled(&without, Signal::SevenOnOneSide).is_empty());
        broken.breaks = vec![Break { month: date(2023, 3, 1), why: "another agency".to_owned() }];
        let chart = chart(&broken);
        let mean = |at: usize| chart.months[at].expected.map(|expected| expected.mean);
        assert_eq!((mean(13), mean(14)), (Some(55.0), Some(215.0)));
        assert!(chart.months.iter().all(|month| month.signals.is_empty()));
    }

    #[test]
    fn a_gap_ends_a_run_and_few_months_have_no_limits() {
        let with_gap = chart(&series(&[50, 60, 50, 60, 50, 60, 40, 70, 75, 70, 75, 0, 70, 75, 70]));
        assert_eq!(signalled(&with_gap, Signal::SevenOnOneSide), (0..7).collect::<Vec<_>>());
        let few = chart(&series(&[50, 60, 50, 60, 50, 60, 40, 70, 75, 70, 75]));
        assert!(few.months.iter().all(|month| month.expected.is_none() && month.signals.is_empty()));
    }

    #[test]
    fn from_three_years_on_the_season_is_no_signal() {
        let year = [100, 100, 100, 105, 110, 130, 150, 150, 130, 110, 105, 100];
        let years = |count: usize| series(&year.repeat(count));
        let two = chart(&years(2));
        assert!(!two.is_seasonal && two.months.iter().any(|month| !month.signals.is_empty()));
        let mut counts = year.repeat(3);
        counts[30] += 90;
        let three = chart(&series(&counts));
        assert!(three.is_seasonal);
        assert_eq!(signalled(&three, Signal::BeyondLimit), [30], "a July beyond all Julys");
        let summer = three.months[6].expected.map(|expected| expected.mean);
        assert!(summer > three.months[0].expected.map(|expected| expected.mean * 1.3));
    }
}
