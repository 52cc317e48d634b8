//! `priorityd keys`: makes keys, rotates and ends them, has a token wrap them, and lists them. What it prints is never a
//! secret.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use getrandom::SysRng;
use jiff::{SignedDuration, Timestamp, Unit};
use rand::rand_core::UnwrapErr;

use super::format::Format;
use crate::keys::meta::{KeyProblem, Purpose, Slot};
use crate::keys::token::{TokenPlace, WRAPPING_KEY};
use crate::keys::{KeyListing, KeyRing, NewKeys, install, rotate};
use crate::model::ids::{PartyId, ScopeId};

/// How long the public half of a signing key that was rotated out still verifies: no message lives longer.
const VERIFY_DAYS: i64 = 366;

/// Makes, rotates and ends keys, and lists them.
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
    /// Make a key: of one purpose, or what is missing of `all`, of a `hub` that never hashes, or of the `source` that does
    New {
        /// A purpose as `keys list` has them: linkage, identifier, vault, intake, output, signing, audit …; or several
        #[arg(value_name = "PURPOSE|all|hub|source", value_parser = what)]
        what: What,
        #[command(flatten)]
        whose: Whose,
        /// Where what the other side must get goes: a recipient's private half, the copy of an intake key. Not the ring
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Make it the successor, which is not used until it is rotated in
        #[arg(long)]
        pending: bool,
        #[command(flatten)]
        life: Life,
    },
    /// Take in the public key (JWK) that a recipient made by itself; pending if it has one already
    Add {
        /// The recipient, e.g. up2u
        #[arg(long)]
        party: PartyId,
        /// A public JWK of P-256
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        life: Life,
    },
    /// Put a successor in place of the active key: the pending one, or a new one. A running daemon follows by itself
    Rotate {
        /// A purpose as `keys list` has them
        #[arg(value_parser = purpose)]
        purpose: Purpose,
        #[command(flatten)]
        whose: Whose,
        /// Where what the other side must get goes: a recipient's private half, the copy of an intake key. Not the ring
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        life: Life,
    },
    /// End a key that is not active: its secret is destroyed
    Retire {
        /// A purpose as `keys list` has them
        #[arg(value_parser = purpose)]
        purpose: Purpose,
        #[command(flatten)]
        whose: Whose,
        /// Which, as `keys list` numbers them
        #[arg(long)]
        epoch: u32,
        /// Also a linkage or vault key that a register may still need: what it hashed or sealed is lost
        #[arg(long)]
        force: bool,
    },
    /// Have a PKCS#11 token encrypt the secrets of these purposes, so that the files alone are worth nothing
    Wrap {
        /// Purposes as `keys list` has them
        #[arg(value_parser = purpose, default_values = ["linkage", "vault"])]
        purposes: Vec<Purpose>,
        /// The token's library
        #[arg(long, value_name = "MODULE")]
        pkcs11: PathBuf,
        /// The token's label
        #[arg(long, value_name = "LABEL")]
        token: String,
        /// File that holds the user PIN; the daemon reads it at each start
        #[arg(long, value_name = "FILE")]
        pin_file: PathBuf,
        /// The label of the token's wrapping key (AES-256), which is made if it is not there
        #[arg(long, value_name = "LABEL", default_value = WRAPPING_KEY)]
        object: String,
    },
    /// Copy a ring out of a mounted secret (Kubernetes) or credentials (systemd) to where only its owner can read it
    Install {
        /// Where the secret is mounted
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// List every key: id, purpose, epoch, state, dates
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
}

/// Whose key it is, where the purpose asks.
#[derive(Debug, Args)]
struct Whose {
    /// The partnership, e.g. portsmouth; linkage and identifier keys
    #[arg(long)]
    scope: Option<ScopeId>,
    /// The recipient or the agency, e.g. up2u; recipient and intake keys
    #[arg(long)]
    party: Option<PartyId>,
}

impl Whose {
    fn slot(&self, purpose: Purpose) -> Result<Slot, KeysError> {
        rotate::slot(purpose, self.scope.as_ref(), self.party.as_ref()).map_err(KeysError::Usage)
    }

    fn scope(&self) -> Result<&ScopeId, KeysError> {
        self.scope.as_ref().ok_or(KeysError::Usage("--scope: it is missing; name the partnership"))
    }
}

#[derive(Debug, Args)]
struct Life {
    /// The key must not be used after this many days [default: no end]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
    expires_days: Option<u16>,
}

impl Life {
    fn expires(&self, created: Timestamp) -> Option<Timestamp> {
        self.expires_days.map(|days| created + SignedDuration::from_hours(24 * i64::from(days)))
    }
}

/// What to make.
#[derive(Debug, Clone, Copy)]
enum What {
    One(Purpose),
    All,
    Hub,
    Source,
}

fn what(text: &str) -> Result<What, String> {
    match text {
        "all" => Ok(What::All),
        "hub" => Ok(What::Hub),
        "source" => Ok(What::Source),
        text => purpose(text).map(What::One),
    }
}

fn purpose(text: &str) -> Result<Purpose, String> {
    let known = || format!("one of {}", Purpose::ALL.map(Purpose::as_str).join(", "));
    Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == text).ok_or_else(known)
}

/// Why a `keys` command failed.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// Something is wrong with the ring: everything at once.
    #[error("{}", Lines(.0))]
    Ring(Vec<KeyProblem>),
    /// The words do not go together.
    #[error("{0}")]
    Usage(&'static str),
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
    let ring = args.ring.as_path();
    // Whole seconds: nobody wants to read more in a key file.
    let now = Timestamp::now().round(Unit::Second).expect("today's time rounds");
    let mut rng = UnwrapErr(SysRng);
    match &args.command {
        KeysCommand::New { what, whose, out: other_side, pending, life } => {
            let keys = NewKeys::new(ring, now, life.expires(now), &mut rng);
            let mut keys = if *pending { keys.pending() } else { keys };
            let written = match what {
                What::One(purpose) => keys.make(&whose.slot(*purpose)?, other_side.as_deref())?,
                What::All => keys.all_missing(whose.scope()?)?,
                What::Hub => keys.hub_missing()?,
                What::Source => keys.source_missing(whose.scope()?)?,
            };
            if written.is_empty() {
                writeln!(out, "nothing to make: the ring has these keys")?;
            }
            tell_written(&written, out)
        }
        KeysCommand::Install { from } => {
            let count = install(from, ring)?;
            writeln!(out, "{count} key files are in {}", ring.display())?;
            Ok(())
        }
        KeysCommand::Add { party, file, life } => {
            let (path, state) = rotate::add(ring, party, file, now, life.expires(now))?;
            tell_written(&[path], out)?;
            writeln!(out, "the key is {state}")?;
            Ok(())
        }
        KeysCommand::Rotate { purpose, whose, out: other_side, life } => {
            let slot = whose.slot(*purpose)?;
            let verify_until =
                (*purpose == Purpose::Signing).then(|| now + SignedDuration::from_hours(24 * VERIFY_DAYS));
            let keys = NewKeys::new(ring, now, life.expires(now), &mut rng);
            tell_written(&rotate::rotate(keys, &slot, other_side.as_deref(), verify_until)?, out)?;
            writeln!(out, "{}", what_follows(*purpose))?;
            Ok(())
        }
        KeysCommand::Retire { purpose, whose, epoch, force } => {
            let slot = whose.slot(*purpose)?;
            let is_needed =
                matches!(purpose, Purpose::Linkage | Purpose::Vault | Purpose::Register | Purpose::Identifier);
            if is_needed && !force {
                let rule = "--epoch: the key may be needed; the daemon ends a linkage key when no row needs it, the audit says when no row needs a vault \
                            key, and a register key is needed for as long as the register: repeat with --force once none is";
                return Err(KeysError::Usage(rule));
            }
            tell_written(&[rotate::retire(ring, &slot, *epoch)?], out)
        }
        KeysCommand::Wrap { purposes, pkcs11, token, pin_file, object } => {
            // The daemon may run in another directory, so the paths in the key files are whole.
            let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let (module, pin_file) = (whole(pkcs11), whole(pin_file));
            let place = TokenPlace { module, token: token.clone(), object: object.clone(), pin_file };
            for purpose in purposes {
                tell_written(&rotate::wrap(ring, *purpose, &place, &mut rng)?, out)?;
            }
            Ok(())
        }
        KeysCommand::List { format } => list(ring, *format, out),
    }
}

fn tell_written(files: &[PathBuf], out: &mut dyn Write) -> Result<(), KeysError> {
    files.iter().try_for_each(|file| writeln!(out, "wrote {}", file.display()))?;
    Ok(())
}

/// What a running daemon makes of a rotation.
fn what_follows(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Vault => "the daemon takes it up in seconds, seals what it keeps anew, and says so in the audit",
        Purpose::Register => {
            "what the register keeps from now on is sealed with it; the earlier key opens what is there"
        }
        Purpose::Linkage => {
            "the daemon hashes its register anew from sealed identities while it works, then destroys the earlier key"
        }
        Purpose::Output => "the daemon ends the entries under the earlier pseudonyms, and tells them under the new",
        Purpose::Signing => "the earlier key verifies until its messages have expired; it cannot sign any more",
        Purpose::Audit => "the earlier key verifies; it cannot sign any more",
        Purpose::Recipient => {
            "the daemon seals the whole list to it and says so; the service keeps both private keys until its messages have expired"
        }
        Purpose::Intake => "hand the copy to the agency; the earlier key opens what is under way",
        Purpose::Identifier | Purpose::Agreement => "",
    }
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
    writeln!(
        out,
        "{:width$}  {:10}  EPOCH  {:11}  {:20}  {:20}  TOKEN",
        "KEY", "PURPOSE", "STATE", "CREATED", "EXPIRES"
    )?;
    for KeyListing { kid, meta, token, .. } in keys {
        let expires = meta.expires.map_or_else(|| "never".into(), |time| time.to_string());
        let created = meta.created.to_string();
        writeln!(
            out,
            "{kid:width$}  {:10}  {:>5}  {:11}  {created:20}  {expires:20}  {}",
            meta.purpose,
            meta.epoch,
            meta.state,
            token.as_deref().unwrap_or("-")
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
        assert_eq!(listed.len(), 8);
        for file in
            std::fs::read_dir(&ring).expect("a directory").chain(std::fs::read_dir(&services).expect("a directory"))
        {
            let path = file.expect("an entry").path();
            if !path.is_file() || path.to_string_lossy().ends_with(".jwks.json") {
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
