//! `priorityd bench city`: the published figures beside what the report makes of a city that is calibrated to them. It makes
//! a register of its own and reads no other: raw figures are of synthetic people only.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::flow::{Publisher, Source};
use crate::cli::daemon::Running;
use crate::cli::failure::Failure;
use crate::cli::format::Format;
use crate::cli::house::Wish;
use crate::cli::simulate::place;
use crate::report::{Figure, Period, Report, report};
use crate::simulate::{City, Line, Place, Usage, published};

/// Events of one append.
const CHUNK: usize = 5_000;

/// Plays a calibrated city through the daemon and sets the report's figures beside the published ones.
#[derive(Debug, Args)]
pub(super) struct CityArgs {
    /// Which place it is like: portsmouth or stockton
    #[arg(long, value_name = "PLACE", default_value = "portsmouth", value_parser = place)]
    city: Place,
    /// How many years it plays; figures are of the last one, and some look back a year
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    years: u32,
    /// Everything that is left to chance in the city
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// One published figure and what the city shows.
#[derive(Debug, Serialize)]
struct Compared {
    id: String,
    measure: String,
    period: String,
    source: String,
    /// The city is made to show it; otherwise it stands beside one that is.
    held: bool,
    published: Option<f64>,
    /// What the report would say if linkage made no mistake.
    truth: Option<f64>,
    /// What the report says.
    measured: Option<f64>,
    note: String,
}

/// Plays, reports and compares.
pub(super) fn run(args: &CityArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let house = Wish { name: "city", dir: None, kafka: None, partitions: 1, seed: args.seed }.build()?;
    let scope = house.deployment.agreement.scopes.first().expect("the shipped agreement names a scope").clone();
    let city = City { scope: scope.clone(), ..City::like(args.city, args.seed, args.years) };
    let stage = city.stage();
    let daemon = Running::start(&house.deployment, house.deployment.log()?, Some(city.end))?;
    let mut source = Publisher(house.deployment.publisher()?);
    let (mut lines, mut sent) = (stage.lines(), 0);
    loop {
        let chunk: Vec<Line> = lines.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            break;
        }
        source.append(&chunk, &scope)?;
        sent += chunk.len() as u64;
        daemon.wait_for(sent, |_| ())?;
    }
    source.finish()?;
    let engines = daemon.stop()?;
    let period = Period::new(city.end, None);
    let rules = &house.deployment.settings.rules;
    let linked: Vec<_> = engines.values().flat_map(|engine| engine.linked_events(&scope)).collect();
    let measured = report(&scope, &linked, period, rules, &[]);
    let events = stage.true_events();
    let truly: Vec<_> = events.iter().map(|event| event.linked()).collect();
    let truth = report(&scope, &truly, period, rules, &[]);
    let parties = stage.parties(&events, (period.from, period.until));
    let compared =
        published().into_iter().filter(|figure| figure.place == args.city && figure.usage != Usage::NotShown);
    let compared: Vec<Compared> = compared
        .map(|figure| {
            let party = parties.iter().find(|(row, ..)| figure.table == "parties" && *row == figure.row);
            let of = |report: &Report| value(report, &figure.table, &figure.row, figure.is_share());
            Compared {
                truth: party.map_or_else(|| of(&truth), |(_, part, whole)| Some(*part as f64 / *whole as f64)),
                measured: of(&measured),
                published: figure.exact(),
                held: figure.usage == Usage::Held,
                id: figure.id,
                measure: figure.measure,
                period: figure.period,
                source: figure.source,
                note: figure.note,
            }
        })
        .collect();
    match args.format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&compared).expect("it has a JSON form"))?,
        Format::Human => print(&compared, args, sent, out)?,
    }
    house.clear_away()
}

/// A figure of a report, as a share or as a count.
fn value(report: &Report, table: &str, row: &str, is_share: bool) -> Option<f64> {
    match report.table(table)?.figure(row)? {
        Figure::Share { part, whole } if is_share => (whole > 0).then(|| part as f64 / whole as f64),
        Figure::Count(count) | Figure::Share { part: count, .. } => Some(count as f64),
        Figure::Days { median, .. } => Some(median as f64),
    }
}

fn print(compared: &[Compared], args: &CityArgs, events: u64, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(
        out,
        "A city like {}, seed {}, {} years, {events} events. Measured is the report on the register; truth is the report \
         on who everybody really is.\nWhat stands in brackets is of another year, or at odds with a figure that is held.\n",
        args.city.as_str(),
        args.seed,
        args.years
    )?;
    writeln!(
        out,
        "{:<4} {:<51} {:>10} {:>9} {:>9}  {:<9} {:<24} note",
        "id", "measure", "published", "truth", "measured", "source", "period"
    )?;
    let number = |value: Option<f64>| match value {
        None => "–".to_owned(),
        Some(value) if value <= 1.0 => format!("{:.1} %", 100.0 * value),
        Some(value) => format!("{value:.0}"),
    };
    for one in compared {
        let published = if one.held { number(one.published) } else { format!("({})", number(one.published)) };
        writeln!(
            out,
            "{:<4} {:<51} {:>10} {:>9} {:>9}  {:<9} {:<24} {}",
            one.id,
            one.measure,
            published,
            number(one.truth),
            number(one.measured),
            one.source,
            one.period,
            one.note
        )?;
    }
    Ok(())
}
