//! `priorityd publish`: appends events to a feed, from another process than the daemon's.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;

use clap::Args;
use zeroize::Zeroizing;

use super::deployment::{ConfigArgs, Deployment};
use super::failure::{Failure, Kind};
use crate::model::ids::{PartyId, ScopeId};

/// Events and bytes of one append at the most; each append is atomic.
const CHUNK: (usize, usize) = (500, 8 << 20);

/// Appends one event a line. Nothing is checked here beyond the size: the daemon answers on `rejections.<party>.v1`, and
/// `priorityd check --events` tells beforehand.
#[derive(Debug, Args)]
pub(super) struct PublishArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Whose feed, e.g. police
    #[arg(long, value_name = "PARTY")]
    feed: PartyId,
    /// The partnership that the events are of [default: the agreement's first]
    #[arg(long)]
    scope: Option<ScopeId>,
    /// NDJSON, one CloudEvent a line; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Publishes and says how many.
pub(super) fn run(args: &PublishArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let deployment = Deployment::load(&args.config.config)?;
    if deployment.agreement.feed(&args.feed).is_none() {
        let known: Vec<_> = deployment.agreement.feeds.iter().map(|feed| feed.party.as_str()).collect();
        let line = format!("--feed: the agreement has no such feed; it has {}", known.join(", "));
        return Err(Failure::new(Kind::Configuration, line));
    }
    let scope = args.scope.clone().or_else(|| deployment.agreement.scopes.first().cloned());
    let scope = scope.ok_or_else(|| Failure::new(Kind::Configuration, "the agreement names no scope"))?;
    let mut client = deployment.publisher()?;
    let mut input: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = File::open(&args.file).map_err(|error| Failure::unreadable(&args.file, &error))?;
        Box::new(BufReader::new(file))
    };
    let (mut count, mut chunk, mut bytes) = (0, Vec::new(), 0);
    loop {
        // Bytes, not text: a line in a wrong encoding is the daemon's to reject, not ours to lose.
        let mut line = Zeroizing::new(Vec::new());
        let more = input.read_until(b'\n', &mut line)? > 0;
        while line.last().is_some_and(|byte| b"\r\n".contains(byte)) {
            line.pop();
        }
        if !line.is_empty() {
            bytes += line.len();
            chunk.push(line);
        }
        if chunk.len() >= CHUNK.0 || bytes >= CHUNK.1 || (!more && !chunk.is_empty()) {
            (count, bytes) = (count + chunk.len(), 0);
            client.publish(&args.feed, &scope, std::mem::take(&mut chunk))?;
        }
        if !more {
            break;
        }
    }
    writeln!(out, "published {count} to feeds of {}", args.feed)?;
    Ok(())
}
