//! `priorityd cohort`: the list of the MATAC chair, ranked. It is made where the list is read, with the recipient's own key:
//! the hub knows no name to put on it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::deployment::{ConfigArgs, subscriber};
use super::failure::{Failure, Kind};
use super::show::{Reader, Seen};
use crate::config::settings::Settings;
use crate::keys::recipient::RecipientPrivateKey;
use crate::keys::signing::SignerKeys;
use crate::log::topic_name;
use crate::model::ids::PartyId;

/// Ranks by RFG(V): recency, frequency, gravity and victims, each shown beside the total. The weights and harms that ship
/// are illustrative; their versions stand in every row.
#[derive(Debug, Args)]
pub(super) struct CohortArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Whose list
    #[arg(long, value_name = "PARTY", default_value = "high_harm_team")]
    recipient: PartyId,
    /// The recipient's private key (JWK)
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Public keys that messages are signed with (JWKS) [default: signing.jwks.json of the configured key ring]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
    /// So many at the most
    #[arg(long, value_name = "NUMBER", default_value_t = 30)]
    top: usize,
    /// How to print
    #[arg(long, value_enum, default_value_t = CohortFormat::Human)]
    format: CohortFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CohortFormat {
    /// For a person
    Human,
    /// A table, for a spreadsheet
    Csv,
    /// One JSON object a line
    Json,
}

/// The columns of a row, and where in a list entry they stand.
const COLUMNS: [(&str, &str); 20] = [
    ("total", "/score/total"),
    ("last_report", "/score/recency/last_date"),
    ("recency_points", "/score/recency/points"),
    ("reports", "/score/frequency/value"),
    ("frequency_points", "/score/frequency/points"),
    ("harm", "/score/gravity/value"),
    ("gravity_points", "/score/gravity/points"),
    ("victims", "/score/victims/value"),
    ("victims_points", "/score/victims/points"),
    ("tier", "/tier"),
    ("standing", "/standing"),
    ("cohorts", "/cohorts"),
    ("pathways", "/pathways"),
    ("agencies", "/agencies"),
    ("family_name", "/person/family_name"),
    ("given_names", "/person/given_names"),
    ("date_of_birth", "/person/date_of_birth"),
    ("weights_version", "/score/weights_version"),
    ("harm_version", "/score/harm_version"),
    ("entry", "/entry"),
];

/// Reads the list as it stands and prints who ranks highest.
pub(super) fn run(args: &CohortArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = Settings::load(&args.config.config)?;
    let signers = args.signers.clone().unwrap_or_else(|| settings.keys.join("signing.jwks.json"));
    let key = RecipientPrivateKey::read(&args.key)?;
    if *key.party() != args.recipient {
        let line = format!("--key: it is the key of {}, and only {}'s opens this list", key.party(), args.recipient);
        return Err(Failure::new(Kind::Denied, line));
    }
    let mut reader = Reader::new(args.recipient.clone(), vec![key], SignerKeys::read(&signers)?);
    let mut client = subscriber(&settings.log)?;
    reader.listen(client.as_mut())?;
    let entries = standing(reader.read(client.as_mut(), "list", Duration::ZERO)?, &args.recipient)?;
    let ranked = ranked(entries);
    let shown = &ranked[..ranked.len().min(args.top)];
    match args.format {
        CohortFormat::Human => print(shown, ranked.len(), out)?,
        CohortFormat::Csv => print_csv(shown, out)?,
        CohortFormat::Json => {
            for (rank, entry) in (1_usize..).zip(shown) {
                writeln!(out, "{}", json!({"rank": rank, "entry": entry}))?;
            }
        }
    }
    // A list that is not what the hub says it is ranks nobody reliably.
    let warnings: Vec<_> = reader.warnings(&["list"]).iter().map(Value::to_string).collect();
    if warnings.is_empty() { Ok(()) } else { Err(Failure::all(Kind::CheckFailed, warnings)) }
}

/// The entries as they stand: of each the last record, which must be readable.
fn standing(records: Vec<Seen>, recipient: &PartyId) -> Result<Vec<Value>, Failure> {
    let mut last: BTreeMap<String, Result<Value, String>> = BTreeMap::new();
    for seen in records {
        match seen {
            Seen::Event(mut event) => {
                let key = event["id"].as_str().unwrap_or_default().to_owned();
                last.insert(key, Ok(event["data"].take()));
            }
            Seen::Tombstone(key) => drop(last.remove(&key)),
            Seen::Refused { key, partition, offset, why } => {
                let topic = topic_name("list", recipient);
                last.insert(key, Err(format!("{topic} partition {partition} offset {offset}: {why}")));
            }
        }
    }
    let (entries, refused): (Vec<_>, Vec<_>) = last.into_values().partition(Result::is_ok);
    let refused: Vec<_> = refused.into_iter().filter_map(Result::err).collect();
    if refused.is_empty() {
        Ok(entries.into_iter().flatten().collect())
    } else {
        Err(Failure::all(Kind::BadData, refused))
    }
}

/// Entries with a score, the highest first; among equals the one reported last, then by pseudonym.
fn ranked(entries: Vec<Value>) -> Vec<Value> {
    let mut scored: Vec<_> = entries.into_iter().filter(|entry| entry.get("score").is_some()).collect();
    let rank = |entry: &Value| {
        let text = |pointer| entry.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let total = entry.pointer("/score/total").and_then(Value::as_u64);
        (std::cmp::Reverse((total, text("/score/recency/last_date"))), text("/entry"))
    };
    scored.sort_by_cached_key(rank);
    scored
}

fn print(shown: &[Value], all: usize, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "rank  total  R  F  G  V  last report  reports  victims  tier    who")?;
    for (rank, entry) in (1_usize..).zip(shown) {
        let at = |pointer| cell(entry, pointer);
        writeln!(
            out,
            "{rank:>4}  {:>5} {:>2} {:>2} {:>2} {:>2}  {:<11}  {:>7}  {:>7}  {:<6}  {} {}, born {}",
            at("/score/total"),
            at("/score/recency/points"),
            at("/score/frequency/points"),
            at("/score/gravity/points"),
            at("/score/victims/points"),
            at("/score/recency/last_date"),
            at("/score/frequency/value"),
            at("/score/victims/value"),
            at("/tier"),
            at("/person/given_names"),
            at("/person/family_name"),
            at("/person/date_of_birth"),
        )?;
    }
    let version = shown.first().map(|entry| cell(entry, "/score/weights_version")).unwrap_or_default();
    Ok(writeln!(out, "{} of {all}; weights {version}: recorded harm, not all there is", shown.len())?)
}

fn print_csv(shown: &[Value], out: &mut dyn Write) -> Result<(), Failure> {
    let mut table = csv::Writer::from_writer(out);
    let io = |error: csv::Error| Failure::from(std::io::Error::from(error));
    let head = std::iter::once("rank").chain(COLUMNS.iter().map(|(name, _)| *name));
    table.write_record(head).map_err(io)?;
    for (rank, entry) in (1_usize..).zip(shown) {
        let cells = COLUMNS.iter().map(|(_, pointer)| plain(cell(entry, pointer)));
        table.write_record(std::iter::once(rank.to_string()).chain(cells)).map_err(io)?;
    }
    Ok(table.flush()?)
}

/// One value as text; what is not there is blank.
fn cell(entry: &Value, pointer: &str) -> String {
    fn text(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
            Value::Object(fields) => fields.values().map(text).collect::<Vec<_>>().join(" "),
            Value::Null => String::new(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
        }
    }
    entry.pointer(pointer).map(text).unwrap_or_default()
}

/// A name that begins as a formula does is no formula.
fn plain(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, total: u64, last: &str) -> Value {
        json!({
            "entry": name,
            "score": {"total": total, "recency": {"last_date": last}},
            "person": {"family_name": "=2+5", "given_names": ["Dean", "Lee"]},
            "cohorts": [{"cohort": "drive"}, {"cohort": "mappa", "level": 2}],
        })
    }

    #[test]
    fn the_highest_total_comes_first_and_among_equals_the_latest() {
        let entries = vec![
            entry("a", 9, "2025-01-01"),
            entry("b", 21, "2025-01-01"),
            entry("c", 21, "2025-02-01"),
            json!({"entry": "d"}),
        ];
        let ranked: Vec<_> = ranked(entries).iter().map(|entry| cell(entry, "/entry")).collect();
        assert_eq!(ranked, ["c", "b", "a"], "and who has no score is not ranked");
    }

    #[test]
    fn a_cell_is_text_and_never_a_formula() {
        let entry = entry("a", 9, "2025-01-01");
        assert_eq!(cell(&entry, "/cohorts"), "drive mappa 2");
        assert_eq!(cell(&entry, "/person/given_names"), "Dean Lee");
        assert_eq!(cell(&entry, "/person/date_of_birth"), "");
        assert_eq!(plain(cell(&entry, "/person/family_name")), "'=2+5");
    }

    #[test]
    fn of_each_entry_the_last_record_counts_and_must_be_readable() {
        let recipient = "high_harm_team".parse().expect("a party");
        let event = |id: &str, total| Seen::Event(json!({"id": id, "data": {"total": total}}));
        let refused = |key: &str| Seen::Refused {
            key: key.to_owned(),
            partition: 0,
            offset: 3,
            why: crate::disclose::open::OpenError::Expired,
        };
        let read = standing(
            vec![refused("a"), event("b", 1), event("a", 2), event("b", 3), Seen::Tombstone("b".into())],
            &recipient,
        );
        assert_eq!(read.expect("readable"), [json!({"total": 2})]);
        assert!(standing(vec![event("a", 1), refused("a")], &recipient).is_err());
    }
}
