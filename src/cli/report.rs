//! `priorityd report`: the performance framework, from the register alone. What is printed has gone through disclosure
//! control; there is no way round it.

use std::io::Write;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::figures::shown;
use super::subject::restore;
use crate::model::event::day;
use crate::model::ids::ScopeId;
use crate::ops::pages::document;
use crate::report::disclosure_control::{Published, PublishedFigure, PublishedTable, WITHHELD, WITHHELD_NOTE, publish};

/// Prints the performance framework: what was recorded of the last calendar year that is closed, and month by month.
/// Periods are fixed, for from figures of any two windows one could work out who came in between.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// As it is known on this day; a year is closed on 31 January [default: today]
    #[arg(long, value_name = "YYYY-MM-DD")]
    as_of: Option<Date>,
    /// The partnership [default: the agreement's first]
    #[arg(long)]
    scope: Option<ScopeId>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a person
    Text,
    /// A page that needs nothing else, with charts
    Html,
    /// One line for each figure
    Csv,
    /// One JSON object
    Json,
}

/// Reads the register as last committed and prints its figures.
pub(super) fn run(args: &ReportArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let deployment = Deployment::load(&args.config.config)?;
    let scope = args.scope.clone().or_else(|| deployment.agreement.scopes.first().cloned());
    let scope =
        scope.ok_or_else(|| Failure::new(Kind::Configuration, "agreement: it names no scope; name one in `scopes`"))?;
    if !deployment.agreement.scopes.contains(&scope) {
        return Err(Failure::new(Kind::Usage, "--scope: the agreement has no such partnership"));
    }
    let as_of = args.as_of.or(deployment.settings.as_of);
    let as_of = as_of.unwrap_or_else(|| day(Timestamp::now()));
    let setup = Arc::new(deployment.setup());
    let engine = restore(&setup, deployment.publisher()?.as_mut(), &scope)?;
    let (rules, below) = (&deployment.settings.rules, deployment.settings.suppress_below);
    let published = publish(&scope, &engine.linked_events(&scope), as_of, rules, &[], below);
    match args.format {
        Format::Text => text(&published, as_of, out),
        Format::Csv => csv(&published, out),
        Format::Json => {
            let json = serde_json::to_string_pretty(&published).expect("what is published has a JSON form");
            Ok(writeln!(out, "{json}")?)
        }
        Format::Html => Ok(out.write_all(document(&[shown(&published, as_of)]).as_bytes())?),
    }
}

fn text(published: &Published, as_of: Date, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(
        out,
        "Performance framework of {}: {} to {}, as of {as_of}. All figures are of what was recorded.\n{WITHHELD_NOTE}",
        published.scope, published.from, published.until
    )?;
    for table in &published.tables {
        print_table(table, out)?;
    }
    for series in &published.series {
        writeln!(out, "\n{}, by month\n{}", series.title, series.definition)?;
        for point in &series.points {
            let count = point.count.map_or_else(|| WITHHELD.to_owned(), |count| count.to_string());
            let why: Vec<_> =
                series.breaks.iter().filter(|one| one.month == point.month).map(|one| one.why.as_str()).collect();
            let mark = if why.is_empty() { String::new() } else { format!("   break: {}", why.join("; ")) };
            writeln!(out, "  {}  {count:>7}{mark}", point.month.strftime("%Y-%m"))?;
        }
    }
    Ok(())
}

fn print_table(table: &PublishedTable, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "\n{}\n{}", table.title, table.note)?;
    let widest = table.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or_default();
    for row in &table.rows {
        let cells: Vec<_> = row.cells.iter().map(PublishedFigure::text).collect();
        writeln!(out, "  {:<widest$}  {}", row.label, cells.join("  "))?;
    }
    Ok(())
}

/// One line for each figure; what is withheld stands as its mark.
fn csv(published: &Published, out: &mut dyn Write) -> Result<(), Failure> {
    // Into memory first: the writer's own errors would hide that nobody reads any more.
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut write = |line: [&str; 10]| table.write_record(line).map_err(std::io::Error::from);
    let scope = published.scope.as_str();
    write(["scope", "section", "figure", "label", "from", "until", "count", "of", "percent", "median_days"])?;
    let number = |number: Option<u64>| number.map_or_else(|| WITHHELD.to_owned(), |number| number.to_string());
    for section in &published.tables {
        for row in &section.rows {
            let [count, of, percent, days] = match row.cells.first() {
                Some(PublishedFigure::Count { count }) => [number(*count), String::new(), String::new(), String::new()],
                Some(PublishedFigure::Share { part, whole, percent }) => {
                    [number(*part), number(*whole), number(*percent), String::new()]
                }
                Some(PublishedFigure::Days { median, cases }) => {
                    [number(*cases), String::new(), String::new(), number(*median)]
                }
                None => continue,
            };
            let (from, until) = (published.from.to_string(), published.until.to_string());
            let line = [scope, section.id, &row.id, &row.label, &from, &until, &count, &of, &percent, &days];
            write(line)?;
        }
    }
    for series in &published.series {
        for point in &series.points {
            let (from, until) = (point.month.to_string(), point.month.last_of_month().to_string());
            let count = number(point.count);
            write([scope, "monthly", series.id, series.title, &from, &until, &count, "", "", ""])?;
        }
    }
    let table = table.into_inner().expect("memory takes everything");
    Ok(out.write_all(&table)?)
}
