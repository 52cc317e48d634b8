//! Moves a whole log in from elsewhere: everything in one transaction, onto topics where nothing is yet.

use std::collections::BTreeSet;
use std::time::Duration;

use super::REGISTER_TOPIC;
use super::client::KafkaClient;
use super::restore::Changelog;
use super::settings::KafkaSettings;
use super::transactor::{Outgoing, Turns};
use crate::log::{Client, FeedRecord, LogError, RegisterRow, TopicRecord, feed_topic, is_feed};

/// Everything that a log of one partition holds.
#[derive(Default)]
pub struct Contents {
    /// Every topic, in the order of its records.
    pub outputs: Vec<TopicRecord>,
    /// Every row.
    pub register: Vec<RegisterRow>,
    /// What is on the feeds and not processed yet, in the order of each feed. The positions before it are of no more use: on
    /// the new log a feed begins here.
    pub unread: Vec<FeedRecord>,
}

/// The longest that a broker lets a transaction take, unless its administrator says otherwise.
const WHOLE_MOVE: Duration = Duration::from_secs(15 * 60);

/// How long an empty topic is asked whether it is empty.
const LOOK: Duration = Duration::from_millis(200);

/// Writes it all or nothing. The daemon's transactional ids are taken for it, so a daemon of the same instance, or a second
/// move, is fenced; whoever comes second finds the topics taken.
///
/// # Errors
/// `Denied` where something is there already, topics are missing or have more than one partition: nothing was written.
/// Otherwise the log's, and nobody sees anything of what was written.
pub fn settle_in(settings: &KafkaSettings, topics: &[String], contents: &Contents) -> Result<(), LogError> {
    let settings = KafkaSettings { transaction_timeout: WHOLE_MOVE, ..settings.clone() };
    let mut transactors = Turns::open(&settings)?;
    let mut client = KafkaClient::new(settings.clone());
    for topic in topics {
        if client.partitions(topic)? != 1 {
            return Err(LogError::Denied(format!("{topic} has several partitions, and this log has one")));
        }
        if !is_feed(topic) && !client.read(topic, 0, 0, 1, LOOK)?.is_empty() {
            return Err(LogError::Denied(format!("{topic} holds records already: this log is not the first one here")));
        }
    }
    let mut rows = 0_u64;
    Changelog::open(&settings)?.restore(0, &mut |_, _| rows += 1)?;
    if rows > 0 {
        return Err(LogError::Denied(format!("{REGISTER_TOPIC} holds {rows} rows: a hub works here already")));
    }
    let cluster = |topic: &str| settings.topic(topic);
    let outputs: Vec<_> = contents.outputs.iter().map(|record| cluster(&record.topic)).collect();
    let outputs = contents.outputs.iter().zip(&outputs).map(|(record, topic)| Outgoing {
        topic,
        partition: Some(0),
        key: (!record.key.is_empty()).then_some(&record.key),
        value: record.value.as_deref(),
        headers: &[],
    });
    let register_topic = cluster(REGISTER_TOPIC);
    let register = contents.register.iter().map(|row| Outgoing {
        topic: &register_topic,
        partition: Some(0),
        key: Some(&row.key),
        value: row.value.as_deref(),
        headers: &[],
    });
    let feeds: Vec<_> = contents.unread.iter().map(|record| cluster(&feed_topic(&record.feed))).collect();
    // The key chooses a partition, and there is one.
    let unread = contents.unread.iter().zip(&feeds).map(|(record, topic)| Outgoing {
        topic,
        partition: Some(0),
        key: None,
        value: Some(&record.payload),
        headers: &record.headers,
    });
    transactors.run(outputs.chain(register).chain(unread), None)?;
    // Committed is not yet seen: the brokers mark each partition after they have answered. Whoever looks next is to see it all.
    let written: BTreeSet<_> = contents.outputs.iter().map(|record| record.topic.as_str()).collect();
    let mut client = KafkaClient::new(settings.clone());
    for topic in written {
        if client.read(topic, 0, 0, 1, settings.call_timeout)?.is_empty() {
            return Err(LogError::Retriable(format!("{topic} was written and cannot be read yet")));
        }
    }
    Ok(())
}
