//! `priorityd erase`: a person is forgotten. What will be erased is shown first; with `--yes` it is published as an event of
//! the reviewers, so that it takes its place among the others and the daemon does the rest.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;

use super::consult::{WhoArgs, Why};
use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::review::{publish, reviewers};
use super::subject::{InputArgs, SubjectArgs};
use crate::model::ids::PartyId;

/// Erases a person: everything recorded of them until now, for good.
#[derive(Debug, Args)]
pub(super) struct EraseArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    input: InputArgs,
    /// On what ground
    #[arg(long, value_enum, value_name = "CODE")]
    reason: Ground,
    /// Reference of the request or ruling, e.g. ER-2025/014; never a name
    #[arg(long, value_name = "REFERENCE")]
    authority: String,
    #[command(flatten)]
    who: WhoArgs,
    /// The reviewers' feed, if the agreement has several
    #[arg(long, value_name = "PARTY")]
    feed: Option<PartyId>,
    /// Do it; without, only show what would be erased
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
enum Ground {
    /// The person asked for it, or objected
    DataSubjectRequest,
    /// A court, or the Information Commissioner, ordered it
    Ordered,
    /// It should never have been held
    Unlawful,
    /// The agencies reviewed what they hold and no longer need it
    NoLongerNeeded,
}

/// Shows, and does what was asked.
pub(super) fn run(args: &EraseArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if !args.subject.is_given() {
        return Err(Failure::new(
            Kind::BadData,
            "--person: nobody is named; say whom, by --person, --reference-of or --identity",
        ));
    }
    let by = args.who.by()?;
    let deployment = Deployment::load(&args.config.config)?;
    let found = args.subject.find(&deployment, &args.input)?;
    let person = found.one()?;
    args.who.note(&deployment, "person", Some(&person.person.to_string()), &by, Why::Erasure)?;
    let agencies: std::collections::BTreeSet<_> = person.events.iter().map(|event| event.agency.as_str()).collect();
    writeln!(
        out,
        "person {}: {} records and {} events of {}; on the list of {}",
        person.person,
        person.records.len(),
        person.events.len(),
        agencies.into_iter().collect::<Vec<_>>().join(", "),
        if person.listed_to.is_empty() { "nobody".to_owned() } else { join(&person.listed_to) },
    )?;
    if !args.yes {
        return Ok(writeln!(out, "nothing was done; repeat with --yes to erase for good")?);
    }
    let own = json!({
        "records": person.records,
        "local_refs": person.local_refs,
        "reason": args.reason,
        "authority": args.authority,
        "decided_by": by,
    });
    let feed = reviewers(&deployment.agreement, args.feed.as_ref())?;
    let event = publish(&deployment, deployment.publisher()?.as_mut(), feed, &found.scope, "erasure", own)?;
    writeln!(
        out,
        "published {event}: register, lists and findings follow at once, the audit with the next day's sweep"
    )?;
    writeln!(
        out,
        "backups keep sealed copies of the identity until the vault key of today is destroyed: `priorityd keys rotate vault`"
    )?;
    Ok(writeln!(out, "the agencies' own systems are theirs: ask them to erase at the source, or it is reported anew")?)
}

fn join(parties: &std::collections::BTreeSet<PartyId>) -> String {
    parties.iter().map(PartyId::as_str).collect::<Vec<_>>().join(", ")
}
