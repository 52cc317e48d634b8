//! `priorityd keys`: makes keys and lists them. What it prints is never a secret.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use getrandom::SysRng;
use jiff::{SignedDuration, Timestamp, Unit};
use rand::rand_core::UnwrapErr;

use crate::keys::meta::KeyProblem;
use crate::keys::{KeyListing, KeyRing, NewKeys};
use crate::model::ids::{PartyId, ScopeId};

/// Makes keys and lists them.
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    /// Directory of the key ring
    #[arg(long, global = true, value_name = "DIR", default_value = "keys")]
    ring: PathBuf,
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key
    New {
        #[command(subcommand)]
        purpose: NewCommand,
        /// The key must not be used after this many days [default: no end]
        #[arg(long, global = true, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
        expires_days: Option<u16>,
    },
    /// List every key: id, purpose, epoch, state, dates
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
}

#[derive(Debug, Subcommand)]
enum NewCommand {
    /// The secret that hashes identity to tokens within one scope
    Linkage {
        /// The partnership, e.g. portsmouth
        #[arg(long)]
        scope: ScopeId,
    },
    /// The secret that seals what lies on our own disk
    Vault,
    /// The secret behind each recipient's pseudonyms
    Output,
    /// The pair that signs messages; the public half goes to signing.jwks.json
    Signing,
    /// A pair for a recipient: the private half for the service to take, the public half into the ring
    Recipient {
        /// The recipient, e.g. up2u
        #[arg(long)]
        party: PartyId,
        /// Where the private half goes; not the ring
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// A pair for somebody who signs agreements: both halves, the private one for the signer to take away
    Agreement {
        /// Who signs, e.g. ig_lead
        #[arg(long)]
        party: PartyId,
        /// Where both halves go; not the ring
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Linkage, vault, output and signing, each unless the ring has it
    All {
        /// The partnership, e.g. portsmouth
        #[arg(long)]
        scope: ScopeId,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A table
    Human,
    /// One JSON array
    Json,
}

/// Why a `keys` command failed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Something is wrong with the ring: everything at once.
    #[error("{}", Lines(.0))]
    Ring(Vec<KeyProblem>),
    /// The output could not be written.
    #[error("cannot write the output ({})", .0.kind())]
    Output(#[from] io::Error),
}

impl From<Vec<KeyProblem>> for KeysError {
    fn from(problems: Vec<KeyProblem>) -> Self {
        Self::Ring(problems)
    }
}

struct Lines<'a>(&'a [KeyProblem]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(line, problem)| {
            let separator = if line == 0 { "" } else { "\n" };
            write!(out, "{separator}{problem}")
        })
    }
}

/// Does what was asked, with randomness from the operating system, and writes what there is to say to `out`.
pub(super) fn run(args: &KeysArgs, out: &mut dyn Write) -> Result<(), KeysError> {
    match &args.command {
        KeysCommand::New { purpose, expires_days } => new(&args.ring, purpose, *expires_days, out),
        KeysCommand::List { format } => list(&args.ring, *format, out),
    }
}

fn new(ring: &Path, what: &NewCommand, expires_days: Option<u16>, out: &mut dyn Write) -> Result<(), KeysError> {
    // Whole seconds: nobody wants to read more in a key file.
    let created = Timestamp::now().round(Unit::Second).expect("today's time rounds");
    let expires = expires_days.map(|days| created + SignedDuration::from_hours(24 * i64::from(days)));
    let mut rng = UnwrapErr(SysRng);
    let mut keys = NewKeys::new(ring, created, expires, &mut rng);
    let written = match what {
        NewCommand::Linkage { scope } => keys.linkage(scope)?,
        NewCommand::Vault => keys.vault()?,
        NewCommand::Output => keys.output()?,
        NewCommand::Signing => keys.signing()?,
        NewCommand::Recipient { party, out } => keys.recipient(party, out)?,
        NewCommand::Agreement { party, out } => keys.agreement(party, out)?,
        NewCommand::All { scope } => keys.all_missing(scope)?,
    };
    if written.is_empty() {
        writeln!(out, "nothing to make: the ring has these keys")?;
    }
    written.iter().try_for_each(|file| writeln!(out, "wrote {}", file.display()))?;
    Ok(())
}

/// Lists what can be read even when something cannot, and then fails with what is wrong.
fn list(ring: &Path, format: Format, out: &mut dyn Write) -> Result<(), KeysError> {
    let (keys, problems) = KeyRing::list(ring);
    match format {
        Format::Human => table(&keys, out)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &keys).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into()) }
}

fn table(keys: &[KeyListing], out: &mut dyn Write) -> io::Result<()> {
    let width = keys.iter().map(|key| key.kid.len()).max().unwrap_or(0).max("KEY".len());
    writeln!(out, "{:width$}  {:9}  EPOCH  {:11}  {:20}  EXPIRES", "KEY", "PURPOSE", "STATE", "CREATED")?;
    for KeyListing { kid, meta, .. } in keys {
        let expires = meta.expires.map_or_else(|| "never".into(), |time| time.to_string());
        let created = meta.created.to_string();
        writeln!(
            out,
            "{kid:width$}  {:9}  {:>5}  {:11}  {created:20}  {expires}",
            meta.purpose, meta.epoch, meta.state
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        keys: KeysArgs,
    }

    fn keys(ring: &Path, words: &str) -> (Result<(), KeysError>, String) {
        let words = ["keys"].into_iter().chain(words.split_whitespace());
        let ring = ["--ring", ring.to_str().expect("UTF-8")];
        let args = Cli::try_parse_from(words.chain(ring)).unwrap_or_else(|error| panic!("{error}"));
        let mut out = Vec::new();
        let result = run(&args.keys, &mut out);
        (result, String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn makes_a_ring_and_lists_it_without_secrets() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let ring = dir.path().join("ring");
        let services = dir.path().join("services");
        keys(&ring, "new all --scope portsmouth").0.expect("made");
        let recipient = format!("new recipient --party up2u --out {} --expires-days 30", services.display());
        keys(&ring, &recipient).0.expect("made");
        assert!(keys(&ring, "new all --scope portsmouth").1.contains("nothing to make"));
        let refused = keys(&ring, "new vault").0.expect_err("there is one").to_string();
        assert!(refused.contains("is a vault key already"), "{refused}");

        let (result, human) = keys(&ring, "list");
        result.expect("listed");
        let (result, json) = keys(&ring, "list --format json");
        result.expect("listed");
        let listed: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
        assert_eq!(listed.len(), 5);
        for file in
            std::fs::read_dir(&ring).expect("a directory").chain(std::fs::read_dir(&services).expect("a directory"))
        {
            let path = file.expect("an entry").path();
            if !path.is_file() || path.ends_with("signing.jwks.json") {
                continue;
            }
            let key: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).expect("read")).expect("JSON");
            let secret = key["k"].as_str().or(key["d"].as_str()).expect("a secret");
            assert!(!human.contains(secret) && !json.contains(secret));
        }
    }

    #[test]
    fn a_ring_that_is_not_there_is_one_problem_with_a_remedy() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let refused = keys(&dir.path().join("none"), "list").0.expect_err("not there").to_string();
        assert!(refused.contains("cannot be read"), "{refused}");
    }
}
