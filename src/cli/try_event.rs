//! `priorityd try`: what would come of an event, for whoever writes the software that sends it. Offline: there is no log, no
//! register and no key, and nothing that the event says about anybody is printed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::failure::{Failure, Kind};
use super::format::Format;
use super::input::whole;
use crate::config::agreement::{Agreement, CHANNELS, Channel, Kinds, NAMED_BY, NamedBy, ROLES, View, word};
use crate::log::MAX_RECORD_BYTES;
use crate::model::event::Role;
use crate::model::finding::FindingKind;
use crate::model::ids::PartyId;
use crate::model::outcome::Rejection;
use crate::pipeline::preview::{Preview, PreviewedPerson, preview};

#[derive(Debug, Args)]
#[command(
    after_help = "Exit 0 when the event would be accepted, 1 when it would be rejected. Nothing is published, and no name \
    is printed."
)]
pub(super) struct TryArgs {
    /// One CloudEvent as JSON; `-` is standard input
    #[arg(value_name = "EVENT")]
    event: PathBuf,
    /// Whose event it is
    #[arg(long, value_name = "PARTY")]
    agency: PartyId,
    /// The agreement; its policies are beside it
    #[arg(long, value_name = "FILE", default_value = "agreement.toml")]
    agreement: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Tells what would come of it.
pub(super) fn run(args: &TryArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let agreement = Agreement::load(&args.agreement)?;
    if agreement.feed(&args.agency).is_none() {
        let known: Vec<_> = agreement.feeds.iter().map(|feed| feed.party.as_str()).collect();
        let line = format!("--agency: the agreement has no such feed; use one of {}", known.join(", "));
        return Err(Failure::new(Kind::Configuration, line));
    }
    // An event is a record, so it is no larger than one may be.
    let event = whole(&args.event, MAX_RECORD_BYTES)?;
    match preview(&agreement, &args.agency, event.trim_ascii(), Timestamp::now().as_millisecond()) {
        Err(rejections) => {
            if args.format == Format::Json {
                writeln!(out, "{}", json!({"outcome": "rejected", "rejections": rejections}))?;
            }
            let lines = rejections.iter().map(|rejection| format!("{}: {}", args.event.display(), told(rejection)));
            Err(Failure::all(Kind::CheckFailed, lines))
        }
        Ok(preview) if args.format == Format::Json => {
            writeln!(out, "{}", as_json(&agreement, &preview))?;
            Ok(())
        }
        Ok(preview) => Ok(print(&agreement, &preview, out)?),
    }
}

fn told(rejection: &Rejection) -> String {
    format!("{} {}: {}; {}", rejection.code.as_str(), rejection.path, rejection.rule, rejection.help)
}

fn print(agreement: &Agreement, preview: &Preview, out: &mut dyn Write) -> std::io::Result<()> {
    let replaces = if preview.supersedes { ", in place of an earlier event" } else { "" };
    writeln!(out, "it would be accepted into {}{replaces}", preview.scope)?;
    for ignored in &preview.ignored {
        writeln!(out, "note: {} would be ignored: {}", ignored.path, ignored.rule)?;
    }
    if preview.dropped_identifiers > 0 {
        writeln!(out, "note: {} identifiers would be dropped: form or check letter", preview.dropped_identifiers)?;
    }
    for (at, person) in preview.persons.iter().enumerate() {
        let role = words(&person.role);
        let tokens = if person.tokens.is_empty() { "nothing".to_owned() } else { person.tokens.join(", ") };
        writeln!(out, "person {}, {role}: tokens of {tokens}", at + 1)?;
        if !person.findings.is_empty() {
            writeln!(out, "    with what else is known: {}", names(&person.findings))?;
        }
        for told in recipients(agreement, person) {
            let (named_by, clause) = (word(NAMED_BY, told.named_by).replace('_', " "), &told.clause);
            let (recipient, channel) = (told.recipient, word(CHANNELS, told.channel));
            writeln!(out, "    {recipient}, {channel}, by {named_by}: {} [{clause}]", names(&told.findings))?;
        }
    }
    writeln!(out, "an own reference means: only if the person is in the recipient's own open caseload")?;
    writeln!(out, "nothing was published")
}

fn as_json(agreement: &Agreement, preview: &Preview) -> Value {
    let persons: Vec<_> = preview
        .persons
        .iter()
        .map(|person| {
            let told = recipients(agreement, person).into_iter().map(|told| {
                json!({
                    "recipient": told.recipient, "view": word(CHANNELS, told.channel),
                    "named_by": word(NAMED_BY, told.named_by), "findings": told.findings, "clause": told.clause,
                })
            });
            json!({
                "role": person.role, "status": person.status, "under_16": person.under_16, "tokens": person.tokens,
                "findings": person.findings, "recipients": told.collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "outcome": "accepted", "scope": preview.scope, "supersedes": preview.supersedes,
        "ignored": preview.ignored, "dropped_identifiers": preview.dropped_identifiers, "persons": persons,
    })
}

/// What one recipient could be told about one person, in one view and by one clause.
struct Told<'a> {
    recipient: &'a PartyId,
    channel: Channel,
    named_by: NamedBy,
    clause: String,
    findings: Vec<FindingKind>,
}

/// Who could be told what, as the policies have it: each naming that any of them grants.
fn recipients<'a>(agreement: &'a Agreement, person: &PreviewedPerson) -> Vec<Told<'a>> {
    let mut told = Vec::new();
    if !ROLES.iter().any(|(_, role)| *role == person.role) {
        return told;
    }
    for recipient in agreement.recipients.iter().map(|recipient| &recipient.party) {
        for (_, channel) in CHANNELS {
            for (_, named_by) in NAMED_BY {
                let mut by_clause: BTreeMap<String, Vec<FindingKind>> = BTreeMap::new();
                for kind in &person.findings {
                    let findings = Kinds::from_iter([*kind]);
                    let view = View { channel: *channel, about: person.role, named_by: *named_by, findings };
                    let grant = agreement.policies.grant(recipient, view);
                    if grant.tells() {
                        by_clause.entry(grant.clause().to_string()).or_default().push(*kind);
                    }
                }
                told.extend(by_clause.into_iter().map(|(clause, findings)| Told {
                    recipient,
                    channel: *channel,
                    named_by: *named_by,
                    clause,
                    findings,
                }));
            }
        }
    }
    told
}

fn names(kinds: &[FindingKind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

fn words(role: &Role) -> &'static str {
    match role {
        Role::Witness => "witness",
        role => word(ROLES, *role),
    }
}
