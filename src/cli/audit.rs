//! `priorityd audit verify|prove|find|export`: the evidence, checked, proved and searched.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};

use super::consult::{WhoArgs, Why};
use super::deployment::{ConfigArgs, subscriber};
use super::failure::{Failure, Kind};
use super::input::Lines;
use super::subject::{InputArgs, SubjectArgs};
use super::{pack, prove};
use crate::audit::{AuditFault, AuditKind, AuditRecord, ChainsVerifier, Head, PartitionFault, Query, SignedHead};
use crate::config::settings::{LogSettings, Settings};
use crate::disclose::open::OpenError;
use crate::disclose::statement::{self, Statement};
use crate::keys::signing::SignerKeys;
use crate::log::{LogError, StoredRecord, TopicReader};
use crate::model::ids::hex;
use crate::pipeline::{AUDIT_TOPIC, HEADS_TOPIC};

/// Verifies and searches the audit chain.
#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    /// Read this export instead of the log
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) file: Option<PathBuf>,
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
        #[command(flatten)]
        signed: SignedArgs,
        /// Check this proof instead, as `audit prove` printed it: nothing else is needed
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
    },
    /// Prove that one record stands in the audit that was signed, without showing another
    Prove {
        /// Its number
        seq: u64,
        /// Of which partition's chain
        #[arg(long, default_value_t = 0)]
        partition: i32,
        /// Prove instead that the audit only grew between the signed heads nearest to this number and to SEQ
        #[arg(long, value_name = "SEQ")]
        since: Option<u64>,
        #[command(flatten)]
        signed: SignedArgs,
        #[command(flatten)]
        who: WhoArgs,
    },
    /// Print the records that fit, one JSON object a line; or what was shared about one person, with whom, when and under
    /// which clause
    Find {
        #[command(flatten)]
        subject: SubjectArgs,
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        who: WhoArgs,
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
    /// Print all records as they are, to keep elsewhere; or make the pack for one person who asked what is held
    Export {
        #[command(flatten)]
        subject: SubjectArgs,
        #[command(flatten)]
        input: InputArgs,
        #[command(flatten)]
        who: WhoArgs,
        /// Write the pack here: pack.json and pack.html
        #[arg(long, value_name = "DIR", requires = "subject")]
        out: Option<PathBuf>,
    },
}

/// Does what was asked.
pub(super) fn run(args: &AuditArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let file = args.file.as_deref();
    // Whoever reads a copy of the audit is beyond our reach; whoever reads ours says so first.
    let consult = |who: &WhoArgs| {
        file.map_or_else(|| who.consult(&args.config, "audit", None, Why::Oversight).map(drop), |_| Ok(()))
    };
    match &args.command {
        AuditCommand::Verify { proof: Some(proof), signed, .. } => {
            prove::check(proof, &signed.signers(&args.config)?, out)
        }
        AuditCommand::Verify { heads, signed, proof: None } => {
            verify(args, heads.iter().copied().collect(), signed, out)
        }
        AuditCommand::Prove { seq, partition, since, signed, who } => {
            consult(who)?;
            prove::make(args, *partition, *seq, *since, signed, out)
        }
        AuditCommand::Find { subject, input, who, .. } if subject.is_given() => {
            pack::shared(&args.config, file, subject, input, who, out)
        }
        AuditCommand::Find { kind, from, until, mentions, who, .. } => {
            consult(who)?;
            let query = Query {
                kind: *kind,
                scope: None,
                from: from.clone(),
                until: until.clone(),
                mentions: mentions.clone(),
            };
            each_line(&args.config, file, |_, line| {
                let record = AuditRecord::read(line).map_err(|error| Failure::new(Kind::BadData, error.to_string()))?;
                if query.matches(&record) { print_line(out, line) } else { Ok(()) }
            })
        }
        AuditCommand::Export { subject, input, who, out: dir } if subject.is_given() => {
            let dir = dir
                .as_deref()
                .ok_or_else(|| Failure::new(Kind::BadData, "--out: it is missing; say where the pack goes"))?;
            pack::write(&args.config, file, subject, input, who, dir, out)
        }
        AuditCommand::Export { who, .. } => {
            consult(who)?;
            each_line(&args.config, file, |_, line| print_line(out, line))
        }
    }
}

fn verify(
    args: &AuditArgs,
    heads: BTreeMap<i32, Head>,
    signed: &SignedArgs,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let signed = signed.read(&args.config, args.file.is_some())?;
    let check = || -> Result<_, Failure> {
        let mut verifier = ChainsVerifier::default();
        signed.iter().for_each(|(head, _)| verifier.expect(head));
        each_line(&args.config, args.file.as_deref(), |stood_in, line| {
            verifier.push(stood_in, line);
            Ok(())
        })?;
        Ok(verifier.finish(&heads))
    };
    let mut verified = check()?;
    // A daemon that takes erased people out while we read: what it rewrote was read before, what it says of it after. It does
    // so in several transactions, and is done, or was none of the kind, when the same is found twice.
    let overtaken =
        |faults: &Vec<PartitionFault>| faults.iter().all(|it| matches!(it.fault, AuditFault::Redacted { .. }));
    while args.file.is_none() && verified.as_ref().is_err_and(overtaken) {
        let before = std::mem::replace(&mut verified, check()?);
        if before.as_ref().err() == verified.as_ref().err() {
            break;
        }
    }
    let verified = verified.map_err(|faults| Failure::all(Kind::CheckFailed, faults))?;
    let records: u64 = verified.values().map(|chain| chain.records).sum();
    writeln!(out, "{records} records, none changed, dropped, swapped or doubled")?;
    let redacted: u64 = verified.values().map(|chain| chain.redacted).sum();
    if redacted > 0 {
        writeln!(out, "{redacted} of them were about somebody who was erased, as erasures account for")?;
    }
    match signed.last() {
        Some((head, _)) => writeln!(out, "{} signed heads hold, the last of {}", signed.len(), head.at)?,
        None => writeln!(out, "no signed head was looked at: a cut end would not show")?,
    }
    for (partition, chain) in verified {
        writeln!(out, "head {partition}:{}:{}", chain.head.seq, hex(&chain.head.hash))?;
    }
    Ok(())
}

/// Signed heads, and who may have signed them.
#[derive(Debug, Args)]
pub(super) struct SignedArgs {
    /// Signed heads as they were kept, one a line [default: those of the log]
    #[arg(long, value_name = "FILE")]
    signed_heads: Option<PathBuf>,
    /// Public keys that heads are signed with (JWKS) [default: audit.jwks.json of the configured key ring]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
}

impl SignedArgs {
    /// Who may have signed.
    pub(super) fn signers(&self, config: &ConfigArgs) -> Result<SignerKeys, Failure> {
        let file = match &self.signers {
            Some(file) => file.clone(),
            None => Settings::load(&config.config)?.keys.join(SIGNERS_FILE),
        };
        Ok(SignerKeys::read_audit(&file)?)
    }

    /// Every head, verified, with its signed form; by partition and number. Of the log, unless a copy of the audit is read.
    pub(super) fn read(&self, config: &ConfigArgs, of_copy: bool) -> Result<Vec<(SignedHead, String)>, Failure> {
        let mut texts = Vec::new();
        if let Some(file) = &self.signed_heads {
            let mut lines = Lines::of(file)?;
            while let Some(line) = lines.next_filled().map_err(|why| Failure::new(Kind::BadData, why))? {
                texts.push(String::from_utf8_lossy(&line).into_owned());
            }
        } else if !of_copy {
            let mut client = subscriber(&Settings::load(&config.config)?.log)?;
            TopicReader::new(HEADS_TOPIC).read(client.as_mut(), Duration::ZERO, |record| {
                texts.extend(record.value.map(|value| String::from_utf8_lossy(&value).into_owned()));
                Ok::<_, LogError>(())
            })?;
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let signers = self.signers(config)?;
        let (mut heads, mut bad) = (Vec::new(), Vec::new());
        for (at, text) in texts.into_iter().enumerate() {
            match read_head(&text, &signers) {
                Ok(head) => heads.push((head, text)),
                Err(why) => bad.push(format!("signed head {}: {why}", at + 1)),
            }
        }
        if !bad.is_empty() {
            return Err(Failure::all(Kind::CheckFailed, bad));
        }
        heads.sort_by_key(|(head, _)| (head.partition, head.seq));
        Ok(heads)
    }
}

/// Reads one signed head. Its key is judged as of the moment that it was signed: evidence outlives keys.
pub(super) fn read_head(text: &str, signers: &SignerKeys) -> Result<SignedHead, OpenError> {
    let said = statement::read(Statement::AuditHead, text.as_bytes(), signers, None)?;
    serde_json::from_slice(&said).map_err(|_| OpenError::NotAMessage)
}

const SIGNERS_FILE: &str = "audit.jwks.json";

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
        let mut lines = Lines::of(file)?;
        // As they stand: a line that was changed in any way is told as such.
        while let Some(read) = lines.next_raw().map_err(|why| Failure::new(Kind::BadData, why))? {
            line(None, &read)?;
        }
        return Ok(());
    }
    let settings = Settings::load(&config.config)?;
    let mut client = subscriber(&settings.log)?;
    // What an erasure rewrote lies in its old place on the embedded log. On Kafka it lies at the end, so it is gathered
    // first and handed over where it belongs.
    let (mut ends, mut late) = (BTreeMap::new(), BTreeMap::new());
    if matches!(settings.log, LogSettings::Kafka(_)) {
        TopicReader::new(AUDIT_TOPIC).read(client.as_mut(), Duration::ZERO, |record| {
            let end = ends.entry(record.partition).or_insert(0);
            let seq = seq_of(&record);
            if seq > *end {
                *end = seq;
            } else if let Some(value) = record.value {
                late.insert((record.partition, seq), value);
            }
            Ok::<_, Failure>(())
        })?;
    }
    let mut next = BTreeMap::new();
    TopicReader::new(AUDIT_TOPIC).read(client.as_mut(), Duration::ZERO, |record| {
        let (partition, seq) = (record.partition, seq_of(&record));
        let next = next.entry(partition).or_insert(1);
        if seq < *next && ends.contains_key(&partition) {
            return Ok(());
        }
        for missing in *next..seq {
            late.get(&(partition, missing)).map_or(Ok(()), |value| line(Some(partition), value))?;
        }
        *next = seq.saturating_add(1);
        match late.get(&(partition, seq)).or(record.value.as_ref()) {
            Some(value) => line(Some(partition), value),
            None => Ok(()),
        }
    })
}

/// The number of a record, which is its key.
pub(super) fn seq_of(record: &StoredRecord) -> u64 {
    std::str::from_utf8(&record.key).ok().and_then(|key| key.parse().ok()).unwrap_or(0)
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
