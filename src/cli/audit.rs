//! `priorityd audit verify|find|export`: the evidence, checked and searched.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::deployment::{ConfigArgs, subscriber};
use super::failure::{Failure, Kind};
use crate::audit::{AuditKind, AuditRecord, ChainsVerifier, Head, Query};
use crate::config::settings::Settings;
use crate::log::TopicReader;
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
        /// Where a partition's chain must end, as an earlier verification printed it; one for each, and without them a cut
        /// end cannot be seen
        #[arg(long = "head", value_name = "PARTITION:SEQ:HASH", value_parser = parse_head)]
        heads: Vec<(i32, Head)>,
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
        AuditCommand::Verify { heads } => verify(args, heads.iter().copied().collect(), out),
        AuditCommand::Find { kind, from, until, mentions } => {
            let query = Query {
                kind: *kind,
                scope: None,
                from: from.clone(),
                until: until.clone(),
                mentions: mentions.clone(),
            };
            each_line(&args.config, args.file.as_deref(), |_, line| {
                let record = AuditRecord::read(line).map_err(|error| Failure::new(Kind::BadData, error.to_string()))?;
                if query.matches(&record) { print_line(out, line) } else { Ok(()) }
            })
        }
        AuditCommand::Export => each_line(&args.config, args.file.as_deref(), |_, line| print_line(out, line)),
    }
}

fn verify(args: &AuditArgs, heads: BTreeMap<i32, Head>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut verifier = ChainsVerifier::default();
    each_line(&args.config, args.file.as_deref(), |stood_in, line| {
        verifier.push(stood_in, line);
        Ok(())
    })?;
    let verified = verifier.finish(&heads).map_err(|faults| Failure::all(Kind::CheckFailed, faults))?;
    let records: u64 = verified.values().map(|chain| chain.records).sum();
    writeln!(out, "{records} records, none changed, dropped, swapped or doubled")?;
    for (partition, chain) in verified {
        writeln!(out, "head {partition}:{}:{}", chain.head.seq, hex(&chain.head.hash))?;
    }
    Ok(())
}

fn print_line(out: &mut dyn Write, line: &[u8]) -> Result<(), Failure> {
    out.write_all(line)?;
    Ok(out.write_all(b"\n")?)
}

/// Hands every audit line to `line`, each chain in its order: of an export, or else of the log, partition by partition,
/// which are told.
pub(super) fn each_line(
    config: &ConfigArgs,
    file: Option<&Path>,
    mut line: impl FnMut(Option<i32>, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if let Some(file) = file {
        let opened = std::fs::File::open(file).map_err(|error| Failure::unreadable(file, &error))?;
        return BufReader::new(opened).split(b'\n').try_for_each(|read| line(None, &read?));
    }
    let settings = Settings::load(&config.config)?;
    let mut client = subscriber(&settings.log)?;
    TopicReader::new(AUDIT_TOPIC).read(client.as_mut(), Duration::ZERO, |record| match record.value {
        Some(value) => line(Some(record.partition), &value),
        None => Ok(()),
    })
}

fn parse_head(text: &str) -> Result<(i32, Head), String> {
    let form = "write PARTITION:SEQ:HASH as `audit verify` prints it";
    let mut parts = text.split(':');
    let (Some(partition), Some(seq), Some(hash), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(form.to_owned());
    };
    let (partition, seq) = (partition.parse().map_err(|_| form)?, seq.parse().map_err(|_| form)?);
    if hash.len() != 64 || !hash.is_ascii() {
        return Err(form.to_owned());
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(&hash[at..at + 2], 16).map_err(|_| form)?;
    }
    Ok((partition, Head { seq, hash: bytes }))
}
