//! Attacks on everything published: by exact integer programming over all days and partnerships at once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use jiff::civil::{Date, date};
use microlp::{ComparisonOp, Error, OptimizationDirection, Problem};
use proptest::prelude::*;

use super::*;
use crate::report::{Place, Point, Row, Sum};

/// One recorded happening.
#[derive(Debug, Clone, Copy)]
struct Happened {
    area: usize,
    on: Date,
    recorded: Date,
    kind: usize,
    flagged: bool,
}

const KINDS: usize = 4;
const AREAS: [&str; 2] = ["portsmouth", "stockton"];

/// What a number is about, by its meaning: the same in every publication that shows it.
type Meaning = String;

/// The raw report of an area as of a day, and what every number in it means.
fn report_of(all: &[Happened], area: usize, as_of: Date) -> Report {
    let counted: Vec<_> =
        all.iter().filter(|one| one.area == area && release::counts(one.on, one.recorded, as_of)).collect();
    let period = release::year(as_of);
    let year: Vec<_> = counted.iter().filter(|one| period.has(one.on)).collect();
    let of = |kind: usize| year.iter().filter(|one| one.kind == kind).count() as u64;
    let flagged = |kind: usize| year.iter().filter(|one| one.kind == kind && one.flagged).count() as u64;
    let row = |id: String, cell| Row { label: id.clone(), id, cells: vec![cell] };
    let table = |id, rows, sums| Table { id, title: id, note: "", columns: vec!["recorded"], rows, sums };
    let whole = year.len() as u64;
    let mut counts: Vec<Row> = (0..KINDS).map(|kind| row(format!("kind{kind}"), Figure::Count(of(kind)))).collect();
    counts.push(row("all".to_owned(), Figure::Count(whole)));
    let shares = (0..KINDS).map(|kind| row(format!("kind{kind}"), Figure::Share { part: of(kind), whole }));
    let within =
        (0..KINDS).map(|kind| row(format!("flagged{kind}"), Figure::Share { part: flagged(kind), whole: of(kind) }));
    let total = Sum { total: Some(KINDS), parts: (0..KINDS).collect() };
    let parts = Sum { total: None, parts: (0..KINDS).collect() };
    let tables = vec![
        table("counts", counts, vec![total]),
        table("shares", shares.collect(), vec![parts]),
        table("within", within.collect(), Vec::new()),
    ];
    let months = std::iter::successors(Some(date(2024, 1, 1)), |month| month.checked_add(1.month()).ok());
    let months = months.take_while(|month| *month <= release::months(as_of).until);
    let in_month = |month: Date| counted.iter().filter(|one| one.on.first_of_month() == month).count() as u64;
    let points = months.map(|month| Point { month, count: in_month(month) }).collect();
    let place = Place { table: "counts", row: KINDS, column: 0 };
    let series = Series { id: "all", title: "", definition: "", points, breaks: Vec::new(), total: Some(place) };
    Report { scope: AREAS[area].parse().expect("a scope"), period, tables, series: vec![series] }
}

/// What an attacker gathers.
#[derive(Default)]
struct Gathered {
    /// What is the truth, to see whether it was found.
    truth: BTreeMap<Meaning, u64>,
    /// What was shown.
    shown: BTreeMap<Meaning, u64>,
    sums: BTreeSet<(Meaning, Vec<Meaning>)>,
    /// A revision only adds.
    no_more_than: BTreeSet<(Meaning, Meaning)>,
    below: u64,
}

impl Gathered {
    /// Notes what a meaning's number is, and what was shown of it. Nobody says two things of one number.
    fn note(&mut self, meaning: &str, truth: u64, shown: Option<u64>) {
        let before = self.truth.insert(meaning.to_owned(), truth);
        assert!(before.is_none_or(|before| before == truth), "{meaning} was {before:?} and is {truth}");
        if let Some(shown) = shown {
            let before = self.shown.insert(meaning.to_owned(), shown);
            assert!(before.is_none_or(|before| before == shown), "{meaning} was shown as {before:?} and as {shown}");
        }
    }

    fn read(&mut self, raw: &Report, published: &Published) {
        let about = format!("{} {}", raw.scope, raw.period.from.year());
        for (table, shown) in raw.tables.iter().zip(&published.tables) {
            for (row, shown) in table.rows.iter().zip(&shown.rows) {
                let meaning = format!("{about} {}", row.id);
                match (row.cells[0], shown.cells[0]) {
                    (Figure::Count(truth), PublishedFigure::Count { count }) => self.note(&meaning, truth, count),
                    (Figure::Share { part, whole }, PublishedFigure::Share { part: a, whole: b, percent }) => {
                        assert_eq!(percent.is_some(), a.is_some() && b.is_some());
                        let of = match row.id.strip_prefix("flagged") {
                            Some(kind) => format!("{about} kind{kind}"),
                            None => format!("{about} all"),
                        };
                        let rest = format!("{of} but {}", row.id);
                        self.note(&meaning, part, a);
                        self.note(&of, whole, b);
                        self.note(&rest, whole - part, None);
                        self.sums.insert((of, vec![meaning, rest]));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        let kinds = (0..KINDS).map(|kind| format!("{about} kind{kind}")).collect();
        self.sums.insert((format!("{about} all"), kinds));
        let mut months = Vec::new();
        for (point, shown) in raw.series[0].points.iter().zip(&published.series[0].points) {
            let revised = point.month.year() <= raw.period.from.year();
            let version = if revised { "revised" } else { "first" };
            let meaning = format!("{} {} {version}", raw.scope, point.month);
            self.note(&meaning, point.count, shown.count);
            if raw.period.has(point.month) {
                months.push(meaning.clone());
            }
            if revised {
                let first = format!("{} {} first", raw.scope, point.month);
                self.no_more_than.insert((first, meaning));
            }
        }
        if months.len() == 12 {
            self.sums.insert((format!("{about} all"), months));
        }
    }

    /// Numbers below the threshold that can be told to be more or less than they are marked as.
    fn recovered(&self) -> Vec<(&Meaning, u64)> {
        let small = self.truth.iter().filter(|(_, truth)| **truth < self.below);
        let told = small.filter(|(meaning, _)| {
            let least = self.solve(meaning, OptimizationDirection::Minimize);
            let most = self.solve(meaning, OptimizationDirection::Maximize);
            least > 0 || most < self.below - 1
        });
        told.map(|(meaning, truth)| (meaning, *truth)).collect()
    }

    /// The least or the most that a number can be, exactly.
    fn solve(&self, wanted: &Meaning, direction: OptimizationDirection) -> u64 {
        let mut problem = Problem::new(direction);
        let variables: BTreeMap<&Meaning, _> = self
            .truth
            .keys()
            .map(|meaning| {
                let bounds = match self.shown.get(meaning) {
                    Some(shown) => (shown.saturating_sub(2).max(self.below), shown + 2),
                    None => (0, 100_000),
                };
                let bounds = (i32::try_from(bounds.0).expect("small"), i32::try_from(bounds.1).expect("small"));
                (meaning, problem.add_integer_var(if meaning == wanted { 1.0 } else { 0.0 }, bounds))
            })
            .collect();
        for (total, parts) in &self.sums {
            let mut terms: Vec<_> = parts.iter().map(|part| (variables[part], 1.0)).collect();
            terms.push((variables[total], -1.0));
            problem.add_constraint(&terms, ComparisonOp::Eq, 0.0);
        }
        for (less, more) in &self.no_more_than {
            if let Some(less) = variables.get(less) {
                problem.add_constraint([(*less, 1.0), (variables[more], -1.0)], ComparisonOp::Le, 0.0);
            }
        }
        match problem.solve() {
            Ok(outcome) => {
                outcome.into_solution().expect("no limit is set").var_value(variables[wanted]).round() as u64
            }
            Err(Error::Unbounded) => u64::MAX,
            Err(error) => panic!("the truth is a solution: {error}"),
        }
    }
}

fn attack(all: &[Happened], days: &BTreeSet<Date>, below: u64) -> Gathered {
    let mut gathered = Gathered { below, ..Gathered::default() };
    for as_of in days {
        for area in 0..AREAS.len() {
            // On each day there is only what was recorded by then.
            let known: Vec<_> = all.iter().filter(|one| one.recorded <= *as_of).copied().collect();
            let raw = report_of(&known, area, *as_of);
            gathered.read(&raw, &protect(&raw, below).expect("of what is published"));
        }
    }
    gathered
}

fn happenings() -> impl Strategy<Value = Vec<Happened>> {
    // Kinds from rare to common, and months from quiet to busy.
    let one = (0..2_usize, 0..730_i32, 0..120_i32, 0..100_u32, 0..100_u32, any::<bool>());
    let one = one.prop_map(|(area, day, delay, kind, flagged, is_late)| {
        let on = date(2024, 1, 1).saturating_add((day * day / 730).days());
        let kind = [2, 6, 30, 100].iter().position(|share| kind < *share).expect("below 100");
        let recorded = on.saturating_add(if is_late { delay } else { 0 }.days());
        Happened { area, on, recorded, kind, flagged: flagged < [50, 95, 3, 30][kind] }
    });
    proptest::collection::vec(one, 20..900)
}

fn days() -> impl Strategy<Value = BTreeSet<Date>> {
    let day = (0..900_i32).prop_map(|day| date(2025, 1, 1).saturating_add(day.days()));
    proptest::collection::btree_set(day, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_small_number_is_recovered_from_everything_published(
        all in happenings(), days in days(), below in 5..=10_u64,
    ) {
        let gathered = attack(&all, &days, below);
        prop_assert!(gathered.shown.values().all(|shown| shown % 5 == 0 && *shown >= 5));
        let recovered = gathered.recovered();
        prop_assert!(recovered.is_empty(), "{recovered:?}");
    }

    #[test]
    fn one_record_more_changes_nothing_that_was_published(
        all in happenings(), days in days(), on in 0..730_i32, kind in 0..KINDS,
    ) {
        let on = date(2024, 1, 1).saturating_add(on.days());
        for as_of in days {
            // Recorded today, which is late for every month that is closed but on the day of the revision itself.
            let mut more = all.clone();
            more.push(Happened { area: 0, on: on.min(as_of), recorded: as_of, kind, flagged: true });
            let closes = release::counts(on.min(as_of), as_of, as_of);
            let of = |all: &[Happened]| protect(&report_of(all, 0, as_of), SUPPRESS_BELOW).expect("publishable");
            prop_assert!(closes || of(&all) == of(&more));
        }
    }
}

/// Happenings of one year, as many in each month: so many of each kind, none flagged.
fn planted(counts: [u64; KINDS]) -> Vec<Happened> {
    let kinds = counts.iter().enumerate().flat_map(|(kind, count)| std::iter::repeat_n(kind, *count as usize));
    let on = (1..=12).cycle().map(|month| date(2024, month, 1));
    kinds.zip(on).map(|(kind, on)| Happened { area: 0, on, recorded: on, kind, flagged: false }).collect()
}

fn in_2025() -> Report {
    report_of(&planted([3, 40, 55, 102]), 0, date(2025, 3, 1))
}

#[test]
fn the_attack_finds_what_only_suppression_and_rounding_leave() {
    let mut all = planted([40, 55, 102, 100]);
    all.iter_mut().filter(|one| one.kind == 3).skip(3).for_each(|one| one.flagged = true);
    let raw = report_of(&all, 0, date(2025, 3, 1));
    let mut gathered = Gathered { below: 10, ..Gathered::default() };
    let mut published = protect(&raw, 10).expect("publishable");
    gathered.read(&raw, &published);
    assert_eq!(gathered.recovered(), []);
    // The same with nothing hidden but the small number itself.
    for (table, shown) in raw.tables.iter().zip(&mut published.tables) {
        for (row, shown) in table.rows.iter().zip(&mut shown.rows) {
            let show = |number: u64| (number >= 10).then(|| rounded(number));
            shown.cells[0] = match row.cells[0] {
                Figure::Count(count) => PublishedFigure::Count { count: show(count) },
                Figure::Share { part, whole } => {
                    let (part, whole) = (show(part), show(whole));
                    PublishedFigure::Share { part, whole, percent: part.and(whole).map(|_| 0) }
                }
                Figure::Days { .. } => unreachable!("there are none"),
            };
        }
    }
    let mut gathered = Gathered { below: 10, ..Gathered::default() };
    gathered.read(&raw, &published);
    assert!(gathered.recovered().iter().any(|(meaning, truth)| meaning.contains("but flagged3") && *truth == 3));
}

#[test]
fn what_is_withheld_and_what_is_not() {
    let published = protect(&in_2025(), 10).expect("publishable");
    let text =
        |table: usize| -> Vec<String> { published.tables[table].rows.iter().map(|row| row.cells[0].text()).collect() };
    // The 3, and the 40 by which it would be known; the sum stays.
    assert_eq!(text(0), ["[c]", "[c]", "55", "100", "200"]);
    assert_eq!(text(1), ["[c] of 200", "[c] of 200", "28% (55 of 200)", "50% (100 of 200)"]);
    // None of 3, none of 40: nobody is told of a whole that is withheld elsewhere.
    assert_eq!(text(2), ["[c] of [c]", "[c] of [c]", "[c] of 55", "[c] of 100"]);
}

#[test]
fn a_window_of_ones_own_is_refused() {
    let mut raw = in_2025();
    raw.period.from = date(2024, 2, 1);
    assert_eq!(protect(&raw, 10), Err(NotPublishable));
    let mut raw = in_2025();
    raw.series[0].points.push(Point { month: date(2025, 2, 1), count: 100 });
    assert_eq!(protect(&raw, 10), Err(NotPublishable));
}
