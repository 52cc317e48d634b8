//! `priorityd explain`: why somebody was told something, why records are one person, how two records compare.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::audit::each_line;
use super::consult::{WhoArgs, Why};
use super::deployment::ConfigArgs;
use super::failure::{Failure, Kind};
use crate::audit::AuditRecord;
use crate::audit::explain::{Evidence, Explanation, to_svg, to_text};
use crate::model::ids::RecordId;

/// Explains from the audit alone: no names, no keys, no register.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read this export of the audit instead of the log
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    who: WhoArgs,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// An alert or list entry as its recipient has it, a linked person, or a record; two records are compared
    #[arg(value_name = "ID", num_args = 1..=2, required = true)]
    ids: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Aligned tables with bars
    Text,
    /// A drawing
    Svg,
    /// One JSON object
    Json,
}

/// Reads the audit and explains.
pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let pair = match args.ids.as_slice() {
        [one, two] => Some((record(one)?, record(two)?)),
        _ => None,
    };
    if args.file.is_none() {
        let subject = args.ids.first().filter(|id| id.parse::<RecordId>().is_ok());
        args.who.consult(&args.config, "explanation", subject.map(String::as_str), Why::Oversight)?;
    }
    let mut evidence = Evidence::default();
    each_line(&args.config, args.file.as_deref(), |_, line| {
        evidence.add(AuditRecord::read(line).map_err(|error| Failure::new(Kind::BadData, error.to_string()))?);
        Ok(())
    })?;
    let explanation = match (pair, args.ids.first()) {
        (Some((one, two)), _) => evidence.explain_pair(one, two),
        (None, Some(id)) => evidence.explain(id),
        (None, None) => None,
    };
    let explanation = explanation.ok_or_else(|| Failure::new(Kind::CheckFailed, nothing(pair.is_some())))?;
    write!(out, "{}", render(&explanation, args.format))?;
    Ok(())
}

fn render(explanation: &Explanation, format: Format) -> String {
    match format {
        Format::Text => to_text(explanation),
        Format::Svg => to_svg(explanation) + "\n",
        Format::Json => serde_json::to_string_pretty(explanation).expect("an explanation has a JSON form") + "\n",
    }
}

fn record(text: &str) -> Result<RecordId, Failure> {
    text.parse()
        .map_err(|_| Failure::new(Kind::BadData, "record: it is no id; a record is named by 32 hexadecimal digits"))
}

fn nothing(pair: bool) -> &'static str {
    if pair {
        "the audit never compared the two: they were never linked, nor was anybody asked about them"
    } else {
        "the id: no audit record speaks of it; give a message's id, or that of a linked person or a record"
    }
}
