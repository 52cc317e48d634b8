//! What was shared about one person, and the pack for a subject-access request: what is held, from whom, until when, what
//! was shared of it with whom under which clause, and who looked. The pack names the person; it is written for its owner
//! alone to read, and is the one place where a stored identity is opened other than for a recipient.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::audit::each_line;
use super::consult::{WhoArgs, Why};
use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::subject::{Found, InputArgs, SubjectArgs};
use crate::audit::{AuditRecord, Shared, Subject};
use crate::config::agreement::Agreement;
use crate::pipeline::Person;

/// Prints what was shared: when, with whom, what, under which clause.
pub(super) fn shared(
    config: &ConfigArgs,
    file: Option<&Path>,
    subject: &SubjectArgs,
    input: &InputArgs,
    who: &WhoArgs,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (deployment, found) = look_up(config, subject, input, who)?;
    let person = found.one()?;
    let told = follow(config, file, person)?;
    writeln!(out, "person {}: {} records, {} events held", person.person, person.records.len(), person.events.len())?;
    for shared in &told.shared {
        let Shared { at, recipient, clause, record: (partition, seq), .. } = shared;
        let clause = clause.as_deref().map_or_else(
            || "the entry ended".to_owned(),
            |clause| clause_of(&deployment.agreement, &shared.recipient, clause),
        );
        writeln!(out, "{at}  {recipient}  {}  {clause}  record {partition}:{seq}", what(shared))?;
    }
    Ok(writeln!(out, "{} messages; {} consultations", told.shared.len(), told.looked_at.len())?)
}

/// Writes the pack.
pub(super) fn write(
    config: &ConfigArgs,
    file: Option<&Path>,
    subject: &SubjectArgs,
    input: &InputArgs,
    who: &WhoArgs,
    dir: &Path,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let (deployment, found) = look_up(config, subject, input, who)?;
    let person = found.one()?;
    let told = follow(config, file, person)?;
    let agreement = &deployment.agreement;
    let agencies = agreement
        .feeds
        .iter()
        .map(|feed| json!({"party": feed.party, "gateway": feed.gateway, "retention_days": feed.retention_days}));
    let recipients = agreement.recipients.iter().map(|recipient| {
        json!({
            "party": recipient.party, "name": recipient.name, "gateway": recipient.gateway,
            "purpose": recipient.purpose, "may_keep_a_message_for_days": recipient.message_days,
        })
    });
    let pack = json!({
        "made_at": Timestamp::now(),
        "scope": found.scope,
        "agreement_version": agreement.version,
        "who": found.engine.written(&found.scope, person).into_values().collect::<Vec<_>>(),
        "held": person,
        "shared": told.shared,
        "looked_at": told.looked_at,
        "agencies": agencies.collect::<Vec<_>>(),
        "recipients": recipients.collect::<Vec<_>>(),
        "rights": RIGHTS,
    });
    std::fs::create_dir_all(dir).map_err(|error| unwritable(dir, &error))?;
    let text = Zeroizing::new(serde_json::to_string_pretty(&pack).expect("a pack has a JSON form") + "\n");
    save(&dir.join("pack.json"), &text)?;
    save(&dir.join("pack.html"), &Zeroizing::new(html(&pack)))?;
    Ok(writeln!(out, "{}: pack.json and pack.html", dir.display())?)
}

/// Who is meant, noted in the audit before anything is shown.
fn look_up(
    config: &ConfigArgs,
    subject: &SubjectArgs,
    input: &InputArgs,
    who: &WhoArgs,
) -> Result<(Deployment, Found), Failure> {
    let by = who.by()?;
    let deployment = Deployment::load(&config.config)?;
    let found = subject.find(&deployment, input)?;
    let id = found.one()?.person.to_string();
    who.note(&deployment, "person", Some(&id), &by, Why::SubjectAccess)?;
    Ok((deployment, found))
}

fn follow(config: &ConfigArgs, file: Option<&Path>, person: &Person) -> Result<Subject, Failure> {
    let mut subject = Subject::new(person.records.clone());
    each_line(config, file, |_, line| {
        subject.add(&AuditRecord::read(line).map_err(|error| Failure::new(Kind::BadData, error.to_string()))?);
        Ok(())
    })?;
    Ok(subject)
}

/// The policies that something was told by, with the gateway that they rest on.
fn clause_of(agreement: &Agreement, recipient: &str, clause: &str) -> String {
    let recipient = agreement.recipients.iter().find(|known| known.party.as_str() == recipient);
    match recipient.filter(|_| clause.split(' ').all(|id| agreement.policies.texts().contains_key(id))) {
        Some(recipient) => format!("{clause} ({})", recipient.gateway),
        None => format!("{clause} (of an earlier agreement)"),
    }
}

fn what(shared: &Shared) -> String {
    let kind = shared.what.strip_prefix("uk.priorityd.").unwrap_or(&shared.what);
    let kind = kind.strip_suffix(".v1").unwrap_or(kind).replace('_', " ");
    let finding = shared.finding.as_ref().map(|finding| format!(": {}", finding.replace('_', " "))).unwrap_or_default();
    let role = shared.role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
    format!("{kind}{finding}{role}")
}

const RIGHTS: &str = "You may ask for what is wrong to be corrected, and for what should not be held to be erased; each \
                      agency corrects its own records, and everybody who was told is told. You may complain to the \
                      Information Commissioner.";

/// The same as a page to read and print; nothing in it is fetched from anywhere.
fn html(pack: &Value) -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>What is held</title>\
         <style>body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
         table{border-collapse:collapse;width:100%}th,td{text-align:left;border-bottom:1px solid #999;padding:.2rem .6rem}\
         </style><h1>What is held, and what was shared of it</h1>",
    );
    let text = |value: &Value| escape(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let _ = write!(page, "<p>As of {}. Agreement {}.</p>", text(&pack["made_at"]), text(&pack["agreement_version"]));
    let mut table = |title: &str, rows: &Value, columns: &[(&str, &str)]| {
        let _ = write!(page, "<h2>{title}</h2><table><tr>");
        for (heading, _) in columns {
            let _ = write!(page, "<th>{heading}");
        }
        for row in rows.as_array().into_iter().flatten() {
            page.push_str("<tr>");
            for (_, name) in columns {
                let cell = match &row[*name] {
                    Value::Null => String::new(),
                    Value::Array(items) => items.iter().map(&text).collect::<Vec<_>>().join(" "),
                    value => text(value),
                };
                let _ = write!(page, "<td>{cell}");
            }
        }
        page.push_str("</table>");
    };
    let names = [
        ("Given names", "given_names"),
        ("Family name", "family_name"),
        ("Born", "date_of_birth"),
        ("Reference", "local_ref"),
    ];
    table("Who you are to the agencies", &pack["who"], &names);
    let events = [
        ("When", "occurred_at"),
        ("What", "what"),
        ("From", "agency"),
        ("You as", "role"),
        ("Status", "status"),
        ("Held until", "held_until"),
    ];
    table("What agencies told", &pack["held"]["events"], &events);
    let shared =
        [("When", "at"), ("With", "recipient"), ("What", "what"), ("Finding", "finding"), ("Clause", "clause")];
    table("What was shared", &pack["shared"], &shared);
    table("Who looked", &pack["looked_at"], &[("When", "at"), ("Who", "by"), ("Why", "reason")]);
    let agencies = [("Agency", "party"), ("Under", "gateway"), ("Days held", "retention_days")];
    table("Agencies", &pack["agencies"], &agencies);
    let recipients = [
        ("Recipient", "name"),
        ("Under", "gateway"),
        ("For", "purpose"),
        ("May keep a message, days", "may_keep_a_message_for_days"),
    ];
    table("Recipients", &pack["recipients"], &recipients);
    let _ = write!(page, "<h2>Your rights</h2><p>{}</p></html>", text(&pack["rights"]));
    page.push('\n');
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Writes a file that its owner alone may read; one that is there already is not overwritten.
fn save(file: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.and_then(|mut opened| opened.write_all(text.as_bytes())).map_err(|error| unwritable(file, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::unwritable(Kind::BadData, path, error)
}
