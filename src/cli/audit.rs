//! `priorityd audit verify|find|export`: the evidence, checked and searched.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::deployment::{ConfigArgs, subscriber};
use super::failure::{Failure, Kind};
use super::show::read_on;
use crate::audit::{AuditKind, AuditRecord, Head, Query, Verifier};
use crate::config::settings::Settings;
use crate::model::ids::hex;
use crate::pipeline::AUDIT_TOPIC;

/// Verifies and searches the audit chain.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Read this export instead of the log
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<PathBuf>,
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check that no record was changed, dropped, swapped, doubled or cut off
    Verify {
        /// Where the chain must end, as an earlier verification printed it; without it a cut end cannot be seen
        #[arg(long, value_name = "SEQ:HASH", value_parser = parse_head)]
        head: Option<Head>,
    },
    /// Print the records that fit, one JSON object a line
    Find {
        /// Of this kind
        #[arg(long)]
        kind: Option<AuditKind>,
        /// At or after this time (RFC 3339, UTC)
        #[arg(long)]
        from: Option<String>,
        /// Before this time
        #[arg(long)]
        until: Option<String>,
        /// That name this id, code or party
        #[arg(long, value_name = "ID")]
        mentions: Option<String>,
    },
    /// Print all records as they are, to keep elsewhere
    Export,
}

/// Does what was asked.
pub(super) fn run(args: &AuditArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        AuditCommand::Verify { head } => verify(args, *head, out),
        AuditCommand::Find { kind, from, until, mentions } => {
            let query = Query {
                kind: *kind,
                scope: None,
                from: from.clone(),
                until: until.clone(),
                mentions: mentions.clone(),
            };
            each_line(&args.config, args.file.as_deref(), |line| {
                let record = AuditRecord::read(line).map_err(|error| Failure::new(Kind::BadData, error.to_string()))?;
                if query.matches(&record) { print_line(out, line) } else { Ok(()) }
            })
        }
        AuditCommand::Export => each_line(&args.config, args.file.as_deref(), |line| print_line(out, line)),
    }
}

fn verify(args: &AuditArgs, head: Option<Head>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut verifier = Verifier::after(Head::default());
    each_line(&args.config, args.file.as_deref(), |line| {
        verifier.push(line);
        Ok(())
    })?;
    let verified = verifier.finish(head).map_err(|faults| Failure::all(Kind::CheckFailed, faults))?;
    let hash = hex(&verified.head.hash);
    writeln!(out, "{} records, none changed, dropped, swapped or doubled", verified.records)?;
    writeln!(out, "head {}:{hash}", verified.head.seq)?;
    Ok(())
}

fn print_line(out: &mut dyn Write, line: &[u8]) -> Result<(), Failure> {
    out.write_all(line)?;
    Ok(out.write_all(b"\n")?)
}

/// Hands every audit line, in order, to `line`: of an export, or else of the log.
pub(super) fn each_line(
    config: &ConfigArgs,
    file: Option<&Path>,
    mut line: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Some(file) = file {
        let opened = std::fs::File::open(file).map_err(|error| Failure::unreadable(file, &error))?;
        return BufReader::new(opened).split(b'\n').try_for_each(|read| line(&read?));
    }
    let settings = Settings::load(&config.config)?;
    let mut client = subscriber(&settings.log)?;
    read_on(client.as_mut(), AUDIT_TOPIC, &mut 0, Duration::ZERO, |record| match record.value {
        Some(value) => line(&value),
        None => Ok(()),
    })
}

fn parse_head(text: &str) -> Result<Head, String> {
    let form = "write SEQ:HASH as `audit verify` prints it";
    let (seq, hash) = text.split_once(':').ok_or(form)?;
    let seq = seq.parse().map_err(|_| form)?;
    if hash.len() != 64 || !hash.is_ascii() {
        return Err(form.to_owned());
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hash[at..at + 2], 16).map_err(|_| form)?;
    }
    Ok(Head { seq, hash: bytes })
}
