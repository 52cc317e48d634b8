//! CloudEvents 1.0 over the Kafka protocol binding: one envelope, whether it came structured (the whole event is the
//! record's value) or binary (`ce_` headers, the value is `data`), and whether the feed may send it.

use super::document::{Fields, Node, RecordText};
use super::feed::FeedContext;
use super::problem::{Check, KnownNames, Path, Problem};
use super::read::read;
use super::types::{EVENT_TYPES, EventType};
use crate::model::outcome::RejectCode;

/// Reads a record in either mode into one structured envelope.
pub(super) fn assemble<'a>(
    headers: &'a [(String, Vec<u8>)],
    payload: &'a [u8],
    known: &KnownNames,
) -> Result<Node<'a>, Problem> {
    let content_type = single_header(headers, "content-type", known)?;
    let media_type = content_type.map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    match media_type.as_deref() {
        // The content type decides, as the binding says; a record without one is binary only if it has attributes.
        Some("application/cloudevents+json") => read(payload, known),
        Some(other) if other.starts_with("application/cloudevents") => Err(not_cloud_event(
            Path::of(&["datacontenttype"]),
            "one event in JSON a record",
            "send application/cloudevents+json; batches and other formats are not read",
        )),
        media_type if headers.iter().any(|(name, _)| attribute(name).is_some()) => {
            if media_type.is_some_and(|name| name != "application/json" && !name.ends_with("+json")) {
                return Err(not_cloud_event(
                    Path::of(&["datacontenttype"]),
                    "data is JSON",
                    "send content-type application/json",
                ));
            }
            binary(headers, payload, known)
        }
        _ => read(payload, known),
    }
}

/// Binary mode: attributes from headers, data from the value.
fn binary<'a>(headers: &'a [(String, Vec<u8>)], payload: &'a [u8], known: &KnownNames) -> Result<Node<'a>, Problem> {
    let mut fields = Fields::with_capacity(headers.len() + 1);
    for (header, value) in headers {
        let Some(name) = attribute(header) else { continue };
        let path = || Path::default().cut(&name, known);
        let text = std::str::from_utf8(value).map_err(|_| {
            not_cloud_event(path(), "headers are UTF-8", "write the values of the ce_ headers as UTF-8")
        })?;
        if text.contains('\0') {
            let help = "remove U+0000 from the header";
            return Err(Problem::new(Check::Reading, RejectCode::WrongForm, path(), "text has no NUL character", help));
        }
        if name == "data" || fields.get(&name).is_some() {
            return Err(not_cloud_event(path(), "each attribute once", "send each ce_ header once, and no ce_data"));
        }
        fields.push(RecordText::copied(&name), Node::Text(RecordText::borrowed(text)));
    }
    let data = read(payload, known).map_err(|mut problem| {
        // A record that cannot be read at all is told as a whole; a place inside it is inside `data`.
        if !problem.path.0.is_empty() {
            problem.path.0.splice(0..0, Path::of(&["data"]).0);
        }
        problem
    })?;
    fields.push(RecordText::borrowed("data"), data);
    Ok(Node::Object(fields))
}

/// The attribute that a header carries, if it is one.
fn attribute(header: &str) -> Option<String> {
    let (prefix, name) = header.split_at_checked(3)?;
    prefix.eq_ignore_ascii_case("ce_").then(|| name.to_ascii_lowercase())
}

fn single_header<'a>(
    headers: &'a [(String, Vec<u8>)],
    name: &str,
    known: &KnownNames,
) -> Result<Option<&'a str>, Problem> {
    let path = || Path::default().cut("datacontenttype", known);
    let mut found = headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
    let Some((_, value)) = found.next() else { return Ok(None) };
    if found.next().is_some() {
        return Err(not_cloud_event(path(), "one content type", "send the content-type header once"));
    }
    let text = std::str::from_utf8(value);
    text.map(Some).map_err(|_| not_cloud_event(path(), "headers are UTF-8", "send application/cloudevents+json"))
}

fn not_cloud_event(path: Path, rule: &'static str, help: &'static str) -> Problem {
    Problem::new(Check::Envelope, RejectCode::NotCloudEvent, path, rule, help)
}

/// Checks the required attributes and the feed's rights. `Some` when the type is one of the feed's, so that the rest can
/// be checked, even if other things are wrong.
pub(super) fn check(
    envelope: &Node<'_>,
    feed: &FeedContext,
    problems: &mut Vec<Problem>,
) -> Option<&'static EventType> {
    let Some(fields) = envelope.as_object() else {
        problems.push(not_cloud_event(
            Path::default(),
            "a record is a CloudEvents 1.0 envelope",
            "one JSON object with specversion, id, source, type and data, or ce_ headers (binary mode)",
        ));
        return None;
    };
    let text = |name| fields.get(name).and_then(Node::as_str).filter(|text| !text.is_empty());
    if text("specversion") != Some("1.0") {
        problems.push(not_cloud_event(Path::of(&["specversion"]), "CloudEvents 1.0", "send specversion \"1.0\""));
    }
    for name in ["id", "source", "type"] {
        if text(name).is_none() {
            let help = "a text of at least one character";
            problems.push(not_cloud_event(Path::of(&[name]), "CloudEvents requires the attribute", help));
        }
    }
    if let Some(source) = text("source")
        && !feed.sources.iter().any(|allowed| allowed == source)
    {
        let help = format!("this feed speaks for: {}", feed.sources.join(", "));
        let rule = "a feed speaks for its own party";
        let path = Path::of(&["source"]);
        problems.push(Problem::new(Check::Envelope, RejectCode::SourceNotOfFeed, path, rule, help));
    }
    let name = text("type")?;
    let path = Path::of(&["type"]);
    let Some(known) = EVENT_TYPES.iter().find(|known| known.name == name) else {
        let help = format!("this feed sends: {}", names_of_feed(feed));
        let rule = "the type is one that we know";
        problems.push(Problem::new(Check::Envelope, RejectCode::UnknownType, path, rule, help));
        return None;
    };
    if known.feed != feed.kind {
        let help = format!("this feed sends: {}", names_of_feed(feed));
        let rule = "the type belongs to the feed";
        problems.push(Problem::new(Check::Envelope, RejectCode::TypeNotOfFeed, path, rule, help));
        return None;
    }
    Some(known)
}

fn names_of_feed(feed: &FeedContext) -> String {
    let names = EVENT_TYPES.iter().filter(|known| known.feed == feed.kind).map(|known| known.name);
    names.collect::<Vec<_>>().join(", ")
}
