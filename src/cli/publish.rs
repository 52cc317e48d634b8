//! `priorityd publish`: appends events to a feed, from another process than the daemon's.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use super::input::Lines;
use crate::log::{Header, Unsent};
use crate::model::ids::{PartyId, ScopeId};

/// Events and bytes of one append at the most; each append is atomic.
const CHUNK: (usize, usize) = (500, 8 << 20);

#[derive(Debug, Args)]
#[command(
    after_help = "Appends one event a line, with its scope as the record key. Nothing is checked here beyond the size: the \
    daemon answers on `rejections.<party>.v1`, and `priorityd check --events` tells beforehand."
)]
pub(super) struct PublishArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Whose feed, e.g. police
    #[arg(long, value_name = "PARTY")]
    feed: PartyId,
    /// How CloudEvents go onto the topic
    #[arg(long, value_enum, default_value_t = Mode::Structured)]
    mode: Mode,
    /// NDJSON, one CloudEvent a line; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// The whole event is the record's value
    Structured,
    /// Attributes are headers, the value is `data`
    Binary,
}

/// Publishes and says how many.
pub(super) fn run(args: &PublishArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let deployment = Deployment::load(&args.config.config)?;
    if deployment.agreement.feed(&args.feed).is_none() {
        let known: Vec<_> = deployment.agreement.feeds.iter().map(|feed| feed.party.as_str()).collect();
        let line = format!("--feed: the agreement has no such feed; use one of {}", known.join(", "));
        return Err(Failure::new(Kind::Configuration, line));
    }
    let first = deployment.agreement.scopes.first();
    let first =
        first.ok_or_else(|| Failure::new(Kind::Configuration, "agreement: it names no scope; name one in `scopes`"))?;
    let mut client = deployment.publisher()?;
    let mut lines = Lines::of(&args.file)?;
    let (mut count, mut chunk, mut bytes) = (0, Vec::new(), 0);
    let ended = loop {
        let next = next_event(&mut lines, args.mode, first);
        let ended = match next {
            Ok(Some(event)) => {
                bytes += event.payload.len();
                chunk.push(event);
                None
            }
            Ok(None) => Some(Ok(())),
            Err(why) => Some(Err(why)),
        };
        if chunk.len() >= CHUNK.0 || bytes >= CHUNK.1 || (ended.is_some() && !chunk.is_empty()) {
            (count, bytes) = (count + chunk.len(), 0);
            client.append(&args.feed, std::mem::take(&mut chunk))?;
        }
        if let Some(ended) = ended {
            break ended;
        }
    };
    ended.map_err(|why| {
        let line = format!("{why}; events before it that are published: {count}, and nothing from it on");
        Failure::new(Kind::BadData, line)
    })?;
    writeln!(out, "published {count} to feeds of {}", args.feed)?;
    Ok(())
}

/// The event of the next line, as it is appended. What names no scope goes where the daemon will reject it, whichever
/// partition that is.
fn next_event(lines: &mut Lines, mode: Mode, first: &ScopeId) -> Result<Option<Unsent>, String> {
    let Some(line) = lines.next_filled()? else { return Ok(None) };
    let scope = scope_of(&line).unwrap_or_else(|| first.clone());
    let event = match mode {
        Mode::Structured => Unsent::structured(scope, line),
        Mode::Binary => binary(&scope, &line).unwrap_or_else(|| Unsent::structured(scope, line)),
    };
    // With its headers it may be more than its line was.
    if event.fits() { Ok(Some(event)) } else { Err(lines.too_long()) }
}

/// The partnership that an event says it is of.
fn scope_of(line: &[u8]) -> Option<ScopeId> {
    #[derive(Deserialize)]
    struct Event {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        scope: ScopeId,
    }
    // What cannot be read is the daemon's to reject.
    serde_json::from_slice::<Event>(line).ok().map(|event| event.data.scope)
}

/// In binary mode. Not for what is no event with texts for attributes.
fn binary(scope: &ScopeId, line: &[u8]) -> Option<Unsent> {
    let Ok(Value::Object(mut event)) = serde_json::from_slice(line) else { return None };
    let payload = Zeroizing::new(event.remove("data")?.to_string().into_bytes());
    let content_type = event.remove("datacontenttype");
    let content_type = content_type.as_ref().map_or(Some("application/json"), Value::as_str)?;
    let mut headers = vec![header("content-type", content_type)];
    for (name, value) in &event {
        headers.push(header(&format!("ce_{name}"), value.as_str()?));
    }
    Some(Unsent { scope: scope.clone(), headers, payload })
}

fn header(name: &str, value: &str) -> Header {
    (name.to_owned(), value.as_bytes().to_vec())
}
