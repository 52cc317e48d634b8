//! `priorityd subscribe`: reads what was published to one recipient and opens it with that recipient's key.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::deployment::{ConfigArgs, subscriber};
use super::failure::{Failure, Kind};
use super::show::{Reader, Seen};
use crate::config::settings::Settings;
use crate::disclose::open::OpenError;
use crate::keys::recipient::RecipientPrivateKey;
use crate::keys::signing::SignerKeys;
use crate::log::{Client, StoredRecord, TopicReader, topic_name};
use crate::model::ids::PartyId;

const TOPICS: [&str; 2] = ["alerts", "list"];

#[derive(Debug, Args)]
#[command(
    after_help = "Prints one JSON object a line, a topic's partitions one after the other: the opened CloudEvent, or \
    `{\"tombstone\": KEY}` where a list entry ended. With `--sealed` the records as they are, for a client of \
    one's own. `{\"warning\": CODE}` tells of a heartbeat that is late or missing, a list that is not what \
    the hub says it is, a signer whose time is over."
)]
pub(super) struct SubscribeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Whose messages, e.g. up2u
    #[arg(long, value_name = "PARTY")]
    recipient: PartyId,
    /// The recipient's private key (JWK); again for an earlier one, after a rotation
    #[arg(long, value_name = "FILE", required_unless_present = "sealed")]
    key: Vec<PathBuf>,
    /// Public keys that messages are signed with (JWKS) [default: signing.jwks.json of the configured key ring]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
    /// Only this topic
    #[arg(long, value_enum)]
    topic: Option<Topic>,
    /// Print records as they are, without opening them
    #[arg(long, conflicts_with = "key")]
    sealed: bool,
    /// Go on reading until interrupted
    #[arg(long)]
    follow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// `alerts.RECIPIENT.v1`
    Alerts,
    /// `list.RECIPIENT.v1`
    List,
}

/// Reads and prints.
pub(super) fn run(args: &SubscribeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = Settings::load(&args.config.config)?;
    let topics = TOPICS.into_iter().filter(|topic| match args.topic {
        None => true,
        Some(Topic::Alerts) => *topic == "alerts",
        Some(Topic::List) => *topic == "list",
    });
    let topics: Vec<_> = topics.collect();
    let mut client = subscriber(&settings.log)?;
    if args.sealed {
        return print_sealed(args, &topics, client.as_mut(), out);
    }
    let signers = args.signers.clone().unwrap_or_else(|| settings.keys.join("signing.jwks.json"));
    let (mut keys, mut problems) = (Vec::new(), Vec::new());
    for file in &args.key {
        RecipientPrivateKey::read(file).map_or_else(|found| problems.extend(found), |key| keys.push(key));
    }
    let signers = match SignerKeys::read(&signers) {
        Ok(signers) if problems.is_empty() => signers,
        signers => {
            problems.extend(signers.err().unwrap_or_default());
            return Err(problems.into());
        }
    };
    if let Some(key) = keys.iter().find(|key| *key.party() != args.recipient) {
        let line = format!(
            "--key: it is the key of {}; give that of {}, the only one that opens these",
            key.party(),
            args.recipient
        );
        return Err(Failure::new(Kind::Denied, line));
    }
    let mut reader = Reader::new(args.recipient.clone(), keys, signers);
    let (mut refused, mut warned) = (Vec::new(), Vec::new());
    loop {
        reader.listen(client.as_mut())?;
        for topic in &topics {
            for seen in reader.read(client.as_mut(), topic, wait(args))? {
                match seen {
                    Seen::Event(event) => writeln!(out, "{event}")?,
                    Seen::Tombstone(key) => writeln!(out, "{}", json!({"tombstone": key}))?,
                    Seen::Refused { partition, offset, why, .. } => {
                        let (topic, fix) = (topic_name(topic, &args.recipient), fix(why));
                        let why = why.to_string();
                        let line = json!({"refused": why, "topic": topic, "partition": partition, "offset": offset});
                        writeln!(out, "{line}")?;
                        refused.push(format!("{topic} partition {partition} offset {offset}: {why}; {fix}"));
                    }
                }
            }
        }
        for warning in reader.warnings(&topics) {
            writeln!(out, "{warning}")?;
            warned.push(warning);
        }
        out.flush()?;
        if !args.follow {
            break;
        }
    }
    match (refused.is_empty(), warned.is_empty()) {
        (false, _) => Err(Failure::all(Kind::BadData, refused)),
        (true, false) => Err(Failure::all(Kind::CheckFailed, warned)),
        (true, true) => Ok(()),
    }
}

/// What to do about a message that was refused.
fn fix(why: OpenError) -> &'static str {
    match why {
        OpenError::WrongKey => "give the key that it was sealed to, an earlier one perhaps, with a further --key",
        OpenError::Expired => "it is over: what holds still was sealed anew",
        OpenError::UnknownSigner | OpenError::ExpiredSigner => {
            "take the hub's signing.jwks.json of today, by a way that you trust"
        }
        _ => "do not act on it, and tell the hub",
    }
}

fn print_sealed(
    args: &SubscribeArgs,
    topics: &[&'static str],
    client: &mut dyn Client,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let topics = topics.iter().map(|topic| TopicReader::new(topic_name(topic, &args.recipient)));
    let mut topics: Vec<_> = topics.collect();
    loop {
        for reader in &mut topics {
            let topic = reader.topic().to_owned();
            reader.read(client, wait(args), |StoredRecord { partition, offset, key, value, .. }| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (key, value) = (text(&key), value.as_deref().map(text));
                let line = json!({
                    "topic": topic, "partition": partition, "offset": offset, "key": key, "value": value,
                });
                writeln!(out, "{line}").map_err(Failure::from)
            })?;
        }
        out.flush()?;
        if !args.follow {
            return Ok(());
        }
    }
}

fn wait(args: &SubscribeArgs) -> Duration {
    if args.follow { Duration::from_millis(250) } else { Duration::ZERO }
}
