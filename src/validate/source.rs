//! Events that were pseudonymised at the source: hashed ids and tokens in place of identity. Their shape is checked like any
//! other; and a hub that takes only those refuses identity in clear.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::document::Node;
use super::problem::{Check, Path, Problem};
use super::take::Taking;
use crate::model::event::{BlindPerson, Role, Status};
use crate::model::feed::FeedKind;
use crate::model::ids::{EventId, LocalRefId, RecordId};
use crate::model::outcome::RejectCode;
use crate::model::sealed::Sealed;
use crate::model::source::SourceEvent;
use crate::model::tokens::PersonTokens;

/// The member of `data` that says so.
pub(super) const MARK: &str = "pseudonymised";

/// Persons of one event that are looked at; the schema allows no more.
const MAX_PERSONS: usize = 50;

/// Minds that an event is in one form as a whole, and in the one that this hub takes.
pub(super) fn check(envelope: &Node<'_>, feed: FeedKind, tokens_only: bool, problems: &mut Vec<Problem>) {
    let Some(data) = envelope.get("data").and_then(Node::as_object) else { return };
    let persons = data.get("persons").and_then(Node::as_list).unwrap_or_default();
    if data.get(MARK).is_none() {
        // Reviewers name records, never people.
        if tokens_only && feed != FeedKind::Review {
            let rule = "this hub takes only events that were pseudonymised at the source";
            let help = "run `priorityd pseudonymise` at the agency and send what it writes";
            problems.push(Problem::new(Check::Envelope, RejectCode::ClearIdentity, mark(), rule, help));
        }
        let with_tokens = persons.iter().take(MAX_PERSONS).position(|person| person.get("tokens").is_some());
        if let Some(index) = with_tokens {
            let help = "tokens belong to an event that `priorityd pseudonymise` wrote as a whole";
            problems.push(wrong(person(index).name("tokens"), "tokens come in events that say `pseudonymised`", help));
        }
        return;
    }
    let hashed = |value: Option<&Node<'_>>, path: Path, problems: &mut Vec<Problem>| {
        let text = value.and_then(Node::as_str);
        if text.is_some_and(|text| text.parse::<EventId>().is_err()) {
            let help = "send what `priorityd pseudonymise` wrote, unchanged";
            problems.push(wrong(path, "an id is hashed at the source: 32 hexadecimal digits", help));
        }
    };
    hashed(envelope.get("id"), Path::of(&["id"]), problems);
    hashed(data.get("supersedes"), Path::of(&["data", "supersedes"]), problems);
    hashed(data.get("incident"), Path::of(&["data", "incident"]), problems);
    for (index, one) in persons.iter().enumerate().take(MAX_PERSONS) {
        if one.get("identity").is_some() {
            let help = "leave identity out: it is sealed, and what is compared are tokens";
            let rule = "no identity in clear beside tokens";
            problems.push(Problem::new(
                Check::Envelope,
                RejectCode::ClearIdentity,
                person(index).name("identity"),
                rule,
                help,
            ));
        }
        hashed(one.get("local_ref"), person(index).name("local_ref"), problems);
        if one.get("tokens").is_some_and(|tokens| PersonTokens::deserialize(tokens).is_err()) {
            let help = "send what this version of `priorityd pseudonymise` wrote, unchanged";
            problems.push(wrong(person(index).name("tokens"), "tokens have the form of the schema", help));
        }
    }
}

/// Takes an event's blind half out of `data`. `None` where the checks promised too much.
pub(super) fn take(mark: &Node<'_>, data: &mut Taking<'_>, id: &str) -> Option<SourceEvent> {
    let mark = Mark::deserialize(mark).ok()?;
    let id_of = |text: Option<&Node<'_>>| match text {
        Some(text) => text.as_str()?.parse().ok().map(Some),
        None => Some(None),
    };
    let persons = match data.take("persons") {
        Some(persons) => Vec::<SourcePerson>::deserialize(persons).ok()?,
        None => Vec::new(),
    };
    Some(SourceEvent {
        linkage_epoch: mark.linkage_epoch,
        id: id.parse().ok()?,
        supersedes: id_of(data.take("supersedes"))?,
        incident: id_of(data.take("incident"))?,
        fingerprint: fingerprint(&mark.fingerprint)?,
        dropped_identifiers: mark.dropped_identifiers,
        persons: persons.into_iter().map(SourcePerson::read).collect::<Option<_>>()?,
    })
}

#[derive(Deserialize)]
struct Mark {
    linkage_epoch: u32,
    fingerprint: String,
    #[serde(default)]
    dropped_identifiers: u32,
}

#[derive(Deserialize)]
struct SourcePerson {
    local_ref: LocalRefId,
    role: Role,
    status: Status,
    record: RecordId,
    under_16: bool,
    tokens: PersonTokens,
    sealed: SourceSealed,
}

#[derive(Deserialize)]
struct SourceSealed {
    epoch: u32,
    bytes: String,
}

impl SourcePerson {
    fn read(self) -> Option<BlindPerson> {
        let bytes = URL_SAFE_NO_PAD.decode(self.sealed.bytes).ok()?;
        Some(BlindPerson {
            record: self.record,
            local_ref: self.local_ref,
            role: self.role,
            status: self.status,
            under_16: self.under_16,
            tokens: Arc::new(self.tokens),
            sealed: Sealed { epoch: self.sealed.epoch, bytes: bytes.into() },
        })
    }
}

fn fingerprint(text: &str) -> Option<[u8; 8]> {
    let digits = text.len() == 16 && text.is_ascii();
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(u64::to_be_bytes)
}

fn mark() -> Path {
    Path::of(&["data", MARK])
}

fn person(index: usize) -> Path {
    Path::of(&["data", "persons"]).index(index)
}

fn wrong(path: Path, rule: &'static str, help: &'static str) -> Problem {
    Problem::new(Check::Persons, RejectCode::WrongForm, path, rule, help)
}
