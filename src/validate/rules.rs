//! What a schema cannot say: dates, the scope, persons and history must make sense together. Each rule looks at what it
//! can read and leaves the rest to the schema, so that `check` can tell everything at once.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::document::{Fields, Node};
use super::feed::FeedContext;
use super::problem::{Check, Path, Problem};
use crate::model::event::day as utc_day;
use crate::model::outcome::RejectCode;

/// How far clocks and time zones may disagree before two dates contradict each other.
const TOLERANCE: SignedDuration = SignedDuration::from_hours(24);
/// As many persons as the schema lets an event have; it tells where there are more.
const MAX_PERSONS: usize = 50;
/// Nothing that we are told of happened earlier.
const FIRST_YEAR: i16 = 1900;

/// Everything in an event's envelope and data that must agree.
pub(super) fn check(envelope: &Node<'_>, feed: &FeedContext, appended_ms: i64, problems: &mut Vec<Problem>) {
    let Some(data) = envelope.get("data").and_then(Node::as_object) else { return };
    check_instants(data, appended_ms, problems);
    check_own_days(data, problems);
    check_scope(data, feed, problems);
    check_persons(data, problems);
    let id = envelope.get("id").and_then(Node::as_str);
    if id.is_some() && data.get("supersedes").and_then(Node::as_str) == id {
        let help = "give the id of the earlier event, and this event an id of its own";
        let path = Path::of(&["data", "supersedes"]);
        let rule = "an event does not supersede itself";
        problems.push(Problem::new(Check::History, RejectCode::BadSupersedes, path, rule, help));
    }
}

/// Reads an RFC 3339 instant.
pub(super) fn instant(value: &Node<'_>) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// Reads a day as `YYYY-MM-DD` and in no other of the forms that ISO 8601 has.
pub(super) fn day(value: &Node<'_>) -> Option<Date> {
    let text = value.as_str()?;
    let plain = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if plain { text.parse().ok() } else { None }
}

fn contradiction(path: Path, rule: &'static str) -> Problem {
    let help = "correct the dates; one day of difference between clocks and time zones is tolerated";
    Problem::new(Check::Dates, RejectCode::DatesContradict, path, rule, help)
}

/// Reads one instant of the event and tells what is wrong with it alone.
fn read_instant(data: &Fields<'_>, name: &'static str, problems: &mut Vec<Problem>) -> Option<Timestamp> {
    let value = data.get(name).filter(|value| value.as_str().is_some())?;
    let path = || Path::of(&["data", name]);
    let Some(at) = instant(value) else {
        let help = "RFC 3339 with an offset, e.g. 2025-03-01T21:40:00Z, of a day and hour that exist";
        problems.push(Problem::new(Check::Schema, RejectCode::BadDate, path(), "an instant that exists", help));
        return None;
    };
    if utc_day(at).year() < FIRST_YEAR {
        let help = "send the real date; there is no placeholder for an unknown one";
        problems.push(Problem::new(Check::Dates, RejectCode::OutOfRange, path(), "not before 1900", help));
        return None;
    }
    Some(at)
}

/// Reads one day of the event's own fields and tells what is wrong with it alone.
fn read_day(data: &Fields<'_>, name: &'static str, problems: &mut Vec<Problem>) -> Option<Date> {
    let value = data.get(name).filter(|value| value.as_str().is_some())?;
    let path = || Path::of(&["data", name]);
    let Some(on) = day(value) else {
        problems.push(no_such_day(path()));
        return None;
    };
    if on.year() < FIRST_YEAR {
        let help = "send the real date, or leave the field out";
        problems.push(Problem::new(Check::Dates, RejectCode::OutOfRange, path(), "not before 1900", help));
        return None;
    }
    Some(on)
}

fn no_such_day(path: Path) -> Problem {
    Problem::new(Check::Schema, RejectCode::BadDate, path, "a day that exists", "YYYY-MM-DD, e.g. 2025-02-28")
}

/// Is `later` after `earlier`, even when a day's difference is forgiven?
fn clearly_after(later: Timestamp, earlier: Timestamp) -> bool {
    later.duration_since(earlier) > TOLERANCE
}

fn clearly_after_day(later: Date, earlier: Date) -> bool {
    earlier.tomorrow().is_ok_and(|next| later > next)
}

fn check_instants(data: &Fields<'_>, appended_ms: i64, problems: &mut Vec<Problem>) {
    let occurred = read_instant(data, "occurred_at", problems);
    let recorded = read_instant(data, "recorded_at", problems);
    if let (Some(occurred), Some(recorded)) = (occurred, recorded)
        && clearly_after(occurred, recorded)
    {
        problems.push(contradiction(Path::of(&["data", "occurred_at"]), "nothing is recorded before it happened"));
    }
    // A log's clock beyond the calendar says nothing, so it contradicts nothing.
    if let (Some(recorded), Ok(appended)) = (recorded, Timestamp::from_millisecond(appended_ms))
        && clearly_after(recorded, appended)
    {
        problems.push(contradiction(Path::of(&["data", "recorded_at"]), "nothing is recorded in the future"));
    }
    let persons = data.get("persons").and_then(Node::as_list);
    for (index, person) in persons.into_iter().flatten().enumerate().take(MAX_PERSONS) {
        let Some(born) = person.get("identity").and_then(|identity| identity.get("date_of_birth")) else { continue };
        let path = || Path::of(&["data", "persons"]).index(index).name("identity").name("date_of_birth");
        match (day(born), occurred) {
            (None, _) if born.as_str().is_some() => problems.push(no_such_day(path())),
            (Some(born), Some(occurred)) if clearly_after_day(born, utc_day(occurred)) => {
                problems.push(contradiction(path(), "nobody takes part before birth"));
            }
            (None | Some(_), _) => {}
        }
    }
}

/// The days of a protection order, of an order of the court and of a decision.
fn check_own_days(data: &Fields<'_>, problems: &mut Vec<Problem>) {
    let served = read_day(data, "served_on", problems);
    let expires = read_day(data, "expires_on", problems);
    let breached = read_day(data, "breached_on", problems);
    read_day(data, "ends_on", problems);
    let decided = read_day(data, "decided_on", problems);
    let recorded = data.get("recorded_at").and_then(instant).map(utc_day);
    if let (Some(served), Some(expires)) = (served, expires)
        && expires < served
    {
        problems.push(contradiction(Path::of(&["data", "expires_on"]), "an order does not end before it was served"));
    }
    if let (Some(served), Some(breached)) = (served, breached)
        && breached < served
    {
        problems.push(contradiction(Path::of(&["data", "breached_on"]), "no breach before the order was served"));
    }
    let occurred = data.get("occurred_at").and_then(instant).map(utc_day);
    if let (Some(occurred), Some(decided)) = (occurred, decided)
        && clearly_after_day(occurred, decided)
    {
        problems.push(contradiction(Path::of(&["data", "decided_on"]), "no decision before the request"));
    }
    for (name, on) in [("served_on", served), ("breached_on", breached), ("decided_on", decided)] {
        if let (Some(on), Some(recorded)) = (on, recorded)
            && clearly_after_day(on, recorded)
        {
            problems.push(contradiction(Path::of(&["data", name]), "nothing is recorded before it happened"));
        }
    }
}

fn check_scope(data: &Fields<'_>, feed: &FeedContext, problems: &mut Vec<Problem>) {
    let Some(scope) = data.get("scope").and_then(Node::as_str) else { return };
    if !feed.scopes.iter().any(|served| served.as_str() == scope) {
        let names: Vec<_> = feed.scopes.iter().map(|served| served.as_str()).collect();
        let help = format!("this feed serves: {}", names.join(", "));
        let path = Path::of(&["data", "scope"]);
        problems.push(Problem::new(Check::Scope, RejectCode::UnknownScope, path, "the feed serves the scope", help));
    }
}

fn check_persons(data: &Fields<'_>, problems: &mut Vec<Problem>) {
    let Some(persons) = data.get("persons").and_then(Node::as_list) else { return };
    let contradiction =
        |path, rule, help| Problem::new(Check::Persons, RejectCode::PersonsContradict, path, rule, help);
    for (index, person) in persons.iter().enumerate().take(MAX_PERSONS) {
        let path = || Path::of(&["data", "persons"]).index(index);
        let role = person.get("role").and_then(Node::as_str);
        let status = person.get("status").and_then(Node::as_str);
        let contradicts = match (role, status) {
            (Some("perpetrator"), Some(status)) => matches!(status, "victim" | "witness"),
            (Some("victim" | "child" | "witness"), Some(status)) => {
                matches!(status, "suspect" | "charged" | "convicted" | "cleared")
            }
            (Some(_) | None, _) => false,
        };
        if contradicts {
            let help = "perpetrator: suspect, charged, convicted, cleared or client; others: victim, witness or client";
            problems.push(contradiction(path().name("status"), "the status fits the role", help));
        }
        if role != Some("perpetrator") && role != Some("victim") {
            continue;
        }
        let local_ref = person.get("local_ref").and_then(Node::as_str);
        let other = if role == Some("victim") { "perpetrator" } else { "victim" };
        let both = persons[..index].iter().any(|earlier| {
            local_ref.is_some()
                && earlier.get("local_ref").and_then(Node::as_str) == local_ref
                && earlier.get("role").and_then(Node::as_str) == Some(other)
        });
        if both {
            let help = "send one event for each direction of abuse, each with one victim and one perpetrator";
            problems.push(contradiction(path().name("local_ref"), "nobody is victim and perpetrator at once", help));
        }
    }
}
