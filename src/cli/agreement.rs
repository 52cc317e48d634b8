//! `priorityd agreement`: checks, signs, explains and compares data-sharing agreements, and writes their annex.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::deployment::{ConfigArgs, load_agreement};
use super::failure::{Failure, Kind};
use super::format::Format;
use crate::config::agreement::{
    Agreement, CHANNELS, Change, Channel, Effect, Field, Kinds, NAMED_BY, NamedBy, Package, ROLES, View, diff,
    signature_file, word,
};
use crate::config::annex::annex;
use crate::config::settings::Settings;
use crate::keys::agreement as signature;
use crate::model::event::Role;
use crate::model::finding::FindingKind;
use crate::model::ids::PartyId;

/// Data-sharing agreements.
#[derive(Debug, Args)]
pub(super) struct AgreementArgs {
    #[command(subcommand)]
    command: AgreementCommand,
}

#[derive(Debug, Subcommand)]
enum AgreementCommand {
    /// Report every mistake of an agreement and its policies at once, and whether it is signed
    Check {
        /// The agreement; its policies are beside it
        #[arg(value_name = "FILE", default_value = "agreement.toml")]
        file: PathBuf,
        /// Public keys whose signature counts
        #[arg(long = "signers", value_name = "FILE")]
        signers: Vec<PathBuf>,
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Sign an agreement and its policies
    Sign {
        /// The agreement; the signature is written beside it
        #[arg(value_name = "FILE", default_value = "agreement.toml")]
        file: PathBuf,
        /// The signer's private key, made by `priorityd keys new agreement`
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// Write the data-protection annex (Markdown) from configuration and agreement
    Annex {
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Tell in words what another version opens and closes
    Diff {
        /// The version before
        #[arg(value_name = "OLD")]
        old: PathBuf,
        /// The version after
        #[arg(value_name = "NEW")]
        new: PathBuf,
        /// How to print
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Tell what a recipient would receive of a finding, and by which clause
    Explain(ExplainArgs),
}

/// Would X receive Y, by which clause?
#[derive(Debug, Args)]
struct ExplainArgs {
    /// The agreement
    #[arg(value_name = "FILE", default_value = "agreement.toml")]
    file: PathBuf,
    /// Who receives
    #[arg(long, value_name = "PARTY")]
    recipient: PartyId,
    /// What was found
    #[arg(long, value_parser = PossibleValuesParser::new(FindingKind::ALL.iter().map(|kind| kind.as_str())))]
    finding: String,
    /// In alerts or on the list [default: both]
    #[arg(long, value_parser = words(CHANNELS))]
    view: Option<String>,
    /// The role that the person is spoken of in [default: each]
    #[arg(long, value_parser = words(ROLES))]
    about: Option<String>,
    /// How the person is named [default: each way]
    #[arg(long, value_parser = words(NAMED_BY))]
    named_by: Option<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

fn words<T>(table: &'static [(&'static str, T)]) -> PossibleValuesParser {
    PossibleValuesParser::new(table.iter().map(|(word, _)| *word))
}

/// Does what was asked.
pub(super) fn run(args: &AgreementArgs, out: &mut dyn Write) -> Result<(), Failure> {
    match &args.command {
        AgreementCommand::Check { file, signers, format } => check(file, signers, *format, out),
        AgreementCommand::Sign { file, key } => {
            let written = sign(file, key)?;
            writeln!(out, "wrote {}", written.display())?;
            Ok(())
        }
        AgreementCommand::Annex { config } => {
            let settings = Settings::load(&config.config)?;
            let (agreement, _) = load_agreement(&settings).map_err(|lines| Failure::all(Kind::Configuration, lines))?;
            write!(out, "{}", annex(&settings, &agreement))?;
            Ok(())
        }
        AgreementCommand::Diff { old, new, format } => compare(old, new, *format, out),
        AgreementCommand::Explain(args) => explain(args, out),
    }
}

fn check(file: &Path, signers: &[PathBuf], format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    let package = Package::read(file)?;
    let checked = Agreement::check(&package);
    let signers = signature::read_signers(signers)?;
    let now = jiff::Timestamp::now();
    let signed = signature::verify(package.signature.as_deref(), &package.manifest(), &signers, now);
    if format == Format::Json {
        let problems: Vec<_> = checked
            .as_ref()
            .err()
            .into_iter()
            .flatten()
            .map(
                |problem| json!({"file": problem.file, "key": problem.key, "found": problem.found, "fix": problem.fix}),
            )
            .collect();
        let signed = match &signed {
            Ok(signer) => json!({"by": signer}),
            Err(why) => json!({"by": null, "why_not": why.to_string()}),
        };
        writeln!(out, "{}", json!({"problems": problems, "signature": signed}))?;
        return checked.map(drop).map_err(Failure::from);
    }
    let agreement = checked?;
    let policies = agreement.policies.texts().len();
    let forbids = agreement.policies.forbids().len();
    let (feeds, recipients) = (agreement.feeds.len(), agreement.recipients.len());
    writeln!(out, "agreement {} (serial {}) is in order", agreement.version, agreement.serial)?;
    writeln!(out, "{feeds} feeds, {recipients} recipients, {policies} policies, {forbids} of which forbid")?;
    writeln!(out, "in force from {} to {}", agreement.valid_from, agreement.expires_on)?;
    match signed {
        Ok(signer) => writeln!(out, "signed by {signer}")?,
        Err(why) => writeln!(out, "note: {why}")?,
    }
    Ok(())
}

/// Signs an agreement that is in order; gives the file of the signature.
pub(super) fn sign(file: &Path, key: &Path) -> Result<PathBuf, Failure> {
    let agreement = Agreement::load(file)?;
    let key = signature::read_signer(key)?;
    let beside = signature_file(file);
    fs::write(&beside, format!("{}\n", signature::sign(&key, &agreement.manifest)))
        .map_err(|error| Failure::unwritable(Kind::Configuration, &beside, &error))?;
    Ok(beside)
}

fn compare(old: &Path, new: &Path, format: Format, out: &mut dyn Write) -> Result<(), Failure> {
    let (old, new) = match (Agreement::load(old), Agreement::load(new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => return Err(old.err().into_iter().chain(new.err()).flatten().collect::<Vec<_>>().into()),
    };
    let changes = diff(&old, &new);
    if format == Format::Json {
        writeln!(out, "{}", json!({"changes": changes}))?;
        return Ok(());
    }
    if changes.is_empty() {
        writeln!(out, "nothing differs")?;
    }
    for Change { effect, about, what } in changes {
        let effect = match effect {
            Effect::Opens => "opens",
            Effect::Closes => "closes",
            Effect::Changes => "changes",
        };
        writeln!(out, "{effect:8} {about}: {what}")?;
    }
    Ok(())
}

fn explain(args: &ExplainArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let agreement = Agreement::load(&args.file)?;
    let Some(recipient) = agreement.recipients.iter().find(|recipient| recipient.party == args.recipient) else {
        let known: Vec<_> = agreement.recipients.iter().map(|recipient| recipient.party.as_str()).collect();
        let line = format!("--recipient: the agreement has no such recipient; use one of {}", known.join(", "));
        return Err(Failure::new(Kind::Configuration, line));
    };
    let kind = FindingKind::ALL.iter().copied().find(|kind| kind.as_str() == args.finding);
    let findings: Kinds = kind.into_iter().collect();
    let mut told = Vec::new();
    for view in views(args, findings) {
        told.push(explain_view(&agreement, &recipient.party, view));
    }
    if args.format == Format::Json {
        writeln!(out, "{}", json!({"recipient": recipient.party, "finding": args.finding, "views": told}))?;
        return Ok(());
    }
    for view in &told {
        let of = |key: &str| view[key].as_str().unwrap_or_default().to_owned();
        let (channel, about, named_by) = (of("view"), of("about"), of("named_by"));
        let place = format!("{channel} about a {about}, by {}", named_by.replace('_', " "));
        if view["receives"] == json!(true) {
            writeln!(out, "{place}: yes, by {}", of("clause"))?;
        } else {
            writeln!(out, "{place}: no, {}", refusal(&view["refused_by"]))?;
            continue;
        }
        for (clauses, fields) in grouped(&view["fields"]) {
            writeln!(out, "    {fields}  [{clauses}]")?;
        }
        for (forbids, fields) in grouped(&view["forbidden"]) {
            writeln!(out, "    never {fields}  [{forbids}]")?;
        }
    }
    Ok(())
}

fn views(args: &ExplainArgs, findings: Kinds) -> Vec<View> {
    fn wanted<T: Copy>(table: &'static [(&'static str, T)], word: Option<&String>) -> Vec<T> {
        table.iter().filter(|(known, _)| word.is_none_or(|word| word == known)).map(|(_, value)| *value).collect()
    }
    let mut views = Vec::new();
    for channel in wanted::<Channel>(CHANNELS, args.view.as_ref()) {
        for about in wanted::<Role>(ROLES, args.about.as_ref()) {
            for named_by in wanted::<NamedBy>(NAMED_BY, args.named_by.as_ref()) {
                views.push(View { channel, about, named_by, findings });
            }
        }
    }
    views
}

/// What one view lets through, field by field, with the policies that decided.
fn explain_view(agreement: &Agreement, recipient: &PartyId, view: View) -> Value {
    let (mut fields, mut forbidden, mut refused_by) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    let mut clause = String::new();
    for (name, field) in Field::NAMES {
        let verdict = agreement.policies.ask(recipient, view, *field);
        match (verdict.allowed, *field) {
            (true, Field::Fact) => clause = verdict.by.join(" "),
            (false, Field::Fact) => refused_by.clone_from(&verdict.by),
            _ => {}
        }
        if verdict.allowed {
            fields.insert(*name, verdict.by);
        } else if !verdict.by.is_empty() {
            forbidden.insert(*name, verdict.by);
        }
    }
    let receives = !clause.is_empty();
    json!({
        "view": word(CHANNELS, view.channel),
        "about": word(ROLES, view.about),
        "named_by": word(NAMED_BY, view.named_by),
        "receives": receives,
        "clause": clause,
        "refused_by": refused_by,
        "fields": if receives { json!(fields) } else { json!({}) },
        "forbidden": forbidden,
    })
}

fn refusal(forbids: &Value) -> String {
    let forbids: Vec<_> = forbids.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if forbids.is_empty() { "no clause permits it".to_owned() } else { format!("forbidden by {}", forbids.join(" ")) }
}

/// Fields by the policies that decided, both in words.
fn grouped(fields: &Value) -> BTreeMap<String, String> {
    let mut by: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (field, clauses) in fields.as_object().into_iter().flatten() {
        let clauses: Vec<_> = clauses.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        by.entry(clauses.join(" ")).or_default().push(field);
    }
    by.into_iter().map(|(clauses, fields)| (clauses, fields.join(", "))).collect()
}
