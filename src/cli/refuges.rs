//! `priorityd refuges`: postcodes and UPRNs of safe places to the keyed tokens by which the daemon knows them.

use std::io::Write;
use std::path::Path;

use clap::Args;

use super::deployment::ConfigArgs;
use super::failure::{Failure, Kind};
use super::input::Lines;
use crate::config::agreement::Agreement;
use crate::config::files::{LARGEST_FILE, read_text};
use crate::config::settings::Settings;
use crate::keys::KeyRing;
use crate::model::ids::ScopeId;
use crate::model::tokens::Token;
use crate::pseudonymise::Pseudonymiser;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads postcodes and UPRNs from standard input, one a line, and prints a token for each: the file that \
    `refuge_addresses` names holds these and no address. After a rotation of the linkage key, make it anew."
)]
pub(super) struct RefugesArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The partnership [default: the agreement's first]
    #[arg(long)]
    scope: Option<ScopeId>,
}

/// Hashes them.
pub(super) fn run(args: &RefugesArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = Settings::load(&args.config.config)?;
    let agreement = Agreement::load(&settings.agreement)?;
    let keys = KeyRing::load(&settings.keys)?;
    let scope = args.scope.clone().or_else(|| agreement.scopes.first().cloned());
    let key = scope.and_then(|scope| keys.linkage(&scope).map(Pseudonymiser::new));
    let hash = key.ok_or_else(|| {
        Failure::new(
            Kind::Configuration,
            "--scope: the ring has no linkage key of it; run this where identity is hashed",
        )
    })?;
    let mut problems = Vec::new();
    let mut lines = Lines::of(Path::new("-"))?;
    while let Some(line) = lines.next_filled().map_err(|why| Failure::new(Kind::BadData, why))? {
        let line = std::str::from_utf8(&line).map(str::trim).ok();
        match line.and_then(|line| hash.refuge(line)) {
            Some(Token(token)) => writeln!(out, "{token:016x}")?,
            None if line == Some("") => {}
            None => problems.push(format!("line {}: it is neither a whole postcode nor a UPRN", lines.number())),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::all(Kind::BadData, problems)) }
}

/// Reads the file of tokens.
///
/// # Errors
/// The first line that is no token, or that the file cannot be read.
pub(super) fn read(file: &Path) -> Result<std::collections::BTreeSet<Token>, String> {
    let text = read_text(file, LARGEST_FILE).map_err(|why| format!("{}: {why}", file.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let tokens = lines.map(|(at, line)| {
        let token = u64::from_str_radix(line, 16).ok().filter(|_| line.len() == 16);
        token.map(Token).ok_or_else(|| {
            format!("{}: line {}: it is no token; make the file with `priorityd refuges`", file.display(), at + 1)
        })
    });
    tokens.collect()
}
