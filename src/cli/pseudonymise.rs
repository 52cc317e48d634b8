//! `priorityd pseudonymise`: the agency's side of a hub without a linkage key. Events in clear go in, from a file or a topic
//! of the agency's own Kafka; events with tokens and sealed identity come out, to a file or to the hub's feed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use getrandom::SysRng;
use jiff::Timestamp;
use rand::rand_core::UnwrapErr;
use zeroize::Zeroizing;

use super::deployment::{ConfigArgs, subscriber};
use super::failure::{Failure, Kind};
use super::input::Lines;
use super::refuges;
use crate::config::agreement::Agreement;
use crate::config::files::{self, LARGEST_FILE};
use crate::config::settings::{LogSettings, Settings};
use crate::keys::source::SourceKeys;
use crate::log::Client;
use crate::model::event::day;
use crate::model::ids::{PartyId, ScopeId};
use crate::pipeline::source::Source;

/// Events of one append to the hub's feed at the most; each append is atomic.
const CHUNK: usize = 500;

#[derive(Debug, Args)]
#[command(
    after_help = "Reads events in clear and writes them with tokens and sealed identity. The configuration is the agency's \
    own: its copy of the agreement, its ring (linkage, identifier, intake) and, for topics, its Kafka."
)]
pub(super) struct PseudonymiseArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Whose feed, e.g. police
    #[arg(long, value_name = "PARTY")]
    feed: PartyId,
    /// The partnership that the events are of [default: the agreement's first]
    #[arg(long)]
    scope: Option<ScopeId>,
    /// NDJSON, one CloudEvent a line; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["from_topic", "frequencies"], conflicts_with = "from_topic")]
    file: Option<PathBuf>,
    /// Read this topic of the Kafka in the configuration, to its end
    #[arg(long, value_name = "TOPIC", requires = "publish", requires = "position")]
    from_topic: Option<String>,
    /// Remembers how far the topic was read, so that the next run goes on there
    #[arg(long, value_name = "FILE")]
    position: Option<PathBuf>,
    /// Go on as more comes, until stopped
    #[arg(long, requires = "from_topic")]
    follow: bool,
    /// Write here [default: standard output]
    #[arg(long, value_name = "FILE", conflicts_with = "publish")]
    out: Option<PathBuf>,
    /// Append to the feed on the hub's Kafka, as this configuration names it
    #[arg(long, value_name = "CONFIG")]
    publish: Option<PathBuf>,
    /// Write the table of frequencies that the hub needs, and read no events
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "from_topic"])]
    frequencies: Option<PathBuf>,
}

/// What a run came to.
#[derive(Default)]
struct Told {
    written: u64,
    dropped_identifiers: u64,
    ignored_fields: u64,
    /// What could not leave, and why; never what it said.
    refused: Vec<String>,
    /// Whether a line could not be read, and none after it was.
    is_broken_off: bool,
}

impl Told {
    fn breaks_off<T>(&mut self, why: String) -> Option<T> {
        self.refused.push(why);
        self.is_broken_off = true;
        None
    }
}

/// Pseudonymises and says how many. What is wrong with an event is told as the hub would say it, and ends with 1.
pub(super) fn run(args: &PseudonymiseArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = Settings::load(&args.config.config)?;
    let agreement = Agreement::load(&settings.agreement)?;
    let scope = args.scope.clone().or_else(|| agreement.scopes.first().cloned());
    let scope =
        scope.ok_or_else(|| Failure::new(Kind::Configuration, "agreement: it names no scope; name one in `scopes`"))?;
    let keys = SourceKeys::load(&settings.keys, &scope, &args.feed)?;
    let source = Source::new(&agreement, &args.feed, &scope, keys, settings.record_bytes);
    let source = source.ok_or_else(|| {
        let known: Vec<_> = agreement.feeds.iter().map(|feed| feed.party.as_str()).collect();
        let line = format!("--feed: the agreement has no such feed; it has {}", known.join(", "));
        Failure::new(Kind::Configuration, line)
    })?;
    let refuges = settings.refuge_addresses.as_deref().map(refuges::read).transpose();
    let refuges = refuges.map_err(|problem| Failure::new(Kind::Configuration, problem))?;
    let mut source = source.with_refuges(refuges.unwrap_or_default());
    if let Some(file) = &args.frequencies {
        let mut text = serde_json::to_vec_pretty(&source.frequencies()).expect("tokens and shares have a JSON form");
        text.push(b'\n');
        return fs::write(file, text).map_err(|error| unwritable(file, &error));
    }
    let mut told = Told::default();
    match (&args.from_topic, &args.publish) {
        (Some(topic), Some(hub)) => {
            let position = args.position.as_deref().expect("clap asks for it");
            let mut ours = kafka(&settings.log, "log of --config")?;
            let mut theirs = kafka(&Settings::load(hub)?.log, "log of --publish")?;
            let mut relay =
                Relay { source: &mut source, args, scope: &scope, theirs: theirs.as_mut(), told: &mut told };
            relay.topic(ours.as_mut(), topic, position)?;
        }
        (_, publish) => {
            let mut events: Vec<Vec<u8>> = Vec::new();
            let mut hub =
                publish.as_ref().map(|hub| kafka(&Settings::load(hub)?.log, "log of --publish")).transpose()?;
            let mut file = match &args.out {
                Some(path) => Some(BufWriter::new(File::create(path).map_err(|error| unwritable(path, &error))?)),
                None => None,
            };
            let mut lines = Lines::of(args.file.as_deref().expect("clap asks for it"))?;
            // What came before a line that cannot be read leaves all the same.
            while let Some(line) = lines.next_filled().unwrap_or_else(|why| told.breaks_off(why)) {
                let now = Timestamp::now();
                source.begin_day(day(now));
                let place = format!("line {}", lines.number());
                if let Some(event) = one(&source, &line, now.as_millisecond(), &place, &mut told) {
                    match (&mut hub, &mut file) {
                        (Some(_), _) => events.push(event),
                        (None, Some(file)) => write_line(file, &event)?,
                        (None, None) => write_line(out, &event)?,
                    }
                }
                if let Some(hub) = hub.as_mut().filter(|_| events.len() == CHUNK) {
                    send(hub.as_mut(), &args.feed, &scope, &mut events)?;
                }
            }
            if let Some(hub) = &mut hub {
                send(hub.as_mut(), &args.feed, &scope, &mut events)?;
            }
            if let Some(file) = &mut file {
                file.flush()?;
            }
        }
    }
    let Told { written, dropped_identifiers, ignored_fields, refused, is_broken_off } = told;
    if args.out.is_some() || args.publish.is_some() {
        writeln!(
            out,
            "pseudonymised {written}, refused {}; left out {dropped_identifiers} identifiers that cannot be right and {ignored_fields} unknown fields",
            refused.len()
        )?;
    }
    let kind = if is_broken_off { Kind::BadData } else { Kind::CheckFailed };
    if refused.is_empty() { Ok(()) } else { Err(Failure::all(kind, refused)) }
}

/// From the agency's topic to the hub's feed. What was sent and not yet noted as sent is sent again after a fault: the hub
/// knows it by its id and counts a duplicate.
struct Relay<'a> {
    source: &'a mut Source,
    args: &'a PseudonymiseArgs,
    scope: &'a ScopeId,
    theirs: &'a mut dyn Client,
    told: &'a mut Told,
}

impl Relay<'_> {
    fn topic(&mut self, ours: &mut dyn Client, topic: &str, position: &Path) -> Result<(), Failure> {
        let mut offsets = read_position(position)?;
        loop {
            self.source.begin_day(day(Timestamp::now()));
            let mut moved = false;
            for partition in 0..ours.partitions(topic)? {
                let partition = i32::try_from(partition).expect("brokers number partitions so");
                let offset = offsets.entry(partition).or_insert(0);
                let wait = if self.args.follow { Duration::from_millis(200) } else { Duration::ZERO };
                let records = ours.read(topic, partition, *offset, CHUNK, wait)?;
                let Some(last) = records.last() else { continue };
                *offset = last.offset + 1;
                moved = true;
                let mut events = Vec::new();
                for record in records {
                    let place = format!("{topic}/{partition}/{}", record.offset);
                    let payload = Zeroizing::new(record.value.unwrap_or_default());
                    events.extend(one(self.source, &payload, record.appended_ms, &place, self.told));
                }
                send(self.theirs, &self.args.feed, self.scope, &mut events)?;
                write_position(position, &offsets)?;
            }
            if !moved && !self.args.follow {
                return Ok(());
            }
            // One who follows has nobody to tell at the end.
            if self.args.follow {
                for line in self.told.refused.drain(..) {
                    writeln!(std::io::stderr(), "priorityd: {line}")?;
                }
            }
        }
    }
}

fn one(source: &Source, payload: &[u8], appended_ms: i64, place: &str, told: &mut Told) -> Option<Vec<u8>> {
    match source.pseudonymise(&[], payload, appended_ms, &mut UnwrapErr(SysRng)) {
        Ok(leaving) => {
            told.written += 1;
            told.dropped_identifiers += u64::from(leaving.dropped_identifiers);
            told.ignored_fields += u64::from(leaving.ignored_fields);
            Some(leaving.event)
        }
        Err(rejection) => {
            let (code, path) = (rejection.code.as_str(), &rejection.path);
            told.refused.push(format!("{place}: {code} {path}: {}; {}", rejection.rule, rejection.help));
            None
        }
    }
}

fn send(hub: &mut dyn Client, feed: &PartyId, scope: &ScopeId, events: &mut Vec<Vec<u8>>) -> Result<(), Failure> {
    if events.is_empty() {
        return Ok(());
    }
    let events = std::mem::take(events).into_iter().map(Zeroizing::new).collect();
    Ok(hub.publish(feed, scope, events)?)
}

fn kafka(log: &LogSettings, whose: &str) -> Result<Box<dyn Client>, Failure> {
    match log {
        LogSettings::Kafka(_) => subscriber(log),
        LogSettings::Embedded { .. } => {
            let line = format!(
                "{whose}: it is \"embedded\", a file of the hub's own; topics are Kafka's, so set it to \"kafka\""
            );
            Err(Failure::new(Kind::Configuration, line))
        }
    }
}

fn write_line(out: &mut dyn Write, event: &[u8]) -> Result<(), Failure> {
    out.write_all(event)?;
    Ok(out.write_all(b"\n")?)
}

type Offsets = std::collections::BTreeMap<i32, i64>;

fn read_position(file: &Path) -> Result<Offsets, Failure> {
    match files::read(file, LARGEST_FILE) {
        Ok(text) => serde_json::from_slice(&text).map_err(|_| {
            let line = format!("{}: it is no position; take it as it was written, or name a new file", file.display());
            Failure::new(Kind::BadData, line)
        }),
        Err(why) if why.kind == std::io::ErrorKind::NotFound => Ok(Offsets::new()),
        Err(why) => Err(Failure::unreadable(file, why)),
    }
}

/// Whole or not at all.
fn write_position(file: &Path, offsets: &Offsets) -> Result<(), Failure> {
    let next = file.with_extension("next");
    let text = serde_json::to_vec(offsets).expect("numbers have a JSON form");
    fs::write(&next, text).and_then(|()| fs::rename(&next, file)).map_err(|error| unwritable(file, &error))
}

fn unwritable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::unwritable(Kind::Configuration, file, error)
}
