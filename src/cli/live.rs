//! `priorityd check --live`: the cluster as the daemon will find it, step by step, every problem at once.

use std::io::Write;

use super::failure::{Failure, Kind};
use super::topics::Wanted;
use crate::log::LogError;
use crate::log::kafka::acls::{self, Acl};
use crate::log::kafka::{KafkaAccess, KafkaAdmin};

/// What was found, each with the exit code it alone would have.
#[derive(Default)]
struct Found(Vec<(Kind, String)>);

impl Found {
    fn add(&mut self, kind: Kind, line: String) {
        self.0.push((kind, line));
    }

    /// A step that came to nothing.
    fn failed(&mut self, step: &str, error: LogError, fix: &str) {
        let kind = match &error {
            LogError::Denied(_) => Kind::Denied,
            LogError::Retriable(_) | LogError::Aborted(_) => Kind::Unreachable,
            LogError::Fenced(_) | LogError::Damaged(_) | LogError::Fatal(_) => Kind::CheckFailed,
        };
        self.add(kind, format!("{step}: {}; {fix}", error.into_why()));
    }

    /// Out of reach outranks refused, which outranks what is merely not as it should be.
    fn outcome(self) -> Result<(), Failure> {
        let worst = [Kind::Unreachable, Kind::Denied, Kind::CheckFailed];
        let worst = worst.into_iter().find(|kind| self.0.iter().any(|(found, _)| found == kind));
        worst.map_or(Ok(()), |kind| Err(Failure::all(kind, self.0.into_iter().map(|(_, line)| line))))
    }
}

const APPLY: &str = "run `priorityd topics apply` as the cluster's administrator";

/// Checks and reports.
pub(super) fn check(wanted: &Wanted, out: &mut dyn Write) -> Result<(), Failure> {
    for note in &wanted.notes {
        writeln!(out, "{note}")?;
    }
    let mut found = Found::default();
    let Some(mut access) = connect(wanted, &mut found, out)? else { return found.outcome() };
    let unseen = rights(wanted, &mut access, &mut found, out)?;
    topics(wanted, &unseen, &mut found, out)?;
    lists(wanted, &mut access, &mut found, out)?;
    found.outcome()
}

/// Every broker of the settings; one that answers is enough to go on with.
fn connect(wanted: &Wanted, found: &mut Found, out: &mut dyn Write) -> Result<Option<KafkaAccess>, Failure> {
    let settings = &wanted.settings;
    let mut access = None;
    for (address, opened) in KafkaAccess::open_each(settings) {
        match opened {
            Ok(opened) => {
                let tls = if settings.tls.is_some() { "over TLS" } else { "in the clear" };
                let who = settings.scram.as_ref().map_or_else(String::new, |scram| format!(" as {}", scram.username));
                writeln!(out, "connection: {address} lets us in {tls}{who}")?;
                access.get_or_insert(opened);
            }
            Err(error @ LogError::Denied(_)) => {
                let fix = "look at kafka.user, kafka.password_file and kafka.sasl_mechanism";
                found.failed(&format!("credentials: {address}"), error, fix);
            }
            Err(LogError::Fatal(why)) => {
                let fix = "kafka.ca_file has to hold who signed the broker's certificate, kafka.certificate_file what \
                           the broker trusts";
                found.add(Kind::Unreachable, format!("TLS: {address}: {why}; {fix}"));
            }
            Err(error) => {
                let fix = "look at kafka.bootstrap, the network and the broker";
                found.failed(&format!("connection: {address}"), error, fix);
            }
        }
    }
    Ok(access)
}

/// What we may do ourselves. Gives back the topics that we may not even look at.
fn rights(
    wanted: &Wanted,
    access: &mut KafkaAccess,
    found: &mut Found,
    out: &mut dyn Write,
) -> Result<Vec<String>, Failure> {
    let before = found.0.len();
    let needs: Vec<&Acl> = wanted.needs.iter().collect();
    let mut unseen = Vec::new();
    match access.lacking(&needs) {
        Err(error) => found.failed("rights", error, "look at the broker's log"),
        Ok(lacking) => {
            for acl in &lacking {
                let line = format!("rights: we may not {} the {} {}; {APPLY}", acl.operation, acl.kind, acl.name);
                found.add(Kind::Denied, line);
            }
            // What nothing is allowed on does not show.
            unseen.extend(needs.iter().filter(|need| lacking.contains(need)).map(|need| need.name.clone()));
            unseen.dedup();
            let seen = |name: &String| needs.iter().any(|need| need.name == *name && !lacking.contains(need));
            unseen.retain(|name| !seen(name));
        }
    }
    if let Err(error) = access.try_group(&wanted.settings) {
        found.failed(&format!("rights: the group {}", wanted.settings.group), error, APPLY);
    }
    if let Err(error) = KafkaAccess::try_transactions(&wanted.settings) {
        found.failed("rights: transactions", error, APPLY);
    }
    if found.0.len() == before {
        writeln!(out, "rights: we may do all that the daemon has to")?;
    }
    Ok(unseen)
}

fn topics(wanted: &Wanted, unseen: &[String], found: &mut Found, out: &mut dyn Write) -> Result<(), Failure> {
    let seen = wanted.topics.iter().filter(|topic| !unseen.contains(&topic.name));
    let seen: Vec<_> = seen.cloned().collect();
    match KafkaAdmin::open(wanted.settings.clone()).and_then(|admin| admin.plan(&seen)) {
        Err(error) => found.failed("topics", error, APPLY),
        Ok(changes) if changes.is_empty() => writeln!(out, "topics: {} are as they have to be", seen.len())?,
        Ok(changes) => {
            for change in changes {
                found.add(Kind::CheckFailed, format!("topics: not yet done: {change}; {APPLY}"));
            }
        }
    }
    Ok(())
}

fn lists(wanted: &Wanted, access: &mut KafkaAccess, found: &mut Found, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(lists) = &wanted.access else { return Ok(()) };
    match access.describe() {
        Err(error) => found.failed("access lists", error, APPLY),
        Ok(there) => {
            let changes = acls::changes(&wanted.settings, &lists.daemon, &lists.acls, &there);
            if changes.is_empty() {
                writeln!(out, "access lists: {} entries are as they have to be", lists.acls.len())?;
            }
            for change in changes {
                let line = if change.is_ours() {
                    format!("access lists: not yet done: {change}; {APPLY}")
                } else {
                    format!("access lists: {change}")
                };
                found.add(Kind::CheckFailed, line);
            }
        }
    }
    Ok(())
}
