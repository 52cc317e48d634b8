//! What a register holds of a table, token by token: the material of the frequency attack in `benches/linkage`.
//!
//! Hashes under a key that this command makes up and throws away, so that nothing it writes meets a deployment's tokens.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::super::failure::{Failure, Kind};
use super::super::link::read;
use super::super::tables::Columns;
use crate::keys::linkage::LinkageKey;
use crate::model::ids::PartyId;
use crate::pseudonymise::Pseudonymiser;

/// Writes one JSON object a row.
#[derive(clap::Args, Debug)]
pub(super) struct TokensArgs {
    /// TOML map of columns.
    #[arg(long, value_name = "MAP.toml")]
    columns: PathBuf,
    /// The table, with a header line.
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the table cannot be used.
pub(super) fn run(args: &TokensArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let bad = |path: &PathBuf, error: String| Failure::new(Kind::BadData, format!("{}: {error}", path.display()));
    let columns = Columns::parse(&read(&args.columns)?).map_err(|error| bad(&args.columns, error.to_string()))?;
    let table = fs::File::open(&args.file).map_err(|error| Failure::unreadable(&args.file, &error))?;
    let table = columns.read(None, io::BufReader::new(table)).map_err(|error| bad(&args.file, error.to_string()))?;
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut()).map_err(|_| Failure::new(Kind::Bug, "the system has no randomness to give"))?;
    let hash = Pseudonymiser::new(&LinkageKey::new("bench".parse().expect("a valid scope"), 1, secret));
    let agency: PartyId = "bench".parse().expect("a valid name");
    let mut out = BufWriter::new(out);
    for row in table.blind(&hash, &agency, 0).flatten() {
        let tokens = serde_json::to_value(&row.tokens).expect("tokens serialise");
        writeln!(out, "{}", serde_json::json!({"row": row.id, "tokens": tokens}))?;
    }
    out.flush()?;
    Ok(())
}
